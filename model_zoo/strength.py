"""Grad-CAM of different models in one unit, so that their strength can be compared."""

import numpy as np


def logits_per_film(raw: float | np.ndarray, cells: int, temperature: float) -> float | np.ndarray:
    """What a map's cell would add to the logit, to first order, if the whole film were like it.

    raw: values of a map of `cells` cells, as engine.Explanation and a card's scale have them. A cell adds its value,
    and a finer map divides the same evidence among more cells; hence the value times their number. It is divided by the
    temperature, as the logit is for the probability. The mean over a map is what all of the film adds.
    """
    return raw * cells / temperature
