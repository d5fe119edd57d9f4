"""`python -m benchmarks [engine] [phantoms] [startup]`: all, or what is named. Prints tables, asserts nothing."""

import sys

from benchmarks import engine, phantoms, startup

BENCHMARKS = {"engine": engine.run, "phantoms": phantoms.run, "startup": startup.run}

for name in sys.argv[1:] or BENCHMARKS:
    if name not in BENCHMARKS:
        sys.exit(f"Expected benchmarks of {', '.join(BENCHMARKS)}. Received: {name!r}.")
    BENCHMARKS[name]()
