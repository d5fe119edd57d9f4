"""95% intervals: the bootstrap over patients, and others where a bootstrap fails: few images, or all alike.

Patients are drawn, not images, because images of one child are not independent (Field and Welsh 2007 on the cluster
bootstrap). The same seed draws the same patients whatever is counted, so that figures from one seed belong together.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.sparse import coo_array, csr_array
from scipy.stats import beta, norm, t

RESAMPLES = 2000
# Images times resamples in memory at once: 100,000 images then need tens of megabytes and not gigabytes.
BLOCK = 1_000_000
# Patients of either class that the bootstrap of an AUROC needs.
ENOUGH = 50


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        # A tie, such as 0.9565, comes out a last bit higher or lower by the processor that added it up.
        value, low, high = (round(number, 9) for number in (self.value, self.low, self.high))
        return f"{value:.3f} ({low:.3f} to {high:.3f})"

    @classmethod
    def percentile(cls, value: float, drawn: np.ndarray, tail: float = 0.025) -> "Estimate":
        """The percentile interval of a figure from its values in resamples (d,), those that are nan left out. tail: the
        share of them that lies below the interval, and above it."""
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (np.nan, np.nan)
        return cls(float(value), float(low), float(high))


def draws(patients: int, images: int, resamples: int, seed: int) -> Iterable[np.ndarray]:
    """How often each patient is drawn, (patients, d) at a time, `resamples` in all. Not to be written to."""
    block = max(1, BLOCK // images)
    kept = _all_drawn if patients * resamples <= BLOCK else _drawn
    return kept(patients, block, resamples, seed)


def _drawn(patients: int, block: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        yield rng.multinomial(patients, np.full(patients, 1 / patients), size=size).T.copy()


# Figure after figure is of the same few sets of patients, and drawing takes as long as counting.
@lru_cache(maxsize=4)
def _all_drawn(patients: int, block: int, resamples: int, seed: int) -> tuple[np.ndarray, ...]:
    found = tuple(_drawn(patients, block, resamples, seed))
    for drawn in found:
        drawn.flags.writeable = False
    return found


def tally(patient: np.ndarray, group: np.ndarray, groups: int) -> csr_array:
    """How many images of each group each patient has, (groups, patients); times draws, the images drawn of each group.

    patient, group: (n,) indices from 0, patient without gaps.
    """
    shape = (groups, patient.max() + 1)
    return coo_array((np.ones(len(patient), np.int64), (group, patient)), shape).tocsr()


def clustered_mean(values: pd.Series, patient_id: pd.Series) -> Estimate:
    """The mean of the values that are numbers, and its bootstrap interval over patients; all nan where none is.

    The interval is the expanded percentile one (Hesterberg 2015, "What teachers should know about the bootstrap"): of
    few patients the plain one is too short, as one of z in place of Student's t is. Drawn from stored rows of five
    networks' maps, 8 values held their mean in 88 to 99 of 100, the plain one in 81 to 99; 24 in 88 to 97, the plain
    one in 85 to 95. What is still short is of a few maps that are unlike all others.
    """
    known = values.notna()
    if not known.any():
        return Estimate(np.nan, np.nan, np.nan)
    values, (patient, names) = values[known].to_numpy(float), pd.factorize(patient_id[known])
    sums, counts = np.bincount(patient, values), np.bincount(patient)
    blocks = draws(len(names), len(values), RESAMPLES, seed=0)
    means = np.concatenate([(sums @ drawn) / (counts @ drawn) for drawn in blocks])
    return Estimate.percentile(values.mean(), means, _expanded_tail(len(names)))


def _expanded_tail(patients: int) -> float:
    others = max(patients - 1, 1)
    return float(norm.cdf(-np.sqrt((others + 1) / others) * t.ppf(0.975, others)))


def clustered_share(values: pd.Series, patient_id: pd.Series) -> Estimate:
    """clustered_mean() of values that are 0 or 1, with the exact interval where all of them are the same."""
    return exact_at_the_ends(clustered_mean(values, patient_id), patient_id[values.notna()].nunique())


def exact_at_the_ends(estimate: Estimate, patients: int) -> Estimate:
    """A share's estimate, with the exact interval of this many patients where it is 0 or 1: however patients are drawn
    from those who are all alike, the share stays the same, and the bootstrap's interval is empty."""
    if not patients or estimate.value not in (0, 1):
        return estimate
    return Estimate(estimate.value, *exact_interval(estimate.value * patients, patients))


def auroc_of_few(estimate: Estimate, ill: int, well: int) -> Estimate:
    """An AUROC's estimate, with another interval than the bootstrap's where that is too short: where a class has fewer
    than ENOUGH patients, and where the AUROC is 0 or 1, and the same in every resample.

    It is method 5 of Newcombe 2006 ("Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic. Part 2"): all areas that lie no more than 1.96 of their own standard errors away. ill, well: patients of
    each class, as if each had one image. In simulations of 10 to 200 patients, 2% to 50% of them ill, with AUROCs from
    0.9 to 0.995, it held the truth in 92 to 99 of 100, the bootstrap in 7 to 92.
    """
    if np.isnan(estimate.value) or (estimate.value not in (0, 1) and min(ill, well) >= ENOUGH):
        return estimate
    others = (ill + well) / 2 - 1

    def lowest(area: float) -> float:
        def gap(other: float) -> float:
            larger = 1 + others * ((1 - other) / (2 - other) + other / (1 + other))
            return area - other - norm.ppf(0.975) * np.sqrt(other * (1 - other) * larger / (ill * well))

        # At 1 itself there is no gap, because the standard error is 0 there.
        return brentq(gap, 0, area * (1 - 1e-12)) if area else 0.0

    return Estimate(estimate.value, lowest(estimate.value), 1 - lowest(1 - estimate.value))


def difference_at_the_ends(estimate: Estimate, first: Estimate, second: Estimate) -> Estimate:
    """The estimate of first - second, from their intervals where one of them is 0 or 1, whose uncertainty the
    difference's own resamples lack (Zou and Donner 2008). Both are taken as independent: figures of the same patients
    rise and fall together, so that it is rather too wide than too narrow."""
    if not {first.value, second.value} & {0, 1}:
        return estimate
    down = np.hypot(first.value - first.low, second.high - second.value)
    up = np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(estimate.value, float(estimate.value - down), float(estimate.value + up))


def of_shares(estimate: Estimate, figure: Callable[..., float], shares: Sequence[Estimate]) -> Estimate:
    """The estimate of a figure that grows with each of some shares, from the ends of their intervals where a share is
    0 or 1, whose uncertainty the figure's own resamples lack. That is rather too wide than too narrow. A share that is
    nan may be anything."""
    if np.isnan(estimate.value) or not any(share.value in (0, 1) for share in shares):
        return estimate
    known = [Estimate(share.value, 0, 1) if np.isnan(share.value) else share for share in shares]
    return Estimate(estimate.value, figure(*(share.low for share in known)), figure(*(share.high for share in known)))


def exact_interval(successes: float, trials: float) -> tuple[float, float]:
    """(low, high) of a share (Clopper and Pearson 1934). trials: above 0; whole numbers are not needed."""
    low = 0.0 if successes == 0 else float(beta.ppf(0.025, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(beta.ppf(0.975, successes + 1, trials - successes))
    return low, high
