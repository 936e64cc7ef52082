"""Films that browsers play: served under names of their own, and taken away again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dashboard.views import tracks
from dashboard.views.tracks import film_data


def test_copies_go_when_they_are_old_or_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "get_upload_folder", lambda: str(tmp_path / "served"))
    monkeypatch.setattr(tracks, "MOST_BYTES", 250)
    made = []
    for name in "abc":
        film = tmp_path / f"{name}.mp4"
        film.write_bytes(name.encode() * 100)
        os.utime(film, (1, 1))  # however old the video is, its copy is new
        made.append(Path(film_data(film)["path"]))
        time.sleep(0.02)
    assert [copy.exists() for copy in made] == [False, True, True]
    assert made[2].read_bytes() == b"c" * 100
    assert film_data(tmp_path / "b.mp4")["path"] == str(made[1])
    old = time.time() - tracks.KEEP_S - 1
    os.utime(made[1], (old, old))
    film_data(tmp_path / "c.mp4")
    assert [copy.exists() for copy in made] == [False, False, True]
