"""What a probability with its heatmap costs, for one image: ours, tf-keras-vis's, and the way peers do it.

The bare forward pass is the engine's own, of the network with batch normalisation folded away; the others run the
exported one.
"""

from functools import partial

import numpy as np

from benchmarks.timing import medians
from cases.collections import open_collection
from model_zoo.engine import Engine
from model_zoo.registry import networks, scan

from tf_keras_vis.gradcam import Gradcam  # isort: skip  (after the engine, which sets Keras's backend)

ROUNDS, SLOW_ROUNDS = 400, 20


def run() -> None:
    phantoms = open_collection("phantom")
    pixels = phantoms.load(phantoms.entries("test")[0].id).pixels
    print("One image, medians in ms, and ratios from the same run")
    print("model                 bare forward    engine    reused     peers   engine/bare  peers/engine")
    for model_id, export in networks(scan()[0]).items():
        engine = Engine(export)
        image = engine.input(pixels)[np.newaxis].astype(np.float32)
        reused = Gradcam(engine.model)
        layer = export.card.heatmap.layer

        fast = medians({"bare": partial(engine.logits, image), "engine": partial(engine.explain, image)}, ROUNDS, 5)
        slow = medians(
            {
                "engine": partial(engine.explain, image),
                "reused": partial(_gradcam, reused, image, layer),
                "peers": partial(_as_peers_do, engine.model, image, layer),
            },
            SLOW_ROUNDS,
        )
        print(
            f"{model_id:20}{1e3 * fast['bare']:14.2f}{1e3 * fast['engine']:10.2f}{1e3 * slow['reused']:10.1f}"
            f"{1e3 * slow['peers']:10.1f}{fast['engine'] / fast['bare']:14.2f}{slow['peers'] / slow['engine']:14.1f}"
        )


def _gradcam(visualiser: Gradcam, image: np.ndarray, layer: str):
    return visualiser(lambda logits: logits[:, 0], image, penultimate_layer=layer, seek_penultimate_conv_layer=False)


def _as_peers_do(model, image: np.ndarray, layer: str):
    model.predict(image, verbose=0)
    return _gradcam(Gradcam(model), image, layer)
