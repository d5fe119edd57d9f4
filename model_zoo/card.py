"""The model card: what a person and the app need to know about an export, as card.json.

Every figure in `metrics` is computed from the export's prediction rows (evaluation.summarise); a test recomputes it.
"""

import dataclasses
import json
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Union, get_args, get_origin, get_type_hints

from model_zoo.files import replacing

SCHEMA_VERSION = 1
# How Weights.started_from ends for a network whose weights began as random draws, perhaps some runs ago.
SCRATCH = "random initialisation"


class CardError(ValueError):
    """card.json cannot be used. The message names the file, the field, and what was received."""


@dataclass(frozen=True)
class Heatmap:
    """layer: name of the convolutional layer that Grad-CAM explains; None for a committee, whose map is the mean of its
    members'. scale: the value painted in the strongest colour, in the raw map's unit (engine.Explanation), the same for
    every image of the model; rule: how scale was found."""

    layer: str | None
    scale: float
    rule: str


@dataclass(frozen=True)
class Threshold:
    """The operating point: probability at or above value is called pneumonia. chosen_on: a prediction set's name,
    never one of the test split."""

    value: float
    rule: str
    chosen_on: str


@dataclass(frozen=True)
class Weights:
    """started_from: what the weights were before training. mantissa_bits: kept of float32's 23.
    auroc_shift: AUROC on validation after rounding minus before. bytes: size of model.keras."""

    started_from: str
    sha256: str
    bytes: int
    parameters: int
    mantissa_bits: int
    auroc_shift: float


@dataclass(frozen=True)
class Committee:
    """members: id of each export that is asked -> sha256 of the weights that it had when the committee was calibrated.
    offset: added to the mean of their calibrated logits."""

    members: dict
    offset: float


@dataclass(frozen=True)
class Data:
    """counts: per part (training, validation, test): images, patients, normal, pneumonia.
    test_read: when `evaluate` read the test split, ISO 8601 dates, one per reading."""

    collection: str
    protocol: str
    licence: str
    counts: dict
    test_read: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """The published work that the recipe follows, and the figure claimed there (metric's name -> value)."""

    title: str
    claims: dict
    protocol: str


@dataclass(frozen=True)
class Training:
    device: str
    seconds: float
    epochs: int
    versions: dict


@dataclass(frozen=True)
class Card:
    """schema: SCHEMA_VERSION at writing. temperature: probability = sigmoid(logit / temperature).
    recipe: the hyperparameters. metrics: per prediction set, evaluation.summarise's figures.

    There are three kinds. A network has side, channels, heatmap and weights. A committee of networks has members in
    their place, and of the four a heatmap alone. A baseline that sees no pixels has none of this."""

    id: str
    title: str
    summary: str
    architecture: str
    side: int | None
    channels: int | None
    heatmap: Heatmap | None
    temperature: float
    threshold: Threshold
    weights: Weights | None
    data: Data
    recipe: dict
    training: Training
    limits: tuple[str, ...]
    reference: Reference | None = None
    committee: Committee | None = None
    metrics: dict = dataclasses.field(default_factory=dict)
    schema: int = SCHEMA_VERSION

    def __post_init__(self):
        self._check_kind()
        checks = {
            "schema": (self.schema == SCHEMA_VERSION, f"{SCHEMA_VERSION}", self.schema),
            "temperature": (0 < self.temperature < float("inf"), "a number above 0", self.temperature),
            "threshold.value": (0 <= self.threshold.value <= 1, "a probability", self.threshold.value),
            "threshold.chosen_on": (
                not self.threshold.chosen_on.endswith("-test"),
                "a prediction set other than a test split",
                self.threshold.chosen_on,
            ),
        }
        if self.heatmap:
            scale = self.heatmap.scale
            checks["heatmap.scale"] = (0 < scale < float("inf"), "a number above 0", scale)
        if self.weights:
            checks |= {
                "side": (self.side >= 8, "at least 8", self.side),
                "channels": (self.channels in (1, 3), "1 or 3", self.channels),
            }
        if self.committee:
            members, offset = self.committee.members, self.committee.offset
            checks |= {
                "committee.members": (
                    len(members) >= 2 and all(isinstance(sha256, str) for sha256 in members.values()),
                    "two members or more, each with the sha256 of its weights",
                    members,
                ),
                "committee.offset": (abs(offset) < float("inf"), "a number", offset),
            }
        for field, (holds, expected, received) in checks.items():
            if not holds:
                raise CardError(f"{field}: expected {expected}. Received: {received!r}.")

    def _check_kind(self):
        """Raises CardError for a card that is a part of one kind, or of two."""
        network = {name: getattr(self, name) for name in ("side", "channels", "heatmap", "weights")}
        missing = [name for name, value in network.items() if value is None]
        if self.committee:
            if own := [name for name in ("side", "channels", "weights") if name not in missing]:
                raise CardError(f"card.{own[0]}: expected none, as a committee has its members'. Received: a value.")
            if "heatmap" in missing:
                raise CardError("card.heatmap: expected a value, as a committee has a heatmap. Received: None.")
        elif 0 < len(missing) < len(network):
            given = next(name for name in network if name not in missing)
            raise CardError(f"card.{missing[0]}: expected a value, as {given} has one. Received: None.")
        if self.heatmap and (self.heatmap.layer is None) != bool(self.committee):
            expected = "none, as a committee has no layers" if self.committee else "the name of a layer"
            raise CardError(f"card.heatmap.layer: expected {expected}. Received: {self.heatmap.layer!r}.")


def read_card(path: Path, kind: type = Card):
    """The card at path as `kind`, a dataclass. Raises CardError when the file is missing, cannot be read, is not
    JSON, or lacks, mistypes or adds a field."""
    try:
        return _from_json(kind, json.loads(path.read_text(encoding="utf-8")), "card")
    except FileNotFoundError:
        raise CardError(f"{path}: expected a model card. Received: no such file.") from None
    except OSError as error:
        raise CardError(f"{path}: expected a model card. Received: {error.strerror}.") from None
    except CardError as error:
        raise CardError(f"{path}: {error}") from None
    # The last two: a number that no float holds, and thousands of brackets.
    except (ValueError, OverflowError, RecursionError) as error:
        raise CardError(f"{path}: expected JSON. Received: {error}.") from None


def write_card(card, path: Path) -> None:
    """card: a dataclass, such as Card. The card before stays until the new one is whole."""
    with replacing(path) as file:
        file.write(json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False) + "\n")


def _from_json(kind, value, where: str):
    """Build `kind` (a dataclass, a union with None, a tuple of strings, or a plain type) from JSON's value."""
    if get_origin(kind) in (types.UnionType, Union):
        inner = next(member for member in get_args(kind) if member is not type(None))
        return None if value is None else _from_json(inner, value, where)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise CardError(f"{where}: expected an object. Received: {value!r}.")
        hints = get_type_hints(kind)
        needed = {field.name for field in dataclasses.fields(kind) if _has_no_default(field)}
        if missing := sorted(needed - value.keys()):
            raise CardError(f"{where}: expected the fields {', '.join(missing)}. Received: none of that name.")
        if unknown := sorted(value.keys() - hints.keys()):
            raise CardError(f"{where}: expected no other fields than the card's. Received: {', '.join(unknown)}.")
        return kind(**{name: _from_json(hints[name], item, f"{where}.{name}") for name, item in value.items()})
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CardError(f"{where}: expected a list of texts. Received: {value!r}.")
        return tuple(value)
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or isinstance(value, bool):
        raise CardError(f"{where}: expected {kind.__name__}. Received: {value!r}.")
    return kind(value)


def _has_no_default(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
