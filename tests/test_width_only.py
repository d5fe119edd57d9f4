"""The baseline that sees no pixels: its fit on made-up films, folders that cannot tell sizes, and the pages with it."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_card
from PIL import Image
from scipy.special import logit
from streamlit.testing.v1 import AppTest

from cases.collections.base import CollectionUnavailable
from cases.collections.chest_xray import MANIFEST, MANIFEST_COLUMNS, ChestXrayCollection
from cases.phantom import PhantomParameters, generate
from cases.radiograph import RadiographError
from model_zoo.card import Data, write_card
from model_zoo.predictions import COLUMNS, write_predictions
from model_zoo.registry import Export, scan
from train.calibrate import fit_calibration
from train.data import development_entries, height_strata, without_unseen
from train.export import evaluate
from train.recipe import RecipeError
from train.width_only import export_width_only
from views.shared import cache

ROOT = Path(__file__).resolve().parent.parent


def name_of(label: str, i: int) -> str:
    return f"IM-{i:04d}-0001.png" if label == "NORMAL" else f"person{i}_virus_{i}.png"


def native_size(label: str, i: int) -> tuple[int, int]:
    """Normal films are wider; heights say nothing."""
    return (70 if label == "NORMAL" else 40) + i % 20, 40 + 7 * i % 11


@pytest.fixture
def films(tmp_path, monkeypatch) -> Path:
    """A chest_xray of 42 films of each class to learn from and 10 to test with, blank and of native_size()."""
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path))
    for split, count in (("train", 42), ("test", 10)):
        for label in ("NORMAL", "PNEUMONIA"):
            folder = tmp_path / "chest_xray" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                Image.new("L", native_size(label, i), 128).save(folder / name_of(label, i))
    return tmp_path / "chest_xray"


def resize(films: Path) -> None:
    for path in films.rglob("*.png"):
        Image.new("L", (32, 32), 128).save(path)


def write_manifest(films: Path, columns=MANIFEST_COLUMNS, unknown: int = 0) -> None:
    """Native sizes, but for the first `unknown` films of each class and split."""
    with (films / MANIFEST).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for path in films.rglob("*.png"):
            split, label, name = path.relative_to(films).parts
            i = int(name.removeprefix("IM-").removeprefix("person")[:4].split("_")[0])
            size = ("", "") if i < unknown else native_size(label, i)
            writer.writerow((split, label, name, *size)[: len(columns)])


def test_a_manifest_is_read_as_a_spreadsheet_saves_it_and_named_when_it_is_none(films):
    write_manifest(films)
    path = films / MANIFEST
    image_id, content = development_entries(ChestXrayCollection(films))[0].id, path.read_bytes()
    size = ChestXrayCollection(films).native_size(image_id)
    path.write_bytes(b"\xef\xbb\xbf" + content)
    assert ChestXrayCollection(films).native_size(image_id) == size
    for damaged, message in (
        (b"\xff\xfe" + content, "UTF-8 text"),
        (b"x" * 200_000 + b"\n", "larger than field limit"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(CollectionUnavailable, match=f"{MANIFEST}: .*{message}"):
            ChestXrayCollection(films).native_size(image_id)


def test_a_damaged_film_has_no_native_size_and_a_manifest_that_cannot_be_read_is_named(films, monkeypatch):
    collection = ChestXrayCollection(films)
    image_id = development_entries(collection)[0].id
    # A PNG whose header is too short.
    (films / image_id).write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\1IHDR\0" + bytes(9))
    with pytest.raises(RadiographError, match="expected an image"):
        collection.native_size(image_id)
    write_manifest(films)
    monkeypatch.setattr(Path, "open", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(CollectionUnavailable, match=f"{MANIFEST}: expected .*Permission denied"):
        ChestXrayCollection(films).native_size(image_id)


def test_films_whose_height_says_the_wrong_thing_are_kept_apart(films):
    write_manifest(films, unknown=4)
    collection = ChestXrayCollection(films)
    development = development_entries(collection)
    rest, unseen = without_unseen("size", collection, development)
    heights = [[collection.native_size(entry.id)[1] for entry in unseen if entry.label == label] for label in (0, 1)]
    assert heights[0]
    assert heights[1]
    assert max(heights[0]) < 44, "normals are the flattest"
    assert min(heights[1]) > 46, "pneumonias are the tallest"
    assert not {entry.id for entry in rest} & {entry.id for entry in unseen}
    assert len(rest) + len(unseen) == len(development)


def test_other_films_of_unseen_patients_are_left_out_and_a_quarter_of_the_patients_stays(films):
    """Each patient has a second film, of a height that says nothing."""
    for path in (films / "train").rglob("*.png"):
        Image.new("L", (60, 45), 128).save(path.with_name(path.name.replace(".png", "_again.png")))
    collection = ChestXrayCollection(films)
    development = development_entries(collection)
    rest, unseen = without_unseen("size", collection, development)
    heights = {entry: collection.native_size(entry.id)[1] for entry in development}
    misleading = {entry for entry, height in heights.items() if (height > 45 if entry.label else height < 45)}
    known = {entry.patient_id for entry in rest}
    assert len(known & {entry.patient_id for entry in misleading}) == len(misleading) // 4 > 0
    assert set(unseen) == {entry for entry in misleading if entry.patient_id not in known}
    assert set(rest) == {entry for entry in development if entry.patient_id in known}
    assert len(rest) + 2 * len(unseen) == len(development)


def test_strata_of_height_have_a_place_for_unknown_ones(films):
    write_manifest(films, unknown=3)
    collection = ChestXrayCollection(films)
    entries = development_entries(collection)
    strata = height_strata(collection, entries)
    heights = [(collection.native_size(entry.id) or (0, None))[1] for entry in entries]
    assert {height for height, stratum in zip(heights, strata, strict=True) if stratum == 10} == {None}
    known = [(height, stratum) for height, stratum in zip(heights, strata, strict=True) if height]
    assert [stratum for _, stratum in sorted(known)] == sorted(stratum for _, stratum in known)
    assert 5 < len({stratum for _, stratum in known}) <= 10


def test_width_separates_what_width_separates(films, tmp_path):
    export = export_width_only(tmp_path)
    card = scan(tmp_path)[0]["width-only"].card
    assert card == export.card
    assert not export.sees_pixels
    assert card.recipe["coefficients"]["log width"] < 0
    assert card.metrics["chest_xray-validation"]["auroc"][0] > 0.95
    assert card.limits[-1].startswith("Knows how the files")
    assert export.prediction_sets() == ("chest_xray-validation",)
    assert card.data.test_read == ()


def test_an_earlier_one_stays_until_the_new_one_is_whole(films, tmp_path, monkeypatch):
    folder = export_width_only(tmp_path / "exports").folder
    (folder / "predictions" / "chest_xray-test.csv").write_text("rows of evaluate")
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    monkeypatch.setattr("train.width_only.write_card", lambda *_: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        export_width_only(tmp_path / "exports")
    assert list((tmp_path / "exports").iterdir()) == [folder]
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")} == before


def test_calibrated_on_the_validation_films(films, tmp_path):
    rng = np.random.default_rng(0)
    for path in sorted(films.rglob("*.png")):
        width = rng.normal(60 if path.parent.name == "NORMAL" else 50, 12)
        Image.new("L", (round(width), 40), 128).save(path)
    rows = export_width_only(tmp_path).predictions("chest_xray-validation")
    temperature, offset = fit_calibration(logit(rows["probability"].to_numpy()), rows["label"].to_numpy())
    assert temperature == pytest.approx(1, abs=0.01)
    assert offset == pytest.approx(0, abs=0.01)


def test_only_evaluate_reads_the_test_split(films, tmp_path):
    for path in (films / "test").rglob("*.png"):
        path.write_bytes(b"not to be opened")
    export = export_width_only(tmp_path)
    with pytest.raises(RadiographError, match="expected an image"):
        evaluate(export, "chest_xray")
    for path in (films / "test").rglob("*.png"):
        Image.new("L", native_size(path.parent.name, len(path.name)), 128).save(path)
    assert list(evaluate(export, "chest_xray")) == ["chest_xray-test"]
    assert len(export.predictions("chest_xray-test")) == 20
    assert len(scan(tmp_path)[0]["width-only"].card.data.test_read) == 1


def test_no_pixel_has_a_say(films, tmp_path):
    before = export_width_only(tmp_path).predictions("chest_xray-validation")
    write_manifest(films)
    resize(films)
    pd.testing.assert_frame_equal(export_width_only(tmp_path).predictions("chest_xray-validation"), before)


def test_a_copy_at_one_size_is_refused_in_words(films, tmp_path):
    resize(films)
    with pytest.raises(RecipeError, match=r"a width of 32 for each of them\. A copy at one size .* manifest\.csv with"):
        export_width_only(tmp_path / "exports")
    write_manifest(films, unknown=100)
    with pytest.raises(RecipeError, match="no width that is known"):
        export_width_only(tmp_path / "exports")
    assert not (tmp_path / "exports").exists()


def test_an_unknown_size_gets_the_share_of_pneumonia_and_keeps_its_row(films, tmp_path):
    everyone = export_width_only(tmp_path).predictions("chest_xray-validation")
    write_manifest(films, unknown=30)
    export = export_width_only(tmp_path)
    rows, recipe = export.predictions("chest_xray-validation"), export.card.recipe
    assert list(rows["image_id"]) == list(everyone["image_id"])
    assert recipe["unknown_width"] == pytest.approx(0.5, abs=0.05)
    assert (rows["probability"] == recipe["unknown_width"]).sum() == recipe["without_width"]["validation"] > 0
    assert sum(recipe["without_width"].values()) == 60
    assert f"{recipe['without_width']['training']} training images" in export.card.limits[-1]


def test_a_manifest_without_sizes_is_named(films):
    write_manifest(films, MANIFEST_COLUMNS[:3])
    collection = ChestXrayCollection()
    with pytest.raises(CollectionUnavailable, match="Received: no native_width, native_height"):
        collection.native_size(collection.entries()[0].id)


def test_images_that_have_no_size_of_their_own_are_refused(films, tmp_path):
    with pytest.raises(RecipeError, match="Received: phantom"):
        evaluate(export_width_only(tmp_path), "phantom")


@pytest.fixture
def baseline(tmp_path, tiny_export, monkeypatch) -> Export:
    """Beside the tiny model, a baseline with rows of four films of a folder that is here."""
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path))
    for cached in (cache.collection, cache._radiograph):
        cached.clear()
    rows = []
    for i, (label, subtype) in enumerate((("NORMAL", ""), ("PNEUMONIA", "virus")) * 2):
        path = tmp_path / "chest_xray" / "test" / label / name_of(label, i)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generate(PhantomParameters(i, size=64)).pixels).save(path)
        rows.append((f"test/{label}/{path.name}", f"p{i}", int(label == "PNEUMONIA"), subtype, 0.2 + 0.15 * i))
    folder = tmp_path / "exports" / "size"
    network = dict.fromkeys(("side", "channels", "heatmap", "weights"))
    recipe = {"coefficients": {"intercept": 1.5, "log width": -2.25}}
    card = make_card(folder, **network, title="Size", recipe=recipe, data=Data("chest_xray", "apart", "CC BY 4.0", {}))
    for name in ("chest_xray-test", "chest_xray-validation"):
        write_predictions(pd.DataFrame(rows, columns=list(COLUMNS)), folder / "predictions" / f"{name}.csv")
    write_card(card, folder / "card.json")
    export = Export(folder, card)
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": tiny_export, "size": export}, {}))
    return export


def visit(page: str, **address: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.query_params.update(address)
    app = app.switch_page(page).run()
    assert not app.exception, [error.value for error in app.exception]
    return app


def shown(app: AppTest) -> str:
    return "\n".join(element.value for kind in ("markdown", "caption", "info") for element in app.get(kind))


@pytest.mark.parametrize("page", ["views/explore/diagnose.py", "views/explore/folder.py", "views/evidence/training.py"])
def test_pages_that_need_a_network_leave_it_out_and_say_why(baseline, page):
    app = visit(page, model="size")
    assert "Size sees no pixels" in shown(app)
    assert not any("There is no model" in warning.value for warning in app.warning)
    assert next(box.options for box in app.selectbox if box.key == "address.model") == ["Tiny"]


def test_without_any_network_there_is_nothing_to_run(baseline, monkeypatch):
    monkeypatch.setattr(cache, "exports", lambda: ({"size": baseline}, {}))
    assert "no trained model" in shown(visit("views/explore/diagnose.py"))


def test_an_opened_case_has_no_heatmap_and_no_like_training_images(baseline):
    app = visit("views/evidence/errors.py", model="size", set="chest_xray-test", outcome="all")
    assert "No heatmap" not in shown(app)
    app = visit("views/evidence/errors.py", model="size", set="chest_xray-test", image="test/NORMAL/IM-0000-0001.png")
    assert "Size sees no pixels, so there is no place" in shown(app)
    assert len(app.get("image")) == 1
    assert not [title.value for title in app.header if "training images" in title.value]


def test_performance_tells_the_formula(baseline):
    app = visit("views/evidence/performance.py", model="size")
    assert "**Size** is no network" in shown(app)
    table = app.table[-1].value.to_string().replace("\\", "")
    assert "(1.500 − 2.250 × log width)" in table


def test_compare_says_its_name_once_beside_models_that_see_pixels(baseline, tiny_export, tmp_path, monkeypatch):
    folder = tmp_path / "exports" / "other"
    shutil.copytree(baseline.folder / "predictions", folder / "predictions")
    other = Export(folder, replace(tiny_export.card, title="Other"))
    monkeypatch.setattr(cache, "exports", lambda: ({"other": other, "size": baseline}, {}))
    app = visit("views/evidence/compare.py", set="chest_xray-test")
    remarks = [info.value for info in app.info if "no network" in info.value]
    assert len(remarks) == 1
    assert remarks[0].startswith("**Size** is no network")


def test_compare_counts_it_among_the_models_and_does_not_time_it(baseline):
    app = visit("views/evidence/compare.py", set="chest_xray-test")
    row = app.dataframe[0].value.to_dict("records")[0]
    assert (row["model"], row["weights"], row["started from"]) == ("Size", "none", "sees no pixels")
    next(button for button in app.button if button.label == "Measure the speed").click().run()
    assert not app.exception
    assert [list(table.value.index) for table in app.table if "milliseconds per image" in table.value] == [["Tiny"]]
