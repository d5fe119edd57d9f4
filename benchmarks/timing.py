"""Fair medians: all contestants take turns in every round, so that a busy machine slows each of them alike."""

import statistics
import time
from collections.abc import Callable


def medians(contestants: dict[str, Callable[[], object]], rounds: int, warmup: int = 2) -> dict[str, float]:
    """Median seconds of each contestant over `rounds` rounds, after `warmup` rounds that do not count."""
    seconds = {name: [] for name in contestants}
    for turn in range(warmup + rounds):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}
