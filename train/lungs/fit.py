"""Fit the lung-field network: `python -m train lungs fit`.

A run lives in a folder, runs/lungs by default. Its checkpoints, history.csv and trained.keras are those of
train/checkpoints.py, so that the same command goes on after a kill; split.json and environment.json as fit.py's.

Everything random depends on (settings.seed, epoch) alone.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from train.augment import augmenter, geometry_and_exposure
from train.checkpoints import (
    Progress,
    ReseedEachEpoch,
    SaveEachEpoch,
    alone_in,
    last_begun,
    last_history,
    load_last,
    refuse_changes,
    rows_of,
    write_trained,
    writing,
)
from train.data import Batches, ImageSet
from train.fit import environment
from train.lungs.data import MaskedImages, development_sets
from train.lungs.network import WIDTHS, lung_network
from train.recipe import HARD_AUGMENTATION, Augmentation

HISTORY_COLUMNS = ("epoch", "stage", "learning_rate", "loss", "dice", "val_loss", "val_dice", "seconds")
# Films as people bring them: other ages, crops and tilts, another exposure.
WIDE_AUGMENTATION = Augmentation(
    horizontal_flip=True,
    rotation=20,
    shear=6,
    translation=0.12,
    zoom=(0.75, 1.4),
    gamma=0.7,
    contrast=(0.5, 1.5),
    brightness=0.2,
    noise=0.02,
    erasing=0.2,
)


@dataclass(frozen=True)
class Stage:
    """name: unique among a run's stages. learning_rate: the highest; it warms up for half an epoch and then falls to
    zero on a cosine."""

    name: str
    epochs: int
    learning_rate: float
    augmentation: Augmentation


@dataclass(frozen=True)
class Settings:
    """side: of the network's input. widths: of the network. collection: what it learns from, with phantoms and
    images without a chest beside it."""

    side: int = 128
    widths: tuple[int, ...] = WIDTHS
    collection: str = "chest_xray"
    stages: tuple[Stage, ...] = (
        Stage("wide", 10, 2e-3, WIDE_AUGMENTATION),
        Stage("hard", 8, 1e-3, HARD_AUGMENTATION),
    )
    batch_size: int = 32
    weight_decay: float = 1e-3
    seed: int = 0


def fit(settings: Settings, run: Path, precision: str = "float32") -> Path:
    """Train in the folder `run`, going on from its last checkpoint, and return the path of trained.keras, which is
    float32 whatever the precision ("float32" or "mixed_bfloat16") it was trained in.

    Raises TrainingStopped when another process trains in the folder, when it belongs to other settings, the loss is no
    number, or the disk is full; RadiographError for an unreadable image; CollectionUnavailable for an unreadable mask,
    or without the data.
    """
    trained = run / "trained.keras"
    stored_settings = json.loads(json.dumps(asdict(settings)))
    if trained.exists():
        refuse_changes(stored_settings, json.loads((run / "environment.json").read_text())["settings"], run)
        return trained
    keras.utils.set_random_seed(settings.seed)
    last_history(stored_settings, run)  # Other settings are said before the images are read, not after it.
    training, validation = development_sets(settings.collection, settings.side, settings.seed)
    with alone_in(run):
        # Another process may have gone on meanwhile.
        history = last_history(stored_settings, run)
        parts = {"training": training.entries, "validation": validation.entries}
        with writing(run):
            split = {name: [entry.id for entry in entries] for name, entries in parts.items()}
            (run / "split.json").write_text(json.dumps(split))
            (run / "environment.json").write_text(json.dumps({**environment(precision), "settings": stored_settings}))
        keras.config.set_dtype_policy(precision)
        network = lung_network(settings.side, settings.widths)
        keras.config.set_dtype_policy("float32")
        steps = len(training.pairs) // settings.batch_size
        with tqdm(
            total=steps * sum(stage.epochs for stage in settings.stages),
            initial=steps * len(history),
            desc="lungs",
            unit="batch",
            mininterval=1,
        ) as bar:
            for stage in settings.stages[last_begun([stage.name for stage in settings.stages], history) :]:
                saver = SaveEachEpoch(stored_settings, stage.name, history, run)
                _fit_stage(network, stage, settings, steps, training, validation, saver, bar)
        finished = lung_network(settings.side, settings.widths)
        finished.set_weights(network.get_weights())
        write_trained(finished, history, HISTORY_COLUMNS, run)
    return trained


def _fit_stage(
    network: keras.Model,
    stage: Stage,
    settings: Settings,
    steps: int,
    training: MaskedImages,
    validation: MaskedImages,
    saver: SaveEachEpoch,
    bar: tqdm,
) -> None:
    """Run what is left of one stage; the network ends with its weights."""
    history = saver.history
    done = len(rows_of(history, stage.name))
    warmup = steps // 2
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, stage.epochs * steps - warmup, warmup_target=stage.learning_rate, warmup_steps=warmup
    )
    trainer = _trainer(network, stage.augmentation, settings.seed)
    trainer.compile(
        keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay),
        loss,
        metrics=[dice],
        jit_compile=keras.backend.backend() == "jax",
    )
    trainer.optimizer.build(trainer.trainable_variables)
    if done:
        load_last(trainer, history, saver.run)
    if done == stage.epochs:
        return
    targets = _with_targets(validation)
    trainer.fit(
        Batches(
            _with_targets(training), settings.batch_size, balanced=False, seed=settings.seed, first_epoch=len(history)
        ),
        validation_data=(targets.images, targets.labels[:, np.newaxis]),
        epochs=stage.epochs,
        initial_epoch=done,
        callbacks=[ReseedEachEpoch(settings.seed, len(history) - done), Progress(bar, stage.name), saver],
        # Batches has its own order.
        shuffle=False,
        verbose=0,
    )


def _trainer(network: keras.Model, augmentation: Augmentation, seed: int) -> keras.Model:
    """Image and mask go through the same changes of geometry; exposure changes the image alone. The output holds the
    logits and, behind them, the mask they should match."""
    geometry, exposure = geometry_and_exposure(augmentation)
    pairs = keras.Input((*network.input_shape[1:3], 2))
    moved = augmenter(geometry, seed)(pairs)
    expose = augmenter(exposure, seed)
    expose.name = "exposure"
    logits = keras.layers.Activation("linear", dtype="float32")(network(expose(moved[..., :1])))
    return keras.Model(pairs, keras.layers.Concatenate()([logits, moved[..., 1:] / 255.0]), name="trainer")


def loss(_, output):
    """Cross-entropy plus soft Dice per image (Milletari, Navab & Ahmadi 2016). output: (n, side, side, 2) as
    _trainer's."""
    logits, mask = output[..., 0], ops.clip(output[..., 1], 0.0, 1.0)
    entropy = ops.mean(ops.binary_crossentropy(mask, logits, from_logits=True))
    return entropy + ops.mean(1 - _overlap(ops.sigmoid(logits), mask))


def dice(_, output):
    return _overlap(ops.cast(output[..., 0] > 0, "float32"), ops.cast(output[..., 1] > 0.5, "float32"))


def _overlap(found, mask):
    """Dice per image; 1 where neither has anything. The constant is one cell."""
    both = ops.sum(found * mask, axis=(1, 2))
    return (2 * both + 1) / (ops.sum(found, axis=(1, 2)) + ops.sum(mask, axis=(1, 2)) + 1)


def _with_targets(data: MaskedImages) -> ImageSet:
    """Keras asks for targets; they are in the pairs already."""
    return ImageSet(data.pairs, np.zeros(len(data.pairs), np.float32), data.entries)
