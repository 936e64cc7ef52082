"""Parameters and operations of one layer by hand, and its numbers to fill the formulas with.

Formulas (K: kernel sides, g: groups, N: batch, L: tokens, E: their width; one multiply-accumulate = 2 FLOPs):

=============== ====================================== ============================================================
layer           parameters                             operations
=============== ====================================== ============================================================
convolution     (Kh Kw Cin / g) Cout, + Cout (bias)    MACs: Kh Kw Cin / g * Cout * Hout * Wout * N
transposed      (Kh Kw Cin / g) Cout, + Cout (bias)    MACs: Kh Kw Cin / g * Cout * Hin * Win * N
linear          Nin Nout, + Nout (bias)                MACs: Nin * Nout for each row that goes in
recurrent       its matrices' values, + biases         MACs: its matrices' values for each row of the sequence
attention       4 E E, + 4 E (bias)                    MACs: N (4 L E E + 2 L L E) if all three inputs are the same
batch norm      2 C                                    FLOPs: 4 N C H W (minus mean, by deviation, times, plus)
pooling         0                                      FLOPs: Hout Wout C N (one an output)
=============== ====================================== ============================================================
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dashboard.types import Image


def rule_of(module: Any) -> str:
    """Which formula counts it."""
    from torch import nn

    if isinstance(module, nn.modules.conv._ConvNd) or type(module).__name__ == "DeformConv2d":  # of torchvision
        return "conv"
    if isinstance(module, nn.Linear):
        return "linear"
    if isinstance(module, nn.modules.batchnorm._BatchNorm) or type(module).__name__ in ("FrozenBatchNorm2d",):
        return "batch_norm"
    if isinstance(module, nn.MultiheadAttention):
        return "attention"
    name = type(module).__name__
    return "pool" if "Pool" in name and next(module.parameters(), None) is None else "other"


def macs_of(module: Any, rule: str, inputs: Any, output: Any) -> int | None:
    """MACs by the formulas of the table above; None where there is none for it."""
    from torch import nn

    if rule == "conv":
        each = math.prod(module.kernel_size) * module.in_channels // module.groups
        if _turned(module):  # every place that goes in is spread over a kernel
            return inputs[0].numel() // module.in_channels * each * module.out_channels
        return output.numel() * each
    if rule == "linear":
        return inputs[0].numel() * module.out_features
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        values = inputs[0].data  # of a PackedSequence, too
        return values.numel() // values.shape[-1] * sum(p.numel() for p in module.parameters() if p.dim() == 2)
    return None


def terms_of(module: Any, rule: str, inputs: Any, output: Any) -> dict[str, int]:
    """The numbers that fill a layer's formula, of its first call; names as in ``shapes.Layer.terms``."""
    shape = shape_of(output)
    if rule == "conv" and len(module.kernel_size) == 2:
        height, width = inputs[0].shape[-2:] if _turned(module) else shape[-2:]
        places = ("hin", "win") if _turned(module) else ("hout", "wout")
        kernel = dict(zip(("kh", "kw"), map(int, module.kernel_size), strict=True))
        channels = {"cin": module.in_channels, "cout": module.out_channels, "groups": module.groups}
        return {**kernel, **channels, places[0]: int(height), places[1]: int(width), "bias": int(_biased(module))}
    if rule == "linear":
        rows = inputs[0].numel() // module.in_features
        return {"nin": module.in_features, "nout": module.out_features, "rows": rows, "bias": int(_biased(module))}
    if rule == "batch_norm" and len(shape) == 4:
        return dict(zip(("n", "c", "h", "w"), shape, strict=True))
    if rule == "pool" and len(shape) == 4:
        return {"hout": shape[2], "wout": shape[3], "c": shape[1]}
    return {}


def _turned(module: Any) -> bool:
    return bool(getattr(module, "transposed", False))


def _biased(module: Any) -> bool:
    return module.bias is not None


def attention_flops(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """FLOPs of softmax(q k') v from (..., L, E), (..., S, E), (..., S, V): 2 L S E + 2 L S V."""
    return 2 * math.prod(query[:-1]) * key[-2] * (key[-1] + value[-1])


def small_flops(rule: str, inputs: Any, output: Any) -> int:
    """FLOPs of layers that are not in the total."""
    if rule == "batch_norm":
        return 4 * inputs[0].numel()
    return math.prod(shape_of(output)) if rule == "pool" else 0


def shape_of(output: Any) -> tuple[int, ...]:
    """Of the first tensor in it; () without one."""
    if hasattr(output, "shape"):
        return tuple(int(side) for side in output.shape)
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, (tuple, list)) else ()
    return next((shape for part in parts if (shape := shape_of(part))), ())


def made_picture(height: int, width: int) -> Image:
    """A picture to measure with, (height, width, 3) uint8, always the same: soft colours, a few objects, some noise."""
    import cv2

    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 216, (5, 7, 3)).astype(np.float32)
    image: Any = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        size = int(rng.integers(1, max(2, min(height, width) // 4)))
        cv2.circle(image, (x, y), size, rng.integers(0, 256, 3).tolist(), -1)
    image += rng.normal(0, 6, image.shape).astype(np.float32)
    return np.asarray(image.clip(0, 255), np.uint8)
