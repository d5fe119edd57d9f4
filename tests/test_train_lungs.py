"""Training the lung-field network and auditing heatmaps, small, on phantoms."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cases.collections import phantom
from cases.collections.base import CollectionUnavailable
from cases.phantom import PhantomParameters, generate
from model_zoo import looking
from model_zoo.engine import Engine
from model_zoo.lungs.regions import lung_fields
from model_zoo.lungs.rows import read_rows
from model_zoo.lungs.segmenter import LungSegmenter
from model_zoo.registry import ExportError
from train.audit import audit_gradcam
from train.lungs import data
from train.lungs.export import _gate, evaluate, export
from train.lungs.fit import WIDE_AUGMENTATION, Settings, Stage, _trainer, fit
from train.lungs.network import lung_network
from train.lungs.not_chests import MAKERS

TINY = Settings(
    side=32,
    widths=(4, 8),
    stages=(Stage("first", 1, 1e-3, WIDE_AUGMENTATION), Stage("second", 1, 1e-3, WIDE_AUGMENTATION)),
    collection="phantom",
    batch_size=8,
)


@pytest.fixture(scope="module")
def run(few_phantoms, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lungs")
    fit(TINY, folder)
    return folder


def test_the_network_gives_a_logit_per_pixel():
    network = lung_network(32, (4, 8))
    assert network.output_shape == (None, 32, 32, 1)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_what_is_no_chest_is_an_image_other_than_the_film(maker):
    film = generate(PhantomParameters(1)).pixels
    made = maker(np.random.default_rng(0), film)
    assert made.dtype == np.uint8
    assert made.shape == film.shape
    assert not np.array_equal(made, film)


def test_a_run_becomes_an_export_that_is_measured(run, few_phantoms, tmp_path):
    card = export(run, tmp_path / "export")
    assert card.gate.chosen_on == "phantom-validation"
    assert "phantom-test" not in card.metrics
    card = evaluate(tmp_path / "export", "phantom")
    assert len(read_rows("phantom-test", tmp_path / "export")) == 6
    assert card.metrics.keys() == {"phantom-validation", "phantom-test"}
    probabilities = LungSegmenter(tmp_path / "export").probabilities(np.zeros((2, 32, 32, 1), np.uint8))
    assert probabilities.shape == (2, 32, 32)


def test_the_gate_s_share_is_of_what_lung_fields_compares_with_it(phantoms):
    """Two lungs of 18% of the image together, and a fragment that lung_fields drops."""
    probability = np.full((60, 60), 0.01)
    probability[12:48, 6:15] = probability[12:48, 45:54] = probability[0, :10] = 0.99
    segmenter = SimpleNamespace(input=lambda pixels: pixels, probabilities=lambda images: probability[np.newaxis])
    limits = _gate(segmenter, phantoms, phantoms.entries("test")[:2], "phantom-validation")
    assert limits.smallest_share == pytest.approx(0.18)
    assert lung_fields(probability, limits.smallest_share, limits.lowest_confidence) is not None


def test_each_film_is_looked_at_once(run, few_phantoms, tmp_path, monkeypatch):
    export(run, tmp_path / "export")
    looked, look = [], LungSegmenter.look
    monkeypatch.setattr(LungSegmenter, "look", lambda self, images: looked.append(len(images)) or look(self, images))
    evaluate(tmp_path / "export", "phantom")
    assert looked == [1] * 6


def test_a_finished_run_is_not_fitted_again(run):
    before = (run / "trained.keras").stat().st_mtime_ns
    fit(TINY, run)
    assert (run / "trained.keras").stat().st_mtime_ns == before


def test_an_unfinished_run_is_not_exported(tmp_path):
    with pytest.raises(ExportError, match=r"no trained\.keras"):
        export(tmp_path, tmp_path / "export")


def test_a_run_is_not_exported_without_the_images_that_it_held_out(run, few_phantoms, tmp_path, monkeypatch):
    monkeypatch.setattr(phantom.PhantomCollection, "entries", lambda *_: ())
    with pytest.raises(CollectionUnavailable, match=r"lists in its split\.json"):
        export(run, tmp_path / "export")
    assert not list(tmp_path.iterdir())


def test_missing_masks_name_the_setting():
    with pytest.raises(CollectionUnavailable, match="LUNGLENS_DATA"):
        data.masks_root()


def test_image_and_mask_are_changed_together(few_phantoms):
    film = np.zeros((4, 32, 32, 2), np.float32)
    film[:, 8:24, 6:14] = 255
    output = _trainer(lung_network(32, (4, 8)), WIDE_AUGMENTATION, 0)(film, training=True).numpy()
    mask = output[..., 1]
    assert not np.allclose(mask, film[..., 1] / 255)
    assert 0 <= mask.min() < mask.max() <= 1.001


def test_an_audit_measures_every_ill_phantom(few_phantoms, tiny_export):
    rows = audit_gradcam(tiny_export, "phantom-test")
    assert len(rows) == 3
    pd.testing.assert_frame_equal(looking.read_looking(tiny_export, "phantom-test"), rows, check_dtype=False)
    collection = phantom.PhantomCollection()
    engine = Engine(tiny_export)
    for row in rows.itertuples():
        made = collection.load(row.image_id)
        heatmap = engine.explain(engine.input(made.pixels)[np.newaxis])[0].evidence("pneumonia")
        expected = looking.measure(heatmap, made.lung_fields > 0, made.opacity)
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(row, name), value, atol=1e-5)


def test_an_empty_map_has_no_figures_and_a_map_in_the_opacity_points_at_it():
    lungs, opacity = np.zeros((2, 20, 20), bool)
    lungs[5:15, 2:9] = opacity[6:9, 3:7] = True
    assert all(np.isnan(value) for value in looking.measure(np.zeros((4, 4)), lungs, opacity).values())
    inside = looking.measure(opacity.astype(float), lungs, opacity)
    assert inside == {"in_lungs": 1, "in_opacity": 1, "pointing": 1}
    outside = looking.measure((~lungs).astype(float), lungs, opacity)
    assert outside == {"in_lungs": 0, "in_opacity": 0, "pointing": 0}
    assert np.isnan(looking.measure(np.ones((4, 4)), lungs, None)["pointing"])


def test_the_blind_gaussian_is_highest_in_the_middle():
    blind = looking.centre(21, 31)
    assert np.unravel_index(blind.argmax(), blind.shape) == (10, 15)
    assert blind.min() > 0
