"""What probability, heatmap, lung zones and gate cost together for one image, beside mobilenetv2's bare pass.

Together is as views/shared/cache.begin_look has it: the lungs are looked for while the model is asked.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from benchmarks.timing import medians
from cases.collections import open_collection
from model_zoo.engine import Engine
from model_zoo.lungs.gate import ChestGate
from model_zoo.lungs.regions import shares
from model_zoo.lungs.segmenter import LungSegmenter
from model_zoo.registry import open_export

MODEL = "mobilenetv2"
ROUNDS = 300


def run() -> None:
    phantoms = open_collection("phantom")
    radiograph = phantoms.load(phantoms.entries("test")[1].id)
    pixels = radiograph.pixels
    engine, segmenter = Engine(open_export(MODEL)), LungSegmenter()
    gate = ChestGate(segmenter)
    image = engine.input(pixels)[np.newaxis].astype(np.float32)
    film = segmenter.input(pixels)[np.newaxis].astype(np.float32)

    def in_turn(find):
        return shares(engine.explain(image)[0].evidence("pneumonia"), find().regions)

    def at_once(find):
        fields = looks.submit(find)
        evidence = engine.explain(image)[0].evidence("pneumonia")
        return shares(evidence, fields.result().regions)

    find, find_and_doubt = partial(segmenter.find, pixels), lambda: gate.look(radiograph).fields
    with ThreadPoolExecutor(max_workers=1) as looks:
        times = medians(
            {
                "bare forward pass": partial(engine.logits, image),
                "lung network": partial(segmenter.probabilities, film),
                "lung fields and zones": find,
                "lung fields, zones, gate": find_and_doubt,
                "probability, heatmap, zones in turn": partial(in_turn, find),
                "the same at once": partial(at_once, find),
                "and the gate, at once": partial(at_once, find_and_doubt),
            },
            ROUNDS,
            5,
        )
    bare = times["bare forward pass"]
    print(f"One image, {MODEL}, medians in ms, and ratios from the same run")
    for name, seconds in times.items():
        print(f"{name:37}{1e3 * seconds:8.2f}{seconds / bare:8.2f}")
