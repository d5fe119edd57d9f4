"""How long the error gallery takes to draw a page of 24 phantoms, with their thumbnails in the cache and without.

Script time as AppTest measures it: from the request to the last element, without the browser and the network.
"""

from streamlit.testing.v1 import AppTest

from benchmarks.timing import medians
from cases.settings import PROJECT_ROOT
from views.shared import cache

PAGE = "views/evidence/errors.py"
ROUNDS = 9


def run() -> None:
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=120).run().switch_page(PAGE)
    app.query_params.update({"set": "phantom-test", "outcome": "all"})

    def draw() -> None:
        app.run()
        cards = [button for button in app.button if (button.key or "").startswith("errors-")]
        if app.exception or len(cards) != 24:
            raise RuntimeError(f"Expected a page of 24 images. Received: {len(cards)}, {list(app.exception)}.")

    def draw_cold() -> None:
        cache.thumbnail.clear()
        draw()

    # The cold page comes first, so that the warm one finds what it has left.
    seconds = medians({"cold": draw_cold, "warm": draw}, ROUNDS)
    print("A page of 24 images in the error gallery, medians in s")
    for name, value in seconds.items():
        print(f"{name:20}{value:8.2f}")
