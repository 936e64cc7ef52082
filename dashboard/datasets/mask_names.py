"""What the classes of a folder of masks are called: a list of names, a palette file, or the numbers themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dashboard.datasets.boxes import flag
from dashboard.datasets.mask_classes import Numbering, asked_ignored, default_ignored
from dashboard.datasets.mask_paths import given_path
from dashboard.datasets.mask_scan import Scan
from dashboard.datasets.palette import Palette, read_palette
from dashboard.errors import InputError, did_you_mean
from dashboard.labels import is_index, read_class_names, spelling
from dashboard.types import IGNORED

LISTS = ("classes.txt", "codes.txt", "class_names.txt", "names.txt", "labels.txt")
PALETTES = (
    *("palette.txt", "palette.csv", "palette.json", "class_dict.csv", "class_dict_seg.csv", "labelmap.txt"),
    *("label_colors.txt", "colors.txt", "colormap.txt", "_classes.csv"),
)
_MOST_UNNAMED = 1000  # classes that need no list of names; higher numbers are objects' or mistakes
_WHITE = 255


@dataclass(frozen=True, eq=False)
class Named:
    """What files say of the classes.

    Attributes:
        listed: (number in the masks, name) in the order of the classes; None if no file says it.
        extra: names that only the palette has, of a list of names: they must not count.
        palette: the colours, or None.
        void: a number that never counts, or None.
        where: what names the classes, for errors.
    """

    listed: list[tuple[int, str]] | None
    extra: tuple[str, ...]
    palette: Palette | None
    where: str
    void: int | None = None


def named_classes(folders: Sequence[Path], path: Path, options: Mapping[str, str], confine: bool) -> Named:
    """Read the list of names and the palette file, named by options or found beside the masks.

    Args:
        folders: where they are looked for, in turn.
        path: the dataset's folder.
        options: ``class_list``, ``palette``, ``reduce_zero_label``.
        confine: whether only files in ``path`` are read.

    Raises:
        InputError: naming the file and line.
    """
    names_file = _file(folders, LISTS, path, options, "class_list", confine)
    palette_file = _file(folders, PALETTES, path, options, "palette", confine)
    palette = None if palette_file is None else read_palette(palette_file)
    if names_file is None:
        if palette is None:
            return Named(None, (), None, str(path))
        listed = [(label, str(label) if name is None else name) for label, name in palette.listed()]
        return Named(listed, (), palette, str(palette.path))
    names = read_class_names(names_file, unique=True)
    first = int(flag(options, "reduce_zero_label", False))
    listed = [(number, name) for number, name in enumerate(names, first)]
    if palette is None or any(name is None for name in palette.names):
        return Named(listed, (), palette, str(names_file))
    coloured = [name or "" for name in palette.names]
    same = _same(coloured, names)
    extra = tuple(dict.fromkeys(name for name in coloured if name not in same))
    listed += [(number, name) for number, name in enumerate(extra, first + len(names))]
    known = {name: number for number, name in listed}
    labels = np.array([known[same.get(name, name)] for name in coloured], np.int64)
    return Named(listed, extra, replace(palette, labels=labels), str(names_file))


def _same(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Which of the ``known`` names some are: the very same, or the only one that is alike but for spelling.

    Where several are alike on either side (CD4+ and CD4-), only the very same count.
    """
    alike: dict[str, tuple[list[str], list[str]]] = {}
    for side, several in enumerate((names, known)):
        for name in dict.fromkeys(several):
            alike.setdefault(spelling(name), ([], []))[side].append(name)
    out = {name: name for ours, theirs in alike.values() for name in set(ours) & set(theirs)}
    for key, (ours, theirs) in alike.items():
        if key and len(ours) == len(theirs) == 1:
            out[ours[0]] = theirs[0]
    return out


def numbering(named: Named, found: Scan, options: Mapping[str, str]) -> tuple[Numbering, list[str]]:
    """What the numbers mean, once it is known which occur.

    Args:
        named: what files say.
        found: which numbers occur.
        options: ``ignore`` or ``ignore_index``, ``reduce_zero_label``.

    Returns:
        The numbering, and sentences on what was assumed.

    Raises:
        InputError: an unknown name to ignore, numbers that are none of classes.
    """
    asked = (options.get("ignore") or options.get("ignore_index") or "").strip()
    reduce = flag(options, "reduce_zero_label", False)
    listed, notes = named.listed, []
    whites = not asked and not reduce and np.unique(found.labels).tolist() == [0, _WHITE]
    if whites and (listed is None or [label for label, _ in listed] in ([0, 1], [0, _WHITE])):
        names = ["0", "1"] if listed is None else [name for _, name in listed]
        listed = [(0, names[0]), (_WHITE, names[1]), (1, names[1])]  # 1 too: so may answers be written
        notes.append(f"Masks hold 0 and 255 alone: 255 is the class {names[1]!r}; with ignore=255 it does not count.")
    listed = listed if listed is not None else _unnamed(named.where, found, asked, reduce)
    ignored, more = (asked_ignored(asked, listed), list[str]()) if asked else default_ignored(listed)
    ignored |= {0} if reduce else set()
    ignored |= set() if named.void is None else {named.void}
    extra = set(named.extra)
    for label, name in listed:
        if name in extra and label not in ignored and named.palette is not None:
            near = did_you_mean(name, [known for _, known in listed if known not in extra])
            raise InputError(
                f"{named.palette.path} has a colour for {name!r:.60}, which is none of the classes of {named.where}: "
                f"write it as there, add it there, or leave its pixels out with the option ignore={name:.60}"
                + (f".{near}" if near else "")
            )
    made = Numbering.of(listed, ignored, named.where)
    void = None if asked or named.extra else _void_after(made, listed, found)
    if void is not None:
        share = found.pixels[found.labels == void].sum() / found.pixels.sum()
        more.append(
            f"The number {void}, one past the {len(listed)} classes of {Path(named.where).name}, is taken as void: "
            f"{share:.1%} of the pixels do not count, as with ignore={void}, and where it is answered it is wrong. "
            "If it is a class, add its name there."
        )
        made = made.ignoring(void)
    return made, notes + more


def _void_after(made: Numbering, listed: Sequence[tuple[int, str]], found: Scan) -> int | None:
    """The number after the last class, if it is the only one that is no class and most masks have it.

    That is how CamVid and others of its kind mark pixels without label. A mistake is in a few masks.
    """
    after = len(listed)
    if [label for label, _ in listed] != list(range(after)):
        return None
    strays = np.setdiff1d(found.labels, [*made.numbers, *made.ignored])
    masks = int((found.labels == after).sum())
    return after if strays.tolist() == [after] and masks > 1 and 2 * masks >= len(found.sizes) else None


def _unnamed(where: str, found: Scan, asked: str, reduce: bool) -> list[tuple[int, str]]:
    """Classes called by their numbers, up to the highest that occurs."""
    numbers = [int(t) for t in map(str.strip, asked.split(",")) if is_index(t)]
    wide = bool(((found.labels > IGNORED[0]) & (found.labels < IGNORED[1])).any())
    highest = found.highest([*numbers, IGNORED[1], *([] if wide or asked == "none" else [IGNORED[0]])])
    if highest < 0:
        raise InputError(f"{where}: no mask has a pixel that counts: give the classes in classes.txt, one a line")
    if highest >= _MOST_UNNAMED:
        raise InputError(
            f"{where}: a mask has the number {highest}, and no classes.txt names the classes: if these are classes, "
            "name them there, one a line; numbers of objects are no classes"
        )
    return [(i, str(i)) for i in range(int(reduce), highest + 1)]


def _file(
    folders: Sequence[Path], names: Sequence[str], path: Path, options: Mapping[str, str], option: str, confine: bool
) -> Path | None:
    """The file an option names, or the first of the usual names that is there."""
    given = options.get(option)
    if not given:
        return next((f / name for f in dict.fromkeys(folders) for name in names if (f / name).is_file()), None)
    return given_path(given, option, [path, Path()], path if confine else None)
