"""Every explainer over the registry: directions, odd images, refusals; and its agreement with tf-keras-vis."""

import numpy as np
import pytest

from cases.preprocess import model_input
from model_zoo.methods import TITLES
from model_zoo.overlay import enlarged

METHODS = ("gradcam", "gradcam++", "layercam", "augmented", "scorecam", "smoothgrad", "occlusion")
DIRECTIONS = ("pneumonia", "normal")


def make_engine(folder, layers: list):
    """An engine for a model of these layers, the last feature map's called last_conv, saved and loaded."""
    import keras
    from conftest import make_card

    from model_zoo.engine import Engine
    from model_zoo.registry import Export

    inputs = keras.Input((32, 32, 1))
    keras.Model(inputs, keras.Sequential(layers).call(inputs)).save(folder / "model.keras")
    return Engine(Export(folder, make_card(folder)))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A model in which every image has something for pneumonia and something for normal."""
    from keras import layers
    from keras.initializers import GlorotUniform, RandomNormal

    wide = RandomNormal(0, 0.5, seed=4)
    return make_engine(
        tmp_path_factory.mktemp("both"),
        [
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 3, padding="same", activation="relu", kernel_initializer=wide),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, padding="same", activation="relu", kernel_initializer=wide, name="last_conv"),
            layers.AveragePooling2D(4),
            layers.Flatten(),
            layers.Dense(5, activation="tanh", kernel_initializer=GlorotUniform(seed=4)),
            layers.Dense(1, kernel_initializer=wide),
        ],
    )


def brightness_model(folder, bias: float = 0.0):
    """Brighter is more normal, everywhere: the feature maps are sums of pixels and bias; the logit falls with each."""
    from keras import layers
    from keras.initializers import Constant

    sums = {"kernel_initializer": Constant(0.1), "bias_initializer": Constant(bias)}
    return make_engine(
        folder,
        [
            layers.Rescaling(1 / 255),
            layers.Conv2D(2, 3, padding="same", activation="relu", name="last_conv", **sums),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, kernel_initializer=Constant(-1.0)),
        ],
    )


@pytest.fixture(scope="module")
def one_way(tmp_path_factory):
    return brightness_model(tmp_path_factory.mktemp("one_way"))


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    """No feature map ever shows anything."""
    return brightness_model(tmp_path_factory.mktemp("dead"), bias=-1e6)


@pytest.fixture(scope="module")
def explainers():
    from model_zoo.explainers import EXPLAINERS

    return EXPLAINERS


@pytest.fixture
def image(noise_images) -> np.ndarray:
    return noise_images[0].astype(np.float32)


def at_heatmap_layer(engine) -> dict:
    """tf-keras-vis's settings for a raw map at the heatmap layer itself."""
    return {
        "penultimate_layer": engine.export.card.heatmap.layer,
        "seek_penultimate_conv_layer": False,
        "expand_cam": False,
        "normalize_cam": False,
    }


def score(direction: str):
    return lambda logits: (1 if direction == "pneumonia" else -1) * logits[:, 0]


def assert_same(received: np.ndarray, expected) -> None:
    expected = np.asarray(expected)
    assert expected.max() > 0, "nothing to compare"
    assert received.shape == expected.shape
    assert np.abs(received - expected).max() <= 1e-4 * expected.max()


def test_the_registry_has_these_methods_and_says_what_they_are(explainers):
    assert tuple(explainers) == tuple(TITLES) == METHODS
    for explainer in explainers.values():
        assert explainer.title
        assert explainer.explanation.endswith(".")
        assert explainer.source[-4:].isdigit()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradcam_is_tf_keras_vis_s(engine, explainers, image, direction):
    from tf_keras_vis.gradcam import Gradcam

    expected = Gradcam(engine.model)(score(direction), image[np.newaxis], **at_heatmap_layer(engine))
    assert_same(explainers["gradcam"](engine, image, direction), expected[0])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradcam_plus_plus_is_tf_keras_vis_s_without_its_factor(engine, explainers, image, direction):
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus

    expected = GradcamPlusPlus(engine.model)(score(direction), image[np.newaxis], **at_heatmap_layer(engine))
    logit = engine.logits(image[np.newaxis])[0]
    factor = np.exp(logit if direction == "pneumonia" else -logit)
    assert_same(explainers["gradcam++"](engine, image, direction), expected[0] / factor)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_layercam_is_tf_keras_vis_s(engine, explainers, image, direction):
    from tf_keras_vis.layercam import Layercam

    expected = Layercam(engine.model)(score(direction), image[np.newaxis], **at_heatmap_layer(engine))
    assert_same(explainers["layercam"](engine, image, direction), expected[0])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_augmented_gradcam_is_a_loop_over_moved_and_mirrored_films(engine, explainers, image, direction):
    """Cells are of two pixels here. A map moved back has its border repeated where it had nothing in view."""
    import cv2

    sign, steps, maps = (1 if direction == "pneumonia" else -1), (-2, -1, 0, 1, 2), []
    for down in steps:
        for right in steps:
            padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
            film = padded[2 - down : 34 - down, 2 - right : 34 - right]
            for mirrored in (False, True):
                asked = np.fliplr(film) if mirrored else film
                signed = cv2.resize(engine.explain(asked[np.newaxis])[0].signed_map, (32, 32))
                signed = np.fliplr(signed) if mirrored else signed
                maps.append(np.pad(signed, 2, mode="edge")[2 + down : 34 + down, 2 + right : 34 + right])
    expected = np.maximum(sign * np.mean(maps, axis=0), 0)
    assert_same(explainers["augmented"](engine, image, direction), expected)
    assert explainers["augmented"].passes(engine) == len(maps)


def test_augmented_gradcam_finds_a_spot_that_is_not_in_the_middle_of_a_cell(explainers, tmp_path):
    from keras import layers
    from keras.initializers import Constant

    cells = {"strides": 8, "activation": "relu", "kernel_initializer": Constant(1 / 64)}
    engine = make_engine(
        tmp_path,
        [
            layers.Rescaling(-1 / 255, offset=1),
            layers.Conv2D(1, 8, name="last_conv", **cells),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, kernel_initializer=Constant(1.0)),
        ],
    )
    image = np.full((32, 32, 1), 255, np.float32)
    image[8:11, 8:11] = 0

    def misses_by(method: str) -> float:
        heatmap = enlarged(explainers[method](engine, image, "pneumonia"), (32, 32))
        return np.hypot(*(np.argwhere(heatmap >= 0.999 * heatmap.max()).mean(axis=0) - 9))

    assert misses_by("gradcam") > 3
    assert misses_by("augmented") < 2


@pytest.mark.parametrize("maps", [64, 3])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_scorecam_is_tf_keras_vis_s_on_two_outputs(engine, explainers, image, direction, maps, monkeypatch):
    """tf-keras-vis takes a softmax, so it is given the two logits whose softmax is the model's probability."""
    import keras
    from tf_keras_vis.scorecam import Scorecam

    logit = engine.model.output / engine.export.card.temperature
    two_outputs = keras.Model(engine.model.input, keras.ops.concatenate([-logit / 2, logit / 2], axis=1))
    expected = Scorecam(two_outputs)(
        lambda shares: shares[:, 1 if direction == "pneumonia" else 0],
        image[np.newaxis],
        max_N=min(maps, 8),
        **at_heatmap_layer(engine),
    )
    monkeypatch.setattr("model_zoo.explainers.SCORECAM_MAPS", maps)
    assert_same(explainers["scorecam"](engine, image, direction), expected[0])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_smoothgrad_is_tf_keras_vis_s_on_the_same_noise(engine, explainers, image, direction, monkeypatch):
    from tf_keras_vis import saliency

    from model_zoo import explainers as module

    monkeypatch.setattr(saliency.np.random, "normal", np.random.default_rng(0).normal)
    gradient = saliency.Saliency(engine.model)(
        score(direction),
        image[np.newaxis],
        smooth_samples=module.SMOOTHGRAD_COPIES,
        smooth_noise=module.SMOOTHGRAD_NOISE,
        gradient_modifier=None,
        keepdims=True,
        normalize_map=False,
    )
    received = explainers["smoothgrad"](engine, image, direction)
    assert_same(received, np.maximum(np.asarray(gradient)[0].sum(axis=-1), 0))
    np.testing.assert_array_equal(received, explainers["smoothgrad"](engine, image, direction))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_occlusion_is_a_loop_over_patches(engine, explainers, image, direction):
    sign = 1 if direction == "pneumonia" else -1
    drops = [[[] for _ in range(32)] for _ in range(32)]
    whole = engine.logits(image[np.newaxis])[0]
    # A sixth of 32 is 5, moved by 2; the last place ends at the border.
    places = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 27]
    for top in places:
        for left in places:
            hidden = image.copy()
            hidden[top : top + 5, left : left + 5] = 128
            drop = sign * (whole - engine.logits(hidden[np.newaxis])[0])
            for y in range(top, top + 5):
                for x in range(left, left + 5):
                    drops[y][x].append(drop)
    expected = np.maximum([[np.mean(drop) for drop in row] for row in drops], 0)
    received = explainers["occlusion"](engine, image, direction)
    assert expected.max() > 0
    np.testing.assert_allclose(received, expected, atol=1e-4)
    assert explainers["occlusion"].passes(engine) == 1 + len(places) ** 2


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((40, 40), np.uint8),
        np.full((40, 40), 128, np.uint8),
        np.full((40, 40), 255, np.uint8),
        np.arange(200, dtype=np.uint8)[np.newaxis],
        np.arange(200, dtype=np.uint8)[:, np.newaxis],
    ],
    ids=["black", "gray", "white", "1 pixel high", "1 pixel wide"],
)
def test_odd_images_have_a_raw_map_of_finite_numbers(engine, explainers, pixels, method, direction):
    heatmap = explainers[method](engine, model_input(pixels, 32, 1), direction)
    assert heatmap.dtype == np.float32
    assert heatmap.ndim == 2
    assert np.isfinite(heatmap).all()
    assert heatmap.min() >= 0


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_hiding_gray_behind_gray_speaks_for_nothing(engine, explainers, direction):
    assert not explainers["occlusion"](engine, np.full((32, 32, 1), 128), direction).any()


@pytest.mark.parametrize("method", [method for method in METHODS if method != "scorecam"])
def test_what_speaks_for_normal_alone_has_an_empty_map_for_pneumonia(one_way, explainers, method, image):
    brighter_than_the_patch = 128 + image / 2
    assert not explainers[method](one_way, brighter_than_the_patch, "pneumonia").any()
    assert explainers[method](one_way, brighter_than_the_patch, "normal").any()


@pytest.mark.parametrize("method", METHODS)
def test_a_dead_network_has_an_empty_map_for_both(dead, explainers, method, image):
    for direction in DIRECTIONS:
        heatmap = explainers[method](dead, image, direction)
        assert not heatmap.any()
        assert np.isfinite(heatmap).all()


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_image_is_refused_in_words(engine, explainers, method, image):
    broken = image.copy()
    broken[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"Received: 1 of 1024 values that are missing \(NaN\) or infinite"):
        explainers[method](engine, broken, "pneumonia")
    with pytest.raises(ValueError, match=r"shape \(32, 32, 1\)\. Received: \(1, 32, 32, 1\)"):
        explainers[method](engine, image[np.newaxis], "pneumonia")
    with pytest.raises(ValueError, match="Received: 'virus'"):
        explainers[method](engine, image, "virus")


@pytest.mark.parametrize("method", METHODS)
def test_an_explanation_changes_nothing_in_the_model(engine, explainers, method, image):
    first = explainers[method](engine, image, "pneumonia")
    nodes = [len(layer._outbound_nodes) for layer in engine.network.layers]
    np.testing.assert_array_equal(first, explainers[method](engine, image, "pneumonia"))
    assert nodes == [len(layer._outbound_nodes) for layer in engine.network.layers]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradcam_by_depth_is_tf_keras_vis_s_at_each_layer(engine, noise_images, direction):
    from tf_keras_vis.gradcam import Gradcam

    settings = at_heatmap_layer(engine)
    assert len(engine.depths) == 3
    sign = 1 if direction == "pneumonia" else -1
    for layer, signed_maps in zip(engine.depths, engine.explain_depths(noise_images), strict=True):
        settings["penultimate_layer"] = layer
        expected = Gradcam(engine.model)(score(direction), noise_images.astype(np.float32), **settings)
        received = np.maximum(sign * signed_maps, 0)
        assert received.shape == np.shape(expected)
        assert np.abs(received - expected).max() <= 1e-4 * np.abs(signed_maps).max()


def test_depths_are_the_last_layers_that_everything_passes_through():
    import keras
    from keras import layers

    from model_zoo.depth import layers_by_depth

    inputs = keras.Input((64, 64, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    x = stem = layers.Conv2D(4, 3, strides=2, padding="same", name="stem")(x)
    x = layers.Conv2D(4, 3, padding="same", name="inside_a_block")(x)
    x = layers.Add(name="block")([stem, x])
    x = layers.ZeroPadding2D(1)(x)
    # 34 to 32 without padding, and 32 to 30: the same resolution but for the border.
    x = layers.Conv2D(4, 3, activation="relu", name="whole")(x)
    x = layers.Conv2D(4, 3, activation="relu", name="border")(x)
    x = skip = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(4, 3, padding="same", name="skipped")(x)
    x = layers.Concatenate(name="joined")([skip, x])
    x = layers.Flatten()(x)
    assert layers_by_depth(keras.Model(inputs, layers.Dense(1)(x))) == ("border", "joined")
