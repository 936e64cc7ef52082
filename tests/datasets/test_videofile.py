"""Any frame of any video, exactly: its number is in its pixels."""

from __future__ import annotations

import gc
import random
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from dashboard.datasets import videofile
from dashboard.datasets.videofile import open_video
from dashboard.errors import InputError
from tests.datasets.films import film, number_of, numbered
from tests.datasets.pictures import gradient

# Suffix, codec, pixel format, options of the encoder, whether browsers play it as it is.
KINDS = [
    (".mp4", "libx264", "yuv420p", {"bf": "3", "g": "10"}, True),
    (".mp4", "libx264", "yuv420p", {"x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0"}, True),
    (".mov", "libx264", "yuv420p", {"bf": "0"}, True),
    (".mp4", "libx264", "yuv444p", {}, False),
    (".mkv", "libx264", "yuv420p", {"bf": "2", "g": "12"}, False),
    (".ts", "libx264", "yuv420p", {"bf": "2", "g": "12"}, False),
    (".avi", "libx264", "yuv420p", {"bf": "2"}, False),
    (".avi", "mpeg4", "yuv420p", {"bf": "2"}, False),
    (".avi", "mjpeg", "yuvj420p", {}, False),
    (".mpg", "mpeg2video", "yuv420p", {"bf": "2"}, False),
    (".h264", "libx264", "yuv420p", {}, False),
    (".webm", "libvpx", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "16"}, True),
    (".webm", "libvpx-vp9", "yuv420p", {"g": "16"}, True),
    (".mp4", "libx265", "yuv420p", {"x265-params": "log-level=none:keyint=12"}, False),
    (".gif", "gif", "rgb8", {}, False),
]


def has_encoder(codec: str) -> bool:
    import av

    return codec in av.codecs_available


@pytest.mark.parametrize(("suffix", "codec", "pixels", "options", "playable"), KINDS)
def test_every_frame_whatever_the_order(suffix, codec, pixels, options, playable, tmp_path):
    if not has_encoder(codec):
        pytest.skip(f"no encoder {codec}")
    video = open_video(film(tmp_path / f"film{suffix}", codec=codec, pixels=pixels, options=options))
    assert video.frames == len(video) == 40
    np.testing.assert_allclose(video.times, np.arange(40) / 25, atol=1e-3)
    assert video.fps == pytest.approx(25)
    assert video.duration == pytest.approx(1.6, abs=1e-3)
    assert (video.size, video.rotation, video.notes) == ((48, 64), 0, ())
    assert video.playable == playable
    order = list(range(40))
    assert [number_of(video.frame(i)) for i in order] == order
    random.Random(3).shuffle(order)
    assert [number_of(video.frame(i)) for i in order] == order
    assert number_of(video.frame(39)) == 39
    assert number_of(video.frame(0)) == 0
    with pytest.raises(IndexError):
        video.frame(40)
    with pytest.raises(IndexError):
        video.frame(-1)


def test_pixels_are_those_of_opencv(tmp_path):
    path = film(tmp_path / "film.mp4", frames=[gradient(seed=i) for i in range(5)])
    capture, video = cv2.VideoCapture(str(path)), open_video(path)
    assert video.colour == "bt601 limited"
    for i in range(5):
        np.testing.assert_array_equal(video.frame(i), capture.read()[1][..., ::-1])


def test_frames_are_arrays_of_ones_own(tmp_path):
    video = open_video(film(tmp_path / "film.mp4", count=3))
    first = video.frame(1)
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(video.frame(1), kept)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_rate(suffix, tmp_path):
    ms = np.cumsum([0, 10, 200, 33, 33, 1000, 17, 40, 40, 5]).tolist()
    video = open_video(film(tmp_path / f"film{suffix}", count=10, ms=ms, options={"bf": "2"}))
    np.testing.assert_allclose(video.times, np.array(ms) / 1000, atol=1e-3)
    assert video.fps == pytest.approx(9 / (ms[-1] / 1000))
    assert [number_of(video.frame(i)) for i in (9, 2, 5, 0)] == [9, 2, 5, 0]


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_turned_upright(turned, flipped, tmp_path):
    upright = cv2.resize(gradient(), (64, 48))
    stored = np.rot90(upright[:, ::-1] if flipped else upright, -turned // 90)  # shown: turned back, then mirrored
    path = film(tmp_path / "film.mp4", frames=[stored] * 3, turned=turned, flipped=flipped, options={"crf": "5"})
    video = open_video(path)
    assert video.size == (48, 64)
    assert video.rotation == (360 - turned) % 360
    assert video.playable == (not turned and not flipped)
    assert np.abs(video.frame(1).astype(int) - upright).mean() < 4
    if not flipped:  # OpenCV knows of turning only
        np.testing.assert_array_equal(video.frame(0), cv2.VideoCapture(str(path)).read()[1][..., ::-1])


def test_several_threads_at_once(tmp_path, monkeypatch):
    video = open_video(film(tmp_path / "film.mp4", count=120, options={"bf": "3", "g": "50"}))
    size = video.frame(0).size // 2  # YUV 4:2:0 takes half as much as RGB
    monkeypatch.setattr(videofile, "BUFFER_BYTES", 6 * size)
    order = [i + j for i in range(0, 120, 4) for j in (2, 0, 3, 1)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: number_of(video.frame(i)), order)) == order
    with ThreadPoolExecutor(8) as pool:
        jumps = random.Random(5).choices(range(120), k=60)
        assert list(pool.map(lambda i: number_of(video.frame(i)), jumps)) == jumps
    assert video._decoder._bytes <= 9 * size


def test_going_on_decodes_each_frame_once(tmp_path, monkeypatch):
    video = open_video(film(tmp_path / "film.mp4", count=60, options={"g": "20"}))
    seeks = []
    monkeypatch.setattr(video._decoder, "_seek", lambda key, seek=video._decoder._seek: (seeks.append(key), seek(key)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(video.frame, range(60)))
    assert len(seeks) == 1  # the first, which opens the file
    video.frame(3)
    video.frame(4)
    assert len(seeks) <= 2


def test_a_frame_far_ahead_is_reached_from_its_key_frame(tmp_path):
    video = open_video(film(tmp_path / "film.mp4", count=120, options={"g": "30", "bf": "0"}))
    assert number_of(video.frame(100)) == 100
    assert min(video._decoder._kept) >= 90


def test_a_recording_cut_in_the_middle(tmp_path):
    """Nothing is shown before the first key frame: packets 0..9 are lost, and the next key frame is 16."""
    path = film(tmp_path / "film.ts", options={"g": "16", "bf": "0", "sc_threshold": "0"}, skip=10)
    video = open_video(path)
    assert video.frames == 24
    assert [number_of(video.frame(i)) for i in (0, 23, 5)] == [16, 39, 21]


def test_frames_cut_off_by_an_edit_list(tmp_path):
    """Frames before time zero are in the file for others to refer to, and are not shown."""
    path = film(tmp_path / "film.mp4", count=20, ms=[40 * (i - 5) for i in range(20)], options={"bf": "0"})
    video = open_video(path)
    assert [number_of(video.frame(i)) for i in range(video.frames)] == list(range(5, 20))
    assert number_of(video.frame(2)) == 7
    assert video.times[0] == 0
    assert not video.playable


def test_a_cut_short_file_says_so(tmp_path):
    path = film(tmp_path / "film.mp4", options={"g": "1", "qp": "20"}, container={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    video = open_video(path)
    assert 10 < video.frames < 40
    assert f"cut short: 40 frames are announced and {video.frames}" in video.notes[0]
    assert number_of(video.frame(video.frames - 2)) == video.frames - 2


def test_a_damaged_frame_is_named_and_others_are_read(tmp_path):
    import av

    path = film(tmp_path / "film.mkv", codec="mjpeg", pixels="yuvj420p", count=12)
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][7]
        data, raw = bytes(packet), path.read_bytes()
    path.write_bytes(raw.replace(data, bytes(len(data))))
    video = open_video(path)
    assert [number_of(video.frame(i)) for i in (6, 8, 11)] == [6, 8, 11]
    for _ in range(2):
        with pytest.raises(InputError, match=r"film\.mkv: frame 8 of 12 cannot be decoded.*damaged there"):
            video.frame(7)
    assert number_of(video.frame(8)) == 8


def test_a_file_that_goes_away(tmp_path):
    path = film(tmp_path / "film.mp4", count=5)
    video = open_video(path)
    path.unlink()
    with pytest.raises(InputError, match=r"film\.mp4 is not there any more"):
        video.frame(0)


def test_closing_lets_go_and_opens_again(tmp_path):
    video = open_video(film(tmp_path / "film.mp4", count=20))
    assert number_of(video.frame(12)) == 12
    video.close()
    assert video._decoder._container is None
    assert not video._decoder._kept
    assert number_of(video.frame(13)) == 13
    decoder = video._decoder
    del video
    gc.collect()
    assert decoder._container is None


def test_opencv_where_there_is_no_pyav(tmp_path, monkeypatch):
    path = film(tmp_path / "film.mp4", options={"bf": "2"}, turned=90, frames=[numbered(i) for i in range(40)])
    reference = open_video(path)
    expected = [reference.frame(i) for i in range(40)]
    monkeypatch.setitem(sys.modules, "av", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video = open_video(path)
    assert "read by OpenCV, since PyAV is not installed (pip install av)" in video.notes[0]
    assert (video.frames, video.size, video.playable) == (40, (64, 48), False)
    np.testing.assert_allclose(video.times, reference.times, atol=2e-3)
    for i in (3, 4, 30, 2, 39):
        np.testing.assert_array_equal(video.frame(i), expected[i])
    video.close()
    np.testing.assert_array_equal(video.frame(1), expected[1])
