"""Evaluation against numbers worked by hand, scikit-learn, scipy, and simulations where the truth is known."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.polynomial import Polynomial
from scipy.stats import binomtest, norm, t
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from model_zoo import evaluation, intervals
from model_zoo.intervals import ENOUGH, Estimate
from model_zoo.predictions import COLUMNS


def rows_of(labels, probabilities, patients=None) -> pd.DataFrame:
    n = len(labels)
    patients = range(n) if patients is None else patients
    records = zip(range(n), patients, labels, [""] * n, probabilities, strict=True)
    rows = pd.DataFrame(records, columns=list(COLUMNS))
    return rows.astype({"image_id": str, "patient_id": str, "label": int, "probability": float})


def drawn_rows(seed: int, patients: int, images_each: int, patient_share: float = 0.5) -> pd.DataFrame:
    """Patients of one class each; a patient's images share patient_share of the variance of the score's noise."""
    rng = np.random.default_rng(seed)
    label = np.repeat(rng.random(patients) < 0.6, images_each).astype(int)
    common = np.repeat(rng.normal(size=patients), images_each)
    own = rng.normal(size=patients * images_each)
    logit = 2.4 * label - 1.2 + np.sqrt(patient_share) * common + np.sqrt(1 - patient_share) * own
    return rows_of(label, 1 / (1 + np.exp(-logit)), np.repeat(np.arange(patients), images_each))


# Six normal and four ill images. At 0.5: TN 4, FP 2, FN 1, TP 3.
HAND = rows_of([0, 0, 0, 0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 0.4, 0.6, 0.7, 0.9])


def test_confusion_by_hand_with_the_threshold_itself_called_pneumonia():
    assert evaluation.confusion(HAND, 0.5) == evaluation.Confusion(4, 2, 1, 3)
    assert evaluation.confusion(HAND, np.nextafter(0.5, 1)) == evaluation.Confusion(5, 1, 1, 3)
    assert evaluation.confusion(HAND, 0.0) == evaluation.Confusion(0, 6, 0, 4)
    assert evaluation.confusion(HAND, 1.0) == evaluation.Confusion(6, 0, 4, 0)


def test_the_last_bit_of_a_figure_does_not_change_what_is_read():
    """It differs by the processor, and stored pages are compared letter by letter."""
    for tie in (0.9565, 0.0625, 0.5005):
        nearby = [tie, np.nextafter(tie, 0), np.nextafter(tie, 1), tie - 2e-16, tie + 2e-16]
        assert len({str(Estimate(value, value, value)) for value in nearby}) == 1
    assert str(Estimate(np.nan, 0.25, 1.0)) == "nan (0.250 to 1.000)"


def test_rates_by_hand():
    rates = {name: estimate.value for name, estimate in evaluation.estimates(HAND, 0.5, resamples=1).items()}
    assert rates == pytest.approx(
        {
            "accuracy": 7 / 10,
            "sensitivity": 3 / 4,
            "specificity": 4 / 6,
            "ppv": 3 / 5,
            "npv": 4 / 5,
            "macro_recall": (3 / 4 + 4 / 6) / 2,
            "f1": 2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4),
            # Of 24 pairs: 0.4 beats three and ties with one, 0.6 and 0.7 beat five each, 0.9 beats six.
            "auroc": (3.5 + 5 + 5 + 6) / 24,
            # The precision down to 0.9, 0.7, 0.6 and, with one of the two tied, 0.4: a quarter of the positives each.
            "average_precision": (1 + 2 / 3 + 3 / 4 + 4 / 7) / 4,
            # Every image has a bin of its own but the two of 0.4, whose gaps of 0.4 and -0.6 leave 0.2.
            "ece": (0.1 + 0.2 + 0.3 + 0.5 + 0.8 + 0.2 + 0.4 + 0.3 + 0.1) / 10,
            "brier": (0.01 + 0.04 + 0.09 + 0.16 + 0.25 + 0.64 + 0.36 + 0.16 + 0.09 + 0.01) / 10,
        }
    )


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.77])
def test_rates_equal_scikit_learn(threshold):
    rows = drawn_rows(3, patients=80, images_each=3).round({"probability": 2})
    truth, called = rows["label"], (rows["probability"] >= threshold).astype(int)
    rates = evaluation.estimates(rows, threshold, resamples=1)
    assert {name: estimate.value for name, estimate in rates.items()} == pytest.approx(
        {
            "accuracy": accuracy_score(truth, called),
            "sensitivity": recall_score(truth, called),
            "specificity": recall_score(truth, called, pos_label=0),
            "ppv": precision_score(truth, called),
            "npv": precision_score(truth, called, pos_label=0),
            "macro_recall": balanced_accuracy_score(truth, called),
            "f1": f1_score(truth, called),
            "average_precision": average_precision_score(truth, rows["probability"]),
            "auroc": roc_auc_score(truth, rows["probability"]),
            "ece": evaluation.expected_calibration_error(rows),
            "brier": brier_score_loss(truth, rows["probability"]),
        }
    )


def test_areas_under_weighted_curves_with_ties_equal_scikit_learn():
    rng = np.random.default_rng(0)
    label = rng.random(120) < 0.4
    rows = rows_of(label, rng.integers(0, 9, 120) / 9)
    weights = rng.multinomial(120, np.full(120, 1 / 120), size=20)
    positives, negatives = (part @ weights.T for part in evaluation._by_score(rows, np.arange(120)))
    for received, score in (
        (evaluation._auroc(positives, negatives), roc_auc_score),
        (evaluation._average_precision(positives, negatives), average_precision_score),
    ):
        expected = [score(label, rows["probability"], sample_weight=weight) for weight in weights]
        np.testing.assert_allclose(received, expected, rtol=1e-12)


def test_rates_without_a_denominator_are_nan_and_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nobody_called = evaluation.estimates(HAND, 1.0, resamples=50)
        all_ill = evaluation.estimates(rows_of([1, 1], [0.2, 0.9]), 0.5, resamples=50)
        all_caught = evaluation.estimates(rows_of([1, 1], [0.8, 0.9]), 0.5, resamples=50)
    assert math.isnan(nobody_called["ppv"].value)
    assert math.isnan(nobody_called["ppv"].low)
    assert nobody_called["sensitivity"].value == 0
    assert nobody_called["npv"].value == pytest.approx(0.6)
    assert all_ill["sensitivity"].value == 0.5
    assert all(math.isnan(all_ill[name].value) for name in ("specificity", "macro_recall", "auroc"))
    assert math.isnan(all_caught["macro_recall"].low)
    assert math.isnan(evaluation.auroc(rows_of([1, 1], [0.2, 0.9])))


def test_outcomes_are_the_cells_of_the_confusion_matrix():
    counts = evaluation.outcome(HAND, 0.5).value_counts()
    assert [counts[name] for name in evaluation.OUTCOMES] == [4, 2, 1, 3]
    assert evaluation.outcome(HAND, 0.5).tolist()[4:7] == ["false positive", "false positive", "false negative"]


def test_same_rows_give_the_same_interval():
    rows = drawn_rows(1, patients=60, images_each=2)
    first = evaluation.estimates(rows, 0.5, resamples=300)
    assert evaluation.estimates(rows, 0.5, resamples=300) == first
    assert evaluation.estimates(rows, 0.5, resamples=300, seed=1) != first
    for estimate in first.values():
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def f1_by_counting(called: np.ndarray, ill: np.ndarray) -> float:
    return 2 * (called & ill).sum() / (called.sum() + ill.sum())


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("accuracy", lambda rows: ((rows["probability"] >= 0.5) == (rows["label"] == 1)).mean()),
        ("brier", lambda rows: brier_score_loss(rows["label"], rows["probability"])),
        ("ece", evaluation.expected_calibration_error),
        ("f1", lambda rows: f1_by_counting((rows["probability"] >= 0.5).to_numpy(), rows["label"].to_numpy() == 1)),
    ],
)
def test_interval_equals_a_plain_bootstrap_over_patients(name, figure):
    rows = drawn_rows(5, patients=40, images_each=3)
    # Badly calibrated, so that neither end of the calibration error's interval is one that it is kept at.
    rows["probability"] **= 3
    members = [np.flatnonzero(rows["patient_id"] == patient) for patient in rows["patient_id"].unique()]
    rng = np.random.default_rng(7)
    plain = [
        figure(rows.iloc[np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])])
        for _ in range(2000)
    ]
    low, high = np.percentile(plain, [2.5, 97.5])
    if name == "ece":
        low, high = max(2 * figure(rows) - high, 0), 2 * figure(rows) - low
    received = evaluation.estimates(rows, 0.5)[name]
    assert (received.low, received.high) == pytest.approx((low, high), abs=0.02)


def test_patients_are_drawn_alike_whether_kept_in_memory_or_in_blocks(monkeypatch):
    kept = np.concatenate(list(intervals.draws(50, 80, 200, seed=1)), axis=1)
    assert all(not block.flags.writeable for block in intervals.draws(50, 80, 200, seed=1))
    monkeypatch.setattr(intervals, "BLOCK", 8000)
    blocks = list(intervals.draws(50, 80, 200, seed=1))
    assert [block.shape for block in blocks] == [(50, 100), (50, 100)]
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), kept)
    assert (kept.sum(axis=0) == 50).all()
    assert (np.concatenate(list(intervals.draws(50, 80, 200, seed=2)), axis=1) != kept).any()


def test_intervals_cover_the_truth():
    """The share of 95% intervals that hold the true figure, over data sets of 150 patients with two images each."""
    world = drawn_rows(99, patients=30_000, images_each=2)
    truth = {name: e.value for name, e in evaluation.estimates(world, 0.5, resamples=1).items()}
    runs = 150
    held = dict.fromkeys(truth, 0)
    for seed in range(runs):
        for name, e in evaluation.estimates(drawn_rows(seed, 150, 2), 0.5, resamples=300).items():
            held[name] += e.low <= truth[name] <= e.high
    # 95% less four standard errors of the simulation; percentile intervals are a little too short in small samples.
    least = dict.fromkeys(truth, 0.95 - 4 * math.sqrt(0.95 * 0.05 / runs)) | {"ece": 0.8}
    assert all(held[name] / runs >= least[name] for name in truth), held


@pytest.mark.parametrize("images", [8, 24])
def test_the_interval_of_a_mean_of_few_is_as_wide_as_student_s(images):
    """The plain percentile interval of 8 is a quarter shorter, and holds the mean less often."""
    rng, patients = np.random.default_rng(0), pd.Series(range(images))
    widths = []
    for values in map(pd.Series, rng.uniform(size=(100, images))):
        found = intervals.clustered_mean(values, patients)
        widths.append((found.high - found.low) / (2 * t.ppf(0.975, images - 1) * values.sem()))
    assert np.mean(widths) == pytest.approx(1, abs=0.05)


def test_interval_of_the_calibration_error_covers_a_small_one():
    """Where probabilities are nearly right, chance makes most of the error, and a percentile interval misses the truth
    nearly always."""

    def sharpened(seed, patients):
        rows = drawn_rows(seed, patients, images_each=2)
        odds = (rows["probability"] / (1 - rows["probability"])) ** 1.9
        return rows.assign(probability=odds / (1 + odds))

    truth = evaluation.expected_calibration_error(sharpened(99, 30_000))
    found = [evaluation.estimates(sharpened(seed, 150), 0.5, resamples=300)["ece"] for seed in range(100)]
    assert all(0 <= e.low <= e.value <= e.high for e in found)
    assert sum(e.low <= truth <= e.high for e in found) >= 80


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_the_patients_of_a_rate_are_those_with_an_image_in_its_denominator(threshold):
    rows = drawn_rows(8, patients=40, images_each=3)
    rows["label"] = np.random.default_rng(8).integers(0, 2, len(rows))
    ill, called = rows["label"] == 1, rows["probability"] >= threshold
    denominators = {"accuracy": called | True, "sensitivity": ill, "specificity": ~ill, "ppv": called, "npv": ~called}
    expected = {name: rows.loc[chosen, "patient_id"].nunique() for name, chosen in denominators.items()}
    patient = np.unique(rows["patient_id"], return_inverse=True)[1]
    found = evaluation.patients_counted(patient, called.to_numpy().astype(int), ill.to_numpy(), 1)
    assert {name: int(counts[0]) for name, counts in found.items()} == expected


def test_a_rate_of_one_has_the_exact_interval_of_its_patients():
    """Four ill patients with two images each are all caught, and two of three well ones alarm on one of two images."""
    labels, patients = [1] * 8 + [0] * 6, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    probabilities = [0.9] * 8 + [0.9, 0.1, 0.9, 0.1, 0.1, 0.1]
    found = evaluation.estimates(rows_of(labels, probabilities, patients), 0.5)
    for name, patients_counted in (("sensitivity", 4), ("npv", 3)):
        exact = binomtest(patients_counted, patients_counted).proportion_ci(method="exact")
        assert (found[name].low, found[name].high) == pytest.approx((exact.low, exact.high))
    assert 0 < found["specificity"].low < found["specificity"].value < found["specificity"].high
    # What is made of it is as unsure as it is.
    ends = [(getattr(found["sensitivity"], end) + getattr(found["specificity"], end)) / 2 for end in ("low", "high")]
    assert [found["macro_recall"].low, found["macro_recall"].high] == pytest.approx(ends)
    recall, precision = found["sensitivity"].low, found["ppv"].low
    assert found["f1"].low == pytest.approx(2 * recall * precision / (recall + precision))
    nobody = evaluation.estimates(rows_of([1, 1, 0], [0.1, 0.1, 0.1]), 0.5)
    assert nobody["sensitivity"].low == nobody["f1"].low == 0
    highest = binomtest(0, 2).proportion_ci(method="exact").high
    assert nobody["sensitivity"].high == pytest.approx(highest)
    assert nobody["f1"].high == pytest.approx(2 * highest / (highest + 1))
    assert np.isnan(nobody["ppv"].low)


def test_the_interval_of_a_rate_near_one_holds_the_truth():
    """Half of the samples of 60 well patients have no false alarm where 1 in 100 has; drawing those anew finds none."""
    held = []
    for seed in range(200):
        alarmed = np.random.default_rng(seed).random(60) < 0.01
        estimate = evaluation.estimates(rows_of([0] * 60, alarmed * 0.8), 0.5, resamples=100)["specificity"]
        held.append(estimate.low <= 0.99 <= estimate.high)
    assert np.mean(held) >= 0.9


def test_the_interval_of_a_mean_of_rates_holds_the_truth_when_few_patients_are_ill():
    """Of five ill patients who are caught with 9 in 10, all are in most samples: the interval must not be theirs of the
    well ones alone."""
    held = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        called = np.r_[rng.random(5) < 0.9, rng.random(200) < 0.2]
        found = evaluation.estimates(rows_of([1] * 5 + [0] * 200, called * 0.8), 0.5, resamples=100)["macro_recall"]
        held.append(found.low <= 0.85 <= found.high)
    assert np.mean(held) >= 0.9


def test_images_of_one_patient_widen_the_interval():
    rows = drawn_rows(2, patients=60, images_each=5, patient_share=0.9)
    clustered = evaluation.estimates(rows, 0.5)
    apart = evaluation.estimates(rows.assign(patient_id=rows["image_id"]), 0.5)
    for name in ("accuracy", "sensitivity", "auroc"):
        assert clustered[name].value == apart[name].value
        assert clustered[name].high - clustered[name].low > 1.4 * (apart[name].high - apart[name].low)


def test_roc_by_hand():
    points = evaluation.roc(rows_of([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.8]))
    assert points["threshold"].tolist() == [math.inf, 0.8, 0.6, 0.4, 0.1]
    assert points["sensitivity"].tolist() == [0, 0.5, 0.5, 1, 1]
    assert points["specificity"].tolist() == [1, 1, 0.5, 0.5, 0]


def test_roc_passes_through_every_operating_point():
    rows = drawn_rows(4, patients=50, images_each=1)
    points = evaluation.roc(rows).iloc[1:]
    for point in points.itertuples():
        cells = evaluation.confusion(rows, point.threshold)
        assert point.sensitivity == pytest.approx(cells.true_positives / (cells.true_positives + cells.false_negatives))
        assert point.specificity == pytest.approx(cells.true_negatives / (cells.true_negatives + cells.false_positives))


def test_roc_band_holds_the_curve_and_repeats():
    rows = drawn_rows(6, patients=120, images_each=2)
    band, points = evaluation.roc_band(rows, resamples=200), evaluation.roc(rows)
    pd.testing.assert_frame_equal(band, evaluation.roc_band(rows, resamples=200))
    assert band["specificity"].iloc[[0, -1]].tolist() == [1, 0]
    curve = np.interp(1 - band["specificity"], 1 - points["specificity"], points["sensitivity"])
    inside = (band["low"] - 1e-9 <= curve) & (curve <= band["high"] + 1e-9)
    assert inside.mean() > 0.97
    assert evaluation.roc_band(rows_of([1, 1], [0.2, 0.9]), resamples=5)["low"].isna().all()


def test_roc_band_equals_a_plain_bootstrap_with_scikit_learn():
    rows = drawn_rows(6, patients=80, images_each=2).round({"probability": 1})
    patients, patient = np.unique(rows["patient_id"], return_inverse=True)
    draws = np.random.default_rng(3).multinomial(len(patients), np.full(len(patients), 1 / len(patients)), size=60)
    grid, curves = np.linspace(0, 1, 101), []
    for drawn in draws:
        alarms, caught, _ = roc_curve(rows["label"], rows["probability"], sample_weight=drawn[patient])
        curves.append(np.interp(grid, alarms, caught))
    band = evaluation.roc_band(rows, resamples=60, seed=3)
    np.testing.assert_allclose(band[["low", "high"]].T, np.percentile(curves, [2.5, 97.5], axis=0), atol=1e-9)


def test_expected_calibration_error_by_hand():
    # Two bins of 0.5: gaps |0.2 - 0.5| over two images and |0.9 - 1| over two.
    rows = rows_of([0, 1, 1, 1], [0.1, 0.3, 0.8, 1.0])
    assert evaluation.expected_calibration_error(rows, bins=2) == pytest.approx((2 * 0.3 + 2 * 0.1) / 4)
    assert evaluation.expected_calibration_error(rows_of([0, 1], [0.0, 1.0])) == 0


def test_expected_calibration_error_is_small_for_true_probabilities_and_large_for_false_ones():
    rng = np.random.default_rng(0)
    probability = rng.random(50_000)
    rows = rows_of((rng.random(50_000) < probability).astype(int), probability)
    assert evaluation.expected_calibration_error(rows) < 0.01
    assert evaluation.expected_calibration_error(rows.assign(probability=probability**3)) > 0.2


def test_brier_and_summary_equal_scikit_learn():
    rows = drawn_rows(8, patients=70, images_each=2)
    summary = evaluation.summarise(rows, 0.5)
    assert summary["brier"] == round(brier_score_loss(rows["label"], rows["probability"]), 6)
    assert summary["log_loss"] == round(log_loss(rows["label"], rows["probability"]), 6)
    assert (summary["images"], summary["patients"]) == (140, 70)
    assert sum(summary["confusion"].values()) == 140
    assert summary["auroc"][0] == round(evaluation.auroc(rows), 6)


def test_summary_of_one_class_has_no_numbers_that_json_lacks():
    summary = evaluation.summarise(rows_of([0, 0, 0], [0.2, 0.4, 0.7]), 0.5)
    assert summary["auroc"] == [None, None, None]
    assert summary["specificity"][0] == round(2 / 3, 6)


@pytest.mark.parametrize(("pneumonia", "images"), [(0, 12), (12, 12), (7, 20), (1, 50)])
def test_observed_share_has_the_exact_binomial_interval(pneumonia, images):
    rows = rows_of([1] * pneumonia + [0] * (images - pneumonia), [0.5] * images)
    share = evaluation.observed_share(rows, 0.5)
    expected = binomtest(pneumonia, images).proportion_ci(0.95, method="exact")
    assert (share.pneumonia, share.images) == (pneumonia, images)
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_interval_of_an_observed_share_counts_patients_and_not_their_images():
    rows = rows_of([1] * 30 + [0] * 10, [0.5] * 40, np.arange(40) // 5)
    share = evaluation.observed_share(rows, 0.5)
    exact = binomtest(6, 8).proportion_ci(method="exact")
    assert (share.images, share.low, share.high) == (40, pytest.approx(exact.low), pytest.approx(exact.high))


def test_observed_share_takes_the_nearest_in_log_odds():
    rows = rows_of([0, 0, 1, 1], [0.5, 0.9, 0.99, 0.9999])
    share = evaluation.observed_share(rows, 0.98, neighbours=2)
    # In plain differences 0.9999 would be nearer to 0.98 than 0.9 is.
    assert (share.lowest, share.highest, share.share) == (0.9, 0.99, 0.5)


def test_observed_share_counts_all_ties_so_that_the_order_of_rows_does_not_matter():
    rows = rows_of([0] * 10 + [1] * 30, [1.0] * 40)
    for order in (rows, rows.iloc[::-1]):
        share = evaluation.observed_share(order, 1.0, neighbours=10)
        assert (share.images, share.share) == (40, 0.75)


def test_precision_recall_equals_scikit_learn_and_passes_through_every_operating_point():
    rows = drawn_rows(4, patients=60, images_each=1).round({"probability": 2})
    points = evaluation.precision_recall(rows)
    precision, recall, thresholds = precision_recall_curve(rows["label"], rows["probability"], drop_intermediate=True)
    assert points["ppv"].tolist() == precision[::-1].tolist()
    assert points["sensitivity"].tolist() == recall[::-1].tolist()
    assert points["threshold"].tolist() == [math.inf, *thresholds[::-1]]
    for point in points.iloc[1:].itertuples():
        figures = evaluation.estimates(rows, point.threshold, resamples=1)
        assert (point.sensitivity, point.ppv) == pytest.approx((figures["sensitivity"].value, figures["ppv"].value))


def test_precision_recall_band_equals_a_plain_bootstrap_with_scikit_learn():
    rows = drawn_rows(6, patients=80, images_each=2).round({"probability": 1})
    patients, patient = np.unique(rows["patient_id"], return_inverse=True)
    draws = np.random.default_rng(3).multinomial(len(patients), np.full(len(patients), 1 / len(patients)), size=60)
    grid, curves = np.linspace(0.01, 1, 100), []
    for drawn in draws:
        precision, recall, _ = precision_recall_curve(rows["label"], rows["probability"], sample_weight=drawn[patient])
        curves.append([precision[np.flatnonzero(recall >= share - 1e-12)[-1]] for share in grid])
    band = evaluation.precision_recall_band(rows, resamples=60, seed=3)
    np.testing.assert_allclose(band[["low", "high"]].T, np.percentile(curves, [2.5, 97.5], axis=0), atol=1e-9)
    assert evaluation.precision_recall_band(rows_of([0, 0], [0.2, 0.9]), resamples=5)["low"].isna().all()


def test_a_thinned_curve_keeps_its_ends_and_its_shape():
    points = evaluation.roc(drawn_rows(1, patients=20_000, images_each=1))
    thin = evaluation.thinned(points, "specificity", "sensitivity", most=200)
    assert len(points) > 1000 > 200 >= len(thin)
    assert thin.iloc[[0, -1]].equals(points.iloc[[0, -1]])
    axes = ["specificity", "sensitivity"]
    away = np.abs(points[axes].to_numpy()[:, np.newaxis] - thin[axes].to_numpy()).sum(axis=2).min(axis=1)
    assert away.max() <= 2 / 198
    assert evaluation.thinned(thin, "specificity", "sensitivity") is thin


@pytest.mark.parametrize("patients", [50, 200])
def test_auroc_interval_is_that_of_estimates(patients):
    rows = drawn_rows(9, patients, images_each=2)
    assert evaluation.auroc_interval(rows, resamples=200) == evaluation.estimates(rows, 0.5, resamples=200)["auroc"]


def newcombe_s_areas(area: float, ill: int, well: int) -> list[float]:
    """Where a quartic is 0 that has the equation of Newcombe's method 5 (2006) without its fractions and its root."""
    other, others = Polynomial([0, 1]), (ill + well) / 2 - 1
    fractions = (2 - other) * (1 + other)
    spread = other * (1 - other) * (fractions + others * ((1 - other) * (1 + other) + other * (2 - other)))
    roots = (ill * well * (area - other) ** 2 * fractions - norm.ppf(0.975) ** 2 * spread).roots()
    return sorted(root.real for root in roots if abs(root.imag) < 1e-9 and -1e-9 < root.real < 1 + 1e-9)


@pytest.mark.parametrize(("ill", "well"), [(1, 1), (1, 9), (7, 3), (10, 10), (40, 400)])
@pytest.mark.parametrize("area", [0, 0.3, 0.5, 0.95, 1])
def test_an_auroc_of_few_patients_has_newcombe_s_interval(area, ill, well):
    found = intervals.auroc_of_few(Estimate(area, area, area), ill, well)
    ends = newcombe_s_areas(area, ill, well)
    assert (found.low, found.high) == pytest.approx((ends[0], ends[-1]), abs=1e-7)
    assert 0 <= found.low <= area <= found.high <= 1
    assert found.high - found.low > 0.02
    mirrored = intervals.auroc_of_few(Estimate(1 - area, area, area), ill, well)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_an_auroc_of_many_patients_keeps_the_bootstrap_unless_it_is_0_or_1():
    drawn = Estimate(0.9, 0.88, 0.91)
    assert intervals.auroc_of_few(drawn, ENOUGH, 1000) == drawn
    assert intervals.auroc_of_few(drawn, 1000, ENOUGH - 1) != drawn
    perfect = intervals.auroc_of_few(Estimate(1, 1, 1), 200, 200)
    assert (perfect.low, perfect.high) == (pytest.approx(0.9903, abs=5e-5), 1)


def test_an_auroc_of_1_counts_patients_and_not_their_images():
    patients = np.repeat(np.arange(8), 5)
    labels = (patients >= 5).astype(int)
    found = evaluation.estimates(rows_of(labels, 0.2 + 0.6 * labels, patients), 0.5, resamples=50)["auroc"]
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(newcombe_s_areas(1, 3, 5)[0])


@pytest.mark.parametrize(("ill", "well"), [(10, 10), (4, 56), (20, 20)])
def test_the_interval_of_an_auroc_of_few_patients_covers(ill, well):
    """Scores whose true AUROC is 0.95."""
    held = []
    for seed in range(200):
        scores = np.random.default_rng(seed).normal(np.repeat([norm.ppf(0.95) * np.sqrt(2), 0], [ill, well]))
        rows = rows_of([1] * ill + [0] * well, norm.cdf(scores / 3))
        found = evaluation.auroc_interval(rows, resamples=20)
        held.append(found.low <= 0.95 <= found.high)
    assert np.mean(held) >= 0.93
