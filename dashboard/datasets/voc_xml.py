"""Pascal VOC's XML files, read without ever expanding an entity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from dashboard.errors import InputError

_MOST = 20_000_000  # bytes
_LARGEST = 10_000_000  # pixels along a side
_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class VocObject:
    """One object.

    Attributes:
        name: its class.
        xyxy: (xmin, ymin, xmax, ymax) as written.
        difficult: whether it need not be found.
        score: in 0..1, of a prediction; None if there is none.
    """

    name: str
    xyxy: tuple[float, float, float, float]
    difficult: bool
    score: float | None


@dataclass(frozen=True)
class VocFile:
    """What one file says.

    Attributes:
        filename: of its picture, "" if it does not say.
        size: (height, width), 0 where it does not say.
        objects: in the file's order.
    """

    filename: str
    size: tuple[int, int]
    objects: list[VocObject]


def read_voc(file: Path, scored: bool = False) -> VocFile:
    """Read one file.

    Args:
        file: an XML file.
        scored: whether each object must have a ``score`` or ``confidence``.

    Raises:
        InputError: naming the file, and the line or the object (counted from 1): not XML, a document type (which could
            hide entities), no box, numbers that are none, a box that ends before it begins.
    """
    root = _tree(file)
    if root.tag != "annotation":
        raise InputError(f"{file} holds <{root.tag[:40]}>, not VOC's <annotation>: give files in VOC's format")
    objects = [_object(o, f"{file}, object {i}", scored) for i, o in enumerate(root.findall("object"), 1)]
    return VocFile(_text(root, "filename"), (_pixels(root, "height", file), _pixels(root, "width", file)), objects)


def looks_right(file: Path) -> bool:
    """Whether a file begins like an annotation; never raises."""
    try:
        if not file.is_file():
            return False
        with open(file, "rb") as stream:
            return b"<annotation" in stream.read(4096)
    except OSError:
        return False


def _tree(file: Path) -> Element:
    try:
        if not file.is_file():
            raise InputError(f"{file} is not there or no ordinary file: give an XML file")
        if file.stat().st_size > _MOST:
            raise InputError(f"{file} is larger than {_MOST / 1e6:g} MB: give VOC's annotations, one file a picture")
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}): check the path") from error
    builder = TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise InputError(f"{file} has a document type (<!DOCTYPE>), which is not read: remove that line")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except expat.ExpatError as error:
        raise InputError(
            f"{file}, line {error.lineno}: not valid XML ({expat.ErrorString(error.code)}): correct it or copy the "
            "file again"
        ) from error
    except (ValueError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is in an unknown encoding: save it as UTF-8") from error


def _text(element: Element | None, name: str) -> str:
    return "" if element is None else (element.findtext(name) or "").strip()


def _pixels(root: Element, side: str, file: Path) -> int:
    text = _text(root.find("size"), side)
    if not text:
        return 0
    value = _number(text)
    if value is None or not 0 <= value <= _LARGEST or value != int(value):
        raise InputError(f"{file}: the {side} {text!r:.40} is not a number of pixels: correct it")
    return int(value)


def _number(text: str) -> float | None:
    """A finite number, None if it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if -1e300 < value < 1e300 and "_" not in text else None


def _object(element: Element, where: str, scored: bool) -> VocObject:
    name = _text(element, "name")
    if not name:
        raise InputError(f"{where} has no <name>: add its class")
    box = element.find("bndbox")
    if box is None:
        raise InputError(f"{where} ({name!r:.60}) has no <bndbox>: add xmin, ymin, xmax and ymax")
    sides = []
    for side in _SIDES:
        text = _text(box, side)
        value = _number(text)
        if value is None or value < 0:
            what = repr(text[:40]) if text else "missing"
            raise InputError(f"{where} ({name!r:.60}): {side} is {what}, not a pixel number: correct it")
        sides.append(value)
    left, top, right, bottom = sides
    if right < left or bottom < top:
        raise InputError(
            f"{where} ({name!r:.60}): the box ends before it begins (xmin {left:g}, ymin {top:g}, xmax {right:g}, "
            f"ymax {bottom:g}): correct it"
        )
    difficult = _text(element, "difficult").lower() in ("1", "true", "yes")
    score = _score(element, where) if scored else None
    return VocObject(name, (left, top, right, bottom), difficult, score)


def _score(element: Element, where: str) -> float:
    text = _text(element, "score") or _text(element, "confidence")
    if not text:
        raise InputError(f"{where} has no <score> and no <confidence>: predictions need one, in 0..1")
    value = _number(text)
    if value is None or not 0 <= value <= 1:
        raise InputError(f"{where}: the score {text!r:.40} is not a number in 0..1: correct it")
    return value
