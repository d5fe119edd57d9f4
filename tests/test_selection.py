"""Filters and orders of cases, against brute force over the rows."""

import numpy as np
import pandas as pd
import pytest

from model_zoo import selection
from model_zoo.predictions import COLUMNS
from model_zoo.selection import Wanted, cases, opinions, select

THRESHOLD = 0.4
LIMITS = pd.Series({"b": 0.3, "c": 0.6})
KINDS = {0: ("test/NORMAL/IM-{}-1.jpeg", "test/NORMAL/NORMAL2-IM-{}-1.jpeg"), 1: ("test/P/person{}_virus_1.jpeg",) * 2}


def rows_of(seed: int, count: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, count)
    return pd.DataFrame(
        {
            "image_id": [KINDS[sick][i % 2].format(i) for i, sick in enumerate(label)],
            "patient_id": [f"p{rng.integers(100)}" for _ in label],
            "label": label,
            "subtype": [("virus", "bacteria")[i % 2] if sick else "" for i, sick in enumerate(label)],
            "probability": rng.random(count).round(2),
        },
        index=rng.permutation(count),
    )[list(COLUMNS)]


@pytest.fixture
def rows() -> pd.DataFrame:
    return rows_of(1)


@pytest.fixture
def others(rows) -> dict[str, pd.DataFrame]:
    """Two other models: one saw the images in another order, one saw half of them."""
    rng = np.random.default_rng(2)
    fresh = {name: rows.assign(probability=rng.random(len(rows)).round(2)) for name in "bc"}
    return {"b": fresh["b"].iloc[::-1], "c": fresh["c"].iloc[::2]}


@pytest.fixture
def made(rows, others) -> pd.DataFrame:
    return cases(rows, THRESHOLD, opinions(rows, others), LIMITS)


def said(others: dict[str, pd.DataFrame], image_id: str) -> dict[str, float]:
    found = {}
    for name, other in others.items():
        match = other[other["image_id"] == image_id]["probability"]
        if len(match):
            found[name] = float(match.iloc[0])
    return found


def test_opinions_belong_to_their_images(rows, others):
    table = opinions(rows, others)
    for index, row in rows.iterrows():
        own = said(others, row["image_id"])
        assert {name: value for name, value in table.loc[index].items() if not np.isnan(value)} == own


def test_agreement_and_spread_by_brute_force(made, others):
    seen = set()
    for _, case in made.iterrows():
        voices = said(others, case["image_id"])
        call = case["probability"] >= THRESHOLD
        same = [(value >= LIMITS[name]) == call for name, value in voices.items()]
        expected = {
            "everyone": all(same),
            "some": any(same) and not all(same),
            "alone": not any(same),
            "all wrong": all(same) and call != (case["label"] == 1),
        }
        assert {name: case[name] for name in expected} == expected
        values = [case["probability"], *voices.values()]
        assert case["spread"] == pytest.approx(max(values) - min(values))
        seen |= {name for name, holds in expected.items() if holds}
    assert seen == {"everyone", "some", "alone", "all wrong"}


def test_without_other_models_nobody_agrees(rows):
    made = cases(rows, THRESHOLD, opinions(rows, {}), pd.Series(dtype=float))
    assert not made[["everyone", "some", "alone", "all wrong"]].any(axis=None)
    assert (made["spread"] == 0).all()


def test_kinds_are_subtypes_series_or_labels(made):
    assert set(made.loc[made["label"] == 1, "kind"]) == {"virus", "bacteria"}
    assert set(made.loc[made["label"] == 0, "kind"]) == {"IM-", "NORMAL2-IM-"}
    plain = made.assign(image_id=[f"test/{i}" for i in range(len(made))], subtype="")[list(COLUMNS)]
    again = cases(plain, THRESHOLD, opinions(plain, {}), pd.Series(dtype=float))
    assert again["kind"].tolist() == [("normal", "pneumonia")[label] for label in plain["label"]]


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (Wanted(), lambda case: True),
        (Wanted(outcome="false negative"), lambda case: case.label == 1 and case.probability < THRESHOLD),
        (Wanted(outcome="false positive", kind="IM-"), lambda case: case.kind == "IM-" and case.probability >= 0.4),
        (Wanted(kind="virus"), lambda case: case.subtype == "virus"),
        (Wanted(low=0.2, high=0.7), lambda case: 0.2 <= case.probability <= 0.7),
        (Wanted(agreement="alone"), lambda case: case.alone),
        (Wanted(notes="with"), lambda case: case.image_id in NOTED),
        (Wanted(notes="starred"), lambda case: case.image_id in STARRED),
        (Wanted(notes="without"), lambda case: case.image_id not in NOTED),
    ],
)
def test_filters_by_brute_force(made, wanted, holds):
    found = select(made, wanted, NOTED, STARRED)
    expected = {case.image_id for case in made.itertuples() if holds(case)}
    assert set(found["image_id"]) == expected
    assert 0 < len(found) <= len(made)


STARRED = rows_of(1)["image_id"][:3].tolist()
NOTED = [*STARRED, *rows_of(1)["image_id"][10:14]]


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("least believed", lambda case: case.probability if case.label else 1 - case.probability),
        ("most believed", lambda case: -(case.probability if case.label else 1 - case.probability)),
        ("probability", lambda case: -case.probability),
        ("disagreement", lambda case: -case.spread),
        ("patient", lambda case: case.patient_id),
    ],
)
def test_orders_by_brute_force_with_ties_as_in_the_rows(made, sort, key):
    expected = [case.image_id for case in sorted(made.itertuples(), key=key)]
    assert select(made, Wanted(sort=sort), (), ())["image_id"].tolist() == expected


def test_every_order_is_tested():
    marks = test_orders_by_brute_force_with_ties_as_in_the_rows.pytestmark[0].args[1]
    assert tuple(sort for sort, _ in marks) == selection.SORTS


def test_an_opened_image_keeps_its_place(made):
    whole = select(made, Wanted(), (), ())["image_id"].tolist()
    kept = select(made, Wanted(kind="virus"), (), ())["image_id"].tolist()
    stranger = next(image_id for image_id in whole if image_id not in kept)
    found = select(made, Wanted(kind="virus"), (), (), keep=stranger)["image_id"].tolist()
    assert set(found) == {*kept, stranger}
    assert found == [image_id for image_id in whole if image_id in found]


def test_numbers_of_an_address():
    assert selection.share("0.35") == 0.35
    assert selection.span("0-1") == (0, 1)
    assert selection.span("0.2-0.2") == (0.2, 0.2)


@pytest.mark.parametrize("text", ["", "nan", "1.01", "-0.1", "half", "inf"])
def test_a_share_that_is_none(text):
    with pytest.raises(ValueError, match=r"could not convert|expected a number"):
        selection.share(text)


@pytest.mark.parametrize("text", ["", "0.5", "0.8-0.2", "0.1-0.2-0.3", "0-2", "a-b", "nan-1"])
def test_a_span_that_is_none(text):
    with pytest.raises(ValueError):  # noqa: PT011
        selection.span(text)
