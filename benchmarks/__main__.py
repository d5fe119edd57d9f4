"""`python -m benchmarks [NAME ...]`: all benchmarks, or those named. Prints tables only."""

import argparse
import sys

from benchmarks import engine, evidence, features, gallery, lungs, normalisation, onednn, phantoms, startup

BENCHMARKS = {
    "engine": engine.run,
    "evidence": evidence.run,
    "features": features.run,
    "gallery": gallery.run,
    "lungs": lungs.run,
    "normalisation": normalisation.run,
    "onednn": onednn.run,
    "phantoms": phantoms.run,
    "startup": startup.run,
}

parser = argparse.ArgumentParser("python -m benchmarks", description="All benchmarks, or those named, as tables.")
parser.add_argument("name", nargs="*", help=", ".join(BENCHMARKS))
names = parser.parse_args().name
if unknown := [name for name in names if name not in BENCHMARKS]:
    sys.exit(f"Expected benchmarks of {', '.join(BENCHMARKS)}. Received: {unknown[0]!r}.")
for name in names or BENCHMARKS:
    BENCHMARKS[name]()
