"""Network architectures that recipes share, built from Keras's own layers only, so that exports load in safe mode.

Every builder returns a functional model: input float32 (n, side, side, channels) in 0..255, output (n, 1), the logit
for PNEUMONIA. Scaling is inside.
"""

from collections.abc import Callable, Iterable

import keras
from keras import layers

from model_zoo.folding import folded
from train.recipe import RecipeError


def _convolution(x, filters: int, kernel: int = 3, strides: int = 1, name: str | None = None):
    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.Activation("relu", name=name)(x)


def _basic_block(x, filters: int, strides: int = 1, name: str | None = None):
    """Two convolutions with a shortcut around them (He et al. 2016): the identity, or a 1x1 convolution where the shape
    changes."""
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, strides, use_bias=False, kernel_initializer="he_normal")(x)
        shortcut = layers.BatchNormalization(momentum=0.95)(shortcut)
    x = _convolution(x, filters, strides=strides)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.Activation("relu", name=name)(layers.Add()([x, shortcut]))


def cnn8(side: int, width: int) -> keras.Model:
    """Six convolutions and two dense layers with ReLU, no normalisation; heatmap layer "last_conv".

    width: filters of the first layer; later ones have two and four times as many. The last feature map is side/8 wide.
    """
    inputs = keras.Input((side, side, 1), name="radiograph")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    filters = (width, 2 * width, 2 * width, 4 * width, 4 * width, 4 * width)
    for i, (count, strides) in enumerate(zip(filters, (2, 2, 1, 2, 1, 1), strict=True)):
        name = "last_conv" if i == len(filters) - 1 else None
        kernel = {"kernel_initializer": "he_normal", "padding": "same", "activation": "relu"}
        x = layers.Conv2D(count, 3, strides, name=name, **kernel)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(4 * width, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(1, name="logit")(x), name="cnn8")


def cnn11(side: int, width: int, dropout: float) -> keras.Model:
    """Ten convolutions and one dense layer, batch-normalised, with three residual pairs; heatmap layer "last_conv".

    width: filters of the first layer; later layers have two, four and six times as many. The last feature map is
    side/8 wide, so that a heatmap keeps some detail.
    """
    inputs = keras.Input((side, side, 1), name="radiograph")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = _convolution(x, width, kernel=5, strides=2)
    x = _convolution(x, 2 * width, strides=2)
    x = _basic_block(x, 2 * width)
    x = _convolution(x, 4 * width, strides=2)
    x = _basic_block(x, 4 * width)
    x = _convolution(x, 6 * width)
    x = _basic_block(x, 6 * width, name="last_conv")
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(1, name="logit")(x), name="cnn11")


def resnet34(side: int, width: int, dropout: float) -> keras.Model:
    """ResNet-34 (He et al. 2016) for gray images: 3, 4, 6, 3 basic blocks; heatmap layer "last_conv".

    width: maps of the first stage, 64 in the paper; later stages have two, four and eight times as many. The last
    feature map is side/32 wide.
    """
    inputs = keras.Input((side, side, 1), name="radiograph")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = _convolution(x, width, kernel=7, strides=2)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            last = (stage, block) == (3, 2)
            strides = 2 if stage and not block else 1
            x = _basic_block(x, width * 2**stage, strides, name="last_conv" if last else None)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(1, name="logit")(x), name="resnet34")


def vgg16_normalised(side: int, dropout: float, divisor: int = 1) -> keras.Model:
    """VGG16's 13 convolutions (Simonyan and Zisserman 2015), each followed by batch normalisation, without which they
    learn next to nothing from random weights; heatmap layer "last_conv".

    Folded into the convolutions afterwards (model_zoo/folding.py), the normalisation leaves a plain VGG16.
    divisor: of the numbers of maps; 1 for the paper's.
    """
    inputs = keras.Input((side, side, 3), name="radiograph")
    x = imagenet_mean()(inputs)
    for block, (convolutions, maps) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))):
        for place in range(convolutions):
            last = (block, place) == (4, 2)
            x = _convolution(x, maps // divisor, name="last_conv" if last else None)
        x = layers.MaxPooling2D(name=f"block{block + 1}_pool")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(1, name="logit")(x), name="vgg16_normalised")


def on_backbone(
    application: Callable, scaling: keras.layers.Layer, side: int, head: Iterable[keras.layers.Layer], weights: str
) -> keras.Model:
    """A network of keras.applications under a new head, which ends in the logit.

    application: such as keras.applications.MobileNetV2. scaling: from 0..255 to what its weights expect. head: layers
    between the last feature map and the logit. weights: "none", "imagenet" (downloaded once by Keras), a file of the
    backbone's weights, or a .keras file of a network on the same backbone, which is then without batch normalisation
    where that network has it folded into its convolutions.
    The heatmap layer is one of the application's. Raises RecipeError when the weights cannot be had.
    """
    inputs = keras.Input((side, side, 3), name="radiograph")
    backbone = _backbone(application, scaling(inputs), side, weights)
    x = backbone.output
    for layer in head:
        x = layer(x)
    return keras.Model(backbone.inputs[0], layers.Dense(1, name="logit")(x))


def backbone_on_gray(application: Callable, scaling: keras.layers.Layer, side: int, weights: str) -> keras.Model:
    """A network of keras.applications without its head, for gray images. The arguments and the error are
    on_backbone's."""
    inputs = keras.Input((side, side, 1), name="radiograph")
    return _backbone(application, layers.Concatenate()([scaling(inputs)] * 3), side, weights)


def _backbone(application: Callable, inputs, side: int, weights: str) -> keras.Model:
    backbone = application(include_top=False, weights=None, input_tensor=inputs)
    if weights != "none":
        found = _weights_of(application, side, weights)
        if len(found) < len(backbone.weights):
            backbone = folded(backbone)
        backbone.set_weights(found)
    return backbone


def at_sides(network: keras.Model, sides: tuple[int, ...], heatmap_layer: str) -> keras.Model:
    """A network that looks at its film at several sizes, with the same weights, and goes on with the mean of what it
    sees: of the maps of its heatmap layer, brought to the finest grid among them, or to the network's own where what
    follows is flattened and so knows that grid alone.

    network: for films of one size; what precedes the heatmap layer must be able to take another. The result has its
    weights, in the same order. sides: in pixels; the largest is the result's input. Raises ValueError and TypeError for
    a network or sides that this cannot be done with.
    """
    place = [layer.name for layer in network.layers].index(heatmap_layer) + 1
    maps = network.layers[place - 1].output
    channels = network.input_shape[-1]
    body = keras.models.clone_model(
        keras.Model(network.input, maps, name="body"), input_tensors=keras.Input((None, None, channels))
    )
    head = keras.models.clone_model(keras.Model(maps, network.output))
    if len(head.operations) > len(head.layers):
        raise ValueError("operations that are no layers follow the heatmap layer")
    largest = max(sides)
    inputs = keras.Input((largest, largest, channels), name="radiograph")
    seen = [body(inputs)]
    # Not layers.Resizing: called without `training`, a network takes it for True from there on.
    for side in sorted(set(sides) - {largest}):
        seen.append(body(keras.ops.image.resize(inputs, (side, side), antialias=True)))
    flattened = any(isinstance(layer, layers.Flatten) for layer in head.layers)
    grid = tuple((maps if flattened else seen[0]).shape[1:3])
    seen = [one if tuple(one.shape[1:3]) == grid else keras.ops.image.resize(one, grid) for one in seen]
    x = layers.Activation("linear", name=heatmap_layer)(layers.Average()(seen) if len(seen) > 1 else seen[0])
    for layer in head.layers[1:]:
        x = layer(x)
    result = keras.Model(inputs, x)
    result.set_weights(network.get_weights())
    return result


def imagenet_mean() -> keras.layers.Layer:
    """ImageNet's mean colour taken off, as VGG16's and ResNet50's weights expect (blue first; a gray film's channels
    are equal, so that only the means have an order)."""
    return layers.Normalization(mean=[103.939, 116.779, 123.68], variance=[1.0, 1.0, 1.0])


def _weights_of(application: Callable, side: int, weights: str) -> list:
    try:
        if weights.endswith(".keras"):
            return _backbone_weights(application, side, weights)
        return application(include_top=False, weights=weights, input_shape=(side, side, 3)).get_weights()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise RecipeError(
            f"Expected starting weights '{weights}' that fit the backbone. Received: {error}. The ways out: go "
            "online once, so that Keras can download them; name a file that you have with --weights FILE; or train "
            "from scratch with --weights none, which reaches less."
        ) from error


def _backbone_weights(application: Callable, side: int, path: str) -> list:
    """Those of a whole network's weights that are its backbone's: the first ones, because the head comes last. A
    backbone without batch normalisation can be taken from a network that has it. Of a network whose normalisation is
    folded, they are those of the folded backbone."""
    backbone = application(include_top=False, weights=None, input_shape=(side, side, 3))
    network = keras.models.load_model(path, compile=False)
    for source, taker in ((network, backbone), (folded(network), backbone), (network, folded(backbone))):
        shapes = [tuple(weight.shape) for weight in taker.weights]
        found = source.get_weights()[: len(shapes)]
        if [weight.shape for weight in found] == shapes:
            return found
    raise ValueError("a network on another backbone")
