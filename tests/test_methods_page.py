"""The page that compares heatmaps, with a tiny model and the real explainers, and with maps that are set."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from test_pages import control, empty_caches, fake_model, open_page, shown, tiny  # noqa: F401  (fixtures among them)

from cases.phantom import PhantomParameters, generate
from model_zoo.registry import Export
from model_zoo.strength import logits_per_film
from views.shared import cache

PAGE = "views/explore/methods.py"
VIEW = {"model": "tiny", "collection": "phantom", "image": "test/0001-lobar"}

pytestmark = pytest.mark.usefixtures("empty_caches")


@pytest.fixture(autouse=True)
def empty_map_caches():
    for function in (cache._method_map, cache._depth_maps):
        function.clear()


def pictures(app) -> int:
    return len(app.get("image"))


def button_of(app, what: str):
    return next((button for button in app.button if button.key.startswith(f"ask {what}")), None)


def test_quick_methods_are_shown_with_their_cost_and_slow_ones_wait(tiny):  # noqa: F811
    app = open_page(PAGE, **VIEW)
    assert not app.exception
    text = shown(app)
    assert ":gray-badge[synthetic]" in text
    assert text.count(" ms**, 1 pass") == sum(cache.passes(tiny, method) == 1 for method in cache.explainers())
    for method in ("augmented", "scorecam", "smoothgrad", "occlusion"):
        assert button_of(app, method) is not None
    before = pictures(app) + len(app.get("info"))

    button_of(app, "occlusion").click().run()
    assert not app.exception
    assert button_of(app, "occlusion") is None
    assert "**, 226 passes" in shown(app)
    assert pictures(app) + len(app.get("info")) == before + 1
    control(app.get("button_group"), "address.by").set_value("layers").run()
    control(app.get("button_group"), "address.by").set_value("methods").run()
    assert "**, 226 passes" in shown(app)


def test_a_method_of_many_passes_keeps_nobody_waiting(tiny):  # noqa: F811
    pixels = generate(PhantomParameters(7)).pixels
    _, lock = cache._resident(tiny.id, cache._state(tiny))
    with ThreadPoolExecutor() as visits, lock:
        slow = visits.submit(cache.method_map, tiny, "occlusion", pixels, "pneumonia")
        quick = visits.submit(cache.method_map, tiny, "gradcam", pixels, "pneumonia")
        assert slow.result(timeout=60)[0].any()
        assert not quick.done()


def test_the_address_reproduces_view_and_direction(tiny):  # noqa: F811
    app = open_page(PAGE, **VIEW)
    control(app.get("button_group"), "address.by").set_value("layers").run()
    control(app.get("button_group"), "address.direction").set_value("normal").run()
    named = {name: value for name, value in app.query_params.items() if name != "image"}
    assert named == {"model": "tiny", "collection": "phantom", "by": "layers", "direction": "normal"}
    assert "lobar" not in app.query_params["image"]
    again = open_page(PAGE, **app.query_params)
    assert not again.exception
    assert shown(again) == shown(app)
    assert "16 × 16 cells" in shown(app)


def test_the_evidence_is_for_what_the_model_calls_the_film_until_someone_chooses(fake_model, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cache, "depth_maps", lambda *_: {"last_conv": np.ones((2, 2))})
    for fake_model.probability, called in ((0.7, "pneumonia"), (0.1, "normal")):
        cache._explanation.clear()
        app = open_page(PAGE, **VIEW, by="layers")
        assert not app.exception
        assert control(app.get("button_group"), "address.direction").value == called
        assert "direction" not in app.query_params, "or it would stay when the film changes"
    app = open_page(PAGE, **VIEW, by="layers", direction="pneumonia")
    assert control(app.get("button_group"), "address.direction").value == "pneumonia"
    app = open_page(PAGE, **VIEW, by="layers", direction="sideways")
    assert "Expected pneumonia or normal as direction in the address. Received: sideways." in app.warning[0].value
    assert control(app.get("button_group"), "address.direction").value == "normal"


def test_an_empty_map_is_said_in_words_and_not_painted(fake_model, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cache, "depth_maps", lambda *_: {"first": np.full((4, 4), -0.1), "last_conv": np.ones((2, 2))})
    app = open_page(PAGE, **VIEW, by="layers")
    assert not app.exception
    assert pictures(app) == 2
    assert app.info[0].value == "Nothing to paint: nothing here speaks for pneumonia."


@pytest.mark.parametrize("sides", [[], [16, 24]])
def test_only_a_network_that_looks_once_is_said_to_be_cut_ever_deeper(fake_model, tiny, monkeypatch, sides):  # noqa: F811
    """One that looks at the film at several sizes may have a layer after the one where these meet, but none before."""
    card = dataclasses.replace(tiny.card, recipe={**tiny.card.recipe, "sides": sides})
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": Export(tiny.folder, card)}, {}))
    monkeypatch.setattr(cache, "depth_maps", lambda *_: {"last_conv": np.ones((4, 4)), "pool": np.ones((2, 2))})
    app = open_page(PAGE, **VIEW, by="layers")
    assert not app.exception
    assert pictures(app) == 3
    assert ("ever deeper" in shown(app)) is (not sides)
    assert ("early layer" in shown(app)) is (not sides)
    assert ("no shallower layer" in shown(app)) is bool(sides)


def test_models_are_compared_on_one_scale(tiny, fake_model, monkeypatch):  # noqa: F811
    warmer = dataclasses.replace(
        tiny, card=dataclasses.replace(tiny.card, id="warmer", title="Warmer", temperature=4.0)
    )
    monkeypatch.setattr(cache, "exports", lambda: ({"tiny": tiny, "warmer": warmer}, {}))
    app = open_page(PAGE, **VIEW, by="models")
    assert fake_model.asked == 1
    button_of(app, "models").click().run()
    assert not app.exception
    assert fake_model.asked == 2
    # The fake map's highest of 4 cells is 0.4; the tiny model's temperature is 2.
    assert "Strongest spot **0.8** logits" in shown(app)
    assert "Strongest spot **0.4** logits" in shown(app)
    tiny_s, warmer_s = (image.value for image in app.get("image")[1:])
    assert tiny_s != warmer_s


def test_a_baseline_that_sees_no_pixels_is_not_asked_for_a_map(tiny, fake_model, monkeypatch):  # noqa: F811
    nothing = dict.fromkeys(("side", "channels", "heatmap", "weights"))
    card = dataclasses.replace(tiny.card, id="size", title="Size", **nothing)
    exports = {"tiny": tiny, "size": dataclasses.replace(tiny, card=card)}
    monkeypatch.setattr(cache, "exports", lambda: (exports, {}))
    app = open_page(PAGE, **VIEW, by="models")
    assert not app.exception
    assert button_of(app, "models") is None


def test_a_film_of_a_finer_map_adds_the_same():
    coarse, fine = np.full((2, 2), 0.4), np.full((4, 4), 0.1)
    assert logits_per_film(coarse, coarse.size, 0.5) == pytest.approx(logits_per_film(fine, fine.size, 0.5)[:2, :2])
    assert logits_per_film(fine, fine.size, 0.5).mean() == pytest.approx(fine.sum() / 0.5)
