"""Drawing tracks into a picture: boxes, ids, class names and trails, in the colours of the browser."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np

from dashboard.track_colours import track_colour
from dashboard.types import Detections, Image

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_UNDER = (20, 20, 20)  # beneath lines, so that they stand out from light pictures as well
_LIGHTEST = 140  # luma of a label's colour above which its text is dark


class TrackPainter:
    """Draws the frames of one sequence, in order: trails are remembered from frame to frame.

    Args:
        class_names: by class number; numbers without a name (or whose name has letters that cannot be drawn) stay.
        trail: frames that a trail goes back; 0 draws none.
        scale: (x, y) by which boxes are multiplied.
    """

    def __init__(
        self, class_names: Sequence[str] = (), trail: int = 30, scale: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        self.class_names, self.trail = tuple(class_names), trail
        self.scale = np.array([*scale, *scale])
        self._trails: dict[int, deque[tuple[int, int, int]]] = {}
        self._frame = 0

    def draw(self, image: Image, found: Detections) -> Image:
        """A copy of the next frame's picture, (H, W, 3) uint8 RGB, with its boxes drawn.

        A box without a track is drawn grey, without an id or a trail.
        """
        canvas = np.ascontiguousarray(image).copy()
        thick = max(2, round(max(canvas.shape[:2]) / 400))
        boxes = np.round(found.xyxy * self.scale).astype(np.int64)
        ids = found.track_ids if found.track_ids is not None else np.full(len(found), -1)
        self._remember(boxes, ids)
        for track in ids[ids >= 0].tolist():
            self._trail(canvas, track, thick)
        for row in range(len(found)):
            left, top, right, bottom = boxes[row].tolist()
            track = int(ids[row])
            colour = track_colour(track) if track >= 0 else (150, 150, 150)
            corners = (left, top), (right - 1, bottom - 1)
            cv2.rectangle(canvas, *corners, _UNDER, thick + 2)
            cv2.rectangle(canvas, *corners, colour, thick)
            _label(canvas, self._text(found, row, track), (left, top), (right, bottom), colour)
        self._frame += 1
        return canvas

    def _text(self, found: Detections, row: int, track: int) -> str:
        number = int(found.class_ids[row])
        name = self.class_names[number] if number < len(self.class_names) else ""
        words = [f"#{track}"] * (track >= 0) + [name if name and name.isascii() else f"class {number}"]
        words += [] if found.scores is None else [f"{found.scores[row]:.2f}"]
        return " ".join(words)

    def _remember(self, boxes: np.ndarray, ids: np.ndarray) -> None:
        for box, track in zip(boxes.tolist(), ids.tolist(), strict=True):
            if track >= 0 and self.trail:
                place = (self._frame, (box[0] + box[2]) // 2, box[3])  # where it stands
                self._trails.setdefault(track, deque(maxlen=self.trail)).append(place)
        for track in [t for t, past in self._trails.items() if past[-1][0] < self._frame - self.trail]:
            del self._trails[track]

    def _trail(self, canvas: Image, track: int, thick: int) -> None:
        past = [p for p in self._trails.get(track, ()) if p[0] >= self._frame - self.trail]
        if len(past) > 1:
            line = np.array([p[1:] for p in past], np.int32).reshape(-1, 1, 2)
            cv2.polylines(canvas, [line], False, _UNDER, thick + 2, cv2.LINE_AA)
            cv2.polylines(canvas, [line], False, track_colour(track), thick, cv2.LINE_AA)


def _label(
    canvas: Image, text: str, top_left: tuple[int, int], bottom_right: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    """Text on a plate of the track's colour: above its box, or below where there is no room, within the picture."""
    height, width = canvas.shape[:2]
    size = min(1.0, max(0.45, max(height, width) / 1600))
    weight = 1 if size < 0.8 else 2
    (wide, high), under = cv2.getTextSize(text, _FONT, size, weight)
    left = int(np.clip(top_left[0], 0, max(0, width - wide - 4)))
    plate = high + under + 2
    top = top_left[1] - plate if top_left[1] >= plate else min(bottom_right[1], height - plate)
    cv2.rectangle(canvas, (left, top), (left + wide + 3, top + plate - 1), colour, -1)
    red, green, blue = colour
    ink = (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > _LIGHTEST else (255, 255, 255)
    cv2.putText(canvas, text, (left + 2, top + high + 1), _FONT, size, ink, weight, cv2.LINE_AA)
