"""Figures that are looked up equal those that are computed anew, to the last digit."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_score, roc_auc_score
from test_evaluation import drawn_rows, rows_of

from model_zoo import evaluation
from model_zoo.calibration import at_share, reliability
from model_zoo.subgroups import subgroup, subgroups
from model_zoo.sweep import sweep

STEPS = [step / 1000 for step in range(1001)]


def same(received: evaluation.Estimate, expected: evaluation.Estimate) -> bool:
    return np.array_equal(
        [received.value, received.low, received.high], [expected.value, expected.low, expected.high], equal_nan=True
    )


@pytest.mark.parametrize("threshold", [0.0, 0.137, 0.5, 0.123456, 0.999, 1.0])
def test_intervals_of_a_moved_threshold_equal_those_of_the_direct_bootstrap(threshold):
    rows = drawn_rows(3, patients=90, images_each=2)
    found = sweep(rows, [*STEPS, 0.123456], resamples=300)
    direct = evaluation.estimates(rows, threshold, resamples=300)
    received = found.estimates(threshold)
    assert len(received) == 7
    for name, estimate in received.items():
        assert same(estimate, direct[name]), name
    assert found.confusion(threshold) == evaluation.confusion(rows, threshold)


def test_thresholds_at_scores_call_those_scores_pneumonia():
    rows = rows_of([0, 1, 0, 1], [0.2, 0.2, 0.5, 0.5])
    found = sweep(rows, [0.5, 0.2, 0.21], resamples=3)
    for threshold in (0.2, 0.21, 0.5):
        assert found.confusion(threshold) == evaluation.confusion(rows, threshold)
    for threshold in (0.3, 0.6):
        with pytest.raises(ValueError, match=rf"3 thresholds swept. Received: {threshold}"):
            found.confusion(threshold)


def test_predictive_values_follow_bayes_and_the_prevalence_of_the_rows_gives_theirs():
    rows = drawn_rows(5, patients=80, images_each=2)
    found = sweep(rows, [0.4], resamples=500)
    called = (rows["probability"] >= 0.4).astype(int)
    own = found.predictive_values(0.4, rows["label"].mean())
    assert own["ppv"].value == pytest.approx(precision_score(rows["label"], called))
    assert own["npv"].value == pytest.approx(precision_score(rows["label"], called, pos_label=0))
    # In a clinic where 5% are ill: the same by weighing the images until 5% are.
    weight = np.where(rows["label"] == 1, 0.05 / rows["label"].sum(), 0.95 / (rows["label"] == 0).sum())
    rare = found.predictive_values(0.4, 0.05)
    assert rare["ppv"].value == pytest.approx(precision_score(rows["label"], called, sample_weight=weight))
    assert rare["npv"].value == pytest.approx(precision_score(rows["label"], called, pos_label=0, sample_weight=weight))
    for estimate in rare.values():
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1
    nobody = sweep(rows, [1.0], resamples=20).predictive_values(1.0, 0.05)
    assert np.isnan(nobody["ppv"].value)
    assert nobody["npv"].value == pytest.approx(0.95)


def test_a_predictive_value_of_one_is_as_sure_as_the_rate_behind_it():
    rows = rows_of([0] * 30 + [1] * 20, [0.1] * 30 + [0.2] * 5 + [0.9] * 15)
    found = sweep(rows, [0.15, 0.5], resamples=50)
    spared = found.estimates(0.5)["specificity"]
    assert (spared.value, spared.high) == (1, 1)
    assert spared.low == pytest.approx(binomtest(30, 30).proportion_ci(method="exact").low)
    ppv = found.predictive_values(0.5, 0.1)["ppv"]
    assert (ppv.value, ppv.high) == (1, 1)
    caught = found.estimates(0.5)["sensitivity"].low
    assert ppv.low == pytest.approx(0.1 * caught / (0.1 * caught + 0.9 * (1 - spared.low)))
    # At the lower threshold nobody is missed either.
    caught, npv = found.estimates(0.15)["sensitivity"], found.predictive_values(0.15, 0.1)["npv"]
    assert npv.low == pytest.approx(0.9 * spared.low / (0.9 * spared.low + 0.1 * (1 - caught.low)))
    np.testing.assert_allclose(found.share_called(1)[0], [1, caught.low, 1])
    nobody = sweep(rows, [1.0], resamples=50)
    np.testing.assert_allclose(nobody.share_called(0), [[0, 0, 1 - spared.low]])
    npv = nobody.predictive_values(1.0, 0.1)["npv"]
    assert npv.value == pytest.approx(0.9)
    assert npv.low < npv.value < npv.high < 1


def test_resamples_without_a_class_leave_the_interval_of_its_share_called():
    found = sweep(rows_of([0, 0, 1, 1, 1, 1], [0.1, 0.9, 0.2, 0.9, 0.9, 0.9]), [0.5], resamples=50)
    np.testing.assert_allclose(found.share_called(0), [[0.5, 0, 1]])


def test_sensitivity_s_interval_covers_the_truth_of_clustered_patients():
    """Over 200 data sets of 120 patients with 4 similar images each."""
    truth = sweep(drawn_rows(99, 40_000, 4, patient_share=0.9), [0.5], resamples=1).estimates(0.5)["sensitivity"].value

    def covered(rows_of_seed) -> float:
        found = (sweep(rows_of_seed(seed), [0.5], resamples=400).estimates(0.5)["sensitivity"] for seed in range(200))
        return np.mean([estimate.low <= truth <= estimate.high for estimate in found])

    def clustered(seed):
        return drawn_rows(seed, 120, 4, patient_share=0.9)

    assert 0.90 <= covered(clustered) <= 0.99
    # Drawing images, as if each were another child, promises too much.
    assert covered(lambda seed: clustered(seed).assign(patient_id=clustered(seed)["image_id"])) < 0.85


def test_reliability_equals_scikit_learn_and_its_gaps_are_the_calibration_error():
    rows = drawn_rows(2, patients=150, images_each=2)
    table = reliability(rows)
    share, probability = calibration_curve(rows["label"], rows["probability"], n_bins=evaluation.BINS)
    np.testing.assert_allclose(table["share"], share)
    np.testing.assert_allclose(table["probability"], probability)
    gap = np.average((table["share"] - table["probability"]).abs(), weights=table["images"])
    assert gap == pytest.approx(evaluation.expected_calibration_error(rows))
    assert table["images"].sum() == len(rows)
    assert table["pneumonia"].sum() == rows["label"].sum()
    assert (table["from"] <= table["probability"]).all()
    assert (table["probability"] <= table["to"]).all()
    for row in table.itertuples():
        assert 0 <= row.low <= row.share <= row.high <= 1
        assert row.high - row.low > 0


def test_reliability_s_intervals_cover_the_truth():
    """Of the bins of 100 data sets with true probabilities, two images per patient: the share that holds the truth."""
    held = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        # Both images of a patient have one probability and one label: as alike as can be.
        probability = rng.random(100)
        label = (rng.random(100) < probability).astype(int)
        table = reliability(rows_of(label.repeat(2), probability.repeat(2), np.arange(100).repeat(2)), bins=5)
        held.extend((table["low"] <= table["probability"]) & (table["probability"] <= table["high"]))
    assert np.mean(held) >= 0.95


def test_reliability_of_the_ends_and_of_one_row():
    table = reliability(rows_of([0, 1], [0.0, 1.0]), bins=4)
    assert table[["from", "to", "share"]].to_numpy().tolist() == [[0, 0.25, 0], [0.75, 1, 1]]
    assert reliability(rows_of([1], [0.5]))["low"].iloc[0] == pytest.approx(0.025)


def test_probabilities_at_another_share_are_those_of_such_films():
    """Scores of ill films are normal around 1, of others around -1; the share moves the truth, not these densities."""
    score = np.linspace(-4, 4, 9)

    def truth(share):
        ill, well = share * np.exp(-((score - 1) ** 2) / 2), (1 - share) * np.exp(-((score + 1) ** 2) / 2)
        return ill / (ill + well)

    np.testing.assert_allclose(at_share(truth(0.7), 0.7, 0.2), truth(0.2))
    np.testing.assert_array_equal(at_share(np.array([0.0, 1.0]), 0.7, 0.2), [0, 1])


def kermany_rows() -> pd.DataFrame:
    rows = drawn_rows(7, patients=120, images_each=2)
    names = {
        0: ["IM-0001-0001.jpeg", "NORMAL2-IM-0007-0001.jpeg"],
        1: ["person1_virus_6.jpeg", "person1_bacteria_2.jpeg"],
    }
    kinds = np.arange(len(rows)) // 4 % 2
    return rows.assign(
        image_id=[f"test/X/{names[label][kind]}" for label, kind in zip(rows["label"], kinds, strict=True)],
        subtype=[
            ["virus", "bacteria"][kind] if label else "" for label, kind in zip(rows["label"], kinds, strict=True)
        ],
    )


def test_subgroups_are_subtypes_and_file_series():
    rows = kermany_rows()
    assert set(subgroup(rows)) == {"IM-", "NORMAL2-IM-", "virus", "bacteria"}
    others = rows_of([0, 0, 1], [0.1, 0.2, 0.3]).assign(image_id=["test/0000-none", "a/scan.png", "IM-3"])
    assert subgroup(others).tolist() == ["", "", ""]
    # Such as UUIDs are.
    random = rows_of([0, 0, 0], [0.1, 0.2, 0.3]).assign(image_id=["a3-9f", "IM-1", "b/IM-2"])
    assert subgroup(random).tolist() == ["", "IM-", "IM-"]
    assert subgroups(others, [0.5]) == []


def test_figures_of_a_subgroup_are_those_of_its_rows_against_the_other_class():
    rows = kermany_rows()
    found = subgroups(rows, [0.3, 0.5])
    assert [group.label for group in found] == [1, 1, 0, 0]
    for group in found:
        own = rows[subgroup(rows) == group.name]
        against = pd.concat([own, rows[rows["label"] != group.label]])
        assert (group.images, group.patients) == (len(own), own["patient_id"].nunique())
        assert group.auroc.value == pytest.approx(roc_auc_score(against["label"], against["probability"]))
        assert group.auroc == evaluation.estimates(against, 0.5)["auroc"]
        for threshold in (0.3, 0.5):
            name = "sensitivity" if group.label else "specificity"
            direct, received = evaluation.estimates(own, threshold)[name], group.right_at(threshold)
            assert [received.value, received.low, received.high] == pytest.approx(
                [direct.value, direct.low, direct.high]
            )
