"""Several processes train one recipe: the weights of one process, killed and resumed or not."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from train import distribution
from train.recipe import RecipeError

SCRIPT = Path(__file__).parent / "tiny_distributed.py"


class TestStart:
    @pytest.fixture(autouse=True)
    def no_variables(self, monkeypatch):
        for name in ("NUM_PROCESSES", "PROCESS_ID", "JOB_ADDRESSES"):
            monkeypatch.delenv(f"KERAS_DISTRIBUTION_{name}", raising=False)

    def test_one_process_is_the_rule(self):
        distribution.start(None, None, None)
        assert distribution.is_first()
        assert distribution.share(7) == slice(0, 7)

    @pytest.mark.parametrize(
        ("coordinator", "processes", "process_id"),
        [
            (None, 2, 0),
            ("here:1", 2, None),
            ("here:1", 2, 2),
            ("here:1", 2, -1),
            ("here:1", None, 0),
            ("here", 2, 0),
            ("here:", 2, 0),
        ],
    )
    def test_what_is_missing_is_said(self, coordinator, processes, process_id):
        with pytest.raises(RecipeError, match=r"Expected --processes .*Received"):
            distribution.start(coordinator, processes, process_id)

    def test_the_coordinator_may_be_the_first_of_keras_s_addresses(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(RecipeError, match="it is not installed"):
            distribution.start("here:1,there:2", 2, 0)

    def test_half_of_keras_s_variables_are_not_enough(self, monkeypatch):
        monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
        monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "1")
        with pytest.raises(RecipeError, match="Received: 2, 1 and None"):
            distribution.start(None, None, None)

    def test_without_jax_the_page_that_names_it_is_named(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(RecipeError, match=r"distributed\.md"):
            distribution.start("here:1", 2, 0)


def test_a_batch_that_does_not_divide_is_refused(monkeypatch):
    monkeypatch.setattr(distribution, "_place", lambda: (1, 3))
    assert distribution.share(12) == slice(4, 8)
    with pytest.raises(RecipeError, match="Received: 8 images"):
        distribution.share(8)


@pytest.mark.timeout(900)
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="several processes train on JAX: not installed")
class TestTwoProcesses:
    @staticmethod
    def launch(folder: Path, name: str, run: str, *options: str, **variables: str) -> subprocess.Popen:
        command = (sys.executable, SCRIPT, folder / f"{name}.npz", "fit", "tiny", "--run", folder / run, *options)
        # One thread each: spinning threads of several processes on few cores hold each other up.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        with (folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    @staticmethod
    def free_port() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory) -> Path:
        """One process unbroken ("one"), and two that are killed after their first checkpoint and started again."""
        folder = tmp_path_factory.mktemp("distributed")
        started = [cls.launch(folder, "alone", "one", KERAS_BACKEND="jax")]
        try:
            address = f"127.0.0.1:{cls.free_port()}"
            pair = [
                cls.launch(
                    folder, f"process {i}", "two", "--processes=2", f"--process-id={i}", f"--coordinator={address}"
                )
                for i in range(2)
            ]
            started += pair
            deadline = time.monotonic() + 400
            while not (folder / "two" / "checkpoint-0001").exists():
                assert all(process.poll() is None for process in pair), cls.logs(folder)
                assert time.monotonic() < deadline, cls.logs(folder)
                time.sleep(0.01)
            for process in pair:
                process.send_signal(signal.SIGKILL)
            for process in pair:
                process.wait()
            assert not (folder / "two" / "trained.keras").exists()

            variables = {
                "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
                "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{cls.free_port()}",
            }
            started += [
                cls.launch(folder, f"process {i}", "two", KERAS_DISTRIBUTION_PROCESS_ID=str(i), **variables)
                for i in range(2)
            ]
            for process in (started[0], *started[-2:]):
                assert process.wait(timeout=400) == 0, cls.logs(folder)
        finally:
            for process in started:
                process.kill()
        return folder

    @staticmethod
    def logs(folder: Path) -> str:
        return "\n\n".join(f"{path.name}\n{path.read_text()[-3000:]}" for path in folder.glob("*.log"))

    @staticmethod
    def weights(folder: Path, name: str) -> list[np.ndarray]:
        with np.load(folder / f"{name}.npz") as stored:
            return [stored[key] for key in stored]

    def test_both_end_with_identical_weights(self, folder):
        for first, second in zip(self.weights(folder, "process 0"), self.weights(folder, "process 1"), strict=True):
            np.testing.assert_array_equal(first, second)

    def test_the_weights_are_those_of_one_unbroken_process(self, folder):
        for one, two in zip(self.weights(folder, "alone"), self.weights(folder, "process 0"), strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-5)

    def test_training_moved_every_weight(self, folder):
        """Or the tests above would compare nothing."""
        import tiny_training

        shapes = [weight.shape for weight in tiny_training.build().get_weights()]
        assert [weight.shape for weight in self.weights(folder, "process 0")] == shapes
        assert all(
            np.abs(weight - weight.flat[0]).max() > 0 or weight.size == 1 for weight in self.weights(folder, "alone")
        )

    def test_the_run_is_the_same_as_that_of_one_process(self, folder):
        one, two = (sorted(path.name for path in (folder / run).iterdir()) for run in ("one", "two"))
        assert one == two
        assert (folder / "one" / "split.json").read_text() == (folder / "two" / "split.json").read_text()
