"""Comparing runs scored from files that have answers only: what needs scores is undefined, never guessed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dashboard import explore
from dashboard.comparing.compare import compare
from dashboard.explore.comparing import Asked, class_table, curve_kinds, decide_data, gallery_data
from dashboard.scoring import score
from dashboard.store import Run, Store
from tests.comparing_runs import run_of
from tests.fakes import FakeAdapter, FakeDataset

CLASSES = 8
ANSWERED = ("top1", "balanced_accuracy", "f1_macro", "mcc", "cohen_kappa", "precision_weighted", "specificity_macro")
SCORED = ("top5", "log_loss", "brier", "ece", "mce", "auroc_macro", "average_precision_macro")


def labelled(root: Path, data: FakeDataset, name: str, right: float, seed: int, sure: bool = False) -> Run:
    """A run from a file of one answer a picture, right in about this share."""
    rng = np.random.default_rng(seed)
    truth = np.asarray(data.targets)
    answers = np.where(rng.random(len(truth)) < right, truth, (truth + 1) % CLASSES)
    lines = ["id,predicted,score" if sure else "id,predicted"]
    for i, answer in zip(data.ids, answers, strict=True):
        lines.append(f"{i},{data.class_names[int(answer)]}" + (f",{rng.uniform(0.3, 0.9):.3f}" if sure else ""))
    file = root / f"{name}.csv"
    file.write_text("\n".join(lines))
    return score(data, file, Store(root / "store"))


@pytest.fixture
def data() -> FakeDataset:
    return FakeDataset(120, classes=CLASSES)


def test_two_files_of_labels(tmp_path, data):
    runs = [labelled(tmp_path, data, "a", 0.6, 0), labelled(tmp_path, data, "b", 0.9, 1)]
    found = compare(runs)
    names = [f.name for f in found.figures]
    assert set(ANSWERED) <= set(names)
    assert not set(SCORED) & set(names)  # the confidence of a label is not 1, but unknown
    for figure in found.figures:
        assert figure.values.tolist() == pytest.approx([r.metrics[figure.name] for r in runs])
    top = next(d for d in found.differences if d.metric == "top1")
    assert top.low > 0
    assert "McNemar" in top.method
    assert decide_data(found)["rows"][1][0]["diff"]["verdict"] == "better"
    assert curve_kinds(found) == []
    assert len(class_table(found, "recall", 1)["rows"]) == CLASSES
    cards = gallery_data(found, Asked(1, "only_run"), lambda _: None)[0]["cards"]
    assert cards
    for card in cards:
        assert [a["confidence"] for a in card["answers"]] == [None, None]
        assert [a["right"] for a in card["answers"]] == [True, False]


def test_the_pictures_of_a_run_of_labels_do_not_say_how_sure_it_was(tmp_path, data):
    for sure in (False, True):
        run = labelled(tmp_path, data, f"sure{sure}", 0.6, 0, sure)
        cards = explore.gallery_data([run], None, {"kind": "all"})[0]["cards"]
        known = [card["answers"][0]["confidence"] is not None for card in cards]
        assert known == [sure] * 24
    scored = run_of(tmp_path / "store", data, FakeAdapter(classes=CLASSES))
    cards = explore.gallery_data([scored], None, {"kind": "all"})[0]["cards"]
    assert all(card["answers"][0]["confidence"] > 0 for card in cards)


def test_labels_against_scores(tmp_path, data):
    """What only scores tell is there for the run that has them, without a difference."""
    runs = [
        run_of(tmp_path / "store", data, FakeAdapter(classes=CLASSES)),
        labelled(tmp_path, data, "labels", 0.5, 0),
    ]
    found = compare(runs)
    for name in SCORED:
        values = found.figure(name).values
        assert values[0] == pytest.approx(runs[0].metrics[name])
        assert math.isnan(values[1])
        gone = next(d for d in found.differences if d.metric == name)
        assert all(math.isnan(v) for v in (gone.value, gone.low, gone.high, gone.p))
    for name in ANSWERED:
        assert np.isfinite(found.figure(name).values).all()
    answers = gallery_data(found, Asked(1, "only_baseline"), lambda _: None)[0]["cards"][0]["answers"]
    assert answers[0]["confidence"] is None
    assert answers[1]["confidence"] > 0


def test_how_sure_a_file_says_to_be_is_shown(tmp_path, data):
    runs = [labelled(tmp_path, data, "a", 0.6, 0), labelled(tmp_path, data, "b", 0.9, 1, sure=True)]
    found = compare(runs)
    cards = gallery_data(found, Asked(1, "only_baseline"), lambda _: None)[0]["cards"]
    sure = [card["answers"][0]["confidence"] for card in cards]
    assert sure == sorted(sure, reverse=True)  # wrong with most confidence first
    assert 0.3 <= sure[-1] <= sure[0] <= 0.9
    assert [card["answers"][1]["confidence"] for card in cards] == [None] * len(cards)


def test_files_of_several_labels(tmp_path):
    data = FakeDataset(80, multilabel=True)
    runs = []
    for k, name in enumerate("ab"):
        rng = np.random.default_rng(k)
        lines = ["id,predicted"]
        for i, truth in zip(data.ids, data.targets, strict=True):
            kept = [data.class_names[c] for c in truth if rng.random() < (0.5, 0.95)[k]]
            lines.append(f"{i},{';'.join(kept)}")
        file = tmp_path / f"{name}.csv"
        file.write_text("\n".join(lines))
        runs.append(score(data, file, Store(tmp_path / "store")))  # type: ignore[arg-type]
    found = compare(runs)
    names = [f.name for f in found.figures]
    assert {"f1_samples", "subset_accuracy", "f1_macro", "hamming_loss"} <= set(names)
    assert not {"bce", "brier", "map", "auroc_macro"} & set(names)
    for figure in found.figures:
        if figure.name != "f1_weighted":  # not stored, but known
            assert figure.values.tolist() == pytest.approx([r.metrics[figure.name] for r in runs]), figure.name
    assert next(d for d in found.differences if d.metric == "f1_samples").low > 0
    scored = run_of(tmp_path / "store", data, FakeAdapter(multilabel=True))
    mixed = compare([scored, runs[1]])
    assert math.isnan(mixed.figure("bce").values[1])
    assert mixed.figure("bce").values[0] == pytest.approx(scored.metrics["bce"])
