"""Tables of what the exports reached, made from their cards' metrics, which are made from their prediction rows."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill

from cases.settings import PROJECT_ROOT
from model_zoo.calibration import at_share
from model_zoo.card import SCRATCH
from model_zoo.evaluation import expected_calibration_error
from model_zoo.files import replace_text
from model_zoo.published import published_figure, published_images, published_part
from model_zoo.registry import Export
from train.recipe import Recipe

# A probability above which a normal film counts as called pneumonia with certainty.
SURE = 0.9
RESULTS = PROJECT_ROOT / "docs" / "results.md"

_PAGE = """# Results

Written by `python -m train compare`; a test fails when it is stale. Figures with their 95% intervals (bootstrap over
patients, exact for rates of 0 and 1) come from the prediction rows in `model_zoo/exports/`. No test image had a say in
the operating point, the calibration or when training stopped. Which of several networks stands here under one name was
not always decided without them: "How often the test split was read" has what the cards say.

## Beside the published figures

Ours under the protocol that the published work used. "Beaten" compares our figure, not its interval. A random quarter
of the images has films of the same children on both sides, which flatters every model; it is shown because the
published figure is one of that kind. "From scratch": its weights began as random draws, those of its backbone too,
by the steps that the table below names; of its teachers, where it had any, one began from ImageNet's weights.

{compared}
What our recipes do otherwise than the work that they follow, as they say themselves. A VGG16 or a ResNet50 starts from
ImageNet's weights there, and here from one that learnt from the films: of the backbones in this table, such weights
could be had here for MobileNetV2 alone.

{departures}

## On the official test split

624 images, 234 normal and 390 pneumonia, for every model.

{models}
## How often the test split was read

Where a network did not reach what was wanted of its name, another one was trained, and read too. Then a figure above is
that of the last of several that were asked about the same 624 images, kept for what it reached on them. Such a figure
is flattered: part of what lifts it is chance, which another test set would not repeat, and its interval, which is of
one network on films and not of a choice among networks, says nothing of that. What the cards say:

{readings}

The cards of the other networks tell of no other that was read under their name. No card tells that `committee` was read
with other members before. What became of the networks before `champion`, test figures included, is in
[experiments.md](experiments.md).

## Why the calibration errors are large

Probabilities are calibrated on validation images, and hold for films like those. The test split is not like them, in
two ways that the table tells apart. Fewer of its films are ill, which alone makes every probability too high: "at the
test split's share" is what the ECE would be had calibration known how many are ill there (Saerens, Latinne,
Decaestecker 2002). And its normal films look more like pneumonia to every network: "sure and wrong" counts those that
got more than 0.9. "Too high by" is the mean probability less the share of the films that are ill; where it equals the
ECE, the probabilities are too high, or right, in every bin. On validation films it would be nearly nothing, but for a
mistake: most networks here were calibrated before their weights were rounded, which moves all answers of a network to
one side. The rankings have nothing of it, nor have the operating points, which were chosen afterwards; what `export`
writes now is calibrated after the rounding, as `mobilenetv2-all` and `vgg16-weighted` are. That of `width-only` comes
from the films whose width is not known.

{calibration}"""


def models_table(exports: dict[str, Export]) -> str:
    """Markdown, in README.md too: one row per export trained on the Kermany films, on the official test split."""
    rows = []
    for model_id, export in exports.items():
        if summary := export.card.metrics.get("chest_xray-test"):
            rates = [_rate(summary, rate) for rate in ("auroc", "accuracy", "sensitivity", "specificity")]
            origin = ["sees no pixels: image size alone", "none"]
            if export.is_network:
                origin = [export.card.weights.started_from, f"{export.card.weights.bytes / 1e6:.1f} MB"]
            elif export.is_committee:
                size = sum(member.card.weights.bytes for member in export.members)
                origin = [
                    f"committee of {', '.join(f'`{member.id}`' for member in export.members)}",
                    f"its members', {size / 1e6:.1f} MB",
                ]
            rows.append([f"`{model_id}`", *rates, f"{summary['ece']:.3f}", *origin])
    header = ["model", "AUROC", "accuracy", "sensitivity", "specificity", "ECE", "started from", "weights"]
    return table(header, rows)


def calibration_table(exports: dict[str, Export]) -> str:
    """Markdown: what the calibration error of each export on the official test split is made of."""
    rows = []
    for model_id, export in exports.items():
        if "chest_xray-test" not in export.card.metrics:
            continue
        validation, test = (export.predictions(f"chest_xray-{part}") for part in ("validation", "test"))
        shares = [part["label"].mean() for part in (validation, test)]
        excess = [part["probability"].mean() - share for part, share in zip((validation, test), shares, strict=True)]
        moved = test.assign(probability=at_share(test["probability"], *shares))
        normals = [part.loc[part["label"] == 0, "probability"] for part in (validation, test)]
        rows.append(
            [
                f"`{model_id}`",
                f"{expected_calibration_error(test):.3f}",
                f"{excess[1]:+.3f}",
                f"{excess[0]:+.3f}",
                f"{expected_calibration_error(moved):.3f}",
                *(f"{(normal > SURE).sum()} of {len(normal)}" for normal in normals),
            ]
        )
    header = ["model", "ECE", "too high by", "too high by, validation", "at the test split's share"]
    return table([*header, "sure and wrong, validation", "sure and wrong, test"], rows)


def departures(recipes: Iterable[Recipe]) -> str:
    """Markdown: what each recipe that follows a published work does otherwise."""
    lines = (f"- `{recipe.id}`: {recipe.departs}" for recipe in recipes if recipe.reference and recipe.departs)
    return "\n".join(map(wrapped, lines))


def readings(exports: dict[str, Export]) -> str:
    """Markdown: what the cards of networks say of readings of the test split, among their limits. A committee's card
    repeats those of its members."""
    lines = [
        f"- `{model_id}`: {limit}"
        for model_id, export in exports.items()
        if export.is_network
        for limit in _told(export)
    ]
    for model_id, export in exports.items():
        if told := [f"`{member.id}`" for member in export.members if _told(member)]:
            lines.append(f"- `{model_id}`: What is said of {listed(told)} holds for it too.")
    times = {model_id: len(export.card.data.test_read) for model_id, export in exports.items()}
    if again := [f"`{model_id}` {count} times" for model_id, count in times.items() if count > 1]:
        lines.append(f"- By the dates on the cards, `evaluate` has read {listed(again)}.")
    return "\n".join(map(wrapped, lines))


def _told(export: Export) -> list[str]:
    """What an export's card says of readings of the test split."""
    return [limit for limit in export.card.limits if "read on the test split" in limit.lower()]


def compared_table(recipes: Iterable[Recipe], exports: dict[str, Export]) -> str:
    """Markdown: one row per published figure, with ours on the same kind of images.

    Raises ProtocolError for a protocol that we do not have.
    """
    rows = []
    for recipe in recipes:
        if recipe.reference is None:
            continue
        for name, claim in recipe.reference.claims.items():
            part, metric = published_part(name, recipe.reference.protocol)
            ours, verdict, began = "no export yet", "", ""
            if export := exports.get(recipe.id):
                summary = export.card.metrics[f"{recipe.collection}-{part}"]
                ours = _rate(summary, metric)
                verdict = "beaten" if summary[metric][0] > claim else "met" if summary[metric][0] == claim else "missed"
                began = "yes" if export.card.weights.started_from.endswith(SCRATCH) else ""
            words = (
                recipe.reference.title,
                published_images(name, recipe.reference.protocol),
                published_figure(name),
                f"{claim:.3f}",
            )
            rows.append([f"`{recipe.id}`", *words, ours, verdict, began])
    return table(["recipe", "follows", "protocol", "figure", "published", "ours", "", "from scratch"], rows)


def write_results(recipes: Iterable[Recipe], exports: dict[str, Export], path: Path = RESULTS) -> str:
    """Write docs/results.md and return its text."""
    recipes = list(recipes)
    page = _PAGE.format(
        compared=compared_table(recipes, exports),
        departures=departures(recipes),
        models=models_table(exports),
        readings=readings(exports),
        calibration=calibration_table(exports),
    )
    replace_text(path, page)
    return page


def _rate(summary: dict, name: str) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*summary[name])


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"; names: at least one."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def wrapped(text: str, indent: str = "  ") -> str:
    """Lines of at most 120 characters, those after the first indented: a Markdown list's item."""
    return fill(text, 120, subsequent_indent=indent, break_on_hyphens=False)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
