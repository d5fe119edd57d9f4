"""`python -m train audit`: where each export looks, on test images whose lungs are known, and docs/explanations.md.

What it measures of each method is in audit_methods.py.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from cases.collections import open_collection
from cases.settings import PROJECT_ROOT
from model_zoo import looking
from model_zoo.committee import open_engine
from model_zoo.files import replace_text
from model_zoo.lungs.card import LungCard
from model_zoo.registry import Export
from model_zoo.tables import write_rows
from train import shortcuts
from train.audit_methods import methods_section
from train.lungs import gate
from train.lungs.data import evaluated_images, masked_test_films, true_mask
from train.results import table

PAGE = PROJECT_ROOT / "docs" / "explanations.md"

_PAGE = """# Where the models look

Written by `python -m train audit`; a test fails when it is stale. Every figure is a mean over images with its 95%
interval (bootstrap over patients, exact for rates and shares of calls of 0 and 1), computed from rows in `model_zoo/`.

## The lung fields

`model_zoo/lungs/` holds a network of {parameters:,} parameters that finds the lungs on a film of {side} pixels a side.
It learnt from the masks of V7 Labs on the training part of the Kermany films, from phantoms, whose lungs are known
exactly, and from images that show no chest. The same patients as for `cnn11` and `champion` were held out; networks
of another split have other validation patients.

{lungs}
Dice is the overlap with the true mask, 1 at best. HD95 is the 95th percentile of the distance between the two borders,
in pixels of a film of 224 a side. "Found" is the share of films on which what the network marks passes as lungs; the
two limits for that were set on validation films ({rule}).

{gate}
## Evidence in the lungs

Grad-CAM for pneumonia, on every image with pneumonia: the share of the evidence that lies inside the true lungs. A
Gaussian in the middle of the film, which looks at no film at all, is the figure to beat: a map below it looks at the
lungs less than one that is blind.

{real}
## Evidence in the opacity, on phantoms

On phantoms the opacity is known exactly. "Pointing game" is the share of images whose strongest spot lies in it, and
"in opacity" the share of the evidence.

{phantoms}{methods}
{shortcuts}"""


def audit_gradcam(export: Export, name: str) -> pd.DataFrame:
    """Store and return an export's rows of one set of looking.AUDITED.

    Raises CollectionUnavailable when images that it was evaluated on, or their masks, are missing."""
    collection = open_collection(name.removesuffix("-test"))
    films = masked_test_films(collection, evaluated_images([export], name))
    engine = open_engine(export)
    rows = []
    entries = [entry for entry in films if entry.label == 1]
    for entry in tqdm(entries, desc=f"{export.id} on {name}", unit="image", mininterval=1):
        radiograph = collection.load(entry.id)
        heatmap = engine.explain(engine.input(radiograph.pixels)[np.newaxis])[0].evidence("pneumonia")
        lungs = true_mask(radiograph, entry)
        opacity = radiograph.opacity if collection.synthetic else None
        blind = looking.measure(looking.centre(*lungs.shape), lungs, opacity)
        found = {**looking.measure(heatmap, lungs, opacity), **{f"centre_{key}": v for key, v in blind.items()}}
        rows.append({"image_id": entry.id, "patient_id": entry.patient_id or entry.id, **found})
    table = pd.DataFrame(rows, columns=list(looking.COLUMNS)).round(5)
    write_rows(table, looking.rows_path(export, name))
    return table


def write_explanations(exports: Iterable[Export], lungs: LungCard, path: Path = PAGE) -> str:
    """Write docs/explanations.md from stored rows and return its text. Raises ExportError for missing rows."""
    exports = list(exports)
    networks = [export for export in exports if export.is_network]
    page = _PAGE.format(
        parameters=lungs.parameters,
        side=lungs.side,
        rule=lungs.gate.rule,
        lungs=_lungs_table(lungs),
        gate=gate.section(),
        real=_looking_table(exports, "chest_xray-test", {"in_lungs": "in the lungs"}),
        phantoms=_looking_table(
            exports,
            "phantom-test",
            {"in_lungs": "in the lungs", "in_opacity": "in opacity", "pointing": "pointing game"},
        ),
        methods=methods_section(exports),
        shortcuts=shortcuts.section(networks),
    )
    replace_text(path, page)
    return page


def _lungs_table(card: LungCard) -> str:
    rows = [
        [f"`{name}`", *("{:.3f} ({:.3f} to {:.3f})".format(*figures[key]) for key in ("dice", "hausdorff95", "found"))]
        for name, figures in card.metrics.items()
    ]
    return table(["images", "Dice", "HD95", "found"], rows)


def _looking_table(exports: list[Export], name: str, columns: dict[str, str]) -> str:
    """One row per export, best first in the first column, and the Gaussian last."""
    found = {export.id: looking.read_looking(export, name) for export in exports}
    estimates = {model_id: looking.estimates(rows) for model_id, rows in found.items()}
    first = next(iter(columns))
    best_first = sorted(estimates, key=lambda model_id: -estimates[model_id][first].value)
    lines = [
        [
            f"`{model_id}`",
            *(str(estimates[model_id][key]) for key in columns),
            str(int(found[model_id][first].isna().sum())),
        ]
        for model_id in best_first
    ]
    # The same for every model: it is measured on every image, empty maps included.
    blind = estimates[best_first[0]]
    lines.append(["centre prior", *(str(blind[f"centre_{key}"]) for key in columns), "0"])
    return table(["model", *columns.values(), "empty maps"], lines)
