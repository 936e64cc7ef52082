"""A report as a static Hugging Face Space: a folder, or a zip of it, that only has to be pushed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from dashboard.errors import InputError
from dashboard.reporting.pages import labels
from dashboard.reporting.report import checked, report_html
from dashboard.reporting.tables import markdown, table_of, write_table
from dashboard.reporting.words import Words
from dashboard.reporting.writer import Pictures
from dashboard.reporting.writing import whole
from dashboard.store import Run, Store

MOST_TITLE = 60


def write_space(
    store: Store | None,
    runs: Sequence[Run],
    out: Path,
    *,
    baseline: int = 0,
    pictures: Pictures | None = None,
    title: str | None = None,
    language: str = "en",
) -> Path:
    """Write ``index.html`` (the report), ``README.md`` with the front matter of a static Space, and the tables.

    A Space is for everybody: where things are on this machine is always left out.

    Args:
        store: as for ``write_report``.
        runs: likewise.
        baseline: likewise.
        pictures: likewise.
        title: likewise; of the Space, too.
        language: likewise.
        out: a folder that is not there yet or empty, or a file that ends in ``.zip``.

    Raises:
        InputError: as ``write_report``; or ``out`` is a folder with files in it.
    """
    runs = checked(store, runs, baseline)
    page = report_html(
        store, runs, baseline=baseline, pictures=pictures, title=title, language=language, public=True
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="loupe-") as temporary:
        made = Path(temporary) / "space"
        made.mkdir()
        (made / "index.html").write_text(page, "utf-8")
        (made / "README.md").write_text(readme(runs, title, language), "utf-8")
        for suffix in (".csv", ".parquet"):
            write_table(table_of(runs), made / f"metrics{suffix}")
        if out.suffix.lower() == ".zip":
            with whole(out) as part, ZipFile(part, "w", ZIP_DEFLATED) as archive:
                for file in sorted(made.iterdir()):
                    archive.write(file, file.name)
            return out
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out} is there already: give a new or an empty folder, or a name ending in .zip.")
        try:
            shutil.copytree(made, out, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
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
