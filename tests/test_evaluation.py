"""The loop: order, skipped pictures, memory, cancelling, crashes, reuse. However it goes, the numbers are the same."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dashboard import evaluation, predictions
from dashboard.datasets.opening import open_dataset
from dashboard.engine import Engine
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Progress, Settings, evaluate
from dashboard.finishing import compute_metrics
from dashboard.inference import with_class_names
from dashboard.metrics import METRICS
from dashboard.predictions import batches
from dashboard.store import Store
from dashboard.types import Classification
from tests.fakes import FakeAdapter, FakeDataset

ROOT = Path(__file__).parents[1]
QUICK = Settings(latency=False, batch_size=8)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def many_parts(monkeypatch):
    """A part for every batch."""
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)


def stored(run):
    """Positions, ids, scores and targets of a run, joined."""
    index, found = zip(*batches(run.predictions_path), strict=True)
    ids = [i for batch in found for i in batch.ids]
    return (
        np.concatenate(index).tolist(),
        ids,
        np.concatenate([b.read() for b in found]),
        np.concatenate([b.targets for b in found]),
    )


def assert_same_numbers(a, b):
    """To the last bit: key figures, per-class numbers, stored scores."""
    assert a.metrics == b.metrics
    assert a.intervals == b.intervals
    assert a.samples == b.samples
    for one, two in zip(stored(a), stored(b), strict=True):
        np.testing.assert_array_equal(one, two)
    rows = [pq.read_table(r.rows_path) for r in (a, b)]
    assert rows[0].equals(rows[1])


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


def test_skipped_pictures_after_resuming(store, many_parts):
    """They are tried again, and listed once."""
    plain = evaluate(FakeAdapter(), FakeDataset(60, unreadable={3, 40}), Store(store.root / "plain"), QUICK)
    cancel, adapter = threading.Event(), FakeAdapter()
    adapter.cancel_after = (4, cancel)
    with pytest.raises(Cancelled):
        evaluate(adapter, FakeDataset(60, unreadable={3, 40}), store, QUICK, cancel=cancel)
    run = evaluate(FakeAdapter(), FakeDataset(60, unreadable={3, 40}), store, QUICK)
    assert [s["id"] for s in run.facts["skipped"]] == ["folder/00003.png", "folder/00040.png"]
    assert_same_numbers(run, plain)


def test_a_picture_that_became_readable_takes_its_place(store, many_parts):
    cancel, adapter = threading.Event(), FakeAdapter()
    adapter.cancel_after = (4, cancel)
    with pytest.raises(Cancelled):
        evaluate(adapter, FakeDataset(60, unreadable={3}), store, QUICK, cancel=cancel)
    run = evaluate(FakeAdapter(), FakeDataset(60), store, QUICK)
    assert stored(run)[0] == list(range(60))


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


# --- cancel and resume ---------------------------------------------------------------------------------------------


def test_cancel_keeps_the_work_and_resume_gives_the_same_numbers(store, many_parts):
    plain = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "plain"), QUICK)
    cancel, first, second, seen = threading.Event(), FakeAdapter(), FakeAdapter(), []
    first.cancel_after = (5, cancel)
    with pytest.raises(Cancelled, match="Stopped after 32 of 100"):
        evaluate(first, FakeDataset(100), store, QUICK, cancel=cancel)
    assert store.runs() == []
    run = evaluate(second, FakeDataset(100), store, QUICK, progress=seen.append)
    assert first.seen[1:] + second.seen[1:] == list(range(100)), "no sample twice (but for each warm-up's)"
    assert seen[0].done == 32
    assert seen[0].resumed == 32
    assert_same_numbers(run, plain)
    assert sorted(p.name for p in run.path.iterdir()) == [
        "classes.json", "predictions.parquet", "results.npz", "rows.parquet", "run.json",
    ]  # fmt: skip
    assert run.timing["throughput_per_s"] == pytest.approx(100 / run.timing["wall_s"])


def test_cancelled_before_it_began(store):
    cancel, adapter = threading.Event(), FakeAdapter()
    cancel.set()
    with pytest.raises(Cancelled):
        evaluate(adapter, FakeDataset(100), store, QUICK, cancel=cancel)
    assert adapter.batches == []


def test_a_failure_in_the_middle_keeps_the_work(store):
    class Failing(FakeAdapter):
        def forward(self, items):
            if 40 in items and len(items) > 1:
                raise RuntimeError("the network broke")
            return super().forward(items)

    with pytest.raises(RuntimeError, match="broke"):
        evaluate(Failing(), FakeDataset(100), store, QUICK)
    second = FakeAdapter()
    run = evaluate(second, FakeDataset(100), store, QUICK)
    assert second.seen[1:] == list(range(40, 100))
    assert run.samples == 100


def test_a_part_that_cannot_be_read_is_predicted_again(store, many_parts):
    plain = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "plain"), QUICK)
    cancel, first, second = threading.Event(), FakeAdapter(), FakeAdapter()
    first.cancel_after = (6, cancel)
    with pytest.raises(Cancelled):
        evaluate(first, FakeDataset(100), store, QUICK, cancel=cancel)
    parts = sorted((store.root / "unfinished").glob("*/part-*.parquet"))
    assert len(parts) == 5
    parts[2].write_bytes(parts[2].read_bytes()[:100])
    run = evaluate(second, FakeDataset(100), store, QUICK)
    assert second.seen[1:] == list(range(16, 100))
    assert_same_numbers(run, plain)


def test_row_groups_do_not_depend_on_time(store, monkeypatch):
    """So that sums, taken a group at a time, are equal to the last bit after any interruption."""
    monkeypatch.setattr(predictions, "BLOCK_BYTES", 13 * 5 * 4)
    one = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "one"), QUICK)
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)
    two = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "two"), QUICK)
    assert_same_numbers(one, two)
    groups = [pq.ParquetFile(r.predictions_path).num_row_groups for r in (one, two)]
    assert groups == [8, 8]


def test_restart_forgets(store, many_parts):
    cancel, first, second, third = threading.Event(), FakeAdapter(), FakeAdapter(), FakeAdapter()
    first.cancel_after = (5, cancel)
    with pytest.raises(Cancelled):
        evaluate(first, FakeDataset(100), store, QUICK, cancel=cancel)
    run = evaluate(second, FakeDataset(100), store, replace(QUICK, restart=True))
    assert second.seen[1:] == list(range(100))
    again = evaluate(third, FakeDataset(100), store, replace(QUICK, restart=True))
    assert third.seen[1:] == list(range(100))
    assert again.id == run.id
    assert again.created_at > run.created_at
    assert [r.id for r in store.runs()] == [run.id]
    assert_same_numbers(again, run)


# --- reuse ---------------------------------------------------------------------------------------------------------


def test_second_time_the_model_is_not_asked(store):
    run = evaluate(FakeAdapter(), FakeDataset(50), store, QUICK)
    adapter, dataset, seen = FakeAdapter(), FakeDataset(50), []
    again = evaluate(adapter, dataset, store, replace(QUICK, batch_size=32, seed=7), progress=seen.append)
    assert adapter.batches == []
    assert dataset.loaded == []
    assert again == run
    assert [p.stage for p in seen] == ["done"]


def test_finished_by_somebody_else_meanwhile(store, monkeypatch):
    """Between the look and the lock another process may finish the same run."""
    run = evaluate(FakeAdapter(), FakeDataset(50), store, QUICK)
    answers = iter([False, True])
    monkeypatch.setattr(Store, "has", lambda *_: next(answers, True))
    adapter = FakeAdapter()
    assert evaluate(adapter, FakeDataset(50), store, QUICK) == run
    assert adapter.batches == []


@pytest.mark.parametrize(
    ("adapter", "dataset", "settings"),
    [
        (FakeAdapter(fingerprint="model-2"), FakeDataset(50), QUICK),
        (FakeAdapter(), FakeDataset(50, fingerprint="data-2"), QUICK),
        (FakeAdapter(), FakeDataset(50), replace(QUICK, limit=49)),
        (FakeAdapter(class_names=[f"class {i}" for i in (1, 0, 2, 3, 4)]), FakeDataset(50), QUICK),
        (FakeAdapter(), FakeDataset(50), replace(QUICK, mapping={"class 0": "class 1", "class 1": "class 0"})),
        (FakeAdapter(name="other"), FakeDataset(50), QUICK),
    ],
)
def test_what_changes_predictions_makes_a_new_run(store, adapter, dataset, settings):
    run = evaluate(FakeAdapter(), FakeDataset(50), store, QUICK)
    assert evaluate(adapter, dataset, store, settings).id != run.id
    assert len(store.runs()) == 2


def test_limit(store):
    adapter = FakeAdapter()
    run = evaluate(adapter, FakeDataset(50), store, replace(QUICK, limit=20))
    assert adapter.seen[1:] == list(range(20))
    assert run.samples == 20
    whole = evaluate(FakeAdapter(), FakeDataset(50), store, QUICK)
    assert evaluate(FakeAdapter(), FakeDataset(50), store, replace(QUICK, limit=50)).id == whole.id
    assert evaluate(FakeAdapter(), FakeDataset(50), store, replace(QUICK, limit=999)).id == whole.id


# --- disk ----------------------------------------------------------------------------------------------------------


def test_disk_full_in_the_middle(store, many_parts, monkeypatch):
    plain = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "plain"), QUICK)
    write, counter = pq.write_table, itertools.count()

    def full(table, path, **options):
        if next(counter) >= 3:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(table, path, **options)

    monkeypatch.setattr(predictions.pq, "write_table", full)
    with pytest.raises(InputError, match=r"disk under .* is full: .*parts are kept"):
        evaluate(FakeAdapter(), FakeDataset(100), store, QUICK)
    monkeypatch.undo()
    (folder,) = (store.root / "unfinished").iterdir()
    assert sorted(p.name for p in folder.iterdir()) == [f"part-{i:06d}.parquet" for i in range(3)]
    second = FakeAdapter()
    run = evaluate(second, FakeDataset(100), store, QUICK)
    assert second.seen[1:] == list(range(24, 100))
    assert_same_numbers(run, plain)


@pytest.mark.parametrize("where", ["predictions", "rows", "results"])
def test_disk_full_at_the_end(store, monkeypatch, where):
    plain = evaluate(FakeAdapter(), FakeDataset(100), Store(store.root / "plain"), QUICK)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "results":
        monkeypatch.setattr(np, "savez_compressed", full)
    else:
        calls, write = itertools.count(), pq.ParquetWriter.write_table
        first = {"predictions": 1, "rows": 2}[where]  # before them comes the part
        monkeypatch.setattr(
            pq.ParquetWriter, "write_table", lambda *a, **k: full() if next(calls) >= first else write(*a, **k)
        )
    with pytest.raises(InputError, match="full"):
        evaluate(FakeAdapter(), FakeDataset(100), store, QUICK)
    monkeypatch.undo()
    assert store.runs() == []
    (folder,) = (store.root / "unfinished").iterdir()
    assert {p.name.partition("-")[0] for p in folder.iterdir()} == {"part"}
    second = FakeAdapter()
    run = evaluate(second, FakeDataset(100), store, QUICK)
    assert second.seen == [], "everything had been predicted"
    assert_same_numbers(run, plain)


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
    assert {"preprocess", "forward", "postprocess"} == run.timing["stages_ms"].keys()
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


# --- a real crash --------------------------------------------------------------------------------------------------

SLOW = """
import sys
from dashboard import evaluation
from dashboard.evaluation import Settings, evaluate
from dashboard.store import Store
from tests.fakes import FakeAdapter, FakeDataset
evaluation.PART_SECONDS = 0.05
adapter = FakeAdapter(classes=20, delay=float(sys.argv[2]))
run = evaluate(adapter, FakeDataset(1000, classes=20, unreadable={5, 500}), Store(sys.argv[1]),
               Settings(latency=False, batch_size=8))
print(len(adapter.seen) - 1)
"""


def test_kill_9_and_resume(tmp_path):
    """The process is killed by the operating system in mid-run, twice; the numbers are those of an undisturbed run."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def start(store, delay):
        return subprocess.Popen(
            [sys.executable, "-c", SLOW, str(store), str(delay)], env=environment, stdout=subprocess.PIPE, text=True
        )

    def parts():
        return list((tmp_path / "killed" / "unfinished").glob("*/part-*.parquet"))

    def kill_after(more):
        had, process = len(parts()), start(tmp_path / "killed", 0.05)
        end = time.monotonic() + 60
        while len(parts()) < had + more and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        assert process.poll() is None, "it should still run"
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()

    kill_after(3)
    kill_after(4)
    done = sum(pq.read_metadata(p).num_rows for p in parts())
    assert 0 < done < 998
    with start(tmp_path / "killed", 0) as last:
        asked = int(last.stdout.read())
    assert last.returncode == 0
    assert asked == 998 - done, "no sample twice"
    with start(tmp_path / "plain", 0) as plain:
        assert int(plain.stdout.read()) == 998
    (one,), (two,) = Store(tmp_path / "killed").runs(), Store(tmp_path / "plain").runs()
    assert_same_numbers(one, two)
    assert one.samples == 998
    assert list((tmp_path / "killed" / "unfinished").iterdir()) == []
