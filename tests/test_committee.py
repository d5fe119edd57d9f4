"""Committees: what the engine makes of its members' answers, the folders that are refused, and scoring a folder."""

import dataclasses
import shutil
from threading import Lock

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import MEMBERS, committee_card, make_card

from cases.collections.folder import FolderCollection
from cases.preprocess import model_input
from model_zoo.batch import SCORE_COLUMNS, results_of, score
from model_zoo.card import Card, CardError, Heatmap, read_card, write_card
from model_zoo.disagreement import calls, spread
from model_zoo.overlay import enlarged
from model_zoo.predictions import DISAGREEMENT, PredictionsError, read_predictions, read_scores
from model_zoo.registry import ExportError, networks, open_export, readers, scan
from train.results import models_table


@pytest.fixture(scope="module")
def engine(tiny_committee):
    from model_zoo.committee import open_engine

    return open_engine(tiny_committee)


@pytest.fixture(scope="module")
def films() -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [rng.integers(0, 50 * (i + 1), (40 + 9 * i, 60), dtype=np.uint8) for i in range(5)]


@pytest.fixture(scope="module")
def alone(engine, films) -> list[list]:
    """What each member says of each film when it is asked alone."""
    shapes = [(side, channels) for side, channels, *_ in MEMBERS.values()]
    return [
        member.explain(np.stack([model_input(film, *shape) for film in films]))
        for member, shape in zip(engine.members, shapes, strict=True)
    ]


@pytest.fixture
def root(tiny_committee, tmp_path):
    """A copy of the committee's and its members' folders, to damage."""
    root = tmp_path / "exports"
    shutil.copytree(tiny_committee.folder.parent, root)
    return root


def batch(engine, films):
    return np.stack([engine.input(film) for film in films])


def test_the_answer_is_the_mean_of_the_calibrated_logits_then_calibrated_itself(engine, films, alone):
    temperatures = np.array([values[2] for values in MEMBERS.values()])
    logits = np.array([[e.logit for e in explanations] for explanations in alone])
    expected = (logits / temperatures[:, np.newaxis]).mean(axis=0) + 0.25
    explanations = engine.explain(batch(engine, films))
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose([e.logit for e in explanations], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose([e.probability for e in explanations], 1 / (1 + np.exp(-expected / 1.5)), rtol=1e-4)
    np.testing.assert_allclose(engine.logits(batch(engine, films)), expected, rtol=1e-4, atol=1e-5)


def test_each_member_is_heard_in_the_card_s_order(engine, films, alone):
    for i, explanation in enumerate(engine.explain(batch(engine, films))):
        np.testing.assert_allclose(explanation.members, [answers[i].probability for answers in alone], rtol=1e-4)


def test_the_map_is_the_mean_of_the_members_maps_in_shares_of_their_scales_on_the_finest_grid(engine, films, alone):
    for i, explanation in enumerate(engine.explain(batch(engine, films))):
        shares = [
            enlarged(answers[i].signed_map / scale, (16, 16))
            for answers, (*_, scale, _) in zip(alone, MEMBERS.values(), strict=True)
        ]
        assert min(np.abs(share).max() for share in shares) > 0
        np.testing.assert_allclose(explanation.signed_map, np.mean(shares, axis=0), rtol=1e-3, atol=1e-5)
        difference = explanation.evidence("pneumonia") - explanation.evidence("normal")
        np.testing.assert_array_equal(difference, explanation.signed_map)


def test_members_of_one_shape_share_their_input(engine, films):
    assert sorted(engine.input(films[0]).dtype.names) == ["(24, 24, 3)", "(32, 32, 1)"]


def test_a_stream_is_scored_in_order_and_a_batch_gives_what_single_films_give(engine, films):
    expected = [engine.explain(batch(engine, [film]))[0].probability for film in films]
    assert list(engine.probabilities(iter(films), batch_size=2)) == pytest.approx(expected, rel=1e-5)
    scores, disagreement = engine.scores_and_spread(batch(engine, films))
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    members = [engine.explain(batch(engine, [film]))[0].members for film in films]
    np.testing.assert_allclose(disagreement, np.std(members, axis=1), rtol=1e-4)
    assert disagreement.min() > 0


@pytest.mark.parametrize("level", [0, 255])
def test_a_constant_film_has_a_finite_answer(engine, level):
    explanation = engine.explain(batch(engine, [np.full((9, 7), level, np.uint8)]))[0]
    assert 0 <= explanation.probability <= 1
    assert np.isfinite(explanation.signed_map).all()


def test_spread_and_calls():
    assert spread(np.array([[0.3, 0.3, 0.3], [0.0, 1.0, 0.5]])) == pytest.approx([0, np.sqrt(1 / 6)])
    assert spread([0.0, 1.0]) == 0.5
    assert calls([0.4, 0.5, 0.7], [0.4, 0.6, 0.6]) == 2


def test_it_is_read_like_a_network_and_is_none(tiny_committee):
    exports, problems = scan(tiny_committee.folder.parent)
    assert problems == {}
    assert [member.id for member in exports["together"].members] == list(MEMBERS)
    assert set(readers(exports)) == {"together", *MEMBERS}
    assert set(networks(exports)) == set(MEMBERS)
    with pytest.raises(ExportError, match=r"with weights of its own\. Received: together, a committee"):
        tiny_committee.verified_model_path()


def test_another_calibration_has_another_fingerprint(tiny_committee):
    card = tiny_committee.card
    moved = dataclasses.replace(card, committee=dataclasses.replace(card.committee, offset=0.3))
    assert dataclasses.replace(tiny_committee, card=moved).fingerprint != tiny_committee.fingerprint


def rewrite(root, **changes) -> None:
    path = root / "together" / "card.json"
    write_card(dataclasses.replace(read_card(path), **changes), path)


def problem(root) -> str:
    """What is wrong with the committee; the others must work."""
    exports, problems = scan(root)
    assert set(problems) == {"together"}
    assert "one" in exports
    with pytest.raises(CardError):
        open_export("together", root)
    return problems["together"]


def with_member(card: Card, member_id: str) -> dict:
    return {"committee": dataclasses.replace(card.committee, members={**card.committee.members, member_id: "0" * 64})}


def test_a_member_that_is_not_there_is_named(root, tiny_committee):
    shutil.rmtree(root / "two")
    assert "expected the network two, sha256" in problem(root)
    assert "Received: none of that name" in problem(root)


def test_a_member_made_anew_is_named(root):
    path = root / "two" / "card.json"
    card = read_card(path)
    write_card(dataclasses.replace(card, weights=dataclasses.replace(card.weights, sha256="1" * 64)), path)
    assert "Received: one with other weights; `python -m train committee`" in problem(root)


def test_neither_a_committee_nor_a_baseline_is_a_member(root, tiny_committee):
    nothing = dict.fromkeys(("side", "channels", "heatmap", "weights"))
    write = {
        "size": make_card(root / "size", **nothing),
        "nested": committee_card(root / "nested", tiny_committee.card.committee.members),
    }
    for model_id, card in write.items():
        (root / model_id).mkdir()
        write_card(card, root / model_id / "card.json")
        rewrite(root, **with_member(tiny_committee.card, model_id))
        assert f"expected the network {model_id}" in problem(root)
        assert "Received: a model without weights of its own" in problem(root)


def test_a_member_with_damaged_weights_is_refused_when_it_is_opened(root):
    from model_zoo.committee import open_engine

    (root / "two" / "model.keras").write_bytes(b"others")
    with pytest.raises(ExportError, match=r"two/model\.keras: expected the weights of the card"):
        open_engine(open_export("together", root))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": 32}, "card.side: expected none, as a committee has its members'"),
        ({"channels": 1}, "card.channels: expected none"),
        ({"heatmap": None}, "card.heatmap: expected a value, as a committee has a heatmap"),
        ({"heatmap": Heatmap("conv", 1.0, "r")}, "card.heatmap.layer: expected none, as a committee has no layers"),
        ({"heatmap": Heatmap(None, 0.0, "r")}, "heatmap.scale: expected a number above 0"),
        ({"members": {"one": "a"}}, "committee.members: expected two members or more"),
        ({"members": {"one": "a", "two": 7}}, "each with the sha256 of its weights"),
        ({"offset": float("nan")}, "committee.offset: expected a number. Received: nan"),
    ],
)
def test_a_card_that_is_no_committee_s_is_refused(tiny_committee, changes, message):
    card = tiny_committee.card
    fields = {name: value for name, value in changes.items() if name in ("members", "offset")}
    others = {name: value for name, value in changes.items() if name not in fields}
    with pytest.raises(CardError) as raised:
        dataclasses.replace(card, committee=dataclasses.replace(card.committee, **fields), **others)
    assert message in str(raised.value)


def test_a_network_needs_the_name_of_a_layer(tiny_export):
    with pytest.raises(CardError, match="expected the name of a layer"):
        dataclasses.replace(tiny_export.card, heatmap=Heatmap(None, 1.0, "r"))


def test_the_table_of_models_names_the_members_and_adds_up_their_sizes(root, tiny_committee):
    summary = dict.fromkeys(("auroc", "accuracy", "sensitivity", "specificity"), (0.9, 0.8, 1.0))
    rewrite(root, metrics={"chest_xray-test": {**summary, "ece": 0.05}})
    size = sum(member.card.weights.bytes for member in tiny_committee.members)
    assert f"| committee of `one`, `two`, `three` | its members', {size / 1e6:.1f} MB |" in models_table(scan(root)[0])


class TestFolder:
    """Scoring a folder with a committee keeps how far its members disagree."""

    @pytest.fixture
    def collection(self, tmp_path, monkeypatch, films) -> FolderCollection:
        monkeypatch.setenv("LUNGLENS_SCORED", str(tmp_path / "scored"))
        for i, film in enumerate(films):
            path = tmp_path / "films" / f"{i}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), film)
        return FolderCollection(tmp_path / "films")

    def run(self, collection, engine) -> pd.DataFrame:
        results = results_of(collection.id, engine.export)
        self.done = [progress.done for progress in score(collection, engine, Lock(), lambda radiograph: (), results)]
        return read_scores(results.scores)

    def test_rows_have_the_disagreement(self, collection, engine, films):
        rows = self.run(collection, engine)
        scores, disagreement = engine.scores_and_spread(batch(engine, films))
        np.testing.assert_allclose(rows["probability"], scores, atol=1e-6)
        np.testing.assert_allclose(rows[DISAGREEMENT], disagreement, atol=1e-6)
        assert self.done == [0, 5]

    def test_whole_rows_are_kept_and_others_scored_again(self, collection, engine):
        before = self.run(collection, engine)
        path = results_of(collection.id, engine.export).scores
        lines = path.read_text().splitlines()
        cut = lines[2].rpartition(",")[0]
        path.write_text("\n".join([*lines[:2], cut, f"{lines[3].rpartition(',')[0]},much", *lines[4:]]) + "\n")
        after = self.run(collection, engine)
        assert self.done[0] == 3
        pd.testing.assert_frame_equal(after.sort_values("image_id", ignore_index=True), before)

    def test_a_member_with_another_temperature_has_other_rows(self, collection, tiny_committee):
        first, *others = tiny_committee.members
        warmer = dataclasses.replace(first, card=dataclasses.replace(first.card, temperature=9.0))
        changed = dataclasses.replace(tiny_committee, members=(warmer, *others))
        assert results_of(collection.id, changed) != results_of(collection.id, tiny_committee)

    def test_a_network_s_rows_have_none(self, collection, tiny_export):
        results = results_of(collection.id, tiny_export)
        assert results.columns == SCORE_COLUMNS
        results.scores.parent.mkdir(parents=True)
        results.scores.write_text(",".join(SCORE_COLUMNS) + "\na.png,a.png,,,0.5,1-1,\n")
        assert DISAGREEMENT not in read_scores(results.scores)

    def test_a_disagreement_that_cannot_be_is_named(self, tmp_path):
        path = tmp_path / "scores.csv"
        path.write_text(",".join((*SCORE_COLUMNS, DISAGREEMENT)) + "\na.png,a.png,1,,0.5,1-1,,high\n")
        with pytest.raises(PredictionsError, match=r"line 2, column disagreement: .* Received: 'high'"):
            read_scores(path)
        assert list(read_predictions(path)["probability"]) == [0.5]
