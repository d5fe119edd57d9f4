"""From a finished run of the lung-field network to model_zoo/lungs/export: `python -m train lungs export` and
`evaluate`. The gate is set on validation images; only `evaluate` reads a test split."""

import dataclasses
import json
import shutil
from collections.abc import Iterable
from datetime import date
from functools import partial
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import Collection, Entry
from model_zoo.card import write_card
from model_zoo.files import replacing_folder
from model_zoo.lungs.card import Gate, LungCard, read_lung_card
from model_zoo.lungs.regions import confidence, without_fragments
from model_zoo.lungs.rows import COLUMNS, FILM, dice, hausdorff95, read_rows, rows_path, summarise
from model_zoo.lungs.segmenter import LungSegmenter
from model_zoo.registry import ExportError, sha256_of
from model_zoo.tables import write_rows
from train.compact import compress, round_mantissa
from train.data import entries_of, stored_images
from train.lungs.data import MASKS_LICENCE, masked_test_films, true_mask

MANTISSA_BITS = 8
# Of the validation films, the share that each of the gate's two limits may turn away.
TURNED_AWAY = 0.0025


def export(run: Path, folder: Path) -> LungCard:
    """Write the export from the finished run, replacing an earlier one only once the new one is complete.

    Raises ExportError when the run is not finished, CollectionUnavailable without the images that it held out or their
    masks.
    """
    if not (run / "trained.keras").exists():
        raise ExportError(f"{run}: expected a finished run. Received: no trained.keras. Run `lungs fit` first.")
    environment = json.loads((run / "environment.json").read_text())
    split = json.loads((run / "split.json").read_text())
    settings = environment["settings"]
    collection = open_collection(settings["collection"])
    validation = entries_of(collection, split["validation"])
    network = keras.models.load_model(run / "trained.keras", compile=False)
    network.set_weights([round_mantissa(weight, MANTISSA_BITS) for weight in network.get_weights()])
    with replacing_folder(folder) as unfinished:
        path = unfinished / "model.keras"
        network.save(path)
        compress(path)
        shutil.copy(run / "history.csv", unfinished / "history.csv")

        card = LungCard(
            title="Lung fields",
            architecture="a U-Net that works at half its input's resolution",
            side=settings["side"],
            gate=Gate(0.0, 0.0, "none yet", "none"),
            sha256=sha256_of(path),
            bytes=path.stat().st_size,
            parameters=network.count_params(),
            mantissa_bits=MANTISSA_BITS,
            licence=f"{collection.licence}; {MASKS_LICENCE}",
            counts={part: len(ids) for part, ids in split.items()},
            recipe=settings,
            device=environment["device"],
            versions=environment["versions"],
        )
        write_card(card, unfinished / "card.json")
        name = f"{collection.id}-validation"
        gate = _gate(LungSegmenter(unfinished), collection, validation, name)
        write_card(dataclasses.replace(card, gate=gate), unfinished / "card.json")
        _measure(unfinished, collection, validation, name)
    return read_lung_card(folder)


def evaluate(folder: Path, collection_id: str) -> LungCard:
    """Measure an export on the test split of a collection that has masks; rows and summary are stored.

    Raises CollectionUnavailable when images that it was measured on before, or their masks, are missing."""
    collection, name = open_collection(collection_id), f"{collection_id}-test"
    _measure(folder, collection, masked_test_films(collection, stored_images(partial(read_rows, name, folder))), name)
    card = read_lung_card(folder)
    if not collection.synthetic:
        card = dataclasses.replace(card, test_read=(*card.test_read, date.today().isoformat()))
        write_card(card, folder / "card.json")
    return card


def _gate(segmenter: LungSegmenter, collection: Collection, entries: Iterable[Entry], name: str) -> Gate:
    bar = tqdm(entries, desc="limits of the lungs", unit="image", mininterval=1)
    maps = [segmenter.probabilities(segmenter.input(collection.load(e.id).pixels)[np.newaxis])[0] for e in bar]
    limits = [
        round(float(np.quantile(values, TURNED_AWAY)), 4)
        for values in ([without_fragments(one > 0.5).mean() for one in maps], [confidence(one) for one in maps])
    ]
    rule = f"each limit turns {TURNED_AWAY:.2%} of the validation films away"
    return Gate(*limits, rule=rule, chosen_on=name)


def _measure(folder: Path, collection: Collection, entries: Iterable[Entry], name: str) -> None:
    """Store rows and summary of these entries."""
    segmenter = LungSegmenter(folder)
    rows = []
    for entry in tqdm(entries, desc=f"lungs on {name}", unit="image", mininterval=1):
        radiograph = collection.load(entry.id)
        probability = segmenter.probabilities(segmenter.input(radiograph.pixels)[np.newaxis])[0]
        found = cv2.resize(probability, (FILM, FILM), interpolation=cv2.INTER_LINEAR) > 0.5
        true = true_mask(radiograph, entry).astype(np.uint8)
        true = cv2.resize(true, (FILM, FILM), interpolation=cv2.INTER_NEAREST) > 0
        passed = segmenter.fields(probability) is not None
        overlap, distance = dice(found, true), hausdorff95(found, true)
        rows.append((entry.id, entry.patient_id or entry.id, round(overlap, 5), round(distance, 3), int(passed)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    write_rows(table, rows_path(name, folder))
    card = read_lung_card(folder)
    card = dataclasses.replace(card, metrics={**card.metrics, name: summarise(table)})
    write_card(card, folder / "card.json")
