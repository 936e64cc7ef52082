"""Small real videos that the tests are made of; every frame carries its number as black and white squares."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

SIDE = 8  # pixels of a square
SIZE = (48, 64)  # height and width


def numbered(number: int, size: tuple[int, int] = SIZE, colour: tuple[int, int, int] = (200, 90, 60)) -> np.ndarray:
    """(H, W, 3) uint8: seven squares across the top that spell the number in binary, over one colour."""
    image = np.empty((*size, 3), np.uint8)
    image[:] = colour
    for bit in range(7):
        image[:SIDE, bit * SIDE : (bit + 1) * SIDE] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    """The number that a frame carries."""
    side = image.shape[1] * SIDE // SIZE[1]
    return sum(1 << bit for bit in range(7) if image[side // 2, bit * side + side // 2, 0] > 128)


def film(
    path: Path,
    count: int = 40,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    ms: Sequence[int] | None = None,
    turned: int = 0,
    flipped: bool = False,
    frames: Sequence[np.ndarray] | None = None,
    container: dict[str, str] | None = None,
    skip: int = 0,
) -> Path:
    """Write a video.

    Args:
        path: where; its suffix says the container.
        count: of frames.
        codec: the encoder's name.
        pixels: its pixel format.
        options: its options.
        ms: times of the frames in milliseconds; 25 frames a second if None.
        turned: of the display matrix, degrees counter-clockwise.
        flipped: of the display matrix, mirrored left and right after that.
        frames: the pictures, if they are not to be ``numbered``.
        container: options of the container.
        skip: packets at the beginning that are left out, as of a recording cut in the middle.
    """
    import av

    pictures = [numbered(i) for i in range(count)] if frames is None else list(frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        if ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turned or flipped:
            stream.set_display_rotation(turned, hflip=flipped)

        def mux(packets: list) -> None:
            nonlocal written
            for packet in packets:
                if written >= skip:
                    out.mux(packet)
                written += 1

        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = i if ms is None else ms[i]
            frame.time_base = Fraction(1, 25) if ms is None else Fraction(1, 1000)
            mux(stream.encode(frame))
        mux(stream.encode())
        if written <= skip:
            out.start_encoding()  # writes the header, which comes with the first packet otherwise
    return path


def sound(path: Path, codec: str, cover: np.ndarray | None = None) -> Path:
    """Half a second of silence, with a cover picture or without."""
    import av
    from av.stream import Disposition

    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=44100)
        if cover is not None:
            picture = out.add_stream("mjpeg", rate=1)
            picture.height, picture.width = cover.shape[:2]
            picture.pix_fmt, picture.disposition = "yuvj420p", Disposition.attached_pic
            out.mux(picture.encode(av.VideoFrame.from_ndarray(cover, format="rgb24")) + picture.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 22050), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        out.mux([p for f in [frame, None] for p in stream.encode(f)])
    return path
