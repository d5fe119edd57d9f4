"""Probabilities that mean what they say: temperature scaling, and the reliability diagram that shows whether they do
(Murphy and Winkler 1977; Guo et al. 2017)."""

import numpy as np
import pandas as pd
from scipy.special import expit

from model_zoo.evaluation import BINS, bin_numbers
from model_zoo.intervals import exact_interval


def calibrated(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities from logits by temperature scaling (Guo et al. 2017)."""
    return expit(logits.astype(np.float64) / temperature)


def at_share(probability: np.ndarray, before: float, after: float) -> np.ndarray:
    """Probabilities, 0..1, calibrated where a share `before` is ill, as Bayes' theorem has them where a share `after`
    is and films of each class look the same (Saerens, Latinne, Decaestecker 2002, equation 2.4). Shares: in (0, 1)."""
    ill, well = probability * after / before, (1 - probability) * (1 - after) / (1 - before)
    return ill / (ill + well)


def reliability(rows: pd.DataFrame, bins: int = BINS) -> pd.DataFrame:
    """Per equal-width bin of probability that has images: from, to, images, patients, pneumonia, probability (their
    mean), share (of pneumonia), low, high.

    The calibration error is the mean of |share - probability| over images. A bin is often all of one class, where a
    bootstrap would claim certainty, so the interval is the exact one, and as if each patient had one image: images of
    one child are alike, so it is rather too wide than too short.
    """
    table = (
        rows.groupby(bin_numbers(rows["probability"].to_numpy(), bins))
        .agg(
            images=("label", "size"),
            patients=("patient_id", "nunique"),
            pneumonia=("label", "sum"),
            probability=("probability", "mean"),
            share=("label", "mean"),
        )
        .reset_index(names="number")
    )
    limits = [exact_interval(row.share * row.patients, row.patients) for row in table.itertuples()]
    table["low"], table["high"] = zip(*limits, strict=True)
    edges = table.pop("number") / bins
    table.insert(0, "from", edges)
    table.insert(1, "to", edges + 1 / bins)
    return table
