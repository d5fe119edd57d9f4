"""The lung-field network on disk: model_zoo/lungs/export/ holds model.keras, card.json, history.csv and rows/*.csv
(rows.py)."""

from dataclasses import dataclass, field
from pathlib import Path

from model_zoo.card import read_card

EXPORT = Path(__file__).resolve().parent / "export"


@dataclass(frozen=True)
class Gate:
    """What a mask must be like to count as lungs (regions.lung_fields): see there for the two figures. rule: how the
    limits were chosen. chosen_on: the images they were chosen on, never the test split."""

    smallest_share: float
    lowest_confidence: float
    rule: str
    chosen_on: str


@dataclass(frozen=True)
class LungCard:
    """metrics: per set of rows, what rows.summarise gives. counts: images per part."""

    title: str
    architecture: str
    side: int
    gate: Gate
    sha256: str
    bytes: int
    parameters: int
    mantissa_bits: int
    licence: str
    counts: dict
    recipe: dict
    device: str
    versions: dict
    test_read: tuple[str, ...] = ()
    metrics: dict = field(default_factory=dict)


def read_lung_card(folder: Path = EXPORT) -> LungCard:
    """Raises CardError, naming the file and the field."""
    return read_card(folder / "card.json", LungCard)
