"""Which explanations deserve trust: what was measured of each method's maps on a sample of images with pneumonia.

Rows, one per image and map, for the direction "pneumonia", in an export's `audit/<collection>-<part>.csv`:

- image_id, patient_id: one image per patient;
- method: a key of explainers.EXPLAINERS, or one of BLIND, which look at no film: "centre", a Gaussian in the middle of
  it, and "random", where each cell has a number drawn at random;
- in_lungs, in_opacity, pointing: as looking.measure has them;
- deletion, insertion: deletion.areas;
- head_randomised, all_randomised: likeness (likeness.py) of the map and the one of the same network after the weights
  behind the heatmap layer, or all weights, were randomised;
- shifted, exposed: likeness of the map and the one of the film moved a little, or exposed otherwise.

A figure is empty where a map is, or is the same everywhere; in_opacity and pointing on images whose opacity is not
known; the last four for "random" and for methods that would take too long. All rows of a file are of the same images,
so that methods can be compared.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from model_zoo.intervals import Estimate, clustered_mean, clustered_share
from model_zoo.registry import Export, ExportError
from model_zoo.tables import read_measures

CENTRE, RANDOM = "centre", "random"
BLIND = {CENTRE: "Centre prior", RANDOM: "Random map"}


@dataclass(frozen=True)
class Measure:
    """A column of the rows.

    question: what it asks, in one sentence. explanation: Markdown for a reader who knows none of this. better: 1 where
    a high figure speaks for a map, -1 where a low one does. rivalled: whether a blind map can be beaten in it; in the
    others it is the perfect one, or the worst one, by construction.
    """

    title: str
    question: str
    explanation: str
    better: int
    rivalled: bool


MEASURES = {
    "in_lungs": Measure(
        "Evidence in the lungs",
        "How much of the map lies in the lungs?",
        "The share of a map's evidence inside the true lung fields, where pneumonia is. It says where the model looks "
        "as much as how good the method is: a faithful map of a model that looks beside the lungs scores low.",
        1,
        True,
    ),
    "in_opacity": Measure(
        "Evidence in the opacity",
        "How much of the map lies in the opacity?",
        "The share of a map's evidence inside the opacity, which is known exactly on phantoms (energy-based pointing "
        "game, Wang et al. 2020). A map equal to the opacity scores 1.",
        1,
        True,
    ),
    "pointing": Measure(
        "Pointing game",
        "Does the strongest spot lie in the opacity?",
        "The share of phantoms on which the map's strongest spot lies inside the opacity (Zhang et al. 2018). One spot "
        "decides, so the rest of the map may lie anywhere.",
        1,
        True,
    ),
    "deletion": Measure(
        "Deletion",
        "Does the model lose its answer when the strongest cells are blanked?",
        "Cells of the film are blanked, strongest first; the figure is the mean probability of pneumonia along the way "
        "(Petsiuk et al. 2018). **Low is better**: the map named what the model needs. A model that calls a blank film "
        "pneumonia stays high whatever the map, so compare maps of one model.",
        -1,
        True,
    ),
    "insertion": Measure(
        "Insertion",
        "Does the model find its answer when the strongest cells come back?",
        "Cells come back onto a blurred film, strongest first; the figure is the mean probability of pneumonia along "
        "the way (Petsiuk et al. 2018). High is better: the map named what is enough for the model. A model that calls "
        "a blurred film pneumonia stays high whatever the map, so compare maps of one model.",
        1,
        True,
    ),
    "head_randomised": Measure(
        "Head randomised",
        "Does the map change when the layers behind it forget what they learnt?",
        "How alike the map is to that of the same network whose last layers, behind the heatmap, had their weights "
        "shuffled (after Adebayo et al. 2018; Spearman's rank correlation). **Low is better**: a map that stays the "
        "same cannot explain what those layers learnt. A blind map stays the same: 1.",
        -1,
        False,
    ),
    "all_randomised": Measure(
        "All weights randomised",
        "Does the map change when the whole network forgets what it learnt?",
        "How alike the map is to that of the same network with all its weights shuffled (after Adebayo et al. 2018; "
        "Spearman's rank correlation). **Low is better**: a map that a network without any knowledge draws as well "
        "shows the film and not the model. A blind map stays the same: 1.",
        -1,
        False,
    ),
    "shifted": Measure(
        "Moved film",
        "Does the map stay on the same anatomy when the film moves by a few pixels?",
        "How alike the map is, moved back, to that of the film moved by a thirty-second of its side (Spearman's rank "
        "correlation). High is better, but high alone proves nothing: a blind map is nearly perfect here.",
        1,
        False,
    ),
    "exposed": Measure(
        "Other exposure",
        "Does the map stay the same when the film is a little darker or brighter?",
        "How alike the map is to that of the film with another exposure (gamma 0.7 or 1.43; Spearman's rank "
        "correlation). High is better, but high alone proves nothing: a blind map does not change at all.",
        1,
        False,
    ),
}
COLUMNS = ("image_id", "patient_id", "method", *MEASURES)


def rows_path(export: Export, name: str) -> Path:
    return export.folder / "audit" / f"{name}.csv"


def read_audit(export: Export, name: str) -> pd.DataFrame:
    """Rows of one set. Raises ExportError for a file that is missing, cut or edited into something else."""
    path = rows_path(export, name)
    contents = f"what was measured of {export.id}'s maps, which `python -m train audit {export.id}` writes"
    rows = read_measures(path, contents, COLUMNS, ("image_id", "method"), ExportError)
    images = rows.groupby("method", sort=False)["image_id"].nunique()
    if images.min() < rows["image_id"].nunique():
        raise ExportError(
            f"{path}: expected every method on all {rows['image_id'].nunique()} images. "
            f"Received: {', '.join(f'{method} {count}' for method, count in images.items())}."
        )
    if CENTRE not in images:
        raise ExportError(
            f"{path}: expected rows of the method {CENTRE}, which others are compared with. Received: none."
        )
    return rows


def estimates(rows: pd.DataFrame, measure: str) -> dict[str, Estimate]:
    """The mean of one of MEASURES by method, with its 95% interval over patients, in the rows' order; methods without
    a value are left out."""
    return {
        method: (clustered_share if measure == "pointing" else clustered_mean)(part[measure], part["patient_id"])
        for method, part in rows.groupby("method", sort=False)
        if part[measure].notna().any()
    }


def beyond_centre(rows: pd.DataFrame, measure: str) -> dict[str, Estimate]:
    """How much better than the centre prior each method is, image by image: the mean of the differences, above 0 where
    the method is better, with its 95% interval over patients."""
    values = rows.pivot(index="image_id", columns="method", values=measure)
    patients = rows.drop_duplicates("image_id").set_index("image_id")["patient_id"].loc[values.index]
    advantage = values.sub(values[CENTRE], axis=0) * MEASURES[measure].better
    return {
        method: clustered_mean(advantage[method], patients)
        for method in rows["method"].unique()
        if method not in BLIND and advantage[method].notna().any()
    }
