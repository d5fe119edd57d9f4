"""`python -m benchmarks [NAME ...]`: all benchmarks, or those named. Prints tables only."""

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

for name in sys.argv[1:] or BENCHMARKS:
    if name not in BENCHMARKS:
        sys.exit(f"Expected benchmarks of {', '.join(BENCHMARKS)}. Received: {name!r}.")
    BENCHMARKS[name]()
