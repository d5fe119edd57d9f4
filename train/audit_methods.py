"""What the audit measures of each method's maps (model_zoo/audit.py), and its tables in docs/explanations.md."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import Collection, Entry
from model_zoo import audit, deletion, looking
from model_zoo.audit import BLIND, CENTRE, MEASURES, RANDOM
from model_zoo.engine import Engine
from model_zoo.explainers import EXPLAINERS, in_batches
from model_zoo.likeness import GAMMAS, SHIFT, exposed, likeness, likeness_when_moved, moved
from model_zoo.methods import TITLES
from model_zoo.overlay import enlarged
from model_zoo.registry import Export, ExportError
from model_zoo.tables import write_rows
from train.lungs.data import evaluated_images, masked_test_films, true_mask
from train.results import listed, table, wrapped

if TYPE_CHECKING:
    import keras

# Methods that ask the model more often for one map are not asked about randomised weights and changed films.
QUICK_PASSES = 16
# The pointing game that we wanted of the best model and method on phantoms.
WANTED_POINTING = 0.8
# Films of a set where none has been measured yet.
IMAGES = 24
SEED = 0

_SECTION = """
## The methods compared

All methods that the app offers, and two maps that look at no film: the centre prior, a Gaussian in the middle, and a
number drawn at random for each of {cells} cells. Per model they were measured on the same films with pneumonia, one per
patient, drawn by a fixed seed. Methods of more than {quick} passes are not asked about randomised weights and changed
films. Empty maps have no figure. Of so few films an interval is a little too short: drawn from the rows of five
networks' maps, that of 8 values held their mean in 88 to 99 of 100, that of 24 in 88 to 97.

{coverage}

{measures}

Deletion and insertion go in {steps} steps. Weights are randomised by shuffling each array, anew for each film.

{sets}"""
_PHANTOMS = "phantom-test"
_SETS = {"chest_xray-test": "On real films", _PHANTOMS: "On phantoms"}
_FILMS = {"chest_xray-test": "real films", _PHANTOMS: "phantoms"}

Method = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Film:
    """An image of the sample. input: the model's, float32 (side, side, channels). number: its place, which seeds what
    is drawn for it. lungs, opacity: bool masks; opacity is None where it is not known."""

    entry: Entry
    number: int
    input: np.ndarray
    lungs: np.ndarray
    opacity: np.ndarray | None


def audit_methods(export: Export, name: str, methods: Sequence[str], images: int | None = None) -> pd.DataFrame:
    """Store and return the audit's rows of one set, such as "phantom-test".

    methods: keys of EXPLAINERS; what is stored of others stays where it is of the same images. images: how many to
    measure, or as many as there are patients; by default as many as have rows, or IMAGES. Raises CollectionUnavailable
    when images that the export was evaluated on, or their masks, are missing.
    """
    collection = open_collection(name.removesuffix("-test"))
    stored = _stored(export, name)
    images = images or (IMAGES if stored is None else stored["image_id"].nunique())
    entries = sample(masked_test_films(collection, evaluated_images([export], name)), images)
    engine = Engine(export)
    maps = {method: _asker(engine, method) for method in methods}
    maps[CENTRE] = lambda image: looking.centre(*image.shape[:2])
    quick = {
        name: ask for name, ask in maps.items() if name == CENTRE or EXPLAINERS[name].passes(engine) <= QUICK_PASSES
    }
    films = _films(collection, engine, entries)
    bar = tqdm(films, desc=f"{export.id} on {name}", unit="image", mininterval=1)
    rows = [row for film in bar for row in _location_and_curves(engine, film, maps)]
    checks = pd.DataFrame(_checks(engine, films, quick))
    found = pd.DataFrame(rows).merge(checks, how="left", on=["image_id", "method"])
    found = _with_others(found[list(audit.COLUMNS)].round(5), stored)
    write_rows(found, audit.rows_path(export, name))
    return found


def _stored(export: Export, name: str) -> pd.DataFrame | None:
    """None where there are no rows yet, or damaged ones, which measuring anew puts right."""
    try:
        return audit.read_audit(export, name)
    except ExportError:
        return None


def _with_others(found: pd.DataFrame, stored: pd.DataFrame | None) -> pd.DataFrame:
    """The rows, and those stored of other methods where they are of the same images: image by image, as measured."""
    images, methods = list(found["image_id"].unique()), [*EXPLAINERS, *BLIND]
    if stored is None or set(stored["image_id"]) != set(images):
        return found
    others = stored[stored["method"].isin(methods) & ~stored["method"].isin(found["method"])]
    rows = pd.concat([found, others], ignore_index=True)
    place = rows["image_id"].map(images.index) * len(methods) + rows["method"].map(methods.index)
    return rows.iloc[place.argsort(kind="stable")].reset_index(drop=True)


def sample(entries: Iterable[Entry], images: int) -> list[Entry]:
    """Pneumonias of as many patients, one image each, drawn by seed; a smaller sample is the beginning of a larger."""
    ill = [entry for entry in entries if entry.label == 1]
    by_patient: dict[str, Entry] = {}
    for place in np.random.default_rng(SEED).permutation(len(ill)):
        by_patient.setdefault(ill[place].patient_id or ill[place].id, ill[place])
    return list(by_patient.values())[:images]


def _films(collection: Collection, engine: Engine, entries: Iterable[Entry]) -> list[Film]:
    films = []
    for number, entry in enumerate(entries):
        radiograph = collection.load(entry.id)
        opacity = radiograph.opacity if collection.synthetic else None
        image = engine.input(radiograph.pixels).astype(np.float32)
        films.append(Film(entry, number, image, true_mask(radiograph, entry), opacity))
    return films


def _asker(engine: Engine, method: str) -> Method:
    return lambda image: EXPLAINERS[method](engine, image, "pneumonia")


def _location_and_curves(engine: Engine, film: Film, maps: dict[str, Method]) -> list[dict]:
    heatmaps = {method: ask(film.input) for method, ask in maps.items()}
    heatmaps[RANDOM] = np.random.default_rng((SEED, film.number)).random((deletion.CELLS, deletion.CELLS))
    areas = deletion.areas(
        lambda stack: in_batches(engine.scores, stack), film.input, list(heatmaps.values()), film.number
    )
    return [
        {
            "image_id": film.entry.id,
            "patient_id": film.entry.patient_id or film.entry.id,
            "method": method,
            **looking.measure(heatmap, film.lungs, film.opacity),
            "deletion": deleted,
            "insertion": inserted,
        }
        for (method, heatmap), (deleted, inserted) in zip(heatmaps.items(), areas, strict=True)
    ]


def _checks(engine: Engine, films: list[Film], maps: dict[str, Method]) -> list[dict]:
    """Likeness of each map and the one under a change that it should, or should not, notice. The engine's weights are
    not the model's any more afterwards."""

    def painted(image: np.ndarray) -> dict[str, np.ndarray]:
        return {method: enlarged(ask(image), image.shape[:2]) for method, ask in maps.items()}

    befores = [painted(film.input) for film in films]
    rows = [{method: {"image_id": film.entry.id, "method": method} for method in maps} for film in films]
    for film, before, row in zip(films, befores, rows, strict=True):
        rng = np.random.default_rng((SEED, film.number))
        down, right = rng.choice([-1, 1], 2) * max(1, round(SHIFT * len(film.input)))
        after, other = painted(moved(film.input, down, right)), painted(exposed(film.input, rng.choice(GAMMAS)))
        for method in maps:
            row[method]["shifted"] = likeness_when_moved(before[method], after[method], down, right)
            row[method]["exposed"] = likeness(before[method], other[method])
    for column, layers in (("head_randomised", engine.head.layers), ("all_randomised", engine.network.layers)):
        for film, before, row in zip(films, befores, rows, strict=True):
            randomise(layers, film.number)
            after = painted(film.input)
            for method in maps:
                row[method][column] = likeness(before[method], after[method])
    return [found for row in rows for found in row.values()]


def randomise(layers: "Iterable[keras.Layer]", seed: int) -> None:
    """Shuffle the numbers of each weight array among themselves, in place.

    Adebayo et al. draw from the initialiser; in a network whose batch normalisation is folded away, activations could
    then vanish or explode with depth. Shuffled weights keep each layer's scale, and nothing of what it learnt.
    """
    rng = np.random.default_rng((SEED, seed))
    for layer in layers:
        layer.set_weights([rng.permutation(weights.ravel()).reshape(weights.shape) for weights in layer.get_weights()])


def methods_section(exports: Iterable[Export]) -> str:
    """Markdown for docs/explanations.md, from stored rows. exports: networks and committees; those without rows are
    named."""
    exports = list(exports)
    found = {
        name: {
            export.id: audit.read_audit(export, name) for export in exports if audit.rows_path(export, name).exists()
        }
        for name in _SETS
    }
    lines = (f"- **{measure.title}.** {measure.explanation}" for measure in MEASURES.values())
    measures = "\n".join(wrapped(line) for line in lines)
    texts = {name: _set_tables(exports, rows) for name, rows in found.items()}
    texts[_PHANTOMS] = f"{best_pointing(exports, found[_PHANTOMS])}\n{texts[_PHANTOMS]}"
    return _SECTION.format(
        cells=deletion.CELLS**2,
        quick=QUICK_PASSES,
        coverage=coverage(exports, found),
        measures=measures,
        steps=deletion.STEPS,
        sets="\n".join(f"### {_SETS[name]}\n\n{text}" for name, text in texts.items()),
    )


def coverage(exports: Iterable[Export], found: dict[str, dict[str, pd.DataFrame]]) -> str:
    """Markdown: which models were measured with which methods, on how many films. found: rows by set and model."""
    exports = list(exports)
    alike: dict[tuple[str, str], list[str]] = {}
    for export in exports:
        by_set = {name: by_model[export.id] for name, by_model in found.items() if export.id in by_model}
        films = [f"{rows['image_id'].nunique()} {_FILMS[name]}" for name, rows in by_set.items()]
        measured = [set(rows["method"]) for rows in by_set.values()]
        lacking = [title for method, title in TITLES.items() if not all(method in methods for methods in measured)]
        if films:
            methods = f"without {listed(lacking)}" if lacking else "every method"
            alike.setdefault((listed(films), methods), []).append(f"`{export.id}`")
    lines = [f"- On {films}, {methods}: {listed(models)}." for (films, methods), models in alike.items()]
    if any(methods.startswith("without") for _, methods in alike):
        lines.append("- Why less of some: with the methods that they lack, a large network takes seconds for one map.")
    if committees := [f"`{export.id}`" for export in exports if export.is_committee]:
        lines.append(f"- Not measured: {listed(committees)}, whose map is the mean of its members', which are.")
    return "\n".join(map(wrapped, lines))


def best_pointing(exports: Iterable[Export], found: dict[str, pd.DataFrame]) -> str:
    """Markdown: the best pointing game of any model and method on phantoms, beside what was wanted and the centre
    prior; and that of Grad-CAM, whose rows are of all phantoms. found: the rows of phantoms by model."""
    pairs = {
        (model_id, method): estimate
        for model_id, rows in found.items()
        for method, estimate in audit.estimates(rows, "pointing").items()
        if method in TITLES
    }
    if not pairs:
        return ""
    best = max(pairs.values(), key=lambda estimate: estimate.value)
    first = [pair for pair, estimate in pairs.items() if estimate.value == best.value]
    model_id, method = first[0]
    rows = found[model_id]
    centre, ahead = audit.estimates(rows, "pointing")[CENTRE], audit.beyond_centre(rows, "pointing")[method]
    methods = {model_id: [TITLES[method] for other, method in first if other == model_id] for model_id, _ in first}
    names = listed([f"{listed(titles)} of `{model_id}`" for model_id, titles in methods.items()])
    films = rows.loc[rows["method"] == method, "pointing"].count()
    texts = [
        f"The best pointing game is {best}, of {names} on {films} phantoms. It was picked as the best of {len(pairs)} "
        "pairs of a model and a method on those same phantoms, which flatters it. "
        f"{_beside_wanted(best.value)} Phantom by phantom it is {ahead} above the centre prior, which has {centre}."
    ]
    gradcam = {export.id: looking.read_looking(export, _PHANTOMS) for export in exports}
    by_model = {model_id: looking.estimates(rows)["pointing"] for model_id, rows in gradcam.items()}
    best_id = max(by_model, key=lambda model_id: by_model[model_id].value)
    texts.append(
        f"Grad-CAM was measured on all {len(gradcam[best_id])} phantoms with pneumonia too; there the best of "
        f"{len(by_model)} models is `{best_id}` with {by_model[best_id]}. {_beside_wanted(by_model[best_id].value)}"
    )
    return wrapped(" ".join(texts), "") + "\n"


def _beside_wanted(value: float) -> str:
    if value >= WANTED_POINTING:
        return f"That reaches the {WANTED_POINTING:.2f} that we wanted."
    return f"That falls {WANTED_POINTING - value:.3f} short of the {WANTED_POINTING:.2f} that we wanted."


def _set_tables(exports: list[Export], found: dict[str, pd.DataFrame]) -> str:
    """What is measured on the films, and what against changed networks and films, one row per model and method."""
    texts = []
    for rivalled in (True, False) if found else ():
        measures = [key for key, measure in MEASURES.items() if measure.rivalled is rivalled]
        texts.append(_measures_table(found, measures))
    if without := [f"`{export.id}`" for export in exports if export.is_network and export.id not in found]:
        texts.append(f"Not measured yet: {', '.join(without)}.\n")
    return "\n".join(texts)


def _measures_table(found: dict[str, pd.DataFrame], measures: list[str]) -> str:
    """Rows and columns without any figure are left out."""
    lines, names = [], {**TITLES, **BLIND}
    estimates = {model_id: {key: audit.estimates(rows, key) for key in measures} for model_id, rows in found.items()}
    shown = [key for key in measures if any(by_measure[key] for by_measure in estimates.values())]
    for model_id, by_measure in estimates.items():
        images = str(found[model_id]["image_id"].nunique())
        for method, title in names.items():
            figures = [str(by_measure[key].get(method, "")) for key in shown]
            if any(figures):
                lines.append([f"`{model_id}`", title, images, *figures])
    return table(["model", "method", "films", *(MEASURES[key].title.lower() for key in shown)], lines)
