"""The gate's limits and what it catches: `python -m train lungs gate` sets the limits on validation films, and
`python -m train lungs gate-test` measures it on test films, phantoms and made pictures; only that one reads test films.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.covariance import LedoitWolf
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import Collection, Entry
from cases.decode import decode
from cases.preprocess import model_input
from model_zoo.card import read_card, write_card
from model_zoo.files import replacing
from model_zoo.intervals import Estimate, clustered_share, exact_interval
from model_zoo.lungs.card import EXPORT
from model_zoo.lungs.gate import (
    MEASURES,
    GateCard,
    Reference,
    doubted,
    measures,
    read_gate_rows,
    read_reference,
)
from model_zoo.lungs.segmenter import LungSegmenter
from model_zoo.tables import write_rows
from train.data import development_entries, patient_split, refuse_fewer, stored_images
from train.lungs.strangers import KNOWN, UNSEEN
from train.results import table

FILM = "film"
# Of the validation films, the share that each limit may turn away.
TURNED_AWAY = 0.001
# How many films the distance is from, and how many pictures are made of each kind.
REFERENCE_FILMS, OF_EACH_KIND = 1500, 50
# The side at which pictures are made, pixels; the network's input is smaller.
MADE = 256
_LOWEST, _HIGHEST = ("solidity", "contrast"), ("grain", "distance", "flat", "colour")


def set_limits(folder: Path = EXPORT) -> GateCard:
    """Write folder/gate anew: limits, reference, rows of the validation films and of made pictures of known kinds.
    Raises CollectionUnavailable without the films."""
    segmenter = LungSegmenter(folder)
    recipe = segmenter.card.recipe
    collection = open_collection(recipe["collection"])
    training, validation = patient_split(development_entries(collection), 0.15, recipe["seed"])
    drawn = np.random.default_rng(0).permutation(len(training))[:REFERENCE_FILMS]
    reference = _reference(segmenter, collection, [training[i] for i in drawn])
    gate, name = folder / "gate", f"{collection.id}-validation"
    with replacing(gate / "reference.npz", "wb") as file:
        np.savez_compressed(file, mean=reference.mean, precision=reference.precision)
    rows = _film_rows(segmenter, reference, collection, validation)
    write_rows(rows, gate / f"{name}.csv")
    write_rows(_made_rows(segmenter, reference, collection, validation, KNOWN, seed=1), gate / "made-known.csv")
    tinted = [tinted_colour(np.random.default_rng(i), collection.load(e.id).pixels) for i, e in enumerate(validation)]
    lowest, highest = limits_of(rows, tinted)
    card = GateCard(
        network=segmenter.card.sha256,
        lowest=lowest,
        highest=highest,
        rule=f"each limit turns {TURNED_AWAY:.1%} of the validation films away; colour: of these films, toned",
        chosen_on=name,
        reference=f"{len(drawn):,} training films of {collection.id}",
    )
    write_card(card, gate / "gate.json")
    return card


def limits_of(
    rows: pd.DataFrame, tinted: Sequence[float], turned_away: float = TURNED_AWAY
) -> tuple[dict[str, float], dict[str, float]]:
    """(lowest, highest) by measure, from the rows of films and Radiograph.colour of toned films. turned_away: the share
    of them that each limit turns away."""
    seen = rows[rows["found"] == 1]
    values = {name: tinted if name == "colour" else seen[name] for name in (*_LOWEST, *_HIGHEST)}
    lowest = {name: round(float(np.quantile(values[name], turned_away)), 4) for name in _LOWEST}
    highest = {name: round(float(np.quantile(values[name], 1 - turned_away)), 4) for name in _HIGHEST}
    return lowest, highest


def tinted_colour(rng: np.random.Generator, pixels: np.ndarray) -> float:
    """Radiograph.colour of a film, uint8 (height, width), toned as a coloured light or paper does it, kept as JPEG."""
    dark, bright = rng.uniform(0, 60, 3), rng.uniform(150, 255, 3)
    tones = dark + (bright - dark) * np.linspace(0, 1, 256)[:, np.newaxis] ** rng.uniform(0.7, 1.4)
    data = BytesIO()
    Image.fromarray(tones.astype(np.uint8)[pixels]).save(data, "JPEG", quality=int(rng.integers(60, 96)))
    return decode(data.getvalue(), "toned film").colour


def measure(collection_ids: Iterable[str], folder: Path = EXPORT) -> GateCard:
    """Store rows of the test films of these collections, and of made pictures of all kinds, made from the first one's
    test films. Raises CollectionUnavailable, for some that are missing too, CardError and ExportError."""
    segmenter, gate = LungSegmenter(folder), folder / "gate"
    card, reference = read_card(gate / "gate.json", GateCard), read_reference(gate)
    for i, collection_id in enumerate(collection_ids):
        collection = open_collection(collection_id)
        entries, name = collection.entries("test"), f"{collection.id}-test"
        refuse_fewer(collection, entries, stored_images(partial(read_gate_rows, name, gate)))
        rows = _film_rows(segmenter, reference, collection, entries)
        write_rows(rows, gate / f"{name}.csv")
        if not i:
            made = _made_rows(segmenter, reference, collection, entries, KNOWN + UNSEEN, seed=2)
            write_rows(made, gate / "made-test.csv")
        if not collection.synthetic:
            card = dataclasses.replace(card, test_read=(*card.test_read, date.today().isoformat()))
    write_card(card, gate / "gate.json")
    return card


def section(folder: Path = EXPORT) -> str:
    """The gate's part of docs/explanations.md, from stored rows. Raises CardError and ExportError."""
    gate = folder / "gate"
    card = read_card(gate / "gate.json", GateCard)
    films = {name: read_gate_rows(name, gate) for name in (card.chosen_on, "chest_xray-test", "phantom-test")}
    warned = [[f"`{name}`", f"{len(rows):,}", str(_alarms(rows, card))] for name, rows in films.items()]
    made = read_gate_rows("made-test", gate)
    unseen = {maker.__name__ for maker in UNSEEN}
    caught = [
        [
            kind.replace("_", " "),
            "no" if kind in unseen else "yes",
            str(_share(rows["found"] == 0)),
            str(_share(doubted(rows, card) == 1)),
        ]
        for kind, rows in made.groupby("kind", sort=False)
    ]
    return _SECTION.format(
        rule=card.rule,
        reference=card.reference,
        films=table(["images", "films", "doubted"], warned),
        kinds=table(["kind", "known", "no lungs found", "doubted"], caught),
        each=len(made) // made["kind"].nunique(),
        adds=_what_each_adds(films[card.chosen_on], read_gate_rows("made-known", gate), card),
    )


_SECTION = """## Is this a chest film?

Before the models are believed, the app asks whether an image is a frontal chest film at all, and says why where it
doubts; the image can be read all the same. "No lungs found" is the first doubt. Where lungs are found, their shape (how
much of its convex hull a lung fills), the film's grain, and the Mahalanobis distance of what the lung network's deepest
maps hold from that on {reference} may still raise one.
Limits: {rule}.

On chest films and phantoms each doubt is a false alarm:

{films}
Pictures that are no frontal chest film, {each} of each kind, made from test films or drawn by code, in gray: colour,
which most photographs have, is one more doubt. The known kinds were tried, made from validation films, when the
measures were chosen; nothing was chosen on the others. `photograph` is cut from two real photographs, so that its
interval is too narrow.

{kinds}
What the measures add, on validation films and on made pictures of the known kinds, all taken together. For each choice
of measures the limits are loosened together until as many films are doubted as with all of them, or nearly so:

{adds}"""


def _what_each_adds(films: pd.DataFrame, made: pd.DataFrame, card: GateCard) -> str:
    shape, grain, distance = "solidity", "grain", "distance"
    steps = {
        "no lungs found": (),
        "no lungs found, shape": (shape,),
        "no lungs found, grain": (grain,),
        "no lungs found, distance": (distance,),
        "no lungs found, shape, grain": (shape, grain),
        "no lungs found, shape, distance": (shape, distance),
        "no lungs found, shape, grain, distance": (shape, grain, distance),
    }
    most = doubted(films, card).sum()
    lines = []
    for step, names in steps.items():
        loosest = next(
            limited
            for share in np.arange(0.02, 0, -0.0005)
            if doubted(films, limited := _limited_to(names, films, card, share)).sum() <= most
        )
        lines.append([step, str(_alarms(films, loosest)), str(_share(doubted(made, loosest) == 1))])
    return table(["doubts", "false alarms", "caught"], lines)


def _limited_to(names: Sequence[str], films: pd.DataFrame, card: GateCard, turned_away: float) -> GateCard:
    """The card with limits for these measures alone, each of which turns this share of the films away."""
    limits = [
        {name: limit for name, limit in side.items() if name in names}
        for side in limits_of(films, [card.highest["colour"]], turned_away)
    ]
    return dataclasses.replace(card, lowest=limits[0], highest=limits[1])


def _alarms(films: pd.DataFrame, card: GateCard) -> Estimate:
    """The share of films that are doubted."""
    return clustered_share(doubted(films, card), films["patient_id"])


def _share(values: pd.Series) -> Estimate:
    return Estimate(float(values.mean()), *exact_interval(int(values.sum()), len(values)))


def _reference(segmenter: LungSegmenter, collection: Collection, entries: Sequence[Entry]) -> Reference:
    features = np.concatenate([segmenter.look(images)[1] for images in _batches(segmenter, collection, entries)])
    fitted = LedoitWolf().fit(features)
    return Reference(fitted.location_.astype(np.float32), fitted.precision_.astype(np.float32))


def _film_rows(
    segmenter: LungSegmenter, reference: Reference, collection: Collection, entries: Sequence[Entry]
) -> pd.DataFrame:
    batches = _batches(segmenter, collection, entries)
    return _rows(segmenter, reference, batches, [(e.id, e.patient_id or e.id, FILM) for e in entries])


def _made_rows(
    segmenter: LungSegmenter, reference: Reference, collection: Collection, entries: Sequence[Entry], makers, seed: int
) -> pd.DataFrame:
    """OF_EACH_KIND pictures by each maker, each from another film."""
    batches, names = [], []
    for maker in makers:
        # A generator for each kind, so that a new kind changes no other.
        rng = np.random.default_rng([seed, *maker.__name__.encode()])
        chosen = [entries[i] for i in rng.permutation(len(entries))[:OF_EACH_KIND]]
        films = (model_input(collection.load(entry.id).pixels, MADE, 1)[..., 0] for entry in chosen)
        batches.append(np.stack([segmenter.input(np.ascontiguousarray(maker(rng, film))) for film in films]))
        names += [(entry.id, entry.patient_id or entry.id, maker.__name__) for entry in chosen]
    return _rows(segmenter, reference, batches, names)


def _batches(segmenter: LungSegmenter, collection: Collection, entries: Sequence[Entry], size: int = 64):
    """Inputs of the network, uint8 (n, side, side, 1)."""
    for start in tqdm(range(0, len(entries), size), desc=f"looking at {collection.id}", unit="batch", mininterval=1):
        yield np.stack([segmenter.input(collection.load(e.id).pixels) for e in entries[start : start + size]])


def _rows(
    segmenter: LungSegmenter, reference: Reference, batches: Iterable[np.ndarray], names: Sequence[tuple]
) -> pd.DataFrame:
    measured = []
    for images in batches:
        for film, probability, features in zip(images, *segmenter.look(images), strict=True):
            fields = segmenter.fields(probability)
            measured.append(measures(film[..., 0], probability, fields, features, reference))
    named = pd.DataFrame(names, columns=["image_id", "patient_id", "kind"])
    return named.join(pd.DataFrame(measured, columns=list(MEASURES)).round(4))
