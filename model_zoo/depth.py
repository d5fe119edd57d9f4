"""Where a network can be cut, from shallow to deep, to see how its maps trade detail for meaning."""

import math

import keras
from keras.layers import Conv2D, ZeroPadding2D


def layers_by_depth(network: keras.Model) -> tuple[str, ...]:
    """Names of the last layer of each spatial resolution that everything passes through, shallow to deep.

    A resolution is a number of halvings of the input's side, rounded, because a convolution without padding takes a
    pixel or two off the border. What comes before the first convolution has no features yet, and padding has none of
    its own; both are left out. network: functional, with one input (n, side, side, channels). A network within it, such
    as one that looks at the film at several sizes (train.networks.at_sides), counts as a convolution and has no depths.
    """
    place = {layer.name: i for i, layer in enumerate(network.layers)}
    last_use = dict.fromkeys(place, 0)
    for layer in network.layers[1:]:
        if isinstance(layer, keras.Model):
            continue
        for tensor in keras.tree.flatten(layer.input):
            last_use[tensor._keras_history.operation.name] = place[layer.name]
    side, found = network.input_shape[1], {}
    convolved, furthest = False, 0
    for i, layer in enumerate(network.layers):
        convolved |= isinstance(layer, (Conv2D, keras.Model))
        spatial = not isinstance(layer, (keras.Model, ZeroPadding2D)) and len(layer.output.shape) == 4
        # Layers are in the order of the computation: what no earlier output skips, everything passes through.
        if convolved and spatial and furthest <= i:
            found[round(math.log2(side / layer.output.shape[1]))] = layer.name
        furthest = max(furthest, last_use[layer.name])
    return tuple(found.values())
