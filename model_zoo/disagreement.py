"""How far the members of a committee are from agreeing about an image.

Networks that differ by their start alone agree on what is like the films that they learnt from and part elsewhere
(Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles"). Agreement
is no proof: what all of them learnt wrong, they say together.
"""

from collections.abc import Sequence

import numpy as np


def spread(probabilities: np.ndarray) -> np.ndarray:
    """The standard deviation of the members' probabilities, 0..0.5: 0 when all say the same, 0.5 when one half says 0
    and the other 1. probabilities: (..., members), 0..1."""
    return np.std(probabilities, axis=-1)


def calls(probabilities: Sequence[float], thresholds: Sequence[float]) -> int:
    """How many members call an image pneumonia, each at its own operating point."""
    return sum(probability >= threshold for probability, threshold in zip(probabilities, thresholds, strict=True))
