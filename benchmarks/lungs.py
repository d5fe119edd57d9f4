"""What probability, heatmap and lung zones cost together for one image, beside the bare forward pass of mobilenetv2."""

from functools import partial

import numpy as np

from benchmarks.timing import medians
from cases.collections import open_collection
from model_zoo.engine import Engine
from model_zoo.lungs.regions import shares
from model_zoo.lungs.segmenter import LungSegmenter
from model_zoo.registry import open_export

MODEL = "mobilenetv2"
ROUNDS = 300


def run() -> None:
    phantoms = open_collection("phantom")
    pixels = phantoms.load(phantoms.entries("test")[1].id).pixels
    engine, segmenter = Engine(open_export(MODEL)), LungSegmenter()
    image = engine.input(pixels)[np.newaxis].astype(np.float32)
    film = segmenter.input(pixels)[np.newaxis].astype(np.float32)

    def everything():
        fields = segmenter.find(pixels)
        return shares(engine.explain(image)[0].evidence("pneumonia"), fields.regions)

    times = medians(
        {
            "bare forward pass": partial(engine.logits, image),
            "lung network": partial(segmenter.probabilities, film),
            "lung fields and zones": partial(segmenter.find, pixels),
            "probability, heatmap, zones": everything,
        },
        ROUNDS,
        5,
    )
    bare = times["bare forward pass"]
    print(f"One image, {MODEL}, medians in ms, and ratios from the same run")
    for name, seconds in times.items():
        print(f"{name:30}{1e3 * seconds:8.2f}{seconds / bare:8.2f}")
