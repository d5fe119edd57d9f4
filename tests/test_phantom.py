"""The phantoms: the same bytes for the same parameters, and a ground truth that is true."""

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest

from cases.collections.base import LABEL_NAMES
from cases.collections.phantom import SIZES, PhantomCollection
from cases.phantom import FINDINGS, LOBES, OPACITY_THRESHOLD, Phantom, PhantomParameters, generate
from cases.radiograph import Radiograph

ABNORMAL = FINDINGS[1:]
CHECKSUMS = {
    PhantomParameters(0): "39a14c7a89006356",
    PhantomParameters(1, "lobar", "right", "middle", 0.5, 0.8): "4ed21079f1ae1377",
    PhantomParameters(2, "bronchopneumonia", size=96): "564ea64006584e5a",
    PhantomParameters(3, "interstitial", size=400): "7897eec58a564f49",
}


def difference(phantom: Phantom) -> np.ndarray:
    """Gray levels the finding added, against the normal twin, the same film without it."""
    twin = generate(replace(phantom.parameters, finding="none"))
    return phantom.pixels.astype(int) - twin.pixels


@pytest.mark.parametrize("parameters", CHECKSUMS, ids=str)
def test_bytes_are_the_stored_ones(parameters):
    phantom = generate(parameters)
    digest = hashlib.sha256()
    for array in (phantom.pixels, phantom.lung_fields, phantom.opacity):
        digest.update(np.ascontiguousarray(array).tobytes())
    assert digest.hexdigest()[:16] == CHECKSUMS[parameters]


def test_same_parameters_give_the_same_bytes_and_other_seeds_do_not():
    first, again, other = (generate(PhantomParameters(seed, "lobar")) for seed in (3, 3, 4))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.opacity, again.opacity)
    assert not np.array_equal(first.pixels, other.pixels)


def test_resolved_parameters_reproduce_the_phantom():
    phantom = generate(PhantomParameters(12, "lobar"))
    assert None not in vars(phantom.parameters).values()
    assert np.array_equal(generate(phantom.parameters).pixels, phantom.pixels)
    assert phantom.parameters.resolved() == phantom.parameters


@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize("size", [64, 224, 500, 1024])
def test_contract_at_every_size(finding, size):
    phantom = generate(PhantomParameters(21, finding, size=size))
    assert isinstance(phantom, Radiograph)
    assert phantom.synthetic
    assert any("ynthetic" in note for note in phantom.notes)
    assert phantom.pixels.shape == phantom.lung_fields.shape == phantom.opacity.shape == (size, size)
    assert (phantom.pixels.dtype, phantom.lung_fields.dtype, phantom.opacity.dtype) == (np.uint8, np.uint8, bool)
    for array in (phantom.pixels, phantom.lung_fields, phantom.opacity):
        assert not array.flags.writeable
    assert phantom.opacity.any() == (finding != "none")
    assert not phantom.opacity[phantom.lung_fields == 0].any()
    assert phantom.pixels.std() > 30


@pytest.mark.parametrize("seed", range(8))
def test_lungs_are_two_of_plausible_size_right_one_on_the_image_left(seed):
    fields = generate(PhantomParameters(seed)).lung_fields
    right, left = ((fields == label) for label in (1, 2))
    assert np.nonzero(right)[1].mean() < np.nonzero(left)[1].mean()
    for lung in (right, left):
        assert 0.06 < lung.mean() < 0.3
        assert cv2.connectedComponents(lung.astype(np.uint8))[0] == 2


@pytest.mark.parametrize("finding", ABNORMAL)
@pytest.mark.parametrize(("side", "label"), [("right", 1), ("left", 2)])
def test_finding_stays_on_its_side(finding, side, label):
    phantom = generate(PhantomParameters(5, finding, side=side))
    assert phantom.opacity.any()
    assert (phantom.lung_fields[phantom.opacity] == label).all()


@pytest.mark.parametrize("finding", ABNORMAL)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_opacity_is_where_the_normal_twin_differs(finding, seed):
    phantom = generate(PhantomParameters(seed, finding))
    added = difference(phantom)
    inside, outside = added[phantom.opacity], added[~phantom.opacity]
    white = phantom.pixels[phantom.opacity] == 255
    assert (inside[~white] >= OPACITY_THRESHOLD - 1).all()
    assert (np.abs(outside) <= OPACITY_THRESHOLD + 1).all()


def test_lobes_lie_where_they_should():
    rows = {lobe: np.nonzero(generate(PhantomParameters(8, "lobar", "right", lobe, 0.8, 0.8)).opacity)[0].mean()
            for lobe in LOBES}  # fmt: skip
    assert rows["upper"] < rows["middle"]
    assert rows["upper"] < rows["lower"]


def test_extent_and_density_grow_the_opacity():
    small, large = (generate(PhantomParameters(9, "lobar", "left", "lower", extent, 0.7)) for extent in (0.1, 1.0))
    assert 0 < small.opacity.sum() < 0.6 * large.opacity.sum()
    faint, dense = (generate(PhantomParameters(9, "lobar", "left", "lower", 0.6, density)) for density in (0.1, 0.9))
    both = faint.opacity & dense.opacity
    assert difference(dense)[both].mean() > 2 * difference(faint)[both].mean() > 0


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"seed": -1}, "-1"),
        ({"seed": 1.5}, "1.5"),
        ({"seed": 2**63}, str(2**63)),
        ({"finding": "cold"}, "'cold'"),
        ({"side": "up"}, "'up'"),
        ({"lobe": "frontal"}, "'frontal'"),
        ({"extent": 1.1}, "1.1"),
        ({"density": "dense"}, "'dense'"),
        ({"density": float("nan")}, "nan"),
        ({"size": 63}, "63"),
        ({"size": 2000}, "2000"),
        ({"rotation": 45}, "45"),
        ({"exposure": -2}, "-2"),
        ({"marker": "Q"}, "'Q'"),
        ({"context": 2}, "2"),
        ({"finding": "lobar", "side": "left", "lobe": "middle"}, "'left'"),
    ],
)
def test_bad_parameters_are_refused_in_words(changes, received):
    with pytest.raises(ValueError, match="Received: ") as caught:
        PhantomParameters(**{"seed": 0} | changes)
    assert received in str(caught.value).split("Received: ")[1]


def test_context_changes_the_film_but_adds_no_opacity():
    healthy, ill = (generate(PhantomParameters(4, context=context)) for context in (0.0, 1.0))
    assert not ill.opacity.any()
    assert not np.array_equal(healthy.lung_fields, ill.lung_fields)
    assert (PhantomParameters(4).resolved().context, PhantomParameters(4, "lobar").resolved().context) == (0.0, 1.0)


def test_middle_lobe_draws_the_right_lung():
    assert {PhantomParameters(seed, "lobar", lobe="middle").resolved().side for seed in range(12)} == {"right"}


class TestCollection:
    collection = PhantomCollection()

    def test_splits_are_half_normal_and_share_no_patient(self):
        everything = self.collection.entries()
        assert len({entry.id for entry in everything}) == len(everything) == sum(SIZES.values())
        assert len({entry.patient_id for entry in everything}) == len(everything)
        for split, size in SIZES.items():
            entries = self.collection.entries(split)
            assert len(entries) == size
            assert sum(entry.label for entry in entries) == size // 2
            assert {entry.subtype for entry in entries} == {None, *ABNORMAL}
            assert all(LABEL_NAMES[entry.label] == ("pneumonia" if entry.subtype else "normal") for entry in entries)

    def test_load_follows_the_entry_and_repeats(self):
        for entry in self.collection.entries("test")[:6]:
            phantom = self.collection.load(entry.id)
            assert phantom.source == f"phantom {entry.id}"
            assert phantom.parameters.finding == (entry.subtype or "none")
            assert phantom.opacity.any() == bool(entry.label)
            assert np.array_equal(phantom.pixels, generate(phantom.parameters).pixels)

    @pytest.mark.parametrize("image_id", ["test/0007-none", "test/9999-lobar", "", "phantom"])
    def test_unknown_ids_raise_key_error(self, image_id):
        with pytest.raises(KeyError):
            self.collection.load(image_id)
