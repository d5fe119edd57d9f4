"""Paired tests against a worked example, brute force, scikit-learn and statsmodels; what models have in common."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import accuracy_score, cohen_kappa_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from model_zoo import comparison
from model_zoo.comparison import ComparisonError
from model_zoo.intervals import Estimate, auroc_of_few
from model_zoo.published import ProtocolError, published_part

# albumin, total protein, K-G score, 1 for the patients whom surgery helped.
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1   3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0   3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1   3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0   2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def brute_force(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's areas and covariance from the definition: every pair of an ill and a healthy one, in two loops."""
    areas, below, above = [], [], []
    for score in scores:
        ill, healthy = score[positive], score[~positive]
        wins = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in healthy] for x in ill])
        areas.append(wins.mean())
        below.append(wins.mean(axis=1))
        above.append(wins.mean(axis=0))
    return np.array(areas), np.cov(below) / len(below[0]) + np.cov(above) / len(above[0])


@pytest.fixture
def ovarian() -> tuple[np.ndarray, np.ndarray]:
    albumin, protein, score, helped = np.array(OVARIAN.split(), float).reshape(-1, 4).T
    return np.stack([albumin, protein, 10 - score]), helped == 1


def noisy(images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated scores with ties, (2, n), and which images are positive."""
    rng = np.random.default_rng(seed)
    positive = rng.random(images) < 0.6
    shared = rng.normal(size=images) + positive
    return np.round(shared + rng.normal(scale=[[0.5], [1.0]], size=(2, images)), 1), positive


class TestDeLong:
    def test_it_equals_the_worked_example(self, ovarian):
        """The example of DeLong, DeLong and Clarke-Pearson (1988): 43 of their 49 patients with ovarian cancer, whose
        three tests are all known. The values are copied from the SAS/STAT User's Guide, The LOGISTIC Procedure,
        "Comparing Receiver Operating Characteristic Curves", where the K-G score is the reference. AUROCs, z and p are
        those that MLstatkit 0.1.91 computes from them, and standard errors those of rocauc-comparison 0.1.1; both were
        run once for this test and are not installed."""
        areas, covariance = comparison.delong(*ovarian)
        assert areas == pytest.approx([0.7365591398, 0.6478494624, 0.7258064516], abs=1e-10)
        assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0926943461, 0.1000473756, 0.1028216090], abs=1e-10)
        scores, helped = ovarian
        for test, z, p in ((0, 0.1127782690, 0.9102063472), (1, -0.7452183897, 0.4561397075)):
            found = comparison.auroc_difference(scores[test], scores[2], helped)
            difference = areas[test] - areas[2]
            reach = norm.ppf(0.975) * difference / z
            expected = (difference, difference - reach, difference + reach, p)
            received = (found.estimate.value, found.estimate.low, found.estimate.high, found.p)
            assert received == pytest.approx(expected, abs=1e-8)

    @pytest.mark.parametrize("seed", range(4))
    def test_ranks_give_what_all_pairs_give(self, seed):
        scores, positive = noisy(80, seed)
        for received, expected in zip(comparison.delong(scores, positive), brute_force(scores, positive), strict=True):
            np.testing.assert_allclose(received, expected, rtol=1e-10)
        assert comparison.delong(scores, positive)[0][0] == pytest.approx(roc_auc_score(positive, scores[0]))

    def test_interval_and_p_agree(self):
        scores, positive = noisy(200, 1)
        found = comparison.auroc_difference(*scores, positive)
        error = (found.estimate.high - found.estimate.low) / 2 / norm.ppf(0.975)
        assert found.p == pytest.approx(2 * norm.sf(abs(found.estimate.value) / error))
        turned = comparison.auroc_difference(*scores[::-1], positive)
        assert (turned.estimate.value, turned.p) == pytest.approx((-found.estimate.value, found.p))

    def test_a_model_against_itself_and_too_few_images(self):
        scores, positive = noisy(50, 2)
        same = comparison.auroc_difference(scores[0], scores[0], positive)
        assert (same.estimate.value, same.p) == (0, 1)
        for few in (np.arange(50) < 1, np.arange(50) > 0):
            assert np.isnan(comparison.auroc_difference(*scores, few).estimate.value)

    def test_without_a_variance_there_is_no_interval_and_no_p_of_a_difference(self):
        positive = np.array([False, False, True, True])
        perfect, constant = np.array([0.1, 0.2, 0.8, 0.9]), np.full(4, 0.5)
        found = comparison.auroc_difference(perfect, constant, positive)
        assert found.estimate.value == 0.5
        assert np.isnan([found.estimate.low, found.estimate.high, found.p]).all()
        alike = comparison.auroc_difference(perfect, perfect**2, positive)
        assert (alike.estimate.value, alike.p) == (0, 1)
        assert np.isnan(alike.estimate.low)

    def test_an_interval_ends_at_1(self):
        first, second = np.array([0.1, 0.3, 0.2, 0.8, 0.9]), np.array([0.5, 0.9, 0.6, 0.4, 0.8])
        found = comparison.auroc_difference(first, second, np.array([False, False, True, True, True])).estimate
        assert -1 <= found.low < found.value < found.high == 1

    def test_p_is_uniform_where_there_is_no_difference(self):
        rng = np.random.default_rng(0)
        positive = np.arange(120) % 2 == 0
        values = []
        for _ in range(400):
            shared = rng.normal(size=120) + positive
            values.append(comparison.auroc_difference(*(shared + rng.normal(size=(2, 120))), positive).p)
        assert np.mean(np.array(values) < 0.05) == pytest.approx(0.05, abs=0.025)
        assert np.mean(values) == pytest.approx(0.5, abs=0.05)


class TestByPatient:
    def test_with_one_image_a_patient_it_is_near_delong(self):
        scores, positive = noisy(600, 3)
        delong = comparison.auroc_difference(*scores, positive).estimate
        found = comparison.auroc_difference_by_patient(*scores, positive, np.arange(600))
        assert found.value == pytest.approx(delong.value)
        assert (found.low, found.high) == pytest.approx((delong.low, delong.high), abs=0.004)

    def test_copies_of_an_image_narrow_delong_and_not_the_patients(self):
        scores, positive = noisy(150, 4)
        patients = np.arange(150)
        once = comparison.auroc_difference_by_patient(*scores, positive, patients)
        copied = np.repeat(scores, 4, axis=1), np.repeat(positive, 4)
        four = comparison.auroc_difference_by_patient(*copied[0], copied[1], np.repeat(patients, 4))
        assert (four.low, four.high) == pytest.approx((once.low, once.high), abs=1e-9)
        naive = comparison.auroc_difference(*copied[0], copied[1]).estimate
        assert naive.high - naive.low < 0.6 * (four.high - four.low)

    @pytest.mark.parametrize("area", [0, 1])
    @pytest.mark.parametrize("patients", [4, 120])
    def test_two_aurocs_of_0_or_1_are_as_unsure_as_each_of_them(self, patients, area):
        positive = np.arange(patients) % 2 == 1
        called = positive == area
        scores = called + np.linspace(0, 0.5, patients), called.astype(float)
        found = comparison.auroc_difference_by_patient(*scores, positive, np.arange(patients), 20)
        low = auroc_of_few(Estimate(1, 1, 1), patients // 2, patients // 2).low
        assert (found.value, found.low, found.high) == pytest.approx((0, low - 1, 1 - low))

    def test_an_auroc_of_1_and_another(self):
        positive = np.arange(60) % 2 == 1
        second = positive + np.random.default_rng(1).normal(size=60)
        found = comparison.auroc_difference_by_patient(positive.astype(float), second, positive, np.arange(60), 300)
        area = roc_auc_score(positive, second)
        ones, other = (auroc_of_few(Estimate(value, 0, 0), 30, 30) for value in (1, area))
        expected = (1 - area, 1 - area - np.hypot(1 - ones.low, other.high - area), 1 - other.low)
        assert (found.value, found.low, found.high) == pytest.approx(expected)

    def test_one_class_gives_no_interval(self):
        scores, _ = noisy(20, 5)
        assert np.isnan(comparison.auroc_difference_by_patient(*scores, np.ones(20, bool), np.arange(20)).low)


class TestMcNemar:
    @pytest.mark.parametrize("seed", range(5))
    def test_it_equals_statsmodels(self, seed):
        rng = np.random.default_rng(seed)
        first, second = rng.random(90) < 0.9, rng.random(90) < 0.8
        table = pd.crosstab(first, second).to_numpy()
        found = comparison.mcnemar(first, second)
        assert found.accuracy.p == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)
        assert (found.first_only, found.second_only) == (table[1, 0], table[0, 1])
        assert found.accuracy.estimate.value == pytest.approx(first.mean() - second.mean())

    def test_models_that_are_right_on_the_same_images(self):
        right = np.array([True] * 30 + [False] * 5)
        found = comparison.mcnemar(right, right)
        assert (found.accuracy.estimate.value, found.accuracy.p) == (0, 1)
        assert found.accuracy.estimate.low < 0 < found.accuracy.estimate.high

    def test_its_interval_ends_at_1(self):
        found = comparison.mcnemar(np.ones(3, bool), np.zeros(3, bool)).accuracy.estimate
        assert (found.value, found.high) == (1, 1)
        turned = comparison.mcnemar(np.zeros(3, bool), np.ones(3, bool)).accuracy.estimate
        assert (turned.low, turned.high) == (-1, -found.low)

    def test_its_interval_is_wald_s_with_half_an_image_more_in_each_cell(self):
        first = np.repeat([True, True, False, False], [20, 6, 3, 11])
        second = np.repeat([True, False, True, False], [20, 6, 3, 11])
        one, other, images = 6.5, 3.5, 42
        reach = norm.ppf(0.975) * np.sqrt(one + other - (one - other) ** 2 / images) / images
        found = comparison.mcnemar(first, second).accuracy.estimate
        assert (found.low, found.high) == pytest.approx((3 / images - reach, 3 / images + reach))

    def test_its_interval_covers(self):
        """Of 95 in 100 simulated comparisons, give or take, the interval holds the true difference of 0.08."""
        rng = np.random.default_rng(1)
        held = 0
        for _ in range(600):
            draw = rng.random(150)
            found = comparison.mcnemar(draw < 0.85, (draw < 0.72) | (draw > 0.95)).accuracy.estimate
            held += found.low <= 0.08 <= found.high
        assert held / 600 == pytest.approx(0.95, abs=0.025)


def rows(labels, probabilities, ids=None) -> pd.DataFrame:
    ids = ids or [f"test/{i}" for i in range(len(labels))]
    return pd.DataFrame(
        {"image_id": ids, "patient_id": ids, "label": labels, "subtype": "", "probability": probabilities}
    )


class TestImages:
    def test_only_images_that_all_have_are_compared_in_the_first_ones_order(self):
        images = comparison.common(
            {"a": rows([0, 1, 1], [0.1, 0.9, 0.2], ["x", "y", "z"]), "b": rows([1, 0], [0.6, 0.7], ["z", "x"])}
        )
        assert images.to_dict("index") == {
            "x": {"patient_id": "x", "label": 0, "a": 0.1, "b": 0.7},
            "z": {"patient_id": "z", "label": 1, "a": 0.2, "b": 0.6},
        }
        assert comparison.common({"a": rows([0], [0.1], ["x"]), "b": rows([0], [0.1], ["y"])}).empty

    def test_two_labels_for_one_image_are_named(self):
        with pytest.raises(ComparisonError, match=r"one label for y\. Received: 1 from a, 0 from b"):
            comparison.common({"a": rows([0, 1], [0.1, 0.9], ["x", "y"]), "b": rows([0, 0], [0.1, 0.9], ["x", "y"])})

    def test_agreement_equals_scikit_learn(self):
        rng = np.random.default_rng(0)
        models = {name: rows([0, 1] * 40, rng.random(80)) for name in "abc"}
        called = comparison.calls(comparison.common(models), {"a": 0.3, "b": 0.5, "c": 0.7})
        found = comparison.agreement(called)
        assert len(found) == 6
        for pair in found.itertuples():
            first, second = (
                models[name]["probability"] >= {"a": 0.3, "b": 0.5, "c": 0.7}[name]
                for name in (pair.first, pair.second)
            )
            assert pair.share == pytest.approx(accuracy_score(first, second))
            assert pair.kappa == pytest.approx(cohen_kappa_score(first, second))

    def test_kappa_of_one_answer_is_not_defined(self):
        called = comparison.calls(
            comparison.common({name: rows([0, 1], [0.8, 0.9]) for name in "ab"}), {"a": 0.5, "b": 0.6}
        )
        assert comparison.agreement(called)["share"].tolist() == [1, 1]
        assert comparison.agreement(called)["kappa"].isna().all()

    def test_images_that_all_get_wrong_come_least_believed_first(self):
        labels = [0, 0, 1, 1, 0]
        images = comparison.common(
            {"a": rows(labels, [0.6, 0.9, 0.1, 0.9, 0.1]), "b": rows(labels, [0.7, 0.9, 0.3, 0.1, 0.9])}
        )
        wrong = comparison.all_wrong(images, comparison.calls(images, {"a": 0.5, "b": 0.5}))
        assert wrong.index.tolist() == ["test/1", "test/2", "test/0"]


class TestPublished:
    @pytest.mark.parametrize(
        ("claim", "protocol", "expected"),
        [
            ("accuracy", "official test split of 624 images", ("test", "accuracy")),
            ("macro_recall", "random quarter of the training images", ("random25", "macro_recall")),
            ("validation_accuracy", "official test split of 624 images", ("validation", "accuracy")),
        ],
    )
    def test_a_claim_is_put_beside_the_same_kind_of_images(self, claim, protocol, expected):
        assert published_part(claim, protocol) == expected

    def test_an_unknown_protocol_is_named(self):
        with pytest.raises(ProtocolError, match=r"official test split.*Received: 'ten folds'"):
            published_part("accuracy", "ten folds")
