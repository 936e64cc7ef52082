"""A report as a static Hugging Face Space: a folder, or a zip of it, that only has to be pushed."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

from dashboard.errors import InputError
from dashboard.reporting.pages import labels
from dashboard.reporting.report import How, checked, report_html
from dashboard.reporting.tables import markdown, table_of, write_table
from dashboard.reporting.words import Words
from dashboard.reporting.writing import check_place, whole
from dashboard.store import Run, Store

if TYPE_CHECKING:
    from typing_extensions import Unpack

MOST_TITLE = 60


def write_space(store: Store | None, runs: Sequence[Run], out: Path, **how: Unpack[How]) -> Path:
    """Write ``index.html`` (the report), ``README.md`` with the front matter of a static Space, and the tables.

    A Space is for everybody: where things are on this machine is always left out.

    Args:
        store: as for ``write_report``.
        runs: likewise.
        out: a folder that is not there yet or empty, or a file that ends in ``.zip``.
        how: as for ``write_report``; the title is the Space's, too.

    Raises:
        InputError: as ``write_report``; or ``out`` is a folder with files in it.
    """
    packed = out.suffix.lower() == ".zip"
    if packed:
        check_place(out)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already: give a new or an empty folder, or a name ending in .zip.")
    runs = checked(store, runs, how.get("baseline", 0))
    how["public"] = True
    page = report_html(store, runs, **how)
    with tempfile.TemporaryDirectory(prefix="loupe-") as temporary:
        made = Path(temporary) / "space"
        made.mkdir()
        (made / "index.html").write_text(page, "utf-8")
        (made / "README.md").write_text(readme(runs, how.get("title"), how.get("language", "en")), "utf-8")
        for suffix in (".csv", ".parquet"):
            write_table(table_of(runs), made / f"metrics{suffix}")
        if packed:
            with whole(out) as part, ZipFile(part, "w", ZIP_DEFLATED) as archive:
                for file in sorted(made.iterdir()):
                    archive.write(file, file.name)
            return out
        there = out.exists()
        try:
            shutil.copytree(made, out, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            with contextlib.suppress(OSError):
                for file in made.iterdir():
                    (out / file.name).unlink(missing_ok=True)
                if not there:
                    out.rmdir()
            raise InputError(f"{out} cannot be written ({error}): give another folder.") from error
    return out


def readme(runs: Sequence[Run], title: str | None = None, language: str = "en") -> str:
    """The Space's card: front matter that makes it a static one, and the numbers as a table."""
    words = Words(language)
    names = labels(runs)
    shown = title or f"{', '.join(names)} · {runs[0].dataset}"
    shown = " ".join(shown.split())
    head = {
        "title": shown if len(shown) <= MOST_TITLE else shown[: MOST_TITLE - 1] + "…",
        "emoji": "🔍",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "static",
        "app_file": "index.html",
        "pinned": False,
        "short_description": "A report made with Loupe",
    }
    front = "\n".join(f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in head.items())  # JSON is YAML, quoted
    task = words(f"ui.report.task.{runs[0].task}" if runs[0].task == "profile" else f"ui.task.{runs[0].task}")
    text = f"{task}: `{runs[0].dataset.replace('`', '')}`, {runs[0].samples:,}"
    return f"---\n{front}\n---\n\n{text}\n\n{markdown(table_of(runs))}"
