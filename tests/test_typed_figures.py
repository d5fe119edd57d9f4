"""Figures that are typed into README.md and train/experiments_page.md, computed anew from the rows that they came from.

A figure that is not here came from a run whose rows are gone, or was measured by other means than rows.
"""

import re
from functools import cache
from math import floor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.metrics import log_loss, roc_auc_score

from cases.settings import PROJECT_ROOT
from model_zoo import evaluation, looking, operating, repeats, shortcuts
from model_zoo.methods import TITLES
from model_zoo.registry import networks, readers, scan

EXPORTED, _ = scan()
NETWORKS = networks(EXPORTED)
CHAMPION, COMMITTEE = EXPORTED["champion"], EXPORTED["committee"]
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def auroc(model_id, part="test"):
    return evaluation.auroc(EXPORTED[model_id].predictions(f"chest_xray-{part}"))


def aurocs(part):
    return [auroc(model_id, part) for model_id in NETWORKS]


def in_lungs(model_id, column="in_lungs"):
    return looking.read_looking(EXPORTED[model_id], "chest_xray-test")[column].mean()


def blanked(model_id, change):
    rows = shortcuts.read_shortcuts(EXPORTED[model_id], "chest_xray-test")
    return evaluation.auroc(rows[rows["change"] == change])


def exchanged():
    """What docs/phantoms.md has: the films themselves are not here."""
    page = (PROJECT_ROOT / "docs" / "phantoms.md").read_text(encoding="utf-8")
    return [float(area) for area in re.findall(r"^\| (?:only the lungs|everything but).*? \| ([\d.]+) ", page, re.M)]


def unseen():
    from train.experiments import read_rows, unseen_auroc

    even, plain = (unseen_auroc(read_rows())[f"size-{name}"].split() for name in ("even", "moderate"))
    assert even[1] == plain[1], "README.md has one number of runs for both"
    return float(even[0]), float(plain[0]), NUMBERS[int(even[1].strip("("))]


README = (
    ("Compare {} heatmap methods", lambda: (NUMBERS[len(TITLES)],)),
    ("set `LUNGLENS_MODELS={}`, which keeps all of them", lambda: (len(readers(EXPORTED)),)),
    (
        "every network here has an AUROC above {:.2f}, `champion` of {:.3f}; on the official test folder all have "
        "less, from {:.3f} to {:.3f}.",
        lambda: (
            floor(100 * min(aurocs("validation"))) / 100,
            auroc("champion", "validation"),
            min(aurocs("test")),
            max(aurocs("test")),
        ),
    ),
    (
        "has an AUROC of {:.3f} on the test split and {:.3f} on validation images. `width-only` is that check",
        lambda: (auroc("width-only"), auroc("width-only", "validation")),
    ),
    (
        "into a healthy child's film, and it reaches an AUROC of {:.3f}; put healthy lungs into a sick child's film, "
        "and it reaches {:.3f}",
        exchanged,
    ),
    (
        "The centre prior, a spot in the middle of every film, has {:.2f} of its evidence in the lungs. `champion`, "
        "which was taught where they are, has {:.2f}; `cnn11`, which was not, {:.2f};",
        lambda: (in_lungs("cnn11", "centre_in_lungs"), in_lungs("champion"), in_lungs("cnn11")),
    ),
    (
        "`resnet50-bn` has {:.2f}, `vgg16-weighted` {:.2f}, `mobilenetv2` and `mobilenetv2-all` {:.2f} and {:.2f}.",
        lambda: map(in_lungs, ("resnet50-bn", "vgg16-weighted", "mobilenetv2", "mobilenetv2-all")),
    ),
    (
        "`committee`, which asks `{}` and `{}`, has {:.2f}.",
        lambda: (*(member.id for member in COMMITTEE.members), in_lungs("committee")),
    ),
    (
        "the AUROC of `mobilenetv2` falls from {:.3f} to {:.3f}, that of `champion` from {:.3f} to {:.3f}; with the "
        "lungs alone `champion` has {:.3f}",
        lambda: (
            *(blanked(model_id, part) for model_id in ("mobilenetv2", "champion") for part in ("nothing", "lungs")),
            blanked("champion", "outside"),
        ),
    ),
    ("(AUROC {:.3f} against {:.3f}, means of {} runs)", unseen),
)

RUNS = tuple(run.id for run in (CHAMPION, *CHAMPION.repeats))
FIRST, SECOND, THIRD = ((run, "vgg16-weighted") for run in RUNS)


def right(export):
    """Of the test films."""
    cells = export.card.metrics["chest_xray-test"]["confusion"]
    return cells["true_positives"] + cells["true_negatives"]


def right_of_runs():
    return [right(run) for run in (CHAMPION, *CHAMPION.repeats)]


@cache
def pooled(*members):
    """A committee of these, by their rows: likelihood and area on validation films; test_area, right and youden, how
    many are right at the operating point and at Youden's, on test films.

    Six decimals have 1.000000 for any surer answer, so that none is taken as surer than the last decimal tells."""
    from train.calibrate import fit_calibration

    exports = [EXPORTED.get(member) or next(run for run in CHAMPION.repeats if run.id == member) for member in members]

    def logits(part):
        tables = [export.predictions(f"chest_xray-{part}").set_index("image_id").sort_index() for export in exports]
        mean = np.mean([logit(table["probability"].clip(1e-6, 1 - 1e-6)) for table in tables], axis=0)
        return mean, tables[0]["label"].to_numpy()

    (plain, labels), (asked, truth) = logits("validation"), logits("test")
    temperature, offset = fit_calibration(plain, labels)
    p, q = (expit((part + offset) / temperature) for part in (plain, asked))
    points = operating.at_sensitivity(p, labels, 0.95), operating.youden(p, labels)
    counts = [int(((q >= point) == truth).sum()) for point in points]
    areas = roc_auc_score(labels, p), roc_auc_score(truth, q)
    return SimpleNamespace(
        likelihood=-log_loss(labels, p), area=areas[0], test_area=areas[1], right=counts[0], youden=counts[1]
    )


def right_by_youden(export):
    validation, test = (export.predictions(f"chest_xray-{part}") for part in ("validation", "test"))
    point = operating.youden(validation["probability"].to_numpy(), validation["label"].to_numpy())
    return int(((test["probability"] >= point) == test["label"]).sum())


def figure(name, part="test"):
    """The committee's, from its card, which test_exports.py compares with its rows."""
    found = COMMITTEE.card.metrics[f"chest_xray-{part}"][name]
    return found[0] if isinstance(found, list) else found


EXPERIMENTS = (
    (
        "; {:.4f} and {:.4f} in the table)",
        lambda: pd.read_csv(PROJECT_ROOT / "docs" / "candidates.csv", index_col="candidate").loc[
            "champion-averaged", ["plain AUROC", "plain likelihood"]
        ],
    ),
    (
        "the mean of the weights of two such runs: {:.4f} and {:.4f}.",
        lambda: repeats.figures_of_runs(CHAMPION, "chest_xray-test").mean()[["auroc", "accuracy"]],
    ),
    (
        "where the smaller film is made from the larger one: {:.4f} and {:.5f}, which",
        lambda: (-figure("log_loss", "validation"), figure("auroc", "validation")),
    ),
    (
        "went from 0.9903 to {:.4f}, its accuracy from 0.9535 to {:.4f}. By the stored rows, with the repeats of "
        "`champion` in its place it has {:.4f} and {:.4f}, and {:.4f} twice.",
        lambda: (
            figure("auroc"),
            figure("accuracy"),
            *(pooled(*pair).test_area for pair in (SECOND, THIRD)),
            np.mean([pooled(*pair).right for pair in (SECOND, THIRD)]) / 624,
        ),
    ),
    (
        "has {} films right, {} fewer than the exported one, and in the mean of three {:.0f} to its {:.1f}.",
        lambda: (
            right(COMMITTEE),
            NUMBERS[right(CHAMPION) - right(COMMITTEE)],
            np.mean([pooled(*pair).right for pair in (FIRST, SECOND, THIRD)]),
            np.mean(right_of_runs()),
        ),
    ),
    (
        "with `champion` a likelihood of {:.4f} and an AUROC of {:.4f}, as a third member {:.4f} and {:.4f}; the "
        "committee has {:.4f} and {:.4f}. All three runs of `champion`, not chosen among one another, are better with "
        "`vgg16-weighted`: {:.4f} and {:.4f}.",
        lambda: [
            value
            for members in (("champion", "resnet50-bn"), (*FIRST, "resnet50-bn"), FIRST, (*RUNS, "vgg16-weighted"))
            for value in (pooled(*members).likelihood, pooled(*members).area)
        ],
    ),
    (
        "with an AUROC of {:.4f}, but has {} films right, {} more than the committee and {} fewer than `champion`.",
        lambda: (
            pooled(*RUNS, "vgg16-weighted").test_area,
            pooled(*RUNS, "vgg16-weighted").right,
            NUMBERS[pooled(*RUNS, "vgg16-weighted").right - right(COMMITTEE)],
            NUMBERS[right(CHAMPION) - pooled(*RUNS, "vgg16-weighted").right],
        ),
    ),
    (
        "on the validation films too: {} films right, and {} for the committee as it is.",
        lambda: (pooled(*RUNS, "vgg16-weighted").youden, right_by_youden(COMMITTEE)),
    ),
)


@pytest.mark.parametrize(
    ("page", "words", "figures"),
    [
        (page, *each)
        for page, typed in (("README.md", README), ("train/experiments_page.md", EXPERIMENTS))
        for each in typed
    ],
)
def test_a_typed_figure_is_that_of_the_rows(page, words, figures):
    said = " ".join((PROJECT_ROOT / page).read_text(encoding="utf-8").split())
    fresh = words.format(*figures())
    assert fresh in said, f"{page} should say: {fresh}"


def test_what_readme_says_of_every_network_is_so():
    for model_id, network in NETWORKS.items():
        validation, test = (network.card.metrics[f"chest_xray-{part}"] for part in ("validation", "test"))
        fell = [name for name in ("auroc", "specificity") if test[name][0] < validation[name][0]]
        assert fell == ["auroc", "specificity"], f"{model_id} is no worse on the test folder"


def test_what_readme_says_of_networks_that_no_lung_mask_taught_is_so():
    untaught = [model_id for model_id, network in NETWORKS.items() if not network.card.recipe.get("lung_gate")]
    blind = in_lungs("cnn11", "centre_in_lungs")
    assert [model_id for model_id in untaught if in_lungs(model_id) >= blind] == ["cnn11"]
    most_accurate = sorted(untaught, key=lambda model_id: right(EXPORTED[model_id]))[-4:]
    assert set(most_accurate) == {"resnet50-bn", "vgg16-weighted", "mobilenetv2", "mobilenetv2-all"}
