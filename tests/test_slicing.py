"""What is known of samples: measured, kept, read from names and from a person's table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dashboard.errors import InputError
from dashboard.metrics.slices import Attribute
from dashboard.slicing import measuring, tags
from dashboard.slicing.attributes import _different, _folders, _renamed, numeric, tagged, telling
from dashboard.slicing.measuring import Measurings, kept, measure, measure_all, missing
from dashboard.slicing.tags import read_tags
from tests.fakes import FakeDataset

ROOT = Path(__file__).resolve().parents[1]
IDS = ["cats/a 1.jpg", "cats/b.jpg", "dogs/a 1.jpg", "dogs/c.png"]


def test_a_grey_picture_by_hand() -> None:
    picture = np.full((40, 60, 3), 100, np.uint8)
    assert measure(picture) == (60, 40, 100, 0, 0)
    picture[:, 30:] = 200
    width, height, mean, deviation, rough = measure(picture)
    assert (width, height, mean, deviation) == (60, 40, 150, 50)
    assert rough == pytest.approx(np.var(cv2.Laplacian(picture[..., 0].astype(np.float32), cv2.CV_32F)), rel=1e-4)


def test_luma_weighs_colours_as_bt_601() -> None:
    for channel, weight in enumerate((0.299, 0.587, 0.114)):
        picture = np.zeros((8, 8, 3), np.uint8)
        picture[..., channel] = 200
        assert measure(picture)[2] == pytest.approx(200 * weight, abs=0.51)


def test_a_blurred_picture_is_less_sharp_and_size_does_not_count() -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (256, 384, 3), np.uint8)
    sharp = cv2.resize(small, (1536, 1024), interpolation=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 8)
    assert measure(blurred)[4] < measure(sharp)[4] / 10
    twice = cv2.resize(sharp, (3072, 2048), interpolation=cv2.INTER_NEAREST)
    assert measure(twice)[4] == pytest.approx(measure(sharp)[4], rel=0.05)


def test_measurements_are_kept_and_only_what_is_missing_is_read(tmp_path) -> None:
    data = FakeDataset(40, unreadable=[7])
    first = measure_all(data, tmp_path, np.arange(10))
    assert sorted(data.loaded) == list(range(10))
    assert first["width"][:10].tolist() == [4.0] * 7 + [0.0] + [4.0] * 2
    assert np.isnan(first["brightness"][7])
    data.loaded.clear()
    again = measure_all(data, tmp_path, np.arange(5, 15))
    assert sorted(data.loaded) == list(range(10, 15))
    assert len(missing(again, np.arange(15))) == 0
    assert len(missing(kept(data, tmp_path), np.arange(40))) == 25
    other = FakeDataset(40, fingerprint="data-2")
    assert len(missing(kept(other, tmp_path), np.arange(40))) == 40
    assert [f.suffix for f in tmp_path.iterdir()] == [".parquet"]


def test_a_damaged_file_is_measured_again(tmp_path) -> None:
    data = FakeDataset(6)
    (tmp_path / f"attributes-{data.fingerprint}.parquet").write_bytes(b"PAR1 not really")
    assert not np.isnan(measure_all(data, tmp_path, np.arange(6))["width"]).any()


def test_a_disk_that_cannot_be_written_is_no_obstacle(tmp_path) -> None:
    (tmp_path / "file").write_text("not a folder")
    found = measure_all(FakeDataset(6), tmp_path / "file" / "pictures", np.arange(6))
    assert not np.isnan(found["width"]).any()


def test_measuring_goes_on_behind_the_page(tmp_path, monkeypatch) -> None:
    data, all_of_it = FakeDataset(30), np.arange(30)
    run = Measurings(tmp_path)
    slow = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda image: (measuring.threading.Event().wait(0.02), slow(image))[1])
    _, making = run.ask(data, all_of_it, patience=0.0)
    assert making is not None
    assert making.total == 30
    assert run.ask(data, all_of_it, patience=0.0)[1] in (making, None)  # it is not begun twice
    found, none = run.ask(data, all_of_it, patience=30)
    assert none is None
    assert not np.isnan(found["width"]).any()
    assert making.done == 30
    assert len(data.loaded) == 30


def test_where_nothing_can_be_kept_it_is_measured_once(tmp_path) -> None:
    (tmp_path / "file").write_text("not a folder")
    run, data = Measurings(tmp_path / "file" / "pictures"), FakeDataset(30)
    for _ in range(3):
        found, making = run.ask(data, np.arange(20), patience=30)
        assert making is None
        assert not np.isnan(found["width"][:20]).any()
    assert len(data.loaded) == 20
    assert run.ask(data, np.arange(30), patience=30)[1] is None  # others are wanted, too
    assert len(data.loaded) == 50


def test_what_cannot_be_measured_is_said(tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise InputError("the data are gone")

    monkeypatch.setattr(measuring, "measure_all", full)
    run = Measurings(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match="the data are gone"):
            run.ask(FakeDataset(5), np.arange(5), patience=30)


SLOW = """
import sys, time, numpy as np
from pathlib import Path
from dashboard.metrics.slices import Attribute
from dashboard.slicing import measuring, tags
from tests.fakes import FakeDataset
measuring.measure = lambda image: time.sleep(0.05) or (1.0,) * 5
measuring.BLOCK = 16
print(measuring.Measurings(Path(sys.argv[1])).ask(FakeDataset(4000), np.arange(4000), 0.1)[1].total)
"""


def test_the_program_ends_while_pictures_are_measured(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SLOW, str(tmp_path)], capture_output=True, text=True, timeout=40, check=True, cwd=ROOT
    )
    assert done.stdout == "4000\n"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("values", "labels", "codes"),
    [
        ([1, 2, 2, np.nan], ["1", "2"], [0, 1, 1, -1]),
        (list(range(1, 9)), ["1 – 2", "3 – 4", "5 – 6", "7 – 8"], [0, 0, 1, 1, 2, 2, 3, 3]),
        (
            [0.11, 0.22, 0.33, 0.44, 0.55, 0.66, 0.77, 0.88],
            ["0.11 – 0.22", "0.33 – 0.44", "0.55 – 0.66", "0.77 – 0.88"],
            [0, 0, 1, 1, 2, 2, 3, 3],
        ),
        ([0] * 6 + list(range(1001, 1009)), ["0", "1,001 – 1,004", "1,005 – 1,008"], [0] * 6 + [1] * 4 + [2] * 4),
        ([1.0001, 1.0002, 1.0003, 1.0004, 7, 8, 9, 9.001], ["1 (1)", "1 (2)", "7 – 8", "9"], [0, 0, 1, 1, 2, 2, 3, 3]),
        ([], [], []),
    ],
)
def test_numbers_have_readable_bins(values, labels, codes) -> None:
    found = numeric("x", np.array(values, np.float64))
    assert list(found.labels) == labels
    assert found.codes.tolist() == codes


def test_tags_are_numbers_if_all_are() -> None:
    text = tagged("weather", ["sun", "", "rain", "sun"])
    assert text is not None
    assert (list(text.labels), text.codes.tolist()) == (["rain", "sun"], [1, -1, 0, 1])
    number = tagged("hour", ["3", "", "12.5", "3"])
    assert number is not None
    assert (list(number.labels), number.codes.tolist()) == (["3", "12.5"], [0, -1, 1, 0])
    dates = tagged("day", ["2011_09_26", "2011_09_28", ""])
    assert dates is not None
    assert (list(dates.labels), dates.codes.tolist()) == (["2011_09_26", "2011_09_28"], [0, 1, -1])
    assert tagged("id", [f"x{i}" for i in range(100)]) is None
    assert tagged("empty", ["", ""]) is None
    same = tagged("same", ["a", "a"])
    assert same is not None
    assert not telling(same)


def test_a_table_of_tags(tmp_path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text(
        "path;weather;hour\ncats/a 1.jpg;sun;3\nC:\\data\\c.png;rain;\n\nb;;12\nnobody.jpg;sun;1\n", "utf-8"
    )
    found = read_tags(file, IDS)
    assert found.columns == {"weather": ["sun", "", "", "rain"], "hour": ["3", "12", "", ""]}
    assert (found.matched, found.unmatched) == (3, 1)
    file.write_text('id,note\n"cats/b.jpg","two, words"\n', "utf-16")
    assert read_tags(file, IDS).columns == {"note": ["", "two, words", "", ""]}
    file.write_text("path,light\n/data/dogs/a 1.jpg,dim\n./cats/a 1.jpg,bright\nD:\\x\\cats\\b.jpg,dim\n", "utf-8")
    assert read_tags(file, IDS).columns == {"light": ["bright", "dim", "dim", ""]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tags.csv is empty"),
        ("weather,hour\nsun,3\n", "line 1: no column is called id or path"),
        ("id\ncats/b.jpg\n", "line 1: there is no column beside"),
        ("id,a,a\ncats/b.jpg,1,2\n", "line 1: two columns of one name"),
        ("id,a\ncats/b.jpg\n", "line 2: 1 cells where the header has 2"),
        ("id,a\ncats/b.jpg,1\nb.jpg,2\n", "lines 2 and 3 are about the same image"),
        ("id,a\nnobody.jpg,1\n", "none of its lines is about an image"),
        ("id,a\na 1.jpg,1\n", "none of its lines is about an image"),  # of two pictures: whose it is cannot be told
        ("id," + ",".join(f"t{i}" for i in range(70)) + "\n", "more than 64 columns"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, said) -> None:
    file = tmp_path / "tags.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        read_tags(file, IDS)


def test_a_stranger_sends_no_huge_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("id,a\ncats/b.jpg,1\n", "utf-8")
    monkeypatch.setattr(tags, "MOST_PUBLIC", file.stat().st_size)
    assert read_tags(file, IDS, public=True).matched == 1
    monkeypatch.setattr(tags, "MOST_PUBLIC", 2_000_000)
    with file.open("ab") as out:
        out.truncate(2_000_001)
    with pytest.raises(InputError, match="larger than 2 MB, too large for a text file: split it"):
        read_tags(file, IDS, public=True)
    with pytest.raises(InputError, match="not a text file"):  # it was read
        read_tags(file, IDS)


def test_folders_are_names_even_if_they_are_numbers() -> None:
    (found,) = _folders(["0010/a.png", "0002/b.png", "c.png", "0002\\d.png"])
    assert (list(found.labels), found.codes.tolist()) == (["0002", "0010"], [1, 0, -1, 0])
    assert _folders(["a.png", "b.png"]) == []
    assert _folders([f"{i}/a.png" for i in range(50)]) == []  # too many to group anything


def test_tags_called_as_something_else_are_told_apart() -> None:
    names = ("class", "has", "has", "brightness", "class", "brightness", "hour")
    found = _renamed([Attribute(name, np.array([0, 1]), ["a", "b"]) for name in names])
    expected = ["class", "has", "has", "brightness", "class (2)", "brightness (2)", "hour"]
    assert [a.name for a in found] == expected


def test_what_groups_alike_counts_once() -> None:
    a = tagged("folder", ["x", "x", "y", "z"])
    b = tagged("sequence", ["2", "2", "1", "3"])
    c = tagged("other", ["2", "1", "1", "3"])
    assert a is not None
    assert b is not None
    assert c is not None
    assert [x.name for x in _different([a, b, c])] == ["folder", "other"]
