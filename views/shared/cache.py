"""Every st.cache_* function, and the locks of the models in memory.

Models are resources: at most MAX_MODELS are resident, each with one lock, and nobody changes them. Results are data:
bounded, and keyed by what they depend on, so that a new export or another upload never shows an old answer.
TensorFlow is imported when the first model is asked for, not before.
"""

import hashlib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import pandas as pd
import streamlit as st

from cases.collections import open_collection
from cases.collections.base import Collection, Entry
from cases.collections.folder import FolderCollection, is_folder_id, remember, remembered
from cases.radiograph import Radiograph, RadiographError, digest_of
from cases.settings import models_in_memory
from model_zoo import audit, batch, comparison, evaluation, neighbours
from model_zoo import shortcuts as shortcut_rows
from model_zoo.lungs.gate import GATE_CARD, Look
from model_zoo.predictions import COLUMNS, DOUBTS, PredictionsError, read_predictions, read_scores
from model_zoo.predictions import unknown_images as find_unknown_images
from model_zoo.registry import EXPORTS, Export, scan
from model_zoo.subgroups import Subgroup
from model_zoo.subgroups import subgroups as find_subgroups
from model_zoo.sweep import Sweep
from model_zoo.sweep import sweep as sweep_thresholds
from views.shared import jobs
from views.shared.visitor import may_read

MAX_MODELS = models_in_memory()

_LOOKS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="look")


def exports() -> tuple[dict[str, Export], dict[str, str]]:
    """registry.scan of the built-in exports, repeated only when a card was changed."""
    cards = chain(EXPORTS.glob("*/card.json"), EXPORTS.glob("*/repeats/*/card.json"))
    return _exports(tuple(sorted((str(path), path.stat().st_mtime_ns) for path in cards)))


@st.cache_resource(max_entries=1, show_spinner=False)
def _exports(fingerprint):
    return scan(EXPORTS)


def _state(export: Export) -> str:
    """What a model's answers depend on: with another temperature the same weights have other probabilities, and with
    another scale of a member's a committee has another map."""
    cards = [model.card for model in (export, *export.members)]
    return f"{export.fingerprint} {[(card.temperature, card.heatmap) for card in cards]}"


@st.cache_resource(max_entries=MAX_MODELS, show_spinner="Loading the model…")
def _resident(model_id: str, state: str):
    from model_zoo.committee import open_engine

    return open_engine(exports()[0][model_id]), Lock()


def explain(export: Export, pixels: np.ndarray):
    """engine.Explanation of one radiograph. Raises ExportError for a model that cannot be loaded."""
    return _explanation(export.id, _state(export), digest_of(pixels), pixels)


@st.cache_data(max_entries=512, show_spinner="Asking the model…")
def _explanation(model_id: str, state: str, digest: str, _pixels: np.ndarray):
    engine, lock = _resident(model_id, state)
    with lock:
        return engine.explain(engine.input(_pixels)[np.newaxis])[0]


@st.cache_resource(max_entries=1, show_spinner="Loading the lung-field network…")
def _chest_gate(modified: int):
    from model_zoo.lungs.gate import ChestGate
    from model_zoo.lungs.segmenter import LungSegmenter

    return ChestGate(LungSegmenter()), Lock()


def begin_look(radiograph: Radiograph) -> Future[Look]:
    """look() in the background, while a model is asked: on two cores both together take less time than in turn.

    Raises as look().
    """
    return _begun_look(_modified(GATE_CARD), radiograph.digest, radiograph.colour, radiograph)


@st.cache_resource(max_entries=512, show_spinner=False)
def _begun_look(modified: int, digest: str, colour: float, _radiograph: Radiograph) -> Future[Look]:
    gate, lock = _chest_gate(modified)

    def locked_look() -> Look:
        with lock:
            return gate.look(_radiograph)

    return _LOOKS.submit(locked_look)


def look(radiograph: Radiograph) -> Look:
    """ChestGate.look at one radiograph. Raises ExportError and CardError for a network or gate that cannot be used."""
    begun = begin_look(radiograph)
    try:
        with nullcontext() if begun.done() else st.spinner("Finding the lungs…"):
            return begun.result()
    except Exception:
        # Or the same failure would be answered again, without another try.
        _begun_look.clear()
        raise


def explainers() -> dict:
    """explainers.EXPLAINERS. Imports TensorFlow."""
    from model_zoo.explainers import EXPLAINERS

    return EXPLAINERS


def passes(export: Export, method: str) -> int:
    """How many images one of explainers() asks a model about. Raises ExportError for one that cannot be loaded."""
    engine, _ = _resident(export.id, _state(export))
    return explainers()[method].passes(engine)


def method_map(export: Export, method: str, pixels: np.ndarray, direction: str) -> tuple[np.ndarray, float]:
    """The raw map of one of explainers(), and the milliseconds that it took when it was made. Raises ExportError."""
    return _method_map(export.id, _state(export), method, direction, digest_of(pixels), pixels)


# A map at the input's resolution has 150 KB.
@st.cache_data(max_entries=256, show_spinner="Asking the model…")
def _method_map(model_id: str, state: str, method: str, direction: str, digest: str, _pixels: np.ndarray):
    engine, lock = _resident(model_id, state)
    explainer, image = explainers()[method], engine.input(_pixels)
    passes = explainer.passes(engine)
    # An engine may be called by several at once; whoever wants one pass is not kept waiting for a hundred.
    with lock if passes == 1 else nullcontext():
        if passes == 1:
            # The first call builds the traced function, which would be most of what is measured.
            explainer(engine, image, direction)
        started = time.perf_counter()
        heatmap = explainer(engine, image, direction)
        return heatmap, 1000 * (time.perf_counter() - started)


def depth_maps(export: Export, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """engine.explain_depths of one radiograph: signed map by layer, shallow to deep. Raises ExportError."""
    return _depth_maps(export.id, _state(export), digest_of(pixels), pixels)


@st.cache_data(max_entries=64, show_spinner="Asking the model…")
def _depth_maps(model_id: str, state: str, digest: str, _pixels: np.ndarray) -> dict[str, np.ndarray]:
    engine, lock = _resident(model_id, state)
    with lock:
        maps = engine.explain_depths(engine.input(_pixels)[np.newaxis])
    return {layer: signed[0] for layer, signed in zip(engine.depths, maps, strict=True)}


def milliseconds(export: Export) -> float:
    """Milliseconds for one image and its heatmap on this machine: the quickest of 20 passes, because whatever else the
    machine does only slows a pass down.

    Not cached: whoever asks wants it measured. Raises ExportError for a model that cannot be loaded.
    """
    engine, lock = _resident(export.id, _state(export))
    image = engine.input(np.full((256, 256), 128, np.uint8))[np.newaxis]
    seconds = []
    with lock:
        # The first call builds the traced function.
        engine.explain(image)
        for _ in range(20):
            started = time.perf_counter()
            engine.explain(image)
            seconds.append(time.perf_counter() - started)
    return 1000 * min(seconds)


def film_features(export: Export, pixels: np.ndarray) -> np.ndarray:
    """engine.features of one radiograph, float32 (maps,). Raises ExportError for a model that cannot be loaded."""
    return _film_features(export.id, _state(export), digest_of(pixels), pixels)


@st.cache_data(max_entries=512, show_spinner=False)
def _film_features(model_id: str, state: str, digest: str, _pixels: np.ndarray) -> np.ndarray:
    engine, lock = _resident(model_id, state)
    with lock:
        return engine.features(engine.input(_pixels)[np.newaxis])[0]


def training_features(export: Export) -> neighbours.Features:
    """What is stored of neighbours.gather for a model; empty before it ran."""
    path = neighbours.features_path(export)
    return _training_features(path, _modified(path))


# Tens of megabytes each, and nobody changes them.
@st.cache_resource(max_entries=2, show_spinner=False)
def _training_features(path: Path, modified: int) -> neighbours.Features:
    return neighbours.read_features(path)


def start_gathering(export: Export, entries: tuple[Entry, ...]) -> jobs.Job:
    """neighbours.gather in the background, or the run that is at it. Raises ExportError, CollectionUnavailable."""
    engine, lock = _resident(export.id, _state(export))
    made, path = collection(export.card.data.collection), neighbours.features_path(export)
    return jobs.start(path, lambda: neighbours.gather(made, entries, engine, lock, path))


# For a minute, as folder(): people add films to a folder while the app runs.
@st.cache_resource(max_entries=8, ttl=60, show_spinner=False)
def collection(collection_id: str) -> Collection:
    """collections.open_collection. Raises CollectionUnavailable, whose message says what brings it."""
    return open_collection(collection_id)


def image_ids(collection_id: str) -> set[str]:
    """The images that this machine's copy of a collection has. Raises CollectionUnavailable."""
    return {entry.id for entry in collection(collection_id).entries()}


def radiograph(collection_id: str, image_id: str) -> Radiograph:
    """Raises RadiographError, for an image that is gone since the page listed it too."""
    return _radiograph(collection_id, image_id, _stamp(collection_id, image_id))


@st.cache_data(max_entries=64, show_spinner=False)
def _radiograph(collection_id: str, image_id: str, stamp: str) -> Radiograph:
    return _load(collection_id, image_id)


def thumbnail(collection_id: str, image_id: str) -> bytes:
    """JPEG bytes of a thumbnail, a square of 160 pixels a side. Raises RadiographError as radiograph()."""
    return _thumbnail(collection_id, image_id, _stamp(collection_id, image_id))


@st.cache_data(max_entries=4096, show_spinner=False)
def _thumbnail(collection_id: str, image_id: str, stamp: str) -> bytes:
    pixels = _load(collection_id, image_id).pixels
    return cv2.imencode(".jpg", cv2.resize(pixels, (160, 160), interpolation=cv2.INTER_AREA))[1].tobytes()


def _stamp(collection_id: str, image_id: str) -> str:
    """Another one for another image of the same name: people replace files in their own folders."""
    made = collection(collection_id)
    return made.stamp(image_id) if isinstance(made, FolderCollection) else ""


def _load(collection_id: str, image_id: str) -> Radiograph:
    # Once: another look may find another listing.
    made = collection(collection_id)
    if not any(entry.id == image_id for entry in made.entries()):
        raise RadiographError(f"Expected an image that is still there. Received: {image_id}, which is not.")
    return made.load(image_id)


def prediction_sets(export: Export) -> tuple[str, ...]:
    """The export's stored sets, then the labelled folders that it scored on this machine and this visitor may see, by
    their collection ids."""
    if not export.sees_pixels:
        return export.prediction_sets()
    return export.prediction_sets() + tuple(name for name in scored_folders() if _has_labels(export, name))


def predictions(export: Export, name: str) -> pd.DataFrame:
    """Rows of one of prediction_sets(). Raises PredictionsError, which names file, line and column, or the file alone
    where each row is sound, but they are not those that the card's figures are of."""
    if is_folder_id(name):
        labelled = scores(export, name)[list(COLUMNS)].dropna(subset="label")
        return labelled.astype({"label": int}).reset_index(drop=True)
    path = export.predictions_path(name)
    return _predictions(path, _modified(path), export.card.metrics.get(name, {}))


@st.cache_data(max_entries=64, show_spinner=False)
def _predictions(path: Path, modified: int, summary: dict) -> pd.DataFrame:
    rows = read_predictions(path)
    if difference := evaluation.unlike(rows, summary):
        raise PredictionsError(f"{path}: expected the rows that the card's figures are of, {difference}.")
    return rows


def audited(export: Export, name: str) -> pd.DataFrame | None:
    """audit.read_audit of one set; None before it was measured. Raises ExportError for rows that cannot be used."""
    path = audit.rows_path(export, name)
    return _audited(export, name, _modified(path)) if path.exists() else None


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={Export: lambda export: str(export.folder)})
def _audited(export: Export, name: str, modified: int) -> pd.DataFrame:
    return audit.read_audit(export, name)


def unknown_images(export: Export, name: str, collection_id: str) -> PredictionsError | None:
    """predictions.unknown_images() of a stored set. Raises CollectionUnavailable and PredictionsError."""
    path = export.predictions_path(name)
    return _unknown_images(path, _modified(path), collection_id)


@st.cache_data(max_entries=64, ttl=60, show_spinner=False)
def _unknown_images(path: Path, modified: int, collection_id: str) -> PredictionsError | None:
    return find_unknown_images(path, image_ids(collection_id))


def scored_folders() -> dict[str, Path]:
    """The folders that were scored on this machine and that this visitor may see, by collection id."""
    return {collection_id: root for collection_id, root in remembered().items() if may_read(root)}


def scores(export: Export, collection_id: str) -> pd.DataFrame:
    """What a model said of a folder so far (predictions.read_scores); no row before the first run. PredictionsError."""
    path = batch.results_of(collection_id, export).scores
    return _scores(path, _modified(path)) if path.exists() else pd.DataFrame(columns=[*COLUMNS, DOUBTS])


# Few, because a run that goes on makes a new one at each look.
@st.cache_data(max_entries=8, show_spinner=False)
def _scores(path: Path, modified: int) -> pd.DataFrame:
    return read_scores(path)


def _has_labels(export: Export, collection_id: str) -> bool:
    path = batch.results_of(collection_id, export).scores
    return path.exists() and _labels_in(path, _modified(path))


@st.cache_data(max_entries=256, show_spinner=False)
def _labels_in(path: Path, modified: int) -> bool:
    try:
        return bool(read_scores(path)["label"].notna().any())
    except PredictionsError:
        # Offered, so that choosing it tells what is wrong.
        return True


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@st.cache_resource(max_entries=8, ttl=60, show_spinner="Looking into the folder…")
def folder(root: Path) -> FolderCollection:
    """The images of a folder, listed anew each minute. Raises CollectionUnavailable."""
    found = FolderCollection(root)
    found.entries()
    return found


def start_scoring(root: Path, export: Export) -> jobs.Job:
    """Score a folder in the background, or find the run that is at it. Raises ExportError, CardError and
    CollectionUnavailable."""
    engine, lock = _resident(export.id, _state(export))
    gate, gate_lock = _chest_gate(_modified(GATE_CARD))

    def doubts_of(radiograph: Radiograph) -> tuple[str, ...]:
        with gate_lock:
            return gate.look(radiograph).doubts

    made = FolderCollection(root)
    remember(root)
    # What these know of the folder's images may be out of date.
    for function in (folder, collection):
        function.clear()
    results = batch.results_of(made.id, export)
    return jobs.start(results, lambda: batch.score(made, engine, lock, doubts_of, results))


def _rows_digest(rows: pd.DataFrame) -> bytes:
    """Of every row. Streamlit's own looks at a sample of large tables."""
    return hashlib.sha256(pd.util.hash_pandas_object(rows).to_numpy().tobytes()).digest()


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs={pd.DataFrame: _rows_digest})
def audit_estimates(rows: pd.DataFrame, measure: str) -> dict[str, evaluation.Estimate]:
    return audit.estimates(rows, measure)


@st.cache_data(max_entries=512, show_spinner=False, hash_funcs={pd.DataFrame: _rows_digest})
def beyond_centre(rows: pd.DataFrame, measure: str) -> dict[str, evaluation.Estimate]:
    return audit.beyond_centre(rows, measure)


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs={pd.DataFrame: _rows_digest})
def estimates(rows: pd.DataFrame, threshold: float) -> dict[str, evaluation.Estimate]:
    return evaluation.estimates(rows, threshold)


def shortcuts(export: Export, name: str) -> dict[str, shortcut_rows.Response]:
    """shortcuts.responses of one stored set. Raises ExportError."""
    path = shortcut_rows.rows_path(export, name)
    return _shortcuts(path, _modified(path), export.card.threshold.value, export)


@st.cache_data(max_entries=128, show_spinner="Drawing patients anew…")
def _shortcuts(path: Path, modified: int, threshold: float, _export: Export) -> dict[str, shortcut_rows.Response]:
    return shortcut_rows.responses(shortcut_rows.read_shortcuts(_export, path.stem), threshold)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={pd.DataFrame: _rows_digest})
def roc_band(rows: pd.DataFrame) -> pd.DataFrame:
    return evaluation.roc_band(rows)


def auroc_difference_by_patient(
    first: np.ndarray, second: np.ndarray, positive: np.ndarray, patient_id: np.ndarray
) -> evaluation.Estimate:
    # Numbers, because Streamlit tells arrays of text apart by where they lie in memory.
    return _auroc_difference_by_patient(first, second, positive, np.unique(patient_id, return_inverse=True)[1])


@st.cache_data(max_entries=64, show_spinner=False)
def _auroc_difference_by_patient(
    first: np.ndarray, second: np.ndarray, positive: np.ndarray, patient: np.ndarray
) -> evaluation.Estimate:
    return comparison.auroc_difference_by_patient(first, second, positive, patient)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={pd.DataFrame: _rows_digest})
def precision_recall_band(rows: pd.DataFrame) -> pd.DataFrame:
    return evaluation.precision_recall_band(rows)


# A resource, because it holds 16 MB that nobody changes and copying them would cost more than a move of the threshold.
@st.cache_resource(max_entries=4, show_spinner="Drawing patients anew…", hash_funcs={pd.DataFrame: _rows_digest})
def sweep(rows: pd.DataFrame, thresholds: tuple[float, ...]) -> Sweep:
    return sweep_thresholds(rows, thresholds)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={pd.DataFrame: _rows_digest})
def subgroups(rows: pd.DataFrame, thresholds: tuple[float, ...]) -> list[Subgroup]:
    return find_subgroups(rows, thresholds)
