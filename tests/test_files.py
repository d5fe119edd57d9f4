"""Writing a file, or a folder of them, in one step."""

import pytest

from model_zoo.files import replacing, replacing_folder


def test_the_new_file_takes_the_old_one_s_place(tmp_path):
    path = tmp_path / "made" / "rows.csv"
    for text in ("one\r\n", "two ä\n"):
        with replacing(path) as file:
            file.write(text)
        assert path.read_bytes() == text.encode()
    with replacing(path, "wb") as file:
        file.write(b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("stop", [OSError("no space left"), KeyboardInterrupt()])
def test_the_old_file_stays_when_the_writing_stops(tmp_path, stop):
    path = tmp_path / "card.json"
    path.write_text("old")

    def stopped():
        with replacing(path) as file:
            file.write("ne")
            file.flush()
            raise stop

    with pytest.raises(type(stop)):
        stopped()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_old_one_s_place_once_the_block_is_through(tmp_path):
    path = tmp_path / "made" / "alpha"
    for name in ("one", "two"):
        with replacing_folder(path) as folder:
            (folder / name).touch()
            assert folder.name.startswith("."), "a scan of the exports passes it over"
        assert [file.name for file in path.iterdir()] == [name]

    def stopped():
        with replacing_folder(path) as folder:
            (folder / "three").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert [file.name for file in path.iterdir()] == ["two"]
    assert list(path.parent.iterdir()) == [path]
