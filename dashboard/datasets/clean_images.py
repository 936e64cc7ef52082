"""``images``: clean pictures in a folder or zip; inputs are made from them on the fly, by a recipe with a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dashboard.datasets.boxes import flag, listed
from dashboard.datasets.degrade import VERSION, Degradation, kinds, parse, to_grey
from dashboard.datasets.enhancing import TASK, EnhancementDataset, Header, alpha_note, deep_note, read_headers
from dashboard.datasets.files import is_ignored, passed_over
from dashboard.datasets.images import alone_if_big, read_image
from dashboard.datasets.mask_pairs import files_in, holds_pictures
from dashboard.datasets.mask_paths import given_path
from dashboard.datasets.paired import Paired
from dashboard.errors import InputError
from dashboard.types import EnhancedImage, Image

_MOST_SEED = 2**63


class CleanImages:
    """Clean pictures in a folder, with sub-folders or without; inputs are made from them (option degrade).

    The option ``degrade`` says how: bicubic:4, noise:25, jpeg:10, blur:1.6, or several in order, blur:1.2+bicubic:2;
    with ``none`` the pictures are enhanced as they are, and there is no reference. The same seed gives the same inputs.
    """

    task = TASK
    options: ClassVar[Mapping[str, str]] = {
        "degrade": "how inputs are made: bicubic:4, noise:25, jpeg:10, blur:1.6, chains with +, or none",
        "seed": "of what is drawn at random, 0 or more (default 0)",
        "grey": "true turns pictures into grey (BT.601 luma, as Pillow's L) before anything else",
        "images": "the sub-folder of the pictures, if not all of them are meant",
        "confine": "true refuses paths outside the dataset's folder (always so in a zip)",
        "require_files": "false when inputs may be elsewhere: without degrade the pictures are then the references",
    }

    def detect(self, path: Path) -> bool:
        """Whether a folder has pictures somewhere within, and no pairs of folders."""
        return path.is_dir() and holds_pictures(path) and not Paired().detect(path)

    def open(self, path: Path, options: Mapping[str, str]) -> CleanDataset:
        """Index the folder and read the headers of its pictures; ``options`` as above.

        Raises:
            InputError: no or an unknown degradation, no pictures, or one that is too small, named.
        """
        if not path.is_dir():
            raise InputError(f"{path} is not a folder: images wants a folder of clean pictures")
        required = flag(options, "require_files", True)
        how = degradation_of(options, str(path)) if required or options.get("degrade") else None
        root = path
        if options.get("images"):
            root = given_path(options["images"], "images", [path], path if flag(options, "confine", False) else None)
            if not root.is_dir():
                raise InputError(f"{root} is not a folder (option images): give the folder of the pictures")
        root = _innermost(root)
        others: Counter[str] = Counter()
        ids = files_in(root, others)
        if not ids:
            raise InputError(f"{root} has no pictures: give a folder of clean pictures")
        data = CleanDataset(
            name=path.resolve().name,
            source=str(path),
            ids=ids,
            files=[str(root / i) for i in ids],
            how=how,
            seed=seed_of(options),
            grey=flag(options, "grey", False),
        )
        data.warnings = (*passed_over(others), *data.remarks())
        return data


class CleanDataset(EnhancementDataset):
    """Clean pictures in files, with inputs made from them when asked for.

    Attributes:
        how: the degradation; None where inputs are elsewhere and the pictures are their references.
        seed: of what is drawn at random.
        grey: whether pictures are turned into grey first.
        headers: (N,) what the files' headers say.
    """

    kind = "images-1"

    def __init__(
        self,
        *,
        name: str,
        source: str,
        ids: Sequence[str],
        files: Sequence[str],
        how: Degradation | None,
        seed: int = 0,
        grey: bool = False,
    ) -> None:
        super().__init__(name, source, ids, files)
        self.how = how
        self.seed = seed
        self.grey = grey
        self.headers: list[Header] = read_headers(self.files)
        if how is not None:
            self.name_suffix = f" {how.text}"
            self.name = f"{name}{self.name_suffix}"
            self.scale = how.scale
            self.recipe = _recipe(how, seed, grey)
            small = [i for i, h in zip(self.ids, self.headers, strict=True) if not all(how.cropped(*self.shown(h)))]
            if small:
                raise InputError(
                    f"{source}: {len(small)} of {len(ids)} pictures are smaller than {how.scale} pixels, too small for "
                    f"degrade={how.text}: {listed(small)}; leave them out, or choose a smaller factor"
                )

    def shown(self, header: Header) -> tuple[int, int]:
        """Height and width of the clean picture that is used, in pixels."""
        return header.height, header.width

    def clean(self, index: int) -> Image:
        """The clean picture, (H, W, 3) uint8 RGB."""
        image = read_image(self.files[index])
        return to_grey(image) if self.grey else image

    def input(self, index: int) -> Image:
        """What a model is given: (H, W, 3) uint8 RGB, the same at each call."""
        if self.how is None:
            raise InputError(f"The input of {self.ids[index]} is not here: {self.source} holds references only")
        header = self.headers[index]
        with alone_if_big(header.height * header.width):
            return self.how.apply(self.clean(index), self.seed, self.ids[index])

    def reference(self, index: int) -> EnhancedImage | None:
        """The clean picture, cropped to whole pixels of the input; None for ``none``."""
        if self.how is not None and not self.how.steps:
            return None
        clean = self.clean(index)
        return EnhancedImage(clean if self.how is None else self.how.crop(clean), self.scale)

    def hashed(self) -> list[str]:
        """Kind, recipe, seed and greyness."""
        return [self.kind, str(VERSION), "" if self.how is None else self.how.text, str(self.seed), str(self.grey)]

    def remarks(self) -> list[str]:
        """What there is to say: cropped pictures, bits and transparency that are left out."""
        notes = deep_note(self.ids, [h.deep for h in self.headers]) + alpha_note(
            self.ids, [h.alpha for h in self.headers]
        )
        if self.how is not None:
            sizes = [self.shown(h) for h in self.headers]
            cut = [i for i, size in zip(self.ids, sizes, strict=True) if self.how.cropped(*size) != size]
            if cut:
                notes.append(
                    f"Cropped at the bottom and right to a multiple of {self.scale} pixels, as for published tables: "
                    f"{len(cut)} of {len(self)} pictures ({listed(cut)})."
                )
        else:
            notes.append("The pictures are taken as references; inputs are not here, so they cannot be shown.")
        return notes


def degradation_of(options: Mapping[str, str], where: str) -> Degradation:
    """The option ``degrade``. Raises InputError where it is missing or unknown."""
    given = options.get("degrade", "").strip()
    if not given:
        raise InputError(
            f"{where}: clean pictures need a degradation that makes the inputs (option degrade): {kinds()}, "
            "chains with +; none enhances the pictures as they are, without a reference; for pairs put two folders "
            "there, called input and target"
        )
    return parse(given)


def seed_of(options: Mapping[str, str]) -> int:
    """The option ``seed``, 0 unless given. Raises InputError where it is no whole number of 0 or more."""
    given = options.get("seed", "0").strip() or "0"
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) < _MOST_SEED):
        raise InputError(f"option seed={given[:40]}: it must be a whole number, 0 or more")
    return int(given)


def _recipe(how: Degradation, seed: int, grey: bool) -> str:
    """The degradation's sentence, with what else is chosen."""
    more = [f"seed {seed}"] * any(step.kind == "noise" for step in how.steps)
    more += ["turned into grey (BT.601) first"] * grey
    if not how.steps:
        return "Each picture is turned into grey (BT.601)." if grey else ""
    return how.recipe.removesuffix(").") + "".join(f", {m}" for m in more) + ")."


def _innermost(folder: Path) -> Path:
    """The folder itself, or the one that is alone in it, so that a folder and a zip that wraps it have the same ids."""
    while True:
        inside = [entry for entry in folder.iterdir() if not is_ignored(entry.name)]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]
