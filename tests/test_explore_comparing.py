"""What the compare tab shows, from tiny comparisons made by hand."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import explain, figures
from dashboard.comparing.recorded import recorded_figures
from dashboard.comparing.shapes import ClassDifferences, Comparison, Difference, Figure, PairTest
from dashboard.errors import InputError
from dashboard.explore.comparing import Asked, chosen, counts_data, decide_data, forest, groups_of
from dashboard.explore.comparing.charts import costs_known, front, scatter
from dashboard.explore.comparing.classes import class_chart, class_table, told
from dashboard.explore.comparing.curves import curves
from dashboard.explore.comparing.deciding import best_of, verdict
from dashboard.explore.comparing.large import pair_first
from dashboard.explore.comparing.pairs import GROUPS, RIGHT_WRONG, WINS_LOSSES, answers_of, gallery_data, masks
from dashboard.explore.comparing.shown import DASHES, SYMBOLS, entry, run_names
from dashboard.store import Run
from dashboard.views.strings import STRINGS

NAN = float("nan")


def run_of(model: str, k: int = 0, **more: Any) -> Run:
    """A run that is nowhere on disk."""
    facts: dict[str, Any] = {"id": f"{model}-{k}", "task": "enhancement", "model": model, "dataset": "made"}
    return Run(**facts | {"samples": 4, "metrics": {}, "created_at": f"2026-01-0{k + 1}T00:00:00"} | more)


def figure_of(values: Sequence[float], higher: bool | None = True, name: str = "psnr", unit: str = "") -> Figure:
    array = np.array(values, float)
    return Figure(name, higher, unit, array, np.stack([array - 0.1, array + 0.1], 1))


def difference(
    value: float, low: float = NAN, high: float = NAN, p: float = NAN, run: int = 1, **more: Any
) -> Difference:
    """Of ``psnr`` unless said otherwise."""
    return Difference(
        **{"metric": "psnr", "run": run, "value": value, "low": low, "high": high} | ENDS | {"p": p, "p_holm": p} | more
    )


ENDS: dict[str, Any] = {"method": "paired bootstrap"}


def comparison_of(scores: Sequence[Sequence[float]], **more: Any) -> Comparison:
    """Runs A, B, C ... against A with these scores, and their means as the only metric."""
    array = np.array(scores, float)
    count, samples = array.shape
    runs = [run_of(chr(ord("A") + k), k) for k in range(count)]
    means = np.nan_to_num(array, posinf=99).mean(axis=1)
    made: dict[str, Any] = {
        "runs": runs, "baseline": 0, "task": "enhancement", "unit": "image", "ids": [f"{i}" for i in range(samples)],
        "index": np.tile(np.arange(samples), (count, 1)), "left_out": [0] * count, "figures": [figure_of(means)],
        "differences": [difference(means[k] - means[0], -1, 1, 0.5, k) for k in range(1, count)], "tests": [],
        "scores": array, "score_name": "psnr",
    }  # fmt: skip
    return Comparison(**made | more)


@pytest.mark.parametrize(
    ("higher", "found", "said"),
    [
        (True, difference(0.2, 0.1, 0.3, 0.01), "better"),
        (False, difference(0.2, 0.1, 0.3, 0.01), "worse"),
        (False, difference(-0.2, -0.3, -0.1, 0.01), "better"),
        (None, difference(0.2, 0.1, 0.3, 0.01), "differs"),
        (True, difference(0.2, -0.1, 0.3, 0.20), "same"),
        (True, difference(0.2, 0.1, 0.3, 0.04, p_holm=0.08), "same"),  # Holm decides, not the interval
        (True, difference(0.2, 0.1, 0.3), "better"),  # without p, the interval does
        (True, difference(0.2, -0.1, 0.3), "same"),
        (True, difference(0.2), "unknown"),
        (True, difference(NAN), "unknown"),
        (True, difference(0.0, 0.0, 0.0, 0.0), "same"),
    ],
)
def test_a_verdict_in_a_word(higher: bool | None, found: Difference, said: str) -> None:
    assert verdict(figure_of([0, 1], higher), found) == said


@pytest.mark.parametrize(
    ("values", "higher", "verdicts", "best", "told"),
    [
        ([0.5, 0.6], True, ["unknown", "better"], 1, True),
        ([0.5, 0.6], True, ["unknown", "same"], 1, False),
        ([0.5, 0.4], True, ["unknown", "worse"], 0, True),
        ([0.5, 0.4, 0.49], True, ["unknown", "worse", "same"], 0, False),
        ([0.5, 0.4], False, ["unknown", "better"], 1, True),
        ([0.5, 0.50001], True, ["unknown", "better"], None, False),  # 0.500 and 0.500 are shown
        ([0.5, NAN], True, ["unknown", "unknown"], None, False),
        ([0.5, 0.6], None, ["unknown", "differs"], None, False),
    ],
)
def test_the_best_is_marked_only_where_it_can_be_seen(
    values: list[float], higher: bool | None, verdicts: list[str], best: int | None, told: bool
) -> None:
    assert best_of(figure_of(values, higher), verdicts, 0) == (best, told)


def test_the_table_has_a_cell_a_run_and_metric() -> None:
    made = comparison_of(
        [[1, 2], [2, 4], [1, NAN]],
        figures=[
            figure_of([1.5, 3, 1]),
            Figure("latency_ms", False, "ms", np.array([3.0, NAN, 1.0]), np.full((3, 2), NAN), True),
        ],
        differences=[difference(1.5, 1, 2, 0.001), difference(-0.5, -1, 1, 0.4, run=2)],
        tests=[PairTest("sign", 1, NAN, 0.5, 1.0, {"wins": 2, "losses": 0, "ties": 0})],
        notes=["2 samples are left out."],
    )
    data = decide_data(made)
    assert [r["name"] for r in data["runs"]] == ["A", "B", "C"]
    assert [c["key"] for c in data["columns"]] == ["psnr", "latency"]
    assert [len(r) for r in data["rows"]] == [2, 2, 2]
    assert data["rows"][1][0]["diff"]["verdict"] == "better"
    assert data["rows"][1][0]["best"] == "told"
    assert data["rows"][2][0]["diff"]["verdict"] == "same"
    assert "diff" not in data["rows"][0][0]
    assert data["rows"][1][1]["value"] is None
    assert data["rows"][2][1]["best"] == "seen"  # the fastest, but nothing tells them apart
    assert [g["n"] for g in data["pairs"][0]["groups"]] == [2, 0, 0]
    assert [g["n"] for g in data["pairs"][1]["groups"]] == [0, 0, 2]  # equal, and one without a score
    assert data["pairs"][0]["tests"][0] | {} == {
        "key": "test_sign", "told": False, "counts": {"wins": 2, "losses": 0, "ties": 0}, "statistic": None,
        "p": 0.5, "p_holm": 1.0,
    }  # fmt: skip
    assert data["notes"] == ["2 samples are left out."]


def test_only_tests_that_were_made_are_told_and_resamples_only_where_there_are_any() -> None:
    """Frames of a film have no p; few images and blocks of frames are not resampled."""
    counts = {"wins": 2, "losses": 0, "ties": 0}
    made = comparison_of([[1, 2], [2, 4]], tests=[PairTest("sign", 1, NAN, NAN, NAN, counts)])
    made = replace(made, settings={"resamples": 1234, "units": 2})
    assert decide_data(made)["pairs"][0]["tests"] == []
    assert decide_data(made)["resamples"] == 1234
    by_t = [difference(1, 0, 2, 0.5, method="Student's t of paired differences")]
    assert decide_data(replace(made, differences=by_t))["resamples"] is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (difference(0.2, 0.1, 0.3, 0.01), {"split": False}),
        (difference(0.2, -0.1, 0.3, 0.4), {"split": False}),
        (difference(-0.007, -0.015, -0.002, 0.125), {"split": True}),  # McNemar's exact p with few that differ
        (difference(0.2, 0.1, 0.3, 0.04, p_holm=0.08), {"split": True}),
        (difference(0.2, -0.1, 0.3, 0.01), {"split": True}),
        (difference(0.0, p=1.0), {"split": False}),
        (difference(0.2, 0.1, 0.3), {}),
        (difference(0.2, method="no interval"), {"why": "none"}),
        (difference(0.2, method="no interval: too few images, or no spread"), {"why": "few"}),
        (difference(0.2, method="no interval: too few images of a class"), {"why": "class"}),
        (difference(NAN), {"why": "value"}),
    ],
)
def test_what_a_verdict_cannot_say_by_itself_is_said(found: Difference, said: dict[str, Any]) -> None:
    data = decide_data(comparison_of([[1, 2], [2, 4]], differences=[found]))
    cell = data["rows"][1][0]["diff"]
    assert {k: cell[k] for k in ("why", "split") if k in cell} == said
    if "why" in said:
        assert f"ui.vs.why.{said['why']}" in STRINGS
        assert cell["verdict"] == "unknown"


def test_the_sentences_are_about_the_metric_that_was_chosen_and_masks_are_called_so() -> None:
    made = comparison_of([[1, 2], [2, 4]], figures=[figure_of([1, 2]), figure_of([3, 4], name="ssim")])
    assert decide_data(made)["metric"] is None
    assert decide_data(made, "ssim")["metric"] == "ssim"
    named = [figure_of([0.1, 0.2], name=n) for n in ("map_50", "box_map", "mar_100")]
    for task, masks_ in (("instance-segmentation", [True, False, True]), ("detection", [False] * 3)):
        columns = decide_data(comparison_of([[1], [2]], figures=named, task=task, score_name="f1"))["columns"]
        assert [c["mask"] for c in columns] == masks_
    counted = [figure_of([1e6, 2e6], name="params", unit="params"), figure_of([1, 2])]
    assert [c["whole"] for c in decide_data(replace(made, figures=counted))["columns"]] == [True, False]


def test_right_and_wrong_make_the_cells_of_mcnemar() -> None:
    made = comparison_of([[1, 1, 0, 0, 1], [1, 0, 1, 0, 0]], task="classification", score_name="correct")
    assert groups_of(made) == RIGHT_WRONG
    assert {g["name"]: g["n"] for g in counts_data(made, 1)} == {
        "only_run": 1,
        "only_baseline": 2,
        "neither": 1,
        "both": 1,
    }
    assert groups_of(comparison_of([[1, 0.5], [1, 1]], task="classification")) == WINS_LOSSES


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, 0.25, NAN])] * 3), min_size=1, max_size=12))
def test_every_sample_is_in_one_group(rows: list[tuple[float, float, float]]) -> None:
    made = comparison_of(np.array(rows).T.tolist(), figures=[figure_of([1, 1, 1])], differences=[])
    for task in ("enhancement", "classification"):
        of_task = replace(made, task=task)
        for run in (1, 2):
            found = masks(of_task, run)
            assert tuple(found) == groups_of(of_task)
            assert np.sum(list(found.values()), axis=0).tolist() == [1] * len(rows)


def test_the_clearest_gaps_come_first() -> None:
    made = comparison_of([[1, 5, 3, 2, 9], [4, 1, 3, 2.5, NAN]], tolerance=0.1)
    for group, places, gaps in (("wins", [0, 3], [3, 0.5]), ("losses", [1], [-4]), ("ties", [2, 4], [0, NAN])):
        found = chosen(made, Asked(1, group))
        assert found[0].tolist() == places
        np.testing.assert_array_equal(found[1], gaps)


@pytest.mark.parametrize(
    "asked", [Asked(0, "wins"), Asked(2, "wins"), Asked(-1, "wins"), Asked(1, "both"), Asked(1, "x")]
)
def test_what_cannot_be_asked_for_is_said(asked: Asked) -> None:
    with pytest.raises(InputError, match="There is no such"):
        chosen(comparison_of([[1, 2], [2, 1]]), asked)


def test_gains_point_to_the_right() -> None:
    made = comparison_of(
        [[1, 1], [2, 2]],
        figures=[
            figure_of([1, 2]),
            figure_of([5, 3], False, "mse"),
            figure_of([1, 1], None, "noise"),
            figure_of([1, 2], name="mae", unit="dB"),
        ],
        differences=[
            difference(1, 0.5, 2, 0.01),
            difference(-2, -3, -0.5, 0.01, metric="mse"),
            difference(0, metric="noise"),
        ],
    )
    (trace,) = forest(made, "psnr")["data"]
    assert trace["x"] == [1, 2]  # mse fell by two, which is good
    assert trace["y"] == ["explain.psnr.name", "explain.mse.name"]
    assert trace["error_x"]["array"] == [1.0, 1.0]  # up to 2, and from -2 down to -3
    assert trace["error_x"]["arrayminus"] == [0.5, 1.5]
    assert [c[1] for c in trace["customdata"]] == [1, -2]


def test_what_is_neither_good_nor_bad_is_drawn_among_its_kind() -> None:
    """As a difference, not a gain; and it has no front."""
    made = comparison_of(
        [[1, 1], [2, 2]],
        figures=[figure_of([1, 2]), figure_of([3, 1], None, "noise"), figure_of([1, 1], None, "colour")],
        differences=[difference(1), difference(-2, -3, -1, metric="noise"), difference(0, metric="colour")],
    )
    drawn = forest(made, "noise")
    (trace,) = drawn["data"]
    assert trace["x"] == [-2, 0]
    assert trace["error_x"]["array"][0] == 1
    assert drawn["layout"]["xaxis"]["title"]["text"] == "ui.vs.difference"
    assert forest(made, "psnr")["layout"]["xaxis"]["title"]["text"] == "ui.vs.gain"
    names = [t["name"] for t in scatter(made, "noise", "latency", {"latency": np.array([1.0, 2.0])})["data"]]
    assert names == ["A", "B"]


@pytest.mark.parametrize(
    ("cost", "value", "higher", "wanted"),
    [
        ([1, 2, 3], [1, 2, 3], True, [0, 1, 2]),
        ([1, 2, 3], [3, 2, 1], True, [0]),
        ([1, 2, 3], [3, 2, 1], False, [0, 1, 2]),
        ([2, 1, 3], [5, 1, 5], True, [1, 0]),  # as good for more is not on the front
        ([1, 1], [1, 2], True, [1]),
        ([1, NAN, 2], [1, 9, NAN], True, [0]),
        ([NAN], [1], True, []),
    ],
)
def test_the_pareto_front(cost: list[float], value: list[float], higher: bool, wanted: list[int]) -> None:
    assert front(np.array(cost, float), np.array(value, float), higher) == wanted


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_nothing_beats_the_front_and_the_front_beats_the_rest(points: list[tuple[int, int]]) -> None:
    cost, value = np.array(points, float).T
    found = front(cost, value, True)

    def beaten(k: int) -> bool:
        as_good = (cost <= cost[k]) & (value >= value[k])
        return bool((as_good & ((cost < cost[k]) | (value > value[k]))).any())

    assert not any(beaten(k) for k in found)
    shown = {(cost[k], value[k]) for k in found}
    assert all(beaten(k) or (cost[k], value[k]) in shown for k in range(len(points)))


def test_costs_come_from_the_run_and_from_the_profile_of_its_model() -> None:
    made = comparison_of([[1, 1], [2, 2]])
    timed = [replace(r, timing={"latency_ms": {"p50": 4.0 * (k + 1)}}) for k, r in enumerate(made.runs)]
    stored = {"params": 10, "macs": 20, "size_bytes": 2_000_000, "variants": [{"latency_ms": {"p50": 7}}]}
    profiles = [
        run_of(m, task="profile", facts={"profile": stored | {"params": n}}) for m, n in (("A", 5), ("A", 9), ("B", 6))
    ]
    found = costs_known(replace(made, runs=timed), profiles)
    assert {k: v.tolist() for k, v in found.items()} == {
        "latency": [4, 8], "profile_latency": [7, 7], "params": [5, 6], "macs": [20, 20], "size_mb": [2, 2],
    }  # fmt: skip
    assert list(costs_known(made, profiles[:2])) == []  # a cost that only one has is none to compare by
    marks = scatter(replace(made, runs=timed), "psnr", "latency", found)["data"]
    assert [(t["x"], t["y"]) for t in marks] == [([4, 8], [1, 2]), ([4], [1]), ([8], [2])]


def test_trackers_of_the_same_detections_differ_in_what_they_cost() -> None:
    """The detector takes 50 ms for both; of 100 frames one tracker takes 0.2 s, the other 1 s."""
    made = comparison_of([[1, 1], [2, 2]], task="tracking")
    timing = {"latency_ms": {"p50": 50.0}, "throughput_per_s": 38.0, "frames": 100.0}
    runs = [
        replace(r, task="tracking", timing=timing | {"track_s": s}, metrics={"FPS": fps})
        for r, s, fps in zip(made.runs, (0.2, 1.0), (36.0, 27.0), strict=True)
    ]
    assert costs_known(replace(made, runs=runs))["latency"].tolist() == [52, 60]
    recorded = {f.name: f.values.tolist() for f in recorded_figures(runs)}
    assert recorded == {"latency_ms": [52, 60], "FPS": [36, 27]}  # and not the detector's frames a second besides
    unknown = [replace(r, timing=timing | {"track_s": None}) for r in runs]
    assert "latency" not in costs_known(replace(made, runs=unknown))


def test_a_profile_of_other_weights_is_not_taken() -> None:
    made = comparison_of([[1], [2]])
    runs = [replace(r, facts={"model_facts": {"fingerprint": "x"}}) for r in made.runs]
    other = [run_of(m, task="profile", facts={"profile": {"params": 1, "fingerprints": ["y", "z"]}}) for m in "AB"]
    assert list(costs_known(replace(made, runs=runs), other)) == []


def classes_of(values: Sequence[Sequence[float]], low: Sequence[float], high: Sequence[float]) -> ClassDifferences:
    base = np.full(len(low), NAN)
    support = np.arange(1, len(low) + 1) * 100
    names = [f"c{i}" for i in range(len(low))]
    return ClassDifferences(
        "iou", names, support, np.array(values, float), np.stack([base, low]), np.stack([base, high])
    )


def test_classes_begin_with_the_largest_loss() -> None:
    low, high = [-0.1, -0.5, NAN, NAN, NAN], [0.3, -0.3, NAN, NAN, NAN]
    found = classes_of([[0.5, 0.5, NAN, 0.5, 0.5], [0.6, 0.1, 0.3, 0.5, 0.7]], low, high)
    made = comparison_of([[1], [2]], classes=[found])
    data = class_table(made, "iou", 1)
    assert data["classes"] == ["c1", "c3", "c0", "c4", "c2"]  # the last has no difference
    assert [r[-1] for r in data["rows"]] == [f"ui.vs.word.{w}" for w in ("worse", "same", "same", "few", "none")]
    assert data["rows"][0][1:7] == [200, 0.5, 0.1, pytest.approx(-0.4), -0.5, -0.3]
    thin, thick, base, run = class_chart(made, "iou", 1)["data"]
    assert thick["y"] == ["c1", "c1", None]
    assert thin["y"] == ["c3", "c3", None, "c0", "c0", None, "c4", "c4", None]
    assert [p[0] for p in base["customdata"]] == [p[0] for p in run["customdata"]] == ["c1", "c3", "c0", "c4"]


def test_classes_without_intervals_have_no_columns_for_them() -> None:
    """Of tracking: nothing could be said in any row."""
    found = classes_of([[0.5, 0.6], [0.6, 0.1]], [NAN, NAN], [NAN, NAN])
    data = class_table(comparison_of([[1], [2]], classes=[found]), "iou", 1)
    assert len(data["columns"]) == 5
    assert data["rows"] == [["c1", 200, 0.6, 0.1, -0.5], ["c0", 100, 0.5, 0.6, pytest.approx(0.1)]]


def test_a_class_needs_six_samples_to_be_told_apart() -> None:
    found = classes_of([[0.5] * 4, [0.56, 0.55, 0.44, 0.56]], [0.01, 0.01, -0.2, -0.01], [0.2, 0.2, -0.01, 0.2])
    found = replace(found, support=np.full(4, 100))
    assert told(found, 1, 0).tolist() == [1, 0, -1, 0]  # five of a hundred may be chance; zero is within the last
    words = {row[0]: row[-1] for row in class_table(comparison_of([[1], [2]], classes=[found]), "iou", 1)["rows"]}
    assert words == {f"c{k}": f"ui.vs.word.{w}" for k, w in enumerate(("better", "thin", "worse", "same"))}


def test_of_many_classes_the_extremes_are_drawn() -> None:
    values = np.linspace(0, 1, 100)
    found = classes_of([np.full(100, 0.5), values], values - 0.6, values - 0.4)
    drawn = class_chart(comparison_of([[1], [2]], classes=[found]), "iou", 1)["data"][-1]["y"]
    assert drawn == [f"c{i}" for i in (*range(12), *range(88, 100))]


def test_the_spread_is_the_share_of_samples_up_to_a_score() -> None:
    made = comparison_of([[3, 1, 2, NAN], [1, 1, 1, 1]])
    first, second = curves(made, "spread")["data"]

    def numbers(packed: dict[str, str]) -> list[float]:
        return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()

    assert numbers(first["x"]) == [1, 2, 3]
    assert numbers(first["y"]) == pytest.approx([1 / 3, 2 / 3, 1])
    assert numbers(second["x"]) == [1, 1, 1, 1]
    exact = curves(comparison_of([[3, np.inf, 2, np.inf], [1, 1, 1, 1]]), "spread")["data"][0]
    assert numbers(exact["x"]) == [2, 3]
    assert numbers(exact["y"]) == pytest.approx([1 / 4, 2 / 4])  # half of them are made exactly


def test_a_picture_that_is_made_exactly_has_infinite_psnr() -> None:
    made = comparison_of([[30, np.inf, np.inf, 20], [np.inf, 25, np.inf, NAN]])
    said = answers_of(made, np.arange(4))["answers"]
    assert [[a["text"] for a in run] for run in said] == [
        ["PSNR 30.00 dB", "PSNR ∞", "PSNR ∞", "PSNR 20.00 dB"],
        ["PSNR ∞", "PSNR 25.00 dB", "PSNR ∞", "–"],
    ]
    assert chosen(made, Asked(1, "wins"))[0].tolist() == [0]
    assert chosen(made, Asked(1, "losses"))[0].tolist() == [1]
    cards = gallery_data(made, Asked(1, "wins"), lambda _: None)[0]["cards"]
    assert "badge" not in cards[0]  # infinitely better is no number


def test_eight_runs_can_be_told_apart() -> None:
    assert len({(figures.COLORS[k % 4], SYMBOLS[k]) for k in range(8)}) == 8
    assert len(set(SYMBOLS)) == len(set(DASHES)) == 8
    runs = [run_of("m", 0), run_of("m", 1), run_of("m", 2, dataset="other"), run_of("n", 0)]
    names = run_names(runs)
    assert len(set(names)) == 4
    assert names[3] == "n"
    assert names == ["m · made · 2026-01-01", "m · made · 2026-01-02", "m · other", "n"]


@pytest.mark.parametrize(
    ("differ", "names"),
    [
        ([{"samples": 597}, {"samples": 50}], ["m · 597", "m · 50"]),
        ([{"samples": 50_000}, {"samples": 50}], ["m · 50,000", "m · 50"]),
        ([{"dataset": "a", "samples": 5}, {"dataset": "b", "samples": 6}], ["m · a", "m · b"]),
        ([{}, {"title": "mine"}], ["m", "mine"]),
        ([{"created_at": "2026-01-01T10:20:30"}, {"created_at": "2026-01-01T10:21:30"}], ["m · 10:20", "m · 10:21"]),
        (
            [{"created_at": "2026-01-01T10:20:30"}, {"created_at": "2026-01-01T10:20:31"}],
            ["m · 10:20:30", "m · 10:20:31"],
        ),
        ([{"id": "x"}, {"id": "y"}], ["m · x", "m · y"]),
        ([{"samples": 5}, {"samples": 5, "id": "y"}, {"samples": 9}], ["m · 5 · m-0", "m · 5 · y", "m · 9"]),
    ],
)
def test_twins_are_told_apart_in_the_shortest_way(differ: list[dict[str, Any]], names: list[str]) -> None:
    assert run_names([run_of("m", **one) for one in differ]) == names


def test_the_pair_that_is_looked_at_comes_first() -> None:
    made = comparison_of([[1]] * 6, baseline=2, differences=[], figures=[figure_of([1] * 6)])
    assert pair_first(made, 5) == [2, 5, 0, 1]  # of enhancement four fit
    assert pair_first(replace(made, task="detection"), 5) == [2, 5, 0]
    assert pair_first(replace(made, task="classification"), 5) == [2, 5, 0, 1, 3, 4]


@pytest.mark.parametrize(
    ("task", "name", "wanted"),
    [
        ("classification", "top1", "top1"),
        ("detection", "map", "det_map"),
        ("instance-segmentation", "miou", "miou"),
        ("semantic-segmentation", "miou", "sem_miou"),
        ("tracking", "precision", "trk_precision"),
        ("tracking", "HOTA", "HOTA"),
        ("classification", "latency_ms", "latency"),
        ("tracking", "mota", "MOTA"),
        ("classification", "brand new", "brand new"),
    ],
)
def test_metrics_are_explained_under_their_tasks_name(task: str, name: str, wanted: str) -> None:
    assert entry(task, name) == wanted


def test_every_word_of_the_tab_is_there_in_both_languages() -> None:
    keys = [f"ui.vs.{part}.{g}" for part in ("group", "title") for g in GROUPS] + [
        f"ui.vs.title.{g}.class" for g in GROUPS
    ]
    keys += [f"ui.vs.word.{w}" for w in ("better", "worse", "same", "differs", "unknown", "few", "thin", "none")]
    keys += [
        f"ui.vs.head.{w}"
        for w in ("better", "worse", "differs", "unknown", *(f"same.{u}" for u in ("image", "sequence", "block")))
    ]
    for key in keys:
        english, chinese = STRINGS[key]
        assert english != chinese
        assert {p for p in ("{a}", "{b}", "{class}") if p in english} == {
            p for p in ("{a}", "{b}", "{class}") if p in chinese
        }
    for name in (
        "vs_difference",
        "vs_best",
        "vs_wins",
        "chart_vs_forest",
        "chart_vs_pareto",
        "test_mcnemar_exact",
        "test_sign",
    ):
        assert explain.entry(name, "en") is not None
