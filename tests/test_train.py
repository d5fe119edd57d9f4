"""Training: whole patients split, batches that can be drawn again, resuming after a kill, and what an export holds."""

import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from unittest.mock import patch

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
import tiny_training
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from cases.collections import COLLECTIONS, open_collection
from cases.collections.base import CollectionUnavailable, Entry
from cases.preprocess import model_input
from model_zoo import evaluation
from model_zoo.card import Reference
from model_zoo.engine import Engine
from model_zoo.folding import folded
from model_zoo.history import HISTORY_COLUMNS, read_history, schedule
from model_zoo.predictions import write_predictions
from model_zoo.registry import ExportError, networks, open_export, scan
from train import samples
from train.__main__ import main
from train.augment import RandomNoise
from train.calibrate import fit_calibration
from train.compact import compress, round_mantissa
from train.data import Batches, ImageSet, development_entries, patient_split
from train.export import evaluate, export, operating_point
from train.fit import fit
from train.leaks import refuse_leaks
from train.networks import at_sides, imagenet_mean, on_backbone, vgg16_normalised
from train.recipe import Augmentation, RecipeError, Stage, TrainingStopped, load_recipe, recipe_ids
from train.teacher import WEIGHT, AtInference, Hints, Imitation, answers_of

RECIPE = tiny_training.RECIPE


@pytest.fixture(scope="module", autouse=True)
def blobs():
    COLLECTIONS["blobs"] = tiny_training.Blobs
    yield
    del COLLECTIONS["blobs"]


def weights_of(path: Path) -> list[np.ndarray]:
    return keras.models.load_model(path, compile=False).get_weights()


def build_pooled() -> keras.Model:
    inputs = keras.Input((16, 16, 1))
    x = keras.layers.Conv2D(2, 3, name="last_conv")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalMaxPooling2D(name="pooled")(x)))


def build_tied() -> keras.Model:
    """For films of one size alone: its weights count the pixels."""
    inputs = keras.Input((16, 16, 1))
    x = keras.layers.Reshape((16, 16, 1))(keras.layers.Dense(256)(keras.layers.Flatten()(inputs)))
    x = keras.layers.Conv2D(2, 3, name="last_conv")(x)
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalMaxPooling2D()(x)))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    fit(RECIPE, folder)
    return folder


@pytest.fixture
def exported(run, tmp_path):
    return export(RECIPE, run, tmp_path / "exports")


class TestData:
    def test_no_patient_is_on_both_sides_even_when_folders_repeat_a_number(self):
        entries = [
            Entry(f"{part}/{i}", i % 2, None, f"{part}/person{i // 3}", part)
            for part in ("train", "val")
            for i in range(60)
        ]
        training, validation = patient_split(entries, 0.2, seed=1)
        numbers = [{entry.patient_id.split("/")[1] for entry in part} for part in (training, validation)]
        assert not numbers[0] & numbers[1]
        assert len(training) + len(validation) == len(entries)
        assert 0.1 < len(validation) / len(entries) < 0.3

    def test_training_never_sees_the_test_split(self):
        entries = development_entries(tiny_training.Blobs())
        assert {entry.split for entry in entries} == {"train", "val"}

    def test_batches_depend_on_seed_and_epoch_alone(self):
        labels = np.array([0] * 10 + [1] * 30, np.float32)
        data = ImageSet(np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1), labels, ())
        first = Batches(data, 8, balanced=True, seed=5)
        orders = [first.order.copy()]
        for _ in range(2):
            first.on_epoch_end()
            orders.append(first.order.copy())
        np.testing.assert_array_equal(Batches(data, 8, True, 5, first_epoch=2).order, orders[2])
        assert not np.array_equal(orders[0], orders[1])

    def test_balanced_batches_draw_both_classes_equally_and_every_rare_image(self):
        labels = np.array([0] * 50 + [1] * 350, np.float32)
        order = Batches(ImageSet(np.zeros((400, 1, 1, 1), np.uint8), labels, ()), 8, balanced=True, seed=0).order
        assert 0.4 < labels[order].mean() < 0.6
        assert set(range(50)) <= set(order)
        assert np.bincount(order, minlength=400)[:50].max() - np.bincount(order, minlength=400)[:50].min() <= 1

    def test_strata_of_one_class_each_are_refused(self):
        labels = np.array([0, 1] * 8)
        data = ImageSet(np.zeros((16, 1, 1, 1), np.uint8), labels, ())
        with pytest.raises(RecipeError, match="no group with both"):
            Batches(data, 8, balanced=True, seed=0, strata=labels)

    def test_strata_do_not_tell_the_class_in_balanced_batches(self):
        # Of each stratum's normals and pneumonias: one of a single class, and two of which the stratum tells the class.
        counts = {0: (0, 300), 1: (40, 160), 2: (160, 40)}
        labels, strata = np.array([(y, s) for s, own in counts.items() for y in (0, 1) for _ in range(own[y])]).T
        data = ImageSet(np.zeros((len(labels), 1, 1, 1), np.uint8), labels.astype(np.float32), ())
        order = Batches(data, 8, balanced=True, seed=0, steps=1000, strata=strata).order
        drawn = np.array([[np.sum((labels[order] == y) & (strata[order] == s)) for y in (0, 1)] for s in counts])
        assert drawn.sum() == 8000
        assert not drawn[0].any()
        np.testing.assert_allclose(drawn[1:], 2000, rtol=0.1)

    def test_an_epoch_may_draw_none_of_a_class_in_a_group(self):
        labels, strata = np.tile([0, 1], 8), np.repeat(range(4), 4)
        data = ImageSet(np.zeros((16, 1, 1, 1), np.uint8), labels.astype(np.float32), ())
        order = Batches(data, 3, balanced=True, seed=0, steps=1, strata=strata).order
        assert len(set(order)) == 3

    def test_unbalanced_batches_see_each_image_once(self):
        data = ImageSet(np.zeros((12, 1, 1, 1), np.uint8), np.zeros(12, np.float32), ())
        assert sorted(Batches(data, 4, balanced=False, seed=0).order) == list(range(12))


class TestFit:
    def test_a_killed_run_ends_where_an_unbroken_one_does(self, run, tmp_path):
        folder = tmp_path / "killed"
        process = subprocess.Popen([sys.executable, tiny_training.__file__, str(folder)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not (folder / "checkpoint-0003").exists():
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline, "no third checkpoint within two minutes"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / "trained.keras").exists()
        fit(RECIPE, folder)
        for expected, received in zip(
            weights_of(run / "trained.keras"), weights_of(folder / "trained.keras"), strict=True
        ):
            np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
        histories = [pd.read_csv(path / "history.csv").drop(columns="seconds") for path in (run, folder)]
        pd.testing.assert_frame_equal(*histories, rtol=1e-4)

    def test_history_has_every_epoch_of_every_stage(self, run):
        history = pd.read_csv(run / "history.csv")
        assert tuple(history.columns) == HISTORY_COLUMNS
        assert list(history["epoch"]) == [1, 2, 3, 4, 5]
        assert list(history["stage"]) == ["first"] * 2 + ["second"] * 3
        assert history["learning_rate"].iloc[-1] < 1e-3
        assert np.isfinite(history.drop(columns="stage").to_numpy()).all()

    def test_a_half_written_checkpoint_is_passed_over(self, run, tmp_path):
        folder = tmp_path / "half"
        (folder / "checkpoint-unfinished").mkdir(parents=True)
        (folder / "checkpoint-unfinished" / "state.weights.h5").write_bytes(b"cut")
        short = dataclasses.replace(RECIPE, stages=(dataclasses.replace(RECIPE.stages[0], epochs=1),))
        assert fit(short, folder).exists()

    def test_a_run_of_other_settings_is_not_mixed_in(self, run, tmp_path):
        folder = tmp_path / "other"
        checkpoint = folder / "checkpoint-0001"
        checkpoint.mkdir(parents=True)
        settings = {**RECIPE.hyperparameters(), "started_from": "random initialisation", "batch_size": 99}
        (checkpoint / "state.json").write_text(json.dumps({"settings": settings, "history": []}))
        with pytest.raises(TrainingStopped, match="batch_size"):
            fit(RECIPE, folder)

    def test_a_finished_run_of_other_settings_is_not_taken_for_this_one(self, run, tmp_path):
        other = dataclasses.replace(RECIPE, batch_size=8)
        with pytest.raises(TrainingStopped, match="another batch_size"):
            fit(other, run)
        with pytest.raises(TrainingStopped, match="another batch_size"):
            export(other, run, tmp_path)
        finer = dataclasses.replace(RECIPE, mantissa_bits=12)
        assert fit(finer, run).exists()
        unknown = shutil.copytree(run, tmp_path / "unknown")
        (unknown / "environment.json").write_text("{}")
        with pytest.raises(TrainingStopped, match="batch_size"):
            fit(RECIPE, unknown)

    @pytest.mark.parametrize(
        ("changes", "received"),
        [
            ({"heatmap_layer": "last_cnv"}, "such as last_conv. Received: 'last_cnv'."),
            ({"heatmap_layer": "pooled"}, "such as last_conv. Received: 'pooled'."),
            ({"side": 24}, "(None, 24, 24, 1), (None, 1)). Received: ((None, 16, 16, 1), (None, 1))."),
            ({"channels": 3}, "(None, 16, 16, 3), (None, 1)). Received: ((None, 16, 16, 1), (None, 1))."),
        ],
    )
    def test_a_network_that_is_not_as_its_recipe_says_is_refused_before_any_image_is_read(
        self, changes, received, tmp_path
    ):
        with (
            patch("train.fit.development_sets", side_effect=AssertionError),
            pytest.raises(RecipeError, match=re.escape(received)),
        ):
            fit(dataclasses.replace(RECIPE, build=build_pooled, **changes), tmp_path / "run")

    @pytest.mark.parametrize("stages", [(), (RECIPE.stages[0], RECIPE.stages[0])])
    def test_stages_that_a_run_could_not_tell_apart_are_refused(self, stages):
        with pytest.raises(RecipeError, match=r"each with a name of its own.*Received: (none|first, first)\."):
            dataclasses.replace(RECIPE, stages=stages)

    @pytest.mark.parametrize(
        ("changes", "received"),
        [
            ({"trainable": "heads"}, "Received: 'heads' in 'first'."),
            ({"trainable": 0}, "Received: 0 in 'first'."),
            ({"stop_below": 0.1}, "expected a patience beside stop_below"),
        ],
    )
    def test_a_stage_that_no_run_can_take_is_refused(self, changes, received):
        with pytest.raises(RecipeError, match=re.escape(received)):
            dataclasses.replace(RECIPE, stages=(dataclasses.replace(RECIPE.stages[0], **changes),))

    def test_a_loss_that_is_no_number_stops_with_advice(self, tmp_path):
        wild = dataclasses.replace(RECIPE, stages=(dataclasses.replace(RECIPE.stages[0], learning_rate=float("nan")),))
        with pytest.raises(TrainingStopped, match="learning_rate"):
            fit(wild, tmp_path / "wild")


class TestStages:
    HEAD = dataclasses.replace(
        RECIPE,
        stages=(
            Stage("head", epochs=2, learning_rate=0.02, trainable="head", steps=5),
            Stage("last layers", epochs=1, learning_rate=0.01, trainable=3),
        ),
    )

    def test_a_head_stage_leaves_the_backbone_alone_and_the_next_one_goes_on_from_it(self, tmp_path):
        keras.utils.set_random_seed(RECIPE.seed)
        untrained = RECIPE.build().get_weights()
        kernel, bias = len(untrained) - 2, len(untrained) - 1
        only_head = dataclasses.replace(self.HEAD, stages=self.HEAD.stages[:1])
        after_head = weights_of(fit(only_head, tmp_path / "head"))
        for i, (before, after) in enumerate(zip(untrained, after_head, strict=True)):
            assert np.array_equal(before, after) == (i not in (kernel, bias))
        after_both = weights_of(fit(self.HEAD, tmp_path / "both"))
        np.testing.assert_array_equal(after_both[0], untrained[0])
        assert 0 < np.abs(after_both[kernel] - after_head[kernel]).max() < 0.2

    def test_a_run_stopped_between_stages_ends_where_an_unbroken_one_does(self, tmp_path):
        expected = weights_of(fit(self.HEAD, tmp_path / "unbroken"))
        folder = tmp_path / "stopped"
        with patch("train.fit.augmenter", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            fit(self.HEAD, folder)
        assert (folder / "checkpoint-0002").exists()
        for received, weight in zip(weights_of(fit(self.HEAD, folder)), expected, strict=True):
            np.testing.assert_allclose(received, weight, rtol=1e-4, atol=1e-5)

    def test_a_run_stopped_before_its_last_file_ends_with_the_same_weights(self, tmp_path):
        path = fit(self.HEAD, tmp_path / "run")
        expected = weights_of(path)
        path.unlink()
        for received, weight in zip(weights_of(fit(self.HEAD, tmp_path / "run")), expected, strict=True):
            np.testing.assert_array_equal(received, weight)

    def test_the_head_alone_is_not_trained_after_its_backbone(self):
        """A checkpoint of the head would have nothing of what the backbone had learnt."""
        with pytest.raises(RecipeError, match=r"before the others.*Received: 3, 'head'"):
            dataclasses.replace(self.HEAD, stages=self.HEAD.stages[::-1])

    def test_patience_ends_a_stage_that_no_longer_improves(self, tmp_path):
        stuck = Stage("stuck", epochs=6, learning_rate=0.0, trainable="head", patience=2)
        fit(dataclasses.replace(RECIPE, stages=(stuck,)), tmp_path / "stuck")
        assert len(pd.read_csv(tmp_path / "stuck" / "history.csv")) == 3

    def test_a_stage_stops_once_the_loss_stays_below_its_mark(self, tmp_path):
        easy = Stage("easy", epochs=6, learning_rate=0.0, trainable="head", patience=2, stop_below=100.0)
        fit(dataclasses.replace(RECIPE, stages=(easy,)), tmp_path / "easy")
        assert len(pd.read_csv(tmp_path / "easy" / "history.csv")) == 2
        hard = dataclasses.replace(easy, epochs=4, stop_below=1e-9)
        fit(dataclasses.replace(RECIPE, stages=(hard,)), tmp_path / "hard")
        assert len(pd.read_csv(tmp_path / "hard" / "history.csv")) == 4

    def test_a_rate_without_decay_stays_where_it_is(self, tmp_path):
        flat = Stage("flat", epochs=3, learning_rate=0.02, warmup=0.0, decay=False, trainable="head")
        fit(dataclasses.replace(RECIPE, stages=(flat,)), tmp_path / "flat")
        rates = pd.read_csv(tmp_path / "flat" / "history.csv")["learning_rate"]
        np.testing.assert_allclose(rates, 0.02, rtol=1e-5)

    def test_batch_normalisation_alone_learns_before_the_head(self, tmp_path):
        keras.utils.set_random_seed(RECIPE.seed)
        untrained = RECIPE.build().get_weights()
        stage = Stage("bn", epochs=1, learning_rate=0.02, trainable="batch normalisation")
        trained = weights_of(fit(dataclasses.replace(RECIPE, stages=(stage,)), tmp_path / "bn"))
        changed = [not np.array_equal(before, after) for before, after in zip(untrained, trained, strict=True)]
        # Convolution; gamma, beta, mean, variance; kernel, bias.
        assert changed == [False, True, True, True, True, True, True]

    def test_a_weighted_loss_moves_an_uneven_set_towards_the_rarer_class(self, tmp_path):
        entries = tiny_training.Blobs().entries()
        uneven = tuple(entry for entry in entries if entry.label or int(entry.id.split("/")[1]) % 8 == 0)
        said = []
        for weighted in (False, True):
            recipe = dataclasses.replace(
                RECIPE,
                balanced=False,
                weighted_loss=weighted,
                stages=(Stage("one", 2, 0.001),),
                augmentation=Augmentation(),
            )
            with patch.object(tiny_training.Blobs, "entries", lambda self, split=None: uneven):
                path = fit(recipe, tmp_path / str(weighted))
            said.append(weights_of(path)[-1][0])
        assert said[1] < said[0]

    def test_what_learnt_in_mixed_precision_is_kept_in_float32(self, tmp_path):
        recipe = dataclasses.replace(RECIPE, stages=(Stage("one", 1, 0.01),))
        network = keras.models.load_model(fit(recipe, tmp_path / "run", precision="mixed_bfloat16"), compile=False)
        assert {layer.compute_dtype for layer in network.layers} == {"float32"}
        assert keras.config.dtype_policy().name == "float32"
        environment = json.loads((tmp_path / "run" / "environment.json").read_text())
        assert environment["device"].endswith("mixed_bfloat16")

    @pytest.mark.parametrize("trainable", ["head", "all"])
    def test_the_loss_is_of_a_float32_logit_whatever_the_network_computes_in(self, trainable, tmp_path):
        recipe = dataclasses.replace(RECIPE, stages=(Stage("one", 1, 0.01, trainable=trainable),))
        with patch.object(keras.Model, "fit", autospec=True) as fitted:
            fit(recipe, tmp_path / "run", precision="mixed_bfloat16")
        trainer = fitted.call_args.args[0]
        assert trainer.output.dtype == "float32"

    def test_a_random_share_is_kept_out_of_training_and_reported_apart(self, tmp_path):
        recipe = dataclasses.replace(RECIPE, random_test_share=0.25, stages=(Stage("one", 1, 0.02),))
        fit(recipe, tmp_path / "run")
        exported = export(recipe, tmp_path / "run", tmp_path / "exports")
        evaluate(exported, "blobs")
        rows = exported.predictions("blobs-random25")
        split = json.loads((tmp_path / "run" / "split.json").read_text())
        assert len(rows) == 21
        assert not set(rows["image_id"]) & {image_id for part in split.values() for image_id in part}
        assert "regardless of patients" in exported.card.data.protocol

    def test_a_random_share_of_another_copy_is_not_reported(self, tmp_path, monkeypatch):
        """It would have images that the network learnt from."""
        recipe = dataclasses.replace(RECIPE, random_test_share=0.25, stages=(Stage("one", 1, 0.02),))
        fit(recipe, tmp_path / "run")
        exported = export(recipe, tmp_path / "run", tmp_path / "exports")
        fewer = tiny_training.Blobs().entries()[1:]
        monkeypatch.setattr(
            tiny_training.Blobs, "entries", lambda _, s=None: [e for e in fewer if s in (None, e.split)]
        )
        with pytest.raises(CollectionUnavailable, match=r"whose share has \d+ of its validation images"):
            evaluate(exported, "blobs")
        assert exported.prediction_sets() == ("blobs-validation",)


class TestStartingWeights:
    @staticmethod
    def build(weights="none"):
        head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)]
        application = partial(keras.applications.MobileNetV2, alpha=0.35)
        return on_backbone(application, keras.layers.Rescaling(1 / 127.5), 32, head, weights)

    def test_a_local_file_gives_the_backbone_its_weights(self, tmp_path):
        source = keras.applications.MobileNetV2(
            include_top=False, weights=None, alpha=0.35, input_shape=(32, 32, 3), name="source"
        )
        source.save_weights(tmp_path / "backbone.weights.h5")
        network = self.build(weights=str(tmp_path / "backbone.weights.h5"))
        for received, expected in zip(network.get_weights(), source.get_weights(), strict=False):
            np.testing.assert_array_equal(received, expected)

    @pytest.mark.parametrize("content", [None, b"not weights"])
    def test_weights_that_cannot_be_had_end_in_the_ways_out(self, tmp_path, content):
        path = tmp_path / "backbone.weights.h5"
        if content:
            path.write_bytes(content)
        with pytest.raises(RecipeError, match="--weights FILE; or train from scratch"):
            self.build(weights=str(path))

    def test_a_whole_network_gives_its_backbone_and_keeps_its_head(self, tmp_path):
        source = self.build()
        source.save(tmp_path / "trained.keras")
        network = self.build(weights=str(tmp_path / "trained.keras"))
        for received, expected in list(zip(network.get_weights(), source.get_weights(), strict=True))[:-4]:
            np.testing.assert_array_equal(received, expected)
        assert not np.array_equal(network.get_weights()[-2], source.get_weights()[-2])

    def test_a_network_with_folded_normalisation_gives_a_folded_backbone(self, tmp_path):
        rng = np.random.default_rng(0)
        source = self.build()
        for layer in source.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
        folded(source).save(tmp_path / "trained.keras")
        network = self.build(weights=str(tmp_path / "trained.keras"))
        assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)
        for received, expected in list(zip(network.get_weights(), folded(source).get_weights(), strict=True))[:-4]:
            np.testing.assert_array_equal(received, expected)

    def test_a_network_on_another_backbone_is_refused(self, tmp_path):
        RECIPE.build().save(tmp_path / "trained.keras")
        with pytest.raises(RecipeError, match="another backbone"):
            self.build(weights=str(tmp_path / "trained.keras"))

    def test_a_vgg16_taken_from_a_normalised_one_computes_the_same_features(self, tmp_path):
        source = vgg16_normalised(side=32, dropout=0.0)
        rng = np.random.default_rng(0)
        for layer in source.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
        source.save(tmp_path / "trained.keras")
        network = on_backbone(
            keras.applications.VGG16, imagenet_mean(), 32, [keras.layers.Flatten()], str(tmp_path / "trained.keras")
        )
        images = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
        expected, received = (
            keras.Model(model.input, model.get_layer(name).output)(images).numpy()
            for model, name in ((source, "last_conv"), (network, "block5_conv3"))
        )
        np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())

    def test_a_run_that_learnt_from_images_kept_apart_here_is_refused(self, run, tmp_path):
        pupil = dataclasses.replace(RECIPE, seed=RECIPE.seed + 1, starting_weights="imagenet", build=self.accept_any)
        with pytest.raises(RecipeError, match=r"learnt from \d+ others"):
            fit(pupil, tmp_path / "pupil", str(run / "trained.keras"))

    def test_a_run_as_start_is_named_with_what_it_started_from(self, run, tmp_path):
        pupil = dataclasses.replace(
            RECIPE, starting_weights="imagenet", build=self.accept_any, stages=(Stage("one", 1, 0.01),)
        )
        fit(pupil, tmp_path / "pupil", str(run / "trained.keras"))
        environment = json.loads((tmp_path / "pupil" / "environment.json").read_text())
        assert environment["started_from"] == "tiny, which started from random initialisation"

    def test_an_export_that_learnt_from_another_split_is_refused_before_any_image_is_read(self, exported, tmp_path):
        for change in ({"seed": RECIPE.seed + 1}, {"validation_share": 0.2}, {"random_test_share": 0.25}):
            pupil = dataclasses.replace(RECIPE, starting_weights="imagenet", build=self.accept_any, **change)
            with (
                patch("train.fit.development_sets", side_effect=AssertionError),
                pytest.raises(RecipeError, match=r"of the export tiny, which may have learnt from \d+ others"),
            ):
                fit(pupil, tmp_path / "pupil", str(exported.model_path))

    def test_an_export_as_start_is_named_with_what_it_started_from(self, exported, tmp_path):
        pupil = dataclasses.replace(
            RECIPE, starting_weights="imagenet", build=self.accept_any, stages=(Stage("one", 1, 0.01),)
        )
        fit(pupil, tmp_path / "pupil", str(exported.model_path))
        environment = json.loads((tmp_path / "pupil" / "environment.json").read_text())
        assert environment["started_from"] == "tiny, which started from random initialisation"

    def test_a_finished_run_is_not_taken_for_one_from_other_weights(self, run, tmp_path):
        assert fit(RECIPE, run) == fit(RECIPE, run, "none") == run / "trained.keras"
        with pytest.raises(TrainingStopped, match=r"from ImageNet\. Received: a finished one that started from random"):
            fit(RECIPE, run, "imagenet")

    def test_averaged_runs_all_start_from_the_same_weights(self, run, tmp_path):
        second = shutil.copytree(run, tmp_path / "second") / "trained.keras"
        mean = dataclasses.replace(
            RECIPE, id="mean", starting_weights="network", averaged_runs=2, stages=(Stage("one", 1, 0.0),)
        )
        one, other = mean.single_runs()
        fit(one, tmp_path / "mean" / "run-1", str(run / "trained.keras"))
        with pytest.raises(TrainingStopped, match="run-1: expected a run that started from second, which"):
            fit(mean, tmp_path / "mean", str(second))
        # As it could come about before.
        fit(other, tmp_path / "mean" / "run-2", str(second))
        with pytest.raises(TrainingStopped, match=r"Received: tiny, which started from.*; second, which started from"):
            fit(mean, tmp_path / "mean")
        assert not (tmp_path / "mean" / "trained.keras").exists()

    def test_a_recipe_may_go_on_with_the_whole_of_a_run_head_included(self, run, tmp_path):
        still = dataclasses.replace(
            RECIPE, id="pupil", starting_weights="network", stages=(Stage("one", 1, learning_rate=0.0),)
        )
        trained = fit(still, tmp_path / "pupil", str(run / "trained.keras"))
        for received, expected in zip(
            *(
                keras.models.load_model(path, compile=False).trainable_weights
                for path in (trained, run / "trained.keras")
            ),
            strict=True,
        ):
            np.testing.assert_allclose(received.numpy(), expected.numpy(), atol=1e-6)

    def test_a_recipe_may_look_at_more_sizes_than_it_learnt_at(self, run, tmp_path):
        sized = dataclasses.replace(
            RECIPE,
            id="sized",
            sides=(16, 24),
            starting_weights="network",
            averaged_runs=2,
            stages=(Stage("one", 1, learning_rate=0.0),),
        )
        trained = fit(sized, tmp_path / "sized", str(run / "trained.keras"))
        parts = [weights_of(tmp_path / "sized" / f"run-{number}" / "trained.keras") for number in (1, 2)]
        for received, *expected in zip(weights_of(trained), *parts, strict=True):
            np.testing.assert_allclose(received, np.mean(expected, axis=0), atol=1e-7)

        exported = export(sized, tmp_path / "sized", tmp_path / "exports")
        assert exported.card.side == 24
        assert exported.card.metrics["blobs-validation"]["auroc"][0] > 0.9
        engine = Engine(exported)
        (explanation,) = engine.explain(engine.input(COLLECTIONS["blobs"]().load("test/2").pixels)[np.newaxis])
        assert explanation.signed_map.shape == (24, 24)
        assert engine.depths == ("last_conv",)

    @pytest.mark.parametrize(("build", "sides"), [(build_tied, (16, 24)), (RECIPE.build, (16, -8))])
    def test_a_network_that_cannot_look_at_other_sizes_is_refused_before_the_training(self, tmp_path, build, sides):
        sized = dataclasses.replace(RECIPE, id="sized", build=build, sides=sides)
        with pytest.raises(RecipeError, match="sized: expected a network that can look at films of other sizes"):
            fit(sized, tmp_path / "sized")
        assert not (tmp_path / "sized").exists()

    def test_averaged_runs_have_draws_of_their_own_and_export_their_mean(self, run, tmp_path):
        stage = Stage("one", 1, learning_rate=0.01)
        mean = dataclasses.replace(
            RECIPE, id="mean", starting_weights="network", averaged_runs=2, stages=(stage,), repeat=1
        )
        trained = fit(mean, tmp_path / "mean", str(run / "trained.keras"))
        parts = [tmp_path / "mean" / f"run-{number}" for number in (1, 2)]
        each = [weights_of(part / "trained.keras") for part in parts]
        assert any(not np.array_equal(first, second) for first, second in zip(*each, strict=True))
        for received, *expected in zip(weights_of(trained), *each, strict=True):
            np.testing.assert_allclose(received, np.mean(expected, axis=0), atol=1e-7)
        third = dataclasses.replace(mean, averaged_runs=1, repeat=2)
        alone = fit(third, tmp_path / "alone", str(run / "trained.keras"))
        for received, expected in zip(weights_of(alone), each[0], strict=True):
            np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)

        card = export(mean, tmp_path / "mean", tmp_path / "exports").card
        assert card.weights.started_from == "tiny, which started from random initialisation"
        history = read_history(tmp_path / "exports" / "mean" / "history.csv", card.training.epochs)
        assert history["epoch"].tolist() == [1, 2]
        assert history["stage"].tolist() == ["run 1, one", "run 2, one"]
        drawn = schedule(history, card.recipe, card.data.counts["training"]["images"])
        assert drawn.groupby("stage")["learning_rate"].max().tolist() == pytest.approx([0.01, 0.01], rel=0.03)

    @pytest.mark.parametrize(("runs", "start"), [(2, "none"), (2, "imagenet"), (0, "network")])
    def test_the_mean_of_unlike_networks_is_refused(self, runs, start):
        with pytest.raises(RecipeError, match=f"Received: {runs} beside '{start}'"):
            dataclasses.replace(RECIPE, averaged_runs=runs, starting_weights=start)

    @pytest.mark.parametrize("weights", [None, "none", "other.keras", "absent.keras", "no network.keras"])
    def test_what_is_no_such_run_is_refused(self, tmp_path, weights):
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
        (tmp_path / "no network.keras").write_text("no network")
        named = weights and (str(tmp_path / weights) if weights.endswith(".keras") else weights)
        with pytest.raises(RecipeError, match="which goes on with the whole of it"):
            fit(dataclasses.replace(RECIPE, starting_weights="network"), tmp_path / "run", named)
        assert not (tmp_path / "run").exists()

    @staticmethod
    def accept_any(weights="none"):
        return RECIPE.build()

    def test_a_download_that_fails_stops_before_any_image_is_read(self, tmp_path, capsys):
        with patch("keras.src.applications.mobilenet_v2.file_utils.get_file", side_effect=Exception("no network")):
            assert main(["fit", "mobilenetv2", "--run", str(tmp_path / "run")]) == 2
        assert "no network" in capsys.readouterr().err
        assert not (tmp_path / "run").exists()

    def test_a_network_without_backbone_refuses_weights(self, tmp_path, capsys):
        assert main(["fit", "cnn11", "--weights", "some.h5", "--run", str(tmp_path / "run")]) == 2
        assert "no backbone" in capsys.readouterr().err


class TestTeacher:
    @pytest.fixture
    def teacher(self, exported, monkeypatch):
        for module in ("teacher", "leaks"):
            monkeypatch.setattr(f"train.{module}.open_export", lambda model_id: exported)
        return exported

    PUPIL = dataclasses.replace(RECIPE, id="pupil", teachers=("tiny",), stages=(Stage("one", 1, 0.01),))

    def test_its_answers_are_its_calibrated_logits(self, teacher, noise_images):
        images = noise_images[:, :16, :16].astype(np.float32)
        expected = Engine(teacher).logits(images) / teacher.card.temperature
        np.testing.assert_allclose(answers_of(self.PUPIL)(images).numpy()[:, 0], expected, rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("maps", [(), ("last_conv",)])
    def test_it_answers_without_dropout_while_its_pupil_is_trained(self, teacher, noise_images, maps):
        images = noise_images[:, :16, :16].astype(np.float32)
        answers = answers_of(self.PUPIL, maps=maps)
        pupil = keras.Model(answers.input, answers(answers.input))
        np.testing.assert_allclose(*(keras.tree.flatten(pupil(images, training=on))[0] for on in (False, True)))

    def test_it_is_shown_as_much_noise_as_it_learnt_under_while_its_pupil_is_trained(self, teacher, noise_images):
        images = noise_images[:, :16, :16].astype(np.float32)
        quiet, noisy = (
            answers_of(dataclasses.replace(self.PUPIL, noise_for_teachers=shown), maps=("last_conv",))
            for shown in (False, True)
        )
        (noise,) = (layer for layer in noisy.layers if isinstance(layer, RandomNoise))
        assert noise.deviation == pytest.approx(255 * RECIPE.augmentation.noise)
        np.testing.assert_array_equal(noisy(images)[1], quiet(images)[1])
        assert not np.allclose(noisy(images, training=True)[1], quiet(images)[1], atol=1e-3)

    def test_it_answers_a_pupil_with_three_channels_alike(self, teacher, noise_images):
        images = noise_images[:, :16, :16].astype(np.float32)
        pupil = dataclasses.replace(self.PUPIL, channels=3)
        np.testing.assert_allclose(
            answers_of(pupil)(np.repeat(images, 3, axis=-1)).numpy(), answers_of(self.PUPIL)(images).numpy(), rtol=1e-4
        )

    def test_the_loss_counts_the_gap_to_its_answers(self, noise_images):
        pupil = Imitation()
        logits, answers = np.array([[0.5], [-2.0]], np.float32), np.array([[3.0], [-1.0]], np.float32)
        np.testing.assert_array_equal(pupil(logits, answers, training=True), logits)
        wanted = 1 / (1 + np.exp(-answers))
        gap = np.logaddexp(0, logits) - wanted * logits
        np.testing.assert_allclose(float(pupil.losses[0]), WEIGHT * gap.mean(), rtol=1e-5)

    @pytest.mark.parametrize("hints", [(), (("last_conv", "last_conv"),)])
    def test_a_pupil_learns_and_leaves_nothing_of_it_in_the_network(self, teacher, tmp_path, hints):
        pupil = dataclasses.replace(self.PUPIL, stages=(Stage("one", 1, 0.01, hints=hints),))
        network = keras.models.load_model(fit(pupil, tmp_path / "run"), compile=False)
        assert network.count_params() == RECIPE.build().count_params()

    def test_a_stage_with_hints_goes_on_where_it_stopped(self, teacher, tmp_path):
        stage = Stage("one", 2, 0.01, hints=(("last_conv", "last_conv"),))
        trained = fit(dataclasses.replace(self.PUPIL, stages=(stage,)), tmp_path / "run", keep_checkpoints=True)
        expected = weights_of(trained)
        trained.unlink()
        shutil.rmtree(tmp_path / "run" / "checkpoint-0002")
        again = weights_of(fit(dataclasses.replace(self.PUPIL, stages=(stage,)), tmp_path / "run"))
        for one, other in zip(expected, again, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)

    def test_beside_its_answers_it_shows_the_maps_of_its_layers(self, teacher, noise_images):
        images = noise_images[:, :16, :16].astype(np.float32)
        answers, seen = answers_of(self.PUPIL, maps=("last_conv",))(images)
        network = keras.models.load_model(teacher.verified_model_path(), compile=False)
        expected = keras.Model(network.input, network.get_layer("last_conv").output)(images)
        np.testing.assert_allclose(seen.numpy(), expected.numpy(), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(answers.numpy(), answers_of(self.PUPIL)(images).numpy(), rtol=1e-5)

    def test_hints_cost_the_share_of_the_teachers_map_that_is_not_explained(self):
        rng = np.random.default_rng(0)
        its = np.repeat(np.repeat(rng.normal(3, 2, (5, 4, 4, 3)), 2, axis=1), 2, axis=2).astype(np.float32)
        own = its[:, ::2, ::2] @ np.array([[2, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]], np.float32)
        logits, hints = np.ones((5, 1), np.float32), Hints()
        np.testing.assert_array_equal(hints(logits, [own], [its], training=True), logits)
        (projection,) = hints.projections
        for kernel, bias, expected in (
            (np.zeros((4, 3)), its.mean(axis=(0, 1, 2)), 1.0),
            (np.array([[0, 0, 1], [0, 1, 0], [1, 0, -2], [0, 0, 0]]), np.zeros(3), 0.0),
        ):
            projection.set_weights([kernel, bias])
            hints(logits, [own], [its], training=True)
            assert float(hints.losses[-1]) == pytest.approx(expected, abs=1e-5)

    def test_its_answers_are_nearly_the_same_in_mixed_precision(self, teacher, noise_images):
        images = noise_images[:, :16, :16].astype(np.float32)
        exact, mixed = answers_of(self.PUPIL), answers_of(self.PUPIL, "mixed_bfloat16")
        (teaching,) = (layer for layer in mixed.layers if isinstance(layer, AtInference))
        assert {layer.compute_dtype for layer in teaching.network.layers} == {"bfloat16", "float32"}
        received = mixed(images)
        assert received.dtype == "float32"
        np.testing.assert_allclose(received.numpy(), exact(images).numpy(), rtol=0.05, atol=0.02)
        assert not np.array_equal(received.numpy(), exact(images).numpy())

    def test_several_answer_with_their_mean_logit_and_the_first_shows_its_maps(
        self, exported, monkeypatch, noise_images
    ):
        surer = dataclasses.replace(exported.card, temperature=exported.card.temperature / 3)
        exports = {"tiny": exported, "surer": dataclasses.replace(exported, card=surer)}
        monkeypatch.setattr("train.teacher.open_export", exports.get)
        images = noise_images[:, :16, :16].astype(np.float32)
        both = dataclasses.replace(self.PUPIL, teachers=("tiny", "surer"))
        expected, shown = answers_of(self.PUPIL, maps=("last_conv",))(images)
        answers, seen = answers_of(both, maps=("last_conv",))(images)
        np.testing.assert_allclose(answers.numpy(), 2 * expected.numpy(), rtol=1e-4)
        np.testing.assert_allclose(seen.numpy(), shown.numpy(), rtol=1e-5)
        np.testing.assert_allclose(answers_of(both)(images).numpy(), answers.numpy(), rtol=1e-5)

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"teachers": ()}, "Received: hints and no teacher"),
            ({"stages": (Stage("head", 1, 0.01, trainable="head"),)}, "no stage of the head alone"),
            ({"held_out": "series"}, "no teachers beside held_out"),
        ],
    )
    def test_what_cannot_be_taught_is_refused(self, changes, expected):
        hinted = dataclasses.replace(self.PUPIL, stages=(Stage("one", 1, 0.01, hints=(("a", "b"),)),))
        with pytest.raises(RecipeError, match=expected):
            dataclasses.replace(hinted, **changes)

    def test_a_copied_recipe_with_the_id_of_another_is_refused(self, monkeypatch):
        from train.recipes import cnn8

        copied = cnn8.recipe
        for quick in (False, True):
            monkeypatch.setattr(cnn8, "recipe", lambda quick: dataclasses.replace(copied(quick), id="cnn11"))
            with pytest.raises(RecipeError, match="Expected the id 'cnn8' in the recipe"):
                load_recipe("cnn8", quick)

    def test_a_recipe_file_that_is_none_is_named(self, monkeypatch):
        from train.recipes import cnn8

        full = cnn8.recipe()
        monkeypatch.setattr(cnn8, "recipe", lambda quick: dataclasses.replace(full, collection="chest_xrays"))
        with pytest.raises(RecipeError, match=r"cnn8: expected one of the collections .*'chest_xrays'"):
            load_recipe("cnn8")
        monkeypatch.delattr(cnn8, "recipe")
        with pytest.raises(RecipeError, match=r"cnn8\.py: expected a function recipe"):
            load_recipe("cnn8")

    @pytest.mark.parametrize("change", [{"seed": 99}, {"validation_share": 0.5}, {"random_test_share": 0.25}])
    def test_one_that_learnt_from_other_images_is_refused_before_any_is_read(self, teacher, tmp_path, change):
        with (
            patch("train.fit.development_sets", side_effect=AssertionError),
            pytest.raises(RecipeError, match=r"the teacher tiny, which may have learnt from \d+ others"),
        ):
            fit(dataclasses.replace(self.PUPIL, **change), tmp_path / "run")

    def test_one_that_held_out_more_may_teach(self, run, teacher):
        rows = teacher.predictions("blobs-validation")
        refuse_leaks(self.PUPIL)
        write_predictions(rows[1:], teacher.predictions_path("blobs-validation"))
        with pytest.raises(RecipeError, match=f"learnt from 1 others, {rows['image_id'][0]} among them"):
            refuse_leaks(self.PUPIL)
        more = rows[:1].assign(image_id=json.loads((run / "split.json").read_text())["training"][0])
        write_predictions(pd.concat([rows, more]), teacher.predictions_path("blobs-validation"))
        refuse_leaks(self.PUPIL)

    def test_on_a_copy_that_lacks_images_the_same_settings_are_another_split(self, teacher, tmp_path, monkeypatch):
        fewer = [entry for entry in tiny_training.Blobs().entries() if entry.split != "val"]
        monkeypatch.setattr(tiny_training.Blobs, "entries", lambda *_: tuple(fewer))
        onward = dataclasses.replace(RECIPE, id="onward", starting_weights="network")
        for recipe, weights in ((self.PUPIL, None), (onward, str(teacher.model_path))):
            with pytest.raises(RecipeError, match=r"learnt from \d+ others, .* the same copy of the films"):
                fit(recipe, tmp_path / "run", weights)
        assert not (tmp_path / "run").exists()

    def test_one_whose_random_share_has_no_rows_yet_does_not_tell(self, teacher, monkeypatch):
        settings = {**teacher.card.recipe, "random_test_share": 0.25}
        export = dataclasses.replace(teacher, card=dataclasses.replace(teacher.card, recipe=settings))
        monkeypatch.setattr("train.leaks.open_export", lambda model_id: export)
        with pytest.raises(RecipeError, match=r"`export` and `evaluate` write\. Received: no blobs-random25\.csv"):
            refuse_leaks(self.PUPIL)


class TestCalibration:
    def test_calibration_undoes_a_stretch_and_a_shift(self):
        rng = np.random.default_rng(0)
        true_logits = rng.normal(0, 2, 50_000)
        labels = rng.random(50_000) < 1 / (1 + np.exp(-true_logits))
        temperature, offset = fit_calibration(true_logits * 3 - 1.5, labels)
        assert temperature == pytest.approx(3, rel=0.03)
        assert offset == pytest.approx(1.5, abs=0.1)

    def test_separated_classes_give_a_finite_calibration(self):
        temperature, offset = fit_calibration(np.array([-4.0, -3.0, 5.0, 6.0]), np.array([0, 0, 1, 1]))
        assert 0.05 <= temperature <= 20
        assert np.isfinite(offset)


class TestCompact:
    @pytest.mark.parametrize("bits", [1, 7, 10, 23])
    def test_rounding_keeps_the_bits_asked_for(self, bits):
        values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
        rounded = round_mantissa(values, bits)
        assert np.abs(rounded / values - 1).max() <= 2.0 ** -(bits + 1) * 1.0001
        assert not (rounded.view(np.uint32) & np.uint32((1 << (23 - bits)) - 1)).any()

    def test_what_takes_minutes_on_a_large_network_has_a_bar(self, run, tmp_path, capsys):
        export(RECIPE, run, tmp_path)
        head = dataclasses.replace(RECIPE, stages=(Stage("head", 1, 0.01, trainable="head"),))
        fit(head, tmp_path / "head")
        printed = capsys.readouterr().err
        for what in ("as trained", "rounded", "heatmaps", "features"):
            assert f"tiny, {what}: 100%" in printed

    def test_compressed_archive_loads_to_the_same_weights_and_is_smaller(self, tmp_path):
        network = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Conv2D(64, 5), keras.layers.Conv2D(64, 5)])
        network.set_weights([round_mantissa(weight, 7) for weight in network.get_weights()])
        network.save(tmp_path / "m.keras")
        before = (tmp_path / "m.keras").stat().st_size
        compress(tmp_path / "m.keras")
        assert (tmp_path / "m.keras").stat().st_size < 0.6 * before
        for expected, received in zip(network.get_weights(), weights_of(tmp_path / "m.keras"), strict=True):
            np.testing.assert_array_equal(received, expected)


class TestExport:
    def test_everything_is_chosen_on_validation_and_repeats_from_the_stored_rows(self, exported):
        card = exported.card
        rows = exported.predictions("blobs-validation")
        assert exported.prediction_sets() == ("blobs-validation",)
        assert card.threshold.chosen_on == "blobs-validation"
        assert card.data.test_read == ()
        assert card.metrics["blobs-validation"] == evaluation.summarise(rows, card.threshold.value)
        sensitivity = (rows["probability"][rows["label"] == 1] >= card.threshold.value).mean()
        assert sensitivity >= RECIPE.target_sensitivity
        assert card.data.counts["validation"]["images"] == len(rows)

    @pytest.mark.parametrize("below", [0.9999994, 0.9999996])
    def test_the_threshold_parts_scores_that_six_decimals_do_not(self, below):
        rows = pd.DataFrame({"label": [0, 0, 1, 1], "probability": [0.2, below, below + 1e-7, 1.0]})
        threshold = operating_point(rows, 1.0, "blobs-validation").value
        assert (rows["probability"] >= threshold).tolist() == [False, False, True, True]

    def test_calibration_undoes_what_rounding_moved(self, run, exported, tmp_path):
        coarse = export(dataclasses.replace(RECIPE, mantissa_bits=1), run, tmp_path)
        for one in (coarse, exported):
            rows = one.predictions("blobs-validation")
            temperature, offset = fit_calibration(logit(rows["probability"].to_numpy()), rows["label"].to_numpy())
            assert temperature == pytest.approx(1, abs=0.01)
            assert offset == pytest.approx(0, abs=0.01)

    def test_the_shift_is_from_the_unrounded_network(self, run, tmp_path):
        """Of random weights, which rounding changes more than trained ones."""
        folder = shutil.copytree(run, tmp_path / "run")
        network = keras.models.load_model(folder / "trained.keras", compile=False)
        rng = np.random.default_rng(1)
        drawn = [rng.normal(size=weight.shape) for weight in network.get_weights()]
        # A variance is not negative.
        network.set_weights([np.abs(weight) if weight.ndim == 1 else weight for weight in drawn])
        network.save(folder / "trained.keras")
        coarse = export(dataclasses.replace(RECIPE, mantissa_bits=1), folder, tmp_path)
        rows, blobs = coarse.predictions("blobs-validation"), tiny_training.Blobs()
        films = [model_input(blobs.load(image_id).pixels, RECIPE.side, 1) for image_id in rows["image_id"]]
        before = roc_auc_score(rows["label"], network.predict(np.array(films), verbose=0)[:, 0])
        shift = roc_auc_score(rows["label"], rows["probability"]) - before
        assert abs(shift) > 0.01
        assert coarse.card.weights.auroc_shift == pytest.approx(shift, abs=1e-5)

    def test_rows_are_what_the_engine_says_in_the_app(self, exported):
        engine = Engine(exported)
        rows = exported.predictions("blobs-validation").head(4)
        pixels = [tiny_training.Blobs().load(image_id).pixels for image_id in rows["image_id"]]
        np.testing.assert_allclose(list(engine.probabilities(pixels)), rows["probability"], atol=2e-6)

    def test_evaluate_adds_the_test_rows_and_notes_the_reading(self, exported):
        summary = evaluate(exported, "blobs")["blobs-test"]
        card = open_export("tiny", exported.folder.parent).card
        rows = exported.predictions("blobs-test")
        assert len(rows) == 20
        assert card.metrics["blobs-test"] == summary == evaluation.summarise(rows, card.threshold.value)
        assert summary["auroc"][0] == pytest.approx(roc_auc_score(rows["label"], rows["probability"]), abs=1e-4)
        assert len(card.data.test_read) == 1
        assert card.threshold == exported.card.threshold

    def test_an_export_shows_what_the_network_saw(self, exported):
        picture = cv2.imread(str(exported.folder / samples.FILE))
        assert picture.shape == (2 * RECIPE.side, (1 + samples.DRAWS) * RECIPE.side, 3)

    def test_its_history_can_be_read_and_its_schedule_drawn(self, exported):
        """The schedule of the card's recipe passes through the rates that Keras's optimiser really had."""
        card = exported.card
        history = read_history(exported.folder / "history.csv", card.training.epochs)
        drawn = schedule(history, card.recipe, card.data.counts["training"]["images"])
        ends = drawn[drawn["epochs"].isin(history["epoch"])].drop_duplicates("epochs")
        np.testing.assert_allclose(ends["learning_rate"], history["learning_rate"], atol=1e-6)
        assert drawn.groupby("stage")["learning_rate"].max().tolist() == pytest.approx([0.02, 0.01], rel=0.02)
        assert drawn["epochs"].iloc[[0, -1]].tolist() == [0, 5]

    def test_an_unfinished_run_is_refused(self, tmp_path):
        with pytest.raises(ExportError, match="`fit` first"):
            export(RECIPE, tmp_path / "nothing", tmp_path / "exports")

    def test_on_a_copy_that_lacks_images_of_the_run_the_earlier_export_stays(self, run, exported, monkeypatch):
        everything = tiny_training.Blobs().entries()
        lost = json.loads((run / "split.json").read_text())["validation"][0]
        monkeypatch.setattr(tiny_training.Blobs, "entries", lambda *_: tuple(e for e in everything if e.id != lost))
        with pytest.raises(CollectionUnavailable, match=f"lists .* 1 of them missing, {lost} among them"):
            export(RECIPE, run, exported.folder.parent)
        assert [path.name for path in exported.folder.parent.iterdir()] == ["tiny"]


class TestSamples:
    def test_a_row_is_a_phantom_and_draws_that_all_differ(self):
        phantoms = open_collection("phantom")
        first = next(entry for entry in phantoms.entries("train") if not entry.label)
        rows = np.split(samples.sample_grid(RECIPE), 2)
        cells = [cell for row in rows for cell in np.split(row, 1 + samples.DRAWS, axis=1)]
        np.testing.assert_array_equal(cells[0][:, :, :1], model_input(phantoms.load(first.id).pixels, RECIPE.side, 1))
        assert len({cell.tobytes() for cell in cells}) == len(cells)

    def test_they_repeat_and_a_large_input_is_shown_small(self, tmp_path):
        large = dataclasses.replace(RECIPE, side=160, channels=3)
        grid = samples.sample_grid(large)
        assert grid.shape == (2 * samples.LARGEST, 7 * samples.LARGEST, 3)
        np.testing.assert_array_equal(samples.sample_grid(large), grid)
        assert samples.write_samples(large, tmp_path).stat().st_size < 60_000

    def test_a_recipe_that_changes_nothing_leaves_no_picture(self, tmp_path):
        samples.write_samples(RECIPE, tmp_path)
        assert samples.write_samples(dataclasses.replace(RECIPE, augmentation=Augmentation()), tmp_path) is None
        assert not list(tmp_path.iterdir())


class TestCommands:
    def test_help_lists_the_commands(self, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(["--help"])
        assert stopped.value.code == 0
        printed = capsys.readouterr().out
        assert all(command in printed for command in ("fit", "export", "evaluate", "list", "compare", "download"))

    def test_expected_errors_are_one_sentence(self, capsys):
        assert main(["fit", "resnet9000"]) == 2
        assert capsys.readouterr().err.startswith("error: Expected one of the recipes ")
        assert main(["evaluate", "resnet9000"]) == 2
        assert "resnet9000" in capsys.readouterr().err

    def test_missing_data_is_said_before_anything_is_trained(self, capsys, tmp_path):
        assert main(["fit", "cnn11", "--run", str(tmp_path / "run")]) == 2
        assert "LUNGLENS_DATA" in capsys.readouterr().err

    def test_samples_are_drawn_anew_for_an_export_and_only_by_its_own_recipe(self, exported, capsys, monkeypatch):
        picture = exported.folder / samples.FILE
        before = picture.read_bytes()
        picture.unlink()
        monkeypatch.setattr("train.__main__.scan", lambda: ({"tiny": exported}, {}))
        monkeypatch.setattr("train.__main__.open_export", lambda model_id: exported)
        monkeypatch.setattr("train.recipe.load_recipe", lambda model_id: RECIPE)
        assert main(["samples"]) == 0
        assert picture.read_bytes() == before

        other = dataclasses.replace(RECIPE, augmentation=dataclasses.replace(RECIPE.augmentation, rotation=90))
        monkeypatch.setattr("train.recipe.load_recipe", lambda model_id: other)
        assert main(["samples", "tiny"]) == 2
        assert "another rotation" in capsys.readouterr().err
        assert picture.read_bytes() == before

    def test_compare_names_a_protocol_that_it_does_not_have(self, capsys, monkeypatch):
        reference = Reference("A paper", {"accuracy": 0.9}, "ten folds")
        monkeypatch.setattr("train.recipe.recipe_ids", lambda: ("tiny",))
        monkeypatch.setattr("train.recipe.load_recipe", lambda _: dataclasses.replace(RECIPE, reference=reference))
        assert main(["compare"]) == 2
        assert "Received: 'ten folds'" in capsys.readouterr().err

    def test_list_names_every_recipe(self, capsys):
        assert main(["list"]) == 0
        printed = capsys.readouterr().out
        assert all(model_id in printed for model_id in recipe_ids())


@lru_cache(maxsize=2)
def built(build: Callable, *settings: tuple[str, object]) -> keras.Model:
    """The network of a recipe's `build`, kept, full and quick, for the next recipe, which often has the same."""
    return build(**dict(settings))


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("model_id", recipe_ids())
def test_every_recipe_builds_what_it_describes(model_id, quick):
    recipe = load_recipe(model_id, quick)
    build = recipe.build
    network = built(build.func, *sorted(build.keywords.items())) if isinstance(build, partial) else built(build)
    assert recipe.id == model_id
    assert network.input_shape == (None, recipe.side, recipe.side, recipe.channels)
    assert network.output_shape == (None, 1)
    assert len(network.get_layer(recipe.heatmap_layer).output.shape) == 4
    if recipe.sides:
        finished = at_sides(network, recipe.sides, recipe.heatmap_layer)
        assert finished.input_shape == (None, recipe.input_side, recipe.input_side, recipe.channels)
        assert [weight.shape for weight in finished.weights] == [weight.shape for weight in network.weights]
    assert recipe.collection == "phantom" or not quick


def test_an_unknown_recipe_is_named():
    with pytest.raises(RecipeError, match="Received: 'nothing'"):
        load_recipe("nothing")


def test_cnn11_has_eleven_weight_layers():
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    assert sum(isinstance(layer, kinds) for layer in load_recipe("cnn11").build().layers) == 11


def test_every_network_has_a_recipe():
    assert set(networks(scan()[0])) <= set(recipe_ids())
