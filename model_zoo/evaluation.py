"""How often a model is wrong: NumPy and scikit-learn over prediction rows. No model is run here.

Conventions: `label` is 0 (normal) or 1 (pneumonia), shape (n,); `probability` is for pneumonia, 0..1, shape (n,);
an image is called pneumonia when its probability is at or above the threshold. Rates are shares, 0..1, and nan when
their denominator is empty. Intervals are 95% bootstrap intervals over patients (intervals.py): percentile intervals,
except for the calibration error, for rates of 0 and 1, and for an AUROC of 0, of 1 or of few patients.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_curve, roc_auc_score, roc_curve

from model_zoo.intervals import (
    RESAMPLES,
    Estimate,
    auroc_of_few,
    draws,
    exact_at_the_ends,
    exact_interval,
    of_shares,
    tally,
)

OUTCOMES = ("true negative", "false positive", "false negative", "true positive")
RATES = ("accuracy", "sensitivity", "specificity", "ppv", "npv", "macro_recall", "auroc")
# Equal-width bins of the calibration error.
BINS = 15


@dataclass(frozen=True)
class Confusion:
    """Counts of images at one threshold."""

    true_negatives: int
    false_positives: int
    false_negatives: int
    true_positives: int


def confusion(rows: pd.DataFrame, threshold: float) -> Confusion:
    matrix = confusion_matrix(rows["label"], rows["probability"] >= threshold, labels=[0, 1])
    return Confusion(*(int(count) for count in matrix.ravel()))


def outcome(rows: pd.DataFrame, threshold: float) -> pd.Series:
    """Per row the name of its confusion-matrix cell, such as "false positive"."""
    called = rows["probability"] >= threshold
    correct = called == (rows["label"] == 1)
    names = np.where(correct, "true ", "false ") + np.where(called, "positive", "negative").astype(object)
    return pd.Series(names, index=rows.index, dtype=str)


def estimates(rows: pd.DataFrame, threshold: float, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Estimate]:
    """rates() at a threshold, "auroc", "average_precision", the calibration error "ece" and the Brier score "brier",
    the mean squared gap between probability and label (Brier 1950), each with its interval.

    The same rows always give the same intervals. AUROC and average precision are nan when a class that they need is
    absent; where the latter is 1, its interval is empty, and promises too much. The calibration error is a mean of
    absolute gaps, and chance widens gaps: it is higher in a resample than in the rows, and higher in the rows than in
    truth. Its interval is therefore the basic bootstrap's (Davison and Hinkley 1997, section 5.2), which takes that
    bias off, kept at 0 or above and wide enough to hold the figure itself. It remains the roughest: in simulations of
    150 to 400 patients it held the truth in 83 to 92 of 100.

    In simulations of 427 patients with as many images as those of the test split, the other intervals held the truth in
    88 to 96 of 100. Of 10 to 60 patients with one image each, those of rates did in 88 to 100, those of the average
    precision in 8 to 88, of the calibration error in 53 to 93 and of the Brier score in 39 to 94.
    """
    probability, positive = rows["probability"].to_numpy(), rows["label"].to_numpy() == 1
    patients, patient = np.unique(rows["patient_id"].to_numpy(), return_inverse=True)
    gap = probability - positive
    called = (probability >= threshold).astype(int)
    cells = tally(patient, 2 * positive + called, 4)
    counted = patients_counted(patient, called, positive, 1)
    gaps = _per_patient(patient, bin_numbers(probability, BINS), gap, BINS)
    squares = _per_patient(patient, 0, gap**2, 1)
    by_score = _by_score(rows, patient)

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        counts = cells @ weights
        images = counts.sum(axis=0)
        positives, negatives = (part @ weights for part in by_score)
        return {
            **rates(counts),
            "auroc": _auroc(positives, negatives),
            "average_precision": _average_precision(positives, negatives),
            "ece": np.abs(weights.T @ gaps).sum(axis=1) / images,
            "brier": (weights.T @ squares)[:, 0] / images,
        }

    drawn = [figures(weights) for weights in draws(len(patients), len(rows), resamples, seed)]
    result = {}
    for name, (observed,) in figures(np.ones((len(patients), 1), np.int64)).items():
        result[name] = Estimate.percentile(observed, np.concatenate([block[name] for block in drawn]))
    numbers = {name: number for name, (number,) in counted.items()}
    result = with_exact_ends(result, numbers)
    result["auroc"] = auroc_of_few(result["auroc"], numbers["sensitivity"], numbers["specificity"])
    ece = result["ece"]
    low, high = max(2 * ece.value - ece.high, 0.0), max(2 * ece.value - ece.low, ece.value)
    return {**result, "ece": Estimate(ece.value, low, high)}


def rates(cells: np.ndarray) -> dict[str, np.ndarray]:
    """Rates, each (d,), from counts (4, d): true negatives, false positives, false negatives, true positives."""
    tn, fp, fn, tp = cells
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
        return {
            "accuracy": (tp + tn) / cells.sum(axis=0),
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": tp / (tp + fp),
            "npv": tn / (tn + fn),
            "macro_recall": (sensitivity + specificity) / 2,
            "f1": 2 * tp / (2 * tp + fp + fn),
        }


def patients_counted(
    patient: np.ndarray, level: np.ndarray, positive: np.ndarray, thresholds: int
) -> dict[str, np.ndarray]:
    """How many patients have an image in the denominator of each share among rates() at each threshold, (thresholds,).

    patient: (n,) indices from 0 without gaps. level: (n,); an image at level k is called pneumonia at the first k
    thresholds. positive: (n,) bool.
    """

    def above(levels: np.ndarray) -> np.ndarray:
        """Patients with an image at a higher level than 0, 1 and so on."""
        highest = np.zeros(patient.max() + 1, int)
        np.maximum.at(highest, patient, levels)
        return len(highest) - np.searchsorted(np.sort(highest), np.arange(thresholds), side="right")

    return {
        "accuracy": np.full(thresholds, patient.max() + 1),
        "sensitivity": above(np.where(positive, thresholds, 0)),
        "specificity": above(np.where(positive, 0, thresholds)),
        "ppv": above(level),
        "npv": above(thresholds - level)[::-1],
    }


def with_exact_ends(found: dict[str, Estimate], patients: dict[str, int]) -> dict[str, Estimate]:
    """Estimates of rates() and maybe others, with exact intervals for shares of 0 and 1, and what follows from them for
    the figures that are made of shares. patients: patients_counted() at the threshold."""
    shares = {name: exact_at_the_ends(found[name], number) for name, number in patients.items()}
    recalls, precision = (shares["sensitivity"], shares["specificity"]), shares["ppv"]
    return {
        **found,
        **shares,
        "macro_recall": of_shares(found["macro_recall"], lambda *rates: sum(rates) / 2, recalls),
        "f1": of_shares(found["f1"], lambda a, b: 2 * a * b / (a + b) if a + b else 0.0, (recalls[0], precision)),
    }


def summarise(rows: pd.DataFrame, threshold: float) -> dict:
    """The figures that a card stores for one prediction set, as JSON types, rounded to six decimals, so that
    rounding them again for a reader gives what rounding once would."""
    found = estimates(rows, threshold)
    rounded = {
        name: [_rounded(found[name].value), _rounded(found[name].low), _rounded(found[name].high)] for name in RATES
    }
    return {
        "images": len(rows),
        "patients": int(rows["patient_id"].nunique()),
        "confusion": vars(confusion(rows, threshold)),
        **rounded,
        "ece": _rounded(found["ece"].value),
        "brier": _rounded(found["brier"].value),
        "log_loss": _log_loss(rows),
    }


def unlike(rows: pd.DataFrame, summary: dict) -> str | None:
    """What tells rows from those that summarise() was given, as "EXPECTED. Received: RECEIVED"; None where nothing
    does. Any other label or probability shows in the log loss."""
    received = {"images": len(rows), "patients": int(rows["patient_id"].nunique()), "log_loss": _log_loss(rows)}
    stored = {name: summary.get(name) for name in received}
    # Rounded to six decimals, and another processor may round the last one otherwise.
    if None in stored.values() or np.allclose(list(stored.values()), list(received.values()), rtol=0, atol=2e-6):
        return None
    told = ("{images:,} images of {patients:,} patients, log loss {log_loss}".format(**of) for of in (stored, received))
    return ". Received: ".join(told)


def roc(rows: pd.DataFrame) -> pd.DataFrame:
    """Points of the ROC curve: threshold, sensitivity, specificity; one per distinct probability that bends it."""
    false_positive_rate, sensitivity, thresholds = roc_curve(rows["label"], rows["probability"])
    return pd.DataFrame({"threshold": thresholds, "sensitivity": sensitivity, "specificity": 1 - false_positive_rate})


def roc_band(rows: pd.DataFrame, resamples: int = 500, seed: int = 0) -> pd.DataFrame:
    """Pointwise 95% band of the ROC curve: specificity on a grid of 101, sensitivity low and high.

    Where all pneumonias are caught, or no normal image is called, the resamples agree, and the band is too narrow.
    """
    grid = np.linspace(0, 1, 101)
    curves = [
        np.interp(grid, alarms / alarms[-1], caught / caught[-1])
        for caught, alarms in _drawn_curves(rows, resamples, seed)
        if caught[-1] and alarms[-1]
    ]
    return pd.DataFrame({"specificity": 1 - grid, **_band(curves, len(grid))})


def precision_recall(rows: pd.DataFrame) -> pd.DataFrame:
    """Points of the precision-recall curve from the highest threshold down: threshold, sensitivity (recall), ppv
    (precision).

    Between two points the precision is that of the higher sensitivity, which is what average precision sums.
    """
    precision, recall, thresholds = precision_recall_curve(rows["label"], rows["probability"], drop_intermediate=True)
    points = {"threshold": np.append(thresholds, np.inf), "sensitivity": recall, "ppv": precision}
    return pd.DataFrame(points).iloc[::-1].reset_index(drop=True)


def precision_recall_band(rows: pd.DataFrame, resamples: int = 500, seed: int = 0) -> pd.DataFrame:
    """Pointwise 95% band of the precision-recall curve: sensitivity on a grid of 100, ppv low and high.

    Where no normal image is called, the resamples agree, and the band is too narrow.
    """
    grid = np.linspace(0.01, 1, 100)
    curves = []
    for caught, alarms in _drawn_curves(rows, resamples, seed):
        if caught[-1]:
            # The first point that catches this many; the little less is for sums that rounding makes a little more.
            point = np.searchsorted(caught, grid * caught[-1] - 1e-9)
            curves.append(caught[point] / (caught[point] + alarms[point]))
    return pd.DataFrame({"sensitivity": grid, **_band(curves, len(grid))})


def thinned(points: pd.DataFrame, x: str, y: str, most: int = 1000) -> pd.DataFrame:
    """At most `most` points of a curve, evenly spaced along it, both ends among them: enough for any screen."""
    if len(points) <= most:
        return points
    way = (points[x].diff().abs() + points[y].diff().abs()).fillna(0).cumsum().to_numpy()
    kept = np.searchsorted(way, np.linspace(0, way[-1], most - 1))
    return points.iloc[np.unique([*kept, len(points) - 1])]


def expected_calibration_error(rows: pd.DataFrame, bins: int = BINS) -> float:
    """Mean gap between probability and observed share over equal-width bins, weighted by images (Guo et al. 2017)."""
    probability = rows["probability"].to_numpy()
    gaps = probability - rows["label"].to_numpy()
    return float(np.abs(np.bincount(bin_numbers(probability, bins), weights=gaps, minlength=bins)).sum() / len(rows))


def bin_numbers(probability: np.ndarray, bins: int) -> np.ndarray:
    """Per probability, (n,), the number of its equal-width bin, 0 to bins - 1; 1 belongs to the last one."""
    return np.minimum((probability * bins).astype(int), bins - 1)


@dataclass(frozen=True)
class ObservedShare:
    """Of `images` reference images with the most similar probability, `pneumonia` were pneumonia.

    low, high: 95% interval of the share (Clopper and Pearson 1934), as if each patient had one image. lowest, highest:
    the range of their probabilities.
    """

    images: int
    pneumonia: int
    low: float
    high: float
    lowest: float
    highest: float

    @property
    def share(self) -> float:
        return self.pneumonia / self.images


def observed_share(rows: pd.DataFrame, probability: float, neighbours: int = 50) -> ObservedShare:
    """What happened with the images of a reference set that scored like this one: a probability in words.

    Nearness is measured in log-odds, where 0.98 and 0.999 are as far apart as they are for a reader. All images as
    near as the last of the neighbours count, so that the order of the rows does not pick among ties.
    """
    limit = 1e-6

    def log_odds(p):
        p = np.clip(p, limit, 1 - limit)
        return np.log(p / (1 - p))

    distance = np.abs(log_odds(rows["probability"].to_numpy()) - log_odds(probability))
    chosen = rows[distance <= np.sort(distance)[min(neighbours, len(rows)) - 1]]
    images, pneumonia = len(chosen), int(chosen["label"].sum())
    patients = chosen["patient_id"].nunique()
    low, high = exact_interval(pneumonia / images * patients, patients)
    return ObservedShare(
        images, pneumonia, low, high, float(chosen["probability"].min()), float(chosen["probability"].max())
    )


def auroc(rows: pd.DataFrame) -> float:
    """Area under the ROC curve, nan when one class is absent."""
    return float(roc_auc_score(rows["label"], rows["probability"])) if rows["label"].nunique() == 2 else float("nan")


def auroc_interval(rows: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """estimates()["auroc"] without the other figures."""
    return auroc_estimate(rows, resampled_auroc(rows, resamples, seed))


def auroc_estimate(rows: pd.DataFrame, values: np.ndarray) -> Estimate:
    """auroc_interval() from resampled_auroc() of the rows."""
    patients = rows.groupby("label")["patient_id"].nunique()
    return auroc_of_few(Estimate.percentile(values[0], values[1:]), patients.get(1), patients.get(0))


def resampled_auroc(rows: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """AUROC of the rows and of each resample, (1 + resamples,). Rows of the same patients are drawn alike for one seed,
    so that the values of two models can be subtracted."""
    patients, patient = np.unique(rows["patient_id"].to_numpy(), return_inverse=True)
    positives, negatives = _by_score(rows, patient)
    weights = chain([np.ones((len(patients), 1), np.int64)], draws(len(patients), len(rows), resamples, seed))
    return np.concatenate([_auroc(positives @ block, negatives @ block) for block in weights])


def _per_patient(patient: np.ndarray, column: np.ndarray | int, values: np.ndarray, columns: int) -> np.ndarray:
    """Values (n,) summed into a table (patients, columns). patient: (n,) indices without gaps."""
    table = np.zeros((patient.max() + 1, columns))
    np.add.at(table, (patient, column), values)
    return table


def _by_score(rows: pd.DataFrame, patient: np.ndarray) -> tuple[csr_array, csr_array]:
    """Tallies of the positives and of the negatives per distinct score, lowest first."""
    positive = rows["label"].to_numpy() == 1
    scores, score = np.unique(rows["probability"].to_numpy(), return_inverse=True)
    both = tally(patient, score + len(scores) * positive, 2 * len(scores))
    return both[len(scores) :], both[: len(scores)]


def _auroc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """AUROC, (d,): the Mann-Whitney statistic with ties counted half. Images per distinct score, (scores, d)."""
    below = np.cumsum(negatives, axis=0) - negatives
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs = positives.sum(axis=0) * negatives.sum(axis=0)
        return (positives * (below + 0.5 * negatives)).sum(axis=0) / pairs


def _average_precision(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Mean of the precision at each positive, (d,). Images per distinct score, (scores, d)."""
    positives, negatives = positives[::-1], negatives[::-1]
    caught = np.cumsum(positives, axis=0)
    called = caught + np.cumsum(negatives, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (positives * (caught / np.maximum(called, 1))).sum(axis=0) / caught[-1]


def _drawn_curves(rows: pd.DataFrame, resamples: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Per resample the positives and the negatives that are called, (scores + 1,) each, from above all scores down."""
    patients, patient = np.unique(rows["patient_id"].to_numpy(), return_inverse=True)
    by_score = _by_score(rows, patient)
    for weights in draws(len(patients), len(rows), resamples, seed):
        called = (np.pad(np.cumsum((part @ weights)[::-1], axis=0), ((1, 0), (0, 0))).T for part in by_score)
        yield from zip(*called, strict=True)


def _band(curves: list[np.ndarray], points: int) -> dict[str, np.ndarray]:
    low, high = np.percentile(curves, [2.5, 97.5], axis=0) if curves else np.full((2, points), np.nan)
    return {"low": low, "high": high}


def _log_loss(rows: pd.DataFrame) -> float | None:
    return _rounded(log_loss(rows["label"], rows["probability"], labels=[0, 1]))


def _rounded(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
