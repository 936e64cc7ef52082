"""Small random worlds of mask tracks, written as MOTS text: masks of one side never overlap, as the format has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard import masks

SIZE = (20, 28)
REGION = 10
INFO = "[Sequence]\nname={name}\nimDir=img1\nframeRate=10\nseqLength={frames}\nimWidth={width}\nimHeight={height}\n"

Line = tuple[int, int, int, bytes]
"""Frame from 0, identity, class, run lengths."""


def rectangle(left: int, top: int, right: int, bottom: int, size: tuple[int, int] = SIZE) -> bytes:
    """A mask of a rectangle, right and bottom not included."""
    pixels = np.zeros(size, bool)
    pixels[top:bottom, left:right] = True
    return masks.encode(pixels[None])[0]


def text(lines: list[Line], first: int = 1, size: tuple[int, int] = SIZE) -> str:
    """As a file holds them."""
    height, width = size
    rows = (f"{f + first} {i} {c} {height} {width} {mask.decode()}\n" for f, i, c, mask in lines)
    return "".join(rows)


def world(seed: int, frames: int, classes: tuple[int, ...], regions: bool = True) -> tuple[list[Line], list[Line]]:
    """Truth and a tracker's output: things that drift, are missed, swapped, shrunk or misclassed, and ghosts."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    of = rng.choice(classes, count)
    at, speed = rng.uniform(0, 18, (count, 2)), rng.normal(0, 1, (count, 2))
    sides = rng.integers(3, 10, (count, 2))
    names = 2000 + np.arange(count)
    truth: list[Line] = []
    found: list[Line] = []
    for f in range(frames):
        at += speed
        if rng.random() < 0.15:
            names[rng.integers(count)] = 3000 + f
        true, guess = np.zeros(SIZE, np.int64), np.zeros(SIZE, np.int64)
        there = rng.random(count) < 0.9
        for k in np.flatnonzero(there):
            _paint(true, k + 1, at[k], sides[k])
            if rng.random() < 0.85:
                _paint(guess, k + 1, at[k] + rng.normal(0, 0.7, 2), sides[k] - rng.integers(0, 2))
        for ghost in range(int(rng.integers(0, 3))):
            _paint(guess, count + 1 + ghost, rng.uniform(-3, 20, 2), rng.integers(2, 9, 2))
        region = np.zeros(SIZE, np.int64)
        if regions and rng.random() < 0.7:
            for part in (1, 2):  # which may overlap each other
                _paint(region, part, rng.uniform(-3, 20, 2), rng.integers(3, 16, 2))
        for k in np.flatnonzero(there):
            _line(truth, f, 1000 * of[k] + k, of[k], true == k + 1)
        blank = (true == 0) & (region > 0)
        _line(truth, f, 10000, REGION, blank)
        _line(truth, f, 10000, REGION, blank & (np.arange(SIZE[1]) < 20))
        for k in range(count + 2):
            name, kind = (names[k], of[k]) if k < count else (9000 + k, rng.choice(classes))
            _line(found, f, name, rng.choice(classes) if rng.random() < 0.05 else kind, guess == k + 1)
    return truth, found


def write(root: Path, name: str, truth: list[Line], found: list[Line], frames: int, first: int) -> None:
    """One sequence under ``root``, as TrackEval and MOTS20 (``first`` 1) or KITTI MOTS (0) have it."""
    (root / "found" / "data").mkdir(parents=True, exist_ok=True)
    (root / "found" / "data" / f"{name}.txt").write_text(text(found, first))
    if first:
        (root / "truth" / name / "gt").mkdir(parents=True, exist_ok=True)
        (root / "truth" / name / "gt" / "gt.txt").write_text(text(truth, first))
        told = INFO.format(name=name, frames=frames, width=SIZE[1], height=SIZE[0])
        (root / "truth" / name / "seqinfo.ini").write_text(told)
    else:
        (root / "truth" / "label_02").mkdir(parents=True, exist_ok=True)
        (root / "truth" / "label_02" / f"{name}.txt").write_text(text(truth, first))


def _paint(picture: NDArray[np.int64], number: int, at: NDArray[np.float64], sides: NDArray[np.int64]) -> None:
    left, top = np.round(at).astype(int)
    width, height = np.maximum(sides, 1)
    picture[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = number


def _line(lines: list[Line], frame: int, identity: int, number: int, pixels: NDArray[np.bool_]) -> None:
    if pixels.any():
        lines.append((frame, int(identity), int(number), masks.encode(pixels[None])[0]))
