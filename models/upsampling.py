"""From a network's coarse logits to the class and the probabilities of every pixel of the picture, in strips of rows.

Bilinear interpolation is linear and works on each axis by itself, so undoing it all (up to the network's input, the
padding cut off, on to the picture's size) is one sparse matrix an axis. Coordinates and weights are those of torch's
``interpolate`` with ``align_corners=False``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dashboard.types import class_dtype
from models.detection import Placement, Size

if TYPE_CHECKING:
    import torch

ROWS = {"cpu": 64, "cuda": 128}  # of a block: every row is always made with the same neighbours, whoever asks for it
COLUMNS = 512  # made at once: a column needs few of the coarse ones, so a band of the matrix is enough


def bilinear(length: int, to: int) -> Any:
    """(to, length) sparse matrix of float32 that resizes one axis as ``interpolate(..., align_corners=False)`` does."""
    from scipy.sparse import csr_array

    scale = np.float32(length) / np.float32(to)
    places = np.maximum(scale * (np.arange(to, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5), np.float32(0))
    low = np.minimum(places.astype(np.int64), length - 1)
    high = np.minimum(low + 1, length - 1)
    share = (places - low).astype(np.float32)
    rows = np.repeat(np.arange(to), 2)
    columns = np.stack([low, high], 1).reshape(-1)
    return csr_array((np.stack([1 - share, share], 1).reshape(-1), (rows, columns)), shape=(to, length))


@dataclass(frozen=True, eq=False)
class Band:
    """Some of an axis's pixels, and the coarse ones they are made of.

    Attributes:
        start, stop: the pixels.
        first, last: the coarse ones, half-open.
        weights: (stop - start, last - first) float32; None where the pixels are the coarse ones.
    """

    start: int
    stop: int
    first: int
    last: int
    weights: NDArray[np.float32] | None


@lru_cache(maxsize=64)
def bands(coarse: int, outer: int, before: int, inner: int, to: int, step: int, direct: bool) -> tuple[Band, ...]:
    """One axis from a network's outputs to the picture, ``step`` pixels a band.

    Args:
        coarse: length of the outputs.
        outer: length of the network's input.
        before: padding at the input's start.
        inner: length of the picture within the input.
        to: length of the picture.
        step: pixels a band.
        direct: from the outputs to the picture in one step, not by way of the input's size.
    """
    from scipy.sparse import csr_array

    if direct:
        matrix = bilinear(coarse, to)
    else:
        matrix = bilinear(coarse, outer)[before : before + inner]
        matrix = csr_array(matrix) if inner == to else csr_array(bilinear(inner, to) @ matrix)
    matrix.eliminate_zeros()
    found = []
    for start in range(0, to, step):
        part = matrix[start : start + step]
        first, last = int(part.indices.min()), int(part.indices.max()) + 1
        weights = np.ascontiguousarray(part[:, first:last].toarray(), np.float32)
        same = weights.shape[0] == weights.shape[1] and np.array_equal(weights, np.eye(len(weights)))
        found.append(Band(start, start + len(weights), first, last, None if same else weights))
    return tuple(found)


class Upsampled:
    """Class probabilities of one picture, made from coarse logits when asked for (``dashboard.types.Probabilities``).

    Args:
        coarse: (C, h, w) float32 logits, or probabilities, wherever they are.
        where: the picture within the network's input.
        size: (height, width) of the picture in pixels.
        direct: interpolate from ``coarse`` to ``size`` in one step, which needs a picture without padding; by default
            by way of the network's input size, as torchvision and Ultralytics do.
        probabilities: ``coarse`` holds probabilities already.

    Attributes:
        shape: (C, H, W).
    """

    def __init__(
        self, coarse: torch.Tensor, where: Placement, size: Size, *, direct: bool = False, probabilities: bool = False
    ) -> None:
        self._coarse, self._probabilities = coarse, probabilities
        self._step = ROWS[coarse.device.type]
        classes, high, wide = coarse.shape
        self.shape: tuple[int, int, int] = (int(classes), *size)
        self._down = bands(high, where.outer[0], where.top, where.inner[0], size[0], self._step, direct)
        self._across = bands(wide, where.outer[1], where.left, where.inner[1], size[1], COLUMNS, direct)

    def class_ids(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """(H, W) the likeliest class of every pixel; of equally likely ones the first."""
        import torch

        _, height, width = self.shape
        kind: Any = class_dtype(self.shape[0])
        ids: NDArray[Any] = np.empty((height, width), kind)
        with torch.inference_mode():
            for band in self._down:
                best = self._block(band).max(0).indices  # much faster than argmax on a CPU
                if kind is np.uint8:
                    best = best.to(torch.uint8)  # an eighth of the transfer
                ids[band.start : band.stop] = best.cpu().numpy()
        return ids

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """(C, stop - start, W) probabilities of some rows, that sum to 1 over C."""
        import torch

        classes, height, width = self.shape
        if not 0 <= start <= stop <= height:
            raise ValueError(f"rows {start}..{stop} are not within 0..{height}")
        made = np.empty((classes, stop - start, width), np.float32)
        with torch.inference_mode():
            for number in range(start // self._step, -(-stop // self._step)):
                band = self._down[number]
                block = self._block(band)
                block = block / block.sum(0) if self._probabilities else block.softmax(0)
                first, last = max(start, band.start), min(stop, band.stop)
                made[:, first - start : last - start] = block[:, first - band.start : last - band.start].cpu().numpy()
        return made

    def _block(self, rows: Band) -> torch.Tensor:
        """(C, rows, W) of the picture, before softmax."""
        import torch

        coarse = self._coarse[:, rows.first : rows.last]
        parts = []
        for band in self._across:
            part = coarse[..., band.first : band.last]
            parts.append(part if band.weights is None else part @ torch.from_numpy(band.weights).to(part.device).T)
        wide = parts[0] if len(parts) == 1 else torch.cat(parts, 2)
        return wide if rows.weights is None else torch.from_numpy(rows.weights).to(wide.device) @ wide
