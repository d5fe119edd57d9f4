"""Long work in the background, such as scoring a folder: one run per result, for all visitors together.

A run belongs to the server, not to the visit that started it: it survives another page, a reload and a closed browser.
Runs take turns, so that many are no more work at a time than one. Threads are daemons: stopping the server stops a
run, and the next one goes on where it was (model_zoo.batch, model_zoo.neighbours).
"""

import logging
from collections.abc import Callable, Generator, Hashable
from contextlib import closing
from threading import Event, Lock, Thread
from time import monotonic

from model_zoo.batch import Progress


class Job:
    """One run. progress: None while it waits for its turn or lists the folder. problem: a sentence when it failed."""

    def __init__(self, score: Callable[[], Generator[Progress, None, None]]):
        self.progress: Progress | None = None
        self.problem: str | None = None
        self._cancelled = Event()
        self._begun: tuple[float, int] | None = None
        self._thread = Thread(target=self._run, args=(score,), daemon=True, name="scoring")
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop after the batch at hand. What is scored stays."""
        self._cancelled.set()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def rate(self) -> float | None:
        """Images a second since the run began, None before the first batch."""
        if self._begun is None or self.progress.done == self._begun[1]:
            return None
        return (self.progress.done - self._begun[1]) / (monotonic() - self._begun[0])

    def _run(self, score: Callable[[], Generator[Progress, None, None]]) -> None:
        while not _TURN.acquire(timeout=0.2):
            if self.cancelled:
                return
        try:
            # Closed here, so that what fails when a cancelled run writes down what is done is told too.
            with closing(score()) as steps:
                for progress in steps:
                    self.progress = progress
                    self._begun = self._begun or (monotonic(), progress.done)
                    if self.cancelled:
                        return
        except Exception as error:
            logging.getLogger(__name__).exception("a run in the background failed")
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self.problem = f"Expected to read the images and to write the results. Received: {reason}."
        finally:
            _TURN.release()


_TURN = Lock()
_JOBS: dict[Hashable, Job] = {}
_STARTING = Lock()


def start(results: Hashable, score: Callable[[], Generator[Progress, None, None]]) -> Job:
    """Run score() in the background, or return the run that is already at it."""
    with _STARTING:
        job = _JOBS.get(results)
        if job is None or not job.running:
            job = _JOBS[results] = Job(score)
        return job


def last(results: Hashable) -> Job | None:
    """The run that writes to results, or the one that did last since the server started."""
    return _JOBS.get(results)
