"""What a run leaves in its folder, so that a kill at any moment costs one epoch at most, for fit.py and lungs/fit.py.

- checkpoint-0007/ the state after epoch 7: `state.weights.h5` (weights and optimiser) and `state.json` (settings,
  history). The folder gets its name when it is complete, so that a kill at any moment leaves a usable one;
- trained.keras    the finished network without augmentation; when it exists there is nothing left to fit;
- history.csv      a row per epoch: epoch, stage, learning_rate, what Keras measured, seconds;
- run.lock         held while a process fits here.
"""

import csv
import errno
import json
import math
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
from filelock import FileLock, Timeout
from tqdm import tqdm

from train import distribution
from train.augment import seed_generators
from train.recipe import TrainingStopped

# None: HDF5 says its own sentence and no number.
_NO_ROOM = (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Around whatever writes to a run's folder: OSError becomes TrainingStopped, which says how to go on."""
    try:
        with distribution.paused():
            yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise TrainingStopped(
                f"{run}: expected room for the run's files. Received: {error}. Free some space and run the same "
                "command again; it goes on from the last complete checkpoint."
            ) from error
        raise TrainingStopped(f"{run}: expected a folder that can be written to. Received: {error}.") from error


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Make a run's folder and keep it from other processes, as two would delete each other's checkpoints, until the
    block ends or this process does, killed or not. Of those that train one network together, the first has it.

    Raises TrainingStopped where another process has it, or it cannot be written to."""
    if not distribution.is_first():
        yield
        return
    with writing(run):
        run.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run / "run.lock", blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise TrainingStopped(
                f"{run}: expected a folder in which no other process trains. Received: one in which one does. Wait "
                "for it, or name another folder."
            ) from error
    try:
        yield
    finally:
        lock.release()


def last_history(settings: dict, run: Path) -> list[dict]:
    """The epochs that the last checkpoint has behind it; none without a checkpoint. settings: as JSON gives them back.

    Raises TrainingStopped when the checkpoint is of other settings."""
    checkpoints = sorted(run.glob("checkpoint-[0-9]*"))
    if not checkpoints:
        return []
    state = json.loads((checkpoints[-1] / "state.json").read_text())
    refuse_changes(settings, state["settings"], run)
    return state["history"]


def refuse_changes(settings: dict, found: dict, run: Path) -> None:
    """Raises TrainingStopped when a run has found other settings in its folder than those it is to have."""
    if changed := sorted(name for name in settings if settings[name] != found.get(name)):
        raise TrainingStopped(
            f"{run}: expected a run of the settings as they are now. Received: another {', '.join(changed)}. "
            "Delete the folder, or give it another name, to start again."
        )


def rows_of(history: list[dict], stage: str) -> list[dict]:
    return [row for row in history if row["stage"] == stage]


def last_begun(stages: Sequence[str], history: list[dict]) -> int:
    """Which of the stages to go on with: the last one begun, even when it is over, because it loads the weights that
    the next one starts from."""
    return max((i for i, stage in enumerate(stages) if rows_of(history, stage)), default=0)


def load_last(trainer: keras.Model, history: list[dict], run: Path) -> None:
    """Give a compiled trainer, whose optimiser is built, the state after the last epoch of the history."""
    trainer.load_weights(run / f"checkpoint-{len(history):04d}" / "state.weights.h5")


def write_trained(network: keras.Model, history: list[dict], columns: Sequence[str], run: Path) -> None:
    """history.csv, and then trained.keras in one step."""
    with writing(run):
        with (run / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(history)
        unfinished = run / "unfinished.keras"
        network.save(unfinished)
        os.replace(unfinished, run / "trained.keras")


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
                f"The loss became {logs['loss']} in stage '{self.stage}'. Lower its learning_rate or lengthen its "
                "warmup, delete the run's folder and start again. Checkpoints up to the last epoch are kept."
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
    """Add a row to the history and write a checkpoint; the one before is deleted, unless all are kept, when the new one
    is complete."""

    def __init__(self, settings: dict, stage: str, history: list[dict], run: Path, keep: bool = False):
        super().__init__()
        self.settings, self.stage, self.history, self.run, self.keep = settings, stage, history, run, keep

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        row = {
            "epoch": len(self.history) + 1,
            "stage": self.stage,
            "learning_rate": float(self.model.optimizer.learning_rate),
            **{name: float(value) for name, value in logs.items()},
            "seconds": time.monotonic() - self.started,
        }
        self.history.append({name: round(v, 6) if isinstance(v, float) else v for name, v in row.items()})
        if distribution.is_first():
            with writing(self.run):
                self._write()

    def _write(self):
        unfinished = self.run / "checkpoint-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _find_room(unfinished / "room", self.model.variables + self.model.optimizer.variables)
        self.model.save_weights(unfinished / "state.weights.h5")
        state = {"settings": self.settings, "history": self.history}
        (unfinished / "state.json").write_text(json.dumps(state))
        earlier = sorted(self.run.glob("checkpoint-[0-9]*"))
        os.replace(unfinished, self.run / f"checkpoint-{len(self.history):04d}")
        for folder in () if self.keep else earlier:
            shutil.rmtree(folder)


def _find_room(path: Path, variables: list) -> None:
    """Raises OSError unless the variables' file will fit on the disk. HDF5, whose file it is, ends the process with a
    segmentation fault when a disk fills, so the room is filled with zeros first and given back."""
    megabytes = 2 + sum(4 * math.prod(variable.shape) for variable in variables) // 10**6
    try:
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(bytes(10**6))
    finally:
        path.unlink()
