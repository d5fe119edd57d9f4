"""Fetching X-rays: what came is whole or the reason is said, and a broken download goes on where it stopped."""

import errno
import hashlib
import io
import os
import shutil
import threading
import zipfile
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from kagglesdk import kaggle_env

from cases.collections import open_collection
from train import download
from train.__main__ import main


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


class Server(ThreadingHTTPServer):
    """A server on loopback that has one file. breaks: how many answers end half way. ranges: whether it can send a
    rest. asked: the Range headers it saw."""

    def __init__(self, path: str, content: bytes, breaks: int = 0, ranges: bool = True):
        super().__init__(("127.0.0.1", 0), Answer)
        self.path, self.content, self.breaks, self.ranges, self.asked = path, content, breaks, ranges, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        asked, content = self.headers["Range"], self.server.content
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if self.path != self.server.path:
            self.send_error(404)
            return
        if self.server.ranges and start >= len(content):
            self.send_error(416)
            return
        rest = content[start:] if self.server.ranges else content
        self.send_response(206 if self.server.ranges and asked else 200)
        self.send_header("Content-Length", str(len(rest)))
        if self.server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        # As Google's storage, from which Kaggle's files come.
        self.send_header("x-goog-hash", f"md5={b64encode(hashlib.md5(content).digest()).decode()}")
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def do_POST(self):
        """Kaggle's API: which version a set has, and where its archive is."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"currentVersionNumber": 2}' if self.path.endswith("/GetDataset") else b""
        self.send_response(200 if body else 302)
        self.send_header("Content-Type", "application/json" if body else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", f"{self.server.address}{self.server.path}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def start():
    """Starts servers, and stops them after the test."""
    servers = []

    def serve(*arguments, **settings) -> Server:
        servers.append(Server(*arguments, **settings))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def films(lost: str = "") -> bytes:
    """An archive of two files for each split and label, but for those whose names hold `lost`."""
    rng, file = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("chest_xray/__MACOSX/._train", b"")
        for split, label in download.EXPECTED:
            for number in range(2):
                name = f"chest_xray/{split}/{('NORMAL', 'PNEUMONIA')[label]}/person{number}_virus_{number}.jpeg"
                if not lost or lost not in name:
                    archive.writestr(name, rng.bytes(400_000))
    return file.getvalue()


def held(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestChestXray:
    """kagglehub itself, which asks a server on loopback in place of Kaggle's."""

    @pytest.fixture(autouse=True)
    def small_and_anonymous(self, monkeypatch, tmp_path):
        monkeypatch.setattr(download, "EXPECTED", dict.fromkeys(download.EXPECTED, 2))
        for name in ("HOME", "KAGGLE_CONFIG_DIR"):
            monkeypatch.setenv(name, str(tmp_path))

    @pytest.fixture
    def serve(self, start, monkeypatch):
        def kaggle(content: bytes, **settings) -> Server:
            server = start("/archive.zip", content, **settings)
            monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.address)
            return server

        return kaggle

    def test_films_that_came_whole_are_found_and_not_fetched_again(self, data, serve, capsys):
        server = serve(films())
        assert main(["download"]) == main(["download", "chest_xray"]) == 0
        assert len(server.asked) == 1
        assert str(data / "chest_xray") in capsys.readouterr().out
        assert held(data) == {"chest_xray"}
        assert len(open_collection("chest_xray").entries("test")) == 4

    def test_a_broken_connection_is_taken_up_where_it_broke(self, data, serve, capsys):
        content = films()
        server = serve(content, breaks=1)
        assert main(["download"]) == 2
        assert "goes on where it stopped" in capsys.readouterr().err
        assert not (data / "chest_xray").exists()
        assert main(["download"]) == 0
        *_, rest = server.asked
        # Less than one of kagglehub's chunks of a mebibyte is lost.
        assert len(content) // 2 - 2**20 <= int(rest[len("bytes=") : -1]) <= len(content) // 2
        assert held(data) == {"chest_xray"}

    def test_what_else_is_in_the_data_folder_stays(self, data, serve):
        others = ("medmnist", "scored", ".cache", "lung_masks")
        for name in others:
            (data / name).mkdir(parents=True)
            (data / name / "file").write_text(name)
        serve(films(), breaks=1)
        assert [main(["download"]) for _ in range(2)] == [2, 0]
        assert held(data) == {"chest_xray", *others}
        assert all((data / name / "file").read_text() == name for name in others)

    def test_films_that_were_deleted_are_fetched_again(self, data, serve):
        serve(films())
        assert main(["download"]) == 0
        shutil.rmtree(data / "chest_xray")
        assert main(["download"]) == 0
        assert (data / "chest_xray" / "test").is_dir()

    def test_missing_images_are_counted_and_fetched_by_the_same_command(self, data, serve, capsys):
        serve(films(lost="test/NORMAL/person1"))
        assert main(["download"]) == 2
        assert "1 of 2 in test/N" in capsys.readouterr().err
        serve(films())
        assert main(["download"]) == 0

    def test_an_archive_of_something_else_is_said_and_not_kept(self, data, serve, capsys):
        for content in (films(lost="person"), b"no archive"):
            serve(content)
            assert main(["download"]) == 2
            assert "Expected the whole set in what Kaggle sent" in capsys.readouterr().err
        serve(films())
        assert main(["download"]) == 0

    def test_an_unpacking_that_was_cut_short_is_begun_again(self, data, serve):
        server = serve(films())
        full = OSError(errno.ENOSPC, "No space left on device")
        with patch("zipfile.ZipFile.extractall", side_effect=full):
            assert main(["download"]) == 2
        assert main(["download"]) == 0
        # Nothing of the archive itself is fetched twice.
        assert server.asked == [None, None]

    def test_films_in_place_that_lack_some_are_left_to_the_person(self, data, serve, capsys):
        serve(films())
        assert main(["download"]) == 0
        next((data / "chest_xray" / "val" / "NORMAL").iterdir()).unlink()
        assert main(["download"]) == 2
        printed = capsys.readouterr().err
        assert "1 of 2 in val/N" in printed
        assert "Delete the folder" in printed

    def test_a_folder_of_that_name_with_other_files_is_not_replaced(self, data, serve, capsys):
        server = serve(films())
        (data / "chest_xray").mkdir(parents=True)
        (data / "chest_xray" / "notes.txt").touch()
        assert main(["download"]) == 2
        assert "Received: something else" in capsys.readouterr().err
        assert held(data / "chest_xray") == {"notes.txt"}
        assert server.asked == []

    def test_the_person_s_own_settings_of_kagglehub_stay(self, serve, monkeypatch, tmp_path):
        monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "theirs"))
        serve(films())
        assert main(["download"]) == 0
        assert os.environ["KAGGLEHUB_CACHE"] == str(tmp_path / "theirs")
        assert "DISABLE_KAGGLE_CACHE" not in os.environ
        assert not (tmp_path / "theirs").exists()

    def test_without_a_network_the_ways_out_are_named(self, serve, capsys):
        server = serve(films())
        server.shutdown()
        server.server_close()
        assert main(["download"]) == 2
        printed = capsys.readouterr().err
        assert "Connection refused" in printed
        assert "LUNGLENS_DATA" in printed


def test_the_films_are_counted_as_they_were_published():
    assert sum(download.EXPECTED.values()) == 5856
    assert sum(count for (split, _), count in download.EXPECTED.items() if split == "test") == 624


def archive() -> bytes:
    """A file as MedMNIST makes them, of random images."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (40, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(40, dtype=np.uint8)[:, np.newaxis] % 2
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


class TestMedmnist:
    COMMAND = ("download", "medmnist", "--size", "64")
    CONTENT = archive()

    @pytest.fixture(autouse=True)
    def no_waiting(self, monkeypatch):
        monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
        monkeypatch.setitem(download.MEDMNIST_MD5, 64, hashlib.md5(self.CONTENT).hexdigest())

    @pytest.fixture
    def serve(self, start, monkeypatch):
        def zenodo(content: bytes = self.CONTENT, **settings) -> Server:
            server = start("/pneumoniamnist_64.npz?download=1", content, **settings)
            monkeypatch.setattr(download, "ZENODO", server.address)
            return server

        return zenodo

    def test_a_file_that_came_whole_is_the_collection_and_not_fetched_again(self, data, serve, capsys):
        server = serve()
        assert main(self.COMMAND) == main(self.COMMAND) == 0
        assert len(server.asked) == 1
        assert str(data / "medmnist" / "pneumoniamnist_64.npz") in capsys.readouterr().out
        assert len(open_collection("medmnist").entries("test")) == 40
        assert [path.name for path in (data / "medmnist").iterdir()] == ["pneumoniamnist_64.npz"]

    def test_a_broken_connection_is_taken_up_where_it_broke(self, data, serve):
        server = serve(breaks=1)
        assert main(self.COMMAND) == 0
        first, second = (int(asked[len("bytes=") : -1]) for asked in server.asked)
        assert first == 0
        # Less than one of pooch's chunks of 1024 bytes is lost.
        assert len(self.CONTENT) // 2 - 1025 <= second < len(self.CONTENT) // 2
        assert (data / "medmnist" / "pneumoniamnist_64.npz").read_bytes() == self.CONTENT

    def test_a_download_given_up_goes_on_with_the_next_command(self, data, serve, capsys):
        server = serve(breaks=3)
        assert main(self.COMMAND) == 2
        assert "goes on where it stopped" in capsys.readouterr().err
        assert main(self.COMMAND) == 0
        starts = [int(asked[len("bytes=") : -1]) for asked in server.asked]
        assert len(starts) == 4
        assert starts == sorted(set(starts))
        assert (data / "medmnist" / "pneumoniamnist_64.npz").read_bytes() == self.CONTENT

    def test_a_part_that_is_whole_already_is_kept(self, data, serve):
        server = serve()
        (data / "medmnist").mkdir(parents=True)
        (data / "medmnist" / "pneumoniamnist_64.npz.part").write_bytes(self.CONTENT)
        assert main(self.COMMAND) == 0
        assert server.asked == [f"bytes={len(self.CONTENT) - 1}-"]

    def test_a_server_that_sends_everything_again_is_put_up_with(self, data, serve):
        server = serve(breaks=1, ranges=False)
        assert main(self.COMMAND) == 0
        assert len(server.asked) == 3
        assert (data / "medmnist" / "pneumoniamnist_64.npz").read_bytes() == self.CONTENT

    def test_a_file_with_another_sum_is_not_kept(self, data, serve, capsys):
        serve(content=self.CONTENT[::-1])
        assert main(self.COMMAND) == 2
        assert "hash" in capsys.readouterr().err
        assert list((data / "medmnist").iterdir()) == []

    def test_a_damaged_file_is_replaced(self, data, serve):
        serve()
        (data / "medmnist").mkdir(parents=True)
        (data / "medmnist" / "pneumoniamnist_64.npz").write_bytes(self.CONTENT[:100])
        assert main(self.COMMAND) == 0
        assert (data / "medmnist" / "pneumoniamnist_64.npz").read_bytes() == self.CONTENT

    def test_without_a_network_the_ways_out_are_named(self, serve, capsys):
        server = serve()
        server.shutdown()
        server.server_close()
        assert main(self.COMMAND) == 2
        printed = capsys.readouterr().err
        assert f"{server.address}/pneumoniamnist_64.npz?download=1" in printed
        assert "LUNGLENS_DATA" in printed

    def test_a_file_that_zenodo_has_no_more_is_said(self, serve, capsys, monkeypatch):
        serve()
        monkeypatch.setattr(download, "file_name", lambda size: "moved.npz")
        assert main(self.COMMAND) == 2
        assert "404" in capsys.readouterr().err

    def test_a_full_disk_is_said(self, serve, capsys):
        serve()
        full = OSError(errno.ENOSPC, "No space left on device")
        with patch("pooch.HTTPDownloader.__call__", side_effect=full):
            assert main(self.COMMAND) == 2
        assert "No space left on device" in capsys.readouterr().err

    def test_there_is_a_sum_for_every_size(self):
        assert set(download.MEDMNIST_MD5) == {28, 64, 128, 224}
        with pytest.raises(SystemExit):
            main(["download", "medmnist", "--size", "100"])
