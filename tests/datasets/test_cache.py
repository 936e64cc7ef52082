"""The cache of unpacked archives keeps within its room and takes nothing away that is in use."""

from __future__ import annotations

import gc
import os
import time
import zipfile
from pathlib import Path

import pytest

from dashboard.datasets import cache
from dashboard.datasets.archive import extract_cached
from dashboard.datasets.cache import hold, prune
from dashboard.datasets.opening import open_dataset
from tests.datasets.pictures import write, zip_folder

DAY = 86_400


def unpacked(tmp_path: Path, name: str, days: float) -> Path:
    """An archive in the cache, of about 1000 bytes and last used some days ago."""
    path = tmp_path / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", name * 1000)
    folder = extract_cached(path, tmp_path / "cache").folder
    gc.collect()
    os.utime(folder, (time.time() - days * DAY,) * 2)
    return folder


def left(tmp_path: Path) -> list[str]:
    return sorted(p.name.partition("-")[0] for p in (tmp_path / "cache").iterdir())


def test_what_was_not_used_for_long_goes(tmp_path):
    for name, days in (("b", 13), ("c", 0), ("a", 15)):
        unpacked(tmp_path, name, days)
    assert left(tmp_path) == ["a", "b", "c"]
    unpacked(tmp_path, "d", 0)
    assert left(tmp_path) == ["b", "c", "d"]


@pytest.mark.parametrize(("room", "stays"), [(10_000, "abc"), (2500, "bc"), (1500, "c"), (10, "c")])
def test_the_longest_unused_go_when_there_is_too_much(tmp_path, monkeypatch, room, stays):
    for name, days in (("c", 0), ("b", 1), ("a", 2)):
        unpacked(tmp_path, name, days)
    monkeypatch.setattr(cache, "MOST_BYTES", room)
    prune(tmp_path / "cache")
    assert left(tmp_path) == list(stays), "what was used a moment ago stays in any case"


@pytest.mark.skipif(cache.fcntl is None, reason="no such locks here")
def test_what_is_in_use_stays(tmp_path):
    folder = unpacked(tmp_path, "a", 15)
    one, two = hold(folder), hold(folder)
    os.utime(folder, (0, 0))
    prune(tmp_path / "cache")
    assert folder.exists()
    one.close()
    prune(tmp_path / "cache")
    assert folder.exists()
    two.close()
    prune(tmp_path / "cache")
    assert left(tmp_path) == []
    assert hold(folder) is None


@pytest.mark.skipif(cache.fcntl is None, reason="no such locks here")
def test_a_dataset_keeps_its_files(tmp_path):
    write(tmp_path / "pets" / "cat" / "1.png")
    data = open_dataset(zip_folder(tmp_path / "pets", tmp_path / "pets.zip"), cache_dir=tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    os.utime(folder, (0, 0))
    prune(tmp_path / "cache")
    assert data[0].image.shape == (24, 32, 3)
    del data
    gc.collect()
    prune(tmp_path / "cache")
    assert left(tmp_path) == []


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "cache" / "mine").mkdir(parents=True)
    os.utime(tmp_path / "cache" / "mine", (0, 0))
    prune(tmp_path / "cache")
    prune(tmp_path / "absent")
    assert left(tmp_path) == ["mine"]
