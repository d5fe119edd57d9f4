"""Ways to choose an operating point. Only validation rows may be given: chosen on the rows that are then judged, any
threshold looks better than it is.

A value lies midway between two neighbouring scores, so that rounding of scores cannot flip a case. It is not to be
rounded itself, as the two may be closer than any number of decimals that a reader would want.
"""

import numpy as np
from sklearn.metrics import roc_curve


def at_sensitivity(probabilities: np.ndarray, labels: np.ndarray, target: float) -> float:
    """The highest threshold at which at least the share `target` of the pneumonias are called.

    A fixed sensitivity is what a screening test is specified by, and the highest such threshold gives the normals
    their best specificity. Raises ValueError without pneumonias.
    """
    scores = np.sort(probabilities[labels == 1])[::-1]
    if len(scores) == 0:
        raise ValueError("Expected validation images with pneumonia. Received: none.")
    return _midway(probabilities, scores[int(np.ceil(target * len(scores))) - 1])


def youden(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The threshold with the highest sum of sensitivity and specificity (Youden 1950), the highest of several.

    Raises ValueError unless both classes are there.
    """
    if set(np.unique(labels)) != {0, 1}:
        raise ValueError(f"Expected validation images of both classes. Received: labels {np.unique(labels)}.")
    false_alarms, sensitivity, thresholds = roc_curve(labels, probabilities)
    # The first threshold is infinite: nobody is called. Sums that differ by less are the same, but for rounding.
    sums = np.round((sensitivity - false_alarms)[1:], 12)
    return _midway(probabilities, thresholds[1:][np.argmax(sums)])


def _midway(probabilities: np.ndarray, last_called: float) -> float:
    below = probabilities[probabilities < last_called]
    return float((last_called + below.max()) / 2) if len(below) else float(last_called)
