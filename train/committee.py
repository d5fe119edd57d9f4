"""A committee: exports that are asked about the same film and answer together. It has no weights of its own.

    python -m train committee ID MEMBER MEMBER... && python -m train evaluate ID

Nothing is trained. The mean of the members' answers (model_zoo/committee.py) gets a calibration, an operating point and
a heatmap scale of its own, from the validation images that every member held out, as an export gets them.
"""

import dataclasses
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cases.collections import open_collection
from cases.collections.base import Collection, Entry
from model_zoo import evaluation
from model_zoo.calibration import calibrated
from model_zoo.card import Card, Committee, Data, Heatmap, Threshold, Training, read_card, write_card
from model_zoo.committee import CommitteeEngine
from model_zoo.engine import Explanation
from model_zoo.files import replacing_folder
from model_zoo.predictions import read_predictions, write_predictions
from model_zoo.registry import Export, ExportError, open_export
from train.calibrate import fit_calibration
from train.data import development_entries
from train.export import counts_of, heatmap_of, operating_point, prediction_rows
from train.fit import environment
from train.recipe import recipe_ids

BATCH = 32


def make_committee(committee_id: str, member_ids: Sequence[str], root: Path) -> Export:
    """Write root/<committee_id> from exports in root, in place of an earlier committee of that id.

    Raises ExportError for an id that is not free and for members that cannot sit together, CardError for a card that
    cannot be read, a member's or that of an earlier committee, PredictionsError for a member's rows,
    CollectionUnavailable without the images.
    """
    started = time.perf_counter()
    _refuse_taken(committee_id, root)
    members = _members(member_ids, root)
    collection = open_collection(members[0].card.data.collection)
    name = f"{collection.id}-validation"
    target, entries = _target_sensitivity(members), _held_out(members, collection, name)

    card = _draft(committee_id, members, collection, entries, target)
    explanations = _explain(CommitteeEngine(Export(root / committee_id, card, members)), collection, entries)
    logits = np.array([explanation.logit for explanation in explanations])
    temperature, offset = fit_calibration(logits, np.array([entry.label for entry in entries]))
    temperature, offset = round(temperature, 4), round(offset, 4)
    probabilities = calibrated(logits + offset, temperature)
    with replacing_folder(root / committee_id) as folder:
        write_predictions(prediction_rows(entries, probabilities), folder / "predictions" / f"{name}.csv")
        rows = read_predictions(folder / "predictions" / f"{name}.csv")
        threshold = operating_point(rows, target, name)
        card = dataclasses.replace(
            card,
            heatmap=heatmap_of(None, explanations),
            temperature=temperature,
            threshold=threshold,
            committee=dataclasses.replace(card.committee, offset=offset),
            training=dataclasses.replace(card.training, seconds=round(time.perf_counter() - started, 1)),
            metrics={name: evaluation.summarise(rows, threshold.value)},
        )
        write_card(card, folder / "card.json")
    return Export(root / committee_id, card, members)


def _refuse_taken(committee_id: str, root: Path) -> None:
    """Raises ExportError for an id that is no plain name, or that a recipe or another kind of export has; CardError for
    a folder of that id of which nobody can tell what it is."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", committee_id):
        raise ExportError(f"Expected an id of small letters, digits and dashes. Received: {committee_id!r}.")
    folder = root / committee_id
    if committee_id in recipe_ids() or (folder.exists() and read_card(folder / "card.json").committee is None):
        raise ExportError(f"Expected an id that no recipe and no other export has. Received: {committee_id!r}.")


def _members(member_ids: Sequence[str], root: Path) -> tuple[Export, ...]:
    if len(set(member_ids)) < max(2, len(member_ids)):
        raise ExportError(f"Expected two different members or more. Received: {', '.join(member_ids)}.")
    members = tuple(open_export(member_id, root) for member_id in member_ids)
    for member in members:
        # Raises where there are no weights, or others than the card's.
        member.verified_model_path()
    collections = {member.id: member.card.data.collection for member in members}
    if len(set(collections.values())) > 1:
        raise ExportError(f"Expected members that learnt from one collection. Received: {_listed(collections)}.")
    return members


def _target_sensitivity(members: Sequence[Export]) -> float:
    targets = {member.id: member.card.recipe["target_sensitivity"] for member in members}
    if len(set(targets.values())) > 1:
        raise ExportError(f"Expected members with one target sensitivity. Received: {_listed(targets)}.")
    return targets[members[0].id]


def _held_out(members: Sequence[Export], collection: Collection, name: str) -> tuple[Entry, ...]:
    """The images that no member learnt from and every member's calibration saw. name: of their prediction sets."""
    validation = [set(member.predictions(name)["image_id"]) for member in members]
    common = set.intersection(*validation)
    entries = tuple(entry for entry in development_entries(collection) if entry.id in common)
    if absent := len(common) - len(entries):
        raise ExportError(f"Expected all of the members' validation images here. Received: a copy without {absent}.")
    counts = [sum(entry.label == label for entry in entries) for label in (0, 1)]
    if 0 in counts:
        raise ExportError(
            "Expected members with the same split of patients, so that all of them held out images of both classes. "
            f"Received: {', '.join(member.id for member in members)}, whose validation images have {counts[0]} normal "
            f"and {counts[1]} with pneumonia in common."
        )
    return entries


def _explain(engine: CommitteeEngine, collection: Collection, entries: Sequence[Entry]) -> list[Explanation]:
    explanations = []
    with tqdm(total=len(entries), desc=f"asking {len(engine.members)} members", unit="image", mininterval=1) as bar:
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            explanations += engine.explain(
                np.stack([engine.input(collection.load(entry.id).pixels) for entry in batch])
            )
            bar.update(len(batch))
    return explanations


def _draft(
    committee_id: str, members: Sequence[Export], collection: Collection, entries: Sequence[Entry], target: float
) -> Card:
    """The card with everything that is known before the members are asked."""
    cards = [member.card for member in members]
    titles = "; ".join(card.title for card in cards)
    protocols = dict.fromkeys(card.data.protocol for card in cards)
    return Card(
        id=committee_id,
        title=f"Committee of {len(members)} networks",
        summary=f"Asks several networks about the same film and answers with their mean: {titles}. Where they "
        "disagree, it says so.",
        architecture=f"mean of the calibrated logits of {len(members)} networks",
        side=None,
        channels=None,
        heatmap=Heatmap(None, 1.0, "none yet"),
        temperature=1.0,
        threshold=Threshold(0.5, "none yet", "none"),
        weights=None,
        data=Data(
            collection=collection.id,
            protocol=f"{'; or '.join(protocols)}; calibrated on the validation images that all members have in common",
            licence=collection.licence,
            counts={"validation": counts_of(entries), "test": counts_of(collection.entries("test"))},
        ),
        recipe={"target_sensitivity": target},
        training=Training(epochs=0, seconds=0.0, **environment()),
        limits=(
            *_limits(cards),
            "Its members learnt from the same films: what all of them learnt wrong, they say together.",
            "Takes as long as all of its members together, because each of them looks at the film.",
        ),
        committee=Committee({member.id: member.card.weights.sha256 for member in members}, 0.0),
    )


def _limits(cards: Sequence[Card]) -> list[str]:
    """The members' limits, each once: first those of all members, then the rest behind the titles of those that have
    them."""
    holders: dict[str, list[str]] = {}
    for card in cards:
        for limit in card.limits:
            holders.setdefault(limit, []).append(card.title)
    shared = [limit for limit, titles in holders.items() if len(titles) == len(cards)]
    return shared + [f"{'; '.join(holders[limit])}: {limit}" for limit in holders if limit not in shared]


def _listed(values: dict) -> str:
    return ", ".join(f"{model_id} {value}" for model_id, value in values.items())
