"""Small networks with seeded random numbers that make a picture of a picture."""

from __future__ import annotations

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
