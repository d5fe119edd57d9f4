"""Run as a script, `python tests/tiny_scoring.py EXPORT FOLDER`, it scores a folder: to be measured or killed.

After 1,000 images and at the end it prints the most memory that it has used so far, in MB.
"""

import resource
import sys
from pathlib import Path
from threading import Lock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cases.collections.folder import FolderCollection
from model_zoo.batch import results_of, score
from model_zoo.card import read_card
from model_zoo.engine import Engine
from model_zoo.registry import Export

LOOKS_AFTER = 1000


def peak() -> float:
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    export = Export(Path(sys.argv[1]), read_card(Path(sys.argv[1]) / "card.json"))
    collection = FolderCollection(Path(sys.argv[2]))
    looked = False
    for progress in score(collection, Engine(export), Lock(), lambda radiograph: (), results_of(collection.id, export)):
        if progress.done >= LOOKS_AFTER and not looked:
            looked = True
            print(peak(), flush=True)
    print(peak(), flush=True)
