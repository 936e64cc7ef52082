"""Pictures enhanced elsewhere: which file is whose, and one sentence for each that does not fit."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dashboard.enhancement_import import import_pictures, matched
from dashboard.errors import InputError
from dashboard.types import EnhancedImage

IDS = ["a/baby.png", "a/bird.png", "b/head.png"]


@pytest.mark.parametrize(
    "files",
    [
        ["a/baby.png", "a/bird.jpg", "b/head.bmp"],
        ["baby.png", "bird.png", "head.png"],
        ["baby_x4_SwinIR.png", "birdx4.png", "head-out.png"],
        ["x/y/baby.png", "x/y/bird.png", "z/head.png"],
    ],
)
def test_names_that_belong_together(files: list[str]) -> None:
    assert matched(IDS, files, "folder") == (files, [])


@pytest.mark.parametrize(
    ("ids", "files", "expected", "unused"),
    [
        (
            ["im1.png", "im10.png"],
            ["im10.png", "im1.png"],
            ["im1.png", "im10.png"],
            [],
        ),  # im10 is no im1
        (["im1.png"], ["im12.png"], [None], ["im12.png"]),
        (["im.png", "im_2.png"], ["im_2_out.png", "im_out.png"], ["im_out.png", "im_2_out.png"], []),  # the longest
        (["a.png"], ["a.png", "a_mask.png"], ["a.png"], []),  # the very name comes before one that goes on
        (["u/a.png", "v/a.png"], ["u/a.png", "v/a.png"], ["u/a.png", "v/a.png"], []),
        (["u/a.png", "v/a.png"], ["a.png"], [None, None], ["a.png"]),  # whose is it?
        (["a.png"], ["other.png"], [None], ["other.png"]),
    ],
)
def test_only_what_is_meant(ids: list[str], files: list[str], expected: list[Any], unused: list[str]) -> None:
    assert matched(ids, files, "folder") == (expected, unused)


def test_two_that_could_be_the_same_are_named() -> None:
    with pytest.raises(InputError, match=r"folder: 'a_x2\.png' and 'a_x4\.png' both may be of 'a\.png'"):
        matched(["a.png"], ["a_x2.png", "a_x4.png"], "folder")


def test_what_a_folder_holds_beside_the_very_names_is_noted(tmp_path: Path) -> None:
    black = np.zeros((4, 5, 3), np.uint8)
    found = import_pictures(save(tmp_path / "out", p0=black, p0_mask=black), truth((4, 5)))
    assert found.files == [str(tmp_path / "out" / "p0.png")]
    assert found.notes == ("1 pictures left out, since another has the very name of the dataset's: 'p0_mask.png'.",)


def truth(*sizes: tuple[int, int]) -> Any:
    """Grey references called p0, p1, ..."""
    targets = [EnhancedImage(np.full((*size, 3), 100, np.uint8)) for size in sizes]
    return SimpleNamespace(ids=[f"p{i}.png" for i in range(len(sizes))], targets=targets, name="clean", scale=1)


def save(folder: Path, **pictures: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    for name, pixels in pictures.items():
        assert cv2.imwrite(str(folder / f"{name}.png"), pixels)
    return folder


def test_pictures_are_read_beside_their_references(tmp_path: Path) -> None:
    folder = save(tmp_path / "out", p0=np.full((4, 5, 3), 7, np.uint8), p1=np.full((6, 5), 9, np.uint8))
    found = import_pictures(folder, truth((4, 5), (6, 5)))
    assert found.rows.tolist() == [0, 1]
    assert [found.pair(k)[0].pixels[0, 0].tolist() for k in range(2)] == [[7, 7, 7], [9, 9, 9]]


def test_an_opaque_alpha_says_nothing(tmp_path: Path) -> None:
    rgba = np.full((4, 5, 4), 255, np.uint8)
    found = import_pictures(save(tmp_path / "out", p0=rgba), truth((4, 5)))
    assert found.pair(0)[0].alpha is None


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), "is 4x4 pixels, but its reference p0.png is 5x4"),
        (np.zeros((4, 5, 4), np.uint8), "has transparency, which its reference p0.png has not"),
        (np.zeros((4, 5, 3), np.uint16), "has 16 bits a channel, which its reference p0.png has not"),
        (np.zeros((4, 5), np.uint16), "has 16 bits a channel, which its reference p0.png has not"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    folder = save(tmp_path / "out", p0=pixels)
    with pytest.raises(InputError, match=re.escape(f"{folder / 'p0.png'} {message}")):
        import_pictures(folder, truth((4, 5))).pair(0)


def test_pictures_that_are_missing_or_strange(tmp_path: Path) -> None:
    black = np.zeros((4, 5, 3), np.uint8)
    folder = save(tmp_path / "out", p0=black, q=black)
    data = truth((4, 5), (4, 5))
    with pytest.raises(InputError, match=r"1 of 2 pictures belong to none of the truth: 'q\.png'.*partial=true"):
        import_pictures(folder, data)
    (folder / "q.png").unlink()
    with pytest.raises(InputError, match=r"no picture for 1 of the 2 references: 'p1\.png'.*partial=true"):
        import_pictures(folder, data)
    found = import_pictures(folder, data, partial=True)
    assert len(found) == 1
    assert "p1.png" in found.notes[0]
    assert len(import_pictures(folder, data, limit=1)) == 1
    with pytest.raises(InputError, match="holds no pictures"):
        import_pictures(save(tmp_path / "empty"), data)
    with pytest.raises(InputError, match="does not exist"):
        import_pictures(tmp_path / "nowhere", data)
    with pytest.raises(InputError, match="is no folder or zip"):
        import_pictures(folder / "p0.png", data)
