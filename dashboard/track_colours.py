"""The colour of a track, the same in the browser, in pictures and in videos."""

from __future__ import annotations

import colorsys

_TURN = 137.508  # degrees, the golden angle: ids that follow one another are far apart in hue
_SATURATION, _LIGHT = 0.75, 0.55


def track_colour(track_id: int) -> tuple[int, int, int]:
    """(r, g, b), 0..255 each, of a track: hue id * 137.508 degrees, saturation 0.75, lightness 0.55."""
    red, green, blue = colorsys.hls_to_rgb(track_id * _TURN % 360 / 360, _LIGHT, _SATURATION)
    return round(red * 255), round(green * 255), round(blue * 255)
