"""Batch normalisation folded into the convolutions before it (Jacob et al. 2018, section 3.2), for inference only.

Normalising with fixed statistics is a multiplication and an addition per map, which the convolution's kernel and bias
can do by themselves. The function stays the same up to rounding; a pass takes fewer operations.
"""

import keras
import numpy as np
from keras.layers import BatchNormalization, Conv2D, DepthwiseConv2D, Identity


def folded(model: keras.Model) -> keras.Model:
    """A copy of a functional model in which every normalisation that directly follows a convolution, and alone does so,
    is an Identity of the same name. Layers keep their names; the model itself is left as it is."""
    pairs = {}
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            before = layer.input._keras_history.operation
            alone = len(before._outbound_nodes) == 1
            if type(before) in (Conv2D, DepthwiseConv2D) and before.activation is keras.activations.linear and alone:
                pairs[before.name] = layer
    normalisations = {layer.name for layer in pairs.values()}

    def copy(layer):
        config = layer.get_config()
        if layer.name in normalisations:
            return Identity(name=layer.name)
        if layer.name in pairs:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer, *arguments, **settings):
        # A normalisation is called with a mask that an Identity does not know.
        return layer(*arguments) if layer.name in normalisations else layer(*arguments, **settings)

    result = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in model.layers:
        if layer.name in pairs:
            result.get_layer(layer.name).set_weights(_folded_weights(layer, pairs[layer.name]))
        elif layer.weights and layer.name not in normalisations:
            result.get_layer(layer.name).set_weights(layer.get_weights())
    return result


def _folded_weights(convolution: keras.layers.Layer, normalisation: BatchNormalization) -> list[np.ndarray]:
    """[kernel, bias] that do the work of both layers. A kernel's last axes are its output maps: (..., in, multiplier)
    for a depthwise convolution, (..., in, out) for another."""
    kernel = np.asarray(convolution.kernel)
    mean, variance = np.asarray(normalisation.moving_mean), np.asarray(normalisation.moving_variance)
    scale = 1 / np.sqrt(variance + normalisation.epsilon)
    if normalisation.scale:
        scale = scale * np.asarray(normalisation.gamma)
    bias = -mean * scale
    if convolution.use_bias:
        bias = bias + np.asarray(convolution.bias) * scale
    if normalisation.center:
        bias = bias + np.asarray(normalisation.beta)
    maps = kernel.shape[-2:] if isinstance(convolution, DepthwiseConv2D) else kernel.shape[-1:]
    return [kernel * scale.reshape(maps), bias]
