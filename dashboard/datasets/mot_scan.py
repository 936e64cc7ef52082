"""Where the sequences of a MOTChallenge dataset are, and what seqinfo.ini and the pictures say of each."""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import dataclass
from pathlib import Path

from dashboard.datasets.boxes import inside, listed
from dashboard.datasets.files import is_ignored, is_image, is_text, natural_key, subfolders, unusable, walk
from dashboard.datasets.mot_rows import MOST_FRAMES, looks_like_rows
from dashboard.datasets.mots_rows import is_empty, looks_like_masks
from dashboard.errors import InputError
from dashboard.textfiles import read_text

INFO = "seqinfo.ini"
PICTURES = "img1"
_PARTS = frozenset({PICTURES, "gt", "det"})  # of a sequence: no sequences in them
_LONGEST_NAME = 255  # of a file system
_KITTI_PICTURES = ("image_02", "images")
_DEPTH = 6  # folders that a sequence may lie in
_UNPACKED = re.compile(r"-[0-9a-f]{16}$")  # what the cache adds to a zip's name


@dataclass(frozen=True)
class Place:
    """Where a sequence is.

    Attributes:
        folder: that holds its parts.
        key: the folder's path from where the paths of the sequences part, so that wrapping folders do not matter.
        name: for people; the folder's.
        truth: the file of true tracks, or None.
        pictures: the folder of the pictures, where it is not one in ``folder``.
    """

    folder: Path
    key: str
    name: str
    truth: Path | None
    pictures: Path | None = None


@dataclass(frozen=True)
class Facts:
    """What is said of a sequence besides its boxes.

    Attributes:
        length: frames, or None.
        length_from: where that is from.
        fps: frames a second, or None.
        size: (height, width) in pixels, or None.
        pictures: file names by frame number (from 1).
        folder: of the pictures.
        note: what was assumed of the pictures, or "".
    """

    length: int | None
    length_from: str
    fps: float | None
    size: tuple[int, int] | None
    pictures: dict[int, str]
    folder: Path
    note: str = ""

    @property
    def from_0(self) -> bool:
        """Whether the pictures are numbered from 0, as KITTI's are."""
        return 1 in self.pictures and _number(self.pictures[1]) == 0


def find(path: Path, packed: bool = False) -> list[Place]:
    """Every sequence at a path, in natural order: a file of truth, a sequence's folder, or folders of such.

    Masks (MOTS) may also be files ``SEQUENCE.txt`` side by side, as those of KITTI MOTS are.

    Args:
        path: a file or folder.
        packed: it is an unpacked zip, whose folder has a name of the cache's.
    """
    if path.is_dir() and path.name == "gt" and (path / "gt.txt").is_file():
        path = path / "gt.txt"
    if path.is_file():
        folder = path.parent.parent if path.parent.name == "gt" else path.parent
        name = _plain(folder.resolve().name, packed) if path.name.lower() == "gt.txt" else path.stem
        return [Place(folder, ".", name, path)]
    found: list[Path] = []
    seen: set[Path] = set()
    waiting = [(path, 0)]
    while waiting:
        here, depth = waiting.pop()
        real = here.resolve()
        if real in seen:  # a link that leads back
            continue
        seen.add(real)
        if _truth_in(here) is not None or (here / INFO).is_file() or _has_pictures(here / PICTURES):
            found.append(here)
        elif depth < _DEPTH:
            waiting += [(here / name, depth + 1) for name in subfolders(here) if is_text(name) and name not in _PARTS]
    if not found:
        return _side_by_side(path)
    shared = os.path.commonpath([folder.parent for folder in found]) if len(found) > 1 else found[0]
    keys = {folder: folder.relative_to(shared).as_posix() for folder in found}
    found.sort(key=lambda folder: natural_key(keys[folder]))
    names = [_plain(folder.resolve().name, packed and folder == path) for folder in found]
    return [
        Place(
            folder, keys[folder], name if names.count(name) == 1 else keys[folder].replace("/", "-"), _truth_in(folder)
        )
        for folder, name in zip(found, names, strict=True)
    ]


def looks_right(path: Path) -> bool:
    """Whether a path holds a sequence with truth, seqinfo.ini or a folder img1; never raises."""
    try:
        if path.is_file():
            return path.suffix.lower() == ".txt" and (looks_like_rows(path) or looks_like_masks(path))
        return path.is_dir() and bool(find(path))
    except (InputError, OSError):
        return False


def read_facts(place: Place) -> Facts:
    """seqinfo.ini, if there is one, and the pictures' names.

    Raises:
        InputError: naming the file and the key that cannot be.
    """
    file = place.folder / INFO
    said = _parse(file) if file.is_file() else {}
    folder = place.pictures or place.folder / said.get("imdir", PICTURES)
    if place.pictures is None and (len(folder.name) > _LONGEST_NAME or not inside(folder, place.folder)):
        why = "leads out of the sequence's folder" if len(folder.name) <= _LONGEST_NAME else "is too long for a folder"
        raise InputError(f"{file}: imDir={said['imdir'][:60]} {why}: correct it")
    length = _whole(file, said, "seqLength", MOST_FRAMES)
    width, height = (_whole(file, said, key, 1_000_000) for key in ("imWidth", "imHeight"))
    pictures, note = _numbered(folder)
    fps = None
    if "framerate" in said:
        try:
            fps = float(said["framerate"])
        except ValueError:
            fps = -1.0
        if not 0 < fps < 1e6:
            raise InputError(f"{file}: frameRate={said['framerate'][:40]} is not a number above 0: correct it")
    source = INFO
    if length is None and pictures:
        length, source = max(pictures), f"the pictures in {folder.name}"
    return Facts(length, source, fps, (height, width) if height and width else None, pictures, folder, note)


def missing_frames(facts: Facts, length: int) -> list[int]:
    """Frames, from 1, without a picture."""
    return [number for number in range(1, length + 1) if number not in facts.pictures]


def _side_by_side(path: Path) -> list[Place]:
    """Files of masks, ``SEQUENCE.txt``, at any depth, with their pictures where KITTI MOTS has them."""
    files = [Path(e.path) for e in walk(str(path)) if e.name.lower().endswith(".txt") and not unusable(e)]
    masked = {file.parent for file in files if looks_like_masks(file)}
    if not masked:
        return []
    files = [f for f in files if f.parent in masked and (looks_like_masks(f) or is_empty(f))]
    files.sort(key=lambda file: natural_key(str(file)))
    shared = os.path.commonpath([file.parent for file in files])
    found = []
    for file in files:
        where = file.relative_to(shared).with_suffix("")
        around = [file.parent, *([file.parent.parent] if file.parent != path else [])]  # not above what was given
        folders = [top / part / file.stem for top in around for part in (*_KITTI_PICTURES, "")]
        pictures = next((folder for folder in folders if _has_pictures(folder)), None)
        found.append(Place(file.with_suffix(""), where.as_posix(), "-".join(where.parts), file, pictures))
    return found


def _plain(name: str, packed: bool) -> str:
    return (_UNPACKED.sub("", name) if packed else name) or "sequence"


def _truth_in(folder: Path) -> Path | None:
    return next((file for file in (folder / "gt" / "gt.txt", folder / "gt.txt") if file.is_file()), None)


def _has_pictures(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(is_image(entry.name) for entry in entries)
    except OSError:
        return False


def _parse(file: Path) -> dict[str, str]:
    """The section Sequence of a seqinfo.ini, keys in small letters."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read_string(read_text(file))
    except configparser.Error as error:
        raise InputError(f"{file} is no seqinfo.ini ({str(error).splitlines()[0]}): correct it") from error
    section = next((name for name in parser.sections() if name.lower() == "sequence"), None)
    if section is None:
        raise InputError(f"{file} has no section [Sequence]: add it, with seqLength and frameRate")
    return {key: value.strip() for key, value in parser[section].items() if value.strip()}


def _whole(file: Path, said: dict[str, str], key: str, most: int) -> int | None:
    """A whole number of 1 or more; None if it is not said."""
    given = said.get(key.lower())
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 12 and 1 <= int(given) <= most):
        raise InputError(f"{file}: {key}={given[:40]} is not a whole number from 1 to {most}: correct it")
    return int(given)


def _numbered(folder: Path) -> tuple[dict[int, str], str]:
    """Pictures by the number at the end of their names; where these do not begin with 1, in their order."""
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if is_image(e.name) and not is_ignored(e.name) and is_text(e.name)]
    except OSError:
        return {}, ""
    names.sort(key=natural_key)
    numbers = [_number(name) for name in names]
    if len(set(numbers)) == len(names) and None not in numbers and min(numbers, default=1) == 1:  # type: ignore[type-var]
        return dict(zip(numbers, names, strict=True)), ""  # type: ignore[arg-type]
    if len(set(numbers)) < len(names) and None not in numbers:
        twice = [name for name in names if numbers.count(_number(name)) > 1]
        raise InputError(f"{folder}: several pictures are of one frame: {listed(twice)}; keep one of each number")
    note = f"The pictures in {folder.name} are not numbered from 1 ({names[0]} is taken as the first)."
    return dict(enumerate(names, 1)), note


def _number(name: str) -> int | None:
    found = re.search(r"(\d{1,12})$", os.path.splitext(name)[0])
    return int(found[1]) if found else None
