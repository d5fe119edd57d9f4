"""What is left of a model's answers when a part of the films is blanked: rows, and figures from them.

Rows, one per image and change, in an export's `shortcuts/<collection>-<part>.csv`:

- image_id, patient_id, label: as in predictions.py;
- change: "nothing", or the part that was blanked (blanking.PARTS);
- share: of the film that was blanked, 0..1; 0 where no side marker was found, and then nothing was changed;
- probability: for pneumonia, 0..1, after temperature.

A blanked film is unlike any that a model learnt from, so that its calls may all move to one side. AUROC asks for the
order of the films alone, and is the figure to read first.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from model_zoo.blanking import PARTS
from model_zoo.evaluation import estimates
from model_zoo.intervals import Estimate, clustered_mean, clustered_share
from model_zoo.registry import Export, ExportError
from model_zoo.tables import read_measures

NOTHING = "nothing"
CHANGES = (NOTHING, *PARTS)
COLUMNS = ("image_id", "patient_id", "label", "change", "share", "probability")
RATES = ("auroc", "accuracy", "sensitivity", "specificity")


@dataclass(frozen=True)
class Response:
    """What a model answers after one change, at its operating point.

    rates: RATES of all films, those without the part as they were. moved: mean absolute change of the probability, and
    flipped: share of the calls that change, both among the films that have the part, `films` of them; None for NOTHING.
    """

    rates: dict[str, Estimate]
    films: int
    moved: Estimate | None
    flipped: Estimate | None


def rows_path(export: Export, name: str) -> Path:
    return export.folder / "shortcuts" / f"{name}.csv"


def sets(export: Export) -> tuple[str, ...]:
    """Names such as "chest_xray-test" of the stored sets."""
    return tuple(sorted(path.stem for path in rows_path(export, "any").parent.glob("*.csv")))


def read_shortcuts(export: Export, name: str) -> pd.DataFrame:
    """Rows of one set. Raises ExportError for a file that is missing, cut or edited into something else."""
    path = rows_path(export, name)
    contents = f"what {export.id} answers on blanked films, as `python -m train shortcuts {export.id}` writes it"
    rows = read_measures(path, contents, COLUMNS, ("image_id", "change"), ExportError)
    images = rows["image_id"].nunique()
    found = rows["change"].value_counts().to_dict()
    if found != dict.fromkeys(CHANGES, images):
        received = ", ".join(f"{change} {count}" for change, count in found.items())
        raise ExportError(
            f"{path}: expected every one of {images} images with each of the changes {', '.join(CHANGES)}. "
            f"Received: {received}."
        )
    if not (rows["label"].isin((0, 1)) & rows[["share", "probability"]].ge(0).all(axis=1)).all():
        raise ExportError(
            f"{path}: expected labels of 0 or 1, and shares and probabilities from 0 to 1. Received: others."
        )
    return rows.astype({"label": int})


def responses(rows: pd.DataFrame, threshold: float) -> dict[str, Response]:
    """Per one of CHANGES, in this order, with 95% intervals from a bootstrap over patients. threshold: the model's
    operating point."""
    by_change = {change: part.set_index("image_id") for change, part in rows.groupby("change")}
    before = by_change[NOTHING]
    found = {}
    for change in CHANGES:
        after = by_change[change].loc[before.index]
        rates = estimates(after.reset_index(), threshold)
        moved = flipped = None
        changed = after["share"] > 0
        if changed.any():
            patients = after.loc[changed, "patient_id"]
            was, now = before.loc[changed, "probability"], after.loc[changed, "probability"]
            moved = clustered_mean((now - was).abs(), patients)
            flipped = clustered_share(((now >= threshold) != (was >= threshold)).astype(float), patients)
        found[change] = Response({name: rates[name] for name in RATES}, int(changed.sum()), moved, flipped)
    return found
