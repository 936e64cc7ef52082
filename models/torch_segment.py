"""Any torch network that gives a score a class for every place of a coarse grid, as a semantic segmenter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from dashboard.types import Image, Prediction, Segmentation
from models import sliding
from models.base import LoadOptions, ModelSpec
from models.detection import LetterBox, Letterboxed, Size, check_finite
from models.preprocessing import normalisation_setting
from models.segmentation import Geometry, Windows, geometry_setting, names_of_outputs, window_setting
from models.torch_adapter import activation_setting, choose_device, first_run
from models.torch_detection import TorchDetector
from models.upsampling import Upsampled

if TYPE_CHECKING:
    import torch
    from torch import nn

ABOVE_ON_CUDA = 16_000_000  # pixels of an input from which on windows are used there


class Outputs(NamedTuple):
    """What a batch gives, picture by picture: (C, h, w) float32 logits on the device, and (height, width)."""

    logits: Sequence[torch.Tensor]
    sizes: Sequence[Size]


class TorchSegmenter(TorchDetector):
    """A torch network that maps (B, 3, H, W) normalised floats to (B, C, h, w) logits, in whatever wrapping.

    The class of a pixel is the one whose logit, interpolated bilinearly to the network's input size and from there,
    without the padding, to the picture's own, is the highest. Where every output stands for itself
    (``activation=sigmoid``, and any network with a single output), a class "background" is put before the others that
    wins where none of them exceeds one half.

    Args:
        net: the network, on the CPU, in float32; it is changed in place (folded, moved). It gives a tensor, a tuple
            whose first is the tensor, or a dictionary with "out".
        spec: its facts; ``task``, ``input_size`` and ``preprocessing`` are filled in, ``class_names`` with numbers if
            empty. For ``activation=sigmoid`` the background may be left out of the names.
        options: device, precision, folding, threads, and settings: ``input_size`` (``native``, a shorter side, or HxW),
            ``mean`` and ``std``, ``activation`` (softmax or sigmoid), ``window`` and ``overlap``.
        geometry: how a picture becomes input; called from several threads.
        mean: per channel, on the 0..1 scale.
        std: per channel, on the 0..1 scale.
        activation: "softmax" (one class a pixel) or "sigmoid".
        multiple: of which the network wants its input's sides, in pixels.
        direct: interpolate from the logits to the picture's size in one step (as transformers does), not by way of the
            input's.
        windows: when pictures are looked at piece by piece unless ``window`` says; None for the usual.
        fold: folds batch norms in place and says how many; by default ``models.fusing.fold_batch_norms``.
        notes: more facts for ``notes``.

    Raises:
        InputError: no such device, precision not available there, a wrong setting, too little memory, a network that
            gives something else, other names than classes.
    """

    def __init__(
        self,
        net: nn.Module,
        spec: ModelSpec,
        options: LoadOptions,
        *,
        geometry: Geometry,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        activation: str = "softmax",
        multiple: int = 1,
        direct: bool = False,
        windows: Windows | None = None,
        fold: Callable[[nn.Module], int] | None = None,
        notes: dict[str, Any] | None = None,
    ) -> None:
        import torch

        self._geometry = geometry_setting(options.settings, geometry, multiple)
        self._direct = direct
        mean, std = normalisation_setting(options.settings, tuple(mean), tuple(std))
        self.activation = activation_setting(options, activation)
        if self.activation == "none":
            raise InputError("activation must be softmax or sigmoid, got 'none'.")
        usual = windows or (Windows() if choose_device(options) == "cpu" else Windows(above=ABOVE_ON_CUDA))
        self._windows = window_setting(options.settings, usual, sliding.ALIGNED)
        words = f"{self._geometry}, mean {tuple(mean)}, std {tuple(std)}"
        height, width = _usual_size(self._geometry)
        spec = replace(spec, task="semantic-segmentation", input_size=(height, width), preprocessing=words)
        config = [words, self.activation, self._windows, direct]
        super().__init__(net, spec, options, config, notes)
        self.notes = {**self.notes, "windows": str(self._windows)}
        scale = np.array(std, np.float64)
        self._mean = torch.tensor(np.array(mean), dtype=torch.float32).view(1, -1, 1, 1)
        self._scale = torch.tensor(1 / scale, dtype=torch.float32).view(1, -1, 1, 1)
        with first_run(spec.name, height, width):
            classes, folded = self._prepare(options.fuse, fold)
        if folded is not None:
            self.notes = {**self.notes, "batch norms folded": folded}
        added = self.activation == "sigmoid" or classes == 1
        names = names_of_outputs(spec.name, spec.class_names, classes, added)
        self.spec = replace(self.spec, class_names=names)
        if not spec.class_names:
            self.notes = {**self.notes, "class names": "unknown, numbered"}
        self._mean, self._scale = self._mean.to(self.device), self._scale.to(self.device)
        self.start(64, 64)

    def preprocess(self, image: Image) -> Letterboxed:
        """(H, W, 3) uint8 to the network's input size, still uint8, with the size that it had."""
        return self._geometry.apply(image)

    def forward(self, items: Sequence[Letterboxed]) -> Outputs:
        """Coarse logits as float32 on the device. Raises OutOfMemory if the batch does not fit.

        Inputs of one size run together, others apart, so that none sees another's padding; large ones piece by piece.
        """
        shapes: dict[tuple[int, ...], list[int]] = {}
        logits: list[Any] = [None] * len(items)
        for place, item in enumerate(items):
            height, width = item.pixels.shape[:2]
            if self._windows.apply_to((height, width)):
                logits[place] = self._piecewise(item.pixels)
            else:
                shapes.setdefault(item.pixels.shape, []).append(place)
        for places in shapes.values():
            found = self._run([items[place].pixels for place in places])
            for place, one in zip(places, found, strict=True):
                logits[place] = one
        return Outputs(logits, [item.size for item in items])

    def postprocess(self, outputs: Outputs) -> list[Prediction]:
        """The class of every pixel, and probabilities that are made when they are asked for."""
        return [self._one(logits, size) for logits, size in zip(outputs.logits, outputs.sizes, strict=True)]

    def _one(self, logits: torch.Tensor, size: Size) -> Segmentation:
        check_finite(self.spec.name, bool(logits.isfinite().all()))
        found = Upsampled(logits, self._geometry.place(size), size, direct=self._direct)
        return Segmentation(found.class_ids(), probabilities=found)

    def _piecewise(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        of = self._windows
        together = 1 if self.device == "cpu" else 4
        return sliding.blended(self._run, pixels, of.side, of.overlap, self.spec.name, together)

    def _run(self, pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """Inputs of one size to (B, C, h, w) float32."""
        import torch

        with self.running():
            batch = self.batch(pictures).sub_(self._mean).mul_(self._scale)
            logits = tensor_of(self.network(batch)).float()
            if self.activation == "sigmoid" or logits.shape[1] == 1:
                # the softmax of (0, x) is (1 - sigmoid(x), sigmoid(x))
                logits = torch.cat([torch.zeros_like(logits[:, :1]), logits], 1)
        return logits

    def _prepare(self, fuse: bool, fold: Callable[[nn.Module], int] | None) -> tuple[int, int | None]:
        """Check what comes out, and fold: (outputs, batch norms folded or None)."""
        import torch

        height, width = _usual_size(self._geometry)
        side = (min(height, 128), min(width, 128))
        probe = torch.rand(1, 3, *side, generator=torch.Generator().manual_seed(0))
        if fuse and fold is None:
            from models.fusing import fold_batch_norms

            plain = one_output(self.network)
            outputs, norms = fold_batch_norms(plain, probe)
            return self._outputs(outputs, side), len(norms)
        folded = fold(self.network) if fuse and fold is not None else None
        with torch.inference_mode():
            outputs = tensor_of(self.network(probe))
        return self._outputs(outputs, side), folded

    def _outputs(self, outputs: Any, side: Size) -> int:
        """How many logits a place. Raises InputError if they are no such grid."""
        shape: tuple[int, ...] = tuple(getattr(outputs, "shape", ()))
        if len(shape) != 4 or shape[0] != 1 or not all(shape) or shape[2] > side[0] or shape[3] > side[1]:
            raise InputError(
                f"{self.spec.name} is no semantic segmenter: (1, classes, h, w) scores were expected of a picture of "
                f"{side[0]}x{side[1]}, got {shape or type(outputs).__name__}."
            )
        return int(shape[1])


def tensor_of(outputs: Any) -> torch.Tensor:
    """The main one of several outputs: "out" of a dictionary, the first of a tuple."""
    while isinstance(outputs, (tuple, list, dict)):
        outputs = outputs["out"] if isinstance(outputs, dict) else outputs[0]
    return outputs


def one_output(net: nn.Module) -> nn.Module:
    """The network with one tensor for its result; what is folded in it is folded in the network."""
    from torch import nn

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return tensor_of(self.net(batch))

    return Plain().eval()


def _usual_size(geometry: Geometry) -> Size:
    """(height, width) of a usual input: a letterbox's own, else that of a picture of 3:4."""
    if isinstance(geometry, LetterBox):
        return geometry.size
    side = getattr(geometry, "side", None) or 480
    return geometry.place((side, side * 4 // 3)).outer
