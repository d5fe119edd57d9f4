"""What champion learns of them: masks beside the images, exchanged surroundings, and the gate."""

import dataclasses
import random

import keras
import numpy as np
import pytest

from cases.collections import open_collection
from model_zoo.folding import folded
from train import lung_lesson
from train.data import Batches, ImageSet, development_sets, without_unseen
from train.fit import checkpointed_networks, fit
from train.recipe import Augmentation, RecipeError, Stage, load_recipe
from train.recipes import champion_noisy
from train.teacher import WEIGHT


@pytest.fixture(scope="module", autouse=True)
def small_backbone():
    """In place of MobileNetV2, whose 150 layers take longer to trace than all else here: its two last resolutions.
    tests/test_train.py builds the recipe with the real one."""

    def build(include_top, weights, input_tensor, alpha):
        x = input_tensor
        for stride, name in ((16, "block_13_expand_relu"), (2, "out_relu")):
            x = keras.layers.Conv2D(4, stride, strides=stride, use_bias=False)(x)
            x = keras.layers.ReLU(name=name)(keras.layers.BatchNormalization()(x))
        return keras.Model(keras.utils.get_source_inputs(input_tensor), x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "MobileNetV2", build)
        yield


@pytest.fixture(scope="module")
def recipe():
    quick = load_recipe("champion-noisy", quick=True)
    stage = dataclasses.replace(quick.stages[0], epochs=2)
    return dataclasses.replace(quick, stages=(stage,), batch_size=4, validation_share=0.25)


@pytest.fixture(scope="module")
def run(few_phantoms, recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lungs")
    fit(recipe, folder, keep_checkpoints=True)
    return folder


def pairs(columns=slice(6, 26)):
    """Four flat films of different gray and their masks; of the last one no mask is known."""
    made = np.zeros((4, 32, 32, 2), np.float32)
    made[..., 0] = np.array([10, 60, 110, 160])[:, None, None]
    made[:3, 8:24, columns, 1] = 255
    return made[..., :1], made[..., 1:]


def test_masks_lie_behind_the_images(few_phantoms, recipe):
    training, _ = development_sets(recipe)
    masked = lung_lesson.with_masks(recipe, training)
    np.testing.assert_array_equal(masked.images[..., :1], training.images)
    shares = (masked.images[..., 1] > 127).mean(axis=(1, 2))
    collection = open_collection("phantom")
    true = [np.mean(collection.load(entry.id).lung_fields > 0) for entry in training.entries]
    np.testing.assert_allclose(shares, true, atol=0.02)


class TestExchange:
    def test_lungs_stay_and_their_surroundings_come_from_the_neighbour(self):
        images, masks = pairs()
        changed = lung_lesson.ExchangeSurroundings(1.0, seed=0)(images, masks, training=True)
        changed = keras.ops.convert_to_numpy(changed)
        np.testing.assert_allclose(changed[:3, 10:22, 8:24], images[:3, 10:22, 8:24], atol=0.01)
        np.testing.assert_allclose(changed[1, 0], images[0, 0], atol=0.01)
        np.testing.assert_allclose(changed[2, 0], images[1, 0], atol=0.01)

    def test_an_image_without_a_known_mask_stays(self):
        images, masks = pairs()
        changed = lung_lesson.ExchangeSurroundings(1.0, seed=0)(images, masks, training=True)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(changed)[3], images[3])

    def test_a_share_of_the_images_and_none_outside_training(self):
        images, masks = (np.repeat(part[1:3], 200, axis=0) for part in pairs())
        images[::2] = 200
        layer = lung_lesson.ExchangeSurroundings(0.25, seed=0)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(images, masks, training=False)), images)
        changed = keras.ops.convert_to_numpy(layer(images, masks, training=True))
        exchanged = np.any(changed != images, axis=(1, 2, 3)).mean()
        assert 0.17 < exchanged < 0.33


class TestGate:
    @pytest.mark.parametrize("right", [True, False])
    def test_the_lesson_is_small_for_a_gate_that_fits_and_large_for_its_opposite(self, right):
        _, masks = pairs(slice(8, 24))
        gate = masks[:, 4::8, 4::8] / 255
        lesson = lung_lesson.GateLesson()
        logits = np.zeros((4, 1), np.float32)
        np.testing.assert_array_equal(lesson(logits, gate if right else 1 - gate, masks, training=True), logits)
        loss = float(sum(lesson.losses))
        assert loss < 0.01 if right else loss > 5

    def test_what_the_gate_shuts_out_does_not_reach_the_answer(self, recipe):
        keras.utils.set_random_seed(0)
        network = recipe.build()
        gate, features = (
            network.get_layer(name).output for name in (champion_noisy.GATE, champion_noisy.HEATMAP_LAYER)
        )
        network.get_layer(champion_noisy.GATE).bias.assign([-30.0])
        image = np.random.default_rng(0).uniform(0, 255, (1, 96, 96, 1))
        shut, seen = keras.Model(network.input, [gate, features]).predict(image, verbose=0)
        assert shut.max() < 1e-6
        np.testing.assert_allclose(seen, 0, atol=1e-4)
        bias = float(network.layers[-1].bias[0])
        np.testing.assert_allclose(network.predict(image, verbose=0), bias, atol=1e-4)

    def test_a_run_teaches_the_gate(self, run, recipe, few_phantoms):
        assert (run / "trained.keras").exists()
        network = keras.models.load_model(run / "trained.keras", compile=False)
        assert network.get_layer(champion_noisy.GATE).output.shape[1:] == (6, 6, 1)

    def test_every_epoch_s_weights_can_be_had_and_the_last_are_the_trained_ones(self, run, recipe):
        found = {epoch: network.get_weights() for epoch, network in checkpointed_networks(recipe, run)}
        assert list(found) == [1, 2]
        trained = keras.models.load_model(run / "trained.keras", compile=False).get_weights()
        for expected, received in zip(trained, found[2], strict=True):
            np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-6)
        assert any(not np.array_equal(a, b) for a, b in zip(found[1], found[2], strict=True))


def test_statistics_that_stay_fixed_change_nothing_but_the_number_of_layers(monkeypatch):
    def folded_without_a_draw(backbone):
        """So that the head has the same weights behind either backbone."""
        state = random.getstate()
        made = folded(backbone)
        random.setstate(state)
        return made

    monkeypatch.setattr(champion_noisy, "folded", folded_without_a_draw)
    settings = {"side": 64, "maps": 8, "alpha": 0.35}
    keras.utils.set_random_seed(0)
    learnt = champion_noisy.build(**settings, fixed_statistics=False)
    keras.utils.set_random_seed(0)
    fixed = champion_noisy.build(**settings)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in fixed.layers)
    assert any(isinstance(layer, keras.layers.BatchNormalization) for layer in learnt.layers)
    assert not isinstance(fixed.input, list), "what is put before a network is called with its input"
    image = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 1))
    for name in (champion_noisy.HEATMAP_LAYER, "logit"):
        outputs = [keras.Model(n.input, n.get_layer(name).output).predict(image, verbose=0) for n in (learnt, fixed)]
        np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-4)


def test_mixed_images_and_labels_have_the_same_shares():
    levels = np.linspace(0, 200, 8, dtype=np.float32)
    data = ImageSet(np.tile(levels[:, None, None, None], (1, 4, 4, 1)), levels / 200, ())
    images, labels = Batches(data, 8, balanced=False, seed=0, mixup=0.4)[0]
    assert images.shape == (8, 4, 4, 1)
    assert labels.shape == (8, 1)
    np.testing.assert_allclose(images[:, 0, 0, 0] / 200, labels[:, 0], atol=1e-6)
    assert len(set(labels[:, 0].round(4)) - set((levels / 200).round(4))) >= 4


def test_unseen_series_share_no_patient_with_the_rest():
    from cases.collections.base import Entry

    def film(name, label, subtype, patient):
        return Entry(f"train/x/{name}", label, subtype, patient, "train")

    entries = [
        film("IM-0001.jpeg", 0, None, "a"),
        film("NORMAL2-IM-0002.jpeg", 0, None, "b"),
        film("person1_bacteria_1.jpeg", 1, "bacteria", "c"),
        film("person2_bacteria_1.jpeg", 1, "bacteria", "d"),
        film("person2_virus_2.jpeg", 1, "virus", "d"),
    ]
    rest, unseen = without_unseen("series", None, entries)
    assert [entry.patient_id for entry in rest] == ["a", "c"]
    assert [entry.patient_id for entry in unseen] == ["b", "d"]


def test_a_teacher_sees_the_film_as_it_was_before_it_was_exchanged_and_exposed(recipe, monkeypatch):
    def mean_gray(recipe, precision):
        film = keras.Input((recipe.side, recipe.side, recipe.channels))
        gray = keras.layers.GlobalAveragePooling2D()(film)
        return keras.Model(film, keras.layers.Rescaling(1 / 64, offset=-2)(gray))

    monkeypatch.setattr(lung_lesson, "answers_of", mean_gray)
    pupil = dataclasses.replace(
        recipe, teachers=("mean gray",), exchanged_surroundings=1.0, augmentation=Augmentation(brightness=0.5)
    )
    images, masks = (np.repeat(np.repeat(part, 3, axis=1), 3, axis=2) for part in pairs())
    trainer = lung_lesson.trainer(pupil.build(), pupil, keras.layers.Activation("linear"))
    logits = keras.ops.convert_to_numpy(trainer(np.concatenate([images, masks], axis=-1), training=True))
    answers = images.mean(axis=(1, 2)) / 64 - 2
    gap = np.logaddexp(0, logits) - logits / (1 + np.exp(-answers))
    assert float(trainer.losses[-1]) == pytest.approx(WEIGHT * gap.mean(), rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stages": (Stage("head", 1, 1e-3, trainable="head"),)}, "no stage of the head alone"),
        ({"stages": (Stage("one", 1, 1e-3, hints=(("a", "b"),)),), "teachers": ("cnn11",)}, "without lung masks"),
    ],
)
def test_what_would_lose_the_masks_is_refused(recipe, changes, expected):
    with pytest.raises(RecipeError, match=f"champion-noisy: expected .*{expected}"):
        dataclasses.replace(recipe, **changes)


def test_even_heights_without_balanced_classes_are_refused(recipe):
    with pytest.raises(RecipeError, match="expected balanced"):
        dataclasses.replace(recipe, balanced=False, even_heights=True)


def test_a_repeat_is_the_recipe_on_the_same_split_with_other_draws():
    first, again = load_recipe("champion"), load_recipe("champion-repeat-2")
    assert again.id == "champion-repeat-2"
    assert again.title == "Champion, gated by lung, repeat 2"
    assert again.seed == first.seed
    assert again.run_seed != first.run_seed
    same = {"id", "title", "repeat", "build"}
    differing = [f.name for f in dataclasses.fields(first) if getattr(first, f.name) != getattr(again, f.name)]
    assert set(differing) <= same


@pytest.mark.parametrize(
    "model_id", ["champion-repeat-", "champion-repeat-x", "champion-repeat-0", "champion-repeat-01", "nobody-repeat-1"]
)
def test_a_repeat_that_makes_no_sense_is_named(model_id):
    with pytest.raises(RecipeError, match="Received"):
        load_recipe(model_id)


def test_the_augmentation_moves_masks_with_the_images(recipe):
    network = recipe.build()
    settings = dataclasses.replace(recipe, augmentation=Augmentation(translation=0.3), exchanged_surroundings=0.0)
    trainer = lung_lesson.trainer(network, settings, keras.layers.Identity())
    moved = trainer.get_layer("augmentation")
    film = np.zeros((4, 96, 96, 2), np.float32)
    film[:, 30:60, 30:60] = 255
    images, masks = np.split(keras.ops.convert_to_numpy(moved(film, training=True)), 2, axis=-1)
    np.testing.assert_allclose(images, masks, atol=1e-3)
    assert not np.allclose(images, film[..., :1])
