"""What is shown of profiles: formulas in numbers, sums by module, tables and charts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.explore import profiling as explore
from dashboard.explore.profiling.opened import names_of
from dashboard.explore.profiling.tables import best_throughput
from dashboard.explore.profiling.tree import ROOT, si
from dashboard.profiling.shapes import Layer, Variant
from dashboard.profiling.variants import CHANGES
from dashboard.tabs.profile_results import layer_html
from dashboard.views.strings import STRINGS
from tests.profiles import CONV, FAILED, FC, LAYERS, NORM, POOL, RELU, profile, view, way

# ---- formulas ----


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (
            CONV,
            {
                "params": ("Kh·Kw·Cin/groups·Cout", "3·3·64·64"),
                "macs": ("Kh·Kw·Cin/groups·Cout·Hout·Wout", "3·3·64·64·56·56"),
                "flops": ("2·Kh·Kw·Cin/groups·Cout·Hout·Wout", "2·3·3·64·64·56·56"),
            },
        ),
        (NORM, {"params": ("2·C", "2·64"), "flops": ("4·N·C·H·W", "4·1·64·56·56")}),
        (POOL, {"params": ("", ""), "flops": ("Hout·Wout·C", "56·56·64")}),
        (
            FC,
            {
                "params": ("Nin·Nout + Nout", "512·1000 + 1000"),
                "macs": ("rows·Nin·Nout", "1·512·1000"),
                "flops": ("2·rows·Nin·Nout", "2·1·512·1000"),
            },
        ),
        (RELU, {"params": ("", ""), "flops": ("", "")}),
    ],
    ids=lambda x: x.kind if isinstance(x, Layer) else "",
)
def test_formulas_have_the_layers_own_numbers(layer, expected):
    assert {line.what: (line.rule, line.numbers) for line in explore.lines(layer)} == expected
    values = {line.what: line.value for line in explore.lines(layer)}
    assert values == {k: {"params": layer.params, "macs": layer.macs, "flops": layer.flops}[k] for k in expected}


def test_groups_divide_a_bias_adds_and_calls_multiply():
    terms = {"kh": 5, "kw": 3, "cin": 8, "cout": 16, "groups": 4, "hout": 10, "wout": 7, "bias": 1}
    weights, places = 5 * 3 * 2 * 16, 70
    macs = 3 * weights * places
    layer = Layer("c", "Conv2d", "conv", (1, 16, 10, 7), weights + 16, macs, 2 * macs, 3, None, terms)
    said = {line.what: line.numbers for line in explore.lines(layer)}
    assert said == {"params": "5·3·8/4·16 + 16", "macs": "3·5·3·8/4·16·10·7", "flops": "3·2·5·3·8/4·16·10·7"}


def test_a_transposed_convolution_works_at_each_place_of_its_input():
    terms = {"kh": 2, "kw": 2, "cin": 8, "cout": 4, "groups": 1, "hin": 5, "win": 6, "hout": 10, "wout": 12, "bias": 0}
    macs = 2 * 2 * 8 * 4 * 30
    layer = Layer("up", "ConvTranspose2d", "conv", (1, 4, 10, 12), 128, macs, 2 * macs, 1, None, terms)
    line = explore.lines(layer)[1]
    assert (line.rule, line.numbers) == ("Kh·Kw·Cin/groups·Cout·Hin·Win", "2·2·8·4·5·6")


def test_numbers_that_do_not_come_to_the_count_are_not_shown():
    wrong = replace(FC, macs=7, terms={"nin": 512, "nout": 1000, "rows": 1, "bias": 1})
    assert explore.lines(wrong)[1].numbers == ""
    unknown = replace(CONV, terms={})
    assert [line.numbers for line in explore.lines(unknown)] == ["", "576·64·56·56", "2·576·64·56·56"]


@given(st.integers(1, 7), st.integers(1, 64), st.integers(1, 64), st.integers(1, 30), st.integers(1, 4))
def test_filled_formulas_are_right_sums(kernel, channels, outputs, side, calls):
    terms = {"kh": kernel, "kw": kernel, "cin": channels, "cout": outputs, "groups": 1, "hout": side, "wout": side}
    macs = calls * kernel**2 * channels * outputs * side**2
    params = kernel**2 * channels * outputs
    layer = Layer("c", "Conv2d", "conv", (1, outputs, side, side), params, macs, 2 * macs, calls, None, terms)
    for line in explore.lines(layer):
        assert math.prod(map(int, line.numbers.split("·"))) == line.value


# ---- where the cost is ----


@pytest.mark.parametrize("by", explore.SIZES)
def test_a_sector_is_as_large_as_what_is_in_it(by):
    trace = explore.tree(LAYERS, by)["data"][0]
    size = dict(zip(trace["ids"], trace["values"], strict=True))
    whole = {"macs": 116_117_504, "params": 549_992, "ms": 2.05}[by]
    assert size[ROOT] == pytest.approx(whole)
    for node in size:
        inside = [s for s, parent in zip(trace["values"], trace["parents"], strict=True) if parent == node]
        assert not inside or sum(inside) == pytest.approx(size[node])
    assert trace["parents"][trace["ids"].index(ROOT)] == ""
    assert len(set(trace["ids"])) == len(trace["ids"])


def test_a_sector_leads_to_its_layer_and_a_module_to_its_largest():
    trace = explore.tree(LAYERS, "params")["data"][0]
    rows = {node: data[0]["row"] for node, data in zip(trace["ids"], trace["customdata"], strict=True)}
    assert rows == {ROOT: 4, "·.layer1": 0, "·.layer1.0": 0, "·.layer1.0.conv1": 0, "·.layer1.0.bn1": 1, "·.fc": 4}
    assert trace["labels"][0] == "550 k"


def conv(path: str, macs: int, **terms: int) -> Layer:
    return replace(CONV, path=path, macs=macs, terms={**CONV.terms, **terms})


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (CONV, "conv"),
        (conv("c", 1, kh=1, kw=1), "pointwise"),
        (conv("c", 1, groups=64), "grouped"),
        (replace(CONV, terms={}), "conv"),
        (FC, "linear"),
        (NORM, "norm"),
        (replace(RELU, kind="LayerNorm"), "norm"),
        (POOL, "pool"),
        (replace(RELU, kind="Attention", rule="attention"), "attention"),
        (RELU, "other"),
    ],
)
def test_layers_are_coloured_by_their_kind(layer, kind):
    drawn = explore.tree([replace(layer, ms=1.0)], "ms")
    sectors, *keys = drawn["data"]
    assert [key["name"] for key in keys] == [f"ui.prf.kind.{kind}"]
    assert sectors["marker"]["colors"][-1] == keys[0]["marker"]["color"]
    assert f"ui.prf.kind.{kind}" in STRINGS


def test_a_module_has_a_shade_of_what_most_of_it_is():
    layers = [conv("0.a", 5), conv("0.b", 3, kh=1, kw=1), conv("1.a", 1, kh=1, kw=1)]
    sectors, *keys = explore.tree(layers, "macs")["data"]
    colour = dict(zip(sectors["ids"], sectors["marker"]["colors"], strict=True))
    assert [key["name"] for key in keys] == ["ui.prf.kind.conv", "ui.prf.kind.pointwise"]
    assert colour["·.0.b"] == colour["·.1.a"] == keys[1]["marker"]["color"]
    assert len({colour[node] for node in ("·.0", "·.1", "·.0.a", "·.0.b")}) == 4
    assert explore.tree([layers[0], RELU], "macs")["data"][2:] == []  # a key for what is seen alone


def test_numbered_modules_are_named_by_what_they_are():
    layers = [conv("0", 1), conv("blocks.1.2.conv", 1), conv("blocks.1.3", 1), conv("net/4/dw", 1)]
    sectors = explore.tree(layers, "macs")["data"][0]
    assert dict(zip(sectors["ids"], sectors["labels"], strict=True)) == {
        "·": "4 MACs", "·.0": "0 · Conv2d", "·.blocks": "blocks", "·.blocks.1": "blocks.1", "·.blocks.1.2": "1.2",
        "·.blocks.1.2.conv": "conv", "·.blocks.1.3": "3 · Conv2d", "·.net": "net", "·.net.4": "net.4",
        "·.net.4.dw": "dw",
    }  # fmt: skip
    assert sectors["text"][sectors["ids"].index("·.blocks.1.3")] == "blocks.1.3 · Conv2d"


def test_layers_without_time_cannot_be_sized_by_it():
    assert explore.sizes([replace(layer, ms=None) for layer in LAYERS]) == ["macs", "params"]
    assert explore.sizes([RELU, replace(RELU, ms=None)]) == ["ms"]
    assert explore.sizes([]) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [(1_814_073_344, "1.81 G"), (11_689_512, "11.7 M"), (999.6, "1 k"), (999, "999"), (12.345, "12.3"), (0, "0")],
)
def test_large_numbers_have_three_digits(value, said):
    assert si(value) == said


def test_layer_names_are_shown_letter_for_letter():
    odd = replace(CONV, path="a.<b>", kind="<script>")
    assert "<script>" not in layer_html(odd)
    assert "<b>" not in explore.tree([odd], "macs")["data"][0]["ids"][-1]
    assert 'data-explain="layer_other"' in layer_html(replace(CONV, rule="unheard of"))


# ---- tables and charts ----


def test_key_figures_are_those_of_the_usual_way():
    cards = {c["key"]: c for c in explore.figures_data([view()])["figures"]}
    assert {k: c["cells"][0]["value"] for k, c in cards.items()} == {
        "params": 550_000,
        "macs": 116_117_504,
        "flops": 232_235_008,
        "model_size": 2.2,
        "latency_percentiles": 16.0,
        "throughput_vs_batch": 1500 / 16,
        "peak_memory": 420.0,
        "prf_cold_start": 0.75,
    }
    assert cards["params"]["cells"][0]["note"] == "550,000"
    assert cards["latency_percentiles"]["cells"][0]["note"] == "p90 20 · p99 32"
    assert cards["throughput_vs_batch"]["cells"][0]["note"] == {"key": "ui.prf.note.batch", "vars": {"n": 2}}
    imports = cards["prf_cold_start"]["cells"][0]["note"]  # the chart's bar is as long as both
    assert imports == {"key": "ui.prf.note.import", "vars": {"s": "2"}}


def test_a_start_of_which_nothing_is_known_has_no_note():
    cards = {c["key"]: c for c in explore.figures_data([view(cold_start={}, variants=())])["figures"]}
    for card in ("prf_cold_start", "throughput_vs_batch", "latency_percentiles"):
        assert cards[card]["cells"] == [{"value": None, "note": ""}]


def test_the_cheaper_model_is_marked_and_unequal_terms_are_said():
    small = view("small", params=10, input_size=(32, 32), device="cuda:0", memory_mb={"gpu_peak": 5.0})
    data = explore.figures_data([view(), small])
    cards = {c["key"]: c["cells"] for c in data["figures"]}
    assert [bool(c.get("best")) for c in cards["params"]] == [False, True]
    assert cards["peak_memory"][1]["value"] is None
    assert [c["value"] for c in cards["gpu_memory"]] == [None, 5.0]
    assert [w["key"] for w in data["warnings"]] == ["ui.prf.warn.device", "ui.prf.warn.size"]


def test_a_busy_machine_is_told_where_its_times_are_shown():
    calm, busy = view("calm"), view("busy", variants=(way("fp32", 65.0, speedup=1.0), way("bf16", 24.0, speedup=0.985)))
    assert explore.busy([calm]) == []
    assert explore.busy([calm, busy]) == [{"key": "ui.prf.warn.busy", "vars": {"models": "busy"}}]
    assert explore.busy([busy, calm, busy])[0]["vars"] == {"models": "busy, busy"}  # one sentence
    assert explore.figures_data([calm, busy])["warnings"] == []  # key figures are those of the plain way
    late = view("late", variants=(way("fp32", 65.0, speedup=1.0), way("default", 24.0, speedup=0.985)))
    assert explore.figures_data([late])["warnings"] == explore.busy([late])


def test_throughput_is_best_where_it_is_most_not_where_the_batch_is_largest():
    assert best_throughput(way("fp32", 10.0)) == (2, 150.0)
    assert best_throughput(FAILED) is None
    assert best_throughput(None) is None


def test_a_faster_way_stands_beside_what_it_costs():
    table = explore.ways_table([view()])
    heads = [c.get("short") or c["label"] for c in table["columns"]]
    rows = {row[0]["key"]: dict(zip(heads[1:], row[1:], strict=True)) for row in table["rows"]}
    assert list(rows) == ["ui.prf.way.fp32", "ui.prf.way.bf16", "ui.prf.way.onnxruntime", "ui.prf.way.default"]
    fast = rows["ui.prf.way.bf16"]
    assert fast["ui.short.speedup"] == 2.0
    assert fast["ui.short.cost"] == pytest.approx(-0.025)
    assert fast["ui.short.difference"] == 0.01
    assert set(rows["ui.prf.way.onnxruntime"].values()) == {None}
    assert table["rows"][2][0]["note"] == FAILED.why_not
    without = explore.ways_table([view(variants=(way("fp32", 20.0, accuracy={}),))])
    assert "ui.short.cost" not in [c.get("short") for c in without["columns"]]
    assert len(explore.ways_table([view("a"), view("b")])["columns"]) == len(table["columns"]) + 1


@pytest.mark.parametrize(
    ("devices", "entry"), [(["cpu"], "peak_memory"), (["cuda:0"], "gpu_memory"), (["cuda:0", "cpu"], "peak_memory")]
)
def test_memory_of_a_way_on_a_graphics_card_is_the_cards(devices, entry):
    table = explore.ways_table([view(device, device=device) for device in devices])
    explained = {c.get("short"): c.get("explain") for c in table["columns"]}
    assert explained["ui.short.memory"] == entry


def test_models_of_two_tasks_have_a_column_of_accuracy_each():
    ways = way("fp32", 20.0, accuracy={"map": 0.5, "miou": 0.7}), way("bf16", 10.0, accuracy={"map": 0.25, "miou": 0.8})
    views = [view("a"), view("b", task="detection", variants=ways)]
    table = explore.ways_table(views)
    heads = [c.get("short") or c["label"] for c in table["columns"]]
    assert heads[-3:] == ["explain.top1.name", "ui.short.det_map", "ui.short.cost"]
    assert [row[-3:] for row in table["rows"] if row[0] == "b"] == [[None, 0.5, 0.0], [None, 0.25, -0.25]]
    assert table["rows"][1][-3:] == [0.875, None, pytest.approx(-0.025)]
    for order in (views, views[::-1]):
        dots = explore.worth(order)
        assert dots is not None
        assert [t["name"] for t in dots["data"]] == [order[0].label]


def test_layers_are_a_row_each_in_order():
    table = explore.layers_table(view(), 2)
    assert [row[0] for row in table["rows"]] == [layer.path for layer in LAYERS]
    assert table["rows"][0] == ["layer1.0.conv1", "Conv2d", "64×56×56", 36_864, 115_605_504, 231_211_008, 0, 1.5]
    assert table["rows"][3][1] == "ReLU ×2"
    assert table["selected"] == 2
    untimed = explore.layers_table(view(layers=(replace(FC, ms=None),)))
    assert untimed["rows"] == [["fc", "Linear", "1000", 513_000, 512_000, 1_024_000]]


def test_the_columns_of_layers_sum_to_the_key_figures():
    whole = profile()
    table = explore.layers_table(view())
    heads = [c.get("short") or c["label"] for c in table["columns"]]
    columns = dict(zip(heads, zip(*table["rows"], strict=True), strict=True))
    assert sum(columns["ui.short.macs"]) == whole.macs
    assert sum(columns["ui.short.flops"]) == whole.flops == 2 * 116_117_504
    assert columns["ui.short.layer_ops"] == (0, 802_816, 200_704, 0, 0)
    without = explore.layers_table(view(layers=(FC,)))
    assert "ui.short.layer_ops" not in [c.get("short") for c in without["columns"]]


def test_charts_have_the_measured_numbers():
    views = [view("a"), view("b")]
    parts = {t["name"]: t["x"] for t in explore.stages(views)["data"]}
    assert parts == {"ui.cmp.stage.pre": [1, 1], "ui.cmp.stage.fwd": [14.5, 14.5], "ui.cmp.stage.post": [0.5, 0.5]}
    starts = [t["x"] for t in explore.cold_start(views)["data"]]
    assert starts == [[2, 2], [0.5, 0.5], [0.25, 0.25]]
    lines = explore.throughput(views)["data"]
    assert [t["x"] for t in lines] == [[1, 2, 4]] * 2
    assert lines[0]["y"] == [62.5, 93.75, 87.5]
    assert lines[0]["line"] != lines[1]["line"]
    each = explore.throughput(views, views[1])["data"]
    assert [t["name"] for t in each] == ["ui.prf.way.fp32", "ui.prf.way.bf16", "ui.prf.way.default"]
    assert len({t["marker"]["symbol"] for t in each}) == 3
    assert explore.memory(views)["data"][0]["y"] == [300, 350, 380, 420]
    bars = explore.ways(views)["data"][0]
    assert (bars["y"], bars["error_y"]["array"]) == ([20, 10, 16], [20, 10, 16])
    dots = explore.worth(views)
    assert dots is not None
    assert (dots["data"][0]["x"], dots["data"][0]["y"]) == ([20, 10, 16], [0.9, 0.875, 0.9])
    assert explore.worth([view(variants=(way("fp32", 20.0, accuracy={}),))]) is None


def test_each_way_of_running_has_a_mark_of_its_own():
    names = list(CHANGES)
    all_of_them = view(variants=tuple(way(name, 10.0 + k) for k, name in enumerate(names)))
    lines = explore.throughput([all_of_them], all_of_them)["data"]
    assert len({t["marker"]["symbol"] for t in lines}) == len(names) == 9
    dots = explore.worth([all_of_them])
    assert dots is not None
    assert len(set(dots["data"][0]["marker"]["symbol"])) == len(names)


def test_a_model_of_which_little_is_known_is_shown_too():
    bare = view("bare", params=None, macs=None, flops=None, size_bytes=None, layers=(), cold_start={}, memory_mb={},
                variants=(Variant("fp32", why_not="It does not run."),))  # fmt: skip
    assert bare.usual is None
    cells = [c["cells"][0]["value"] for c in explore.figures_data([bare])["figures"]]
    assert cells == [None] * len(cells)
    for chart in (explore.stages, explore.throughput, explore.cold_start, explore.memory, explore.ways):
        assert isinstance(chart([bare])["data"], list)
    assert explore.ways_table([bare])["rows"][0][0]["note"] == "It does not run."


def test_twins_are_told_apart():
    assert names_of([view("a"), view("b")]) == ["a", "b"]
    twins = [view("a"), view("a", input_size=(64, 32)), view("b")]
    assert names_of(twins) == ["a 224×224", "a 64×32", "b"]
    assert names_of([view("a"), view("a", device="cuda:0")]) == ["a cpu", "a cuda:0"]
