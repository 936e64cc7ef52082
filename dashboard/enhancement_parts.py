"""Stored pictures: one row an image, the enhanced picture and its reference as lossless PNG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.metrics.enhancement.columns import EnhancementBatch
from dashboard.metrics.enhancement.fidelity import psnr
from dashboard.types import EnhancedImage, Image

_HOW = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # twice as fast as the default, a tenth larger
_COLUMNS = ("index", "id", "scale", "found_image", "true_image")


def encode(picture: EnhancedImage) -> bytes:
    """A picture as 8-bit PNG: grey, RGB, or with alpha RGBA. Grey with alpha is written as RGBA."""
    pixels: Any = picture.pixels
    if picture.alpha is not None:
        pixels = cv2.cvtColor(np.dstack([picture.rgb, picture.alpha]), cv2.COLOR_RGBA2BGRA)
    elif pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", pixels, _HOW)
    if not done:
        raise ValueError(f"a picture of {picture.size} cannot be written as PNG")
    return data.tobytes()


def decode(data: bytes, scale: int = 1) -> EnhancedImage:
    """What ``encode`` wrote. Raises ValueError for anything else."""
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if pixels is None or pixels.dtype != np.uint8:
        raise ValueError("this is no stored picture")
    if pixels.ndim == 2:
        return EnhancedImage(pixels, scale)
    if pixels.shape[2] == 4:
        rgba = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
        return EnhancedImage(np.ascontiguousarray(rgba[..., :3]), scale, np.ascontiguousarray(rgba[..., 3]))
    rgb: Any = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return EnhancedImage(rgb, scale)


class Decoded(Sequence[Any]):
    """Encoded pictures as (H, W, 3) uint8 RGB, each decoded when asked for and not kept; None where there is none."""

    def __init__(self, encoded: Sequence[bytes]) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, place: Any) -> Any:
        data = self._encoded[place]
        return decode(data).rgb if data else None


def border_of(scale: int) -> int:
    """How many pixels at each border do not count: as many as the scale in super-resolution, none otherwise.

    So published super-resolution tables have it (Timofte et al. 2013, and BasicSR's and KAIR's test scripts).
    """
    return scale if scale > 1 else 0


@dataclass(frozen=True)
class EnhancementPart:
    """Enhanced pictures and references of some samples, in dataset order, as PNG.

    Attributes:
        index: (N,) positions in the dataset.
        ids: N sample ids.
        sizes: (N, 2) height and width of the answers in pixels.
        scale: how many times larger answers are than what they were made from.
        found: N encoded pictures.
        truth: N encoded references, b"" where there is none.
        psnr: (N,) dB, for the numbers shown while a model runs; NaN without a reference.
    """

    index: NDArray[np.int64]
    ids: Sequence[str]
    sizes: NDArray[np.int64]
    scale: int
    found: Sequence[bytes]
    truth: Sequence[bytes]
    psnr: NDArray[np.float64]

    @classmethod
    def of(
        cls, index: int, identity: str, found: EnhancedImage, truth: EnhancedImage | None, scale: int
    ) -> EnhancementPart:
        """One picture. Raises ValueError if its reference is of another size."""
        if truth is not None and truth.size != found.size:
            raise ValueError(f"{identity}: found must be of {truth.size}, as its reference, got {found.size}")
        true = b"" if truth is None else encode(truth)
        near = np.nan if truth is None else psnr(found.rgb, truth.rgb, border_of(scale))
        sizes = np.array([found.size])
        return cls(np.array([index]), [identity], sizes, scale, [encode(found)], [true], np.array([near]))

    @property
    def nbytes(self) -> int:
        """What it holds."""
        return sum(len(d) for column in (self.found, self.truth) for d in column)

    def table(self) -> pa.Table:
        """As an Arrow table."""
        return pa.table(
            {
                "index": pa.array(self.index, pa.int64()),
                "id": pa.array(list(self.ids), pa.string()),
                "height": pa.array(self.sizes[:, 0], pa.int32()),
                "width": pa.array(self.sizes[:, 1], pa.int32()),
                "scale": pa.array([self.scale] * len(self.ids), pa.int32()),
                "found_image": pa.array(list(self.found), pa.large_binary()),
                "true_image": pa.array(list(self.truth), pa.large_binary()),
                "psnr": pa.array(self.psnr, pa.float64()),
            }
        )

    @staticmethod
    def join(parts: Sequence[EnhancementPart]) -> EnhancementPart:
        """Several parts as one."""
        return EnhancementPart(
            np.concatenate([p.index for p in parts]),
            [i for p in parts for i in p.ids],
            np.concatenate([p.sizes for p in parts]),
            parts[0].scale,
            [d for p in parts for d in p.found],
            [d for p in parts for d in p.truth],
            np.concatenate([p.psnr for p in parts]),
        )


def _batch(
    ids: Sequence[str], found: Sequence[bytes], truth: Sequence[bytes], scales: Sequence[int]
) -> EnhancementBatch:
    return EnhancementBatch(ids, Decoded(found), Decoded(truth), list(scales), [border_of(s) for s in scales])


def enhancement_batches(path: Path) -> Iterator[tuple[NDArray[np.int64], EnhancementBatch]]:
    """Dataset positions and batches of a few images, one a row group.

    Raises:
        ValueError: no predictions of this task.
    """
    file = pq.ParquetFile(path)
    if missing := set(_COLUMNS) - set(file.schema_arrow.names):
        raise ValueError(f"{path.name} has no column {min(missing)}")
    for group in range(file.num_row_groups):
        columns = file.read_row_group(group, columns=list(_COLUMNS)).to_pydict()
        batch = _batch(columns["id"], columns["found_image"], columns["true_image"], columns["scale"])
        yield np.array(columns["index"], np.int64), batch


@dataclass(frozen=True)
class StoredPictures:
    """One image's pictures, encoded.

    Attributes:
        scale: how many times larger the answer is than what it was made from.
        found, truth: PNG; the truth b"" where there is none.
    """

    scale: int
    found: bytes
    truth: bytes

    @property
    def pixels(self) -> tuple[Image, Image | None]:
        """The answer and the reference, (H, W, 3) uint8."""
        return decode(self.found).rgb, decode(self.truth).rgb if self.truth else None


def pictures_of(path: Path, index: int) -> StoredPictures | None:
    """The pictures of the sample at dataset position ``index``, or None if it was not predicted. Reads one group."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        stats = file.metadata.row_group(group).column(0).statistics
        if stats is not None and stats.has_min_max and not stats.min <= index <= stats.max:
            continue
        places = file.read_row_group(group, columns=["index"]).column(0).to_numpy()
        at = np.flatnonzero(places == index)
        if at.size:
            table = file.read_row_group(group, columns=list(_COLUMNS)).slice(int(at[0]), 1)
            row: dict[str, Any] = table.to_pylist()[0]
            return StoredPictures(row["scale"], row["found_image"], row["true_image"])
    return None
