"""Pieces of a report as HTML: cards, tables, pictures, explanations. Every text passes through one escape."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dashboard.explore.overview import Data
from dashboard.reporting.drawn import MORE_COLORS
from dashboard.reporting.pages import Card
from dashboard.reporting.words import Words

COLORS = ("#2563eb", "#d9480f", "#0f9f6e", "#9333ea", *MORE_COLORS)
MARKS = "●▲■◆○△□◇"
MOST_THUMBS = 4
PREFIXES = {1e12: "T", 1e9: "G", 1e6: "M", 1e3: "k"}


class Html:
    """Writes pieces, and remembers what has to be explained at the end.

    Attributes:
        words: in the report's language.
        explained: names of the entries that were pointed to, in order.
        most_rows: of a table.
    """

    def __init__(self, words: Words, clean: Callable[[str], str] = str, most_rows: int = 1000) -> None:
        self.words, self.clean, self.most_rows = words, clean, most_rows
        self.explained: dict[str, None] = {}

    def text(self, value: object) -> str:
        """A text without what must not be told; keys become words, parts joined by tabs are set apart by dots."""
        return self.clean(" · ".join(self.words(part) for part in str(value).split("\t")))

    def esc(self, value: object) -> str:
        """The same, escaped."""
        return html.escape(self.text(value), quote=True)

    def t(self, key: str, **facts: Any) -> str:
        """Words, escaped."""
        shown = {k: self.words(str(v)) for k, v in facts.items()}
        return html.escape(self.clean(self.words(key, **shown)), quote=True)

    def info(self, name: str) -> str:
        """A sign that leads to an explanation; nothing if there is none."""
        found = self.words.entry(name) if name else None
        if not found:
            return ""
        self.explained[name] = None
        return f'<a class="i" href="#e-{html.escape(name)}" title="{html.escape(found["meaning"])}">i</a>'

    def mark(self, place: int) -> str:
        """A run's sign."""
        return f'<i class="m" style="color:{COLORS[place % 8]}">{MARKS[place % 8]}</i>'

    def number(self, value: Any, form: str = "") -> str:
        """A number as the app writes it."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return self.t("ui.na")
        if isinstance(value, str):
            return self.esc(value)
        if isinstance(value, float) and math.isinf(value):
            return "∞" if value > 0 else "−∞"
        written = {
            "count": lambda x: f"{x:,.0f}",
            "ms": lambda x: f"{x:.2f} ms" if x < 1 else f"{x:.1f} ms",
            "db": lambda x: f"{x:.2f}",
            "rate": lambda x: f"{x:.1f}/s" if x < 100 else f"{x:,.0f}/s",
            "short": short,
            "big": big,
        }.get(form, lambda x: f"{x:.3f}")(value)
        return written.replace("-", "−") if written.startswith("-") else written

    def brief(self, value: float, form: str = "") -> str:
        """An end of an interval in as little room as it takes: ".865"."""
        if form or abs(value) >= 1:
            return self.number(value, form)
        return f"{value:.3f}".replace("0.", ".", 1).replace("-", "−")

    def cards(self, data: Data) -> str:
        """Key figures: a card a metric, a line a run, with 95 % intervals and the best marked."""
        several = len(data["models"]) > 1
        return '<div class="cards">' + "".join(self._card(c, several) for c in data["figures"]) + "</div>"

    def _card(self, card: Data, several: bool) -> str:
        """One metric."""
        form, span = card.get("format", ""), card.get("scale") or [0, 1]
        unit = ", dB" if form == "db" else ""
        lines = []
        for k, cell in enumerate(card["cells"]):
            low, high = cell.get("low"), cell.get("high")
            note = bar = ""
            if low is not None and high is not None:
                note = f"{self.brief(low, form)}–{self.brief(high, form)}"
                wide = (span[1] - span[0]) or 1
                left, right = (max(0.0, min(100.0, 100 * (x - span[0]) / wide)) for x in (low, high))
                style = f"left:{left:.2f}%;width:{max(1.0, right - left):.2f}%;background:{COLORS[k % 8]}"
                bar = f'<div class="ci"><s style="{style}"></s></div>'
            elif cell.get("note"):
                note = self.esc(cell["note"])
            best = self.star(cell.get("best"))
            mark = self.mark(k) if several else ""
            value = self.number(cell["value"], form)
            lines.append(f'<div class="v">{mark}<b>{value}</b>{best}<small>{note}</small></div>{bar}')
        own = card.get("text", "")
        name = html.escape(self.words(own) if self.words.has(own) else self.words.name(card["key"], short=True))
        key = html.escape(str(card["key"]))
        return (
            f'<div class="card" data-metric="{key}"><h4>{name}{unit}{self.info(card["key"])}</h4>{"".join(lines)}</div>'
        )

    def star(self, best: object) -> str:
        """Behind a best value: "told" if the data can tell it apart, "seen" if not; of any other nothing was tested."""
        if not best:
            return ""
        tested = f"ui.vs.best.{best}"
        said = self.t(tested if self.words.has(tested) else "ui.best")
        return f' <em class="star" title="{said}">{"★" if best == "told" else "☆"}</em>'

    def warnings(self, found: Sequence[Data]) -> str:
        """What has to be known before the numbers are believed."""
        out = []
        for w in found:
            said = self.t(w["key"], **w.get("vars", {})) if "key" in w else self.esc(w["text"])
            out.append(f'<p class="warn">⚠ {said}{self.info(w.get("explain", ""))}</p>')
        return "".join(out)

    def table(self, data: Data, caption: str = "") -> str:
        """A table as ``TableView`` takes it; a click on a heading sorts it."""
        heads = "".join(self._head(c) for c in data["columns"])
        rows = data["rows"][: self.most_rows]
        body = "".join(
            "<tr>" + "".join(self._cell(v, c) for v, c in zip(r, data["columns"], strict=True)) + "</tr>" for r in rows
        )
        left = len(data["rows"]) - len(rows)
        more = f'<p class="note">{self.t("ui.report.left.rows", n=f"{left:,}")}</p>' if left else ""
        title = f"<caption>{caption}</caption>" if caption else ""
        still = "" if data.get("still") else ' class="sorts"'
        table = f"<table{still}>{title}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        return f'<div class="scroll" tabindex="0">{table}</div>{more}'

    def _head(self, column: Mapping[str, Any]) -> str:
        """A heading, with its explanation."""
        entry = column.get("explain", "")
        if "text" in column:
            name = self.esc(column["text"])
        elif column.get("short") and self.words.has(column["short"]):
            name = self.t(column["short"])
        else:
            name = self.esc(column["label"]) if "label" in column else html.escape(self.words.name(entry, short=True))
        kind = ' class="t"' if column.get("kind") == "text" else ""
        return f'<th scope="col"{kind}>{name}{self.info(entry)}</th>'

    def _cell(self, value: Any, column: Mapping[str, Any]) -> str:
        """A cell, with what it is sorted by."""
        kind = column.get("kind", "")
        if kind == "name":
            if isinstance(value, Mapping):
                note = f" <em>{self.t(value['note'])}</em>" if value.get("note") else ""
                more = self.info(value.get("explain", ""))
                return f'<th scope="row">{self.t(value["key"], **value.get("vars", {}))}{note}{more}</th>'
            return f'<th scope="row">{self.esc(value)}</th>'
        if kind == "text":
            return f'<td class="t">{self.esc(value)}</td>'
        order = "" if value is None else "1e999" if value == "∞" else repr(float(value))
        return f'<td data-v="{order}">{self.number(value, "" if kind == "rate" else kind)}</td>'

    def pictures(self, rows: Sequence[Sequence[Card | None]], several: bool, ahead: Sequence[int] = ()) -> list[str]:
        """One figure a sample: what each run makes of it.

        Args:
            rows: of each sample a card a run.
            several: whether runs have to be told apart.
            ahead: places of the runs whose pictures come first: up to ``MOST_THUMBS`` are shown, the same only once.
        """
        return [self._picture(cards, several, ahead) for cards in rows]

    def _picture(self, cards: Sequence[Card | None], several: bool, ahead: Sequence[int]) -> str:
        """One sample."""
        first = next(c for c in cards if c is not None)
        order = [*ahead, *(k for k in range(len(cards)) if k not in ahead)]
        known = [(k, c) for k in order if (c := cards[k]) is not None]
        thumbs = list(dict.fromkeys((c.thumb, "" if c.truth is not None else k) for k, c in known))
        shown = []
        for thumb, k in thumbs[:MOST_THUMBS]:
            sign = f"<span>{self.mark(int(k))}</span>" if several and k != "" else ""
            alt = self.esc(first.id)
            image = f'<img src="{html.escape(thumb)}" alt="{alt}">' if thumb else self._gone()
            shown.append(f'<span class="im">{image}{sign}</span>')
        lines = []
        for k, card in enumerate(cards):
            mark = f"{self.mark(k)} " if several else ""
            if card is None:
                lines.append(f"<span>{mark}–</span>")
                continue
            sign = "" if card.right is None or card.truth is None else "✓ " if card.right else "✗ "
            kind = "" if card.right is None else "ok" if card.right else "no"
            sure = "" if card.confidence is None else f" <small>{card.confidence:.0%}</small>"
            lines.append(f'<span class="{kind}">{mark}{sign}{self.esc(card.text)}{sure}</span>')
        truth = "" if first.truth is None else f"<b>{self.esc(first.truth)}</b>"
        name = f'<small class="id">{self.esc(first.id)}</small>'
        caption = f"<figcaption>{truth}{''.join(lines)}{name}</figcaption>"
        return f'<figure class="pic"><div class="ims">{"".join(shown)}</div>{caption}</figure>'

    def _gone(self) -> str:
        """In the place of a picture."""
        return f'<span class="gone">{self.t("ui.gallery.gone")}</span>'

    def explanations(self) -> str:
        """Everything that was pointed to."""
        out = []
        for name in self.explained:
            found = self.words.entry(name)
            if not found:
                continue
            parts = "".join(
                f"<dt>{self.t(f'ui.explain.{k}')}</dt>"
                f"<dd{' class=f' if k == 'formula' else ''}>{html.escape(found[k])}</dd>"
                for k in ("meaning", "formula", "convention", "misleads")
            )
            key = html.escape(name)
            out.append(
                f'<details id="e-{key}"><summary>{html.escape(found["name"])}</summary><dl>{parts}</dl></details>'
            )
        return "".join(out)

    def facts(self, facts: Mapping[str, Any]) -> str:
        """Facts as a table of names and values; nested ones by their path."""
        rows = "".join(
            f'<tr><th scope="row">{self.esc(name)}</th><td>{self.esc(value)}</td></tr>' for name, value in flat(facts)
        )
        return f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div>'


def flat(facts: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Nested facts as (path, value); what is empty is left out, long lists are cut."""
    out: list[tuple[str, str]] = []
    for name, value in facts.items():
        path = f"{above} › {name}" if above else str(name)
        if isinstance(value, Mapping):
            out += flat(value, path)
        elif isinstance(value, (list, tuple)):
            if any(isinstance(v, Mapping) for v in value):
                for k, v in enumerate(value[:50]):
                    out += flat(v if isinstance(v, Mapping) else {"": v}, f"{path} {k + 1}")
            elif value:
                out.append((path, ", ".join(map(str, value[:50])) + (" …" if len(value) > 50 else "")))
        elif value is not None and value != "":
            out.append((path, f"{value:.6g}" if isinstance(value, float) else str(value)))
    return out


def short(value: float) -> str:
    """Three digits that count, without an exponent where that can be read; from a million on by the million."""
    size = abs(value)
    if size == 0 or 1e-3 <= size < 999.5:
        return f"{value:.3g}"
    if 999.5 <= size < 999_999.5:
        return f"{value:,.0f}"
    if size < 1e-3:
        return f"{value:.2e}"
    unit = next((u for u in (1e6, 1e9) if size < 999.5 * u), 1e12)
    return f"{value / unit:.3g} {PREFIXES[unit]}"


def big(value: float) -> str:
    """A large number by its thousand, million or billion."""
    for size, letter in PREFIXES.items():
        if abs(value) >= size:
            return f"{value / size:.3f} {letter}"
    return f"{value:.0f}"
