"""Where a class map is wrong: a state for every pixel, and small pictures with the states drawn over them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dashboard.classmaps import ClassIds
from dashboard.explore.small import MISSED, RIGHT, WRONG, jpeg_uri
from dashboard.types import Image

STATES = ("correct", "missed", "false", "mixed", "ignored", "outside")
"""Of a pixel: right; true but not answered; answered but not true; another class; does not count; not of the class."""
CORRECT, MISSING, FALSE, MIXED, IGNORED, OUTSIDE = range(len(STATES))
MIX = (202, 138, 4)  # RGB of pixels that are taken for another class
GREY = (128, 128, 128)


def error_states(
    truth: ClassIds, found: ClassIds, ignore: int, label: int | None = None, background: int | None = None
) -> NDArray[np.uint8]:
    """(H, W) numbers of ``STATES``.

    With a class: correct, missed or false for it; pixels that it has nothing to do with are outside. Without: wrong
    pixels are missed where the answer is background, false where the truth is, mixed otherwise.

    Args:
        truth: (H, W) map.
        found: likewise.
        ignore: the truth's number for pixels that do not count.
        label: the class to judge.
        background: the number of the background class, if there is one.
    """
    if label is not None:
        true, answered = truth == label, found == label
        states = np.full(truth.shape, OUTSIDE, np.uint8)
        states[true & answered] = CORRECT
        states[true & ~answered] = MISSING
        states[~true & answered] = FALSE
    else:
        states = np.full(truth.shape, MIXED, np.uint8)
        if background is not None:
            states[found == background] = MISSING
            states[truth == background] = FALSE
        states[truth == found] = CORRECT
    states[truth == ignore] = IGNORED
    return states


def only_cell(states: NDArray[np.uint8], truth: ClassIds, found: ClassIds, true: int, predicted: int) -> None:
    """Leave of the states those of one cell of the confusion matrix; all other pixels are outside."""
    states[(truth != true) | (found != predicted)] = OUTSIDE
    if true != predicted:
        states[(truth == true) & (found == predicted)] = MIXED


def drawn(picture: Image, states: NDArray[np.uint8], faint: bool) -> str:
    """A small picture with its errors as a JPEG data URI, told apart by pattern too.

    Args:
        picture: (h, w, 3) RGB.
        states: (H, W), brought to its size by the nearest pixel.
        faint: whether correct pixels are left as they are (or tinted).
    """
    height, width = picture.shape[:2]
    small: Any = cv2.resize(states, (width, height), interpolation=cv2.INTER_NEAREST)
    y, x = np.mgrid[:height, :width]
    pattern = {
        MISSING: (x + y) % 6 < 3,  # stripes
        FALSE: (x % 4 < 2) & (y % 4 < 2),  # dots
        MIXED: ((x + y) % 6 < 2) | ((x - y) % 6 < 2),  # a net
        IGNORED: (x - y) % 8 < 2,
    }
    canvas = picture.astype(np.float32)
    colors = {MISSING: MISSED, FALSE: WRONG, MIXED: MIX, IGNORED: GREY}
    for state, color in colors.items():
        mine = small == state
        for where, alpha in ((mine, 0.45), (mine & pattern[state], 0.9)):
            canvas[where] += (np.array(color, np.float32) - canvas[where]) * alpha
    if not faint:
        mine = small == CORRECT
        canvas[mine] += (np.array(RIGHT, np.float32) - canvas[mine]) * 0.45
    return jpeg_uri(np.rint(canvas).astype(np.uint8))
