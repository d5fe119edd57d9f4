"""Fit the lung-field network: `python -m train lungs fit`.

A run lives in a folder, runs/lungs by default: `trained.keras`, `history.csv` (epoch of its stage, loss and Dice on
training and validation), `split.json`; while it runs, `backup/` and the finished stages' weights, from which the same
command goes on after a kill.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from train.augment import augmenter, geometry_and_exposure
from train.fit import environment
from train.lungs.data import MaskedImages, development_sets
from train.lungs.network import WIDTHS, lung_network
from train.recipe import HARD_AUGMENTATION, Augmentation

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
    """learning_rate: the highest; it warms up for half an epoch and then falls to zero on a cosine."""

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
    stages: tuple[Stage, ...] = (Stage(10, 2e-3, WIDE_AUGMENTATION), Stage(8, 1e-3, HARD_AUGMENTATION))
    batch_size: int = 32
    weight_decay: float = 1e-3
    seed: int = 0


def fit(settings: Settings, run: Path, precision: str = "float32") -> Path:
    """The path of trained.keras, which is float32 whatever the precision ("float32" or "mixed_bfloat16") it was trained
    in. Raises CollectionUnavailable without the data."""
    trained = run / "trained.keras"
    if trained.exists():
        return trained
    keras.utils.set_random_seed(settings.seed)
    training, validation = development_sets(settings.collection, settings.side, settings.seed)
    run.mkdir(parents=True, exist_ok=True)
    parts = {"training": training.entries, "validation": validation.entries}
    split = {name: [entry.id for entry in entries] for name, entries in parts.items()}
    (run / "split.json").write_text(json.dumps(split))
    keras.config.set_dtype_policy(precision)
    network = lung_network(settings.side, settings.widths)
    keras.config.set_dtype_policy("float32")
    for number, stage in enumerate(settings.stages):
        weights = run / f"stage-{number}.weights.h5"
        if weights.exists():
            network.load_weights(weights)
            continue
        _fit_stage(network, stage, settings, training, validation, run)
        network.save_weights(weights)
    (run / "environment.json").write_text(json.dumps({**environment(precision), "settings": asdict(settings)}))
    finished = lung_network(settings.side, settings.widths)
    finished.set_weights(network.get_weights())
    finished.save(trained)
    return trained


def _fit_stage(
    network: keras.Model,
    stage: Stage,
    settings: Settings,
    training: MaskedImages,
    validation: MaskedImages,
    run: Path,
) -> None:
    steps = len(training.pairs) // settings.batch_size
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
    trainer.fit(
        *_with_targets(training),
        batch_size=settings.batch_size,
        validation_data=_with_targets(validation),
        epochs=stage.epochs,
        callbacks=[
            keras.callbacks.CSVLogger(run / "history.csv", append=True),
            keras.callbacks.BackupAndRestore(run / "backup"),
        ],
        verbose=2,
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


def _with_targets(data: MaskedImages) -> tuple[np.ndarray, np.ndarray]:
    """Keras asks for targets; they are in the pairs already."""
    return data.pairs, np.zeros((len(data.pairs), 1, 1, 1), np.float32)
