"""resnet34: ResNet-34 from scratch in two one-cycle phases, the second at a lower rate.

    python -m train fit resnet34 && python -m train export resnet34 && python -m train evaluate resnet34

Follows the fourth network of the PyTorch walk-through that cnn11 follows (ResNet34 from ImageNet, two one-cycle phases,
train and val merged and split 80 to 20), which reports a test accuracy of 0.87, 156 of the 234 normals right and one
pneumonia missed. What departs from it: `departs` below.
Expected here: see model_zoo/exports/resnet34/card.json, which holds the measured figures.
"""

import dataclasses
from functools import partial

from model_zoo.card import Reference
from train.networks import resnet34
from train.recipe import HARD_AUGMENTATION, KERMANY_LIMITS, Recipe, Stage


def recipe(quick: bool = False) -> Recipe:
    full = Recipe(
        id="resnet34",
        title="ResNet34",
        summary="A deep residual network trained from scratch on gray 128 px films: sixty times cnn11's weights.",
        architecture="ResNet-34: 33 convolutions in 16 residual blocks and one dense layer, for one gray channel",
        build=partial(resnet34, side=128, width=64, dropout=0.3),
        side=128,
        channels=1,
        heatmap_layer="last_conv",
        stages=(
            Stage("first cycle", epochs=7, learning_rate=1e-3, warmup=0.3),
            Stage("second cycle", epochs=4, learning_rate=3e-4, warmup=0.3),
        ),
        reference=Reference(
            title="PyTorch article on the Kermany set, ResNet34 in two one-cycle phases",
            claims={"accuracy": 0.87},
            protocol="official test split of 624 images",
        ),
        limits=(
            *KERMANY_LIMITS,
            "Sees 128 by 128 pixels, and its heatmap has 4 by 4 cells: it can tell a side, hardly a lobe.",
        ),
        validation_share=0.2,
        balanced=True,
        augmentation=HARD_AUGMENTATION,
        weight_decay=1e-3,
        label_smoothing=0.05,
        ema_momentum=0.995,
        departs="Its two cycles both train all layers, from random weights. There, the backbone starts from ImageNet's "
        "weights and is frozen in the first; keras.applications has no ResNet34, so such weights could not be had "
        "here, and a backbone that is frozen at random weights has little to teach a head. Films are changed "
        "harder, labels are smoothed, and weights are averaged over steps.",
        mantissa_bits=5,
    )
    if not quick:
        return full
    return dataclasses.replace(
        full,
        build=partial(resnet34, side=64, width=8, dropout=0.1),
        side=64,
        collection="phantom",
        stages=(Stage("quick", epochs=4, learning_rate=2e-3),),
        ema_momentum=0.9,
    )
