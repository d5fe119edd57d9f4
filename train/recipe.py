"""What a recipe is: every decision that training one model takes, as plain frozen settings.

A recipe file, train/recipes/<model_id>.py, defines `recipe(quick: bool = False) -> Recipe`. The quick mode trains a
small version on phantoms in about a minute: it shows that the recipe runs, not what it reaches.
"""

import importlib
import json
import pkgutil
import re
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields, replace

from cases.collections import COLLECTIONS
from model_zoo.card import Reference

# What every model trained on the Kermany films must say of itself.
KERMANY_LIMITS = (
    "Trained on films of children aged one to five from one hospital; other ages and hospitals are unknown ground.",
    "Knows two answers only. Anything else on a film, or a film that is not of a chest, still gets a probability.",
)
# Of a recipe, what a card has elsewhere or has no need of.
_DESCRIBED_ELSEWHERE = frozenset(
    ("id", "title", "summary", "architecture", "build", "goes_on_from", "reference", "departs", "limits")
)


class RecipeError(ValueError):
    """A recipe that does not exist or cannot run here. The message says what was expected and what was received."""


class TrainingStopped(RuntimeError):
    """Training cannot go on. The message says why and what to change."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes to each training image, drawn anew each time it is seen. Zero switches a change off.

    horizontal_flip: mirror half of the images.
    rotation, shear: up to this many degrees either way.
    translation: up to this share of the side, each axis.
    zoom: (smallest, largest) factor of the field of view, drawn per axis, so that the aspect ratio varies too;
        above 1 zooms out, because more of the scene is seen.
    gamma: intensities (0..1) to the power exp(u), u uniform in +-gamma: exposure and film curve.
    contrast: (smallest, largest) factor around the image's mean.
    brightness: added, up to this share of the full range either way.
    noise: standard deviation, as a share of the full range, of what every image gets, so that none is seen without.
        docs/experiments.md has what that costs on films without noise, and what learning without it costs.
    erasing: share of the images of which a random rectangle (2% to 33% of the area) is replaced by noise.
    """

    horizontal_flip: bool = False
    rotation: float = 0.0
    shear: float = 0.0
    translation: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    gamma: float = 0.0
    contrast: tuple[float, float] = (1.0, 1.0)
    brightness: float = 0.0
    noise: float = 0.0
    erasing: float = 0.0


# Exposure and geometry changed as far as a film stays readable: what separates the train split from the test split.
HARD_AUGMENTATION = Augmentation(
    horizontal_flip=True,
    rotation=8,
    translation=0.1,
    zoom=(0.85, 1.3),
    gamma=0.6,
    contrast=(0.6, 1.4),
    brightness=0.15,
    noise=0.015,
    erasing=0.3,
)
# As hard in geometry, and exposed so that a film looks much the same (docs/experiments.md compares them).
MODERATE_AUGMENTATION = replace(
    HARD_AUGMENTATION, gamma=0.2, contrast=(0.8, 1.2), brightness=0.05, noise=0.0, erasing=0.0
)
# As hard, but the films learnt from are as clean as those that a network is then given.
QUIET_AUGMENTATION = replace(HARD_AUGMENTATION, noise=0.0)


@dataclass(frozen=True)
class Stage:
    """A run of epochs under one optimiser: AdamW, the rate warming up to learning_rate, then a cosine down to zero.

    warmup: share of the stage's steps spent warming up.
    decay: False keeps the rate where it is after warming up, in place of the cosine.
    trainable: "all" layers; "head", those after the heatmap layer, on features that are computed once and so without
        augmentation, before all other stages; "batch normalisation", the head and, before it, the
        batch-normalisation layers alone; or how many of the network's last layers.
    steps: batches per epoch; 0 for as many as the training images fill.
    patience: stop after this many epochs in a row without a lower validation loss; 0 to run all epochs.
    stop_below: stop once the validation loss was below this in `patience` epochs in a row, and for no other reason;
        0 for the plain patience.
    hints: pairs of one of the network's layers and one of its first teacher's, whose feature maps it learns beside the
        teachers' answers (train/teacher.py).
    """

    name: str
    epochs: int
    learning_rate: float
    warmup: float = 0.1
    decay: bool = True
    trainable: str | int = "all"
    steps: int = 0
    patience: int = 0
    stop_below: float = 0.0
    hints: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Settings of one model. See the field's names for units; shares and probabilities are 0..1.

    build: makes the network: input float32 (n, side, side, channels) in 0..255, output logits (n, 1). When the recipe
        has starting_weights for its backbone, it takes them as `weights` (networks.on_backbone), and none when called
        without.
    starting_weights: "imagenet", for the backbone; "network", all of a finished run's, its head included, which
        `fit --weights` must name; or "none". `fit --weights FILE` puts a local file in place of the download.
    goes_on_from: id of the recipe whose finished run is meant where starting_weights is "network", for people; a test
        asks every recipe file for it. "" for other starting weights.
    random_test_share: share of the images, drawn regardless of patients, kept out of training and reported as the set
        "random25" beside the official test split, because a published protocol did so.
    validation_share: share of the images, whole patients, kept out of training for temperature and threshold.
    balanced: draw normals and pneumonias equally often; otherwise each image once per epoch.
    even_heights: with balanced, draw both classes equally often from each range of heights too (train.data.Batches), so
        that the size at which a film was published does not tell its class.
    weighted_loss: an image of the rarer class weighs more, so that both classes weigh the same in sum.
    teachers: ids of exports whose answers, their mean, the network learns beside the labels (train/teacher.py).
    noise_for_teachers: show each teacher the images with as much noise as it learnt under (Augmentation.noise).
    lung_gate: name of a layer of the network, (n, rows, columns, 1) in 0..1, that learns how much of each cell lies in
        the true lungs (train/lung_lesson.py); "" for none.
    exchanged_surroundings: share of the images of which all but the lungs comes from another image of the batch.
    mixup: images and labels mixed in pairs, the share drawn from Beta(mixup, mixup) (Zhang et al. 2018); 0 for none.
    ema_momentum: the exported weights are an exponential moving average over steps with this momentum; 0 for none.
    averaged_runs: fit as many runs, with other draws each, and export the mean of their weights (Wortsman et al. 2022,
        "Model soups"). They must start from the same network, head included: the weights of unlike ones have no
        meaningful mean.
    sides: at how many pixels the finished network looks at a film that it learnt from at `side`, to average what it
        sees (train.networks.at_sides); the largest is its input's. () for `side` alone.
    target_sensitivity: the operating point is the highest threshold with at least this sensitivity on validation.
    mantissa_bits: how many of float32's 23 bits the exported weights keep.
    held_out: which of train.data.UNSEEN to keep out of training and validation, for experiments; "" for none.
    departs: whole sentences, Markdown for docs/results.md: what it does otherwise than the work that it follows.
    seed: of the split and, with repeat, of all else that is random. repeat: another run on the same split.
    """

    id: str
    title: str
    summary: str
    architecture: str
    build: Callable
    side: int
    channels: int
    heatmap_layer: str
    stages: tuple[Stage, ...]
    reference: Reference | None
    limits: tuple[str, ...]
    starting_weights: str = "none"
    goes_on_from: str = ""
    collection: str = "chest_xray"
    random_test_share: float = 0.0
    validation_share: float = 0.15
    batch_size: int = 32
    balanced: bool = False
    even_heights: bool = False
    weighted_loss: bool = False
    teachers: tuple[str, ...] = ()
    noise_for_teachers: bool = False
    lung_gate: str = ""
    exchanged_surroundings: float = 0.0
    mixup: float = 0.0
    augmentation: Augmentation = Augmentation()
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    ema_momentum: float = 0.0
    averaged_runs: int = 1
    sides: tuple[int, ...] = ()
    target_sensitivity: float = 0.95
    mantissa_bits: int = 10
    held_out: str = ""
    departs: str = ""
    seed: int = 0
    repeat: int = 0

    def __post_init__(self):
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise RecipeError(
                f"{self.id}: expected stages, each with a name of its own, by which a run knows what is behind it. "
                f"Received: {', '.join(names) or 'none'}."
            )
        for stage in self.stages:
            named = stage.trainable in ("all", "head", "batch normalisation")
            if not named and (type(stage.trainable) is not int or stage.trainable < 1):
                raise RecipeError(
                    f"{self.id}: expected a stage that trains 'all', 'head', 'batch normalisation', or how many of the "
                    f"last layers. Received: {stage.trainable!r} in '{stage.name}'."
                )
            if stage.stop_below and stage.patience < 1:
                raise RecipeError(
                    f"{self.id}: expected a patience beside stop_below, in how many epochs the loss is to be below it. "
                    f"Received: {stage.patience} in '{stage.name}'."
                )
        heads = [stage.trainable == "head" for stage in self.stages]
        if heads != sorted(heads, reverse=True):
            raise RecipeError(
                f"{self.id}: expected the stages of the head alone before the others, as their checkpoints hold no "
                "backbone: a run that goes on from one would lose what the backbone had learnt. Received: "
                f"{', '.join(repr(stage.trainable) for stage in self.stages)}."
            )
        if any(heads) and (self.needs_lungs or self.teachers):
            raise RecipeError(
                f"{self.id}: expected no stage of the head alone, which sees features and no images, beside lung masks "
                "or teachers. Received: one of these with lung_gate, exchanged_surroundings or teachers."
            )
        if any(stage.hints for stage in self.stages) and (not self.teachers or self.needs_lungs):
            raise RecipeError(
                f"{self.id}: expected hints from a teacher and without lung masks. Received: hints and "
                f"{'lung masks' if self.needs_lungs else 'no teacher'}."
            )
        if self.held_out and self.teachers:
            raise RecipeError(
                f"{self.id}: expected no teachers beside held_out, whose films they have learnt from. Received: both."
            )
        if self.even_heights and not self.balanced:
            raise RecipeError(f"{self.id}: expected balanced beside even_heights. Received: even_heights alone.")
        if self.averaged_runs < 1 or (self.averaged_runs > 1 and self.starting_weights != "network"):
            raise RecipeError(
                f"{self.id}: expected averaged_runs of 1, or of more beside starting_weights 'network'. Received: "
                f"{self.averaged_runs} beside '{self.starting_weights}'."
            )

    @property
    def run_seed(self) -> int:
        """Seed of everything random but the split."""
        return self.seed + 100 * self.repeat

    @property
    def input_side(self) -> int:
        """Side of the finished network's input."""
        return max(self.sides, default=self.side)

    def single_runs(self) -> tuple["Recipe", ...]:
        """The runs whose weights are averaged; no two, of all repeats, have the same draws."""
        return tuple(
            replace(self, averaged_runs=1, sides=(), repeat=self.repeat * self.averaged_runs + run)
            for run in range(self.averaged_runs)
        )

    @property
    def needs_lungs(self) -> bool:
        """Whether the training images must come with their lung masks."""
        return bool(self.lung_gate or self.exchanged_surroundings)

    def hyperparameters(self) -> dict:
        """The settings that shaped the weights, as JSON types."""
        shaping = {name: value for name, value in asdict(self).items() if name not in _DESCRIBED_ELSEWHERE}
        return json.loads(json.dumps(shaping))


def completed(settings: dict) -> dict:
    """The recipe of a network's card with the settings that came after the card, which then were what their defaults
    are now, and of which one, `teacher`, has become `teachers`. As JSON types, comparable with hyperparameters()."""
    complete = _defaults(Recipe) | settings
    if teacher := complete.pop("teacher", ""):
        complete["teachers"] = [teacher]
    complete["stages"] = [_defaults(Stage) | stage for stage in settings["stages"]]
    complete["augmentation"] = _defaults(Augmentation) | settings["augmentation"]
    return json.loads(json.dumps(complete))


def _defaults(settings: type) -> dict:
    found = {field.name: field.default for field in fields(settings) if field.default is not MISSING}
    return {name: default for name, default in found.items() if name not in _DESCRIBED_ELSEWHERE}


def recipe_ids() -> tuple[str, ...]:
    import train.recipes

    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(train.recipes.__path__)))


def split_repeat(model_id: str) -> tuple[str, str]:
    """("cnn11", "2") of "cnn11-repeat-2"; the number is "" where there is none."""
    name, _, repeat = model_id.partition("-repeat-")
    return name, repeat


def load_recipe(model_id: str, quick: bool = False) -> Recipe:
    """The recipe of that id. "<id>-repeat-<n>" is the recipe <id> again, on the same split with other draws.

    Raises RecipeError for an id without a recipe file, for a file without recipe(), and for one whose recipe has an
    unknown collection or another id: its export would take the place of that model's."""
    name, repeat = split_repeat(model_id)
    if name not in recipe_ids() or (model_id != name and not re.fullmatch("[1-9][0-9]*", repeat)):
        raise RecipeError(
            f"Expected one of the recipes {', '.join(recipe_ids())}, or a repeat of one, such as "
            f"{recipe_ids()[0]}-repeat-1. Received: {model_id!r}."
        )
    module = importlib.import_module(f"train.recipes.{name.replace('-', '_')}")
    if not hasattr(module, "recipe"):
        raise RecipeError(f"{module.__file__}: expected a function recipe(quick=False). Received: a file without it.")
    recipe = module.recipe(quick)
    if recipe.id != name:
        raise RecipeError(f"Expected the id {name!r} in the recipe of that file. Received: {recipe.id!r}.")
    if recipe.collection not in COLLECTIONS:
        raise RecipeError(
            f"{name}: expected one of the collections {', '.join(COLLECTIONS)}. Received: {recipe.collection!r}."
        )
    if not repeat:
        return recipe
    return replace(recipe, id=model_id, title=f"{recipe.title}, repeat {int(repeat)}", repeat=int(repeat))
