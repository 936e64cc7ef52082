"""What the views are given: the run's own numbers, and data from which the browser recomputes the rest."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard import explore
from dashboard.datasets.digits import Digits
from dashboard.engine import Engine
from dashboard.evaluation import Settings, evaluate
from dashboard.explore.overview import warnings
from dashboard.explore.thresholds import to_grid
from dashboard.figures import DRAW, draw, packed
from dashboard.predictions import class_scores
from dashboard.results import SHAPES, ClassTable, Curves, Distribution, Matrix, Scalars, Timeline
from dashboard.scoring import score
from dashboard.selection import select
from dashboard.store import Run
from models.load import load_model


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def runs(engine: Engine) -> list[Run]:
    names = ("digits_linear", "digits_cnn")
    return [evaluate(load_model(n), Digits(), engine.store, Settings(latency=False)) for n in names]


def unpack(data: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(data["bdata"]), data["dtype"])


def test_cards_hold_the_runs_numbers_and_star_the_best(runs: list[Run]) -> None:
    data = explore.figures_data(runs)
    card = next(f for f in data["figures"] if f["key"] == "top1")
    assert [c["value"] for c in card["cells"]] == [r.metrics["top1"] for r in runs]
    assert (card["cells"][0]["low"], card["cells"][0]["high"]) == runs[0].intervals["top1"]
    assert [c["best"] for c in card["cells"]] == [False, True]
    ece = next(f for f in data["figures"] if f["key"] == "ece")  # lower is better
    best = min(range(2), key=lambda k: runs[k].metrics["ece"] or 9)
    assert ece["cells"][best]["best"]
    shown = {f["key"] for f in data["figures"]} | set(explore.other_figures(runs))
    assert shown >= set(runs[0].metrics)  # nothing that was computed is hidden
    json.dumps(data, allow_nan=False)


def test_of_runs_over_fewer_pictures_none_is_the_best(engine: Engine, runs: list[Run]) -> None:
    few = evaluate(load_model("digits_linear"), Digits(), engine.store, Settings(latency=False, limit=50))
    data = explore.figures_data([runs[1], few])
    assert not any("best" in cell for card in data["figures"] for cell in card["cells"])
    told = next(w for w in data["warnings"] if w.get("key") == "ui.warn.parts")
    assert told["vars"] == {"n": "597, 50"}
    assert not any(w.get("key") == "ui.warn.parts" for w in explore.figures_data(runs)["warnings"])


def test_table_has_a_row_for_each_class_that_occurs(runs: list[Run]) -> None:
    data = explore.table_data(runs[0], selected=3)
    assert data["classes"] == list(range(10))
    assert data["selected"] == 3
    support = [row[1] for row in data["rows"]]
    assert support == np.bincount(Digits().targets).tolist()
    json.dumps(data, allow_nan=False)


def test_grid_is_exact_at_every_threshold() -> None:
    """score >= k/1000 if and only if its grid number >= k, also for scores that are thresholds themselves."""
    scores = np.concatenate([np.arange(1001) / 1000, np.nextafter(np.arange(1, 1001) / 1000, 0), [0.123456]])
    grid = to_grid(scores)
    for k in range(1001):
        assert ((scores >= k / 1000) == (grid >= k)).all()


def test_matrix_data_recomputes_the_matrix(runs: list[Run]) -> None:
    data = explore.matrix_data(runs[0], 8)
    labels, predicted = (np.frombuffer(base64.b64decode(data[k]), "<u2") for k in ("labels", "predicted"))
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, predicted), 1)
    matrix = runs[0].results()["confusion.confusion"]
    assert isinstance(matrix, Matrix)
    assert (counts == matrix.counts).all()
    one, scores, positive = data["one"], class_scores(runs[0].predictions_path, 8), Digits().targets == 8
    for k in (0, 250, 777, 1000):
        assert one["positives"][k] == (positive & (scores >= k / 1000)).sum()
        assert one["negatives"][k] == (~positive & (scores >= k / 1000)).sum()
    json.dumps(data, allow_nan=False)


def test_charts_are_valid_plotly(runs: list[Run]) -> None:
    assert explore.charts(runs) == ["roc", "pr", "reliability", "confidence"]
    for kind in explore.charts(runs):
        for label in (None, 8):
            figure = explore.chart(runs, kind, label)
            go.Figure(figure)  # validates every attribute
            json.dumps(figure, allow_nan=False)


@pytest.mark.parametrize("kind", ["roc", "pr"])
def test_marks_lie_where_their_threshold_puts_them(runs: list[Run], kind: str) -> None:
    figure = explore.chart(runs, kind, 8)
    marks = [t for t in figure["data"] if t["mode"] == "markers"]
    assert len(marks) == 4  # Youden and best F1, two runs
    scores, positive = class_scores(runs[0].predictions_path, 8), Digits().targets == 8
    for mark in marks[:2]:
        label, t, k = mark["customdata"][0]
        assert k == 0
        passed = scores >= t
        recall = (passed & positive).sum() / positive.sum()
        x = (passed & ~positive).sum() / (~positive).sum() if kind == "roc" else recall
        y = recall if kind == "roc" else (passed & positive).sum() / passed.sum()
        assert (mark["x"][0], mark["y"][0]) == pytest.approx((x, y))
        assert label == 8


def test_points_of_curves_and_bars_find_their_samples(runs: list[Run]) -> None:
    """The counts drawn equal the rows a click selects."""
    curve = next(t for t in explore.chart(runs, "roc", 8)["data"] if t.get("name", "").startswith("digits_linear"))
    x, y = unpack(curve["x"]), unpack(curve["y"])
    positive = int((Digits().targets == 8).sum())
    for i in range(1, len(x) - 1, 3):
        label, t, _ = curve["customdata"][i]
        rows = select(runs[0], {"kind": "score", "class": label, "threshold": t})
        assert (rows["label"] == 8).sum() / positive == pytest.approx(y[i], abs=1e-6)
        assert (rows["label"] != 8).sum() / (597 - positive) == pytest.approx(x[i], abs=1e-6)
    for trace in explore.chart(runs, "confidence")["data"]:
        for (low, high, group, _), n in zip(trace["customdata"], unpack(trace["y"]), strict=True):
            selection = {"kind": "confidence", "low": low, "high": high, "correct": group == "correct"}
            assert len(select(runs[0], selection)) == n, (low, high, group)
    reliability = explore.chart(runs, "reliability")["data"][1]
    for low, high, _, _, n in reliability["customdata"]:
        assert len(select(runs[0], {"kind": "confidence", "low": low, "high": high})) == n


def test_gallery_is_in_order_and_joined_by_id(runs: list[Run], engine: Engine) -> None:
    pictures = engine.pictures(runs[0])
    data, order = explore.gallery_data(runs, pictures, {"kind": "all"}, "cross_entropy", most=5)
    assert data["total"] == 597
    assert len(data["cards"]) == 5
    losses = [c["loss"] for c in data["cards"]]
    assert losses == sorted(losses, reverse=True)
    card = data["cards"][0]
    rows = [select(r).set_index("id").loc[card["id"]] for r in runs]
    assert [a["confidence"] for a in card["answers"]] == pytest.approx([r["confidence"] for r in rows])
    assert card["thumb"].startswith("data:image/jpeg;base64,")
    assert order[0] == card["index"]


def test_detail_shows_the_truth_even_outside_the_top(runs: list[Run], engine: Engine) -> None:
    index = int(select(runs[0], sort="cross_entropy")["index"].iloc[0])
    data = explore.detail_data(runs, engine.pictures(runs[0]), index, top=1)
    bars = data["models"][0]["top"]
    assert [b["truth"] for b in bars] == [False, True]
    assert {x["key"] for x in data["models"][0]["losses"]} == {"cross_entropy", "focal", "bce", "brier", "margin"}


def test_pictures_that_moved_leave_the_numbers(runs: list[Run]) -> None:
    data, _ = explore.gallery_data(runs, None, {"kind": "all"}, most=2)
    assert [c["thumb"] for c in data["cards"]] == [None, None]
    assert explore.detail_data(runs, None, 0)["image"] is None


def imbalanced(folder: Path, engine: Engine) -> Run:
    """27 cats, 3 dogs, answers without scores."""
    truth = [("cat", 27), ("dog", 3)]
    rows = [(f"{label}/{i}.png", label) for label, n in truth for i in range(n)]
    for name, header, body in (
        ("truth.csv", ("path", "label"), rows),
        ("answers.csv", ("id", "predicted"), [(path, "cat") for path, _ in rows]),
    ):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *body])
    from dashboard.datasets.opening import open_dataset

    dataset = open_dataset(folder / "truth.csv", labels_only=True)
    return score(dataset, folder / "answers.csv", engine.store)


def test_imbalance_is_a_visible_warning(engine: Engine, tmp_path: Path) -> None:
    run = imbalanced(tmp_path, engine)
    assert run.metrics["top1"] == pytest.approx(0.9)
    assert run.metrics["balanced_accuracy"] == pytest.approx(0.5)
    (warning,) = [w for w in warnings([run]) if w.get("key") == "ui.warn.imbalance"]
    assert warning["vars"] == {"big": "cat", "n": 27, "small": "dog", "m": 3, "share": "90%"}


def test_answers_without_scores_are_explored_too(engine: Engine, tmp_path: Path) -> None:
    """No curve, no threshold on a class, no loss that needs scores; all else as usual."""
    run = imbalanced(tmp_path, engine)
    assert explore.charts([run]) == []
    assert explore.matrix_data(run, 0)["one"] is None
    data, _ = explore.gallery_data([run], None, {"kind": "cell", "true": 1, "predicted": 0})
    assert data["total"] == 3
    detail = explore.detail_data([run], None, 0)
    assert detail["models"][0]["top"] == []
    json.dumps([explore.figures_data([run]), explore.table_data(run), detail], allow_nan=False)


EXAMPLES = {
    Scalars: Scalars({"a": 0.5, "b": np.nan}, {"a": (0.4, 0.6)}),
    ClassTable: ClassTable(["x", "y"], {"f1": np.array([0.5, np.nan]), "support": np.array([3, 0])}),
    Curves: Curves([np.array([0, 1.0])], [np.array([0, 1.0])], ["x"], [np.array([np.inf, 0])], diagonal=True),
    Matrix: Matrix(np.array([[3, 1], [0, 2]]), ["x", "y"], ["x", "y"]),
    Distribution: Distribution(np.array([0, 0.5, 1]), {"correct": np.array([1, 2])}, name="confidence"),
    Timeline: Timeline(np.arange(3), {"x": np.array([1.0, 2, 3])}, [(1, "switch", "a to b")]),
}


@pytest.mark.parametrize("shape", SHAPES.values())
def test_every_result_shape_can_be_drawn(shape: type) -> None:
    """A metric that only says what it found is charted all the same."""
    assert set(DRAW) == set(SHAPES.values())
    figure = draw(EXAMPLES[shape])
    go.Figure(figure)
    json.dumps(figure, allow_nan=False)


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0, 255], "u1"), ([0, 256], "u2"), ([0, 70000], "u4"), ([-1, 5], "i4"), ([0.5, 1], "f4"), ([], "f4")],
)
def test_arrays_are_packed_in_the_smallest_type(values: list[float], kind: str) -> None:
    data = packed(np.array(values))
    assert data["dtype"] == kind
    assert unpack(data).tolist() == pytest.approx(values)
