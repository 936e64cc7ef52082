"""Tables for people: the app's names, differences with intervals and p, classes side by side, what is said below."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.comparing.shapes import Comparison
from dashboard.reporting import printed
from dashboard.reporting.printed import GAPS, for_people, latex, markdown, said_below, telling
from dashboard.reporting.tables import class_table_of, table_of, write_table
from tests.report_runs import classification, segmentation

NAN = math.nan


def frame_of(rows: list[tuple[Any, ...]], columns: list[str], **facts: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs = facts
    return frame


COMPARED = frame_of(
    [
        ("a", "f1_macro", 0.5, 0.4, 0.6, True, NAN, NAN, NAN, NAN),
        ("b", "f1_macro", 0.7, 0.6, 0.8, True, 0.2, 0.1, 0.35, 0.0004),
        ("a", "ece", 0.1, NAN, NAN, False, NAN, NAN, NAN, NAN),
        ("b", "ece", 0.05, NAN, NAN, False, -0.05, -0.1, 0.01, 0.0605),
        ("a", "support_x", 3, NAN, NAN, None, NAN, NAN, NAN, NAN),
        ("b", "support_x", 3, NAN, NAN, None, NAN, NAN, NAN, NAN),
    ],
    ["model", "metric", "value", "low", "high", "higher_is_better",
     "difference", "difference_low", "difference_high", "p_holm"],
    task="classification",
).astype({"higher_is_better": "boolean"})  # fmt: skip
COMPARED.attrs = {"task": "classification"}


@pytest.mark.parametrize(
    ("spread", "first", "second"),
    [
        ("interval", "+0.200 [+0.100, +0.350], p < 0.001", "−0.050 [−0.100, +0.010], p = 0.060"),
        ("plus_minus", "+0.200 ± 0.150, p < 0.001", "−0.050 ± 0.060, p = 0.060"),
        ("none", "+0.200, p < 0.001", "−0.050, p = 0.060"),
    ],
)
def test_differences_stand_beside_the_values(spread, first, second):
    heads, rows, wide = for_people(COMPARED, spread, "±", "−")
    assert heads == ["metric", "a", "b", "Δ b"]
    assert wide == 3
    assert [row[0][0] for row in rows] == ["Macro F1 ↑", "ECE ↓", "support_x"]
    assert [row[3][0] for row in rows] == [first, second, ""]
    assert [[bold for _, bold in row] for row in rows[:2]] == [[False, False, True, False]] * 2


def test_what_signs_mean_is_said_below():
    text = said_below(COMPARED, "interval", False)
    assert "Bold: the best value, whether or not it can be told apart." in text
    assert "Δ: difference to a on the same samples; p corrected by Holm." in text
    assert "Intervals: 95 %." in text
    assert "Intervals" not in said_below(COMPARED, "none", False)
    tex = said_below(COMPARED, "interval", True)
    assert all(line.startswith("% ") for line in tex.splitlines())
    assert "$\\Delta$ b" in latex(COMPARED)
    assert said_below(pd.DataFrame({"x": [1.0]}), "interval", False) == ""


def classes(count: int, **facts: str) -> pd.DataFrame:
    """Two models over some classes; the second is better the later the class."""
    columns = ["model", "class", "support", "f1", "youden_threshold", *(f"f1{end}" for end in GAPS)]
    rows: list[tuple[Any, ...]] = [("a", f"c{i}", 9, 0.5, 0.1, NAN, NAN, NAN) for i in range(count)]
    gaps = np.linspace(-0.4, 0.4, count)
    rows += [("b", f"c{i}", 9, 0.5 + g, 0.1, g, g - 0.05, g + 0.05) for i, g in enumerate(gaps)]
    return frame_of(rows, columns, task="classification", **facts)


def test_classes_stand_side_by_side_with_their_differences():
    frame = classes(3, baseline="a")
    assert markdown(frame).splitlines() == [
        "| class | Images | a, F1 | b, F1 | Δ b |",
        "| :-- | --: | --: | --: | --: |",
        "| c0 | 9 | 0.500 | 0.100 | −0.400 \\[−0.450, −0.350\\] |",
        "| c1 | 9 | 0.500 | 0.500 | +0.000 \\[−0.050, +0.050\\] |",
        "| c2 | 9 | 0.500 | 0.900 | +0.400 \\[+0.350, +0.450\\] |",
    ]
    assert "Δ: difference to a on the same samples." in said_below(frame, "interval", False)
    one = frame[frame["model"] == "a"].drop(columns=[f"f1{end}" for end in GAPS])
    assert markdown(one).splitlines()[0] == "| class | Images | F1 |"


def test_of_many_classes_those_that_lose_and_gain_most_are_shown(monkeypatch):
    monkeypatch.setattr(printed, "MOST_CLASSES", 4)
    frame = classes(9, baseline="a")
    assert [row[0][0] for row in for_people(frame, "none", "±", "−")[1]] == ["c0", "c1", "c7", "c8"]
    assert "5 more classes are in the CSV and Parquet tables." in said_below(frame, "none", False)
    alone = frame[frame["model"] == "b"].drop(columns=[f"f1{end}" for end in GAPS])
    assert [row[0][0] for row in for_people(alone, "none", "±", "−")[1]] == ["c0", "c1", "c2", "c3"], "the worst"


@pytest.mark.parametrize(
    ("task", "columns", "heads"),
    [
        ("detection", ["voc_ap_11", "precision", "support", "ap", "box_ap"],
         ["Objects", "AP", "Precision", "VOC AP, 11 points", "Box AP"]),
        ("semantic-segmentation", ["support", "iou", "iou_low", "iou_high", "dice"], ["Pixels", "IoU", "Dice"]),
        ("classification", ["support", "f1", "best_f1", "best_f1_threshold", "youden_threshold"], ["Images", "F1"]),
    ],
)  # fmt: skip
def test_metrics_of_one_models_classes_are_few_and_have_names(task, columns, heads):
    frame = frame_of([("a", "c", *range(len(columns)))], ["model", "class", *columns], task=task)
    assert for_people(frame, "none", "±", "−")[0][1:] == heads
    many = frame_of([("a", "c", *range(12))], ["model", "class", *(f"m{i}" for i in range(11)), "ap"], task=task)
    assert for_people(many, "none", "±", "−")[0] == ["class", "AP", *(f"m{i}" for i in range(7))]
    assert "Further metrics are in the CSV" in said_below(many, "interval", False)
    assert "Intervals" not in said_below(many, "interval", False)


def test_a_models_own_interval_is_not_the_differences(tmp_path: Path):
    from dashboard.comparing.compare import compare

    runs = [segmentation(tmp_path / name)[1][0] for name in "ab"]
    own, frame = class_table_of(runs), class_table_of(compare(runs))
    pd.testing.assert_frame_equal(frame[list(own.columns)], own)
    assert {"iou_low", "iou_difference", "iou_difference_low"} <= set(frame.columns)


def test_a_class_that_one_model_lacks_keeps_its_row():
    frame = classes(2, baseline="a")
    frame = frame[~((frame["model"] == "b") & (frame["class"] == "c1"))]
    assert markdown(frame).splitlines()[-1] == "| c1 | 9 | 0.500 | n/a |  |"


def test_of_a_comparison_the_differences_are_those_of_comparing(tmp_path: Path):
    from dashboard.comparing.compare import compare

    found: Comparison = compare(classification(tmp_path)[1], 1)
    frame = class_table_of(found)
    assert telling(frame) == "f1"
    c = next(c for c in found.classes if c.metric == "f1")
    first, second = (frame[frame["model"] == name] for name in dict.fromkeys(frame["model"]))
    assert second["f1_difference"].isna().all(), "the baseline has none"
    for row in first.to_dict("records"):
        k = list(c.classes).index(row["class"])
        want = (c.values[0, k] - c.values[1, k], c.low[0, k], c.high[0, k])
        np.testing.assert_array_equal([row["f1" + end] for end in GAPS], want)
    text = write_table(frame, tmp_path / "t.md").read_text("utf-8")
    assert "threshold" not in text
    assert "Δ model0" in text
    assert "Macro F1 $\\uparrow$" in write_table(table_of(found), tmp_path / "m.tex").read_text("utf-8")
