"""Further settings as a person gives them, ``KEY=VALUE``, and whom each is for."""

from __future__ import annotations

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
