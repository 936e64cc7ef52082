"""Reports: complete in themselves, true to the runs, safe to open, and below ten megabytes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import figures
from dashboard.comparing.objects import KEPT
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.metrics.detection import bootstrap
from dashboard.reporting import compared, drawn, page, report, writer
from dashboard.reporting.html import Html, short
from dashboard.reporting.pages import Card, Cells, labels, pages_of
from dashboard.reporting.pages_classes import ClassificationPages, DetectionPages
from dashboard.reporting.private import without_paths
from dashboard.reporting.report import report_html
from dashboard.reporting.words import LANGUAGES, Words, metric_name
from tests.report_runs import FIRST, HOSTILE, LABELS, MAKERS, SECOND, Document, classification, numbers

TASKS = tuple(MAKERS)
FILLED = ("noscript", "meta", "link")


@pytest.fixture(scope="module", autouse=True)
def _few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "TIMES", 20)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Store, runs and data of every task."""
    return {task: make(tmp_path_factory.mktemp(task)) for task, make in MAKERS.items()}


def document(made: dict[str, Any], task: str, count: int | None = 1, **how: Any) -> Document:
    store, runs, data = made[task]
    return Document(report_html(store, runs[:count], pictures=lambda _: data, **how))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS)
def test_a_report_stands_alone_and_says_everything_in_words(made, task, language):
    found = document(made, task, language=language)
    for _, attributes in found.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), attributes
            if name in ("src", "href"):
                assert value is not None
                assert value.startswith(("#", "data:image/", "data:,")), value
    places = {a["id"] for _, a in found.tags if a.get("id")}
    leads = {a["href"] for a in found.all("a")}
    assert leads
    assert {str(h)[1:] for h in leads} <= places
    assert len(found.all("div")) > 5
    assert not re.findall(r"\b(?:ui|explain)\.[a-z_]+", found.text), "a key without words"
    assert not re.findall(r'"(?:ui|explain)\.[a-z_.]+"', json.dumps(found.charts)), "a key without words in a chart"
    plots = [a for a in found.all("div") if a.get("class") == "plot"]
    assert [a["data-chart"] for a in plots] == [str(i) for i in range(len(found.charts))]
    assert len(plots) >= 2
    assert found.all("html")[0]["lang"] == language


def test_only_the_reports_own_scripts_may_run(made):
    found = document(made, "classification")
    policy = next(a["content"] for a in found.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    run = [s for (_, a), s in found._scripts() if "type" not in a]
    library = next(s for (_, a), s in found._scripts() if a.get("id") == "loupe-plotly")
    code = page.gzip.decompress(base64.b64decode(library))
    assert b"plotly.js" in code[:200]
    assert allowed == {base64.b64encode(hashlib.sha256(c).digest()).decode() for c in (run[0].encode(), code)}
    assert len(run) == 1
    assert "showSendToCloud: false" in run[0]


@pytest.mark.parametrize("task", TASKS)
def test_key_figures_are_the_runs(made, task):
    _, runs, _ = made[task]
    headline = {
        "classification": "top1", "detection": "map", "instance-segmentation": "map", "semantic-segmentation": "miou",
        "enhancement": "psnr_y", "tracking": "HOTA", "profile": "latency_ms",
    }[task]  # fmt: skip
    value = runs[0].metrics[headline]
    shown = {"enhancement": f"{value:.2f}", "profile": f"{value:.1f} ms"}.get(task, f"{value:.3f}")
    key = {"top1": "top1", "map": "det_map", "miou": "sem_miou", "latency_ms": "latency"}.get(headline, headline)
    text = report_html(None, runs[:1])
    card = text.partition(f'data-metric="{key}"')[2][:700]
    assert f"<b>{shown}</b>" in card


def test_names_cannot_become_code(made):
    found = document(made, "classification", 2, title=HOSTILE[1])
    assert len(found.all("script")) == 3
    assert [a for a in found.all("img") if not str(a["src"]).startswith("data:image/")] == []
    assert not found.all("b") or all("onload" not in a for a in found.all("b"))
    for name in HOSTILE:
        assert re.sub(r"\s+", " ", name) in found.text
    assert "model0 <b>" in found.text
    heads = [t for c in found.charts for t in c["data"] if t.get("name")]
    assert heads
    assert not [t["name"] for t in heads if "<b>" in t["name"]]  # Plotly takes tags in names for its own
    assert "&lt;/script&gt;" in json.dumps(found.charts)


def test_a_comparison_shows_the_pictures_that_differ(made):
    store, runs, data = made["classification"]
    text = report_html(store, runs, baseline=0, pictures=lambda _: data)
    pictures = text.partition('<section id="pictures">')[2].partition("</section>")[0]
    groups = re.split("<h3>", pictures)[1:]
    differ = [i for i, (a, b) in enumerate(zip(FIRST, SECOND, strict=True)) if (a == LABELS[i]) != (b == LABELS[i])]
    assert differ == [0, 9]
    assert ["is better" in g for g in groups] == [True, False]
    assert [re.findall(r'class="id">([^<]+)<', g) for g in groups] == [["folder/00009.png"], ["folder/00000.png"]]
    assert "<!-- pictures -->" not in text
    found = Document(text)
    assert "both right 8, only this run right 1, only the baseline right 1, both wrong 2" in found.text
    assert 'data-verdict="same"' in text
    assert "No difference between model1" in found.text


@pytest.mark.parametrize("task", ["classification", "enhancement"])
def test_a_comparison_holds_the_differences(made, task):
    from dashboard.comparing.compare import compare

    store, runs, data = made[task]
    expected = compare(runs, 1)
    found = Document(report_html(store, runs, baseline=1, pictures=lambda _: data))
    first = next(d for d in expected.differences if d.metric == expected.figures[0].name)
    shown = f"{first.value:+.3f}" if task == "classification" else f"{first.value:+.2f}"
    assert shown.replace("-", "−") in found.text
    assert len([c for c in found.charts if c["data"][0].get("error_x")]) == 1


def test_a_test_without_a_p_value_is_not_told_and_no_verdict_speaks_of_one(made):
    found = compared_numbers(made)
    nan = float("nan")
    tests = [replace(t, statistic=nan, p=nan, p_holm=nan) for t in found.tests]
    without = [replace(d, low=nan, high=nan, p=nan, p_holm=nan) for d in found.differences]
    names = ["a", "b"]
    full = compared.section(found, names, Html(Words()))
    assert "Tests on pairs" in full
    assert "95 % interval −" in full
    assert "after Holm’s correction" in full
    bare = compared.section(replace(found, tests=tests, differences=without), names, Html(Words()))
    assert "Tests on pairs" not in bare
    assert "interval" not in Document(PAGE.format(bare)).text
    assert "p = n/a" not in bare
    assert f"Top-1 accuracy {compared.signed(Html(Words()), without[0].value)}." in bare


def decided(made: dict[str, Any], better: bool | None, values: tuple[float, float], p: float) -> Any:
    """The comparison by one metric: 0.1 more than the baseline, with such a p-value."""
    found = compared_numbers(made)
    figure = replace(found.figures[0], higher_is_better=better, values=np.array(values))
    gap = replace(found.differences[0], metric=figure.name, value=0.1, low=0.02, high=0.3, p=p, p_holm=p)
    return replace(found, figures=[figure], differences=[gap])


@pytest.mark.parametrize(
    ("better", "values", "p", "kind", "place", "star"),
    [
        (True, (0.5, 0.6), 0.01, "better", 1, "★"), (True, (0.5, 0.6), 0.5, "same", 1, "☆"),
        (False, (0.5, 0.6), 0.01, "worse", 0, "★"), (False, (0.5, 0.6), 0.5, "same", 0, "☆"),
        (True, (0.5, 0.6), float("nan"), "better", 1, "★"),  # the interval leaves zero out
        (True, (0.5, 0.5001), 0.5, "same", None, ""), (None, (0.5, 0.6), 0.01, "differs", None, ""),
    ],
)  # fmt: skip
def test_stars_and_verdicts_are_those_of_comparing(made, better, values, p, kind, place, star):
    found = decided(made, better, values, p)
    text = compared.section(found, ["a", "b"], Html(Words()))
    assert f'data-verdict="{kind}"' in text
    table = text.partition('id="compared"')[2].partition("</table>")[0]
    assert [re.findall("[★☆]", cell) for cell in table.split("<td")[1:]] == [
        [star] if k == place else [] for k in range(2)
    ]
    assert "★ best and told apart, ☆ best value only." in text
    cards = [{"key": "top1", "cells": [{"value": v, "best": v == max(values)} for v in values]}]
    compared.starred(found, cards)
    shown = Html(Words()).cards({"models": [{}, {}], "figures": cards})
    assert re.findall("[★☆]", shown) == [star] * (place is not None)


def test_nothing_can_be_said_without_interval_and_p_value(made):
    found = decided(made, True, (0.5, 0.6), float("nan"))
    bare = [replace(d, low=float("nan"), high=float("nan")) for d in found.differences]
    text = compared.section(replace(found, differences=bare), ["a", "b"], Html(Words()))
    assert 'data-verdict="unknown"' in text
    assert "b against a: too little data to decide." in Document(PAGE.format(text)).text


def test_a_best_value_of_which_nothing_was_tested_has_a_hollow_star():
    cards = [{"key": "top1", "cells": [{"value": 0.5}, {"value": 0.6, "best": True}]}]
    shown = Html(Words()).cards({"models": [{}, {}], "figures": cards})
    assert re.findall("[★☆]", shown) == ["☆"]
    assert Words()("ui.best") in shown


@pytest.mark.parametrize(("better", "gain", "up", "down"), [(True, 0.1, 0.2, 0.08), (False, -0.1, 0.08, 0.2)])
def test_right_is_better_in_the_chart_of_differences(made, better, gain, up, down):
    chart = compared.charts(decided(made, better, (0.5, 0.6), 0.5), ["a", "b"], Html(Words()))[0]
    (trace,) = chart.figure["data"]
    assert trace["x"] == [gain]
    np.testing.assert_allclose([*trace["error_x"]["array"], *trace["error_x"]["arrayminus"]], [up, down])
    assert [row[1] for row in trace["customdata"]] == [0.1]
    assert trace["marker"]["opacity"] == [0.4]  # p = 0.5
    assert Words()(chart.figure["layout"]["xaxis"]["title"]["text"]) == "gain (better →)"
    assert not [c for c in compared.charts(decided(made, None, (0.5, 0.6), 0.5), ["a", "b"], Html(Words()))
                if "error_x" in c.figure["data"][0]]  # fmt: skip


PAGE = '<script id="loupe-charts" type="application/json">[]</script>{}'


def compared_numbers(made: dict[str, Any]) -> Any:
    from dashboard.comparing.compare import compare

    return compare(made["classification"][1])


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("detection", "green right"), ("instance-segmentation", "green right"), ("tracking", "identity switches in"),
        ("semantic-segmentation", "Coloured where the answer is wrong"), ("enhancement", "answers of the models"),
        ("classification", ""),
    ],
)  # fmt: skip
def test_what_is_drawn_into_pictures_is_said(made, monkeypatch, task, words):
    store, runs, data = made[task]
    monkeypatch.setattr(DetectionPages, "hardest", lambda *_: [1, 2])  # the test's detector makes no mistake
    text = report_html(store, runs[:1], pictures=lambda _: data)
    section = text.partition('<section id="pictures">')[2].partition("</section>")[0]
    note = re.findall(r'<p class="note">(.*?)</p>', section)
    assert [words in n for n in note] == ([True] if words else [])


def test_the_two_of_a_heading_are_among_the_pictures():
    cards = [Card("id", f"data:,{k}", None, f"said {k}") for k in range(8)]
    (shown,) = Html(Words()).pictures([cards], True, (6, 0))
    assert re.findall(r'src="data:,(.)"', shown) == ["6", "0", "1", "2"]
    assert shown.count("said ") == 8


def test_a_run_is_drawn_alike_whatever_its_place(tmp_path):
    _, runs, _ = MAKERS["detection"](tmp_path)
    pages = pages_of([runs[0], replace(runs[0], model="other")])
    objects = [c.figure["data"] for c in pages.charts() if c.title.startswith("ui.det.chart.objects")]
    assert len(objects) == 2
    assert [t["marker"] for t in objects[0]] == [t["marker"] for t in objects[1]]


@pytest.mark.parametrize("name", KEPT)
def test_every_compared_metric_has_a_name(name):
    for language in LANGUAGES:
        assert metric_name(Words(language), "instance-segmentation", name) != name


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00012, "1.20e-04"), (0.5, "0.5"), (999.4, "999"), (999.7, "1,000"), (-999.7, "-1,000"),
     (12345, "12,345"), (999_999.7, "1 M"), (2.5e6, "2.5 M"), (4_652_008, "4.65 M"), (999.7e6, "1 G")],
)  # fmt: skip
def test_short_numbers(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, "", "0.500"), (-0.00004, "", "−0.000"), (4_652_008, "params", "4.65 M"), (1.00096, "nat", "1.001"),
        (0.3, "nat", "0.300"), (-0.3, "nat", "−0.300"),
        (3, "count", "3"), (12345, "count", "12,345"), (31.4159, "dB", "31.42"), (0.05, "ms", "0.05 ms"),
        (38.04, "/s", "38"), (0.0, "nat", "0.000"), (12.345, "px", "12.345"), (float("nan"), "nat", "n/a"),
    ],
)  # fmt: skip
def test_values_of_a_comparison(value, unit, text):
    assert compared.number(Html(Words()), value, unit) == text


def test_charts_without_a_point_are_left_out():
    diagonal = {"type": "scatter", "name": "", "x": [0, 1], "y": [0, 1]}
    none = figures.line(np.zeros(0, np.float32), np.zeros(0, np.float32), "run", 0)
    unknown = {"type": "scatter", "name": "run", "x": [0.0, 1.0], "y": [None, float("nan")]}
    point = figures.line(np.zeros(1, np.float32), np.ones(1, np.float32), "run", 0)
    for traces, empty in (
        ([diagonal], True), ([diagonal, none], True), ([unknown], True), ([diagonal, none, point], False), ([], True),
        ([{"type": "heatmap", "z": [[0, None]]}], False), ([{"type": "sunburst", "values": [3]}], False),
        ([{"type": "bar", "name": "a", "x": [1, 2], "y": ["p", "q"], "orientation": "h"}], False),
    ):  # fmt: skip
        assert drawn.is_empty({"data": traces, "layout": {}}) is empty, traces


def test_rates_are_readable():
    assert [Html(Words()).number(v, "rate") for v in (3.14159, 47831.2)] == ["3.1/s", "47,831/s"]


def test_ends_of_intervals_in_little_room():
    html = Html(Words())
    assert [html.brief(v) for v in (0.8651, -0.05, 0.0, 1.0)] == [".865", "−.050", ".000", "1.000"]


def test_eight_runs_are_told_apart(tmp_path):
    store, runs, data = classification(tmp_path, 8)
    text = report_html(store, runs, pictures=lambda _: data)
    found = Document(text)
    curves = next(c for c in found.charts if any("macro average" in t.get("name", "") for t in c["data"]))
    lines = [t["line"] for t in curves["data"] if "macro average" in t.get("name", "")]
    assert len(lines) == 8
    assert len({(v["color"], v["dash"]) for v in lines}) == 8
    assert len({v["color"] for v in lines}) == 8
    marks = re.findall(r'<i class="m" style="color:([^"]+)">(.)</i>', text)
    assert len(set(marks)) == 8


def test_runs_of_the_same_name_get_names_of_their_own(made):
    _, runs, _ = made["classification"]
    assert labels([runs[0], runs[0]]) == ["model0 <b> · numbers · 12 #1", "model0 <b> · numbers · 12 #2"]
    assert labels(runs) == ["model0 <b>", "model1 <b>"]


def test_nobody_looks_for_pictures_of_a_profile(made):
    store, runs, _ = made["profile"]
    found = Document(report_html(store, runs, pictures=Engine(store.root).pictures))
    assert len(found.charts) == 3
    assert not found.all("img")


def test_without_the_data_the_report_says_so(made):
    store, runs, _ = made["semantic-segmentation"]
    found = Document(report_html(store, runs, pictures=lambda _: None))
    assert not found.all("img")
    assert "The pictures of maps have moved or changed" in found.text
    there = document(made, "semantic-segmentation")
    assert len(there.all("img")) == 20
    assert "have moved" not in there.text


def test_the_hardest_come_first_and_at_most_as_many_as_asked(made):
    found = document(made, "classification", most_pictures=2)
    assert len(found.all("img")) == 2
    pages = pages_of(made["classification"][1][:1])
    assert set(pages.hardest(0, 48)) == {9, 10, 11}
    assert [c and c.right for c in pages.cards(0, [9, 0, 99], None)] == [False, True, None]


def test_pictures_yield_when_there_is_no_room(made, monkeypatch):
    store, runs, data = made["semantic-segmentation"]
    bare = len(report_html(store, runs).encode())
    monkeypatch.setattr(report, "MOST_BYTES", bare + 4_500)
    text = report_html(store, runs, pictures=lambda _: data)
    assert len(text.encode()) <= bare + 4_500
    found = Document(text)
    assert 0 < len(found.all("img")) < 20
    assert "more pictures were left out" in found.text


def test_long_tables_and_curves_yield_first(made, monkeypatch):
    store, runs, _ = made["classification"]
    monkeypatch.setattr(report, "TIERS", (writer.Limits(1500, 1000), writer.Limits(3, 2)))
    monkeypatch.setattr(report, "MOST_BYTES", 100)
    found = Document(report_html(store, runs[:1]))
    assert "more rows are left out" in found.text
    lines = [t for c in found.charts for t in c["data"] if str(t.get("mode", "")).startswith("lines")]
    assert max(len(numbers(t["x"])) for t in lines) <= 5


def test_a_title_with_half_a_character(made):
    store, runs, _ = made["classification"]
    assert "a ? b" in report_html(store, runs[:1], title="a \udc80 b")


def test_what_does_not_go_together_is_refused(made):
    store, runs, _ = made["classification"]
    other = made["detection"][1][0]
    with pytest.raises(InputError, match="of one task"):
        report_html(store, [runs[0], other])
    with pytest.raises(InputError, match="one to 8 runs, got 0"):
        report_html(store, [])
    with pytest.raises(InputError, match="got 9"):
        report_html(store, [runs[0]] * 9)
    with pytest.raises(InputError, match="baseline"):
        report_html(store, runs, baseline=2)


@pytest.mark.parametrize("task", ["tracking", "enhancement"])
def test_strangers_do_not_learn_where_things_are(made, task):
    store, runs, data = made[task]
    source = str(runs[0].facts["dataset_facts"]["source"])
    assert Path(source).is_absolute()
    private = Document(report_html(store, runs[:1], pictures=lambda _: data))
    assert source in private.text
    public = report_html(store, runs[:1], pictures=lambda _: data, public=True)
    for place in (str(store.root), source, str(Path(source).parent), str(Path.home()) + "/"):
        assert place not in public
    assert Path(source).name in Document(public).text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("reading /data/my set/a.png failed", "reading a.png failed"),
        ("reading /data/my set failed", "reading my set failed"),
        (f"in {Path.home()}/alice/deep/w.pt now", "in w.pt now"),
        (f"in {Path.cwd()}/data/foo/bar.pt, say", "in bar.pt, say"),
        ("see /srv/x/y.csv, line 3", "see y.csv, line 3"),
        ("in ~/secret/place/w.pt", "in w.pt"),
        (r"in C:\Users\me\w.pt now", "in w.pt now"),
        ("https://arxiv.org/abs/1707.02921", "https://arxiv.org/abs/1707.02921"),
        ("precision/recall 1/2 and a/b.png", "precision/recall 1/2 and a/b.png"),
    ],
)
def test_paths_become_names(made, text, left):
    run = made["classification"][1][0]
    facts = {**run.facts, "dataset_facts": {"source": "/data/my set"}}
    assert without_paths(None, [replace(run, facts=facts)])(text) == left


@given(st.integers(3, 3000), st.integers(2, 200), st.integers(0, 99))
def test_thinned_lines_keep_their_ends_and_stay_in_order(count, most, seed):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.random(count, np.float32)), rng.random(count, np.float32)
    trace = figures.line(x, y, "a", 0, np.arange(count, dtype=np.float32)) | {"type": "scatter"}
    out = drawn._thinned(trace, most)
    kept = numbers(out["x"])
    assert len(kept) <= max(most + 2, 3) or count <= most
    assert (kept[0], kept[-1]) == (x[0], x[-1])
    places = numbers(out["customdata"]).astype(int)
    np.testing.assert_array_equal(x[places], kept)
    np.testing.assert_array_equal(y[places], numbers(out["y"]))
    assert (np.diff(places) > 0).all()


def test_a_steep_curve_keeps_its_corner():
    x = np.linspace(0, 1, 5000)
    y = np.where(x < 0.5, 0.0, 1.0)
    out = drawn._thinned({"type": "scatter", "mode": "lines", "x": figures.packed(x), "y": figures.packed(y)}, 50)
    kept, height = numbers(out["x"]), numbers(out["y"])
    assert abs(kept[height > 0].min() - 0.5) < 1e-3
    assert abs(kept[height == 0].max() - 0.5) < 0.05


def test_a_large_confusion_matrix_keeps_what_is_confused():
    counts = np.diag(np.full(200, 7))
    counts[150, 3] = 5
    figure, left = drawn.confusion(Cells([f"c{i}" for i in range(200)], counts, "confusion"), str)
    names = figure["layout"]["xaxis"]["ticktext"]
    assert left == 170
    assert {"c150", "c3"} <= set(names)
    cells = figure["data"][0]["customdata"]
    assert cells[names.index("c150")][names.index("c3")] == ["c150", "c3", 5]
    shares = numbers(figure["data"][0]["z"]).reshape(30, 30)
    assert shares[names.index("c150"), names.index("c3")] == pytest.approx(5 / 12)


@pytest.mark.parametrize(("count", "angle", "many"), [(14, -45, False), (15, -90, True), (30, -90, True)])
def test_names_of_many_classes_have_room(made, monkeypatch, count, angle, many):
    cells = Cells([f"class {i}" for i in range(count)], np.eye(count, dtype=int), "confusion")
    layout = drawn.confusion(cells, str)[0]["layout"]
    assert layout["xaxis"]["tickangle"] == angle
    assert ("tickfont" in layout["xaxis"], "tickfont" in layout["yaxis"]) == (many, many)
    assert layout["yaxis"]["tickangle"] == 0
    monkeypatch.setattr(ClassificationPages, "matrix", lambda *_: cells)
    text = report_html(None, made["classification"][1][:1])
    assert ('class="chart tall many"' in text) is many


@pytest.mark.parametrize(
    ("task", "count", "text"),
    [("classification", 1, "· 1 image"), ("classification", 2, "· 2 images"), ("tracking", 1, "· 1 frame")],
)
def test_one_is_not_many(made, task, count, text):
    run = replace(made[task][1][0], samples=count)
    head = report_html(None, [run]).partition('class="sub">')[2].partition("<")[0]
    assert head.endswith(text)


def test_the_words_are_the_apps():
    from dashboard.views.strings import STRINGS

    english, chinese = Words("en"), Words("zh-TW")
    for key, (en, zh) in STRINGS.items():
        assert (english(key), chinese(key)) == (en, zh)
    assert english("ui.images", n=3) == "3 images"
    assert english("no key at all") == "no key at all"
    with pytest.raises(ValueError, match="language"):
        Words("fr")
