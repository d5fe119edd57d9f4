"""Two or more models on the same images: paired tests, agreement, common mistakes. No model is run here.

Rows, labels and thresholds as in evaluation.py. "The same images" are those with one image_id.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm, rankdata
from sklearn.metrics import cohen_kappa_score

from model_zoo.evaluation import auroc_estimate, resampled_auroc
from model_zoo.intervals import RESAMPLES, Estimate, difference_at_the_ends


class ComparisonError(ValueError):
    """Rows that cannot be compared. The message says what was expected and what was received."""


@dataclass(frozen=True)
class Difference:
    """A figure of the first model minus that of the second, with its 95% interval, and the two-sided p value of a test
    that there is none."""

    estimate: Estimate
    p: float


@dataclass(frozen=True)
class Discordance:
    """Images that exactly one of two models calls right, and the difference in accuracy."""

    first_only: int
    second_only: int
    accuracy: Difference


def common(rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The images that all models have: patient_id, label, and per model's id its probability. Index image_id, in the
    order of the first model's rows.

    Raises ComparisonError when two models' rows have different labels for one image.
    """
    tables = {model_id: table.set_index("image_id") for model_id, table in rows.items()}
    first_id, first = next(iter(tables.items()))
    images = first.index[np.all([first.index.isin(table.index) for table in tables.values()], axis=0)]
    result = first.loc[images, ["patient_id", "label"]]
    for model_id, table in tables.items():
        table = table.loc[images]
        if (differs := table["label"] != result["label"]).any():
            image_id = differs.idxmax()
            raise ComparisonError(
                f"Expected one label for {image_id}. Received: {result.at[image_id, 'label']} from {first_id}, "
                f"{table.at[image_id, 'label']} from {model_id}."
            )
        result[model_id] = table["probability"]
    return result


def delong(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(AUROCs (k,), their covariance (k, k)) of k scores of the same images.

    scores: (k, n), higher for the positives. positive: bool (n,), at least two of each kind. The estimate is that of
    DeLong, DeLong and Clarke-Pearson (1988), from ranks instead of all pairs as Sun and Xu (2014) showed.
    """
    ill, healthy = scores[:, positive], scores[:, ~positive]
    m, n = ill.shape[1], healthy.shape[1]
    together = rankdata(np.concatenate([ill, healthy], axis=1), axis=1)
    # Per ill image the share of healthy ones below it, per healthy image the share of ill ones above it.
    below = (together[:, :m] - rankdata(ill, axis=1)) / n
    above = 1 - (together[:, m:] - rankdata(healthy, axis=1)) / m
    return below.mean(axis=1), np.atleast_2d(np.cov(below) / m + np.cov(above) / n)


def auroc_difference(first: np.ndarray, second: np.ndarray, positive: np.ndarray) -> Difference:
    """DeLong's test of two models' scores (n,) of the same images. nan with fewer than two images of a kind.

    The interval is nan where the estimated variance is 0, as it is of two AUROCs that are each 0, 1, or of scores that
    are all alike: that tells nothing of other images. So is p then, unless there is no difference at all.
    """
    if min(positive.sum(), (~positive).sum()) < 2:
        return Difference(Estimate(np.nan, np.nan, np.nan), np.nan)
    areas, covariance = delong(np.stack([first, second]), positive)
    difference = float(areas[0] - areas[1])
    contrast = np.array([1, -1])
    # Rounding may leave a variance of 0 slightly below it.
    error = float(np.sqrt(max(contrast @ covariance @ contrast, 0)))
    if error == 0:
        return Difference(Estimate(difference, np.nan, np.nan), np.nan if difference else 1.0)
    reach = float(norm.ppf(0.975)) * error
    p = float(2 * norm.sf(abs(difference) / error))
    return Difference(_within(difference, difference - reach, difference + reach), p)


def auroc_difference_by_patient(
    first: np.ndarray, second: np.ndarray, positive: np.ndarray, patient_id: np.ndarray, resamples: int = RESAMPLES
) -> Estimate:
    """The same difference with a percentile interval of the bootstrap over patients, which takes several images of one
    patient for what they are, or one that is made of both AUROCs' intervals where one of them is 0 or 1. nan when one
    class is absent."""
    images = pd.DataFrame({"patient_id": patient_id, "label": positive.astype(int)})
    areas = [resampled_auroc(images.assign(probability=scores), resamples) for scores in (first, second)]
    difference = areas[0] - areas[1]
    estimate = Estimate.percentile(difference[0], difference[1:])
    return difference_at_the_ends(estimate, *(auroc_estimate(images, values) for values in areas))


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> Discordance:
    """McNemar's test (1947) that two models are right equally often, in its exact binomial form.

    first_right, second_right: bool (n,), whether a model calls an image right. The interval of the difference in
    accuracy is Agresti and Min's (2005): Wald's with half an image added to each cell of the table of the pairs.
    """
    first_only, second_only = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    images, apart = len(first_right), first_only + second_only
    p = float(binomtest(first_only, apart).pvalue) if apart else 1.0
    centre = (first_only - second_only) / (images + 2)
    reach = float(norm.ppf(0.975) * np.sqrt(((apart + 1) / (images + 2) - centre**2) / (images + 2)))
    estimate = _within((first_only - second_only) / images, centre - reach, centre + reach)
    return Discordance(first_only, second_only, Difference(estimate, p))


def _within(difference: float, low: float, high: float) -> Estimate:
    """No difference of two shares is beyond -1 or 1."""
    return Estimate(difference, max(low, -1.0), min(high, 1.0))


def calls(images: pd.DataFrame, thresholds: dict[str, float]) -> pd.DataFrame:
    """Per image of common() and per model whether it calls it pneumonia at its operating point."""
    return pd.DataFrame({model_id: images[model_id] >= threshold for model_id, threshold in thresholds.items()})


def agreement(calls: pd.DataFrame) -> pd.DataFrame:
    """For every two models, in both orders: first, second, share of the images that they call alike, and Cohen's kappa
    (1960), how much of that is beyond chance: 1 for all of it. Kappa is nan where both call all images the same."""
    pairs = []
    for first, second in combinations(calls, 2):
        one, other = calls[first].to_numpy(), calls[second].to_numpy()
        one_answer = len(np.unique([one, other])) == 1
        kappa = np.nan if one_answer else float(cohen_kappa_score(one, other))
        share = float((one == other).mean())
        pairs += [(first, second, share, kappa), (second, first, share, kappa)]
    return pd.DataFrame(pairs, columns=["first", "second", "share", "kappa"])


def all_wrong(images: pd.DataFrame, calls: pd.DataFrame) -> pd.DataFrame:
    """The rows of common() that every model calls wrong, those first whose label the models believed least."""
    label = images["label"].to_numpy() == 1
    wrong = images[(calls.to_numpy() != label[:, np.newaxis]).all(axis=1)]
    probability = wrong[list(calls)].mean(axis=1)
    belief = np.where(wrong["label"] == 1, probability, 1 - probability)
    return wrong.iloc[np.argsort(belief, kind="stable")]
