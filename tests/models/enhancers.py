"""Small networks with seeded random numbers that make a picture of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.base import LoadOptions, ModelSpec, Weights

SPEC = ModelSpec("small", "enhancement", "spandrel", "made on the spot", Weights("file", "nowhere"))


def options(**settings: str) -> LoadOptions:
    return LoadOptions(device="cpu", settings=settings)


def network(channels: int = 3, scale: int = 1, gives: int | None = None, seed: int = 0, norm: bool = False):
    """Three convolutions, 3 pixels of reach, and a pixel shuffle: near the identity, so that answers are pictures."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    gives = gives or channels
    middle = [nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)] if norm else [nn.Conv2d(8, 8, 3, padding=1)]
    layers = [nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), *middle, nn.ReLU()]
    body = nn.Sequential(*layers, nn.Conv2d(8, gives * scale**2, 3, padding=1), nn.PixelShuffle(scale))
    if norm:
        nn.init.uniform_(body[3].running_mean, -0.2, 0.2)
        nn.init.uniform_(body[3].running_var, 0.5, 1.5)

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = body

        def forward(self, x):
            near = x[:, :1] if gives == 1 else x[:, :gives] if channels >= gives else x.expand(-1, gives, -1, -1)
            return self.body(x) + nn.functional.interpolate(near, scale_factor=scale)

    return Small().eval()


def pictures() -> dict[str, np.ndarray]:
    """Colour, grey (three equal channels), colour with alpha."""
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (37, 52, 3), dtype=np.uint8)
    grey = np.repeat(rng.integers(0, 256, (40, 31, 1), dtype=np.uint8), 3, axis=2)
    alpha = rng.integers(0, 256, (37, 52, 1), dtype=np.uint8)
    return {"colour": colour, "grey": grey, "alpha": np.concatenate([colour, alpha], axis=2)}


def onnx_file(
    path: Path,
    seed: int = 0,
    *,
    channels: int = 3,
    scale: int = 1,
    size: tuple[int | str, int | str] = ("h", "w"),
    multiple: int = 1,
    gives: int | None = None,
    last: bool = False,
    white: float = 1,
    whole: bool = False,
    batch: int | str = "batch",
) -> Path:
    """A convolution of 3x3 near the identity and a pixel shuffle; ``multiple`` folds the picture on the way.

    ``last`` has channels last, ``whole`` takes and gives bytes, ``white`` is the largest value otherwise.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    gives = gives or channels
    rng = np.random.default_rng(seed)
    folds = channels * multiple**2
    weight = rng.normal(0, 0.03, (gives * multiple**2 * scale**2, folds, 3, 3)).astype(np.float32)
    for out in range(len(weight)):
        weight[out, out * folds // len(weight), 1, 1] += 0.8
    nodes, now = [], "input"

    def then(kind: str, *more: str, **how) -> None:
        nonlocal now
        nodes.append(helper.make_node(kind, [now, *more], [f"v{len(nodes)}"], **how))
        now = f"v{len(nodes) - 1}"

    if whole:
        then("Cast", to=TensorProto.FLOAT)
    if last:
        then("Transpose", perm=[0, 3, 1, 2])
    if multiple > 1:
        then("SpaceToDepth", blocksize=multiple)
    then("Conv", "w", "b", kernel_shape=[3, 3], pads=[1] * 4)
    if multiple * scale > 1:
        then("DepthToSpace", blocksize=multiple * scale, mode="CRD")
    if last:
        then("Transpose", perm=[0, 2, 3, 1])
    if whole:
        then("Clip", "zero", "most")
        then("Cast", to=TensorProto.UINT8)
    then("Identity")
    nodes[-1].output[0] = "output"
    constants = {"w": weight, "b": np.full(len(weight), 0.05 * white, np.float32)}
    constants |= {"zero": np.float32(0), "most": np.float32(255)}
    kind = TensorProto.UINT8 if whole else TensorProto.FLOAT
    larger = [side * scale if isinstance(side, int) else f"{side}_out" for side in size]
    ends = [
        helper.make_tensor_value_info(name, kind, [batch, *shape, c] if last else [batch, c, *shape])
        for name, shape, c in (("input", size, channels), ("output", larger, gives))
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
