"""How well the lung-field network did, image by image, and in sum.

Rows, one per image of a set (`chest_xray-test.csv`, ...): image_id; patient_id; dice, 0..1, between the network's mask
and the true one; hausdorff95, in pixels of a film of FILM pixels a side, empty where one of the two is empty; found, 1,
or 0 where the gate said "no lungs found".
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import binary_erosion, distance_transform_edt

from model_zoo.intervals import clustered_mean, clustered_share
from model_zoo.lungs.card import EXPORT
from model_zoo.registry import ExportError
from model_zoo.tables import read_measures

FILM = 224
COLUMNS = ("image_id", "patient_id", "dice", "hausdorff95", "found")


def rows_path(name: str, folder: Path = EXPORT) -> Path:
    return folder / "rows" / f"{name}.csv"


def read_rows(name: str, folder: Path = EXPORT) -> pd.DataFrame:
    """Rows of one set. Raises ExportError for a file that is missing, cut or edited into something else."""
    contents = "rows of the lung-field network, which `python -m train lungs evaluate` writes"
    # No border is further from another than a film's diagonal.
    span = (0, 2 * FILM)
    return read_measures(rows_path(name, folder), contents, COLUMNS, ("image_id",), ExportError, span)


def summarise(rows: pd.DataFrame) -> dict[str, list[float]]:
    """Mean Dice and mean 95th-percentile Hausdorff distance as [value, low, high], with 95% intervals from a bootstrap
    over patients, and the share of images in which lungs were found."""
    figures = {name: clustered_mean(rows[name], rows["patient_id"]) for name in ("dice", "hausdorff95")}
    figures["found"] = clustered_share(rows["found"], rows["patient_id"])
    return {name: [round(v, 4) for v in (figure.value, figure.low, figure.high)] for name, figure in figures.items()}


def dice(found: np.ndarray, true: np.ndarray) -> float:
    """Dice coefficient of two masks, bool (height, width); 1 where both are empty."""
    size = found.sum() + true.sum()
    return float(2 * (found & true).sum() / size) if size else 1.0


def hausdorff95(found: np.ndarray, true: np.ndarray) -> float:
    """The larger of the two 95th percentiles of the distances, in pixels, from the one border to the other
    (Huttenlocher et al. 1993, with the percentile that segmentation challenges use). nan where a mask is empty."""
    if not (found.any() and true.any()):
        return float("nan")
    borders = [mask & ~binary_erosion(mask) for mask in (found, true)]
    distances = [distance_transform_edt(~border) for border in borders]
    return float(max(np.percentile(distances[1][borders[0]], 95), np.percentile(distances[0][borders[1]], 95)))
