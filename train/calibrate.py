"""From validation logits to calibrated ones. Nothing here ever sees a test image."""

import numpy as np
from scipy.optimize import minimize


def fit_calibration(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(temperature, offset) with the least log loss of sigmoid((logit + offset) / temperature).

    logits, labels: (n,), labels 0 or 1. Platt's scaling with his smoothed targets (Platt 1999), which keep the answer
    finite when the classes are perfectly separated. The offset matters here: class-balanced batches and augmentation
    both move all logits of plain images to one side, which no temperature can undo.
    """
    logits, positive = logits.astype(np.float64), labels == 1
    count = positive.sum()
    targets = np.where(positive, (count + 1) / (count + 2), 1 / (len(positive) - count + 2))

    def log_loss(parameters: np.ndarray) -> float:
        log_temperature, offset = parameters
        scaled = (logits + offset) / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - targets * scaled))

    best = minimize(log_loss, x0=[0.0, 0.0], bounds=[(np.log(0.05), np.log(20)), (-50, 50)])
    return float(np.exp(best.x[0])), float(best.x[1])
