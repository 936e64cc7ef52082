"""The sections of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from dashboard.comparing.shapes import Comparison
from dashboard.datasets.base import Dataset
from dashboard.environment import describe_environment
from dashboard.explore.overview import Data
from dashboard.figures import Figure
from dashboard.reporting import compared, drawn
from dashboard.reporting.html import Html
from dashboard.reporting.pages import Card, Chart, Pages
from dashboard.reporting.pages_more import EnhancementPages
from dashboard.reporting.words import Words
from dashboard.store import Run

Pictures = Callable[[Run], Dataset | None]
Group = tuple[str, list[list[Card | None]], tuple[int, ...]]
"""A heading, the cards of each sample under it, one a run, and the runs that it is about."""


@dataclass(frozen=True)
class Limits:
    """What is kept so that a report does not become too large.

    Attributes:
        points: a line or a cloud of a chart.
        rows: a table.
    """

    points: int
    rows: int


TIERS = (Limits(1500, 1000), Limits(400, 300), Limits(120, 60))
"""Tried in turn until everything but the pictures takes at most half of the room."""


PLACE = "<!-- pictures -->"


class Writer:
    """Writes the sections of one report."""

    def __init__(
        self,
        runs: Sequence[Run],
        pages: Pages,
        found: Comparison | None,
        words: Words,
        clean: Callable[[str], str],
        public: bool,
    ) -> None:
        self.runs, self.pages, self.found, self.words, self.clean = runs, pages, found, words, clean
        self.public = public
        self.names = [r.model for r in pages.runs]
        self.charts = list(pages.charts())
        self.out = Html(words, clean)

    def without_pictures(self, title: str, limits: Limits) -> tuple[str, list[Figure]]:
        """The body, with a place for the pictures, and the figures to be drawn."""
        self.out = out = Html(self.words, self.clean, limits.rows)
        self.figures: list[Figure] = []
        sections = {
            "figures": self._key_figures(),
            "compare": "" if self.found is None else compared.section(self.found, self.names, out),
            "charts": self._charts(limits),
            "matrix": self._matrices(),
            "pictures": PLACE,
            "tables": self._tables(),
            "others": self._others(),
            "measured": self._measured(),
        }
        if self.runs[0].task == "profile":
            sections.pop("pictures")
        if self.pages.hardest_by():
            out.info(self.pages.hardest_by())
        sections["explain"] = out.explanations()
        sections = {name: text for name, text in sections.items() if text}
        links = "".join(f'<a href="#{n}">{out.t(f"ui.report.section.{n}")}</a>' for n in sections)
        nav = f'<nav><div>{links}<button type="button" id="theme">{out.t("ui.report.theme")}</button></div></nav>'
        body = "".join(
            f'<section id="{n}"><h2>{out.t(f"ui.report.section.{n}")}</h2>{text}</section>'
            for n, text in sections.items()
        )
        return f"{self._header(title)}{nav}<main>{body}</main>{self._footer()}", self.figures

    def _header(self, title: str) -> str:
        """Title, what it is about, and the runs with their signs."""
        out, run = self.out, self.runs[0]
        key = f"ui.report.of.{run.task}"
        task = out.words(f"ui.report.task.{run.task}") if run.task == "profile" else out.words(f"ui.task.{run.task}")
        data = ", ".join(dict.fromkeys(r.dataset for r in self.runs))
        count = ", ".join(dict.fromkeys(f"{r.samples:,}" for r in self.runs))
        key = (key if self.words.has(key) else "ui.report.of") + (".one" if count == "1" else "")
        sub = out.t(key, task=task, dataset=data, n=count)
        several = len(self.runs) > 1
        items = "".join(
            f"<li>{out.mark(k) if several else ''} <b>{out.esc(name)}</b> "
            f"<small>{out.esc(r.created_at[:10])}</small></li>"
            for k, (name, r) in enumerate(zip(self.names, self.runs, strict=True))
        )
        return f'<header><h1>{out.esc(title)}</h1><p class="sub">{sub}</p><ul class="runs">{items}</ul></header>'

    def _footer(self) -> str:
        """When and by what it was made."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        version = describe_environment()["loupe"]
        noscript = f"<noscript>{self.out.t('ui.report.noscript')}</noscript>"
        return f"<footer>{self.out.t('ui.report.made', version=version, date=now)} {noscript}</footer>"

    def _key_figures(self) -> str:
        """Cards, and what must be known before they are believed."""
        data: Data = self.pages.figures()
        if self.found is not None:
            compared.starred(self.found, data["figures"])
        parts = [self.out.warnings(data["warnings"]), self.out.cards(data)]
        if isinstance(self.pages, EnhancementPages) and self.pages.referenced:
            table = self.pages.conventions()
            parts.append(f"<h3>{self.out.t(table.title)}</h3>{self.out.table(table.data)}")
        return "".join(parts)

    def _charts(self, limits: Limits) -> str:
        """Every chart; their numbers stand apart and are drawn by the page."""
        charts = list(self.charts)
        if self.found is not None:
            charts = compared.charts(self.found, self.names, self.out) + charts
        shown = [self._chart(c, limits) for c in charts if not drawn.is_empty(c.figure)]
        return f'<div class="charts">{"".join(shown)}</div>' if shown else ""

    def _chart(self, chart: Chart, limits: Limits, kind: str = "") -> str:
        """One chart."""
        figure = drawn.ready(chart.figure, self.names, self.out.text, limits.points)
        return self._plot(self.out.esc(chart.title), figure, chart.explain, kind)

    def _plot(self, title: str, figure: Figure, explain: str, kind: str = "") -> str:
        """A frame that a figure is drawn in. ``title`` is escaped already."""
        self.figures.append(figure)
        wait = f'<p class="none">{self.out.t("ui.report.undrawn")}</p>'
        head = f"<figcaption>{title}{self.out.info(explain)}</figcaption>"
        at = f'class="plot" data-chart="{len(self.figures) - 1}" role="img" aria-label="{title}"'
        return f'<figure class="chart {kind}">{head}<div {at}>{wait}</div></figure>'

    def _matrices(self) -> str:
        """A heat map a run."""
        parts, most_left, unit = [], 0, ""
        for k, name in enumerate(self.names):
            cells = self.pages.matrix(k)
            if cells is None:
                continue
            figure, left = drawn.confusion(cells, self.out.text)
            most_left, unit = max(most_left, left), cells.unit
            title = self.out.esc(name) if len(self.names) > 1 else self.out.t("ui.report.section.matrix")
            many = len(figure["data"][0]["customdata"]) > drawn.MOST_WRITTEN
            parts.append(self._plot(title, figure, cells.explain, "tall many" if many else "tall"))
        if not parts:
            return ""
        note = self.out.t("ui.report.matrix.row", unit=self.out.words(unit))
        if most_left:
            note += " " + self.out.t("ui.report.matrix.left", n=drawn.MOST_NAMES, left=most_left)
        return f'<p class="note">{note}</p><div class="charts">{"".join(parts)}</div>'

    def _tables(self) -> str:
        """Tables of classes, sequences or pictures; of several runs folded."""
        parts = []
        several = len(self.names) > 1
        for k, name in enumerate(self.names):
            found = [f"<h3>{self.out.esc(t.title)}</h3>{self.out.table(t.data)}" for t in self.pages.tables(k)]
            if found and several:
                summary = f"<summary>{self.out.mark(k)} {self.out.esc(name)}</summary>"
                parts.append(f"<details{' open' if k == 0 else ''}>{summary}{''.join(found)}</details>")
            else:
                parts += found
        return "".join(parts)

    def _others(self) -> str:
        """All other metrics."""
        data = self.pages.others()
        if self.found is not None:
            compared.starred(self.found, data["figures"])
        return self.out.cards(data) if data["figures"] else ""

    def _measured(self) -> str:
        """Settings, data, models, times and machine of each run."""
        parts = []
        for k, (name, run) in enumerate(zip(self.names, self.runs, strict=True)):
            text = self.out.facts(facts_of(run, self.public))
            several = len(self.names) > 1
            head = f"<summary>{self.out.mark(k) if several else ''} {self.out.esc(name)}</summary>"
            parts.append(f"<details{'' if several else ' open'}>{head}{text}</details>")
        return "".join(parts)

    def pictures(self, pictures: Pictures | None, most: int, room: int) -> str:
        """The hardest samples of a run, or those on which runs differ, as far as there is room."""
        out = self.out
        data = [pictures(r) if pictures is not None else None for r in self.runs]
        parts: list[str] = []
        gone = dict.fromkeys(r.dataset for r, d in zip(self.runs, data, strict=True) if d is None)
        if not isinstance(self.pages, EnhancementPages):  # their pictures are stored with the run
            parts += [f'<p class="note">{out.t("ui.report.pictures.gone", dataset=n)}</p>' for n in gone]
        room -= 4000  # words between them
        left, some = 0, False
        for head, rows, about in self._groups(data, most):
            shown = []
            for figure in out.pictures(rows, len(self.runs) > 1, about):
                if len(figure.encode()) > room:
                    left += 1
                    continue
                room -= len(figure.encode())
                shown.append(figure)
            some = some or bool(shown)
            if shown:
                kind = "pics several" if len(self.runs) > 1 else "pics"
                parts.append(f'<h3>{head}</h3><div class="{kind}">{"".join(shown)}</div>')
        if left:
            parts.append(f'<p class="note">{out.t("ui.report.pictures.left", n=left, size=10)}</p>')
        if some and self.pages.drawn:
            parts.insert(0, f'<p class="note">{out.t(self.pages.drawn)}</p>')
        return "".join(parts) or f'<p class="note">{out.t("ui.report.pictures.none")}</p>'

    def _groups(self, data: Sequence[Dataset | None], most: int) -> list[Group]:
        """The hardest of a run; of several those where one is better, and worse, than the baseline."""
        out, names = self.out, self.names
        groups: list[Group] = []
        if self.found is None:
            each = max(1, most // len(self.runs))
            for k, name in enumerate(names):
                index = self.pages.hardest(k, each)
                cards = self.pages.cards(k, index, data[k])
                by = self.pages.hardest_by()
                said = f" <small>{out.t('ui.report.pictures.by', name=self.words.name(by))}</small>" if by else ""
                head = out.t("ui.report.pictures.hardest", model=name) + said
                groups.append((head, [[c] for c in cards if c is not None], ()))
            return groups
        found, base = self.found, self.found.baseline
        each = max(1, most // (2 * (len(self.runs) - 1)))
        differ = {k: compared.differing(found, k, each) for k in range(len(names)) if k != base}
        wanted = sorted({place for sides in differ.values() for side in sides for place in side})
        answers = [self.pages.cards(r, found.index[r, wanted].tolist(), data[r]) for r in range(len(names))]
        seen = {place: list(row) for place, row in zip(wanted, zip(*answers, strict=True), strict=True)}
        for k, sides in differ.items():
            for better, places in zip(("wins", "losses"), sides, strict=True):
                head = f"{out.mark(k)} {out.t(f'ui.report.pictures.{better}', model=names[k])}"
                head += f" ({out.mark(base)} {out.esc(names[base])})"
                groups.append((head, [seen[p] for p in places if any(seen[p])], (base, k)))
        return groups


def facts_of(run: Run, public: bool) -> dict[str, object]:
    """What was recorded of how a run was made, without what only the app needs."""
    data = dict(run.facts.get("dataset_facts", {}))
    if public:
        data["source"] = Path(str(data.get("source", ""))).name
    known = {
        "run": run.id,
        "created": run.created_at,
        "samples": run.samples,
        "model": run.facts.get("model_facts", {}),
        "tracker": run.facts.get("tracker", {}),
        "detector": run.facts.get("detector", {}),
        "dataset": {"name": run.dataset, **data},
        "classes matched by": run.facts.get("classes_matched_by"),
        "settings": run.facts.get("settings", {}),
        "timing": run.timing,
        "environment": run.environment,
        "notes": run.facts.get("notes", {}),
        "profile": _measured(run.facts.get("profile")),
        "skipped": run.facts.get("skipped", []),
    }
    return {k: v for k, v in known.items() if v not in ({}, [], None, "")}


def _measured(profile: object) -> dict[str, object]:
    """How a profile was measured: all of it but what has tables of its own."""
    if not isinstance(profile, Mapping):
        return {}
    return {k: v for k, v in profile.items() if k not in ("layers", "variants", "model", "task")}
