"""Any torch network that makes a picture of a picture, as an enhancer: any size, tiled, grey or colour, alpha kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from models import tiling as tiles
from models.base import LoadOptions, ModelSpec, OutOfMemory
from models.detection import check_finite
from models.picture_adapter import WORDS, Answers, PictureAdapter, Pixels, in_words
from models.tiling import Sizes, Tiling, tile_setting, usual
from models.torch_adapter import choose_device, memory_errors
from models.torch_detection import TorchDetector
from models.torch_segment import tensor_of

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["SETTINGS", "Answers", "TorchEnhancer"]
SETTINGS = tiles.SETTINGS
_PROBE = 48  # pixels a side of what a network is tried with


class TorchEnhancer(PictureAdapter, TorchDetector):
    """A torch network that maps (B, C, H, W) floats in 0..1 to (B, C', s H, s W).

    Its values are cut off at 0 and 1, times 255 and rounded, halves to even. A network of three channels gets every
    picture as RGB, and its answer is given as it is. One of a single channel gets a grey picture (three equal channels)
    as one channel, and the answer is grey, (H, W); of a colour picture it gets the three channels one by one if it
    keeps the size, and the luma (BT.601, full range) if it enlarges, the chroma being enlarged bicubically. One of four
    channels gets the alpha as well. Otherwise alpha is enlarged bicubically.

    Args:
        net: the network, on the CPU, in float32; it is changed in place (folded, moved). It gives a tensor, a tuple
            whose first is the tensor, or a dictionary with "out".
        spec: its facts; ``task`` and ``preprocessing`` are filled in.
        options: device, precision, folding, threads, and the settings ``tile`` and ``overlap``.
        channels: that it takes: 1, 3 (RGB) or 4 (RGB and alpha).
        sizes: what its input's sides have to be.
        tiling: when pictures are taken piece by piece unless ``tile`` says; None for the usual.
        batched: whether it takes several pictures at once.
        config: what else can change its answers; goes into the fingerprint.
        notes: more facts for ``notes``.

    Attributes:
        scale: how many times larger the answer is; found out by running the network.

    Raises:
        InputError: no such device, precision not available there, a wrong setting, too little memory, a network that
            gives something else than a picture.
    """

    scale: int

    def __init__(
        self,
        net: nn.Module,
        spec: ModelSpec,
        options: LoadOptions,
        *,
        channels: int = 3,
        sizes: Sizes | None = None,
        tiling: Tiling | None = None,
        batched: bool = True,
        config: Sequence[Any] = (),
        notes: dict[str, Any] | None = None,
    ) -> None:
        if channels not in WORDS:
            raise InputError(f"{spec.name} takes {channels} channels: an enhancer of grey, RGB or RGBA was expected.")
        self._channels, self._sizes, self._batched = channels, sizes or Sizes(), batched
        device = choose_device(options)
        net.eval()
        with _first_run(spec.name):
            self.scale, gives, folded = _prepared(net, spec.name, channels, self._sizes, options.fuse)
        self._gives = gives
        self._tiling = tile_setting(options.settings, tiling or usual(device, self.scale, self._sizes), self._sizes)
        words = f"{in_words(channels, self.scale)}; {self._sizes}; tiles: {self._tiling}"
        spec = replace(spec, task="enhancement", preprocessing=words)
        super().__init__(net, spec, options, [words, self.scale, batched, *config], notes)
        self.notes = {**self.notes, "scale": self.scale, "channels": WORDS[channels], "tiles": str(self._tiling)}
        if folded is not None:
            self.notes = {**self.notes, "batch norms folded": folded}
        self.start(_PROBE, _PROBE)

    def start(self, height: int, width: int) -> None:
        """Move to the device and run one picture. Raises InputError if that does not work."""
        import torch

        with _first_run(self.spec.name):
            self.network.to(torch.device(self.device))
            if self._channels_last:
                self.network.to(memory_format=torch.channels_last)
            self.forward([self.preprocess(np.full((height, width, 3), 114, np.uint8))])

    def _pictures(self, windows: Sequence[Pixels]) -> list[Pixels]:
        """Windows as they are: (h, w, C) to (H, W) or (H, W, C')."""
        with self.running():
            found = self._bytes(self._through(self.batch(windows)))
        return [one[..., 0] if one.shape[2] == 1 else one for one in found]

    def _plane(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, h, w) in 0..255, not rounded, to (B, H, W, C') in 0..255."""
        import torch

        with self.running():
            outputs = self._through(torch.from_numpy(planes)[:, None].to(self.device).div(255))
            return outputs.mul(255).permute(0, 2, 3, 1).cpu().numpy()

    def _through(self, batch: torch.Tensor) -> torch.Tensor:
        """(B, C', H, W) float32, 0..1."""
        import torch

        parts = [batch] if self._batched else list(batch.split(1))
        outputs = torch.cat([tensor_of(self.network(part)) for part in parts]).float()
        check_finite(self.spec.name, bool(outputs.isfinite().all()))
        return outputs.clamp(0, 1)

    def _bytes(self, outputs: torch.Tensor) -> Pixels:
        """(B, C', H, W) floats in 0..1 to (B, H, W, C') uint8."""
        import torch

        return outputs.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _prepared(net: nn.Module, name: str, channels: int, sizes: Sizes, fuse: bool) -> tuple[int, int, int | None]:
    """Check what comes out, and fold: (scale, channels that it gives, batch norms folded or None)."""
    import torch

    height, width = sizes.padded((_PROBE, _PROBE))
    probe = torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(0))
    folded = None
    if fuse:
        from models.fusing import fold_batch_norms

        outputs, norms = fold_batch_norms(net, probe)
        folded = len(norms)
    else:
        with torch.inference_mode():
            outputs = net(probe)
    outputs = tensor_of(outputs)
    shape = tuple(getattr(outputs, "shape", ()))
    scale = shape[2] // height if len(shape) == 4 else 0
    if not scale or shape[0] != 1 or shape[1] not in (1, 3, 4) or shape[2:] != (height * scale, width * scale):
        raise InputError(
            f"{name} is no enhancer: a picture of the same size or of a whole multiple was expected of one of "
            f"{height}x{width}, got {shape or type(outputs).__name__}."
        )
    return scale, int(shape[1]), folded


@contextmanager
def _first_run(name: str) -> Iterator[None]:
    """Turn what goes wrong in a network's first run, or on its way to the device, into an InputError."""
    try:
        with memory_errors():
            yield
    except InputError:
        raise
    except (OutOfMemory, MemoryError) as error:
        raise InputError(
            f"{name} needs more memory than there is, even for a small picture: choose --device cpu or a smaller model."
        ) from error
    except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{name} cannot enhance even a small picture: is it another kind of network? ({reason})"
        ) from error
