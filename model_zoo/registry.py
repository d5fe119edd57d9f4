"""Which trained models there are: a scan of the export folders.

Imports nothing that runs a model, and pandas only when rows are read: the first visit to a new server waits for what
the home page imports.

An export folder holds model.keras, card.json, predictions/*.csv and history.csv; adding a model is adding a folder.
A baseline that sees no pixels (train/width_only.py), a committee of other exports (train/committee.py) and, in the
folder repeats/ of its model, a repeat (train/repeats.py) are folders without weights: a card and rows.
"""

import hashlib
from dataclasses import dataclass, replace
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
    """One trained model on disk. Reading the card is all that opening it costs.

    members: of a committee, in the card's order; none for other models. repeats: the same recipe on the same split,
    trained with other draws; they show how far chance goes, and have cards and rows, but no weights to run.
    """

    folder: Path
    card: Card
    members: tuple["Export", ...] = ()
    repeats: tuple["Export", ...] = ()

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def sees_pixels(self) -> bool:
        """Whether it can be run on an image. A baseline that cannot has rows, and neither weights nor a heatmap."""
        return self.card.heatmap is not None

    @property
    def is_network(self) -> bool:
        """Whether it has weights of its own, and so layers, a history and a heatmap layer."""
        return self.card.weights is not None

    @property
    def is_committee(self) -> bool:
        """Whether it answers with the mean of other exports, its members."""
        return self.card.committee is not None

    @property
    def fingerprint(self) -> str:
        """What tells it from the same model made anew: the sha256 of its weights, or one of its members'. Not for a
        baseline."""
        if self.is_committee:
            return hashlib.sha256(repr(self.card.committee).encode()).hexdigest()
        return self.card.weights.sha256

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
        for a baseline or a committee."""
        if not self.is_network:
            kind = "a committee of other models" if self.is_committee else "which sees no pixels"
            raise ExportError(f"Expected a network with weights of its own. Received: {self.id}, {kind}.")
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
    """(exports by id, problems by folder name): a broken export is named and the others keep working. A committee is
    broken when a member is, or has other weights than those that it was calibrated with. A model is not when one of its
    repeats is: it goes on without it."""
    exports, problems = _read(root)
    for export in list(exports.values()):
        repeats, broken = _read(export.folder / "repeats")
        exports[export.id] = replace(export, repeats=tuple(repeats.values()))
        problems |= broken
    for committee in [export for export in exports.values() if export.is_committee]:
        try:
            exports[committee.id] = replace(committee, members=_members(committee, exports))
        except CardError as error:
            problems[committee.id] = str(error)
            del exports[committee.id]
    return exports, problems


def _read(root: Path) -> tuple[dict[str, Export], dict[str, str]]:
    """scan() without what one export has of others."""
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


def _members(committee: Export, exports: dict[str, Export]) -> tuple[Export, ...]:
    """The exports that a committee's card names. Raises CardError when one cannot be a member."""
    members = []
    for member_id, sha256 in committee.card.committee.members.items():
        member = exports.get(member_id)
        if member is None:
            received = "none of that name, or a broken one"
        elif not member.is_network:
            received = "a model without weights of its own"
        elif member.card.weights.sha256 != sha256:
            received = "one with other weights; `python -m train committee` makes the committee anew"
        else:
            members.append(member)
            continue
        raise CardError(
            f"{committee.folder / 'card.json'}: committee.members: expected the network {member_id}, sha256 "
            f"{sha256[:12]}…. Received: {received}."
        )
    return tuple(members)


def networks(exports: dict[str, Export]) -> dict[str, Export]:
    """Those of exports that have weights of their own, and so layers and a history: no committees, no baselines."""
    return {model_id: export for model_id, export in exports.items() if export.is_network}


def readers(exports: dict[str, Export]) -> dict[str, Export]:
    """Those of exports that can be run on an image, networks and committees: all but the baselines."""
    return {model_id: export for model_id, export in exports.items() if export.sees_pixels}
