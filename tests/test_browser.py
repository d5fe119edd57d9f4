"""The main job in a real browser: upload a film, read the probability, see the overlay.

Skipped unless LUNGLENS_CHROMIUM names a Chromium binary. LUNGLENS_UPLOADS may name a folder of files as users
bring them; its first full-size JPEG and its first DICOM image are then uploaded too.
"""

import os
import re
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

import pytest
from PIL import Image

from cases.phantom import PhantomParameters, generate
from model_zoo.looking import read_looking
from model_zoo.registry import open_export
from views.shared.frame import NOTICE

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("LUNGLENS_CHROMIUM")
PAGES = ["", *sorted(path.stem for path in (ROOT / "views").glob("*/*.py") if path.parent.name != "shared")]
PAGES.remove("home")
PATIENCE = 120_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="LUNGLENS_CHROMIUM names no browser"),
]


@contextmanager
def served(folder: Path):
    """The app's address while it is served as `make app` does, on a free port and without data sets."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    environment = os.environ | {"LUNGLENS_DATA": str(folder)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            wait_for_health(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with served(tmp_path_factory.mktemp("no-data")) as address:
        yield address


def wait_for_health(url: str, server: subprocess.Popen) -> None:
    end = monotonic() + 60
    while monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            sleep(0.3)
    pytest.fail("the app did not start")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield browser
        browser.close()


@contextmanager
def visitor(browser):
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        yield page


@pytest.fixture
def page(browser, address):
    """A new visitor at the home page."""
    with visitor(browser) as page:
        page.goto(address)
        page.get_by_text("What it is not").wait_for()
        yield page


def full_size_jpeg() -> tuple[str, bytes]:
    data = BytesIO()
    Image.fromarray(generate(PhantomParameters(7, "lobar", size=1024)).pixels).save(data, "JPEG", quality=95)
    return "phantom.jpeg", data.getvalue()


def uploads() -> list:
    """Files as (name, bytes) makers, with the name as the test's id."""
    chosen = [pytest.param(full_size_jpeg, id="phantom.jpeg")]
    if folder := os.environ.get("LUNGLENS_UPLOADS"):
        for pattern in ("full_size*.jpeg", "*CR*.dcm"):
            path = sorted(Path(folder).glob(pattern))[0]
            chosen.append(pytest.param(lambda path=path: (path.name, path.read_bytes()), id=path.name))
    return chosen


def send(page, name: str, data: bytes) -> None:
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": data})


def sees_pictures(page) -> None:
    page.wait_for_function(
        """() => ['radiograph', 'overlay'].every(name => {
            const picture = document.querySelector(`.st-key-${name} img`);
            return picture && picture.complete && picture.naturalWidth > 0;
        })"""
    )


def settled(page) -> None:
    """The page is complete: what is clicked before may be gone when the click arrives, and what is read may change."""
    page.locator("[data-test-script-state='notRunning']").wait_for()


@pytest.mark.parametrize("file", uploads())
def test_an_upload_gets_a_probability_and_an_overlay(page, address, file):
    page.goto(f"{address}/diagnose?collection=upload")
    send(page, *file())
    number = page.locator("[data-probability]")
    number.wait_for()
    assert 0 < float(number.get_attribute("data-probability")) < 1
    settled(page)
    if page.get_by_text("Nothing to paint").count():
        page.locator(".st-key-overlay_controls").get_by_role("radio", checked=False).click()
    sees_pictures(page)
    page.get_by_text(NOTICE).wait_for()


def test_only_a_phone_has_the_call_above_the_films_too(page, address):
    page.goto(f"{address}/diagnose?collection=phantom")
    opinion = page.locator(".opinion")
    opinion.wait_for()
    settled(page)
    glance = page.locator(".st-key-glance")
    glance.wait_for(state="hidden")
    page.set_viewport_size({"width": 390, "height": 900})
    glance.wait_for()
    said = glance.inner_text()
    assert said.split(":")[0] == opinion.locator("div").first.inner_text()
    assert said.split()[-1] == opinion.locator("[data-probability]").inner_text()
    assert glance.bounding_box()["y"] < page.locator(".st-key-radiograph").bounding_box()["y"]


def test_the_lungs_are_outlined_and_a_model_that_looks_beside_them_gets_a_warning(page, address):
    """On the phantom of which mobilenetv2 is surest among those where it looks beside the lungs, by its stored rows. A
    map with hardly any evidence gets no warning."""
    export = open_export("mobilenetv2")
    looks = read_looking(export, "phantom-test").set_index("image_id")["in_lungs"]
    probabilities = export.predictions("phantom-test").set_index("image_id")["probability"]
    image = probabilities[looks.index[looks < 0.4]].idxmax()
    page.goto(f"{address}/diagnose?model=mobilenetv2&collection=phantom&image={image}")
    page.get_by_text("of the evidence for pneumonia lies in the lungs. Where a model looks elsewhere").wait_for()
    page.locator("img[alt*='lies in the lungs, the largest part']").wait_for()
    settled(page)
    film = page.locator(".st-key-radiograph img")
    outlined = film.get_attribute("src")
    page.get_by_text("Outline the lungs").click()
    page.wait_for_function("before => document.querySelector('.st-key-radiograph img').src !== before", arg=outlined)


def test_what_shows_no_chest_is_doubted(page, address):
    page.goto(f"{address}/diagnose?collection=upload")
    data = BytesIO()
    Image.linear_gradient("L").save(data, "PNG")
    send(page, "slope.png", data.getvalue())
    page.get_by_text("No lungs found on this image").wait_for()
    page.locator("[data-probability]").wait_for()


def test_a_bad_upload_leaves_the_app_usable(page, address):
    page.goto(f"{address}/diagnose?collection=upload")
    send(page, "letter.jpeg", b"Dear doctor")
    page.get_by_text("expected a JPEG, PNG").wait_for()
    settled(page)
    assert page.get_by_text("Traceback").count() == 0
    send(page, *full_size_jpeg())
    page.locator("[data-probability]").wait_for()
    send(page, "letter.jpeg", b"Dear doctor")
    page.get_by_text("Still showing phantom.jpeg").wait_for()
    page.locator("[data-probability]").wait_for()


def test_a_thumbnail_opens_its_image_and_the_address_keeps_it(page, address):
    page.goto(f"{address}/diagnose?collection=phantom")
    page.locator("[data-probability]").wait_for()
    settled(page)
    page.locator(".st-key-film_strip button").nth(3).click()
    page.wait_for_function("location.search.includes('image=')")
    chosen = page.url
    title = page.get_by_text("Case 4 of 200")
    title.wait_for()
    page.goto(chosen)
    title.wait_for()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1440])
def test_a_page_opens_by_its_address_and_fits_the_screen(page, address, name, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/{name}")
    page.get_by_text(NOTICE).wait_for()
    page.locator("h1").wait_for()
    settled(page)
    assert page.get_by_text("Page not found").count() == 0
    # What scrolls is the main part, not the document.
    assert page.locator("[data-testid='stMain']").evaluate("main => main.scrollWidth <= main.clientWidth")


@pytest.mark.parametrize("name", PAGES)
def test_a_screen_reader_finds_its_way(page, address, name):
    """Headings go down one step at a time; columns of tables and marks of charts have names."""
    page.goto(f"{address}/{name}")
    page.locator("h1").wait_for()
    settled(page)
    page.wait_for_timeout(1000)  # charts and tables are drawn after the page is complete
    levels = page.locator(":is(h1, h2, h3, h4, h5, h6)").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels)), levels
    headers = page.locator("th").evaluate_all("all => all.map(one => one.textContent.trim())")
    assert "" not in headers
    assert page.locator("[role='graphics-symbol']:not([aria-label], [aria-hidden='true'])").count() == 0


@pytest.mark.parametrize(
    ("view", "pressed"),
    [
        ("diagnose?collection=phantom", "Case 4"),
        ("performance?model=cnn11&set=phantom-test", "Youden"),
        ("errors?model=cnn11&set=phantom-test&outcome=true%20positive", "Page 2"),
        ("lessons", "Next lesson"),
    ],
)
def test_the_keyboard_stays_on_what_it_pressed(page, address, view, pressed):
    page.goto(f"{address}/{view}")
    button = page.get_by_role("button", name=pressed).first
    button.wait_for()
    settled(page)
    button.focus()
    before = page.url
    page.keyboard.press("Enter")
    page.wait_for_function("before => location.href !== before", arg=before)
    settled(page)
    assert button.evaluate("button => button === document.activeElement")


def test_what_the_keyboard_is_on_can_be_seen(page, address):
    page.goto(f"{address}/performance?model=cnn11&set=phantom-test")
    link = page.get_by_role("link", name="See the images behind these counts")
    link.wait_for()
    settled(page)
    link.evaluate("link => link.scrollIntoView()")
    link.focus()
    above = page.locator(".st-key-threshold").bounding_box()
    assert link.bounding_box()["y"] >= above["y"] + above["height"]
    assert link.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"


def test_a_deep_link_may_be_the_first_request_of_a_server(browser, tmp_path):
    with served(tmp_path) as address, visitor(browser) as page:
        page.goto(f"{address}/performance")
        page.locator("h1", has_text="Performance").wait_for()
        page.get_by_text(NOTICE).wait_for()
        settled(page)
        assert page.get_by_text("Page not found").count() == 0


def test_back_returns_to_the_image_before(page, address):
    page.goto(f"{address}/diagnose?collection=phantom")
    thumbnails = page.locator(".st-key-film_strip button")
    thumbnails.nth(5).wait_for()
    for place in (3, 5):
        settled(page)
        thumbnails.nth(place).click()
        page.get_by_text(f"Case {place + 1} of 200").wait_for()
    page.go_back()
    page.get_by_text("Case 4 of 200").wait_for()


def test_back_to_an_address_without_a_choice_undoes_it(page, address):
    page.goto(f"{address}/performance")
    page.get_by_role("heading", name="Performance").wait_for()
    settled(page)
    menu = page.locator(".stSelectbox input").first
    before = menu.input_value()
    menu.click()
    page.get_by_role("option").nth(3).click()
    page.wait_for_url("**/performance?*")
    settled(page)
    assert menu.input_value() != before
    page.go_back()
    page.wait_for_function("before => document.querySelector('.stSelectbox input').value === before", arg=before)
    assert page.url == f"{address}/performance"


def test_back_from_the_images_of_a_cell_finds_the_view_that_was_left(page, address):
    page.goto(f"{address}/performance?model=cnn11&set=phantom-test&prevalence=0.123")
    clicked_false_negatives(page)
    page.get_by_text("Pneumonias that the model calls normal").wait_for()
    settled(page)
    # What came along is dropped at the first choice.
    page.get_by_role("radio", name="True positives").click()
    page.wait_for_url("**/errors?*outcome=true*positive*")
    assert "prevalence" not in page.url
    settled(page)
    page.go_back()
    page.get_by_text("Pneumonias that the model calls normal").wait_for()
    settled(page)
    page.go_back()
    page.get_by_text("123 are ill").wait_for()
    assert "prevalence=0.123" in page.url


def test_a_lesson_leads_to_the_view_that_it_speaks_of_and_gives_a_sheet_to_print(page, address):
    page.goto(f"{address}/lessons?lesson=accuracy")
    page.get_by_role("link", name="See its false alarms").click()
    page.get_by_text("False positive").first.wait_for()
    assert "model=cnn8" in page.url
    settled(page)
    page.go_back()
    page.get_by_role("heading", name="Right most of the time").wait_for()
    settled(page)
    page.get_by_role("button", name="To print").click()
    with page.expect_download() as sheet:
        page.get_by_role("button", name="For the teacher").click()
    text = sheet.value.path().read_text(encoding="utf-8")
    assert f'href="{address}/errors?model=cnn8' in text
    assert "What there is to find" in text


def opened_case(page) -> None:
    settled(page)
    page.locator("[class*='st-key-errors-card-0'] .stButton button").click()
    page.get_by_text("The truth:").wait_for()
    page.wait_for_function("() => document.querySelector('.st-key-overlay img')?.naturalWidth > 0")
    settled(page)


def clicked_false_negatives(page) -> None:
    cell = page.locator(".st-key-performance-cell svg text", has_text="false negatives")
    cell.wait_for()
    settled(page)
    page.wait_for_timeout(1000)  # Vega listens a moment after it has drawn
    cell.click()


def moved_threshold(page) -> str:
    """The slider's threshold as a click writes it, once the address has it: the last of many key presses gets there a
    moment later."""
    page.wait_for_function(
        """() => {
            const slider = document.querySelector('.st-key-threshold input[type=range]');
            const address = new URLSearchParams(location.search).get('threshold');
            return address !== null && Number(address) === Number(slider.value);
        }"""
    )
    settled(page)
    # The slider writes 0.860, a click on a chart 0.86.
    return str(float(re.search(r"threshold=([\d.]+)", page.url)[1]))


def counted(page) -> int:
    """How many images the chosen cell of the confusion matrix has, by its label."""
    label = page.get_by_role("radio", name="False negatives").inner_text()
    return int(re.search(r"\((\d+)\)", label)[1])


def test_a_cell_of_the_confusion_matrix_opens_its_images_and_one_of_them_its_heatmap(page, address):
    page.goto(f"{address}/performance?model=cnn11&set=phantom-test")
    clicked_false_negatives(page)
    page.wait_for_url("**/errors?*outcome=false*negative*")
    page.get_by_text("Pneumonias that the model calls normal").wait_for()
    opened_case(page)
    page.go_back()
    page.go_back()
    page.get_by_role("heading", name="Performance").wait_for()


def test_the_slider_s_threshold_goes_with_the_click_and_a_reload_shows_the_same(page, address):
    page.goto(f"{address}/performance?model=cnn11&set=phantom-test")
    slider = page.locator(".st-key-threshold input[type=range]")
    slider.wait_for()
    settled(page)
    slider.focus()
    before = float(slider.input_value())
    for _ in range(20):
        page.keyboard.press("ArrowRight", delay=30)
    page.get_by_text("was picked by hand").wait_for()
    moved = moved_threshold(page)
    assert float(moved) == pytest.approx(before + 0.02, abs=0.001)
    clicked_false_negatives(page)
    page.wait_for_url(f"**/errors?*threshold={moved}*")
    page.get_by_text("a threshold chosen for this view").wait_for()
    opened_case(page)
    image = page.get_by_text("Image test/").inner_text()
    page.reload()
    page.get_by_text(image).wait_for()
    assert f"threshold={moved}" in page.url
    page.wait_for_function("() => document.querySelector('.st-key-overlay img')?.naturalWidth > 0")


def drawn(page) -> list[list[str]]:
    """What each chart of the page says of its marks, once two looks a second apart agree."""
    marks = None
    for _ in range(30):
        settled(page)
        before, marks = (
            marks,
            page.evaluate(
                """() => [...document.querySelectorAll("[data-testid='stVegaLiteChart'] svg")].map(chart =>
                [...chart.querySelectorAll("[role='graphics-symbol']")].map(mark => mark.getAttribute('aria-label')))"""
            ),
        )
        if marks and marks == before:
            return marks
        page.wait_for_timeout(1000)
    pytest.fail("the charts do not come to rest")


def test_the_charts_follow_the_threshold_and_the_model(page, address):
    page.goto(f"{address}/performance?model=cnn11&set=phantom-test")
    first = drawn(page)
    page.get_by_role("button", name="Youden").click()
    page.wait_for_url("**threshold=*")
    moved = drawn(page)
    assert sum(now != then for now, then in zip(moved, first, strict=True)) >= 4, (
        "matrix, histogram, ROC, precision-recall"
    )
    page.reload()
    assert drawn(page) == moved
    page.goto(f"{address}/performance?model=cnn8&set=phantom-test")
    alone = drawn(page)
    page.goto(f"{address}/performance?model=cnn11&set=phantom-test")
    assert drawn(page) == first
    page.get_by_role("combobox", name=re.compile("Model")).click()
    page.get_by_role("option", name="CNN, 8 layers", exact=True).click()
    page.wait_for_url("**model=cnn8*")
    assert drawn(page) == alone


def test_a_moved_threshold_a_filter_and_an_image_are_in_the_link_that_is_shared(page, address, browser):
    page.goto(f"{address}/errors?model=cnn11&set=phantom-test&outcome=false%20negative")
    page.get_by_text("the model's operating point").wait_for()
    before = counted(page)
    page.goto(f"{address}/errors?model=cnn11&set=phantom-test&outcome=false%20negative&threshold=0.9")
    page.get_by_text("a threshold chosen for this view").wait_for()
    assert counted(page) > before
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("radio", name="lobar").click()
    page.get_by_text("remain: lobar").wait_for()
    page.keyboard.press("Escape")
    opened_case(page)
    place = page.get_by_text(re.compile(r"False negative \d+ of \d+"))
    page.keyboard.press("ArrowRight")
    page.get_by_text("False negative 2 of").wait_for()
    settled(page)
    seen, image = place.inner_text(), page.get_by_text("Image test/").inner_text()
    note = page.get_by_role("textbox", name="Note")
    note.fill("a cursor moves in here")
    note.press("ArrowLeft")
    assert place.inner_text() == seen
    page.get_by_role("button", name="Share").click()
    link = page.locator("[data-testid='stCode']").inner_text().strip()
    with visitor(browser) as friend:
        friend.goto(link)
        friend.get_by_text(seen).wait_for()
        friend.get_by_text(image).wait_for()
        friend.get_by_text("a threshold chosen for this view").wait_for()
        friend.wait_for_function("() => document.querySelector('.st-key-overlay img')?.naturalWidth > 0")
        friend.reload()
        friend.get_by_text(seen).wait_for()
