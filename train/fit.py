"""Fit a recipe: stages of epochs, a checkpoint after each, and the same end after a kill as without one.

A run lives in its own folder, runs/<model_id>/ by default:

- checkpoint-0007/ the state after epoch 7: `state.weights.h5` (weights and optimiser) and `state.json` (settings,
  history). The folder gets its name when it is complete, so that a kill at any moment leaves a usable one;
- trained.keras    the finished network without augmentation; when it exists there is nothing left to fit;
- history.csv      a row per epoch: epoch, stage, learning_rate, loss, accuracy, val_loss, val_accuracy, seconds;
- split.json       the image ids of training and validation;
- environment.json what the weights started from, the device and the versions it ran on.

A stage that trains the head alone computes the features of all images once: its epochs need no pass through the
backbone (`make bench` measures how much that saves).

Everything random depends on (recipe.seed, epoch) alone: the split, the batches, the augmentation, dropout.
"""

import csv
import dataclasses
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
from train.recipe import Recipe, RecipeError, Stage, TrainingStopped

HISTORY_COLUMNS = ("epoch", "stage", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")


def fit(recipe: Recipe, run: Path, weights: str | None = None) -> Path:
    """Train a recipe in the folder `run`, going on from its last checkpoint, and return the path of trained.keras.

    weights: what to start from in place of recipe.starting_weights: a file, "imagenet" or "none".
    Raises RecipeError for starting weights that cannot be had; TrainingStopped when the folder belongs to other
    settings, the loss is no number, or the disk is full; RadiographError for an unreadable image;
    CollectionUnavailable without the data.
    """
    trained = run / "trained.keras"
    if trained.exists():
        return trained
    keras.utils.set_random_seed(recipe.seed)
    network, started_from = _starting_network(recipe, weights)
    settings = json.loads(json.dumps({**recipe.hyperparameters(), "started_from": started_from}))
    history = _last_history(settings, run)
    training, validation = development_sets(recipe)
    run.mkdir(parents=True, exist_ok=True)
    ids = {"training": training, "validation": validation}
    (run / "split.json").write_text(json.dumps({name: [e.id for e in part.entries] for name, part in ids.items()}))
    (run / "environment.json").write_text(json.dumps({"started_from": started_from, **environment()}))

    steps = [stage.steps or len(training.labels) // recipe.batch_size for stage in recipe.stages]
    done = [len(_rows(history, stage)) for stage in recipe.stages]
    # The last stage begun comes first even when it is over: it loads the weights that the next one starts from.
    first = max((i for i, epochs in enumerate(done) if epochs), default=0)
    with tqdm(
        total=sum(stage.epochs * n for stage, n in zip(recipe.stages, steps, strict=True)),
        initial=sum(epochs * n for epochs, n in zip(done, steps, strict=True)),
        desc=recipe.id,
        unit="batch",
        mininterval=1,
    ) as bar:
        for stage, n in list(zip(recipe.stages, steps, strict=True))[first:]:
            _fit_stage(network, recipe, stage, n, training, validation, settings, history, run, bar)
            bar.total -= n * (stage.epochs - len(_rows(history, stage)))
    with (run / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(history)
    network.trainable = True
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


def _starting_network(recipe: Recipe, weights: str | None) -> tuple[keras.Model, str]:
    """The network, and what the card says its weights started from."""
    source = weights or recipe.starting_weights
    if weights not in (None, "none") and recipe.starting_weights == "none":
        raise RecipeError(
            f"Expected no starting weights: {recipe.id} has no backbone to put them in. Received: {weights}."
        )
    if source == "none":
        return recipe.build(), "random initialisation"
    network = recipe.build(weights=source)
    return network, "ImageNet" if source == "imagenet" else f"local file {Path(source).name}"


def _rows(history: list[dict], stage: Stage) -> list[dict]:
    return [row for row in history if row["stage"] == stage.name]


def _is_over(stage: Stage, rows: list[dict]) -> bool:
    if len(rows) >= stage.epochs:
        return True
    losses = [row["val_loss"] for row in rows]
    return bool(stage.patience and losses and len(losses) - 1 - losses.index(min(losses)) >= stage.patience)


def _fit_stage(
    network: keras.Model,
    recipe: Recipe,
    stage: Stage,
    steps: int,
    training: ImageSet,
    validation: ImageSet,
    settings: dict,
    history: list[dict],
    run: Path,
    bar: tqdm,
) -> None:
    """Run what is left of one stage; the network ends with its weights."""
    done = len(_rows(history, stage))
    over = _is_over(stage, _rows(history, stage))
    trainer = _trainer(network, recipe, stage)
    _compile(trainer, recipe, stage, steps)
    if done:
        trainer.optimizer.build(trainer.trainable_variables)
        trainer.load_weights(run / f"checkpoint-{len(history):04d}" / "state.weights.h5")
    if over:
        # What SwapEMAWeights does at a stage's end; without a moving average it does nothing.
        trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
        return
    if stage.trainable == "head":
        backbone = keras.Model(network.input, network.get_layer(recipe.heatmap_layer).output)
        training, validation = (_features(backbone, part) for part in (training, validation))
    callbacks = [
        ReseedEachEpoch(recipe.seed, len(history) - done),
        Progress(bar, stage.name),
        SaveEachEpoch(settings, stage, history, run),
    ]
    if recipe.ema_momentum:
        callbacks.append(keras.callbacks.SwapEMAWeights())
    trainer.fit(
        Batches(training, recipe.batch_size, recipe.balanced, recipe.seed, first_epoch=len(history), steps=stage.steps),
        validation_data=(validation.images, validation.labels[:, None]),
        validation_batch_size=64,
        epochs=stage.epochs,
        initial_epoch=done,
        callbacks=callbacks,
        # Batches has its own order; Keras would shuffle it from a global generator that no checkpoint holds.
        shuffle=False,
        verbose=0,
    )


def _trainer(network: keras.Model, recipe: Recipe, stage: Stage) -> keras.Model:
    """What a stage fits: the head on features, or the network behind its augmentation, with its first layers frozen."""
    if stage.trainable == "head":
        return keras.Model(network.get_layer(recipe.heatmap_layer).output, network.output, name="trainer")
    network.trainable = True
    if stage.trainable != "all":
        for layer in network.layers[: -stage.trainable]:
            layer.trainable = False
    augmented = augmenter(recipe.augmentation, recipe.seed)(network.input)
    return keras.Model(network.input, network(augmented), name="trainer")


def _features(backbone: keras.Model, data: ImageSet) -> ImageSet:
    return dataclasses.replace(data, images=backbone.predict(data.images, batch_size=64, verbose=0))


def _compile(trainer: keras.Model, recipe: Recipe, stage: Stage, steps: int) -> None:
    total = stage.epochs * steps
    warmup = max(1, round(stage.warmup * total))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), warmup_target=stage.learning_rate, warmup_steps=warmup
    )
    ema = {"use_ema": True, "ema_momentum": recipe.ema_momentum} if recipe.ema_momentum else {}
    trainer.compile(
        keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **ema),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        # The image-warping operations of the augmentation have no XLA kernels under TensorFlow.
        jit_compile=keras.backend.backend() == "jax",
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
        self.seen: dict[str, list[float]] = {}

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise TrainingStopped(
                f"The loss became {logs['loss']} in stage '{self.stage}'. Lower its learning_rate or lengthen the "
                "warmup in the recipe, delete the run's folder and start again. Checkpoints up to the last epoch are "
                "kept."
            )
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        for name, value in logs.items():
            self.seen.setdefault(name, []).append(value)
        figures = ", ".join(
            f"{name} {values[-1]:.3f} ({min(values):.3f} to {max(values):.3f})"
            for name, values in sorted(self.seen.items())
        )
        self.bar.write(f"{self.stage}, epoch {epoch + 1}, now (lowest to highest): {figures}")


class SaveEachEpoch(keras.callbacks.Callback):
    """Add a row to the history and write a checkpoint; the one before is deleted when the new one is complete."""

    def __init__(self, settings: dict, stage: Stage, history: list[dict], run: Path):
        super().__init__()
        self.settings, self.stage, self.history, self.run = settings, stage, history, run

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        row = {
            "epoch": len(self.history) + 1,
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
        if _is_over(self.stage, _rows(self.history, self.stage)):
            self.model.stop_training = True

    def _write(self):
        unfinished = self.run / "checkpoint-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        self.model.save_weights(unfinished / "state.weights.h5")
        state = {"settings": self.settings, "history": self.history}
        (unfinished / "state.json").write_text(json.dumps(state))
        earlier = sorted(self.run.glob("checkpoint-[0-9]*"))
        os.replace(unfinished, self.run / f"checkpoint-{len(self.history):04d}")
        for folder in earlier:
            shutil.rmtree(folder)


def _last_history(settings: dict, run: Path) -> list[dict]:
    """The epochs that the last checkpoint has behind it; none without a checkpoint."""
    checkpoints = sorted(run.glob("checkpoint-[0-9]*"))
    if not checkpoints:
        return []
    state = json.loads((checkpoints[-1] / "state.json").read_text())
    if changed := sorted(name for name in settings if settings[name] != state["settings"].get(name)):
        raise TrainingStopped(
            f"{run}: expected a run of the recipe as it is now. Received: another {', '.join(changed)}. "
            "Delete the folder to start again, or name another with --run."
        )
    return state["history"]
