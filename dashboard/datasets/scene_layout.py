"""Where the digits of a ``demo:scenes`` picture lie, and the exact truth that follows: no pixel colours here.

The layout depends on its arguments, on scikit-learn's digits as Pillow enlarges them, and on sums and products of
float64. The random numbers are numpy's legacy stream, which is frozen. Old and new versions of both agree.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

SPLITS = {"train": 1, "test": 2}
TRAIN_DIGITS = 1200  # of the 1797, as in demo:digits
SIDE = 80  # pixels of an enlarged digit
MIN_VISIBLE = 0.45  # of a digit, whatever lies over it
MIN_PIXELS = 12
STROKE = {"train": (0.36, 0.58), "test": (0.42, 0.54)}  # where ink begins; higher is thinner


@dataclass(frozen=True, eq=False)
class Layer:
    """One thing that is pasted, in order.

    Attributes:
        top, left: of ``alpha`` in the picture.
        alpha: (h, w) float64 in 0..1.
        height: of the digit (upright, in pixels), or of a piece in front.
        instance: 1.. in ``Layout.instances``, or 0 for a piece of another photo in front.
        label: the digit, -1 for a piece.
    """

    top: int
    left: int
    alpha: NDArray[np.float64]
    height: float
    instance: int
    label: int

    @property
    def window(self) -> tuple[slice, slice]:
        """The part of the picture under it."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(eq=False)
class Layout:
    """The truth of one scene and how to paint it.

    Attributes:
        size: (height, width) in pixels.
        instances: (H, W) uint8, 0 for none, k for the k-th object, visible pixels only. At most 255 objects.
        labels: (N,) digits 0..9.
        crowd: (N,) bool.
        areas: (N,) int64, visible pixels.
        full: (N,) int64, pixels if nothing lay in front and the picture had no edge.
        layers: in the order of painting.
    """

    size: tuple[int, int]
    instances: NDArray[np.uint8]
    labels: list[int] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    areas: list[int] = field(default_factory=list)
    full: list[int] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) xyxy, tight around the visible pixels."""
        found = np.empty((len(self.labels), 4))
        for k in range(len(self.labels)):
            mask = self.instances == k + 1
            xs, ys = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
            found[k] = xs[0], ys[0], xs[-1] + 1, ys[-1] + 1
        return found

    def masks(self) -> NDArray[np.bool_]:
        """(N, H, W), visible pixels."""
        return self.instances[None] == np.arange(1, len(self.labels) + 1, dtype=np.uint8)[:, None, None]

    def semantic(self) -> NDArray[np.uint8]:
        """(H, W): 0 for the background, 1 + digit elsewhere (crowds too)."""
        return np.array([0, *(label + 1 for label in self.labels)], np.uint8)[self.instances]

    def paste(self, layer: Layer, full: int, crowd: bool = False) -> bool:
        """Put a layer on top unless too little would be left of what is below; says whether it did."""
        window, solid = layer.window, layer.alpha > 0.5
        covered = np.bincount(self.instances[window][solid], minlength=256)[1 : len(self.areas) + 1]
        left = np.asarray(self.areas, np.int64) - covered
        own = layer.instance if layer.instance and layer.instance <= len(self.labels) else 0
        others = np.arange(1, len(self.areas) + 1) != own
        if ((covered > 0) & (left < MIN_VISIBLE * np.asarray(self.full, np.float64)) & others).any():
            return False
        self.areas = left.tolist()
        if layer.instance:
            if not own:
                self.labels.append(layer.label)
                self.crowd.append(crowd)
                self.areas.append(0)
                self.full.append(0)
            self.areas[layer.instance - 1] += int(solid.sum())
            self.full[layer.instance - 1] += full
        self.instances[window][solid] = layer.instance
        self.layers.append(layer)
        return True


@functools.cache
def digits(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
    """The split's digits: (N, 82, 82) ink enlarged from 8x8 with an empty rim, (N,) labels, (N, 4) tight boxes."""
    import PIL.Image
    from sklearn.datasets import load_digits  # most of a second, so only when asked for

    bunch = load_digits()
    part = slice(0, TRAIN_DIGITS) if split == "train" else slice(TRAIN_DIGITS, None)
    ink = np.zeros((len(bunch.target[part]), SIDE + 2, SIDE + 2), np.uint8)
    tight = np.empty((len(ink), 4))
    for k, small in enumerate(bunch.images[part]):
        padded = PIL.Image.fromarray(np.pad(small * (255 / 16), ((0, 0), (1, 1))).astype(np.float32))
        large = np.asarray(padded.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC))
        ink[k, 1:-1, 1:-1] = np.clip(np.rint(large), 0, 255)
        ys, xs = np.nonzero(ink[k] > 0.48 * 255)
        tight[k] = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    return ink, bunch.target[part].astype(np.int64), tight


def arrange(
    split: str,
    index: int,
    size: tuple[int, int] = (256, 256),
    *,
    crowds: bool = True,
    heights: tuple[int, int] = (14, 100),
) -> Layout:
    """Lay out one scene.

    Args:
        split: "train" or "test": which digits (and photos, when it is painted).
        index: 0 or more; another index is another scene.
        size: (height, width) in pixels.
        crowds: mark a dense cluster as one crowd region; if False each of its digits is an object of its own.
        heights: of ordinary digits in pixels, spread evenly over their logarithm.
    """
    rng = RandomState([SPLITS[split], index, *size, 0])
    layout = Layout(size, np.zeros(size, np.uint8))
    empty, flock, hero, covered = rng.uniform(size=4)
    if empty < 0.07:
        return layout
    if flock < 0.12:
        _cluster(layout, rng, split, crowds)
    if hero < 0.18:
        tall = rng.uniform(0.5, 0.95) * min(size)
        _try(layout, rng, split, (tall, tall))
    for _ in range(rng.randint(1, 11)):
        _try(layout, rng, split, heights)
    if covered < 0.55:
        _cover(layout, rng)
    return layout


def _try(layout: Layout, rng: RandomState, split: str, heights: tuple[float, float]) -> None:
    """Place one digit at random, with up to six attempts."""
    height, width = layout.size
    for _ in range(6):
        which = rng.randint(len(digits(split)[1]))
        tall = math.exp(rng.uniform(math.log(heights[0]), math.log(heights[1]) + 1e-9))
        x, y = rng.uniform(-2, width + 2), rng.uniform(-2, height + 2)
        got = _digit(layout, rng, split, which, (x, y), tall, len(layout.labels) + 1)
        if got is None:
            continue
        layer, full = got
        if (layer.alpha > 0.5).sum() >= max(MIN_PIXELS, MIN_VISIBLE * full) and layout.paste(layer, full):
            return


def _cluster(layout: Layout, rng: RandomState, split: str, crowd: bool) -> None:
    """A dense heap of small digits of one class inside an ellipse."""
    height, width = layout.size
    labels = digits(split)[1]
    label = rng.randint(10)
    pool = np.flatnonzero(labels == label)
    tall = rng.uniform(13, 19)
    rows, columns = rng.randint(3, 6), rng.randint(4, 8)
    step = tall * rng.uniform(0.75, 1.0)
    half = rows * step / 2 + tall, columns * step / 2 + tall
    cy, cx = rng.uniform(half[0], height - half[0]), rng.uniform(half[1], width - half[1])
    for row in range(rows):
        for column in range(columns):
            across, down = (column + 0.5) / columns * 2 - 1, (row + 0.5) / rows * 2 - 1
            shift_x, shift_y, grown = rng.uniform(-0.3, 0.3, 3)
            which = pool[rng.randint(len(pool))]
            if across * across + down * down > 1.3:
                continue
            at = cx + (across * columns / 2 + shift_x) * step, cy + (down * rows / 2 + shift_y) * step
            number = 1 if crowd else len(layout.labels) + 1
            got = _digit(layout, rng, split, which, at, tall * (1 + grown / 3), number)
            if got is not None and (got[0].alpha > 0.5).sum() >= MIN_PIXELS:
                layout.paste(*got, crowd=crowd)


def _cover(layout: Layout, rng: RandomState) -> None:
    """Pieces of another photo in front of some of the digits."""
    for digit in [layer for layer in layout.layers if not layout.crowd[layer.instance - 1]]:
        chance, round_, angle = rng.uniform(size=3)
        tall, wide = (max(4, int(min(digit.height, 90) * k)) for k in rng.uniform(0.3, 1.1, 2))
        if chance > 0.33:
            continue
        solid = np.ones((tall, wide))
        if round_ < 0.5:
            y, x = (np.arange(n) * 2.0 - (n - 1) for n in (tall, wide))
            solid = ((y / tall)[:, None] ** 2 + (x / wide)[None] ** 2 <= 1).astype(np.float64)
        rows, columns = digit.alpha.shape
        top = digit.top + rows / 2 + 0.45 * digit.height * math.sin(2 * math.pi * angle) - tall / 2
        left = digit.left + columns / 2 + 0.45 * digit.height * math.cos(2 * math.pi * angle) - wide / 2
        piece = _clip(layout.size, int(top), int(left), solid)
        if piece is not None:
            layout.paste(Layer(*piece, height=tall, instance=0, label=-1), 0)


def _digit(
    layout: Layout, rng: RandomState, split: str, which: int, at: tuple[float, float], tall: float, instance: int
) -> tuple[Layer, int] | None:
    """A digit turned, sheared and scaled about ``at`` (x, y), with its whole size in pixels; None if outside."""
    ink, labels, tight = digits(split)
    x1, y1, x2, y2 = tight[which]
    angle, shear, aspect = math.radians(rng.uniform(-25, 25)), rng.uniform(-0.2, 0.2), rng.uniform(0.85, 1.2)
    level = rng.uniform(*STROKE[split])
    k = tall / (y2 - y1)
    cos, sin = k * math.cos(angle), k * math.sin(angle)
    a, b, c, d = cos * aspect, cos * shear - sin, sin * aspect, sin * shear + cos  # digit to picture
    scale = 1 / (a * d - b * c)
    reach_x = (abs(a) * (x2 - x1) + abs(b) * (y2 - y1)) / 2 + 2
    reach_y = (abs(c) * (x2 - x1) + abs(d) * (y2 - y1)) / 2 + 2
    left, top = math.floor(at[0] - reach_x), math.floor(at[1] - reach_y)
    dx = (np.arange(left, math.ceil(at[0] + reach_x)) + 0.5 - at[0])[None]
    dy = (np.arange(top, math.ceil(at[1] + reach_y)) + 0.5 - at[1])[:, None]
    u = np.clip((d * dx - b * dy) * scale + (x1 + x2) / 2 - 0.5, 0, SIDE + 0.999)
    v = np.clip((a * dy - c * dx) * scale + (y1 + y2) / 2 - 0.5, 0, SIDE + 0.999)
    i, j = v.astype(np.intp), u.astype(np.intp)
    s, t = v - i, u - j
    flat, start = ink[which].reshape(-1), i * (SIDE + 2) + j
    upper = flat[start] * (1 - t) + flat[start + 1] * t
    lower = flat[start + SIDE + 2] * (1 - t) + flat[start + SIDE + 3] * t
    soft = min(max(8 / tall, 0.12), 0.5)  # about one pixel of the picture
    edge = np.clip(((upper * (1 - s) + lower * s) / 255 - level) / soft + 0.5, 0, 1)
    piece = _clip(layout.size, top, left, edge * edge * (3 - 2 * edge))
    if piece is None:
        return None
    return Layer(*piece, height=float(tall), instance=instance, label=int(labels[which])), int((edge > 0.5).sum())


def _clip(
    size: tuple[int, int], top: int, left: int, alpha: NDArray[np.float64]
) -> tuple[int, int, NDArray[np.float64]] | None:
    """What of a patch is inside the picture."""
    y1, x1 = max(0, -top), max(0, -left)
    inside = alpha[y1 : max(y1, size[0] - top), x1 : max(x1, size[1] - left)]
    return None if inside.size == 0 or not inside.any() else (top + y1, left + x1, inside)
