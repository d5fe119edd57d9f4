"""Which trained models there are: a scan of the export folders.

Imports nothing that runs a model, and pandas only when rows are read: the first visit to a new server waits for what
the home page imports.

An export folder holds model.keras, card.json, predictions/*.csv and history.csv; adding a model is adding a folder.
A baseline that sees no pixels (train/width_only.py) is a folder of card.json and predictions/*.csv alone.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_zoo.card import Card, CardError, read_card

if TYPE_CHECKING:
    import pandas as pd

EXPORTS = Path(__file__).resolve().parent / "exports"


class ExportError(ValueError):
    """An export cannot be used. The message names the file and what was received."""


@dataclass(frozen=True)
class Export:
    """One trained model on disk. Reading the card is all that opening it costs."""

    folder: Path
    card: Card

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def sees_pixels(self) -> bool:
        """Whether it can be run on an image. A baseline that cannot has rows, and neither weights nor a heatmap."""
        return self.card.weights is not None

    @property
    def model_path(self) -> Path:
        return self.folder / "model.keras"

    def prediction_sets(self) -> tuple[str, ...]:
        """Names such as "chest_xray-test" of the stored prediction files."""
        return tuple(sorted(path.stem for path in (self.folder / "predictions").glob("*.csv")))

    def predictions_path(self, name: str) -> Path:
        return self.folder / "predictions" / f"{name}.csv"

    def predictions(self, name: str) -> "pd.DataFrame":
        """Rows of one set (predictions.read_predictions). Raises PredictionsError."""
        from model_zoo.predictions import read_predictions

        return read_predictions(self.predictions_path(name))

    def verified_model_path(self) -> Path:
        """model_path after its hash was compared with the card's. Raises ExportError when it is missing or differs, and
        for a baseline."""
        if not self.sees_pixels:
            raise ExportError(f"Expected a model that can be run on images. Received: {self.id}, which sees no pixels.")
        return verified(self.model_path, self.card.weights.sha256)


def verified(path: Path, sha256: str) -> Path:
    """path after its hash was compared with a card's. Raises ExportError when the file is missing or another."""
    if not path.is_file():
        raise ExportError(f"{path}: expected the model's weights. Received: no such file.")
    received = sha256_of(path)
    if received != sha256:
        raise ExportError(
            f"{path}: expected the weights of the card, sha256 {sha256[:12]}…. Received: a file with sha256 "
            f"{received[:12]}…. Restore it with `git checkout`, or export it again."
        )
    return path


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def open_export(model_id: str, root: Path = EXPORTS) -> Export:
    """Raises ExportError for an unknown id, CardError for a card that cannot be used."""
    exports, problems = scan(root)
    if model_id in exports:
        return exports[model_id]
    if model_id in problems:
        raise CardError(problems[model_id])
    raise ExportError(f"Expected one of the models {', '.join(exports) or '(none)'}. Received: {model_id!r}.")


def scan(root: Path = EXPORTS) -> tuple[dict[str, Export], dict[str, str]]:
    """(exports by id, problems by folder name): a broken export is named and the others keep working."""
    exports, problems = {}, {}
    for folder in sorted(path for path in root.glob("*") if path.is_dir() and not path.name.startswith(".")):
        try:
            card = read_card(folder / "card.json")
            if card.id != folder.name:
                raise CardError(f"{folder}: expected a card with the folder's name as id. Received: {card.id!r}.")
            exports[card.id] = Export(folder, card)
        except CardError as error:
            problems[folder.name] = str(error)
    return exports, problems


def networks(exports: dict[str, Export]) -> dict[str, Export]:
    """Those of exports that can be run on an image: all but the baselines that see no pixels."""
    return {model_id: export for model_id, export in exports.items() if export.sees_pixels}
