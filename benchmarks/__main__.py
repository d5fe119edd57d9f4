"""`python -m benchmarks [engine] [features] [phantoms] [startup]`: all, or those named. Prints tables only."""

import sys

from benchmarks import engine, features, phantoms, startup

BENCHMARKS = {"engine": engine.run, "features": features.run, "phantoms": phantoms.run, "startup": startup.run}

for name in sys.argv[1:] or BENCHMARKS:
    if name not in BENCHMARKS:
        sys.exit(f"Expected benchmarks of {', '.join(BENCHMARKS)}. Received: {name!r}.")
    BENCHMARKS[name]()
