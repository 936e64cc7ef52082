"""Opening a video file: what it may be, what it must not be, and one sentence for each.

The files come from strangers. FFmpeg is told to read plain files and to take them for nothing but containers of video:
playlists, scripts and patterns, which name other files and addresses, are not opened.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dashboard.datasets.images import MAX_PIXELS, _sniff
from dashboard.errors import InputError

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".gif", ".wmv", ".asf"}
    | {".flv", ".ogv", ".3gp", ".3g2", ".mxf", ".vob", ".y4m", ".ivf", ".mjpeg", ".h264", ".264", ".h265", ".265"}
)
MAX_PUBLIC_MINUTES = 5
"""Longest video on a server for strangers; ``longest_s`` of ``open_video`` and of the format takes seconds."""

_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,gif,apng,asf,flv,ogg,ivf,h264,hevc,m4v,mjpeg,"
    "mxf,nut,rm,wtv,dv,obu,av1,yuv4mpegpipe,webp_anim,mp3,wav,flac,aac,aiff"
)
_SAFE = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
_LIMITS = {"max_pixels": str(MAX_PIXELS)}  # of decoders: a header may say one size and a frame another
_BOXES = (b"ftyp", b"mdat", b"moov", b"wide", b"free")  # that an MP4 or MOV begins with
_MAGIC = (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"FLV", b"\x00\x00\x01\xba", b"\x30\x26\xb2\x75")


def open_container(path: Path) -> Any:
    """An opened ``av`` container. Raises ``av.error.FFmpegError``, or OSError."""
    import av

    return av.open(f"file:{path.absolute()}", options=dict(_SAFE), metadata_errors="replace")


def video_stream(container: Any, path: Path) -> Any:
    """The first stream that is moving pictures: no cover art, no thumbnails. Raises InputError if there is none."""
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & pictures]
    if streams:
        if streams[0].codec_context is not None:
            streams[0].codec_context.options = dict(_LIMITS)
        return streams[0]
    if container.streams.video:
        raise InputError(f"{path} has sound and a cover picture but no video: give a file with moving pictures")
    if container.streams.audio:
        raise InputError(f"{path} has only sound, no video: give a file with moving pictures")
    raise InputError(f"{path} has no video in it: give a file with moving pictures")


def unreadable(path: Path, error: Exception) -> InputError:
    """The sentence about a file that FFmpeg cannot open."""
    head = _head(path)
    if head[4:8] in _BOXES:
        return InputError(
            f"{path} is a truncated or damaged MP4 or MOV (its index, moov, is missing or broken): record or copy it "
            "again"
        )
    if head.startswith(_MAGIC):
        return InputError(f"{path} is a truncated or damaged video: record or copy it again")
    if begins_like_picture(path):
        return InputError(f"{path} is a picture, not a video: give a video, or a folder of frames")
    why = getattr(error, "strerror", None) or str(error)
    return InputError(f"{path} is not a video that can be read ({why}): give an MP4, MOV, MKV, WebM or AVI file")


def looks_like_container(path: Path) -> bool:
    """Whether a file begins like one of video, and not like text that names other files."""
    head = _head(path)
    return head[4:8] in _BOXES or head.startswith(_MAGIC)


def begins_like_picture(path: Path) -> bool:
    """Whether a file begins like one of those that ``read_image`` reads."""
    try:
        return bool(_sniff(_head(path)[:32], str(path)))
    except InputError:
        return False


def _head(path: Path) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(64)


def check_file(path: Path) -> None:
    """Whether a file is there and can be read. Raises InputError if not."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a video: give a file")
        if not path.exists():
            raise InputError(f"{path} does not exist: check the path")
        if not path.is_file():
            raise InputError(f"{path} is no ordinary file: give a video file")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes): copy or record it again")
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): check that it is readable") from error


def too_long(path: Path, seconds: float, longest_s: float) -> InputError:
    """The sentence about a video beyond the limit."""
    return InputError(
        f"{path} lasts {_spoken(seconds)}, more than the limit of {_spoken(longest_s)} here: cut it to the part that "
        "matters, or run Loupe on your own machine, where there is no limit"
    )


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def check_stream(container: Any, stream: Any, path: Path, longest_s: float | None) -> None:
    """Whether the stream can be decoded, is small enough and short enough, as far as headers say."""
    tag = str(stream.codec_context.codec_tag) if stream.codec_context is not None else ""
    if tag in ("encv", "drmi"):
        raise protected(path)
    if stream.codec_context is None or not _has_decoder(stream):
        name = "" if stream.codec_context is None else stream.codec_context.name or tag
        raise InputError(
            f"{path} is in a codec that is not known here ({name.strip() or 'unnamed'}): convert it to H.264 (MP4)"
        )
    if stream.width * stream.height > MAX_PIXELS:
        raise InputError(
            f"{path} says its frames have {stream.width:,} x {stream.height:,} pixels, more than the limit of "
            f"{MAX_PIXELS:,}: scale it down"
        )
    spans = [float(stream.duration * stream.time_base)] if stream.duration and stream.time_base else []
    seconds = spans[0] if spans else (container.duration or 0) / 1e6
    if longest_s is not None and seconds > longest_s:
        raise too_long(path, seconds, longest_s)


def _has_decoder(stream: Any) -> bool:
    try:
        return bool(stream.codec_context.codec) and stream.codec_context.is_decoder
    except ValueError:
        return False


def protected(path: Path) -> InputError:
    """The sentence about a video that is encrypted."""
    return InputError(f"{path} is protected (DRM) and cannot be decoded: give a copy without protection")


def holds_video(path: Path) -> bool:
    """Whether the contents of a file, whatever its name, are a video of more than one picture."""
    import av

    try:
        with open_container(path) as container:
            stream = video_stream(container, path)
            packets = (packet for packet in container.demux(stream) if packet.size)
            return next(packets, None) is not None and next(packets, None) is not None
    except (av.error.FFmpegError, OSError, ValueError):
        return False


def is_video_name(name: str) -> bool:
    """Whether a file's name says it is a video."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES
