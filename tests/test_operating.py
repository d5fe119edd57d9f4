"""Operating points against brute force over all thresholds."""

import numpy as np
import pytest

from model_zoo.operating import at_sensitivity, youden


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 60)
    return np.clip(0.3 * labels + 0.7 * rng.random(60), 0, 1).round(2), labels


def sensitivity_and_specificity(probabilities, labels, threshold) -> tuple[float, float]:
    called = probabilities >= threshold
    return called[labels == 1].mean(), (~called)[labels == 0].mean()


def test_at_sensitivity_is_the_highest_with_the_sensitivity_asked_for():
    labels = np.array([1] * 10 + [0] * 10)
    probabilities = np.concatenate([np.linspace(0.1, 1.0, 10), np.linspace(0, 0.45, 10)])
    threshold = at_sensitivity(probabilities, labels, 0.8)
    assert (probabilities[labels == 1] >= threshold).mean() == pytest.approx(0.8)
    assert 0.2 < threshold <= 0.3
    assert (probabilities[labels == 1] >= 0.31).mean() < 0.8


@pytest.mark.parametrize("seed", range(8))
def test_youden_is_the_best_of_all_thresholds_and_the_highest_of_those(seed):
    probabilities, labels = drawn(seed)
    sums = {score: sum(sensitivity_and_specificity(probabilities, labels, score)) for score in np.unique(probabilities)}
    best = max(score for score, total in sums.items() if total == pytest.approx(max(sums.values())))
    threshold = youden(probabilities, labels)
    assert ((probabilities >= threshold) == (probabilities >= best)).all()
    assert threshold not in probabilities or threshold == probabilities.min()


def test_youden_takes_the_higher_of_two_that_rounding_alone_tells_apart():
    # At 0.85: 1 of 6 and none of the normal; at 0.2: all ill and 5 of 6.
    labels = np.array([1] * 6 + [0] * 6)
    probabilities = np.array([0.9, *[0.3] * 5, 0.8, 0.7, 0.6, 0.5, 0.4, 0.1])
    assert youden(probabilities, labels) == pytest.approx(0.85)


def test_scores_that_are_all_alike_give_that_score():
    probabilities, labels = np.full(6, 0.7), np.array([0, 1, 0, 1, 0, 1])
    assert at_sensitivity(probabilities, labels, 0.95) == youden(probabilities, labels) == 0.7


def test_classes_that_are_missing_are_said():
    with pytest.raises(ValueError, match="Received: none"):
        at_sensitivity(np.array([0.2]), np.array([0]), 0.95)
    with pytest.raises(ValueError, match="both classes"):
        youden(np.array([0.2, 0.4]), np.array([1, 1]))
