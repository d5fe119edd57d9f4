"""From starting the server to a rendered page in a browser: LungLens's home against a one-line Streamlit app.

Needs Playwright and a Chromium, named by LUNGLENS_CHROMIUM or found on the path; says so and ends without one.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from benchmarks.timing import medians
from cases.settings import PROJECT_ROOT

ROUNDS = 5
ONE_LINE_APP = 'import streamlit as st; st.write("hello")\n'


def run() -> None:
    chromium = os.environ.get("LUNGLENS_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        print("Start-up: expected a Chromium, named by LUNGLENS_CHROMIUM or on the path. Received: none.")
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        one_line = Path(folder) / "app.py"
        one_line.write_text(ONE_LINE_APP)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        seconds = medians(
            {
                "one-line app": lambda: _first_render(browser, one_line, "text=hello"),
                "LungLens home": lambda: _first_render(browser, PROJECT_ROOT / "streamlit_app.py", "h1"),
            },
            ROUNDS,
            warmup=1,
        )
        browser.close()
    print("Server start to rendered page, medians in s")
    for name, value in seconds.items():
        print(f"{name:20}{value:8.2f}")
    print(f"{'ratio':20}{seconds['LungLens home'] / seconds['one-line app']:8.2f}")


def _first_render(browser, script: Path, selector: str) -> None:
    page = browser.new_page()
    with _server(script) as address:
        for _ in range(600):
            try:
                page.goto(address)
                break
            except Exception:  # Playwright's error for a server that does not listen yet.
                page.wait_for_timeout(50)
        page.wait_for_selector(selector, timeout=60_000)
    page.close()


@contextmanager
def _server(script: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true"]
    options = ["--server.port", str(port), "--browser.gatherUsageStats", "false"]
    process = subprocess.Popen(
        [*command, *options], cwd=script.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
