"""Further settings as a person gives them, ``KEY=VALUE``, and whom each is for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dashboard.errors import InputError

DATA_SETTINGS = (
    *("multilabel", "annotations", "images", "split", "difficult", "corners"),
    *("masks", "class_list", "palette", "palette_png", "ignore", "ignore_index", "reduce_zero_label"),
    *("ending", "without_mask"),
    *("degrade", "seed", "grey", "input", "target", "without_pair", "alpha", "scale"),
    *("benchmark", "fps", "stride", "start", "seconds"),
)


def settings_for_data(settings: Mapping[str, str]) -> dict[str, str]:
    """The ``--set`` pairs that dataset formats understand."""
    return {k: v for k, v in settings.items() if k in DATA_SETTINGS}


def settings_for_models(settings: Mapping[str, str]) -> dict[str, str]:
    """The ``--set`` pairs that models understand."""
    return {k: v for k, v in settings.items() if k not in DATA_SETTINGS}


def settings_of(pairs: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping. Raises InputError for one without ``=``."""
    for pair in pairs:
        if "=" not in pair or pair.startswith("="):
            raise InputError(f"--set {pair}: expected KEY=VALUE.")
    return dict(pair.split("=", 1) for pair in pairs)


def settings_of_lines(text: str | None) -> dict[str, str]:
    """One ``KEY=VALUE`` a line, as in a form. Raises InputError for a line without ``=``."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    wrong = next((line for line in lines if "=" not in line or line.startswith("=")), None)
    if wrong is not None:
        raise InputError(f"Further settings: {wrong[:80]!r} is not KEY=VALUE: write one so in each line.")
    return settings_of(lines)


_SIZE = re.compile(r"(\d{1,5})(?:\s*[x×*,]\s*(\d{1,5}))?")


def size_of(text: str | None, called: str = "The input size") -> tuple[int, int] | None:
    """ "HxW" or one number for both, in pixels; None for nothing. Raises InputError for anything else.

    Args:
        text: as a person writes it.
        called: what the sentence of the error begins with.
    """
    if text is None or not text.strip():
        return None
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None or not all(int(g) for g in found.groups() if g):
        raise InputError(f"{called} {text.strip()[:40]!r} is not HEIGHTxWIDTH in pixels: write 224x224, say.")
    return int(found[1]), int(found[2] or found[1])
