"""The explanations shown beside every number, in English and Traditional Chinese (Taiwan).

Each language is flat JSON: ``<locale>.json``, and ``<locale>.<part>.json`` for parts of the app. An entry NAME (a
metric, a curve, a chart or a control) has the five keys ``explain.NAME.<field>``, one for each field in FIELDS. The
texts hold none of ``{ } < &``, so they pass unchanged through ICU message formatting (the browser's translations) and
through HTML.

To add an entry, add its five keys to both files; tests/test_explain.py says what is missing.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LOCALES = ("en", "zh-TW")
FIELDS = ("name", "meaning", "formula", "convention", "misleads")


@cache
def _table(locale: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for path in sorted(Path(__file__).parent.glob(f"{locale}*.json")):
        table |= json.loads(path.read_text(encoding="utf-8"))
    return table


def texts() -> dict[str, dict[str, str]]:
    """Return every text by locale, then by key (``explain.NAME.FIELD``).

    The files are read once; the dictionaries are copies, so callers may add to them.
    """
    return {locale: dict(_table(locale)) for locale in LOCALES}


def entry(name: str, locale: str) -> dict[str, str] | None:
    """Return the explanation of one entry, or None if there is none by that name.

    Args:
        name: a metric name as in the JSON output, such as ``f1_macro``, or another entry such as ``reliability``.
        locale: one of LOCALES.

    Returns:
        The five texts by field: name, meaning, formula, convention, misleads.

    Raises:
        ValueError: the locale is not one of LOCALES.
    """
    if locale not in LOCALES:
        raise ValueError(f"locale: expected one of {', '.join(LOCALES)}, got {locale!r}")
    table = _table(locale)
    if f"explain.{name}.name" not in table:
        return None
    return {field: table[f"explain.{name}.{field}"] for field in FIELDS}
