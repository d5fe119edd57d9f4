"""Fetching X-rays: what came is whole or the reason is said, and a broken download goes on where it stopped."""

import errno
import hashlib
import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from cases.collections import open_collection
from train import download
from train.__main__ import main


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGLENS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


class TestChestXray:
    @staticmethod
    def films(missing=0):
        """A stand-in for Kaggle that writes empty files under the names of the set's folders."""

        def write(handle, output_dir):
            for (split, label), count in download.EXPECTED.items():
                folder = Path(output_dir) / "chest_xray" / split / ("NORMAL", "PNEUMONIA")[label]
                folder.mkdir(parents=True)
                for number in range(count - (missing if split == "test" else 0)):
                    (folder / f"person{number}_virus_{number}.jpeg").touch()

        return patch("kagglehub.dataset_download", side_effect=write)

    def test_films_that_came_whole_are_found_and_not_fetched_again(self, data, capsys):
        with self.films() as kaggle:
            assert main(["download"]) == main(["download", "chest_xray"]) == 0
        assert kaggle.call_count == 1
        assert str(data / "chest_xray") in capsys.readouterr().out

    def test_missing_images_are_counted(self, capsys):
        with self.films(missing=4):
            assert main(["download"]) == 2
        assert "230 of 234 in test/N" in capsys.readouterr().err

    def test_without_a_network_the_ways_out_are_named(self, capsys):
        with patch("kagglehub.dataset_download", side_effect=ConnectionError("no network")):
            assert main(["download"]) == 2
        printed = capsys.readouterr().err
        assert "no network" in printed
        assert "LUNGLENS_DATA" in printed


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


class Zenodo(ThreadingHTTPServer):
    """A server on loopback that has one file. breaks: how many answers end half way. ranges: whether it can send a
    rest. asked: the Range headers it saw."""

    def __init__(self, content: bytes, breaks: int = 0, ranges: bool = True):
        super().__init__(("127.0.0.1", 0), Answer)
        self.content, self.breaks, self.ranges, self.asked = content, breaks, ranges, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        asked, content = self.headers["Range"], self.server.content
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if self.path != "/pneumoniamnist_64.npz?download=1":
            self.send_error(404)
            return
        if self.server.ranges and start >= len(content):
            self.send_error(416)
            return
        rest = content[start:] if self.server.ranges else content
        self.send_response(206 if self.server.ranges else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


class TestMedmnist:
    COMMAND = ("download", "medmnist", "--size", "64")
    CONTENT = archive()

    @pytest.fixture(autouse=True)
    def no_waiting(self, monkeypatch):
        monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
        monkeypatch.setitem(download.MEDMNIST_MD5, 64, hashlib.md5(self.CONTENT).hexdigest())

    @pytest.fixture
    def serve(self, monkeypatch):
        servers = []

        def start(**settings) -> Zenodo:
            servers.append(Zenodo(**{"content": self.CONTENT, **settings}))
            monkeypatch.setattr(download, "ZENODO", servers[-1].address)
            threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
            return servers[-1]

        yield start
        for server in servers:
            server.shutdown()
            server.server_close()

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
