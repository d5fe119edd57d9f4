"""What is measured of explanations, on maps whose figures are known, and the audit of a tiny model on phantoms."""

import dataclasses
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cases.collections import phantom
from cases.collections.base import Entry
from model_zoo import audit, deletion, looking
from model_zoo.engine import Engine
from model_zoo.intervals import clustered_mean
from model_zoo.likeness import exposed, likeness, likeness_when_moved, moved
from model_zoo.methods import TITLES
from model_zoo.registry import ExportError
from train import __main__ as command
from train.audit import audit_gradcam
from train.audit_methods import audit_methods, best_pointing, coverage, randomise, sample

SIDE = 2 * deletion.CELLS
NAME = "phantom-test"


@pytest.fixture
def few_phantoms(monkeypatch):
    monkeypatch.setattr(phantom, "SIZES", {"train": 2, "val": 2, "test": 8})


@pytest.fixture
def tiny(tiny_export, tmp_path):
    """The tiny export in a folder of its own, which an audit may write to."""
    folder = shutil.copytree(tiny_export.folder, tmp_path / "tiny")
    return dataclasses.replace(tiny_export, folder=folder)


@pytest.fixture
def bright_top() -> tuple[np.ndarray, np.ndarray]:
    """A film whose upper sixth is white, one step of the curves, and that part as a mask."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[: SIDE // deletion.STEPS] = True
    return np.repeat(255.0 * mask[..., np.newaxis], 3, axis=-1), mask


def share_of_white(mask: np.ndarray):
    """A model that answers with the share of a part that is white."""
    return lambda images: (np.asarray(images)[:, mask, 0] > 254).mean(axis=1)


def test_a_map_of_what_the_model_needs_has_the_best_curves(bright_top):
    film, mask = bright_top
    (deleted, inserted), (worst_deleted, worst_inserted) = deletion.areas(
        share_of_white(mask), film, [mask.astype(float), (~mask).astype(float)], seed=0
    )
    # The answer is gone, or back, after the first of six steps; or after the last.
    assert (deleted, inserted) == pytest.approx((1 / 12, 11 / 12))
    assert (worst_deleted, worst_inserted) == pytest.approx((11 / 12, 1 / 12))


def test_a_coarse_map_is_asked_like_a_fine_one(bright_top):
    film, mask = bright_top
    rows = np.linspace(1, 0, 6)[:, np.newaxis].repeat(6, axis=1)
    assert deletion.areas(share_of_white(mask), film, [rows], seed=0)[0][0] == pytest.approx(1 / 12)


def test_an_empty_map_has_no_curves_and_does_not_disturb_the_others(bright_top):
    film, mask = bright_top
    empty, full = deletion.areas(share_of_white(mask), film, [np.zeros((3, 3)), mask.astype(float)], seed=0)
    assert np.isnan(empty).all()
    assert full == pytest.approx((1 / 12, 11 / 12))


def test_equal_cells_come_in_an_order_that_the_seed_draws(bright_top):
    film, mask = bright_top

    def area(seed: int) -> float:
        return deletion.areas(share_of_white(mask), film, [np.ones((2, 2))], seed)[0][0]

    assert area(0) == area(0)
    assert len({area(seed) for seed in range(5)}) > 1
    assert np.mean([area(seed) for seed in range(20)]) == pytest.approx(0.5, abs=0.05)


def test_likeness_is_of_ranks():
    heatmap = np.random.default_rng(0).random((9, 7))
    assert likeness(heatmap, heatmap) == pytest.approx(1)
    assert likeness(heatmap, np.exp(5 * heatmap)) == pytest.approx(1)
    assert likeness(heatmap, -heatmap) == pytest.approx(-1)
    assert abs(likeness(heatmap, np.random.default_rng(1).random((9, 7)))) < 0.5
    assert np.isnan(likeness(heatmap, np.zeros((9, 7))))
    with pytest.raises(ValueError, match=r"Received: \(9, 7\) and \(7, 9\)"):
        likeness(heatmap, heatmap.T)


@pytest.mark.parametrize(("down", "right"), [(2, 3), (-2, 3), (2, -1), (-1, -1)])
def test_a_map_that_moves_with_the_film_is_stable_and_a_fixed_one_is_less_so(down, right):
    heatmap = np.random.default_rng(0).random((16, 20))
    assert likeness_when_moved(heatmap, moved(heatmap, down, right), down, right) == pytest.approx(1)
    assert likeness_when_moved(heatmap, heatmap, down, right) < 0.5
    assert moved(heatmap, down, right)[8, 10] == heatmap[8 - down, 10 - right]


def test_exposure_keeps_black_and_white():
    film = np.linspace(0, 255, 48, dtype=np.float32).reshape(4, 4, 3)
    np.testing.assert_allclose(exposed(film, 1), film, rtol=1e-6)
    darker = exposed(film, 2)
    assert (darker[0, 0, 0], darker[-1, -1, -1]) == (0, 255)
    assert (darker[film > 0] <= film[film > 0]).all()


def test_randomised_weights_are_the_same_numbers_in_other_places(tiny_export, noise_images):
    engine = Engine(tiny_export)
    before = engine.logits(noise_images)
    body = engine.network.get_layer("last_conv").get_weights()
    weights = [weight.copy() for layer in engine.head.layers for weight in layer.get_weights()]
    randomise(engine.head.layers, seed=1)
    after = [weight for layer in engine.head.layers for weight in layer.get_weights()]
    for old, new in zip(weights, after, strict=True):
        np.testing.assert_array_equal(np.sort(old, axis=None), np.sort(new, axis=None))
    np.testing.assert_array_equal(body[0], engine.network.get_layer("last_conv").get_weights()[0])
    assert not np.allclose(before, engine.logits(noise_images))


def test_the_sample_has_one_film_of_a_patient_and_a_smaller_one_begins_it():
    entries = [Entry(f"{n}", n % 4 > 0, None, f"p{n // 3}", "test") for n in range(60)]
    drawn = sample(entries, 100)
    assert {entry.patient_id for entry in drawn} == {entry.patient_id for entry in entries}
    assert len(drawn) == 20
    assert all(entry.label == 1 for entry in drawn)
    assert sample(entries, 5) == drawn[:5]
    assert drawn != sorted(drawn, key=lambda entry: int(entry.id))


def test_an_audit_measures_every_method_on_the_same_films(tiny, few_phantoms):
    rows = audit_methods(tiny, NAME, tuple(TITLES), 3)
    pd.testing.assert_frame_equal(audit.read_audit(tiny, NAME), rows, check_dtype=False)
    assert rows.groupby("image_id")["method"].agg(list).map(tuple).unique().tolist() == [
        (*TITLES, audit.CENTRE, audit.RANDOM)
    ]
    assert rows["image_id"].nunique() == rows["patient_id"].nunique() == 3
    by_method = {method: part.set_index("image_id") for method, part in rows.groupby("method")}
    # The rows of all films, which are measured apart, say the same of these.
    all_films = audit_gradcam(tiny, NAME).set_index("image_id").loc[by_method["gradcam"].index]
    columns = list(looking.MEASURES)
    pd.testing.assert_frame_equal(by_method["gradcam"][columns], all_films[columns], atol=1e-4)
    assert (by_method["centre"][["head_randomised", "all_randomised", "exposed"]] == 1).all(axis=None)
    assert by_method["centre"]["shifted"].between(0.8, 1, inclusive="left").all()
    checks = ["head_randomised", "all_randomised", "shifted", "exposed"]
    for slow in ("augmented", "occlusion", "random"):
        assert by_method[slow][checks].isna().all(axis=None)
    assert by_method["smoothgrad"]["all_randomised"].abs().max() < 0.9
    assert by_method["random"][["deletion", "insertion"]].notna().all(axis=None)


def test_an_audit_repeats(tiny, few_phantoms):
    quick = ("gradcam", "smoothgrad")
    first = audit_methods(tiny, NAME, quick, 2)
    pd.testing.assert_frame_equal(first, audit_methods(tiny, NAME, quick, 2))
    assert set(first["method"]) == {*quick, *audit.BLIND}


def test_methods_that_are_not_asked_for_keep_their_rows_while_the_films_are_the_same(tiny, few_phantoms):
    path = audit.rows_path(tiny, NAME)
    path.unlink(missing_ok=True)
    both = audit_methods(tiny, NAME, ("gradcam", "smoothgrad"), 2)
    path.unlink()
    first = audit_methods(tiny, NAME, ("smoothgrad",), 2)
    pd.testing.assert_frame_equal(audit_methods(tiny, NAME, ("gradcam",)), both, check_dtype=False)
    assert set(audit_methods(tiny, NAME, ("gradcam",), 3)["method"]) == {"gradcam", *audit.BLIND}
    path.write_text("damaged", encoding="utf-8")
    pd.testing.assert_frame_equal(audit_methods(tiny, NAME, ("smoothgrad",), 2), first)


def test_the_command_measures_only_what_has_no_rows(tiny, monkeypatch, capsys):
    asked = []

    def measured(export, name, *how):
        asked.append((name, *how))

    monkeypatch.setattr(command, "scan", lambda: ({"tiny": tiny}, {}))
    monkeypatch.setattr(command, "open_export", lambda model_id: tiny)
    monkeypatch.setattr("train.audit.audit_gradcam", measured)
    monkeypatch.setattr("train.audit_methods.audit_methods", measured)
    monkeypatch.setattr("train.audit.write_explanations", lambda *_: "")
    for path in (looking.rows_path(tiny, NAME), audit.rows_path(tiny, "chest_xray-test")):
        path.parent.mkdir(exist_ok=True)
        rows_of(HITS).to_csv(path, index=False)
    with pytest.raises(SystemExit):
        command.main(["audit", "--images", "0"])
    assert "above 0, received '0'" in capsys.readouterr().err
    assert command.main(["audit", "--images", "5", "--methods", "gradcam"]) == 0
    assert asked == [("chest_xray-test",), (NAME, ["gradcam"], 5)]
    asked.clear()
    command.main(["audit", "--methods", "layercam", "gradcam"])
    assert asked == [
        ("chest_xray-test",),
        ("chest_xray-test", ["layercam"], None),
        (NAME, ["layercam", "gradcam"], None),
    ]
    asked.clear()
    command.main(["audit", "tiny", "--again", "--methods", "layercam"])
    assert [call[0] for call in asked] == ["chest_xray-test", "chest_xray-test", NAME, NAME]
    asked.clear()
    command.main(["audit", "tiny", "--again", "--sets", NAME])
    assert [call[0] for call in asked] == [NAME, NAME]
    asked.clear()
    command.main(["audit", "--write-only"])
    assert asked == []


def rows_of(pointing: dict[str, list[float]]) -> pd.DataFrame:
    """Rows of one measure; the others hold the same number everywhere."""
    return pd.DataFrame(
        {
            "image_id": f"test/{n}",
            "patient_id": f"p{n}",
            "method": method,
            **dict.fromkeys(audit.MEASURES, 0.5),
            "pointing": value,
            "deletion": value,
        }
        for method, values in pointing.items()
        for n, value in enumerate(values)
    )


def test_a_method_is_compared_with_the_centre_prior_film_by_film():
    hits = {"gradcam": [1, 1, 1, 0] * 5, "layercam": [np.nan] * 20, "centre": [0, 0, 1, 0] * 5, "random": [0.3] * 20}
    rows = rows_of(hits)
    estimates = audit.estimates(rows, "pointing")
    assert list(estimates) == ["gradcam", "centre", "random"]
    assert estimates["gradcam"] == clustered_mean(rows["pointing"][:20], rows["patient_id"][:20])
    (method, better), *others = audit.beyond_centre(rows, "pointing").items()
    assert (method, others) == ("gradcam", [])
    assert better.value == pytest.approx(0.5)
    assert better.low > 0
    # Low is better there.
    assert audit.beyond_centre(rows, "deletion")["gradcam"].high < 0


def test_rows_that_cannot_be_used_are_named(tiny):
    with pytest.raises(ExportError, match="python -m train audit tiny"):
        audit.read_audit(tiny, NAME)
    path = audit.rows_path(tiny, NAME)
    path.parent.mkdir()
    rows_of({"gradcam": [1.0]}).drop(columns="insertion").to_csv(path, index=False)
    with pytest.raises(ExportError, match="without insertion"):
        audit.read_audit(tiny, NAME)
    rows = rows_of({"gradcam": [1.0, np.nan], "centre": [0.0, 1.0]})
    for damaged, message in (
        (rows[:0], "at least one row"),
        (rows[:2], "rows of the method centre"),
        (rows[:3], "expected every method on all 2 images. Received: gradcam 2, centre 1"),
        (pd.concat([rows, rows[1:2]]), "line 6, column method: expected no other row of the same image_id and method"),
        (rows.assign(deletion=2.0), "line 2, column deletion: expected a number from -1 to 1. Received: '2.0'"),
        (rows.assign(patient_id=""), "column patient_id: expected a name"),
    ):
        damaged.to_csv(path, index=False)
        with pytest.raises(ExportError, match=message):
            audit.read_audit(tiny, NAME)
    rows.to_csv(path, index=False)
    pd.testing.assert_frame_equal(audit.read_audit(tiny, NAME), rows)


def test_a_pointing_game_that_is_always_lost_has_the_exact_interval():
    found = audit.estimates(rows_of({"gradcam": [0.0] * 8, "centre": [0.5] * 8}), "pointing")
    assert (found["gradcam"].value, found["gradcam"].low) == (0, 0)
    assert found["gradcam"].high == pytest.approx(1 - 0.025 ** (1 / 8))


HITS = {"gradcam": [1, 0, 0, 0] * 5, "centre": [0] * 20, "random": [0.3] * 20}


def asked(model_id: str, is_committee: bool = False) -> SimpleNamespace:
    return SimpleNamespace(id=model_id, is_committee=is_committee)


@pytest.mark.parametrize(
    ("hits", "said"),
    [
        ([1, 1, 1, 1, 0] * 4, "That reaches the 0.80 that we wanted."),
        ([1, 1, 1, 0] * 5, "That falls 0.050 short of the 0.80 that we wanted."),
    ],
)
def test_the_best_pointing_game_is_named_with_what_it_was_picked_from(hits, said, monkeypatch):
    everywhere = pd.DataFrame({"patient_id": list("abcd"), "pointing": [1, 1, 0, np.nan]}).reindex(
        columns=looking.COLUMNS
    )
    monkeypatch.setattr(
        looking, "read_looking", lambda export, name: everywhere.fillna({"pointing": float(export.id == "one")})
    )
    found = {"one": rows_of(HITS), "two": rows_of({**HITS, "layercam": hits, "gradcam++": hits})}
    text = " ".join(best_pointing([asked("one"), asked("two")], found).split())
    best = audit.estimates(found["two"], "pointing")["layercam"]
    ahead = audit.beyond_centre(found["two"], "pointing")["layercam"]
    assert f"The best pointing game is {best}, of LayerCAM and Grad-CAM++ of `two` on 20 phantoms." in text
    assert "the best of 4 pairs" in text, "a blind map is no method"
    assert f"{said} Phantom by phantom it is {ahead} above the centre prior" in text
    assert "all 4 phantoms with pneumonia too; there the best of 2 models is `one` with 0.750" in text


def test_models_that_lack_methods_or_films_are_named():
    every = {**dict.fromkeys(TITLES, [1.0] * 3), "centre": [0] * 3}
    few = {name: values[:2] for name, values in every.items() if name not in ("scorecam", "occlusion")}
    found = {
        "chest_xray-test": {"one": rows_of(every), "two": rows_of(every), "three": rows_of(few)},
        NAME: {"one": rows_of(every), "two": rows_of(every), "three": rows_of(few)},
    }
    models = [asked(model_id) for model_id in ("one", "two", "three")]
    lines = coverage([*models, asked("all", is_committee=True)], found).splitlines()
    assert lines[0] == "- On 3 real films and 3 phantoms, every method: `one` and `two`."
    assert lines[1] == "- On 2 real films and 2 phantoms, without Score-CAM and Occlusion: `three`."
    assert "seconds for one map" in lines[2]
    assert lines[3].startswith("- Not measured: `all`, whose map is the mean of its members'")
    whole = {name: {"one": rows["one"]} for name, rows in found.items()}
    assert coverage(models[:1], whole) == "- On 3 real films and 3 phantoms, every method: `one`."
