"""All thresholds at once: what the model would call at each, in the rows and in every resample of their patients.

Drawing patients anew takes seconds for 100,000 images; after it has been done once, the figures of any threshold and
any prevalence, with their intervals, are there in a millisecond or two. They equal evaluation.estimates exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from model_zoo.evaluation import Confusion, patients_counted, rates, with_exact_ends
from model_zoo.intervals import RESAMPLES, Estimate, draws, exact_at_the_ends, of_shares, tally


@dataclass(frozen=True)
class Sweep:
    """thresholds: (m,), ascending. called: (m, 2, d) counts of the normal and of the pneumonia images that are called
    pneumonia at each. images: (2, d), how many there are. The first of d is the rows themselves, the others are the
    resamples. patients: evaluation.patients_counted."""

    thresholds: np.ndarray
    called: np.ndarray
    images: np.ndarray
    patients: dict[str, np.ndarray]

    def confusion(self, threshold: float) -> Confusion:
        return Confusion(*(int(count) for count in self._cells(threshold)[:, 0]))

    def estimates(self, threshold: float) -> dict[str, Estimate]:
        """evaluation.rates with intervals. Raises ValueError for a threshold that was not swept."""
        place = self.place(threshold)
        patients = {name: numbers[place] for name, numbers in self.patients.items()}
        return with_exact_ends(_estimates(rates(self._cells(threshold))), patients)

    def predictive_values(self, threshold: float, prevalence: float) -> dict[str, Estimate]:
        """ "ppv" and "npv" where the share `prevalence`, 0..1, of the children is ill: Bayes' theorem with the
        sensitivity and specificity of these rows. nan where nobody would be called, or one class is absent."""
        drawn, given = rates(self._cells(threshold)), self.estimates(threshold)
        found = _estimates(_predictive(drawn["sensitivity"], drawn["specificity"], prevalence))
        shares = given["sensitivity"], given["specificity"]

        def value(name: str, sensitivity: float, specificity: float) -> float:
            return float(_predictive(sensitivity, specificity, prevalence)[name])

        return {name: of_shares(estimate, partial(value, name), shares) for name, estimate in found.items()}

    def share_called(self, label: int) -> np.ndarray:
        """Of the images with this label the share called pneumonia at each threshold, (m, 3): value, low, high."""
        drawn = self.images[label] > 0
        shares = self.called[:, label, drawn] / self.images[label, drawn]
        found = np.column_stack([shares[:, 0], *np.percentile(shares[:, 1:], [2.5, 97.5], axis=1)])
        # The same patients at every threshold.
        patients = self.patients["sensitivity" if label else "specificity"][0]
        for end in (0.0, 1.0):
            exact = exact_at_the_ends(Estimate(end, end, end), patients)
            found[found[:, 0] == end] = exact.value, exact.low, exact.high
        return found

    def place(self, threshold: float) -> int:
        """The threshold's index. Raises ValueError for one that was not swept."""
        place = int(np.searchsorted(self.thresholds, threshold))
        if place == len(self.thresholds) or self.thresholds[place] != threshold:
            raise ValueError(f"Expected one of the {len(self.thresholds)} thresholds swept. Received: {threshold!r}.")
        return place

    def _cells(self, threshold: float) -> np.ndarray:
        """Counts (4, d) in evaluation.OUTCOMES' order."""
        called = self.called[self.place(threshold)]
        (tn, fn), (fp, tp) = self.images - called, called
        return np.stack([tn, fp, fn, tp])


def sweep(rows: pd.DataFrame, thresholds: Sequence[float], resamples: int = RESAMPLES, seed: int = 0) -> Sweep:
    """Sweep the thresholds, given in any order. Takes 16 kB of memory for each of them at 2000 resamples."""
    thresholds = np.unique(thresholds)
    # An image at level k is called pneumonia at the first k thresholds.
    level = np.searchsorted(thresholds, rows["probability"].to_numpy(), side="right")
    patients, patient = np.unique(rows["patient_id"].to_numpy(), return_inverse=True)
    levels, label = len(thresholds) + 1, rows["label"].to_numpy()
    images = tally(patient, 2 * level + label, 2 * levels)
    called = np.empty((levels, 2, resamples + 1), np.int32)

    def count(weights: np.ndarray, first: int) -> int:
        end = first + weights.shape[1]
        counts = (images @ weights).reshape(levels, 2, -1)
        called[:, :, first:end] = np.cumsum(counts[::-1], axis=0)[::-1]
        return end

    done = count(np.ones((len(patients), 1), np.int64), 0)
    for weights in draws(len(patients), len(rows), resamples, seed):
        done = count(weights, done)
    called.flags.writeable = False
    return Sweep(thresholds, called[1:], called[0], patients_counted(patient, level, label == 1, len(thresholds)))


def _predictive(
    sensitivity: np.ndarray | float, specificity: np.ndarray | float, prevalence: float
) -> dict[str, np.ndarray]:
    ill, well = prevalence, 1 - prevalence
    caught, missed = ill * sensitivity, ill * (1 - sensitivity)
    spared, alarmed = well * specificity, well * (1 - specificity)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"ppv": np.divide(caught, caught + alarmed), "npv": np.divide(spared, spared + missed)}


def _estimates(values: dict[str, np.ndarray]) -> dict[str, Estimate]:
    return {name: Estimate.percentile(value[0], value[1:]) for name, value in values.items()}
