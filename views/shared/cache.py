"""Every st.cache_* function, and the locks of the models in memory.

Models are resources: at most MAX_MODELS are resident, each with one lock, and nobody changes them. Results are data:
bounded, and keyed by what they depend on, so that a new export or another upload never shows an old answer.
TensorFlow is imported when the first model is asked for, not before.
"""

import hashlib
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import pandas as pd
import streamlit as st

from cases.collections import open_collection
from cases.collections.base import Collection, Entry
from cases.radiograph import Radiograph
from model_zoo import evaluation
from model_zoo.predictions import read_predictions
from model_zoo.registry import EXPORTS, Export, scan

MAX_MODELS = 3


def exports() -> tuple[dict[str, Export], dict[str, str]]:
    """registry.scan of the built-in exports, repeated only when a card was changed."""
    return _exports(tuple(sorted((str(path), path.stat().st_mtime_ns) for path in EXPORTS.glob("*/card.json"))))


@st.cache_resource(max_entries=1, show_spinner=False)
def _exports(fingerprint):
    return scan(EXPORTS)


@st.cache_resource(max_entries=MAX_MODELS, show_spinner="Loading the model…")
def _resident(model_id: str, sha256: str):
    from model_zoo.engine import Engine

    return Engine(exports()[0][model_id]), Lock()


def explain(export: Export, pixels: np.ndarray):
    """engine.Explanation of one radiograph. Raises ExportError for a model that cannot be loaded."""
    digest = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
    return _explanation(export.id, export.card.weights.sha256, digest, pixels)


@st.cache_data(max_entries=512, show_spinner="Asking the model…")
def _explanation(model_id: str, sha256: str, digest: str, _pixels: np.ndarray):
    engine, lock = _resident(model_id, sha256)
    with lock:
        return engine.explain(engine.input(_pixels)[np.newaxis])[0]


@st.cache_resource(max_entries=8, show_spinner=False)
def collection(collection_id: str) -> Collection:
    """collections.open_collection. Raises CollectionUnavailable, whose message says what brings it."""
    return open_collection(collection_id)


@st.cache_data(max_entries=32, show_spinner=False)
def entries(collection_id: str, split: str | None = None) -> tuple[Entry, ...]:
    return collection(collection_id).entries(split)


def image_ids(collection_id: str) -> set[str]:
    """The images that this machine's copy of a collection has. Raises CollectionUnavailable."""
    return {entry.id for entry in collection(collection_id).entries()}


@st.cache_data(max_entries=64, show_spinner=False)
def radiograph(collection_id: str, image_id: str) -> Radiograph:
    return collection(collection_id).load(image_id)


@st.cache_data(max_entries=4096, show_spinner=False)
def thumbnail(collection_id: str, image_id: str, side: int = 160) -> bytes:
    """JPEG bytes of a square thumbnail."""
    return _thumbnail(collection(collection_id).load(image_id).pixels, side)


def _thumbnail(pixels: np.ndarray, side: int) -> bytes:
    return cv2.imencode(".jpg", cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA))[1].tobytes()


def predictions(export: Export, name: str) -> pd.DataFrame:
    """Rows of one prediction set. Raises PredictionsError, which names file, line and column."""
    path = export.predictions_path(name)
    return _predictions(path, path.stat().st_mtime_ns if path.exists() else 0)


@st.cache_data(max_entries=64, show_spinner=False)
def _predictions(path: Path, modified: int) -> pd.DataFrame:
    return read_predictions(path)


@st.cache_data(max_entries=256, show_spinner=False)
def estimates(rows: pd.DataFrame, threshold: float) -> dict[str, evaluation.Estimate]:
    return evaluation.estimates(rows, threshold)


@st.cache_data(max_entries=64, show_spinner=False)
def roc_band(rows: pd.DataFrame) -> pd.DataFrame:
    return evaluation.roc_band(rows)
