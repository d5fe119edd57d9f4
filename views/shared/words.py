"""Figures in plain words. Pure functions: no Streamlit, no model.

What they return is Markdown without any markup of its own beyond `**`, or bare text where that is said; text that
comes from outside (file names, messages about files) goes through plain() first.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cases.collections.base import LABEL_NAMES, Entry
from cases.pixels import printable
from cases.settings import data_root, scored_root, user_folder
from model_zoo.evaluation import ObservedShare
from model_zoo.intervals import Estimate
from model_zoo.lungs import gate, regions
from model_zoo.registry import EXPORTS
from model_zoo.shortcuts import NOTHING, Response

# A map whose highest value stays below this share of the card's scale is hardly visible when painted.
WEAK = 0.1
# As close to the operating point as this, a slightly different film could fall on its other side.
CLOSE = 0.05

_BLANKED = {
    NOTHING: "nothing",
    "marker": "side marker",
    "borders": "borders",
    "outside": "all but the lungs",
    "lungs": "the lungs",
}
_PARTS = {"validation": "validation", "val": "validation", "train": "training", "test": "test"}


def plain(text: str) -> str:
    """text so that Markdown shows it letter by letter."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def folder_names(roots: dict[str, Path]) -> dict[str, str]:
    """What each folder is called, as bare text, by collection id; with where it lies, if two have one name."""
    names = {folder_id: printable(root.name, 40) for folder_id, root in roots.items()}
    alike = Counter(names.values())
    return {
        folder_id: name if alike[name] == 1 else f"{name} in {printable(str(roots[folder_id].parent), 60)}"
        for folder_id, name in names.items()
    }


def way_out(problem: Exception, here: bool) -> str:
    """What is wrong, letter by letter, but for the commands that mend it: they are shown as code, to be copied.

    here: whether the reader is at this very machine. Others are not told where on it data lies.
    """
    text = str(problem)
    for place, name in ((user_folder(), "the folder in LUNGLENS_FOLDER"), (data_root(), "the data folder")):
        if place and not here:
            text = text.replace(str(place), name)
    return re.sub(r"\\`python \\-m (train [a-z ]+)\\`", r"`python -m \1`", plain(text))


def export_problem(problem: Exception | str) -> str:
    """What is wrong with an export or a scored folder, without where on this machine it lies."""
    return plain(without_places(problem))


def without_places(problem: Exception | str) -> str:
    """export_problem() as bare text, not Markdown."""
    return str(problem).replace(str(EXPORTS), "model_zoo/exports").replace(str(scored_root()), "scored")


def probability(value: float) -> str:
    """Three decimals, and never 0.000 or 1.000: no model is certain."""
    if value < 0.0005:
        return "below 0.001"
    return "above 0.999" if value >= 0.9995 else f"{value:.3f}"


def percent(share: float) -> str:
    """Whole percents; 0% and 100% only when exact, so that one exception in a thousand is not hidden."""
    if 0 < share < 0.005:
        return "less than 1%"
    return "more than 99%" if 0.995 <= share < 1 else f"{share:.0%}"


def rate(estimate: Estimate) -> str:
    """A figure with its interval, or that there is none."""
    return "none" if math.isnan(estimate.value) else str(estimate)


def number(value: float) -> str:
    """Three decimals, or that there is none."""
    return "none" if math.isnan(value) else f"{value:.3f}"


def p_value(p: float) -> str:
    """number(), and never 0.000."""
    return "below 0.001" if p < 0.001 else number(p)


def counted(number: int, noun: str) -> str:
    """1 image, 1,000 images: a number and its noun, whose plural must end in s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(titles: Iterable[str]) -> str:
    """Titles of models one after the other, as Markdown. Many hold a comma, so that none can stand between two."""
    return "; ".join(map(plain, titles))


def pace(rate: float | None, left: int) -> str:
    """How fast a run goes, in images a second, and how long it takes for those that are left; "" before it is known."""
    if rate is None:
        return ""
    return f", {rate:.{0 if rate >= 10 else 1}f} a second, {_time_left(left / rate)} left"


def duration(milliseconds: float) -> str:
    """ "0.4 ms", "35 ms" or "2.3 s"."""
    if milliseconds >= 999.5:
        return f"{milliseconds / 1000:.{0 if milliseconds >= 9950 else 1}f} s"
    return f"{milliseconds:.{0 if milliseconds >= 9.95 else 1}f} ms"


def trained_for(seconds: float) -> str:
    """ "13 seconds", "25 minutes" or "2.4 hours"."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def passes(count: int) -> str:
    """How many images a model is asked about."""
    return "1 pass" if count == 1 else f"{count} passes"


def _time_left(seconds: float) -> str:
    if seconds < 90:
        return f"about {counted(max(1, round(seconds)), 'second')}"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {round(seconds / 3600)} hours"


def called(probability: float, threshold: float) -> str:
    """One of LABEL_NAMES: what the model calls an image at its operating point."""
    return LABEL_NAMES[probability >= threshold]


def opinion(value: float, threshold: float) -> str:
    """What the model says and how far that is from saying the opposite."""
    side = "at or above" if value >= threshold else "below"
    text = f"The probability, {probability(value)}, is {side} the operating point, {threshold:.3f}"
    if abs(value - threshold) < CLOSE:
        return f"{text}, but only just: a slightly different film could fall on the other side."
    return f"{text}."


def prediction_set(name: str) -> str:
    """ "chest_xray-validation" as "validation images"."""
    part = name.rpartition("-")[2]
    return f"{_PARTS.get(part, part)} images"


def observed(share: ObservedShare, base_share: float, set_name: str) -> str:
    """What happened with the images that scored like this one. base_share: of pneumonia in the whole set."""
    images = prediction_set(set_name)
    return (
        f"Of the {share.images} {images} scored most like this one (probability "
        f"{_range(share.lowest, share.highest)}), **{percent(share.share)} were pneumonia** "
        f"(95% interval {percent(share.low)} to {percent(share.high)}). "
        f"Of all {images}, {percent(base_share)} were pneumonia; where it is rarer, fewer images with such a score "
        "have it."
    )


def _range(lowest: float, highest: float) -> str:
    low, high = probability(lowest), probability(highest)
    return low if low == high else f"{low} to {high}"


def votes(positive: int, members: int, call: str, low: float, high: float, spread: float) -> str:
    """Whether a committee's members agree. positive: how many call the image pneumonia. call: what the committee calls
    it. low, high: the members' lowest and highest probability. spread: disagreement.spread of them."""
    text = f"Their probabilities go from {probability(low)} to {probability(high)} (standard deviation {spread:.3f})."
    if 0 < positive < members:
        return (
            f"**The members disagree**: {positive} of {members} call this pneumonia and {members - positive} normal, "
            f"each at its own operating point; the committee says {call}. {text} Networks that learnt from the same "
            "films part where those films do not help them: be wary of the answer."
        )
    everyone = "Both members" if members == 2 else f"All {members} members"
    together = LABEL_NAMES[positive > 0]
    if together != call:
        return (
            f"{everyone} call this {together}, each at its own operating point, and the committee {call}: "
            f"its operating point is another one. {text}"
        )
    return f"{everyone} call this {together} too, each at its own operating point. {text}"


@dataclass(frozen=True)
class Balance:
    """The two sides of a signed map. for_pneumonia: share of the evidence, 0..1, nan when there is none.
    peaks: the highest value for pneumonia and for normal, as shares of the card's scale."""

    for_pneumonia: float
    peaks: dict[str, float]


def balance(signed_map: np.ndarray, scale: float) -> Balance:
    positive, negative = np.maximum(signed_map, 0), np.maximum(-signed_map, 0)
    total = float(positive.sum() + negative.sum())
    share = float(positive.sum()) / total if total > 0 else float("nan")
    return Balance(share, {"pneumonia": float(positive.max() / scale), "normal": float(negative.max() / scale)})


def evidence(sides: Balance, call: str) -> str:
    """Evidence for and against, from a map. call: what the model calls the image."""
    if not max(sides.peaks.values()) > 0:
        return "The map is empty: no part of this film moves the model either way."
    if max(sides.peaks.values()) < WEAK:
        return "The map is nearly empty: no part of this film moves the model much, whatever the probability says."
    share = sides.for_pneumonia
    text = f"Of the evidence on the map, {percent(share)} speaks for pneumonia and {percent(1 - share)} for normal."
    if (share >= 0.5) != (call == "pneumonia"):
        text += (
            f" The model says {call} all the same: what it adds to every film alike counts too, and is not on the map."
        )
    return text


def empty_map(sides: Balance, direction: str) -> str | None:
    """Why there is nothing to paint for a direction, or None when there is."""
    other = LABEL_NAMES[direction == "normal"]
    if sides.peaks[direction] > 0:
        return None
    if sides.peaks[other] > 0:
        return f"Nothing to paint: no part of this film speaks for {direction}. All evidence is for {other}."
    return "Nothing to paint: no part of this film moves the model either way."


def strength(sides: Balance, direction: str) -> str:
    """How strong the strongest spot is, so that a faint map is not mistaken for a missing one."""
    peak = sides.peaks[direction]
    if peak >= 1:
        return f"The strongest spot for {direction} reaches full strength."
    weak = "Weak evidence: the" if peak < WEAK else "The"
    return f"{weak} strongest spot for {direction} reaches {percent(peak)} of full strength."


def where(shares: dict[int, float], direction: str) -> str:
    """Where a map's evidence lies. shares: regions.shares."""
    most = max(regions.ZONES, key=shares.get)
    between = shares[regions.UPPER_MEDIASTINUM] + shares[regions.HEART]
    return (
        f"**{percent(regions.in_lungs(shares))}** of the evidence for {direction} lies in the lungs, the largest part, "
        f"{percent(shares[most])}, in the {regions.ZONES[most]}; {percent(between)} lies between the lungs, and "
        f"{percent(shares[regions.OUTSIDE])} outside."
    )


def outside(shares: dict[int, float], direction: str, peak: float) -> str | None:
    """A warning where most of a map's evidence lies outside the lungs, or None, as for a map with hardly any. peak:
    Balance.peaks of that direction."""
    inside = regions.in_lungs(shares)
    if inside >= 0.5 or peak < WEAK:
        return None
    return (
        f"Only {percent(inside)} of the evidence for {direction} lies in the lungs. Where a model looks elsewhere, it "
        "may have learnt something else than lungs: the framing, a marker, the exposure. Be wary of its answer, even "
        "where it is right."
    )


def blanked(change: str) -> str:
    """What was blanked, of shortcuts.CHANGES."""
    return _BLANKED[change]


def shortcut(found: dict[str, Response]) -> str:
    """What a model's answers on blanked films say of where it reads. found: shortcuts.responses."""
    before, outside, lungs = (found[change].rates["auroc"] for change in (NOTHING, "outside", "lungs"))
    if lungs.low > 0.5:
        verdict = "it still tells pneumonia from normal films, so that there is a shortcut that it can take"
    else:
        verdict = "it does not tell pneumonia from normal films beyond chance"
    lost = before.value - outside.value
    less = "no less than" if lost <= 0 else f"{lost:.3f} less than"
    return (
        f"With the **lungs blanked**, this model has an AUROC of **{lungs}**, where 0.5 is chance: {verdict}. With "
        f"**all but the lungs blanked** it has **{outside}**, {less} the {before.value:.3f} of whole films."
    )


def moved(before: float, after: float) -> str:
    """How a probability changed, with its sign."""
    return f"{after - before:+.3f}".replace("-", "−")


_DOUBTS = {
    gate.NO_LUNGS: "no lungs found on this image",
    gate.ONE_LUNG: "only one lung field was found; perhaps a lateral film, or one that was cut",
    gate.TURNED: "lungs are found only when it is turned: it seems to lie on its side or to stand on its head",
    gate.NEGATIVE: "lungs are found only with black and white swapped: it seems to be stored as a negative, and the "
    "models know films on which bone is bright",
    gate.SHAPE: "what was taken for lungs has an unlikely shape; perhaps several pictures in one, or a film put "
    "together wrongly",
    gate.GRAIN: "it has more grain or finer lines than a film, as noise, patterns and drawings have",
    gate.UNLIKE: "it is unlike the films that the models learnt from",
    gate.COLOUR: "it has several colours, as photographs have; a film has none, or one tint",
    gate.BLANK: "in gray, as the models see it, it is nearly one shade: there is little to see",
    gate.FLAT: "large parts are of exactly one gray, as in documents, drawings and pictures that were cut off",
}


def doubts(found: Sequence[str]) -> str:
    """Why an image may not be a frontal chest film. found: Look.doubts, one or more."""
    return (
        "**Is this a frontal chest X-ray?** "
        + " ".join(f"{_DOUBTS[doubt][0].upper()}{_DOUBTS[doubt][1:]}." for doubt in found)
        + " The models give every picture a probability, a photograph too; here it may mean nothing. You can read on "
        "all the same."
    )


def answer(entry: Entry) -> str:
    """The true label of an entry that has one."""
    subtype = f" ({plain(entry.subtype)})" if entry.subtype else ""
    return f"{LABEL_NAMES[entry.label].capitalize()}{subtype}"


def verdict(call: str, entry: Entry) -> str:
    """How the model's call compares with the true label, in the terms of the confusion matrix."""
    truth = LABEL_NAMES[entry.label]
    sign = "positive" if call == "pneumonia" else "negative"
    if call == truth:
        return f"The model is right: a true {sign}."
    return f"The model is wrong: it says {call}, a false {sign}."


def guessed(guess: str, entry: Entry) -> str:
    right = guess == LABEL_NAMES[entry.label]
    return f"You said {guess}: {'right' if right else 'not this time'}."


def caution(trained_on: str, films_of: str | None, entry: Entry | None, synthetic: bool) -> str | None:
    """Why the model's figures say less about this image than about its own test images, or None.

    trained_on: the id of the collection that the model learnt from. films_of: that of the collection whose film this
    is, or a copy of. films_of and entry: None for an upload.
    """
    if films_of == trained_on:
        if entry.split in (None, "test"):
            return None
        return "The model may have learnt from this very image: expect it to do better here than on new ones."
    if synthetic:
        return "This image is synthetic and the model learnt from real ones: take such figures as a rough guide."
    return (
        "The figures come from the collection that the model learnt from. Another hospital, another age or a picture "
        "that is no chest X-ray at all gets a number too, and nothing says how good it is."
    )
