"""How real phantoms look: what real films with exchanged lungs say, and of which children they are."""

from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from cases.phantom import PhantomParameters, generate
from train.realism import exchange_rows, exchange_table, next_of_another

FILES = {
    "NORMAL": ["IM-0001-0001.jpeg", "IM-0001-0002.jpeg", "IM-0002-0001.jpeg", "IM-0003-0001.jpeg"],
    "PNEUMONIA": ["person1_virus_1.jpeg", "person2_virus_1.jpeg", "person2_virus_2.jpeg"],
}


@pytest.fixture
def data(tmp_path):
    """Films of the train split with a mask each, but for IM-0002's."""
    rows = [("train", label, name) for label, names in FILES.items() for name in names]
    for seed, (split, label, name) in enumerate(rows):
        film = generate(PhantomParameters(seed))
        for folder, pixels in (("chest_xray", film.pixels), ("lung_masks", 255 * (film.lung_fields > 0))):
            path = (tmp_path / folder / split / label / name).with_suffix(".png" if folder == "lung_masks" else ".jpeg")
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels.astype(np.uint8))
    (tmp_path / "lung_masks" / "train" / "NORMAL" / "IM-0002-0001.png").unlink()
    pd.DataFrame(rows, columns=["split", "label", "file"]).to_csv(tmp_path / "chest_xray" / "manifest.csv", index=False)
    return tmp_path


def test_a_child_is_one_patient_in_both_classes(data):
    held_out = [f"train/{label}/{name}" for label, names in FILES.items() for name in names]
    patients = [image_id.rpartition("/")[2].rpartition("-")[0] or "person" for image_id in held_out]
    rows = pd.DataFrame({"image_id": held_out, "patient_id": patients})
    export = SimpleNamespace(predictions={"chest_xray-validation": rows}.get)
    engine = SimpleNamespace(probabilities=lambda films: [film.mean() / 255 for film in films])
    found = exchange_rows(engine, export, data)
    healthy = ["IM-0001", "IM-0001", "IM-0003"]
    assert found["lungs"]["patient_id"].tolist() == healthy + healthy
    assert found["rest"]["patient_id"].tolist() == healthy + ["person"] * 3
    for table in found.values():
        assert table["label"].tolist() == [0, 0, 0, 1, 1, 1]
        assert not table["image_id"].duplicated().any()
    assert exchange_table(found, 0.5).count("\n| ") == 2


def test_lungs_come_from_another_child():
    assert next_of_another(np.array(["a", "a", "b", "a", "c", "c"])).tolist() == [2, 2, 3, 4, 0, 0]
