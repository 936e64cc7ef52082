"""Enhancers as ONNX files: a picture in, a picture of the same size or of a whole multiple out.

Size, channels and layout are read from the file, the scale is found by running it. A file of free size is tried with
sides that are multiples of 1, 2, 4 ... until it answers in proportion; one of fixed size gets tiles of exactly that
size. Values are 0..1 unless ``range=255`` says otherwise or the file takes bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from models import onnx_input, tiling
from models.base import LoadOptions, ModelSpec, OutOfMemory, Weights
from models.detection import check_finite
from models.onnx_session import Session
from models.picture_adapter import WORDS, PictureAdapter, in_words
from models.pictures import to_bytes
from models.tiling import Sizes, Tiling, tile_setting, usual

SETTINGS = (*tiling.SETTINGS, "range")
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 128)  # that a free size is tried with
_TRIED = 40  # pixels a side at least
_TYPES = ("tensor(float)", "tensor(float16)", "tensor(double)", "tensor(uint8)")
Pixels = NDArray[np.uint8]


def makes_pictures(session: Session) -> bool:
    """Whether a file can be nothing else: grey in and out, or a larger picture out than in."""
    if len(session.inputs) != 1 or len(session.outputs) != 1 or session.outputs[0].type not in _TYPES:
        return False
    taken, given = ([_side(one) for one in end[0].shape] for end in (session.inputs, session.outputs))
    if len(taken) != 4 or len(given) != 4:
        return False
    if taken[1] == given[1] == 1:
        return True
    channels, sides = (1, (2, 3)) if taken[1] == 3 else (3, (1, 2))
    return taken[channels] == 3 and given[channels] in (1, 3) and all(given[at] > taken[at] > 0 for at in sides)


class OnnxEnhancer(PictureAdapter):
    """One ONNX file that makes a picture of a picture.

    Args:
        path: for messages and the spec.
        session: the file, open.
        data: the file's bytes.
        options: settings: ``tile``, ``overlap`` and ``range`` (1 or 255, of the values that go in and come out).

    Raises:
        InputError: a file of another kind, a wrong setting.
    """

    def __init__(self, path: Path, session: Session, data: bytes, options: LoadOptions) -> None:
        self._session, self.device = session, session.device
        self._name = path.name
        try:
            self._input = onnx_input.read_input(path, session.inputs)
        except InputError as error:
            got = ", ".join(f"{one.name} {one.type} {one.shape}" for one in session.inputs)
            raise InputError(
                f"{path} is no enhancer: one picture, grey or RGB, was expected to go in, got {got}."
            ) from error
        fits = [one.name for one in session.outputs if one.type in _TYPES]
        if not fits:
            raise InputError(f"{path} is no enhancer: it gives no picture.")
        self._output = fits[0]
        self._channels = self._input.channels
        asked = options.settings.get("range", "255" if self._input.dtype == np.uint8 else "1")
        if asked not in ("1", "255") or (asked == "1" and self._input.dtype == np.uint8):
            wrong = f"{asked[:40]!r}" + (" for a file that takes bytes" if asked == "1" else "")
            raise InputError(f"range must be 1 or 255, the largest value that goes in and comes out, got {wrong}.")
        self._white = float(asked)
        size = self._input.size
        onnx_input.check_batch(path, self._input, size or (_TRIED, _TRIED))
        self.scale, self._gives, self._last, multiple = session.trial(lambda: self._found(path))
        self._sizes = Sizes(multiple)
        if size is not None:
            default = Tiling(size, min(tiling.OVERLAP, min(size) // 2), exact=True)
        else:
            default = usual(self.device, self.scale, self._sizes)
        self._tiling = tile_setting(options.settings, default, self._sizes)
        words = in_words(self._channels, self.scale).replace("0..1", f"0..{asked}")
        if size is None:
            words += f"; {self._sizes}"
        words += f"; tiles: {self._tiling}"
        metadata = session.metadata
        self.spec = ModelSpec(
            name=path.name,
            task="enhancement",
            family="onnx",
            source="a file",
            weights=Weights("file", str(path), len(data), hashlib.sha256(data).hexdigest()),
            license=metadata.get("license", "unknown").split(" ")[0] or "unknown",
            preprocessing=words,
        )
        self.notes = {
            "threads": session.threads,
            "layout": "channels last" if self._input.channels_last else "channels first",
            "precision": "as in the file",
            "scale": self.scale,
            "channels": WORDS[self._channels],
            "tiles": str(self._tiling),
        }
        if self._input.batch is not None:
            self.notes["batch size fixed by the file"] = self._input.batch
        config = f"{self.spec.weights.sha256} {words} {self._input}"
        self.fingerprint = hashlib.sha256(config.encode()).hexdigest()[:16]

    def close(self) -> None:
        """Drop the session."""
        self._session.close()

    def _pictures(self, windows: Sequence[Pixels]) -> list[Pixels]:
        outputs = to_bytes(self._through(np.stack(windows).astype(np.float32)))
        return [one[..., 0] if one.shape[2] == 1 else one for one in outputs]

    def _plane(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._through(planes[..., None])

    def _through(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, h, w, C) in 0..255 to (B, H, W, C') in 0..255. Raises OutOfMemory."""
        try:
            found = self._raw(batch)
        except MemoryError as error:
            raise OutOfMemory(str(error)) from error
        outputs = found if self._last else found.transpose(0, 2, 3, 1)
        wanted = (batch.shape[1] * self.scale, batch.shape[2] * self.scale, self._gives)
        if outputs.shape[1:] != wanted:
            raise InputError(
                f"{self._name} gives {outputs.shape[1:]} of {batch.shape[1]}x{batch.shape[2]} pixels, where {wanted} "
                "was expected: it cannot be run on pictures of any size; export it with a fixed one."
            )
        values = np.asarray(outputs, np.float32)
        check_finite(self._name, bool(np.isfinite(values).all()))
        return np.clip(values * (255 / self._white) if found.dtype != np.uint8 else values, 0, 255)

    def _raw(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """As the file answers (B, h, w, C) in 0..255."""
        if self._input.dtype == np.uint8:
            fed: NDArray[Any] = to_bytes(batch)
        else:
            fed = (batch * (self._white / 255)).astype(self._input.dtype)
        if not self._input.channels_last:
            fed = np.ascontiguousarray(fed.transpose(0, 3, 1, 2))
        (found,) = self._session.run([self._output], self._input.name, fed, self._input.batch)
        return found

    def _found(self, path: Path) -> tuple[int, int, bool, int]:
        """(scale, channels given, whether these come last, what sides are multiples of)."""
        size, reason = self._input.size, ""
        for multiple in (1,) if size else _MULTIPLES:
            odd = -(-_TRIED // multiple) // 2 * 2 + 1  # so that twice the multiple is not tried as well
            height, width = size or (odd * multiple, (odd + 2) * multiple)
            grey = np.full((1, height, width, self._channels), 114, np.float32)
            try:
                shape = self._raw(grey).shape
            except InputError as error:
                reason = str(error).rpartition("(")[2].rstrip(").")
                continue
            for last, (down, across, channels) in ((False, (2, 3, 1)), (True, (1, 2, 3))):
                scale = shape[down] // height if len(shape) == 4 else 0
                if (
                    scale
                    and shape[channels] in (1, 3)
                    and (shape[down], shape[across]) == (height * scale, width * scale)
                ):
                    return scale, shape[channels], last, multiple
            reason = f"of {height}x{width} pixels it makes {shape}"
        raise InputError(
            f"{path} is no enhancer: a picture, grey or RGB, of the same size or of a whole multiple was expected "
            f"({reason})."
        )


def _side(value: Any) -> int:
    """A size that the file tells, or 0."""
    return value if isinstance(value, int) and value > 0 else 0
