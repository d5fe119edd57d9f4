"""Fit a recipe: stages of epochs, a checkpoint after each, and the same end after a kill as without one.

A run lives in its own folder, runs/<model_id>/ by default:

- checkpoint-0007/ the state after epoch 7: `state.weights.h5` (weights and optimiser) and `state.json` (settings,
  history). The folder gets its name when it is complete, so that a kill at any moment leaves a usable one;
- trained.keras    the finished network without augmentation; when it exists there is nothing left to fit;
- history.csv      a row per epoch: epoch, stage, learning_rate, loss, accuracy, val_loss, val_accuracy, seconds;
- split.json       the image ids of training and validation;
- environment.json the device and the versions it ran on.

Everything random depends on (recipe.seed, epoch) alone: the split, the batches, the augmentation, dropout.
"""

import csv
import importlib
import json
import math
import os
import platform
import shutil
import time
from pathlib import Path

import keras
from tqdm import tqdm

from train.augment import augmenter, seed_generators
from train.data import Batches, ImageSet, development_sets
from train.recipe import Recipe, Stage, TrainingStopped

HISTORY_COLUMNS = ("epoch", "stage", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")


def fit(recipe: Recipe, run: Path) -> Path:
    """Train a recipe in the folder `run`, going on from its last checkpoint, and return the path of trained.keras.

    Raises TrainingStopped when the folder belongs to other settings, the loss is no number, or the disk is full;
    RadiographError for an unreadable image; CollectionUnavailable without the data.
    """
    trained = run / "trained.keras"
    if trained.exists():
        return trained
    state = _last_state(recipe, run)
    training, validation = development_sets(recipe)
    run.mkdir(parents=True, exist_ok=True)
    ids = {"training": training, "validation": validation}
    (run / "split.json").write_text(json.dumps({name: [e.id for e in part.entries] for name, part in ids.items()}))

    (run / "environment.json").write_text(json.dumps(environment()))

    keras.utils.set_random_seed(recipe.seed)
    network = recipe.build()
    augmented = augmenter(recipe.augmentation, recipe.seed)(network.input)
    trainer = keras.Model(network.input, network(augmented), name="trainer")
    batches_per_epoch = len(Batches(training, recipe.batch_size, recipe.balanced, recipe.seed))
    total_epochs = sum(stage.epochs for stage in recipe.stages)
    history = state["history"] if state else []
    with tqdm(
        total=total_epochs * batches_per_epoch,
        initial=len(history) * batches_per_epoch,
        desc=recipe.id,
        unit="batch",
        mininterval=1,
    ) as bar:
        before = 0
        for stage in recipe.stages:
            done = min(max(len(history) - before, 0), stage.epochs)
            # A stage that a later one followed is in the later one's weights; the last one begun must be resumed.
            if len(history) <= before + stage.epochs:
                _compile(trainer, recipe, stage, batches_per_epoch)
                if done:
                    trainer.optimizer.build(trainer.trainable_variables)
                    trainer.load_weights(run / f"checkpoint-{len(history):04d}" / "state.weights.h5")
                _fit_stage(trainer, recipe, stage, training, validation, before, done, history, run, bar)
            before += stage.epochs
    with (run / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(history)
    unfinished = run / "unfinished.keras"
    network.save(unfinished)
    os.replace(unfinished, trained)
    return trained


def environment() -> dict:
    """What a card says of where a model was trained."""
    backend = keras.backend.backend()
    devices = [name for name in map(str, keras.distribution.list_devices()) if not name.lower().startswith("cpu")]
    return {
        "device": ", ".join(devices) or f"{os.cpu_count()} CPU cores ({platform.machine()})",
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            backend: importlib.import_module(backend).__version__,
        },
    }


def _compile(trainer: keras.Model, recipe: Recipe, stage: Stage, batches_per_epoch: int) -> None:
    steps = stage.epochs * batches_per_epoch
    warmup = max(1, round(stage.warmup * steps))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=stage.learning_rate, warmup_steps=warmup
    )
    ema = {"use_ema": True, "ema_momentum": recipe.ema_momentum} if recipe.ema_momentum else {}
    trainer.compile(
        keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **ema),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        # The image-warping operations of the augmentation have no XLA kernels under TensorFlow.
        jit_compile=keras.backend.backend() == "jax",
    )


def _fit_stage(
    trainer: keras.Model,
    recipe: Recipe,
    stage: Stage,
    training: ImageSet,
    validation: ImageSet,
    before: int,
    done: int,
    history: list[dict],
    run: Path,
    bar: tqdm,
) -> None:
    """Run what is left of one stage. before: epochs of earlier stages. done: epochs of this one already run."""
    batches = Batches(training, recipe.batch_size, recipe.balanced, recipe.seed, first_epoch=before + done)
    callbacks = [
        ReseedEachEpoch(recipe.seed, before),
        Progress(bar, stage.name),
        SaveEachEpoch(recipe, stage, before, history, run),
    ]
    if recipe.ema_momentum:
        callbacks.append(keras.callbacks.SwapEMAWeights())
    trainer.fit(
        batches,
        validation_data=(validation.images, validation.labels[:, None]),
        validation_batch_size=64,
        epochs=stage.epochs,
        initial_epoch=done,
        callbacks=callbacks,
        # Batches has its own order; Keras would shuffle it from a global generator that no checkpoint holds.
        shuffle=False,
        verbose=0,
    )


class ReseedEachEpoch(keras.callbacks.Callback):
    """Set augmentation's and dropout's generators from (seed, epoch): Keras's checkpoints do not hold their state."""

    def __init__(self, seed: int, epochs_before: int):
        super().__init__()
        self.seed, self.epochs_before = seed, epochs_before

    def on_epoch_begin(self, epoch, logs=None):
        for i, generator in enumerate(seed_generators(self.model)):
            generator.state.assign([self.seed * 1000 + i, self.epochs_before + epoch])


class Progress(keras.callbacks.Callback):
    """Advance one bar over all stages, and stop at a loss that is no number."""

    def __init__(self, bar: tqdm, stage: str):
        super().__init__()
        self.bar, self.stage = bar, stage

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise TrainingStopped(
                f"The loss became {logs['loss']} in stage '{self.stage}'. Lower its learning_rate or lengthen the "
                "warmup in the recipe, delete the run's folder and start again. Checkpoints up to the last epoch are "
                "kept."
            )
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        figures = " ".join(f"{name} {value:.3f}" for name, value in sorted(logs.items()))
        self.bar.write(f"{self.stage}, epoch {epoch + 1}: {figures}")


class SaveEachEpoch(keras.callbacks.Callback):
    """Add a row to the history and write a checkpoint; the one before is deleted when the new one is complete."""

    def __init__(self, recipe: Recipe, stage: Stage, before: int, history: list[dict], run: Path):
        super().__init__()
        self.recipe, self.stage, self.before, self.history, self.run = recipe, stage, before, history, run

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        row = {
            "epoch": self.before + epoch + 1,
            "stage": self.stage.name,
            "learning_rate": float(self.model.optimizer.learning_rate),
            **{name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")},
            "seconds": time.monotonic() - self.started,
        }
        self.history.append({name: round(v, 6) if isinstance(v, float) else v for name, v in row.items()})
        try:
            self._write()
        except OSError as error:
            raise TrainingStopped(
                f"{self.run}: expected room for a checkpoint. Received: {error.strerror or error}. Free some space and "
                "run the same command again; it goes on from the last complete checkpoint."
            ) from error

    def _write(self):
        unfinished = self.run / "checkpoint-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        self.model.save_weights(unfinished / "state.weights.h5")
        state = {"settings": self.recipe.hyperparameters(), "history": self.history}
        (unfinished / "state.json").write_text(json.dumps(state))
        earlier = sorted(self.run.glob("checkpoint-[0-9]*"))
        os.replace(unfinished, self.run / f"checkpoint-{len(self.history):04d}")
        for folder in earlier:
            shutil.rmtree(folder)


def _last_state(recipe: Recipe, run: Path) -> dict | None:
    checkpoints = sorted(run.glob("checkpoint-[0-9]*"))
    if not checkpoints:
        return None
    state = json.loads((checkpoints[-1] / "state.json").read_text())
    expected = json.loads(json.dumps(recipe.hyperparameters()))
    if changed := sorted(name for name in expected if expected[name] != state["settings"].get(name)):
        raise TrainingStopped(
            f"{run}: expected a run of the recipe as it is now. Received: another {', '.join(changed)}. "
            "Delete the folder to start again, or name another with --run."
        )
    return state
