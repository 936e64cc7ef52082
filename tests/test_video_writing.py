"""Videos for browsers and with tracks drawn in: every frame once, at its time, boxes where they were put."""

from __future__ import annotations

import colorsys
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import video_encoding
from dashboard.datasets.opening import open_dataset
from dashboard.datasets.videofile import open_video
from dashboard.errors import Cancelled, InputError
from dashboard.metrics.tracking.columns import Tracks
from dashboard.track_colours import track_colour
from dashboard.track_drawing import TrackPainter
from dashboard.types import Detections
from dashboard.video_encoding import even_size
from dashboard.video_writing import annotated, proxy, ready, write_video
from tests.datasets.films import film, number_of, numbered
from tests.datasets.pictures import encode, gradient


def tracks(path: Path):
    return open_dataset(path, task="tracking")


def even_rate(count: int):
    return ((i / 25, numbered(i)) for i in range(count))


def boxes(*rows: tuple[int, float, float, float, float]) -> Detections:
    """(id, left, top, right, bottom) each, of class 0."""
    table = np.array(rows, float).reshape(-1, 5)
    return Detections(table[:, 1:], np.zeros(len(table), int), track_ids=table[:, 0].astype(int))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.001, 3), min_size=1, max_size=30))
def test_times_survive(tmp_path_factory, gaps):
    times = np.cumsum(gaps)
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    assert write_video(path, ((t, numbered(i)) for i, t in enumerate(times)), (48, 64)) == len(times)
    video = open_video(path)
    np.testing.assert_allclose(video.times, times - times[0], atol=1e-3)
    assert [number_of(video.frame(i)) for i in range(len(video))] == list(range(len(times)))
    assert video.playable


def test_what_is_written(tmp_path):
    import av

    path = tmp_path / "new folder" / "film.mp4"
    write_video(path, even_rate(30), (48, 64))
    video = open_video(path)
    assert (video.codec, video.colour, video.size, video.fps) == ("h264", "bt709 limited", (48, 64), 25.0)
    assert np.abs(video.frame(7)[20:].astype(int) - numbered(7)[20:]).max() <= 4  # colours come back
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size]
    assert stream.duration * stream.time_base == pytest.approx(30 / 25)  # the last frame lasts as well
    assert [p.pts for p in packets] == [p.dts for p in packets]  # no frames out of order
    assert [i for i, p in enumerate(packets) if p.is_keyframe] == [0, 12, 24]
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")  # begins to play before it is all there
    assert [f.name for f in path.parent.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((47, 63), None, (48, 64)),
        ((48, 64), None, (48, 64)),
        ((1, 3), None, (16, 16)),
        ((2160, 3840), 1280 * 720, (720, 1280)),
        ((1920, 1080), 1280 * 720, (1280, 720)),
        ((720, 1280), 1280 * 720, (720, 1280)),
    ],
)
def test_sizes(size, most, expected):
    assert even_size(size, most) == expected


def broken(count: int):
    yield from even_rate(count)
    raise InputError("film.mp4: frame 6 cannot be decoded")


def test_whole_or_absent(tmp_path):
    stop = threading.Event()
    stop.set()
    for frames, cancel, error in (
        (broken(5), None, InputError),
        (even_rate(5), stop, Cancelled),
        (iter(()), None, InputError),
    ):
        with pytest.raises(error):
            write_video(tmp_path / "film.mp4", frames, (48, 64), cancel=cancel)
        assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_video(tmp_path / "file" / "film.mp4", even_rate(2), (48, 64))


def test_without_an_encoder(tmp_path, monkeypatch):
    monkeypatch.setattr(video_encoding, "_ENCODERS", ("none_such",))
    with pytest.raises(InputError, match=r"H\.264 cannot be written here.*none_such"):
        write_video(tmp_path / "film.mp4", even_rate(2), (48, 64))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"install PyAV \(pip install av\)"):
        write_video(tmp_path / "film.mp4", even_rate(2), (48, 64))
    assert not list(tmp_path.iterdir())


class TestProxy:
    def test_the_original_where_browsers_play_it(self, tmp_path):
        data = tracks(film(tmp_path / "film.mp4"))
        made = proxy(data, 0, tmp_path / "cache")
        assert made.path == tmp_path / "film.mp4"
        assert ready(data, "film", tmp_path / "cache") is not None
        np.testing.assert_array_equal(made.times, data.sequences[0].times)
        assert not (tmp_path / "cache").exists()

    @pytest.mark.parametrize("turned", [90, 180, 270])
    def test_a_turned_video(self, turned, tmp_path):
        data = tracks(film(tmp_path / "film.mp4", frames=[gradient(48, 64)] * 4, turned=turned))
        made = proxy(data, 0, tmp_path / "cache")
        assert made.path.parent == tmp_path / "cache"
        assert made.size == data.sequences[0].size == ((64, 48) if turned % 180 else (48, 64))
        shown = open_video(made.path)
        assert (shown.rotation, shown.playable) == (0, True)
        assert np.abs(shown.frame(2).astype(int) - data[2].image).mean() < 8

    def test_variable_rate(self, tmp_path):
        ms = [0, 10, 400, 433, 700, 2000, 2040, 2041]
        data = tracks(film(tmp_path / "film.mkv", count=8, ms=ms))
        made = proxy(data, 0, tmp_path / "cache")
        shown = open_video(made.path)
        np.testing.assert_allclose(made.times, np.array(ms) / 1000, atol=1e-3)
        np.testing.assert_allclose(shown.times, made.times, atol=1e-6)
        assert [number_of(shown.frame(i)) for i in range(8)] == list(range(8))

    def test_odd_frames_fill_the_video(self, tmp_path):
        folder = tmp_path / "walk"
        folder.mkdir()
        for i in range(20):
            (folder / f"{i}.png").write_bytes(encode(numbered(i, (47, 63)), "PNG"))
        made = proxy(tracks(folder), "walk", tmp_path / "cache")
        shown = open_video(made.path)
        assert made.size == shown.size == (48, 64)
        assert [number_of(shown.frame(i)) for i in range(20)] == list(range(20))
        np.testing.assert_allclose(shown.times, np.arange(20) / 25, atol=1e-3)

    def test_a_part_of_a_video_is_that_part(self, tmp_path):
        film(tmp_path / "film.mp4")
        data = open_dataset(tmp_path / "film.mp4", task="tracking", options={"start": "0.4", "stride": "5"})
        shown = open_video(proxy(data, 0, tmp_path / "cache").path)
        assert [number_of(shown.frame(i)) for i in range(len(shown))] == [10, 15, 20, 25, 30, 35]

    def test_large_ones_become_smaller(self, tmp_path):
        data = tracks(film(tmp_path / "film.mp4", count=3))
        made = proxy(data, 0, tmp_path / "cache", most_pixels=24 * 32)
        assert open_video(made.path).size == made.size == (24, 32)

    def test_made_once_for_all_who_ask(self, tmp_path):
        data = tracks(film(tmp_path / "film.mkv"))
        assert ready(data, 0, tmp_path / "cache") is None
        told: list[tuple[int, int]] = []
        with ThreadPoolExecutor(3) as pool:
            say = lambda done, total: told.append((done, total))  # noqa: E731
            made = list(pool.map(lambda _: proxy(data, data.sequences[0], tmp_path / "cache", say), range(3)))
        assert len({m.path for m in made}) == 1
        assert told == [(i, 40) for i in range(41)]
        assert [f.name for f in (tmp_path / "cache").glob("*.mp4")] == [made[0].path.name]
        again = ready(data, 0, tmp_path / "cache")
        assert again is not None
        np.testing.assert_array_equal(again.times, made[0].times)

    def test_stopped(self, tmp_path):
        data, stop = tracks(film(tmp_path / "film.mkv")), threading.Event()
        with pytest.raises(Cancelled):
            proxy(data, 0, tmp_path / "cache", lambda done, total: stop.set() if done == 5 else None, stop)
        assert not list((tmp_path / "cache").glob("*.mp4"))
        assert proxy(data, 0, tmp_path / "cache").path.is_file()

    def test_a_frame_that_is_gone_shows_the_one_before(self, tmp_path):
        folder = tmp_path / "walk"
        folder.mkdir()
        for i in range(6):
            (folder / f"{i}.png").write_bytes(encode(numbered(i), "PNG"))
        data = tracks(folder)
        (folder / "3.png").unlink()
        shown = open_video(proxy(data, 0, tmp_path / "cache").path)
        assert [number_of(shown.frame(i)) for i in range(6)] == [0, 1, 2, 2, 4, 5]

    def test_without_pictures(self, tmp_path):
        data = tracks(film(tmp_path / "film.mkv"))
        data.sequences = (replace(data.sequences[0], pictures=False),)
        with pytest.raises(InputError, match="frames of film are not here"):
            proxy(data, 0, tmp_path / "cache")
        with pytest.raises(InputError, match="frames of film are not here"):
            annotated(data, 0, lambda k: boxes(), tmp_path / "out.mp4")


def hue(pixel: np.ndarray) -> float:
    return colorsys.rgb_to_hls(*(pixel / 255))[0] * 360


class TestAnnotated:
    def test_boxes_are_where_they_were_put(self, tmp_path):
        """A box goes right by two pixels a frame; each video pixel is 1/4 of the picture's (64 to 256)."""
        grey = [np.full((48, 64, 3), 128, np.uint8)] * 12
        data = tracks(film(tmp_path / "film.mp4", frames=grey))
        annotated(data, 0, lambda k: boxes((5, 8 + 2 * k, 20, 20 + 2 * k, 40)), tmp_path / "out.mp4", trail=0)
        video = open_video(tmp_path / "out.mp4")
        assert (video.size, video.frames) == ((192, 256), 12)
        wanted = hue(np.array(track_colour(5)))
        for k in (0, 4, 11):
            row = video.frame(k)[120].astype(int)  # halfway down the box
            lively = np.flatnonzero(row.max(1) - row.min(1) > 60)
            assert abs(lively.min() - 4 * (8 + 2 * k)) <= 2
            assert abs(lively.max() - (4 * (20 + 2 * k) - 1)) <= 2
            assert abs(hue(row[lively].mean(0)) - wanted) < 20

    def test_from_columns_and_at_odd_sizes(self, tmp_path):
        folder = tmp_path / "walk"
        folder.mkdir()
        for i in range(3):
            (folder / f"{i}.png").write_bytes(encode(np.full((477, 633, 3), 128, np.uint8), "PNG"))
        column = np.array([1])
        found = Tracks(column, np.array([7]), np.array([0]), np.array([[100.0, 100, 300, 400]]), np.array([0.5]))
        annotated(tracks(folder), 0, found, tmp_path / "out.mp4", ["car"])
        video = open_video(tmp_path / "out.mp4")
        assert video.size == (476, 632)
        changed = [np.ptp(video.frame(k)[250].astype(int), axis=1).max() > 60 for k in range(3)]
        assert changed == [False, True, False]

    @pytest.mark.parametrize("ground", [0, 255])
    def test_labels_are_legible_on_dark_and_light(self, ground):
        image = np.full((240, 320, 3), ground, np.uint8)
        for track in range(20):
            canvas = TrackPainter(["car"]).draw(image, boxes((track, 50, 100, 150, 200)))
            plate = canvas[80:99, 50:90].reshape(-1, 3).astype(float)
            luma = plate @ [0.299, 0.587, 0.114]
            assert np.ptp(luma) > 100
        assert (image == ground).all()

    def test_trails_follow_and_end(self):
        painter, image = TrackPainter(trail=5), np.zeros((100, 200, 3), np.uint8)
        for k in range(10):
            canvas = painter.draw(image, boxes((3, 10 * k, 40, 10 * k + 10, 60)))
        trail = np.flatnonzero(canvas[64:, :].max((0, 2)) == 0)  # columns with nothing below the boxes
        assert canvas[60, 60].max() > 0  # where it stood 4 frames ago
        assert canvas[60, 20].max() == 0  # 8 frames ago
        assert len(trail) == 200
        for _ in range(8):
            canvas = painter.draw(image, boxes())
        assert not canvas.any()
        assert not painter._trails

    def test_no_track_no_name_and_edges(self):
        found = Detections(np.array([[-50.0, -50, 500, 500], [0, 0, 0, 0]]), np.array([0, 9]), np.array([0.5, 0.1]))
        canvas = TrackPainter(["行人"]).draw(np.zeros((60, 80, 3), np.uint8), found)
        assert canvas.shape == (60, 80, 3)
        assert canvas.any()


def test_colours():
    """The numbers that the browser has: hue id * 137.508 mod 360, saturation 0.75, lightness 0.55."""
    assert track_colour(0) == (226, 54, 54)
    assert [hue(np.array(track_colour(i))) for i in (1, 2, 100)] == pytest.approx([137.508, 275.016, 70.8], abs=0.6)
    assert len({track_colour(i) for i in range(200)}) == 200
