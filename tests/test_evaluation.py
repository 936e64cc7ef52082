"""The loop: order, skipped pictures, memory, cancelling, crashes, reuse. However it goes, the numbers are the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dashboard import evaluation
from dashboard.datasets.opening import open_dataset
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Progress, Settings, evaluate
from dashboard.finishing import compute_metrics
from dashboard.inference import with_class_names
from dashboard.metrics import METRICS
from dashboard.store import Store
from dashboard.types import Classification
from tests.fakes import FakeAdapter, FakeDataset
from tests.runs import assert_same_numbers, stored

ROOT = Path(__file__).parents[1]
QUICK = Settings(latency=False, batch_size=8)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def many_parts(monkeypatch):
    """A part for every batch."""
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)


# --- order and shape ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_order_is_kept_whatever_the_threads(store, workers):
    adapter, dataset = FakeAdapter(decode_delay=0.001), FakeDataset(100)
    run = evaluate(adapter, dataset, store, replace(QUICK, workers=workers))
    index, ids, scores, targets = stored(run)
    assert index == list(range(100))
    assert ids == dataset.ids
    assert targets.tolist() == dataset.targets.tolist()
    expected = np.stack([p.scores for p in adapter.postprocess(np.arange(100))])
    np.testing.assert_array_equal(scores, expected)
    assert [len(b) for b in adapter.batches] == [1] + [8] * 12 + [4], "a warm-up, whole batches, the rest"
    assert adapter.seen[1:] == list(range(100))


def test_dataset_classes_in_the_models_order(store):
    adapter = FakeAdapter(class_names=["c", "b", "a", "z"])
    dataset = FakeDataset(30, class_names=["a", "b", "c"])
    run = evaluate(adapter, dataset, store, QUICK)
    assert stored(run)[3].tolist() == [[2, 1, 0][k] for k in dataset.targets]
    assert run.classes == ["c", "b", "a", "z"]
    assert run.facts["used_classes"] == [0, 1, 2]
    assert run.facts["classes_matched_by"] == "names"


def test_mapping(store):
    adapter = FakeAdapter(class_names=["cat", "dog"])
    dataset = FakeDataset(30, class_names=["Katze", "Hund"])
    with pytest.raises(InputError, match="Katze"):
        evaluate(adapter, dataset, store, QUICK)
    run = evaluate(adapter, dataset, store, replace(QUICK, mapping={"Katze": "cat", "Hund": "dog"}))
    assert stored(run)[3].tolist() == dataset.targets.tolist()
    assert run.facts["classes_matched_by"] == "mapping file"


def test_other_names_for_the_outputs(store):
    adapter = FakeAdapter(class_names=["0", "1"])
    dataset = FakeDataset(30, class_names=["Katze", "Hund"])
    renamed = with_class_names(adapter, ["Hund", "Katze"])
    assert stored(evaluate(renamed, dataset, store, QUICK))[3].tolist() == [1 - k for k in dataset.targets]
    assert adapter.spec.class_names == ("0", "1")
    with pytest.raises(InputError, match="2 outputs, but --classes names 3"):
        with_class_names(adapter, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("adapter", "dataset", "settings", "words"),
    [
        (FakeAdapter(class_names=["x", "y"]), FakeDataset(9), QUICK, "not among"),
        (FakeAdapter(task="detection"), FakeDataset(9), QUICK, "does detection"),
        (FakeAdapter(), FakeDataset(9), replace(QUICK, limit=0), "--limit must be at least 1"),
        (FakeAdapter(), FakeDataset(9), replace(QUICK, batch_size=-1), "--batch-size must be at least 1"),
        (FakeAdapter(), FakeDataset(9), replace(QUICK, workers=0), "--workers must be at least 1"),
        (FakeAdapter(), FakeDataset(9), replace(QUICK, mapping={"clas 0": "class 1"}), "Did you mean 'class 0'"),
    ],
)
def test_mismatches_are_found_before_inference(store, adapter, dataset, settings, words):
    with pytest.raises(InputError, match=words):
        evaluate(adapter, dataset, store, settings)
    assert adapter.batches == []
    assert dataset.loaded == []
    assert not store.root.exists()


@pytest.mark.parametrize("multilabel", [False, True])
def test_sigmoid_and_softmax_are_not_mixed_up(store, multilabel):
    adapter, dataset = FakeAdapter(multilabel=not multilabel), FakeDataset(20, multilabel=multilabel)
    with pytest.raises(InputError, match="activation=" + ("sigmoid" if multilabel else "softmax")):
        evaluate(adapter, dataset, store, QUICK)
    assert len(adapter.seen) == 1, "only the warm-up"
    assert store.runs() == []


class Odd(FakeAdapter):
    """Answers that are not what was asked for."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers

    def postprocess(self, outputs):
        return self.answers(len(outputs))


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (lambda n: [Classification(np.full(5, np.nan))] * n, "finite probabilities"),
        (lambda n: [Classification(np.full(5, 3.0))] * n, "finite probabilities"),
        (lambda n: [Classification(np.full(5, 0.5))] * n, "sum to 1"),
        (lambda n: [Classification(np.full(4, 0.25))] * n, "4 scores for its 5 class names"),
        (lambda n: [Classification(np.full(5, 0.2))] * (n + 1), "answers to 1 pictures"),
    ],
)
def test_answers_that_do_not_fit(store, answers, words):
    with pytest.raises(InputError, match=words):
        evaluate(Odd(answers), FakeDataset(20), store, QUICK)
    assert store.runs() == []
    assert list((store.root / "unfinished").iterdir()) == []


@pytest.mark.parametrize(("dtype", "kept"), [("float32", "float32"), ("float64", "float64"), ("float16", "float32")])
def test_precision_of_scores(store, dtype, kept):
    class Exact(FakeAdapter):
        def postprocess(self, outputs):
            return [Classification(np.array([0.5, 0.25, 0.125, 0.125, 0], dtype)) for _ in outputs]

    scores = stored(evaluate(Exact(), FakeDataset(20), store, QUICK))[2]
    assert scores.dtype == kept
    assert scores[7].tolist() == [0.5, 0.25, 0.125, 0.125, 0]


# --- pictures that cannot be read ----------------------------------------------------------------------------------


def test_unreadable_pictures_are_skipped_counted_and_listed(store):
    bad = {0, 3, 8, 9, 41, 99}
    adapter, dataset, seen = FakeAdapter(), FakeDataset(100, unreadable=bad), []
    run = evaluate(adapter, dataset, store, QUICK, progress=seen.append)
    assert run.samples == 94
    assert run.facts["skipped"] == [
        {"id": dataset.ids[i], "reason": f"{dataset.ids[i]} is not a picture"} for i in sorted(bad)
    ]
    assert stored(run)[0] == [i for i in range(100) if i not in bad]
    assert seen[-1].skipped == 6
    assert max(p.done for p in seen) == 94


def test_all_unreadable(store):
    with pytest.raises(InputError, match=r"20 of 20 pictures of numbers cannot be read: folder/00000\.png"):
        evaluate(FakeAdapter(), FakeDataset(20, unreadable=range(20)), store, QUICK)
    assert store.runs() == []
    assert list((store.root / "unfinished").iterdir()) == []


@pytest.mark.parametrize(("count", "fails"), [(10, False), (11, True)])
def test_more_than_half_unreadable(store, count, fails):
    dataset = FakeDataset(20, unreadable=range(count))
    if fails:
        with pytest.raises(InputError, match="11 of 20"):
            evaluate(FakeAdapter(), dataset, store, QUICK)
    else:
        assert evaluate(FakeAdapter(), dataset, store, QUICK).samples == 10


# --- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [1, 3, 8])
def test_out_of_memory_halves_the_batch(store, room):
    plain = evaluate(FakeAdapter(), FakeDataset(50), Store(store.root / "plain"), QUICK)
    adapter = FakeAdapter(room=room)
    run = evaluate(adapter, FakeDataset(50), store, replace(QUICK, batch_size=16))
    size = {1: 1, 3: 2, 8: 8}[room]
    assert max(len(b) for b in adapter.batches) == size
    assert adapter.seen[1:] == list(range(50)), "none twice"
    assert run.facts["notes"] == {"batch size after running out of memory": size}
    assert run.facts["settings"]["batch_size"] == size
    assert_same_numbers(run, plain)


def test_no_room_for_one(store):
    with pytest.raises(InputError, match="even with one picture a batch"):
        evaluate(FakeAdapter(room=0), FakeDataset(50), store, QUICK)


# --- a part of the data --------------------------------------------------------------------------------------------


def test_limit(store):
    adapter = FakeAdapter()
    run = evaluate(adapter, FakeDataset(50), store, replace(QUICK, limit=20))
    assert adapter.seen[1:] == list(range(20))
    assert run.samples == 20
    whole = evaluate(FakeAdapter(), FakeDataset(50), store, QUICK)
    assert evaluate(FakeAdapter(), FakeDataset(50), store, replace(QUICK, limit=50)).id == whole.id
    assert evaluate(FakeAdapter(), FakeDataset(50), store, replace(QUICK, limit=999)).id == whole.id


# --- what is recorded ----------------------------------------------------------------------------------------------


def test_facts_timing_and_strict_json(store):
    run = evaluate(FakeAdapter(), FakeDataset(50), store, Settings(batch_size=8, seed=3))
    facts = json.loads((run.path / "run.json").read_text(), parse_constant=pytest.fail)
    assert facts["facts"]["settings"] == {"batch_size": 8, "limit": None, "seed": 3}
    assert facts["facts"]["multilabel"] is False
    assert facts["facts"]["model_facts"]["fingerprint"] == "model-1"
    assert facts["facts"]["dataset_facts"]["fingerprint"] == "data-1"
    assert {"wall_s", "model_s", "pipeline_efficiency", "throughput_per_s", "latency_ms"} <= run.timing.keys()
    assert {"p50", "p90", "p99"} == run.timing["latency_ms"].keys()
    assert {"preprocess", "forward", "postprocess", "decode"} == run.timing["stages_ms"].keys()
    assert 0 < run.timing["pipeline_efficiency"] <= 1
    assert run.environment["device"] == "cpu"
    assert run.timing["pipeline_efficiency"] == run.timing["model_s"] / run.timing["wall_s"]


def test_time_in_the_model_is_what_is_counted(store):
    adapter = FakeAdapter(delay=0.02)
    run = evaluate(adapter, FakeDataset(64), store, QUICK)
    assert run.timing["model_s"] >= 8 * 0.02
    assert run.timing["wall_s"] >= run.timing["model_s"]


def test_progress(store, monkeypatch):
    seen: list[Progress] = []
    evaluate(FakeAdapter(delay=0.07), FakeDataset(80), store, QUICK, progress=seen.append)
    running = [p for p in seen if p.stage == "running"]
    assert [p.done for p in running] == sorted(p.done for p in running)
    assert {p.total for p in seen} == {80}
    assert running[0].done == 0
    assert running[-1].done == 80
    middle = running[len(running) // 2]
    assert middle.rate > 0
    assert middle.seconds_left is not None
    assert set(middle.live) == {"top1", "top5"}
    assert seen[-1].stage == "scoring"


@pytest.mark.parametrize(("size", "classes"), [(1, 5), (1, 1), (40, 1), (40, 2), (2, 5)])
def test_edge_runs_have_every_metric_as_number_or_null(store, size, classes):
    run = evaluate(FakeAdapter(classes=classes), FakeDataset(size, classes=classes), store, QUICK)
    text = (run.path / "run.json").read_text()
    metrics = json.loads(text, parse_constant=pytest.fail)["metrics"]
    names = {
        *("top1", "top5", "balanced_accuracy", "specificity_macro", "auroc_macro", "average_precision_macro"),
        *("log_loss", "brier", "ece", "mcc", "cohen_kappa"),
        *(f"{m}_{a}" for m in ("precision", "recall", "f1") for a in ("macro", "micro", "weighted")),
    }
    assert names <= metrics.keys()
    assert all(v is None or np.isfinite(v) for v in metrics.values())
    if classes == 1 or size == 1:
        assert metrics["auroc_macro"] is None, "no negatives: undefined, not 0"
    assert metrics["top1"] is not None


def test_multilabel_run(store):
    run = evaluate(FakeAdapter(multilabel=True), FakeDataset(60, multilabel=True), store, QUICK)
    assert run.facts["multilabel"] is True
    truth = FakeDataset(60, multilabel=True).targets
    assert [tuple(np.flatnonzero(r)) for r in stored(run)[3]] == list(truth)
    assert {"map", "f1_macro", "hamming_loss", "subset_accuracy", "bce"} <= run.metrics.keys()
    table = pq.read_table(run.rows_path)
    assert [tuple(v) for v in table.column("labels").to_pylist()] == list(truth)


def test_multilabel_csv_from_disk(store, tmp_path):
    """Several labels a picture, through the real reader."""
    folder = tmp_path / "photos"
    folder.mkdir()
    lines = ["path,label"]
    for i in range(12):
        Image.fromarray(np.full((4, 4, 3), i, np.uint8)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{'red;round' if i % 3 == 0 else 'red' if i % 3 == 1 else 'round'}")
    (folder / "labels.csv").write_text("\n".join(lines))
    dataset = open_dataset(folder / "labels.csv")
    adapter = FakeAdapter(multilabel=True, class_names=["round", "blue", "red"])
    run = evaluate(adapter, dataset, store, QUICK)
    targets = stored(run)[3]
    assert targets.shape == (12, 3)
    assert targets[:3].tolist() == [[True, False, True], [False, False, True], [True, False, False]]


def test_metrics_can_be_computed_again_without_the_model(store):
    run = evaluate(FakeAdapter(), FakeDataset(60), store, QUICK)
    results, samples = compute_metrics(run.predictions_path, run.classes, run.task, False)
    assert samples == 60
    assert results.keys() == run.results().keys()
    assert {n.partition(".")[0] for n in results} == set(METRICS.names(task="classification", multilabel=False))


def test_built_in_models_on_built_in_data(store):
    engine = Engine(store.root)
    for name, low in (("digits_linear", 0.9), ("digits_cnn", 0.95)):
        run = evaluate(engine.model(name), engine.dataset("demo:digits"), store, Settings(latency=False))
        assert run.samples == 597
        assert low < run.metrics["top1"] < 1
        assert engine.pictures(run) is not None
