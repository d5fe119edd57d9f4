"""One recipe on several processes or hosts, through Keras's own distribution API on the JAX backend.

Every process runs the same command and reads the same images. Of each batch it feeds its own share; the network sees
the whole batch, so that gradients, batch normalisation and random layers are those of one process. Checkpoints are
written by process 0 and read by all, from one folder. docs/distributed.md says how to run it.

Keras is imported by the functions, because start() chooses its backend first.
"""

import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from train.recipe import RecipeError, TrainingStopped

if TYPE_CHECKING:
    import keras


def start(coordinator: str | None, processes: int | None, process_id: int | None) -> None:
    """Join this process to the others, or do nothing when neither `processes` nor Keras's own environment variable
    KERAS_DISTRIBUTION_NUM_PROCESSES asks for several. To be called before anything imports Keras.

    coordinator: HOST:PORT of process 0. process_id: 0 to processes - 1. What is None is read from the environment:
    KERAS_DISTRIBUTION_JOB_ADDRESSES and KERAS_DISTRIBUTION_PROCESS_ID.
    Raises RecipeError when something is missing or a process has more than one device. Without the others, JAX waits
    for five minutes and then ends the process with its own message.
    """
    given = {"NUM_PROCESSES": processes, "PROCESS_ID": process_id, "JOB_ADDRESSES": coordinator}
    given = {name: os.environ.get(f"KERAS_DISTRIBUTION_{name}") if v is None else str(v) for name, v in given.items()}
    if given["NUM_PROCESSES"] is None:
        if process_id is not None or coordinator is not None:
            raise RecipeError("Expected --processes beside --process-id and --coordinator. Received: none.")
        return
    count, index, address = given.values()
    # Of several addresses the first one is that of process 0.
    named = re.fullmatch(r".+:[0-9]+", (address or "").partition(",")[0])
    if not (named and (index or "").isdigit() and count.isdigit() and int(index) < int(count)):
        raise RecipeError(
            "Expected --processes N, --process-id from 0 to N - 1, and --coordinator HOST:PORT of process 0. "
            f"Received: {count}, {index} and {address}."
        )
    if importlib.util.find_spec("jax") is None:
        raise RecipeError(
            "Expected JAX, on which several processes train. Received: it is not installed. docs/distributed.md says "
            "which one to install."
        )
    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras

    keras.distribution.initialize(address, int(count), int(index))
    if jax.local_device_count() != 1:
        raise RecipeError(
            f"Expected one device for each process. Received: {jax.local_devices()}. Start one process for each, and "
            "name its device with CUDA_VISIBLE_DEVICES."
        )
    # Batches gives each process its share already.
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


def is_first() -> bool:
    """Whether this process writes the files: it is alone, or process 0."""
    return _place()[0] == 0


def share(batch_size: int) -> slice:
    """The rows of each batch that this process feeds; all of them when it is alone. Raises RecipeError for a batch that
    does not divide."""
    index, count = _place()
    if batch_size % count:
        raise RecipeError(f"Expected a batch that {count} processes can share. Received: {batch_size} images.")
    size = batch_size // count
    return slice(index * size, (index + 1) * size)


def check_same_folder(run: Path) -> None:
    """Raises TrainingStopped unless every process sees the same files in the run's folder."""
    if _place()[1] == 1:
        return
    import zlib

    import numpy as np
    from jax.experimental import multihost_utils

    names = sorted(path.name for pattern in ("checkpoint-[0-9]*", "trained.keras") for path in run.glob(pattern))
    seen = multihost_utils.process_allgather(np.uint32(zlib.crc32("/".join(names).encode())))
    if len(set(seen.tolist())) > 1:
        raise TrainingStopped(
            f"{run}: expected the same folder on every host. Received: different files, of which there are here: "
            f"{', '.join(names) or 'none'}. Name a folder that the hosts share with --run, or copy it to all of them."
        )


@contextmanager
def paused() -> Iterator[None]:
    """What one process does without the others. Every variable that Keras makes is otherwise one of all processes, and
    waits for them; saving makes some, for comparison."""
    import keras

    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def own_copy(network: "keras.Model") -> "keras.Model":
    """A copy of the network's present state, to run while paused(). With one process the network itself."""
    import keras

    if _place()[1] == 1:
        return network
    with paused():
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
    return copy


def _place() -> tuple[int, int]:
    """(this process's number, how many there are)."""
    import keras

    if keras.distribution.distribution() is None:
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()
