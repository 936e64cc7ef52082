"""The pixels of a ``demo:tracks`` frame: a photo behind the moving digits, each in one colour all the way."""

from __future__ import annotations

import functools

import numpy as np
import PIL.Image
import PIL.ImageFilter
from numpy.random import RandomState

from dashboard.datasets.scene_layout import Layer
from dashboard.datasets.scene_painting import GREY, PHOTOS, Canvas, photo_part
from dashboard.datasets.tracks_layout import Scenario, arranged, movers
from dashboard.types import Image

_NOISE = np.float32(4 / 104)  # two even bytes have a standard deviation of 104


def painted(scenario: Scenario, frame: int) -> Image:
    """(H, W, 3) uint8 RGB of a frame (from 0); the same for the same arguments."""
    layout, left = arranged(scenario, frame), scenario.camera(frame)
    behind, front, colours = _looks(scenario)
    canvas = behind[:, left : left + layout.size[1]].copy()
    for layer in layout.layers:
        if layer.instance:
            _ink(canvas, layer, colours[layer.instance - 1])
        else:
            rows, columns = layer.window
            canvas[layer.window] = front[rows, columns.start + left : columns.stop + left]
    random = RandomState([9, scenario.seed, frame]).bytes(2 * canvas.size)
    noise = np.frombuffer(random, np.uint8).reshape(2, *canvas.shape)
    canvas += (noise[0].astype(np.float32) + noise[1] - 255) * _NOISE
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def photo_behind(scenario: Scenario) -> str:
    """The name of the photo behind a sequence."""
    return PHOTOS["test"][_random(scenario).randint(len(PHOTOS["test"]))].rpartition(":")[2]


def _random(scenario: Scenario) -> RandomState:
    """The random numbers of a sequence's looks; those of its paths are others."""
    return RandomState([8, scenario.seed])


@functools.lru_cache(maxsize=8)
def _looks(scenario: Scenario) -> tuple[Canvas, Canvas, Canvas]:
    """The world's background, what occluders are cut from, and (N, 3) colours of the digits."""
    rng = _random(scenario)
    behind, front = (photo_part(rng, "test", scenario.world) for _ in range(2))
    grey = float((behind.mean((0, 1)) * GREY).sum())
    colours = np.empty((len(movers(scenario)), 3), np.float32)
    for colour in colours:  # far from the background's mean, to the side where there is more room
        side, contrast = rng.uniform(size=2)
        step = 255 * (0.4 + 0.3 * contrast)
        up = grey < 128 if abs(grey - 128) > 40 else side < 0.5
        colour[:] = np.clip(grey + (step if up else -step) + rng.uniform(-64, 64, 3), 0, 255)
    return behind, front, colours


def _ink(canvas: Canvas, layer: Layer, colour: Canvas) -> None:
    """A digit with a soft shadow of the opposite lightness."""
    under, alpha = canvas[layer.window], layer.alpha.astype(np.float32)[..., None]
    soft = PIL.Image.fromarray((layer.alpha * 255).astype(np.uint8))
    soft = soft.filter(PIL.ImageFilter.GaussianBlur(max(1.0, layer.height / 18)))
    dark = float((colour * GREY).sum()) > 110
    under += ((0 if dark else 255) - under) * (np.asarray(soft, np.float32)[..., None] * np.float32(0.5 / 255))
    shade = np.linspace(-12, 12, len(alpha), dtype=np.float32)[:, None, None]
    under += (np.clip(colour + shade, 0, 255) - under) * alpha
