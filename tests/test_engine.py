"""The engine against tf-keras-vis, its batches, directions, threads, and the files that it must refuse."""

import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import make_card, reference_gradcams

from model_zoo.registry import Export, ExportError


@pytest.fixture(scope="module")
def engine(tiny_export):
    from model_zoo.engine import Engine

    return Engine(tiny_export)


def test_maps_agree_with_tf_keras_vis(engine, noise_images):
    for direction, expected in reference_gradcams(engine, noise_images).items():
        received = np.stack([explanation.evidence(direction) for explanation in engine.explain(noise_images)])
        assert np.abs(received - expected).max() <= 1e-5 * max(expected.max(), 1e-3)


def test_one_pass_gives_the_model_s_own_logit_and_the_calibrated_probability(engine, noise_images):
    expected = engine.model.predict(noise_images.astype(np.float32), verbose=0)[:, 0]
    explanations = engine.explain(noise_images)
    np.testing.assert_allclose([e.logit for e in explanations], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(engine.logits(noise_images), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose([e.probability for e in explanations], 1 / (1 + np.exp(-expected / 2.0)), rtol=1e-4)


def test_a_batch_gives_what_single_images_give(engine, noise_images):
    together = engine.explain(noise_images)
    for image, expected in zip(noise_images, together, strict=True):
        alone = engine.explain(image[np.newaxis])[0]
        assert alone.logit == pytest.approx(expected.logit, abs=1e-5)
        np.testing.assert_allclose(alone.signed_map, expected.signed_map, atol=1e-6)


def test_the_two_directions_are_the_two_signs_of_one_map(engine, noise_images):
    explanation = engine.explain(noise_images[:1])[0]
    difference = explanation.evidence("pneumonia") - explanation.evidence("normal")
    np.testing.assert_array_equal(difference, explanation.signed_map)
    with pytest.raises(ValueError, match="Received: 'virus'"):
        explanation.evidence("virus")


def test_threads_get_the_answers_of_their_own_images(engine, noise_images):
    expected = [engine.explain(image[np.newaxis])[0].logit for image in noise_images]
    with ThreadPoolExecutor(4) as pool:
        received = list(pool.map(lambda image: engine.explain(image[np.newaxis])[0].logit, list(noise_images) * 5))
    np.testing.assert_allclose(received, expected * 5, atol=1e-5)


def test_a_stream_is_scored_in_order_whatever_the_batch_size(engine):
    rng = np.random.default_rng(3)
    pixels = [rng.integers(0, 256, (40 + i, 50), dtype=np.uint8) for i in range(7)]
    expected = [engine.explain(engine.input(image)[np.newaxis])[0].probability for image in pixels]
    received = list(engine.probabilities(iter(pixels), batch_size=3))
    np.testing.assert_allclose(received, expected, rtol=1e-5)


@pytest.mark.parametrize("level", [0, 255])
def test_a_constant_image_has_a_finite_answer(engine, level):
    explanation = engine.explain(np.full((1, 32, 32, 1), level, np.uint8))[0]
    assert 0 <= explanation.probability <= 1
    assert np.isfinite(explanation.signed_map).all()


def test_weights_that_the_card_does_not_describe_are_refused(tiny_export, tmp_path):
    from model_zoo.engine import Engine

    folder = tmp_path / "tiny"
    shutil.copytree(tiny_export.folder, folder)
    with (folder / "model.keras").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ExportError, match="sha256"):
        Engine(Export(folder, tiny_export.card))
    (folder / "model.keras").unlink()
    with pytest.raises(ExportError, match="no such file"):
        Engine(Export(folder, tiny_export.card))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    from model_zoo.engine import Engine

    (tmp_path / "model.keras").write_bytes(b"not a model")
    with pytest.raises(ExportError, match="Received"):
        Engine(Export(tmp_path, make_card(tmp_path)))


def test_an_unknown_heatmap_layer_is_named(tiny_export):
    from model_zoo.engine import Engine

    heatmap = dataclasses.replace(tiny_export.card.heatmap, layer="nowhere")
    with pytest.raises(ExportError, match="'nowhere'"):
        Engine(Export(tiny_export.folder, dataclasses.replace(tiny_export.card, heatmap=heatmap)))


def test_other_shapes_than_the_card_s_are_refused(tiny_export):
    from model_zoo.engine import Engine

    with pytest.raises(ExportError, match="shapes"):
        Engine(Export(tiny_export.folder, dataclasses.replace(tiny_export.card, side=64)))
