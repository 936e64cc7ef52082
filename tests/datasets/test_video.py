"""The format ``video``: files and folders of frames become sequences."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dashboard.datasets.opening import open_dataset
from dashboard.datasets.video import Cut, Video
from dashboard.errors import InputError
from tests.datasets.films import film, number_of, numbered
from tests.datasets.pictures import encode, gradient, write


def frames(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        (folder / name).write_bytes(encode(numbered(i), "PNG"))
    return folder


def opened(path: Path, **options: str):
    return open_dataset(path, task="tracking", options=options)


def test_a_video(tmp_path):
    data = opened(film(tmp_path / "street.mp4"))
    assert (data.name, data.format, data.task, data.class_names, data.has_truth) == (
        "street",
        "video",
        "tracking",
        (),
        False,
    )
    (info,) = data.sequences
    assert (info.name, info.start, info.stop, info.fps, info.size) == ("street", 0, 40, 25.0, (48, 64))
    assert info.video == tmp_path / "street.mp4"
    assert (data.ids[0], data.ids[-1]) == ("street/000001", "street/000040")
    assert data[6].target is None
    assert data.targets[6] is None
    assert (data[6].sequence, data[6].frame, number_of(data[6].image)) == ("street", 7, 6)
    assert number_of(data[-1].image) == 39


def test_frames_are_in_natural_order(tmp_path):
    data = opened(frames(tmp_path / "walk", ["1.png", "2.png", "10.png", "11.png"]), fps="10")
    assert [number_of(s.image) for s in data] == [0, 1, 2, 3]
    (info,) = data.sequences
    assert (info.name, info.fps, info.video, info.size) == ("walk", 10.0, None, (48, 64))
    np.testing.assert_allclose(info.seconds(), [0, 0.1, 0.2, 0.3])
    assert data[2].source == tmp_path / "walk" / "10.png"


def test_several_of_either(tmp_path):
    film(tmp_path / "b.mp4", count=5)
    film(tmp_path / "b.webm", codec="libvpx", count=6)
    film(tmp_path / "day" / "a.gif", codec="gif", pixels="rgb8", count=4)
    frames(tmp_path / "cam2", ["0.png", "1.png"])
    frames(tmp_path / "cam10", ["0.png", "1.png", "2.png"])
    write(tmp_path / "poster.jpg")
    (tmp_path / "notes.txt").write_text("nothing")
    data = opened(tmp_path)
    assert [(s.name, len(s)) for s in data.sequences] == [
        ("b.mp4", 5), ("b.webm", 6), ("cam2", 2), ("cam10", 3), ("day/a", 4),
    ]  # fmt: skip
    assert [s.start for s in data.sequences] == [0, 5, 11, 13, 16]
    assert [number_of(s.image) for s in data if s.sequence != "day/a"] == [*range(5), *range(6), 0, 1, 0, 1, 2]
    assert any("2 files that are not a picture" in w and ".txt 1" in w for w in data.warnings)


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({}, range(40)),
        ({"stride": "3"}, range(0, 40, 3)),
        ({"start": "0.4"}, range(10, 40)),
        ({"seconds": "0.2"}, range(5)),
        ({"start": "0.4", "seconds": "0.4", "stride": "4"}, [10, 14, 18]),
        ({"start": "1.56"}, [39]),
    ],
)
def test_a_part(options, taken, tmp_path):
    data = opened(film(tmp_path / "film.mp4"), **options)
    assert [number_of(s.image) for s in data] == list(taken)
    assert [s.frame for s in data] == list(range(1, len(data) + 1))
    (info,) = data.sequences
    np.testing.assert_allclose(info.seconds(), (np.array(taken) - taken[0]) / 25, atol=1e-6)
    assert info.fps == pytest.approx(25 / int(options.get("stride", 1)))
    assert (data.fingerprint == opened(tmp_path / "film.mp4").fingerprint) == (not options)


@pytest.mark.parametrize(
    "options",
    [
        {"fps": "0"},
        {"fps": "x"},
        {"stride": "0"},
        {"stride": "1.5"},
        {"start": "-1"},
        {"seconds": "nan"},
        {"stride": "-2"},
    ],
)
def test_options_out_of_range(options, tmp_path):
    (name, value), *_ = options.items()
    with pytest.raises(InputError, match=f"option {name}={value}: it must be a"):
        opened(film(tmp_path / "film.mp4", count=3), **options)


def test_nothing_left(tmp_path):
    with pytest.raises(InputError, match=r"film\.mp4 lasts 0\.40 seconds: no frame is left"):
        opened(film(tmp_path / "film.mp4", count=10), start="2")


def test_frames_of_several_sizes_are_named(tmp_path):
    frames(tmp_path / "walk", ["1.png", "2.png"])
    (tmp_path / "walk" / "3.png").write_bytes(encode(gradient(20, 30), "PNG"))
    with pytest.raises(InputError, match=r"1\.png has 64 x 48 pixels and 3\.png has 30 x 20"):
        opened(tmp_path / "walk")


def test_an_unreadable_frame_is_named(tmp_path):
    frames(tmp_path / "walk", ["1.png", "2.png"])
    (tmp_path / "walk" / "3.png").write_text("no picture")
    with pytest.raises(InputError, match=r"3\.png is not an image"):
        opened(tmp_path / "walk")


@pytest.mark.parametrize("name", ["gt/gt.txt", "det/det.txt", "seqinfo.ini"])
def test_motchallenge_is_another_format(name, tmp_path):
    frames(tmp_path / "S" / "img1", ["1.png", "2.png"])
    assert Video().detect(tmp_path)
    (tmp_path / "S" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "S" / name).write_text("")
    assert not Video().detect(tmp_path)


def test_the_end_of_a_part_is_not_in_it():
    times = np.array([0, 0.1, 0.35, 0.4, 0.9])
    assert Cut(start=0.1, seconds=0.3).places(times).tolist() == [1, 2]
    assert Cut(start=0.1, stride=2).places(times).tolist() == [1, 3]


def test_decoders_are_not_kept_for_all(tmp_path):
    for i in range(6):
        film(tmp_path / f"{i}.mp4", count=8)
    data = opened(tmp_path)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(number_of, pool.map(data.frame, range(48)))) == [i % 8 for i in range(48)]
    assert sum(v._decoder._container is not None for v in data.videos) <= 3
    video = weakref.ref(data.videos[0])
    del data
    gc.collect()
    assert video() is None


def test_a_touched_file_is_other_data(tmp_path):
    path = film(tmp_path / "film.mp4", count=5)
    before = opened(path).fingerprint
    assert opened(path).fingerprint == before
    film(path, count=6)
    assert opened(path).fingerprint != before
