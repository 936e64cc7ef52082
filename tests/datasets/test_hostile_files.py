"""Files that a dataset's folder may hold and that are not what they seem: a sentence or a note, at once."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dashboard.datasets.csv_labels import CsvLabels
from dashboard.datasets.files import FileDataset, _file_digest
from dashboard.datasets.imagefolder import ImageFolder
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.textfiles import read_text
from tests.datasets.pictures import write

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


def pets(tmp_path: Path) -> Path:
    for name in ("cat/1.png", "cat/2.png", "dog/3.png"):
        write(tmp_path / "pets" / name)
    return tmp_path / "pets"


def refused(path: Path | str, match: str) -> str:
    with pytest.raises(InputError, match=match) as info:
        open_dataset(path)
    text = str(info.value)
    assert "\n" not in text
    assert len(text) < 1000
    text.encode()
    return text


@needs_pipes
class TestPipesAndSockets:
    def test_among_the_pictures(self, tmp_path):
        root = pets(tmp_path)
        os.mkfifo(root / "cat" / "pipe.png")
        os.mkfifo(root / "loose.png")
        here = os.getcwd()
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(root / "dog")  # a socket's path must be short
            try:
                server.bind("socket.png")
            finally:
                os.chdir(here)
            data = open_dataset(root)
        assert data.ids == ["cat/1.png", "cat/2.png", "dog/3.png"]
        assert data.fingerprint == open_dataset(pets(tmp_path / "other")).fingerprint
        assert any(
            w.startswith("3 files that are not a picture passed over (no ordinary file 3") for w in data.warnings
        )

    def test_a_folder_of_nothing_else(self, tmp_path):
        (tmp_path / "set" / "cat").mkdir(parents=True)
        os.mkfifo(tmp_path / "set" / "cat" / "pipe.png")
        refused(tmp_path / "set", "no pictures")

    @pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.png", "a.zip", "a"])
    def test_as_a_dataset(self, tmp_path, name):
        os.mkfifo(tmp_path / name)
        assert not CsvLabels().detect(tmp_path / name)
        refused(tmp_path / name, "a" + name[1:])

    def test_as_the_csv_of_a_folder(self, tmp_path):
        os.mkfifo(tmp_path / "labels.csv")
        refused(tmp_path, r"labels\.csv .*ordinary file")

    def test_as_text(self, tmp_path):
        os.mkfifo(tmp_path / "names.txt")
        for path in (tmp_path / "names.txt", "/dev/zero"):
            with pytest.raises(InputError, match="no ordinary file"):
                read_text(path)

    def test_put_in_the_place_of_a_picture(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.png")
        assert _file_digest(str(tmp_path / "pipe.png")) == _file_digest(str(tmp_path / "absent.png"))


@pytest.mark.parametrize("ending", ["bmp", "tiff", "PGM"])
def test_pixels_changed_in_the_middle_of_an_unpacked_picture_are_seen(tmp_path, ending):
    file = tmp_path / f"1.{ending}"
    file.write_bytes(bytes(100_000))
    before = _file_digest(str(file))
    file.write_bytes(bytes(50_000) + b"x" + bytes(49_999))
    assert _file_digest(str(file)) != before


def test_a_link_that_leads_nowhere_is_kept_to_be_reported(tmp_path):
    root = pets(tmp_path)
    (root / "cat" / "gone.png").symlink_to(tmp_path / "gone.png")
    assert "cat/gone.png" in open_dataset(root).ids


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
class TestNamesThatAreNoText:
    def test_files_are_passed_over(self, tmp_path):
        root = pets(tmp_path)
        for i in range(2):
            (Path(os.fsdecode(os.fsencode(root / "cat") + b"/%d\xff\xfe.png" % i))).write_bytes(b"x")
        data = open_dataset(root)
        assert data.ids == ["cat/1.png", "cat/2.png", "dog/3.png"]
        assert any("2 files" in w and "name that is not UTF-8 2" in w for w in data.warnings)
        "".join(data.warnings).encode()

    def test_folders_within_a_class(self, tmp_path):
        root = pets(tmp_path)
        folder = Path(os.fsdecode(os.fsencode(root / "cat") + b"/\xff"))
        folder.mkdir()
        (folder / "1.png").write_bytes(b"x")
        assert len(open_dataset(root)) == 3

    def test_a_class(self, tmp_path):
        root = pets(tmp_path)
        os.rename(root / "dog", os.fsdecode(os.fsencode(root) + b"/dog\xff"))
        assert r"'dog\xff'" in refused(root, "not UTF-8.*rename")

    def test_a_class_beside_formats_own_call(self, tmp_path):
        root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
        pets(tmp_path).rename(root)
        with pytest.raises(InputError, match="not UTF-8"):
            ImageFolder().open(root, {})

    @pytest.mark.parametrize("name", [b"\xff", b"\xff.csv", b"\xff.zip", b"absent\xff"])
    def test_the_dataset(self, tmp_path, name):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
        if not name.startswith(b"absent"):
            Path(path).write_bytes(b"path,label\n")
        refused(path, "not UTF-8")


class TestTablesThatAreNone:
    @pytest.mark.parametrize(
        ("text", "match"),
        [
            (b"pa\rth,label\na.png,cat\n", r"line 1: the header .*columns are pa$"),
            (b"x" * 200_000 + b"\n", r"line 1: the header .*columns are x+"),
            (b'path,label,"' + b"x" * 200_000 + b"\na.png,1,2\n", r"line 1: the header"),
            (b'path,label,"' + b"x\r" * 200_000, r"line 2"),
            (bytes(range(1, 128)) * 40, r"line 1"),
            (b"," * 100_000 + b"\n", r"line 1: the header"),
            (bytes(range(256)) * 20, "not UTF-8|not a text"),
        ],
    )
    @pytest.mark.parametrize("suffix", ["csv", "tsv"])
    def test_refused(self, tmp_path, text, match, suffix):
        file = tmp_path / f"labels.{suffix}"
        file.write_bytes(text)
        assert str(file) in refused(file, match)
        refused(tmp_path, match)

    @pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_line_ends(self, tmp_path, end, encoding):
        pets(tmp_path)
        text = f'path,label{end}{end}pets/cat/1.png,"ca t"{end}pets/dog/3.png,d\u2028og{end}'
        (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
        data = open_dataset(tmp_path / "labels.csv")
        assert data.ids == ["pets/cat/1.png", "pets/dog/3.png"]
        assert data.class_names == ("ca t", "d\u2028og")

    def test_lines_are_counted_by_any_end(self, tmp_path):
        (tmp_path / "labels.csv").write_bytes(b"path,label\ra.png,cat\rb.png\r")
        refused(tmp_path / "labels.csv", r"line 3: 1 cells")

    def test_classes_that_are_enormous_numbers(self, tmp_path):
        pets(tmp_path)
        big = "9" * 5000
        (tmp_path / "labels.csv").write_text(f"path,label\npets/cat/1.png,{big}\npets/dog/3.png,3\n")
        data = open_dataset(tmp_path / "labels.csv")
        assert isinstance(data, FileDataset)
        assert data.class_names == ("3", big)
