"""How far two pictures are apart in the features of VGG19: a loss that follows texture rather than pixels.

The mean squared difference of the features of the last convolution, conv5_4 (Ledig et al., SRGAN, CVPR 2017: the loss
"VGG54"), taken before its activation (Wang et al., ESRGAN, ECCVW 2018), of pictures normalised as ImageNet's. The
weights are torchvision's, from torch's folder only: they are large and never fetched unasked.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from models import downloads
from models.base import LoadOptions
from models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from models.torch_adapter import choose_device, load_tensors

if TYPE_CHECKING:
    import torch

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
STRIDE = 16  # pixels a feature
_LAYERS = 35  # of torchvision's ``features``: up to conv5_4, without its ReLU
_REACH = 128  # pixels beyond a feature's own that it sees (126), in whole strides
_TILE = 512  # pixels a side whose features are looked at in one go


def weights_file() -> Path:
    """Where torch keeps torchvision's VGG19."""
    return downloads.torch_file(URL)


def why_not() -> str | None:
    """Why the distance is not to be had here, in one sentence; None if it is."""
    if importlib.util.find_spec("torchvision") is None:
        return "The perceptual loss needs torchvision, which is not installed."
    path = weights_file()
    if not path.is_file():
        return f"The perceptual loss needs VGG19's weights, which are not at {path}: put {URL} (about 575 MB) there."
    return None


class Perceptual:
    """VGG19 up to conv5_4.

    Args:
        device: "auto", "cpu" or "cuda:N".

    Raises:
        InputError: no weights here (``why_not``), a damaged file, no such device.
    """

    def __init__(self, device: str = "auto") -> None:
        reason = why_not()
        if reason is not None:
            raise InputError(reason)
        import torch
        import torchvision

        self.device = choose_device(LoadOptions(device=device))
        path = weights_file()
        with torch.device("meta"):
            net = torchvision.models.vgg19(weights=None).features[:_LAYERS]
        try:
            tensors = load_tensors(path)
            own = {k.removeprefix("features."): tensors[f"features.{k}"].float() for k in net.state_dict()}
            net.load_state_dict(own, assign=True)
        except Exception as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(f"{path} cannot be loaded as VGG19 ({reason}): download it again from {URL}.") from error
        self._net: Any = net.eval().requires_grad_(False).to(self.device)

    def distance(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
        """Mean squared difference of the features; 0 for the same picture, without an upper end.

        Large pictures are looked at piece by piece, with the same result.

        Args:
            first: (H, W, 3) RGB or (H, W) grey, uint8.
            second: the same; grey counts as three equal channels.

        Returns:
            NaN for pictures of less than 16 pixels a side, which have no feature.

        Raises:
            ValueError: pictures of different size or another kind.
        """
        import torch

        pair = [_rgb(one) for one in (first, second)]
        if pair[0].shape != pair[1].shape:
            raise ValueError(f"pictures must be of one size, got {pair[0].shape} and {pair[1].shape}")
        height, width = (side // STRIDE * STRIDE for side in pair[0].shape[:2])
        if not height or not width:
            return float("nan")
        total, count = 0.0, 0
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                rows, columns = _window(top, height, pair[0].shape[0]), _window(left, width, pair[0].shape[1])
                window = [one[rows[0] : rows[1], columns[0] : columns[1]] for one in pair]
                with torch.inference_mode():
                    a, b = (self._features(one)[:, slice(*rows[2:]), slice(*columns[2:])] for one in window)
                    total += float((a - b).square_().sum(dtype=torch.float64))
                count += a.numel()
        return total / count

    def _features(self, picture: NDArray[np.uint8]) -> torch.Tensor:
        """(512, h / 16, w / 16) float32."""
        import torch

        batch = torch.from_numpy(np.ascontiguousarray(picture)).to(self.device).permute(2, 0, 1)[None].float().div_(255)
        mean, std = (torch.tensor(one, device=self.device).view(1, 3, 1, 1) for one in (IMAGENET_MEAN, IMAGENET_STD))
        found: torch.Tensor = self._net(batch.sub_(mean).div_(std))[0]
        return found


def _window(start: int, end: int, length: int) -> tuple[int, int, int, int]:
    """(first and last pixel to look at, first and last of its features to count) for the tile that begins at ``start``.

    The last tile looks at what is left of the picture, too: less than a feature, but seen by its neighbours.
    """
    stop = min(start + _TILE, end)
    first = max(start - _REACH, 0)
    last = length if stop == end else min(stop + _REACH, length)
    return first, last, (start - first) // STRIDE, (stop - first) // STRIDE


def _rgb(picture: NDArray[Any]) -> NDArray[np.uint8]:
    array = np.asarray(picture)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(f"a picture must be (H, W, 3) or (H, W) uint8, got {array.dtype} {array.shape}")
    return array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)
