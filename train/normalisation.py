"""Batch normalisation that trains in one operation of TensorFlow, FusedBatchNormV3.

Keras computes it from a dozen elementwise operations, each a pass over a feature map that no cache holds: on a CPU that
took half of a training step of ResNet50 or VGG16 and more (`make bench` measures it). On JAX, XLA joins them by itself.
"""

import keras
from keras.layers import BatchNormalization


def fused(network: keras.Model) -> keras.Model:
    """The network with its batch normalisation fused where the backend is TensorFlow; otherwise the network itself.

    Weights, their order and layer names are the network's. Only for training: an export has Keras's own layers.
    """
    if keras.backend.backend() != "tensorflow":
        return network

    def copy(layer):
        kind = FusedBatchNormalization if type(layer) is BatchNormalization else type(layer)
        return kind.from_config(layer.get_config())

    result = keras.models.clone_model(network, clone_function=copy)
    result.set_weights(network.get_weights())
    return result


class FusedBatchNormalization(BatchNormalization):
    """Keras's layer, up to rounding, with one operation for the batch's statistics, the normalisation and its gradient.

    Only feature maps (n, rows, columns, channels), scaled and shifted, and only in training; anything else is Keras's.
    """

    def call(self, inputs, training=None, mask=None):
        is_map = len(inputs.shape) == 4 and self.axis in (-1, 3)
        if not (training and self.trainable and is_map and self.scale and self.center):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )
        # The operation divides by one less than the count; Keras keeps the plain mean square.
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance * (count - 1) / count)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs
