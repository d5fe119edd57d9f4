"""Where a model looks, measured against what is known of an image: the lungs, and on phantoms the opacity.

Rows, one per image with pneumonia and direction "pneumonia", in an export's `looking/<collection>-<part>.csv`:

- image_id, patient_id;
- in_lungs: share of the Grad-CAM evidence inside the true lung fields, 0..1;
- in_opacity: share inside the true opacity (phantoms only; "energy-based pointing game", Wang et al. 2020);
- pointing: 1 where the strongest spot lies in the opacity, otherwise 0 (phantoms only; "pointing game", Zhang et al.
  2018);
- centre_in_lungs, centre_in_opacity, centre_pointing: the same of a Gaussian in the middle of the image, which looks at
  no image at all: what a map has to beat.

The first three are empty for an empty map.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from model_zoo.intervals import Estimate, clustered_mean, clustered_share
from model_zoo.overlay import enlarged
from model_zoo.registry import Export, ExportError
from model_zoo.tables import read_measures

# Prediction sets whose lungs are known.
AUDITED = ("chest_xray-test", "phantom-test")
MEASURES = ("in_lungs", "in_opacity", "pointing")
COLUMNS = ("image_id", "patient_id", *MEASURES, *(f"centre_{measure}" for measure in MEASURES))
# Standard deviation of the centred Gaussian, as a share of the side.
CENTRE_SPREAD = 0.25


def measure(heatmap: np.ndarray, lungs: np.ndarray, opacity: np.ndarray | None) -> dict[str, float]:
    """MEASURES of one map, nan for an empty one, and in_opacity and pointing nan without an opacity.

    heatmap: (rows, columns), >= 0; it is enlarged linearly to the masks' size. lungs, opacity: bool (height, width).
    """
    painted = enlarged(heatmap, lungs.shape).astype(np.float64)
    total = painted.sum()
    if total == 0:
        return dict.fromkeys(MEASURES, np.nan)
    found = {"in_lungs": painted[lungs].sum() / total, "in_opacity": np.nan, "pointing": np.nan}
    if opacity is not None:
        found["in_opacity"] = painted[opacity].sum() / total
        found["pointing"] = float(opacity.ravel()[painted.argmax()])
    return found


def centre(height: int, width: int) -> np.ndarray:
    """The Gaussian that looks at no image: float64 (height, width)."""
    y, x = (np.exp(-0.5 * (np.linspace(-0.5, 0.5, n) / CENTRE_SPREAD) ** 2) for n in (height, width))
    return np.outer(y, x)


def rows_path(export: Export, name: str) -> Path:
    return export.folder / "looking" / f"{name}.csv"


def read_looking(export: Export, name: str) -> pd.DataFrame:
    """Rows of one set. Raises ExportError for a file that is missing, cut or edited into something else."""
    contents = f"rows of where {export.id} looks, which `python -m train audit {export.id}` writes"
    return read_measures(rows_path(export, name), contents, COLUMNS, ("image_id",), ExportError)


def estimates(rows: pd.DataFrame) -> dict[str, Estimate]:
    """The mean of each measured column with its 95% interval over patients; columns without a value are left out."""
    return {
        name: (clustered_share if name.endswith("pointing") else clustered_mean)(rows[name], rows["patient_id"])
        for name in COLUMNS[2:]
        if rows[name].notna().any()
    }
