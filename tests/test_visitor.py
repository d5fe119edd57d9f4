"""Who may have which folder read: only a browser on this machine, and everybody inside the shared folder."""

import sys
from types import SimpleNamespace

import pytest

from views.shared import visitor

HERE = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        (None, HERE),
        ("127.0.0.2", {"Host": "127.0.0.1:8501", "Origin": "http://127.0.0.1:8501"}),
        (None, {"Host": "[::1]:8501", "Origin": "http://[::1]:8501"}),
        (None, {"Host": "localhost"}),
    ],
)
def test_a_browser_on_this_machine_is_here(address, headers):
    assert visitor.is_here(address, headers)


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.168.1.7", HERE),
        ("203.0.113.9", HERE),
        ("nonsense", HERE),
        (None, {}),
        (None, {"Host": "lunglens.example.org", "Origin": "https://lunglens.example.org"}),
        (None, {"Host": "localhost:8501", "Origin": "https://elsewhere.example"}),
        (None, {"Host": "localhost:8501", "Origin": "null"}),
        (None, {"Host": "localhost.example.org"}),
        (None, {"Host": "[::1"}),
        (None, HERE | {"X-Forwarded-For": "127.0.0.1"}),
        (None, HERE | {"Forwarded": "for=203.0.113.9"}),
        (None, HERE | {"X-Real-Ip": "203.0.113.9"}),
        (None, HERE | {"Via": "1.1 proxy"}),
    ],
)
def test_anybody_else_is_not(address, headers):
    assert not visitor.is_here(address, headers)


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege on Windows")
def test_a_stranger_is_kept_inside_the_shared_folder(tmp_path, monkeypatch):
    shared, outside = tmp_path / "shared", tmp_path / "outside"
    for folder in (shared / "inner", outside, tmp_path / "shared too"):
        folder.mkdir(parents=True)
    (shared / "way out").symlink_to(outside)
    stranger = SimpleNamespace(ip_address="203.0.113.9", headers=HERE)
    monkeypatch.setattr(visitor.st, "context", stranger)
    assert not visitor.may_read(shared)
    monkeypatch.setenv("LUNGLENS_FOLDER", str(shared))
    assert visitor.may_read(shared)
    assert visitor.may_read(shared / "inner")
    for path in ("..", "../outside", "inner/../../outside", "way out", "../shared too"):
        assert not visitor.may_read(shared / path)
    monkeypatch.setattr(visitor.st, "context", SimpleNamespace(ip_address=None, headers=HERE))
    assert visitor.may_read(outside)
