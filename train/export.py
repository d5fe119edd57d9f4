"""From a finished run to an export folder: compact weights, calibration, operating point, heatmap scale, card.

Everything is chosen on the recipe's validation images; `evaluate` comes last and scores a test split. A card has room
for a temperature alone, so that the calibration's offset is added to the bias of the network's last layer.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import Collection, CollectionUnavailable, Entry
from cases.settings import data_root
from model_zoo import evaluation
from model_zoo.calibration import calibrated
from model_zoo.card import Card, Data, Heatmap, Threshold, Training, Weights, write_card
from model_zoo.committee import open_engine
from model_zoo.engine import Engine, Explanation
from model_zoo.files import replacing_folder
from model_zoo.operating import at_sensitivity
from model_zoo.predictions import COLUMNS, read_predictions, write_predictions
from model_zoo.registry import Export, ExportError, sha256_of
from train import image_size
from train.calibrate import fit_calibration
from train.compact import compress, round_mantissa
from train.data import (
    PREDICTED,
    development_entries,
    entries_of,
    load_images,
    predicted,
    random_split,
    refuse_fewer,
    stored_images,
)
from train.fit import refuse_other_settings
from train.lungs.data import MASKS_LICENCE
from train.recipe import Recipe
from train.samples import write_samples

HEATMAP_PERCENTILE = 95


def export(recipe: Recipe, run: Path, root: Path) -> Export:
    """Write root/<recipe.id> from the finished run, replacing an earlier export and its repeats only once the new one
    is complete.

    Raises ExportError when the run is not finished, TrainingStopped when it is of other settings, CollectionUnavailable
    without the images that it learnt from and held out.
    """
    if not (run / "trained.keras").exists():
        raise ExportError(f"{run}: expected a finished run. Received: no trained.keras. Run `fit` first.")
    refuse_other_settings(recipe, run)
    collection = open_collection(recipe.collection)
    listed = json.loads((run / "split.json").read_text())
    split = {part: entries_of(collection, ids) for part, ids in listed.items()}
    validation = load_images(collection, split["validation"], recipe.input_side, recipe.channels)

    network = keras.models.load_model(run / "trained.keras", compile=False)
    before = predicted(network, validation.images, f"{recipe.id}, as trained")[:, 0]
    network.set_weights([round_mantissa(weight, recipe.mantissa_bits) for weight in network.get_weights()])
    rounded = predicted(network, validation.images, f"{recipe.id}, rounded")[:, 0]
    temperature, offset = fit_calibration(rounded, validation.labels)
    # Not rounded, as rounding moves all answers to one side: the calibration undoes that too.
    bias = network.layers[-1].bias
    bias.assign(bias + offset)
    with replacing_folder(root / recipe.id) as folder:
        path = folder / "model.keras"
        network.save(path)
        compress(path)

        card = _draft(recipe, run, path, network.count_params(), {**split, "test": collection.entries("test")})
        engine = Engine(Export(folder, card))
        starts = tqdm(
            range(0, len(validation.images), PREDICTED), desc=f"{recipe.id}, heatmaps", unit="batch", mininterval=1
        )
        blocks = (validation.images[start : start + PREDICTED] for start in starts)
        explanations = [explanation for block in blocks for explanation in engine.explain(block)]
        logits = np.array([explanation.logit for explanation in explanations])
        temperature = round(temperature, 4)
        name = f"{recipe.collection}-validation"
        rows = prediction_rows(validation.entries, calibrated(logits, temperature))
        write_predictions(rows, folder / "predictions" / f"{name}.csv")
        rows = read_predictions(folder / "predictions" / f"{name}.csv")
        threshold = operating_point(rows, recipe.target_sensitivity, name)
        shift = roc_auc_score(validation.labels, logits) - roc_auc_score(validation.labels, before)
        card = dataclasses.replace(
            card,
            heatmap=heatmap_of(recipe.heatmap_layer, explanations),
            temperature=temperature,
            threshold=threshold,
            weights=dataclasses.replace(card.weights, auroc_shift=round(float(shift), 6)),
            metrics={name: evaluation.summarise(rows, threshold.value)},
        )
        write_card(card, folder / "card.json")
        shutil.copy(run / "history.csv", folder / "history.csv")
        write_samples(recipe, folder)
    return Export(root / recipe.id, card)


def evaluate(export: Export, collection_id: str) -> dict[str, dict]:
    """Score the test split of a collection with an export; store the rows and their summaries, which are returned by
    the set's name. A recipe with a random_test_share has that share of its own collection scored too ("random25").

    Reading the test split of the model's own collection is noted on the card. Nothing is chosen by it; `audit` and
    `shortcuts` read it too, to measure exports that are finished. Raises ExportError for a collection without labelled
    test images, and CollectionUnavailable for one without some that there are rows of, or of which that share is
    another than the one kept out of training, before anything is written.
    """
    collection = open_collection(collection_id)
    card = export.card
    own = collection_id == card.data.collection
    parts = {"test": [entry for entry in collection.entries("test") if entry.label is not None]}
    if own and (share := card.recipe.get("random_test_share")):
        parts["random25"] = random_split(development_entries(collection), share, card.recipe["seed"])[1]
        _refuse_another_draw(export, collection, parts["random25"])
    if not all(parts.values()):
        raise ExportError(f"Expected a collection with labelled test images. Received: {collection_id}, without any.")
    for part, entries in parts.items():
        refuse_fewer(collection, entries, stored_images(partial(export.predictions, f"{collection_id}-{part}")))
    score = _by_pixels(export) if export.sees_pixels else _by_size(export)
    summaries = {}
    for part, entries in parts.items():
        name = f"{collection_id}-{part}"
        write_predictions(prediction_rows(entries, score(collection, entries)), export.predictions_path(name))
        summaries[name] = evaluation.summarise(export.predictions(name), card.threshold.value)
    data = card.data
    if own:
        data = dataclasses.replace(data, test_read=(*data.test_read, date.today().isoformat()))
    card = dataclasses.replace(card, data=data, metrics={**card.metrics, **summaries})
    write_card(card, export.folder / "card.json")
    return summaries


def _refuse_another_draw(export: Export, collection: Collection, apart: Sequence[Entry]) -> None:
    """Raises CollectionUnavailable when a random share is not the one that was kept out of an export's training, as on
    a copy of the films that lacks some or has more. Most of another share was learnt from."""
    held_out = set(export.predictions(f"{collection.id}-validation")["image_id"])
    if shared := held_out & {entry.id for entry in apart}:
        raise CollectionUnavailable(
            f"Expected the copy of {collection.id} that {export.id} was trained on, in {data_root()}: its random share "
            f"is drawn from all images. Received: another, whose share has {len(shared)} of its validation images, "
            f"{min(shared)} among them, and so may have some that it learnt from."
        )


def _by_pixels(export: Export) -> Callable[[Collection, Sequence[Entry]], np.ndarray]:
    """A function that gives the probabilities (n,) of images."""
    engine = open_engine(export)

    def score(collection: Collection, entries: Sequence[Entry]) -> np.ndarray:
        read = tqdm(entries, desc=f"{export.id} on {collection.id}", unit="image", mininterval=1)
        return np.array(list(engine.probabilities(collection.load(entry.id).pixels for entry in read)))

    return score


def _by_size(export: Export) -> Callable[[Collection, Sequence[Entry]], np.ndarray]:
    """As _by_pixels, for a baseline."""
    card = export.card
    return lambda collection, entries: image_size.probabilities(
        card.recipe, card.temperature, image_size.log_widths(collection, entries)
    )


def operating_point(rows: pd.DataFrame, target: float, name: str) -> Threshold:
    """The card's threshold, chosen on validation rows. target: sensitivity. name: of the rows' set."""
    return Threshold(
        value=at_sensitivity(rows["probability"].to_numpy(), rows["label"].to_numpy(), target),
        rule=f"the highest threshold with a sensitivity of at least {target:.0%}",
        chosen_on=name,
    )


def heatmap_of(layer: str | None, explanations: Sequence[Explanation]) -> Heatmap:
    """The card's heatmap, its scale found on the validation images' explanations."""
    strongest = [np.abs(explanation.signed_map).max() for explanation in explanations]
    scale = float(f"{np.percentile(strongest, HEATMAP_PERCENTILE):.4g}")
    if scale == 0:
        return Heatmap(layer, 1.0, "any, because the network answers the validation images alike")
    return Heatmap(
        layer=layer,
        scale=scale,
        rule=f"{HEATMAP_PERCENTILE}th percentile of the validation images' strongest evidence, either direction",
    )


def prediction_rows(entries: Sequence[Entry], probabilities: np.ndarray) -> pd.DataFrame:
    """Rows as predictions.py describes them; an image without a known patient counts as a patient of its own."""
    table = [
        (entry.id, entry.patient_id or entry.id, entry.label, entry.subtype or "", probability)
        for entry, probability in zip(entries, probabilities, strict=True)
    ]
    return pd.DataFrame(table, columns=list(COLUMNS))


def _draft(recipe: Recipe, run: Path, path: Path, parameters: int, parts: dict[str, Sequence[Entry]]) -> Card:
    """The card with everything that is known before the validation images are scored."""
    history = pd.read_csv(run / "history.csv")
    environment = json.loads((run / "environment.json").read_text())
    return Card(
        id=recipe.id,
        title=recipe.title,
        summary=recipe.summary,
        architecture=recipe.architecture,
        side=recipe.input_side,
        channels=recipe.channels,
        heatmap=Heatmap(recipe.heatmap_layer, 1.0, "none yet"),
        temperature=1.0,
        threshold=Threshold(0.5, "none yet", "none"),
        weights=Weights(
            started_from=environment["started_from"],
            sha256=sha256_of(path),
            bytes=path.stat().st_size,
            parameters=parameters,
            mantissa_bits=recipe.mantissa_bits,
            auroc_shift=0.0,
        ),
        data=data_of(recipe, parts),
        recipe=recipe.hyperparameters(),
        training=Training(
            device=environment["device"],
            seconds=round(float(history["seconds"].sum()), 1),
            epochs=len(history),
            versions=environment["versions"],
        ),
        limits=recipe.limits,
        reference=recipe.reference,
    )


def data_of(recipe: Recipe, parts: dict[str, Sequence[Entry]]) -> Data:
    """What the card says of a recipe's data. parts: training, validation and test."""
    collection = open_collection(recipe.collection)
    licences = [collection.licence]
    if recipe.needs_lungs and not collection.synthetic:
        licences.append(MASKS_LICENCE)
    return Data(
        collection=recipe.collection,
        protocol=_protocol(recipe),
        licence="; ".join(licences),
        counts={name: counts_of(entries) for name, entries in parts.items()},
    )


def _protocol(recipe: Recipe) -> str:
    rest = "whole patients of the rest split into training and validation"
    if not recipe.random_test_share:
        return f"official test split; {rest}"
    return (
        f"official test split; of the rest, {recipe.random_test_share:.0%} of the images drawn at random regardless of "
        f"patients, as the published protocol does, and reported apart; {rest}"
    )


def counts_of(entries: Sequence[Entry]) -> dict[str, int]:
    """What the card says of one part's labelled images."""
    pneumonia = sum(entry.label for entry in entries)
    return {
        "images": len(entries),
        "patients": len({entry.patient_id or entry.id for entry in entries}),
        "normal": len(entries) - pneumonia,
        "pneumonia": pneumonia,
    }
