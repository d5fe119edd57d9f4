"""What there is to find in each lesson, from stored rows. No model is run, and TensorFlow is not imported.

Each function takes the models by id, of which it needs those that its lesson names, and raises what lesson.Lesson says
for stored rows that cannot be used.
"""

import numpy as np
import pandas as pd

from cases.collections.base import LABEL_NAMES
from model_zoo import comparison, evaluation
from model_zoo.audit import BLIND, CENTRE
from model_zoo.calibration import reliability
from model_zoo.card import read_card
from model_zoo.evaluation import Estimate, auroc
from model_zoo.intervals import clustered_share
from model_zoo.lungs.gate import GATE_CARD, GateCard, doubted, read_gate_rows
from model_zoo.methods import TITLES
from model_zoo.registry import Export, networks
from model_zoo.repeats import figures_of_runs
from model_zoo.shortcuts import read_shortcuts, sets
from views.shared import cache, evidence, reading, words
from views.shared.lessons.lesson import Found
from views.shared.performance.operating_points import operating_points
from views.shared.performance.scene import STEPS

TEST, VALIDATION, PHANTOMS = "chest_xray-test", "chest_xray-validation", "phantom-test"
# Of the children in a clinic, so many are ill.
COMMON, RARE, VERY_RARE = 0.2, 0.05, 0.01
BANDS = 5
# Networks of as many architectures, an odd number, so that there is always a majority.
OPINIONS = ("champion", "cnn11", "resnet34", "resnet50-bn", "vgg16-weighted")


def guesses(exports: dict[str, Export]) -> Found:
    """The visit's guesses beside what two models call the same test films."""
    models = [exports["champion"], exports["cnn8"]]
    right = {"You": [], **{export.card.title: [] for export in models}}
    for name in (TEST, PHANTOMS):
        guessed = reading.guesses(evidence.collection_of(name))
        probabilities = pd.DataFrame({export.id: _rows(export, name, "image_id")["probability"] for export in models})
        label = _rows(models[0], name, "image_id")["label"]
        for image_id in probabilities.dropna().index.intersection(list(guessed)):
            truth = LABEL_NAMES[label[image_id]]
            right["You"].append(guessed[image_id] == truth)
            for export in models:
                call = words.called(float(probabilities.at[image_id, export.id]), export.card.threshold.value)
                right[export.card.title].append(call == truth)
    films = len(right["You"])
    if not films:
        return Found("No test film has been guessed in this visit yet. Each class finds its own.", pd.DataFrame())
    table = pd.DataFrame({"who": who, "right": f"{sum(answers)} of {films}"} for who, answers in right.items())
    return Found("Of the test films that were guessed in this visit:", table)


def accuracy(exports: dict[str, Export]) -> Found:
    weak, strong = exports["cnn8"], exports["champion"]
    label = _rows(weak, TEST)["label"]
    ill, well = int(label.sum()), int((1 - label).sum())
    rates = ("accuracy", "sensitivity", "specificity")
    always = dict(zip(rates, (f"{ill / (ill + well):.3f}", "1", "0"), strict=True))
    table = pd.DataFrame(
        [
            {"who": "Says pneumonia of every film", **always},
            *(
                {"who": export.card.title, **{name: str(_estimates(export, TEST)[name]) for name in rates}}
                for export in (weak, strong)
            ),
        ]
    )
    by_weak, by_strong = (
        evaluation.confusion(_rows(export, TEST), export.card.threshold.value) for export in (weak, strong)
    )
    text = (
        f"{words.percent(ill / (ill + well))} of the {ill + well:,} test films show pneumonia, so whoever says "
        f"pneumonia of every film is right that often. Of the {well:,} healthy ones the small network calls "
        f"{by_weak.false_positives:,} pneumonia, the better one {by_strong.false_positives:,}; of the {ill:,} with "
        f"pneumonia they miss {by_weak.false_negatives:,} and {by_strong.false_negatives:,}."
    )
    return Found(text, table)


def operating_point(exports: dict[str, Export]) -> Found:
    export = exports["vgg16-two-rates"]
    points = {point.title: point.threshold for point in operating_points(export)}
    rows = _rows(export, TEST)
    # Positions of the slider, so that the threshold that is told gives these cells on the page too.
    label = rows["label"].to_numpy() == 1
    right = ((rows["probability"].to_numpy() >= np.array(STEPS)[:, np.newaxis]) == label).mean(axis=1)
    points["Most accurate on these very films"] = STEPS[right.argmax()]
    cells = {title: evaluation.confusion(rows, threshold) for title, threshold in points.items()}
    table = pd.DataFrame(
        {
            "operating point": title,
            "threshold": f"{points[title]:.3f}",
            "missed": str(found.false_negatives),
            "false alarms": str(found.false_positives),
            "accuracy": f"{(found.true_negatives + found.true_positives) / len(rows):.3f}",
        }
        for title, found in cells.items()
    )
    text = (
        f"With an AUROC of {_estimates(export, TEST)['auroc']} no threshold does both. Whoever picks one with the "
        f"answers of the test films in hand can report an accuracy of {right.max():.3f} in place of "
        f"{table['accuracy'].iloc[0]}, for the same network."
    )
    return Found(text, table)


def prevalence(exports: dict[str, Export]) -> Found:
    export = exports["champion"]
    rows, threshold = _rows(export, TEST), export.card.threshold.value
    here = float(rows["label"].mean())
    swept = cache.sweep(rows, (threshold,))
    found = {share: swept.predictive_values(threshold, share) for share in (here, COMMON, RARE, VERY_RARE)}
    table = pd.DataFrame(
        {
            "ill children": f"{share:.1%}" + (", as in the test films" if share == here else ""),
            "an alarm is true": words.rate(values["ppv"]),
            "an all-clear is true": words.rate(values["npv"]),
        }
        for share, values in found.items()
    )
    rates = swept.estimates(threshold)
    alarmed = 1 - rates["specificity"].value
    # Where as many of the ill are caught as of the well are alarmed.
    half = alarmed / (alarmed + rates["sensitivity"].value)
    text = (
        f"On the test films {words.percent(found[here]['ppv'].value)} of the alarms are true. Where {RARE:.0%} of the "
        f"children are ill, {words.percent(found[RARE]['ppv'].value)} would be, with the same sensitivity and "
        f"specificity; every second one, where {half:.1%} are."
    )
    return Found(text, table)


def folders(exports: dict[str, Export]) -> Found:
    models = [exports[model_id] for model_id in ("cnn11", "mobilenetv2", "champion")]
    found = {export.id: [_estimates(export, name) for name in (VALIDATION, TEST)] for export in models}
    table = pd.DataFrame(
        {
            "model": export.card.title,
            **{
                f"{title}, {part}": str(estimates[rate])
                for rate, title in (("auroc", "AUROC"), ("specificity", "specificity"))
                for part, estimates in zip(("validation", "test"), found[export.id], strict=True)
            },
        }
        for export in models
    )
    lost = [before["specificity"].value - after["specificity"].value for before, after in found.values()]
    text = (
        "The validation films are of children whom the models did not learn from, too, but come from the same folder "
        f"as those that they did. In the test folder the specificity is {min(lost):.3f} to {max(lost):.3f} lower."
    )
    return Found(text, table)


def width(exports: dict[str, Export]) -> Found:
    readers = {model_id: export for model_id, export in networks(exports).items() if TEST in export.prediction_sets()}
    areas = {model_id: _estimates(exports[model_id], TEST)["auroc"] for model_id in ("width-only", *readers)}
    blind = areas["width-only"]
    worse = [model_id for model_id, area in areas.items() if area.value < blind.value]
    best = max(areas, key=lambda model_id: areas[model_id].value)
    table = pd.DataFrame(
        {"model": exports[model_id].card.title, "AUROC": str(areas[model_id])}
        for model_id in dict.fromkeys(("width-only", *worse, best))
    )
    text = (
        f"The width of the file alone reaches an AUROC of {blind} on the test films. Of {len(readers)} networks, which "
        f"see the films themselves, {len(worse)} rank them worse."
    )
    return Found(text, table)


def without_lungs(exports: dict[str, Export]) -> Found:
    models = {model_id: exports[model_id] for model_id in ("cnn11", "mobilenetv2", "champion")}
    measured = models | {model_id: export for model_id, export in networks(exports).items() if TEST in sets(export)}
    rows = {model_id: read_shortcuts(export, TEST).groupby("change") for model_id, export in measured.items()}
    left = {
        change: {model_id: auroc(by_change.get_group(change)) for model_id, by_change in rows.items()}
        for change in ("lungs", "outside")
    }
    needs, reads = min(left["lungs"], key=left["lungs"].get), max(left["outside"], key=left["outside"].get)
    areas = {
        model_id: {
            change: response.rates["auroc"] for change, response in cache.shortcuts(exports[model_id], TEST).items()
        }
        for model_id in dict.fromkeys((*models, needs, reads))
    }
    table = pd.DataFrame(
        {
            "model": exports[model_id].card.title,
            "whole films": str(by_change["nothing"]),
            "lungs blanked": str(by_change["lungs"]),
            "all but the lungs blanked": str(by_change["outside"]),
        }
        for model_id, by_change in areas.items()
    )
    blanked = {model_id: left["lungs"][model_id] for model_id in models}
    most, least = max(blanked, key=blanked.get), min(blanked, key=blanked.get)
    text = (
        f"A model that reads the lungs and nothing else would be at chance, an AUROC of one half, without them. "
        f"“{exports[most].card.title}” still has {blanked[most]:.3f}, “{exports[least].card.title}” "
        f"{blanked[least]:.3f}. So what is left, the outline of the lungs included, tells films with pneumonia from "
        f"normal ones, and the models know it. Of all {len(measured)} networks “{exports[needs].card.title}” is left "
        f"with the least, {left['lungs'][needs]:.3f}, and has {left['outside'][needs]:.3f} with the lungs alone; the "
        f"most with them alone has “{exports[reads].card.title}”, {left['outside'][reads]:.3f}."
    )
    return Found(text, table)


def heatmaps(exports: dict[str, Export]) -> Found:
    export = exports["champion"]
    columns = {
        "alike after the head was randomised": (TEST, "head_randomised"),
        "evidence in the lungs": (TEST, "in_lungs"),
        "strongest spot in the opacity (phantoms)": (PHANTOMS, "pointing"),
    }
    found = {title: _audited(export, *column) for title, column in columns.items()}
    table = pd.DataFrame(
        {
            "map": {**TITLES, **BLIND}[method],
            **{title: str(by_method.get(method, "not measured")) for title, by_method in found.items()},
        }
        for method in (*TITLES, CENTRE)
    )
    alike, inside, _ = found.values()
    randomised = {method: estimate.value for method, estimate in alike.items() if method in TITLES}
    if not randomised or CENTRE not in inside:
        return Found(f"“{export.card.title}” was not measured on the test films yet.", table)
    most, least = max(randomised, key=randomised.get), min(randomised, key=randomised.get)
    text = (
        f"When the layers behind the heatmap forget all that they learnt, the maps of {TITLES[most]} stay the most "
        f"alike ({randomised[most]:.2f}, where one means the same), those of {TITLES[least]} the least "
        f"({randomised[least]:.2f}). A map that stays the same cannot tell what those layers learnt. "
        "The centre prior, a spot in the middle of every film, looks at nothing and has "
        f"{words.percent(inside[CENTRE].value)} of its evidence in the lungs: a map has to beat that before it proves "
        "anything."
    )
    return Found(text, table)


def calibration(exports: dict[str, Export]) -> Found:
    export = exports["champion"]
    parts = {"validation": VALIDATION, "test": TEST}
    bands = {
        part: {
            (row["from"], row["to"]): f"{words.percent(row['share'])} of {row['images']:,.0f}"
            for row in reliability(_rows(export, name), BANDS).to_dict("records")
        }
        for part, name in parts.items()
    }
    table = pd.DataFrame(
        {
            "probability": f"{low:.1f} to {high:.1f}",
            **{f"pneumonia, {part}": by_band.get((low, high), "no film") for part, by_band in bands.items()},
        }
        for low, high in sorted({band for by_band in bands.values() for band in by_band})
    )
    ece = {part: _estimates(export, name)["ece"] for part, name in parts.items()}
    ill = {part: words.percent(_rows(export, name)["label"].mean()) for part, name in parts.items()}
    text = (
        f"The calibration error is {ece['validation']} on the validation films, which the probabilities were "
        f"calibrated on, and {ece['test']} on the test films. Of the first {ill['validation']} show pneumonia, of the "
        f"second {ill['test']}; and the healthy films of the test folder look ill to the models more often."
    )
    return Found(text, table)


def luck(exports: dict[str, Export]) -> Found:
    first = exports["champion"]
    rows = {model_id: _rows(exports[model_id], TEST) for model_id in ("champion", "committee", "resnet50-bn", "cnn8")}
    images = comparison.common(rows)
    positive = images["label"].to_numpy() == 1
    calls = comparison.calls(images, {model_id: exports[model_id].card.threshold.value for model_id in rows})
    right = calls.eq(positive, axis=0)
    lines = []
    for other in list(rows)[1:]:
        apart = comparison.mcnemar(right["champion"].to_numpy(), right[other].to_numpy())
        areas = comparison.auroc_difference(images["champion"].to_numpy(), images[other].to_numpy(), positive)
        lines.append(
            {
                f"{first.card.title} against": exports[other].card.title,
                "it alone is right": str(apart.first_only),
                "the other alone is right": str(apart.second_only),
                "p (McNemar)": words.p_value(apart.accuracy.p),
                "p of the AUROC (DeLong)": words.p_value(areas.p),
            }
        )
    runs = figures_of_runs(first, TEST)["accuracy"]
    again = (
        f" The recipe of “{first.card.title}” itself, trained {len(runs)} times with other draws, has an accuracy from "
        f"{runs.min():.3f} to {runs.max():.3f}."
        if len(runs)
        else ""
    )
    text = (
        "A p value says how often two equally good models would be at least as far apart on such films. What films "
        f"both get right or both get wrong says nothing of which is better.{again}"
    )
    return Found(text, pd.DataFrame(lines))


def opinions(exports: dict[str, Export]) -> Found:
    images = comparison.common({model_id: _rows(exports[model_id], TEST) for model_id in OPINIONS})
    calls = comparison.calls(images, {model_id: exports[model_id].card.threshold.value for model_id in OPINIONS})
    votes, asked = calls.sum(axis=1), len(OPINIONS)
    called = votes > asked / 2
    wrong, majority = called.ne(images["label"] == 1), votes.where(called, asked - votes)
    lines = []
    for size, group in wrong.groupby(majority):
        share = clustered_share(group, images.loc[group.index, "patient_id"])
        lines.append(
            {
                "say the same": f"{size} of {asked}",
                "films": f"{len(group):,}",
                "wrong": f"{group.sum():,}",
                "share wrong": words.rate(share),
            }
        )
    together = wrong & (majority == asked)
    text = (
        f"Of these {asked} networks the majority is wrong on {wrong.sum():,} of {len(images):,} films. Where they "
        f"disagree it is wrong far more often, so that a disagreement is worth a warning. But on {together.sum():,} of "
        f"these films all {asked} are wrong together, and nothing warns: {(together & called).sum():,} of them are of "
        "healthy children, called pneumonia by each."
    )
    return Found(text, pd.DataFrame(reversed(lines)))


def nonsense(exports: dict[str, Export]) -> Found:
    """exports: as all of these take them; what is told is of the gate."""
    card = read_card(GATE_CARD, GateCard)
    films, made = read_gate_rows(TEST), read_gate_rows("made-test")
    alarms = clustered_share(doubted(films, card), films["patient_id"])
    by_kind = made.assign(doubted=doubted(made, card)).groupby("kind")["doubted"].agg(["sum", "size"])
    missed = by_kind[by_kind["sum"] < by_kind["size"]].sort_values("sum")
    table = pd.DataFrame(
        {"picture": kind.replace("_", " "), "doubted": f"{caught:.0f} of {pictures:.0f}"}
        for kind, (caught, pictures) in missed.iterrows()
    )
    text = (
        "The models know two answers and give one of them to every picture. The app asks first whether a picture is a "
        f"frontal chest film. It doubts a share of {alarms} of the true test films. Of {len(by_kind)} kinds of "
        "pictures that are none, made of films, drawn by code or cut from photographs, it doubts every picture of "
        f"{len(by_kind) - len(missed)}; the table has the others."
    )
    return Found(text, table)


def _rows(export: Export, name: str, index: str | None = None) -> pd.DataFrame:
    rows = cache.predictions(export, name)
    return rows.set_index(index) if index else rows


def _estimates(export: Export, name: str) -> dict[str, Estimate]:
    return cache.estimates(_rows(export, name), export.card.threshold.value)


def _audited(export: Export, name: str, measure: str) -> dict[str, Estimate]:
    """By method; empty before it was measured."""
    rows = cache.audited(export, name)
    return {} if rows is None else cache.audit_estimates(rows, measure)
