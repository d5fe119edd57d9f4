"""`python -m train shortcuts`: what each network answers when a part of the films is blanked, and what
docs/explanations.md says of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import LABEL_NAMES
from model_zoo import shortcuts
from model_zoo.blanking import BORDER, blanked, parts
from model_zoo.engine import Engine
from model_zoo.evaluation import auroc_interval
from model_zoo.predictions import DECIMALS
from model_zoo.registry import Export, open_export
from model_zoo.tables import write_rows
from train.lungs.data import evaluated_images, masked_test_films, true_mask
from train.results import table
from train.width_only import ID as WIDTH_ONLY

MEASURED = ("chest_xray-test", "phantom-test")

# What was counted by eye stands here; all else is computed from rows.
_SECTION = """## Shortcuts

What is left when a part of each test film is blanked, from `python -m train shortcuts`: the side marker; the borders,
{border:.0%} of the film on each side, without the lungs; all but the lungs; and, for contrast, the lungs. The masks of
the lungs are the true ones. A part is filled smoothly from what surrounds it (`model_zoo/blanking.py`). A network that
read the lungs would lose nothing but in the last column, and there it would be at 0.5, which is chance.

AUROC on real films:

{real}
{real_waiting}`{baseline}` is told how wide a film was published and sees nothing of it, so that what is blanked does
not concern it.

A side marker was found {markers}, by a rule for bright letters beside the lungs;
where none was found, the film is as it was. On 40 test films drawn at random and looked at by eye, 36 show a marker;
the rule found 28 of these, and none on the other 4. It misses letters that the edge cuts, and faint ones of a few
pixels. On 4 of the 28 it took something else for a letter too.

A drop does not prove that a part was read: a blanked film is unlike any that a network learnt from. And what stays is
not all lung. The outline of the lungs tells how a film was framed, and the filling has the rough gray of what is
around it. That a network still tells ill from healthy without the lungs is the plainer sign.

On phantoms, whose ill ones are framed as sick children's films are:

{phantoms}
{phantoms_waiting}### At the operating point

Moved: by how much the probability changes, without its sign, on average. Flipped: the share of the calls that change.
Both among the films that have the part.

{real_rates}
On phantoms:

{phantom_rates}"""


def measure(exports: Sequence[Export], name: str) -> None:
    """Store the rows of one set of MEASURED for all of these networks at once, because blanking costs as much as a
    small network. Raises CollectionUnavailable when images that one of them was evaluated on, or their masks, are
    missing."""
    collection = open_collection(name.removesuffix("-test"))
    entries = masked_test_films(collection, evaluated_images(exports, name))
    engines = [Engine(export) for export in exports]
    images, answers = [], []
    for entry in tqdm(entries, desc=f"{name}, networks: {len(engines)}", unit="image", mininterval=1):
        radiograph = collection.load(entry.id)
        lungs = true_mask(radiograph, entry)
        films, masks = [radiograph.pixels], parts(radiograph.pixels, lungs)
        images.append((entry.id, entry.patient_id or entry.id, entry.label, shortcuts.NOTHING, 0.0))
        for part, mask in masks.items():
            films.append(blanked(radiograph.pixels, mask))
            images.append((entry.id, entry.patient_id or entry.id, entry.label, part, round(float(mask.mean()), 4)))
        answers.append([engine.scores(np.stack([engine.input(film) for film in films])) for engine in engines])
    rows = pd.DataFrame(images, columns=list(shortcuts.COLUMNS[:-1]))
    for export, probabilities in zip(exports, np.concatenate(answers, axis=1), strict=True):
        write_rows(rows.assign(probability=probabilities.round(DECIMALS)), shortcuts.rows_path(export, name))


def section(exports: Sequence[Export]) -> str:
    """The section of docs/explanations.md, from stored rows. It names the networks that were not measured yet, and is
    empty before the first was, on real films. Raises ExportError for rows that cannot be used."""
    found, waiting = {}, {}
    for name in MEASURED:
        measured = [export for export in exports if name in shortcuts.sets(export)]
        found[name] = {
            export.id: shortcuts.responses(shortcuts.read_shortcuts(export, name), export.card.threshold.value)
            for export in measured
        }
        missing = ", ".join(f"`{export.id}`" for export in exports if export not in measured)
        waiting[name] = f"Not measured yet: {missing}.\n\n" if missing else ""
    real, phantoms = (found[name] for name in MEASURED)
    if not real:
        return ""
    blind = auroc_interval(open_export(WIDTH_ONLY).predictions(MEASURED[0]))
    first = next(export for export in exports if export.id in real)
    return _SECTION.format(
        border=BORDER,
        baseline=WIDTH_ONLY,
        real=_auroc_table(real, [[f"`{WIDTH_ONLY}`", str(blind), *["the same"] * (len(shortcuts.CHANGES) - 1)]]),
        real_waiting=waiting[MEASURED[0]],
        phantoms=_auroc_table(phantoms, []),
        phantoms_waiting=waiting[MEASURED[1]],
        markers=_markers(shortcuts.read_shortcuts(first, MEASURED[0])),
        real_rates=_rates_table(real),
        phantom_rates=_rates_table(phantoms),
    )


def _auroc_table(found: dict[str, dict[str, shortcuts.Response]], more: list[list[str]]) -> str:
    """One row per network, the one that loses most without the lungs first. Nothing without a network."""
    if not found:
        return ""
    order = sorted(found, key=lambda model_id: found[model_id]["lungs"].rates["auroc"].value)
    lines = [
        [f"`{model_id}`", *(str(found[model_id][change].rates["auroc"]) for change in shortcuts.CHANGES)]
        for model_id in order
    ]
    return table(["blanked:", *map(_title, shortcuts.CHANGES)], lines + more)


def _rates_table(found: dict[str, dict[str, shortcuts.Response]]) -> str:
    """One row per network and change. Nothing without a network."""
    if not found:
        return ""
    rates = shortcuts.RATES[1:]
    lines = []
    for model_id, responses in found.items():
        for change, response in responses.items():
            figures = [response.rates[name] for name in rates] + [response.moved, response.flipped]
            texts = ("" if figure is None else str(figure) for figure in figures)
            lines.append([f"`{model_id}`", _title(change), *texts])
    return table(["model", "blanked", *rates, "moved", "flipped"], lines)


def _title(change: str) -> str:
    return "all but lungs" if change == "outside" else change


def _markers(rows: pd.DataFrame) -> str:
    """On how many films of each class a side marker was found, in words."""
    marked = rows[rows["change"] == "marker"]
    counts = (
        f"{(marked['share'][marked['label'] == label] > 0).sum()} of {(marked['label'] == label).sum()} {name}"
        for label, name in enumerate(LABEL_NAMES)
    )
    return f"on {' and '.join(counts)} films"
