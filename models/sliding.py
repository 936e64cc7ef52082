"""Large pictures piece by piece: overlapping windows whose coarse logits are blended into those of the whole.

Windows begin at multiples of the network's stride, so a window's outputs lie on the same grid as the whole picture's
would. Within the overlap, the quarter next to a window's edge, where the network could not see beyond it, does not
count at all; over the middle half one window fades into the next. Where an overlap is at least four times as wide as
the network can see (its receptive field's radius), the result is that of the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError

if TYPE_CHECKING:
    import torch

ALIGNED = 32  # pixels: a multiple of every usual network's stride
Cut = tuple[int, int]


def cuts(length: int, side: int, overlap: float) -> list[Cut]:
    """Where windows lie along an axis.

    Args:
        length: of the axis in pixels.
        side: of a window, a multiple of ``ALIGNED``.
        overlap: least share of a window that the next one also sees, 0..0.75.

    Returns:
        (start, stop) pixels, starts being multiples of ``ALIGNED``, evenly spread; the last stops at ``length`` and may
        be up to ``ALIGNED - 1`` pixels shorter than ``side``.
    """
    if length <= side:
        return [(0, length)]
    last = -(-(length - side) // ALIGNED)  # all in steps of ALIGNED from here on
    step = max(int(side * (1 - overlap)) // ALIGNED, 1)
    count = -(-last // step) + 1
    starts = [ALIGNED * (last * number // (count - 1)) for number in range(count)]
    return [(start, min(start + side, length)) for start in starts]


def shares(windows: Sequence[Cut], scale: int) -> list[NDArray[np.float32]]:
    """How much each window counts at each of its outputs along an axis; at every output they sum to one.

    Args:
        windows: as ``cuts`` gives them.
        scale: pixels an output.

    Returns:
        A float32 array for each window, one value an output.
    """
    rows = [(start // scale, -(-stop // scale)) for start, stop in windows]
    found = [np.ones(stop - start) for start, stop in rows]
    for number in range(len(rows) - 1):
        first, last = rows[number + 1][0], rows[number][1]  # seen by both
        both = last - first
        if both <= 0:
            continue
        ramp = np.clip(((np.arange(both) + 0.5) / both - 0.25) * 2, 0, 1)
        found[number + 1][:both] *= ramp
        found[number][-both:] *= 1 - ramp
    # a third window may reach into the overlap of two
    total = np.zeros(rows[-1][1])
    for (start, stop), share in zip(rows, found, strict=True):
        total[start:stop] += share
    return [(share / total[start:stop]).astype(np.float32) for (start, stop), share in zip(rows, found, strict=True)]


def blended(
    run: Callable[[Sequence[NDArray[np.uint8]]], torch.Tensor],
    picture: NDArray[np.uint8],
    side: int,
    overlap: float,
    name: str,
    together: int = 1,
) -> torch.Tensor:
    """The network's coarse outputs for a large picture.

    Args:
        run: N windows of one size, (h, w, 3) uint8 each, to (N, C, h / scale, w / scale) float32.
        picture: (H, W, 3) uint8, the network's input.
        side: of a window in pixels, a multiple of ``ALIGNED``.
        overlap: least share of a window that its neighbour also sees, 0..0.75.
        name: the model's, for messages.
        together: windows a call of ``run``.

    Returns:
        (C, H / scale, W / scale) float32, where the outputs of ``run`` are.

    Raises:
        InputError: the network's outputs are not in proportion to its input, so that windows do not fit together.
    """
    height, width = picture.shape[:2]
    down, across = cuts(height, side, overlap), cuts(width, side, overlap)
    whole: torch.Tensor | None = None
    scale = 1
    weights: list[list[torch.Tensor]] = []
    for group in _groups(down, across, together):
        windows = [picture[slice(*down[row]), slice(*across[column])] for row, column in group]
        outputs = run(windows)
        if whole is None:
            scale = _scale(windows[0].shape, outputs.shape, name)
            whole = outputs.new_zeros((outputs.shape[1], -(-height // scale), -(-width // scale)))
            weights = [[outputs.new_tensor(one) for one in shares(axis, scale)] for axis in (down, across)]
        for (row, column), piece in zip(group, outputs, strict=True):
            top, left = down[row][0] // scale, across[column][0] // scale
            share = weights[0][row][:, None] * weights[1][column]
            if piece.shape[1:] != share.shape:
                raise _misfit(name)
            whole[:, top : top + share.shape[0], left : left + share.shape[1]] += piece * share
    assert whole is not None
    return whole


def _groups(down: Sequence[Cut], across: Sequence[Cut], together: int) -> list[list[tuple[int, int]]]:
    """Windows of one size that run together, as (row, column); full ones first, which tell the scale."""
    shapes: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, column in product(range(len(down)), range(len(across))):
        shape = down[row][1] - down[row][0], across[column][1] - across[column][0]
        shapes.setdefault(shape, []).append((row, column))
    return [same[i : i + together] for same in shapes.values() for i in range(0, len(same), together)]


def _scale(window: Sequence[int], outputs: Sequence[int], name: str) -> int:
    """Pixels an output, both ways the same and a divisor of ``ALIGNED``."""
    for scale in (1, 2, 4, 8, 16, 32):
        if all(-(-window[axis] // scale) == outputs[axis + 2] for axis in (0, 1)):
            return scale
    raise _misfit(name)


def _misfit(name: str) -> InputError:
    return InputError(
        f"{name} cannot look at pictures in windows, as its outputs are not in proportion to its input: load it with "
        "--set window=0."
    )
