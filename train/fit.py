"""Fit a recipe: stages of epochs, a checkpoint after each, and the same end after a kill as without one.

A run lives in its own folder, runs/<model_id>/ by default:

- checkpoint-0007/, trained.keras, history.csv: see checkpoints.py;
- split.json: the image ids of training and validation;
- environment.json: what the weights started from, the device, the precision, the versions it ran on, and the recipe's
  settings;
- run-1/, run-2/, ...: of a recipe that averages runs, each of these, with files of its own as above.

A stage that trains the head alone computes the features of all images once: its epochs need no pass through the
backbone (`make bench` measures how much that saves).

Everything random depends on (recipe.seed, recipe.repeat, epoch) alone: the split, the batches, the augmentation,
dropout.
"""

import csv
import dataclasses
import importlib
import json
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from cases.collections import open_collection
from model_zoo.card import SCRATCH
from model_zoo.depth import layers_by_depth
from model_zoo.history import HISTORY_COLUMNS, stage_of_run
from train import distribution, lung_lesson
from train.augment import augmenter
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
from train.data import Batches, ImageSet, development_sets, height_strata, predicted
from train.leaks import export_beside, refuse_leaks
from train.networks import at_sides
from train.normalisation import fused
from train.recipe import Recipe, RecipeError, Stage, TrainingStopped
from train.teacher import pupil

_ONLY_EXPORTED = ("target_sensitivity", "mantissa_bits")


def fit(
    recipe: Recipe,
    run: Path,
    weights: str | None = None,
    precision: str | None = None,
    keep_checkpoints: bool = False,
) -> Path:
    """Train a recipe in the folder `run`, going on from its last checkpoint, and return the path of trained.keras.

    weights: what to start from in place of recipe.starting_weights: "imagenet", "none", a file of the backbone's
        weights, or the trained.keras of a run, or model.keras of an export, whose network has the same backbone; for a
        recipe that starts from "network", of the same network.
    precision: what the network and its teachers compute in, "float32" or "mixed_bfloat16" (float32 weights, bfloat16
        products, as fast as a GPU, or a CPU with AMX or AVX512-BF16, is in it); by default mixed where there is a GPU.
        trained.keras is float32 always.
    keep_checkpoints: keep those of all epochs (checkpointed_networks), not the last alone.
    Raises RecipeError for starting weights that cannot be had, for a network that is not as the recipe says, and for
    one that cannot look at films of other sizes where recipe.sides wants it to; as leaks.refuse_leaks() for teachers
    and starting weights; TrainingStopped when another process trains in the folder, when it belongs to other settings
    or to another start, the loss is no number, or the disk is full; RadiographError for an unreadable image;
    CollectionUnavailable without the data.
    """
    distribution.check_same_folder(run)
    trained = run / "trained.keras"
    if trained.exists():
        refuse_other_settings(recipe, run)
        if weights:
            _refuse_other_start(weights, run)
        return trained
    if recipe.sides:
        _finished(recipe)  # What cannot be made is said before the training, not after it.
    if recipe.averaged_runs > 1:
        runs = [run / f"run-{number}" for number, _ in enumerate(recipe.single_runs(), 1)]
        for single, folder in zip(recipe.single_runs(), runs, strict=True):
            fit(single, folder, weights, precision, keep_checkpoints)
        _average(recipe, runs, run)
        return trained
    keras.utils.set_random_seed(recipe.run_seed)
    precision = precision or ("mixed_bfloat16" if _accelerators() else "float32")
    network, started_from = _starting_network(recipe, weights, precision)
    _refuse_undescribed(network, recipe)
    settings = {**recipe.hyperparameters(), "started_from": started_from}
    last_history(settings, run)  # Other settings are said before the images are read, not after it.
    if recipe.needs_lungs:
        lung_lesson.check_masks(recipe)
    refuse_leaks(recipe, weights)
    training, validation = development_sets(recipe)
    if recipe.needs_lungs:
        training, validation = (lung_lesson.with_masks(recipe, part) for part in (training, validation))
    with alone_in(run):
        # Another process may have gone on meanwhile.
        history = last_history(settings, run)
        ids = {"training": training, "validation": validation}
        if distribution.is_first():
            with writing(run):
                split = {name: [entry.id for entry in part.entries] for name, part in ids.items()}
                (run / "split.json").write_text(json.dumps(split))
                found = {"started_from": started_from, **environment(precision), "settings": recipe.hyperparameters()}
                (run / "environment.json").write_text(json.dumps(found))

        steps = [stage.steps or len(training.labels) // recipe.batch_size for stage in recipe.stages]
        names = [stage.name for stage in recipe.stages]
        done = [len(rows_of(history, name)) for name in names]
        with tqdm(
            total=sum(stage.epochs * n for stage, n in zip(recipe.stages, steps, strict=True)),
            initial=sum(epochs * n for epochs, n in zip(done, steps, strict=True)),
            desc=recipe.id,
            unit="batch",
            mininterval=1,
        ) as bar:
            for stage, n in list(zip(recipe.stages, steps, strict=True))[last_begun(names, history) :]:
                saver = SaveEachEpoch(settings, stage.name, history, run, keep_checkpoints)
                _fit_stage(network, recipe, stage, n, training, validation, saver, bar)
                bar.total -= n * (stage.epochs - len(rows_of(history, stage.name)))
        network.trainable = True
        if distribution.is_first():
            with distribution.paused():
                result = _finished(recipe)
                result.set_weights(network.get_weights())
            write_trained(result, history, HISTORY_COLUMNS, run)
    return trained


def refuse_other_settings(recipe: Recipe, run: Path) -> None:
    """Raises TrainingStopped when a finished run is of other settings than the recipe's, but for those that only an
    export heeds."""
    settings = {name: value for name, value in recipe.hyperparameters().items() if name not in _ONLY_EXPORTED}
    # Runs of before had none there; nobody can tell theirs.
    refuse_changes(settings, _environment(run).get("settings", {}), run)


def _refuse_other_start(weights: str, run: Path) -> None:
    """Raises TrainingStopped when a finished run started from other weights than those that it is asked for."""
    asked, found = _origin(weights), _environment(run)["started_from"]
    if asked != found:
        raise TrainingStopped(
            f"{run}: expected a run that started from {asked}. Received: a finished one that started from {found}. "
            "Delete the folder, or give it another name, to start again."
        )


def _environment(run: Path) -> dict:
    """What environment.json says of a run."""
    return json.loads((run / "environment.json").read_text())


def _finished(recipe: Recipe) -> keras.Model:
    """The network that a run leaves, to be given the weights of the one that was trained."""
    if not recipe.sides:
        return recipe.build()
    try:
        return at_sides(recipe.build(), recipe.sides, recipe.heatmap_layer)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"{recipe.id}: expected a network that can look at films of other sizes up to its heatmap layer, and sides "
            f"that it can take. Received: {recipe.sides}, and {error}"
        ) from error


def _average(recipe: Recipe, runs: list[Path], into: Path) -> None:
    """Write what a run leaves from finished runs: the mean of their weights, and their histories in a row. Raises
    TrainingStopped for runs that started from different weights, of which the mean has no meaning."""
    starts = dict.fromkeys(_environment(run)["started_from"] for run in runs)
    if len(starts) > 1:
        raise TrainingStopped(
            f"{into}: expected runs that started from the same weights. Received: {'; '.join(starts)}. Delete those of "
            "them that are to start again."
        )
    if not distribution.is_first():
        return
    rows = [
        {**row, "stage": stage_of_run(row["stage"], number)}
        for number, run in enumerate(runs, 1)
        for row in csv.DictReader((run / "history.csv").read_text(encoding="utf-8").splitlines())
    ]
    with distribution.paused():
        networks = [keras.models.load_model(run / "trained.keras", compile=False) for run in runs]
        network = _finished(recipe)
        each = zip(*(one.get_weights() for one in networks), strict=True)
        network.set_weights([np.mean(weights, axis=0) for weights in each])
    found = _environment(runs[0])
    with writing(into):
        shutil.copy(runs[0] / "split.json", into)
        (into / "environment.json").write_text(json.dumps({**found, "settings": recipe.hyperparameters()}))
    write_trained(network, [{**row, "epoch": epoch} for epoch, row in enumerate(rows, 1)], HISTORY_COLUMNS, into)


def environment(precision: str = "float32") -> dict:
    """What a card says of where a model was trained."""
    backend = keras.backend.backend()
    device = ", ".join(_accelerators()) or f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return {
        "device": device if precision == "float32" else f"{device}, {precision}",
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            backend: importlib.import_module(backend).__version__,
        },
    }


def _accelerators() -> list[str]:
    return [name for name in map(str, keras.distribution.list_devices()) if not name.lower().startswith("cpu")]


def _starting_network(recipe: Recipe, weights: str | None, precision: str) -> tuple[keras.Model, str]:
    """The network, and what the card says its weights started from."""
    source = weights or recipe.starting_weights
    if weights not in (None, "none") and recipe.starting_weights == "none":
        raise RecipeError(
            f"Expected no starting weights: {recipe.id} has no backbone to put them in. Received: {weights}."
        )
    # The network alone: augmentation and loss stay in float32.
    keras.config.set_dtype_policy(precision)
    try:
        if recipe.starting_weights == "network":
            network = fused(_whole_network(recipe, weights or "none"))
        else:
            network = fused(recipe.build() if source == "none" else recipe.build(weights=source))
    finally:
        keras.config.set_dtype_policy("float32")
    return network, _origin(source)


def _refuse_undescribed(network: keras.Model, recipe: Recipe) -> None:
    """Raises RecipeError for a network whose input, output or heatmap layer is not as the recipe says. Only the export
    looks for that layer, and a finished run is not taken for one of the recipe with another."""
    expected = (None, recipe.side, recipe.side, recipe.channels), (None, 1)
    received = network.input_shape, network.output_shape
    if received != expected:
        raise RecipeError(
            f"{recipe.id}: expected a network with the input and output shapes {expected}. Received: {received}."
        )
    try:
        maps = network.get_layer(recipe.heatmap_layer).output
        keras.Model(maps, network.output)
        if len(maps.shape) == 4:
            return
    except ValueError:
        pass
    raise RecipeError(
        f"{recipe.id}: expected a heatmap_layer of feature maps that everything after it passes through, such as "
        f"{', '.join(layers_by_depth(network))}. Received: {recipe.heatmap_layer!r}."
    )


def _whole_network(recipe: Recipe, path: str) -> keras.Model:
    network = recipe.build()
    try:
        network.set_weights(keras.models.load_model(path, compile=False).get_weights())
    except (OSError, ValueError) as error:
        meant = f", as `--weights {recipe.goes_on_from}` does" if recipe.goes_on_from else ""
        raise RecipeError(
            f"Expected --weights to name a finished run of a network like {recipe.id}'s, which goes on with the whole "
            f"of it{meant}. Received: {path}."
        ) from error
    return network


def _origin(source: str) -> str:
    """Where starting weights come from, as the card says it; of a run or an export that includes where it began."""
    if named := {"none": SCRATCH, "imagenet": "ImageNet"}.get(source):
        return named
    path = Path(source)
    if export := export_beside(path):
        return f"{export.id}, which started from {export.card.weights.started_from}"
    if path.suffix == ".keras" and path.with_name("environment.json").exists():
        return f"{path.parent.name}, which started from {_environment(path.parent)['started_from']}"
    return f"local file {path.name}"


def _is_over(stage: Stage, history: list[dict]) -> bool:
    rows = rows_of(history, stage.name)
    if len(rows) >= stage.epochs:
        return True
    losses = [row["val_loss"] for row in rows]
    if stage.stop_below:
        return len(losses) >= stage.patience and max(losses[-stage.patience :]) < stage.stop_below
    return bool(stage.patience and losses and len(losses) - 1 - losses.index(min(losses)) >= stage.patience)


def _fit_stage(
    network: keras.Model,
    recipe: Recipe,
    stage: Stage,
    steps: int,
    training: ImageSet,
    validation: ImageSet,
    saver: SaveEachEpoch,
    bar: tqdm,
) -> None:
    """Run what is left of one stage; the network ends with its weights."""
    history, run = saver.history, saver.run
    done = len(rows_of(history, stage.name))
    trainer = _trainer(network, recipe, stage)
    _compile(trainer, recipe, stage, steps)
    # Built inside the first step instead, each variable would put its initialiser into the graph.
    trainer.optimizer.build(trainer.trainable_variables)
    if done:
        load_last(trainer, history, run)
    if _is_over(stage, history):
        # What SwapEMAWeights does at a stage's end; without a moving average it does nothing.
        trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
        return
    if stage.trainable == "head":
        backbone = keras.Model(network.input, network.get_layer(recipe.heatmap_layer).output)
        training, validation = (_features(backbone, part, f"{recipe.id}, features") for part in (training, validation))
    strata = height_strata(open_collection(recipe.collection), training.entries) if recipe.even_heights else None
    callbacks = [
        ReseedEachEpoch(recipe.run_seed, len(history) - done),
        Progress(bar, stage.name),
        saver,
        EndOfStage(stage, history),
    ]
    if recipe.ema_momentum:
        callbacks.append(keras.callbacks.SwapEMAWeights())
    trainer.fit(
        Batches(
            training,
            recipe.batch_size,
            recipe.balanced,
            recipe.run_seed,
            first_epoch=len(history),
            steps=stage.steps,
            share=distribution.share(recipe.batch_size),
            mixup=recipe.mixup,
            strata=strata,
        ),
        validation_data=(validation.images, validation.labels[:, None]),
        validation_batch_size=64,
        epochs=stage.epochs,
        initial_epoch=done,
        class_weight=_class_weights(training) if recipe.weighted_loss else None,
        callbacks=callbacks,
        # Batches has its own order; Keras would shuffle it from a global generator that no checkpoint holds.
        shuffle=False,
        verbose=0,
    )


def _trainer(network: keras.Model, recipe: Recipe, stage: Stage) -> keras.Model:
    """What a stage fits: the head on features, or the network behind its augmentation, with its first layers frozen."""
    # Whatever the network computes in.
    as_float32 = keras.layers.Activation("linear", dtype="float32")
    if stage.trainable == "head":
        features = network.get_layer(recipe.heatmap_layer).output
        return keras.Model(features, as_float32(network.output), name="trainer")
    for layer, trainable in zip(network.layers, _trainable(network, recipe, stage), strict=True):
        layer.trainable = trainable
    if recipe.needs_lungs:
        return lung_lesson.trainer(network, recipe, as_float32)
    augmented = augmenter(recipe.augmentation, recipe.run_seed)(network.input)
    if recipe.teachers:
        logits = pupil(network, recipe, stage.hints, augmented, as_float32)
    else:
        logits = as_float32(network(augmented))
    return keras.Model(network.input, logits, name="trainer")


def _trainable(network: keras.Model, recipe: Recipe, stage: Stage) -> list[bool]:
    """Per layer of the network, whether a stage trains it."""
    if stage.trainable == "all":
        return [True] * len(network.layers)
    if stage.trainable == "batch normalisation":
        last = network.layers.index(network.get_layer(recipe.heatmap_layer))
        is_normalisation = [isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers]
        return [trains or place > last for place, trains in enumerate(is_normalisation)]
    return [place >= len(network.layers) - stage.trainable for place in range(len(network.layers))]


def _class_weights(data: ImageSet) -> dict[int, float]:
    counts = np.bincount(data.labels.astype(int), minlength=2)
    return {label: len(data.labels) / (2 * int(count)) for label, count in enumerate(counts)}


def _features(backbone: keras.Model, data: ImageSet, what: str) -> ImageSet:
    own = distribution.own_copy(backbone)
    with distribution.paused():
        return dataclasses.replace(data, images=predicted(own, data.images, what))


def _compile(trainer: keras.Model, recipe: Recipe, stage: Stage, steps: int) -> None:
    total = stage.epochs * steps
    warmup = max(1, round(stage.warmup * total))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, total - warmup),
        alpha=0.0 if stage.decay else 1.0,
        warmup_target=stage.learning_rate,
        warmup_steps=warmup,
    )
    ema = {"use_ema": True, "ema_momentum": recipe.ema_momentum} if recipe.ema_momentum else {}
    trainer.compile(
        keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **ema),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        # The image-warping operations of the augmentation have no XLA kernels under TensorFlow.
        jit_compile=keras.backend.backend() == "jax",
    )


def checkpointed_networks(recipe: Recipe, run: Path) -> Iterator[tuple[int, keras.Model]]:
    """(epoch, network) of each checkpoint in a run's folder, with averaged weights where the recipe averages; one
    network, with other weights each time. Not for a stage of the head alone, whose checkpoints hold no backbone."""
    network = fused(recipe.build())
    for folder in sorted(run.glob("checkpoint-[0-9]*")):
        history = json.loads((folder / "state.json").read_text())["history"]
        stage = next(stage for stage in recipe.stages if stage.name == history[-1]["stage"])
        trainer = _trainer(network, recipe, stage)
        _compile(trainer, recipe, stage, 1)
        trainer.optimizer.build(trainer.trainable_variables)
        trainer.load_weights(folder / "state.weights.h5")
        trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
        yield len(history), network


class EndOfStage(keras.callbacks.Callback):
    """End a stage where its patience or its mark is reached. It comes after what adds to the history."""

    def __init__(self, stage: Stage, history: list[dict]):
        super().__init__()
        self.stage, self.history = stage, history

    def on_epoch_end(self, epoch, logs=None):
        if _is_over(self.stage, self.history):
            self.model.stop_training = True
