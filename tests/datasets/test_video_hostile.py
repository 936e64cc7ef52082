"""Files that are no videos, or not to be trusted: one sentence each, naming the file and what to do."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import zipfile

import pytest

from dashboard.datasets import videofile_open
from dashboard.datasets.opening import open_dataset
from dashboard.datasets.videofile import MAX_PUBLIC_MINUTES, open_video
from dashboard.errors import InputError
from tests.datasets.films import film, sound
from tests.datasets.pictures import encode, gradient


def refused(path, *words: str, **options) -> str:
    with pytest.raises(InputError) as caught:
        open_video(path, **options)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    for word in words:
        assert word in text, text
    return text


def test_files_that_are_not_there(tmp_path):
    refused(tmp_path / "none.mp4", "does not exist")
    refused(tmp_path, "is a folder")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    refused(empty, "is empty (0 bytes)")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("notes.mp4", b"these are notes\n" * 50, ("is not a video that can be read",)),
        ("zeros.mkv", bytes(5000), ("is not a video that can be read",)),
        ("photo.mp4", encode(gradient()), ("is a picture, not a video", "a folder of frames")),
        ("photo.png", encode(gradient(), "PNG"), ("is a picture, not a video",)),
        ("still.gif", encode(gradient(), "GIF"), ("holds a single picture",)),
        ("still.avif", encode(gradient(), "AVIF"), ("holds a single picture",)),
        ("half.mp4", b"\0\0\0\x20ftypisom" + bytes(2000), ("truncated or damaged MP4",)),
        ("half.mkv", b"\x1aE\xdf\xa3" + bytes(2000), ("truncated or damaged video",)),
        ("half.avi", b"RIFF\x20\0\0\0AVI LIST" + bytes(20), ("truncated or damaged video",)),
    ],
)
def test_no_videos(name, data, words, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    refused(path, *words)


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8"])
@pytest.mark.parametrize(
    "head", ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n", "ffconcat version 1.0\nfile '{}'\n"]
)
def test_files_that_name_other_files_are_not_followed(name, head, tmp_path):
    secret = film(tmp_path / "secret.ts", count=4)
    path = tmp_path / name
    path.write_text(head.format(secret.name))
    refused(path, "is not a video that can be read")


def test_a_pattern_in_the_name_is_a_name(tmp_path):
    for i in range(3):
        (tmp_path / f"f{i}.jpg").write_bytes(encode(gradient(seed=i)))
    refused(tmp_path / "f%d.jpg", "does not exist")


@pytest.mark.parametrize(
    ("name", "codec"), [("a.m4a", "aac"), ("a.mp4", "aac"), ("a.wav", "pcm_s16le"), ("a.flac", "flac")]
)
def test_only_sound(name, codec, tmp_path):
    refused(sound(tmp_path / name, codec), "has only sound, no video")


def test_a_cover_picture_is_no_video(tmp_path):
    path = sound(tmp_path / "song.mp4", "aac", cover=gradient())
    refused(path, "has sound and a cover picture but no video")


def test_truncated_before_its_index(tmp_path):
    path = film(tmp_path / "film.mp4")  # the index stands at the end
    path.write_bytes(path.read_bytes()[:-600])
    refused(path, "truncated or damaged MP4 or MOV", "moov")


def test_no_frames(tmp_path):
    path = film(tmp_path / "film.avi", count=3, options={"bf": "0"}, skip=3)
    refused(path, "no frames that can be read")


def test_unknown_codec(tmp_path):
    path = film(tmp_path / "film.mp4", count=3)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9"))
    refused(path, "a codec that is not known here", "convert it to H.264 (MP4)")


def test_protected(tmp_path):
    keys = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "01" * 16}
    refused(film(tmp_path / "film.mp4", container=keys), "protected (DRM)", "without protection")


def resize_headers(path, container: bool) -> None:
    """Let every JPEG frame say that it has 20,000 x 20,000 pixels (JPEG's SOF0), and the AVI header too if asked."""
    data = bytearray(path.read_bytes())
    place = -1
    while (place := data.find(b"\xff\xc0", place + 1)) >= 0:
        data[place + 5 : place + 9] = struct.pack(">HH", 20_000, 20_000)
    if container:
        place = data.index(b"strf") + 12  # BITMAPINFOHEADER's width and height
        data[place : place + 8] = struct.pack("<II", 20_000, 20_000)
    path.write_bytes(data)


@pytest.mark.parametrize("container", [False, True])
def test_absurd_size(container, tmp_path):
    path = film(tmp_path / "film.avi", codec="mjpeg", pixels="yuvj420p", count=2)
    resize_headers(path, container)
    refused(path, "no frame can be decoded")


def test_size_beyond_the_limit(tmp_path, monkeypatch):
    path = film(tmp_path / "film.mp4", count=2)
    monkeypatch.setattr(videofile_open, "MAX_PIXELS", 64 * 48 - 1)
    refused(path, "64 x 48 pixels", "more than the limit of 3,071", "scale it down")
    monkeypatch.setattr(videofile_open, "MAX_PIXELS", 64 * 48)
    assert open_video(path).frames == 2


def test_too_long_for_a_server(tmp_path):
    """Four hours: 8 frames 30 minutes apart, refused by the header, or by its packets where there is no duration."""
    for name in ("film.mp4", "film.ts"):
        path = film(tmp_path / name, count=8, ms=[1_800_000 * i for i in range(8)], options={"bf": "0"})
        text = refused(
            path, "more than the limit of 5 minutes", "cut it", "own machine", longest_s=60 * MAX_PUBLIC_MINUTES
        )
        assert "hours" in text or "minutes" in text
        assert open_video(path).frames == 8
    with pytest.raises(InputError, match="more than the limit of 30 seconds"):
        open_dataset(path, task="tracking", options={"longest_s": "30"})


def test_many_short_ones_are_long_together(tmp_path):
    for i in range(3):
        film(tmp_path / f"{i}.mp4", count=25)
    assert len(open_dataset(tmp_path, task="tracking", options={"longest_s": "3"})) == 75
    with pytest.raises(InputError, match=r"lasts 3 seconds, more than the limit of 2 seconds"):
        open_dataset(tmp_path, task="tracking", options={"longest_s": "2.5"})


def test_many_frames_in_little_time(tmp_path):
    """A server's limit is on what there is to do, not only on what a clock says."""
    path = film(tmp_path / "fast.mp4", count=70, ms=range(70))
    assert len(open_dataset(path, task="tracking")) == 70
    with pytest.raises(InputError, match=r"fast\.mp4 has 70 frames or more, more than the limit of 60 here: cut it"):
        open_dataset(path, task="tracking", options={"longest_s": "1"})
    assert len(open_dataset(path, task="tracking", options={"longest_s": "1", "stride": "2"})) == 35


@pytest.mark.parametrize("name", ["pipe.gif", "pipe.mp4", "pipe.png"])
def test_a_pipe_among_videos_keeps_nobody(name, tmp_path):
    film(tmp_path / "film.mp4", count=3)
    os.mkfifo(tmp_path / name)
    opener = threading.Timer(10, lambda: (tmp_path / name).write_bytes(b""))  # who waits for it fails, not the suite
    opener.daemon = True
    opener.start()
    data = open_dataset(tmp_path, task="tracking")
    assert opener.is_alive()
    opener.cancel()
    assert (len(data), data.warnings) == (3, ("1 file that is not a picture passed over (no ordinary file 1).",))


def test_decoders_say_nothing_of_their_own(tmp_path):
    path = film(tmp_path / "half.mp4")
    path.write_bytes(path.read_bytes()[:600])
    code = f"from dashboard.datasets.videofile import open_video; open_video({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = done.stderr.splitlines()
    assert "truncated or damaged MP4" in said[-1]
    assert not [line for line in said if line.startswith("[")], done.stderr  # FFmpeg's lines


def test_dropped_files(tmp_path):
    strange = tmp_path / "Ferien 2024 — пляж (1).MP4.download"
    film(tmp_path / "film.mp4", count=3).rename(strange)
    data = open_dataset(strange, task="tracking")
    assert data.ids[0].endswith("/000001")
    assert data.name == "Ferien 2024 — пляж (1).MP4"
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(encode(gradient()))
    with pytest.raises(InputError, match="single picture"):
        open_dataset(photo, task="tracking")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    with pytest.raises(InputError, match=r"broken\.mp4 is a truncated"):
        open_dataset(broken, task="tracking")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="empty: give a video, a folder of frames"):
        open_dataset(tmp_path / "nothing", task="tracking")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(broken, "clips/broken.mp4")
    with pytest.raises(InputError, match=r"z\.zip.*broken\.mp4 is a truncated"):
        open_dataset(tmp_path / "z.zip", task="tracking", cache_dir=tmp_path / "cache")
