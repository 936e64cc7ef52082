"""A report as one HTML file: style, script and charts are in it, and a policy lets nothing else run."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from dashboard.disk import jsonable
from dashboard.figures import Figure
from dashboard.reporting.words import Words

STATIC = Path(__file__).parent / "static"


@cache
def _library() -> tuple[str, str]:
    """Plotly's script, zipped, as base64, and its hash for the policy."""
    spec = find_spec("plotly")  # its file is wanted, not its Python
    assert spec is not None
    assert spec.submodule_search_locations
    code = (Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(code, 9, mtime=0)).decode(), _hash(code)


def _hash(code: bytes) -> str:
    return f"'sha256-{base64.b64encode(sha256(code).digest()).decode()}'"


@cache
def _own(name: str) -> str:
    return (STATIC / name).read_text("utf-8")


def document(title: str, words: Words, body: str, figures: Sequence[Figure]) -> str:
    """The whole file.

    Args:
        title: of the page, plain text.
        words: in the page's language.
        body: HTML.
        figures: what ``<div class="plot" data-chart="0">`` and so on draw.
    """
    library, hashed = _library() if figures else ("", "")
    script = _own("report.js")
    policy = f"default-src 'none'; script-src {_hash(script.encode())} {hashed}; style-src 'unsafe-inline'; "
    policy += "img-src data: blob:; base-uri 'none'; form-action 'none'"
    charts = json.dumps(jsonable(list(figures)), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    packed = f'<script type="text/plain" id="loupe-plotly">{library}</script>' if figures else ""
    return f"""<!DOCTYPE html>
<html lang="{words.language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Loupe">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{_own("report.css")}</style>
</head>
<body>
{body}
<script type="application/json" id="loupe-charts">{charts}</script>
{packed}
<script>{script}</script>
</body>
</html>
"""
