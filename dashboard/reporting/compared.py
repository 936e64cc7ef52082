"""The part of a report that compares: verdicts, the table of differences, tests, classes, and who is better where."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from dashboard import figures
from dashboard.comparing.recorded import latency
from dashboard.comparing.shapes import ClassDifferences, Comparison, Difference, Figure
from dashboard.explore.comparing.deciding import best_of, verdict
from dashboard.explore.overview import Data
from dashboard.reporting.html import COLORS, Html
from dashboard.reporting.pages import Chart, entry_of
from dashboard.reporting.words import explained, metric_name

SAID = ("count", "objects", "params")
"""Units that go without saying."""
SIGNS = {"better": "▲", "worse": "▼", "same": "≈", "differs": "≠", "unknown": "–"}


def number(out: Html, value: float, unit: str = "") -> str:
    """A value of a comparison in as many digits as on the cards; what is large by its thousand or million."""
    if unit not in ("dB", "ms", "/s", *SAID) and abs(value) < 1000:
        return out.number(float(value))
    return out.number(float(value), {"dB": "db", "ms": "ms"}.get(unit, "short"))


def signed(out: Html, value: float, unit: str = "") -> str:
    """A difference, its sign always written."""
    text = number(out, value, unit)
    return text if np.isnan(value) or text.startswith("−") else f"+{text}"


def p_value(value: float) -> str:
    """A p-value in digits that mean something, with its sign: "= 0.042"."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def section(found: Comparison, names: Sequence[str], out: Html) -> str:
    """Verdicts, table, tests and classes as HTML.

    Args:
        found: the comparison.
        names: of the runs, unique.
        out: writes, and remembers what has to be explained.
    """
    left = sum(found.left_out)
    said = out.t("ui.report.on", n=f"{len(found.ids):,}", left=f"{left:,}", baseline=names[found.baseline])
    parts = [f'<p class="note">{said}</p>']
    parts += [f'<p class="warn">{out.esc(n)}</p>' for n in found.notes]
    if found.figures:
        parts += [_verdict(found, d, names, out) for d in found.differences if d.metric == found.figures[0].name]
    parts += [_table(found, names, out), _outcomes(found, names, out), _tests(found, names, out)]
    parts += [_classes(found, c, names, out) for c in found.classes]
    return "".join(parts)


def _verdict(found: Comparison, d: Difference, names: Sequence[str], out: Html) -> str:
    """One run against the baseline by the first metric, in a sentence."""
    figure = found.figure(d.metric)
    kind = verdict(figure, d)
    facts = {"metric": metric_name(out.words, found.task, d.metric), "value": signed(out, d.value, figure.unit)}
    by = out.t("ui.report.verdict.by", **facts)
    if not np.isnan(d.low):
        by += out.t(
            "ui.report.verdict.interval", low=signed(out, d.low, figure.unit), high=signed(out, d.high, figure.unit)
        )
    if not np.isnan(d.p_holm):
        by += out.t("ui.report.verdict.p", p=p_value(d.p_holm))
    known = not (np.isnan(d.low) and np.isnan(d.p_holm))
    by += out.t("ui.report.verdict.method", method=d.method) if known else "."
    head = out.t(f"ui.report.verdict.{kind}", run=names[d.run], baseline=names[found.baseline])
    by += out.info(entry_of("vs_difference", "interval"))
    return f'<p class="verdict {kind}" data-verdict="{kind}">{SIGNS[kind]} <b>{head}.</b> {by}</p>'


def _table(found: Comparison, names: Sequence[str], out: Html) -> str:
    """One row a metric, one column a run: value, difference, interval, p."""
    runs = range(len(found.runs))
    heads = "".join(f'<th scope="col">{out.mark(k)} {out.esc(names[k])}</th>' for k in runs)
    by = {(d.metric, d.run): d for d in found.differences}
    rows = []
    for f in found.figures:
        key = explained(found.task, f.name)
        cells = []
        star = stars(found, f)
        for k in runs:
            text = f"<b>{number(out, float(f.values[k]), f.unit)}</b>{out.star(star.get(k, ''))}"
            low, high = f.intervals[k]
            if not np.isnan(low):
                text += f"<small>[{number(out, low, f.unit)}, {number(out, high, f.unit)}]</small>"
            d = by.get((f.name, k))
            if d is not None:
                kind = verdict(f, d)
                sign = f"{SIGNS[kind]} " if kind in ("better", "worse", "differs") else ""
                between = "" if np.isnan(d.low) else f" [{signed(out, d.low, f.unit)}, {signed(out, d.high, f.unit)}]"
                p = "" if np.isnan(d.p_holm) else f", p {html.escape(p_value(d.p_holm))}"
                text += f'<small class="{kind}">{sign}{signed(out, d.value, f.unit)}{between}{p}</small>'
            order = "" if np.isnan(f.values[k]) else repr(float(f.values[k]))
            cells.append(f'<td data-v="{order}">{text}</td>')
        unit = f", {out.esc(f.unit)}" if f.unit and f.unit not in SAID and not f.recorded else ""
        name = html.escape(metric_name(out.words, found.task, f.name))
        rows.append(f'<tr><th scope="row">{name}{unit}{out.info(key)}</th>{"".join(cells)}</tr>')
    head = f'<th scope="col">{out.t("ui.report.metric")}</th>'
    table = f"<table><thead><tr>{head}{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    stars_mean = f'<p class="note">{out.t("ui.vs.stars")}{out.info("vs_best")}</p>'
    return f'<div class="scroll" tabindex="0" id="compared">{table}</div>{stars_mean}'


def stars(found: Comparison, figure: Figure) -> dict[int, str]:
    """The run with the best value of a metric, "told" if the data can tell it apart, else "seen"; {} if none is."""
    by = {d.run: verdict(figure, d) for d in found.differences if d.metric == figure.name}
    best, told = best_of(figure, [by.get(k, "unknown") for k in range(len(found.runs))], found.baseline)
    return {} if best is None else {best: "told" if told else "seen"}


def starred(found: Comparison, cards: Sequence[Data]) -> None:
    """Stars on cards of the runs' own numbers as the comparison gives them, for the metrics that it has."""
    figures_by_entry = {explained(found.task, f.name): f for f in found.figures}
    for card in cards:
        figure = figures_by_entry.get(card["key"])
        if figure is not None and any(cell.get("best") for cell in card["cells"]):
            star = stars(found, figure)
            for k, cell in enumerate(card["cells"]):
                cell["best"] = star.get(k, "")


def _outcomes(found: Comparison, names: Sequence[str], out: Html) -> str:
    """Wins, losses and ties of each run on the samples."""
    rows = []
    for k in range(len(found.runs)):
        if k != found.baseline:
            gone = found.outcome(k)
            rows.append([names[k], *(int((gone == v).sum()) for v in (1, -1, 0))])
    heads = [{"text": "ui.report.test.run", "kind": "name"}]
    heads += [
        {"text": f"ui.report.count.{n}", "kind": "count", "explain": "vs_wins" if n == "wins" else ""}
        for n in ("wins", "losses", "ties")
    ]
    return (
        out.table({"columns": heads, "rows": rows}, out.t("ui.report.outcomes", baseline=names[found.baseline]))
        if rows
        else ""
    )


def _tests(found: Comparison, names: Sequence[str], out: Html) -> str:
    """Every test on a pair that says something; of frames of a film, which hang together, none does."""
    told = [t for t in found.tests if not np.isnan(t.p)]
    if not told:
        return ""
    rows = []
    for test in told:
        key = f"ui.report.test.{test.name}"
        counts = ", ".join(f"{out.words(f'ui.report.count.{k}')} {v:,}" for k, v in test.counts.items())
        name = {"key": key if out.words.has(key) else test.name, "explain": f"test_{test.name}"}
        cells = [name, names[test.run], counts]
        rows.append([*cells, *(None if np.isnan(v) else float(v) for v in (test.statistic, test.p, test.p_holm))])
    heads = [{"text": "ui.report.test", "kind": "name"}, {"text": "ui.report.test.run", "kind": "text"}]
    heads += [{"text": "", "kind": "text"}]
    heads += [{"text": f"ui.report.test.{n}", "kind": "short"} for n in ("statistic", "p", "holm")]
    return f"<h3>{out.t('ui.report.tests')}</h3>" + out.table({"columns": heads, "rows": rows})


def _classes(found: Comparison, c: ClassDifferences, names: Sequence[str], out: Html) -> str:
    """A per-class metric over runs; the class where a run loses most to the baseline first."""
    others = [k for k in range(len(found.runs)) if k != found.baseline]
    gaps = c.values[others] - c.values[found.baseline]
    with np.errstate(invalid="ignore"):
        order = np.argsort(np.nan_to_num(np.fmin.reduce(gaps, axis=0), nan=np.inf), kind="stable")
    heads = [{"text": "ui.class", "kind": "name"}, {"text": "ui.short.support", "kind": "count"}]
    heads += [{"text": n, "kind": "rate"} for n in names]
    for k in others:
        heads += [{"text": f"Δ {names[k]}", "kind": "short"}, {"text": "95 %", "kind": "text"}]
    rows = []
    for i in order:
        row = [c.classes[i], int(c.support[i]), *(None if np.isnan(v) else float(v) for v in c.values[:, i])]
        for k, gap in zip(others, gaps[:, i], strict=True):
            low, high = c.low[k, i], c.high[k, i]
            row += [None if np.isnan(gap) else float(gap)]
            row += ["" if np.isnan(low) else f"{low:+.3f} … {high:+.3f}".replace("-", "−")]
        rows.append(row)
    name = metric_name(out.words, found.task, c.metric)
    head = out.t("ui.report.byclass", metric=name)
    return f"<details><summary>{head}</summary>{out.table({'columns': heads, 'rows': rows})}</details>"


def charts(found: Comparison, names: Sequence[str], out: Html) -> list[Chart]:
    """Gains with their intervals, and the first metric against latency with the Pareto front."""
    drawn = [_forest(found, names, out), _tradeoff(found, names, out)]
    return [c for c in drawn if c is not None]


def _forest(found: Comparison, names: Sequence[str], out: Html) -> Chart | None:
    """The gain over the baseline by every metric that is a fraction, with its interval; runs a little apart.

    As in the app, the sign is turned where low is good, and what the data cannot show is drawn faintly.
    """
    by = {(d.metric, d.run): d for d in found.differences if not np.isnan(d.low)}
    others = [k for k in range(len(found.runs)) if k != found.baseline]
    fractions = [f for f in found.figures if f.unit == "" and not f.recorded and f.higher_is_better is not None]
    shown = [f for f in fractions if any((f.name, k) in by for k in others)]
    if not shown:
        return None
    labels = [figures.plain(metric_name(out.words, found.task, f.name)) for f in shown]
    ways = [1 if f.higher_is_better else -1 for f in shown]
    traces: list[Data] = []
    for place, k in enumerate(others):
        rows = [i for i, f in enumerate(shown) if (f.name, k) in by]
        mine = [by[shown[i].name, k] for i in rows]
        verdicts = [verdict(shown[i], d) for i, d in zip(rows, mine, strict=True)]
        ends = [(d.high - d.value, d.value - d.low)[:: ways[i]] for i, d in zip(rows, mine, strict=True)]
        aside = 0.7 * ((place + 0.5) / len(others) - 0.5)
        error: Data = {"type": "data", "symmetric": False, "array": [up for up, _ in ends]}
        error |= {"arrayminus": [down for _, down in ends], "thickness": 1.6, "width": 3}
        trace: Data = {"type": "scatter", "mode": "markers", "name": figures.plain(names[k]), "error_x": error}
        trace |= {"x": [d.value * ways[i] for i, d in zip(rows, mine, strict=True)], "y": [i + aside for i in rows]}
        said = [out.words(f"ui.vs.word.{v}") for v in verdicts]
        trace |= {"customdata": [[labels[i], d.value, w] for i, d, w in zip(rows, mine, said, strict=True)]}
        faint = [0.4 if v in ("same", "unknown") else 1.0 for v in verdicts]
        trace |= {"marker": {"size": 8, "color": COLORS[k % 8], "symbol": symbol(k), "opacity": faint}}
        hover = "%{customdata[0]}<br>%{customdata[1]:+.3f} %{customdata[2]}"
        traces.append(trace | {"hovertemplate": f"{hover}<extra>{figures.plain(names[k])}</extra>"})
    shared = figures.layout("ui.vs.gain", "")
    ticks: Data = {"tickvals": list(range(len(shown))), "ticktext": labels}
    shared["yaxis"] |= ticks | {"range": [len(shown) - 0.5, -0.5], "automargin": True, "zeroline": False}
    shared["xaxis"] |= {"nticks": 6, "tickangle": 0, "automargin": True}
    line = {"color": "#9ca3af", "width": 1.5, "dash": "dot"}
    shared["shapes"] = [{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": line}]
    figure = {"data": traces, "layout": shared}
    return Chart("ui.report.chart.differences", figure, entry_of("chart_vs_forest", "interval"))


def symbol(k: int) -> str:
    """A run's symbol: four filled, four open."""
    return figures.SYMBOLS[k % 4] + ("-open" if k % 8 >= 4 else "")


def _tradeoff(found: Comparison, names: Sequence[str], out: Html) -> Chart | None:
    """The first metric against latency, for runs that were timed."""
    if not found.figures or found.figures[0].higher_is_better is None:
        return None
    first = found.figures[0]
    time = np.array([latency(r) for r in found.runs])
    known = np.flatnonzero(~np.isnan(time) & ~np.isnan(first.values))
    if len(known) < 2:
        return None
    name = metric_name(out.words, found.task, first.name)
    traces: list[Data] = []
    goodness = first.values if first.higher_is_better else -first.values
    by = known[np.lexsort((-goodness[known], time[known]))]
    front = [k for i, k in enumerate(by) if goodness[k] > max(goodness[by[:i]], default=-np.inf)]
    dotted = {"color": "#9ca3af", "width": 1, "dash": "dot", "shape": "hv"}
    line: Data = {"type": "scatter", "mode": "lines", "x": time[front].tolist(), "y": first.values[front].tolist()}
    traces.append(line | {"line": dotted, "hoverinfo": "skip", "showlegend": False, "name": ""})
    for k in known.tolist():
        low, high = first.intervals[k]
        value = float(first.values[k])
        trace: Data = {"type": "scatter", "mode": "markers", "name": figures.plain(names[k]), "x": [float(time[k])]}
        trace |= {"y": [value], "marker": {"size": 12, "color": COLORS[k % 8], "symbol": symbol(k)}}
        if not np.isnan(low):
            error: Data = {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]}
            trace["error_y"] = error | {"thickness": 1.2}
        text = f"%{{x:.3g}} ms<br>%{{y:.4g}}<extra>{figures.plain(names[k])}</extra>"
        traces.append(trace | {"hovertemplate": text})
    shared = figures.layout("ui.report.axis.latency", figures.plain(name))
    wide = float(time[known].max()) > 20 * float(time[known].min())
    shared["xaxis"] |= {"type": "log"} if wide else {"rangemode": "tozero"}
    title = out.words("ui.report.chart.tradeoff", metric=name)
    return Chart(title, {"data": traces, "layout": shared}, entry_of("chart_vs_pareto", "latency"))


def differing(found: Comparison, run: int, most: int) -> tuple[list[int], list[int]]:
    """Places in ``found.ids`` where a run is better than the baseline, and where worse; the widest gap first."""
    with np.errstate(invalid="ignore"):  # both may be infinite
        gap = found.scores[run] - found.scores[found.baseline]
    outcome = found.outcome(run)
    sides = []
    for side in (1, -1):
        places = np.flatnonzero(outcome == side)
        order = np.argsort(-np.abs(gap[places]), kind="stable")
        sides.append(places[order][:most].tolist())
    return sides[0], sides[1]
