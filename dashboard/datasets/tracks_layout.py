"""How the digits of ``demo:tracks`` move, and what of each is visible in a frame: no pixel colours here.

Everything follows from a sequence's seed by numpy's frozen random stream, so any frame can be asked for alone.
Positions are rounded to 1/64 pixel, so that the last bit of a platform's sine cannot move a box.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from dashboard.datasets.scene_layout import MIN_PIXELS, Layer, Layout, _digit, digits

FRAMES = 150
FPS = 25.0
SIZE = (240, 320)  # (height, width) in pixels
MIN_VISIBLE = 0.2  # of a digit; with less of it in view there is no truth in that frame
_MARGIN = 60.0  # pixels outside the picture, where no digit shows


@dataclass(frozen=True)
class Scenario:
    """What makes a sequence easy or hard.

    Attributes:
        name, seed: of the sequence.
        motions: how each digit moves, one a digit (see ``place``).
        heights: (least, most) of the digits in pixels.
        speeds: (least, most) in pixels a frame.
        twins: digits 1 and 2, 3 and 4, ... are of one class and on one line, so that they meet.
        bars: left edges and widths of standing occluders, in the world's pixels.
        pan: pixels by which the camera goes to the right and comes back.
    """

    name: str
    seed: int
    motions: tuple[str, ...]
    heights: tuple[float, float] = (30, 50)
    speeds: tuple[float, float] = (1.0, 2.5)
    twins: bool = False
    bars: tuple[tuple[int, int], ...] = ()
    pan: int = 0

    @property
    def world(self) -> tuple[int, int]:
        """(height, width) in pixels of what the camera sees over time."""
        return SIZE[0], SIZE[1] + self.pan

    def camera(self, frame: int) -> int:
        """Left edge of the picture in the world, in whole pixels; ``frame`` from 0."""
        return round(self.pan / 2 * (1 - math.cos(2 * math.pi * frame / 75)))


SCENARIOS = (
    Scenario("calm", 12, ("bounce", "sine", "bounce", "linear", "arrive"), (34, 56), (0.5, 1.2)),
    Scenario("crossing", 2, ("bounce",) * 8 + ("arrive",), (30, 46), (1.5, 3.0), twins=True),
    Scenario(
        "occluder", 3, ("sine", "linear", "bounce", "linear", "sine", "leave", "arrive"), bars=((147, 30), (60, 16))
    ),
    Scenario("crowd", 4, ("bounce", "sine", "linear", "leave") * 4 + ("arrive", "arrive"), (24, 36), (0.6, 1.8)),
    Scenario("fast", 5, ("bounce", "leave", "sine", "bounce", "linear", "bounce", "arrive"), (34, 52), (4.5, 8.0)),
    Scenario("pan", 6, ("bounce", "sine", "linear", "bounce", "leave", "arrive", "sine"), speeds=(0.8, 2.0), pan=120),
)


@dataclass(frozen=True)
class Mover:
    """One digit with its path through the world; its identity is its number in the sequence, from 1.

    Attributes:
        which: its number among the held-out digits.
        label: the digit 0..9.
        height: in pixels.
        motion: see ``place``.
        start: (x, y) at frame 0 in pixels.
        speed: (x, y) in pixels a frame.
        swing: (pixels, frames) of a wave.
        entry: frame at which it arrives.
        shape: seed of its turn, shear and stroke.
    """

    which: int
    label: int
    height: float
    motion: str
    start: tuple[float, float]
    speed: tuple[float, float]
    swing: tuple[float, float]
    entry: int
    shape: int


@functools.cache
def movers(scenario: Scenario) -> tuple[Mover, ...]:
    """The digits of a sequence, in the order of their identities; later ones pass in front."""
    rng = RandomState([7, scenario.seed])
    labels = digits("test")[1]
    high, wide = scenario.world
    out: list[Mover] = []
    for number, motion in enumerate(scenario.motions):
        tall = rng.uniform(*scenario.heights)
        which = int(rng.randint(len(labels)))
        x, y = rng.uniform(tall, wide - tall), rng.uniform(0.6 * tall, high - 0.6 * tall)
        pace, angle = rng.uniform(*scenario.speeds), rng.uniform(-0.6, 0.6)
        sign = rng.choice([-1, 1])
        speed = sign * pace * math.cos(angle), pace * math.sin(angle)
        swing = rng.uniform(15, 40), rng.uniform(30, 70)
        if scenario.twins and number % 2 and motion == "bounce":  # towards the one before, from the other side
            other = out[-1]
            pool = np.flatnonzero(labels == other.label)
            which, x, y = int(pool[rng.randint(len(pool))]), wide - other.start[0], other.start[1] + 0.2 * tall
            speed = -other.speed[0], other.speed[1]
        entry = int(rng.randint(20, 90))
        if motion == "arrive":
            x = -_MARGIN / 2 if speed[0] > 0 else wide + _MARGIN / 2
        shape = int(rng.randint(2**31))
        out.append(Mover(which, int(labels[which]), tall, motion, (x, y), speed, swing, entry, shape))
    return tuple(out)


def place(mover: Mover, scenario: Scenario, frame: int) -> tuple[float, float] | None:
    """(x, y) of a digit's centre in the world's pixels; None while it is not there.

    "linear" leaves and comes back on the other side, "leave" turns round outside, "bounce" at the edge, "sine" sways
    up and down on its way, "arrive" comes in later and leaves for good.
    """
    high, wide = scenario.world
    (x, y), (vx, vy) = mover.start, mover.speed
    if mover.motion == "arrive":
        if frame < mover.entry:
            return None
        x, y = x + vx * (frame - mover.entry), _turned(y + vy * (frame - mover.entry), 0, high)
    elif mover.motion == "linear":
        x = (x + vx * frame + _MARGIN) % (wide + 2 * _MARGIN) - _MARGIN
        y = _turned(y + vy * frame, 0, high)
    elif mover.motion == "sine":
        x = _turned(x + vx * frame, 0, wide)
        y += mover.swing[0] * math.sin(2 * math.pi * frame / mover.swing[1])
    else:
        out = _MARGIN if mover.motion == "leave" else -mover.height / 4
        x = _turned(x + vx * frame, -out, wide + out)
        y = _turned(y + vy * frame, mover.height / 4, high - mover.height / 4)
    return round(x * 64) / 64, round(y * 64) / 64


def _turned(value: float, low: float, high: float) -> float:
    """A straight path folded into low..high."""
    length = high - low
    part = (value - low) % (2 * length)
    return low + (part if part <= length else 2 * length - part)


def arranged(scenario: Scenario, frame: int) -> Layout:
    """What lies where in a frame (from 0); ``instances`` holds identities, ``areas`` and ``full`` are one an identity.

    Identities that are not in the picture have an area of 0.
    """
    everyone = movers(scenario)
    layout = Layout(SIZE, np.zeros(SIZE, np.uint8), [m.label for m in everyone], [False] * len(everyone))
    layout.full = [0] * len(everyone)
    left = scenario.camera(frame)
    for number, mover in enumerate(everyone, 1):
        at = place(mover, scenario, frame)
        if at is None or not -_MARGIN < at[0] - left < SIZE[1] + _MARGIN:
            continue
        # the same shape in each frame: its random numbers begin anew
        got = _digit(layout, RandomState(mover.shape), "test", mover.which, (at[0] - left, at[1]), mover.height, number)
        if got is not None:
            layout.layers.append(got[0])
            layout.full[number - 1] = got[1]
    for edge, width in scenario.bars:
        start, stop = max(0, edge - left), min(SIZE[1], edge + width - left)
        if start < stop:
            layout.layers.append(Layer(0, start, np.ones((SIZE[0], stop - start)), SIZE[0], 0, -1))
    for layer in layout.layers:
        layout.instances[layer.window][layer.alpha > 0.5] = layer.instance
    layout.areas = np.bincount(layout.instances.ravel(), minlength=len(everyone) + 1)[1:].tolist()
    return layout


def visible(layout: Layout) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Identities of which enough is visible, ascending, and (N, 4) xyxy boxes, tight around their visible pixels."""
    boxes, identities = [], []
    for layer in layout.layers:
        k = layer.instance - 1
        if k < 0 or layout.areas[k] < max(MIN_PIXELS, MIN_VISIBLE * layout.full[k]):
            continue
        seen = layout.instances[layer.window] == layer.instance
        xs, ys = np.flatnonzero(seen.any(0)) + layer.left, np.flatnonzero(seen.any(1)) + layer.top
        boxes.append((xs[0], ys[0], xs[-1] + 1, ys[-1] + 1))
        identities.append(layer.instance)
    return np.array(identities, np.int64), np.array(boxes, np.float64).reshape(-1, 4)
