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
from model_zoo.intervals import Estimate, clustered_mean, exact_at_the_ends
from model_zoo.registry import Export, ExportError

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
    """Rows of one set. Raises ExportError when they are missing, lack a column or a change, or name another one."""
    path = rows_path(export, name)
    if not path.is_file():
        raise ExportError(
            f"{path}: expected what {export.id} answers on blanked films, as `python -m train shortcuts {export.id}` "
            "writes it. Received: no such file."
        )
    rows = pd.read_csv(path, dtype={"image_id": str, "patient_id": str})
    if missing := [column for column in COLUMNS if column not in rows]:
        raise ExportError(f"{path}: expected the columns {', '.join(COLUMNS)}. Received: none named {missing[0]}.")
    if (received := set(rows["change"])) != set(CHANGES):
        raise ExportError(
            f"{path}: expected the changes {', '.join(CHANGES)}. Received: {', '.join(map(str, received))}."
        )
    return rows


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
            crossed = ((now >= threshold) != (was >= threshold)).astype(float)
            flipped = exact_at_the_ends(clustered_mean(crossed, patients), patients.nunique())
        found[change] = Response({name: rates[name] for name in RATES}, int(changed.sum()), moved, flipped)
    return found
