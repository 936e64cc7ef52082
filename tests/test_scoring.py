"""Predictions made elsewhere: the same numbers as if the model had run here, and one sentence for what is wrong."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk

from dashboard import scoring
from dashboard.cli import main
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.metrics.batch import ClassificationBatch
from dashboard.scoring import label_results, score
from dashboard.store import Store
from tests.fakes import FakeAdapter, FakeDataset
from tests.test_evaluation import stored

QUICK = Settings(latency=False)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def made(tmp_path):
    """A run by a model, to compare with."""
    return evaluate(FakeAdapter(), FakeDataset(60), Store(tmp_path / "made"), QUICK)


def frame_of(run):
    _, ids, scores, targets = stored(run)
    return pd.DataFrame({"id": ids, "label": targets, **{f"score_{k}": scores[:, k] for k in range(scores.shape[1])}})


def write(frame, path):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False, float_format="%.9g")  # nine digits bring every float32 back
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        names = [c for c in frame if c.startswith("score_")]
        np.savez(path, ids=frame["id"].to_numpy(str), scores=frame[names].to_numpy(np.float32))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_equals_what_evaluate_stored(store, made, tmp_path, suffix, shuffled):
    frame = frame_of(made)
    if shuffled:
        frame = frame.sample(frac=1, random_state=0)
    run = score(FakeDataset(60), write(frame, tmp_path / f"p{suffix}"), store)
    assert run.metrics.keys() == made.metrics.keys()
    for name, value in made.metrics.items():
        assert run.metrics[name] == (value if value is None else pytest.approx(value, abs=1e-6)), name
    (index, ids, scores, targets), (index2, ids2, scores2, targets2) = stored(run), stored(made)
    assert (index, ids, targets.tolist()) == (index2, ids2, targets2.tolist())
    np.testing.assert_array_equal(scores.astype(np.float32), scores2)
    if suffix != ".csv":  # there, text becomes float64
        assert run.metrics == made.metrics
        assert scores.dtype == np.float32
    assert run.results().keys() == made.results().keys()
    assert run.model == "p"
    assert run.timing == {}
    assert run.facts["has_scores"] is True


def test_many_blocks(store, made, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK_BYTES", 7 * 20)
    run = score(FakeDataset(60), write(frame_of(made), tmp_path / "p.parquet"), store)
    assert run.metrics == made.metrics


def test_scored_once(store, made, tmp_path, monkeypatch):
    path = write(frame_of(made), tmp_path / "p.csv")
    run = score(FakeDataset(60), path, store)
    monkeypatch.setattr(scoring, "finish", pytest.fail)
    assert score(FakeDataset(60), path, store) == run
    assert len(store.runs()) == 1


def test_a_changed_file_is_scored_anew(store, made, tmp_path):
    frame = frame_of(made)
    first = score(FakeDataset(60), write(frame, tmp_path / "p.csv"), store)
    frame[["score_0", "score_1"]] = frame[["score_1", "score_0"]].to_numpy()
    assert score(FakeDataset(60), write(frame, tmp_path / "p.csv"), store).id != first.id


def test_limit(store, made, tmp_path):
    path = write(frame_of(made).iloc[::-1], tmp_path / "p.csv")
    run = score(FakeDataset(60), path, store, limit=20)
    assert stored(run)[0] == list(range(20))
    for limit in (0, -1):
        with pytest.raises(InputError, match="--limit must be at least 1"):
            score(FakeDataset(60), path, store, limit=limit)


def test_classes_give_the_order_of_columns(store, made, tmp_path):
    frame = frame_of(made).drop(columns="label")
    turned = frame.rename(columns={f"score_{k}": f"score_{4 - k}" for k in range(5)})
    turned = turned[["id", *(f"score_{k}" for k in range(5))]]
    (tmp_path / "names.txt").write_text("\n".join(f"class {4 - k}" for k in range(5)))
    path = write(turned, tmp_path / "p.parquet")
    run = score(FakeDataset(60), path, store, classes=str(tmp_path / "names.txt"))
    assert run.metrics["top1"] == made.metrics["top1"]
    assert run.classes == [f"class {4 - k}" for k in range(5)]
    plain = score(FakeDataset(60), path, store)
    assert plain.id != run.id
    assert plain.metrics["top1"] != run.metrics["top1"]


def test_logits(store, made, tmp_path):
    frame = frame_of(made)
    names = [f"score_{k}" for k in range(5)]
    frame[names] = np.log(frame[names]) + 3
    path = write(frame, tmp_path / "p.parquet")
    with pytest.raises(InputError, match="--set activation=softmax"):
        score(FakeDataset(60), path, store)
    run = score(FakeDataset(60), path, store, settings={"activation": "softmax"})
    assert run.metrics["top1"] == made.metrics["top1"]
    assert run.metrics["log_loss"] == pytest.approx(made.metrics["log_loss"], abs=1e-5)


def test_partial(store, made, tmp_path):
    path = write(frame_of(made).iloc[10:30], tmp_path / "p.csv")
    with pytest.raises(InputError, match=r"p\.csv"):
        score(FakeDataset(60), path, store)
    run = score(FakeDataset(60), path, store, settings={"partial": "true"})
    assert run.samples == 20
    assert stored(run)[0] == list(range(10, 30))


@pytest.mark.parametrize("by", ["name", "number"])
def test_predicted_labels_only(store, made, tmp_path, by):
    frame = pq.read_table(made.rows_path).to_pandas()
    predicted = frame["predicted"].map(lambda k: f"class {k}" if by == "name" else k)
    path = tmp_path / "p.csv"
    pd.DataFrame({"id": frame["id"], "predicted": predicted, "score": frame["confidence"]}).to_csv(path, index=False)
    run = score(FakeDataset(60), path, store)
    same = ["top1", "balanced_accuracy", "specificity_macro", "mcc", "cohen_kappa"]
    same += [f"{m}_{a}" for m in ("precision", "recall", "f1") for a in ("macro", "micro", "weighted")]
    for name in same:
        assert run.metrics[name] == pytest.approx(made.metrics[name], abs=1e-12), name
    undefined = set(made.metrics) - set(same)
    assert {"top5", "auroc_macro", "log_loss", "brier", "ece"} <= undefined
    assert all(run.metrics[name] is None for name in undefined)
    assert run.facts["has_scores"] is False
    rows = pq.read_table(run.rows_path).to_pandas()
    assert rows["predicted"].tolist() == frame["predicted"].tolist()
    assert rows["correct"].tolist() == frame["correct"].tolist()
    np.testing.assert_allclose(rows["confidence"], frame["confidence"])


def test_multilabel_scores_and_labels(store, tmp_path):
    dataset = FakeDataset(60, multilabel=True)
    made = evaluate(FakeAdapter(multilabel=True), dataset, Store(tmp_path / "made"), QUICK)
    _, ids, scores, _ = stored(made)
    frame = pd.DataFrame({"id": ids, **{f"score_{k}": scores[:, k] for k in range(5)}})
    assert score(dataset, write(frame, tmp_path / "p.parquet"), store).metrics == made.metrics
    decided = [";".join(f"class {k}" for k in np.flatnonzero(row >= 0.5)) for row in scores]
    pd.DataFrame({"id": ids, "predicted": decided}).to_csv(tmp_path / "labels.csv", index=False)
    if all(decided):
        run = score(dataset, tmp_path / "labels.csv", store)
        for name in ("f1_macro", "f1_micro", "f1_samples", "hamming_loss", "subset_accuracy"):
            assert run.metrics[name] == pytest.approx(made.metrics[name], abs=1e-12), name
        assert run.metrics["map"] is None


def test_labels_alone_tell_every_f1_of_several_labels():
    """The same decisions as scores of 0 and 1: what they tell does not need scores."""
    rng = np.random.default_rng(1)
    targets, predicted = rng.random((40, 3)) < 0.5, rng.random((40, 3)) < 0.5
    found = label_results(targets, predicted, ("a", "b", "c"), True)["multilabel.scores"].values
    for average in ("macro", "micro", "weighted", "samples"):
        expected = sk.f1_score(targets, predicted, average=average, zero_division=0)
        assert found[f"f1_{average}"] == pytest.approx(expected), average
    assert np.isnan(found["map"])


def test_label_results_equal_those_from_scores():
    rng = np.random.default_rng(0)
    targets, predicted = rng.integers(0, 4, 100), rng.integers(0, 4, 100)
    names = ("a", "b", "c", "d")
    found = label_results(targets, predicted, names, False)["confusion.scores"].values
    scores = np.full((100, 4), 0.1, np.float32)
    scores[np.arange(100), predicted] = 0.7
    from dashboard.metrics.confusion import Confusion

    metric = Confusion(names)
    metric.update(ClassificationBatch([str(i) for i in range(100)], scores, targets))
    for name, value in metric.compute()["scores"].values.items():
        if name != "top5":
            assert found[name] == pytest.approx(value, abs=1e-12), name
    assert np.isnan(found["top5"])


# --- through the command line, on real rows of demo:digits ---------------------------------------------------------


def digits_rows():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(10), 597).round(6)
    scores[:, 0] += 1 - scores.sum(axis=1)
    return [[f"digit-{1200 + i}", *(f"{v:.6f}" for v in np.abs(row))] for i, row in enumerate(scores)]


HEADER = ["id", *(f"score_{k}" for k in range(10))]


def write_rows(path, rows, header=HEADER):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def run_score(path, store, *more):
    command = ["score", "--task", "classification", "--truth", "demo:digits", "--predictions", str(path)]
    return main([*command, "--store", str(store), *more])


def test_command(tmp_path, capsys):
    path = write_rows(tmp_path / "p.csv", digits_rows())
    assert run_score(path, tmp_path / "store", "--json", "-", "--name", "theirs") == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["model"] == "theirs"
    assert run["samples"] == 597
    assert run["timing"] == {}


def broken(rows, kind):
    """Rows with one thing wrong, the header, and words of the message."""
    if kind == "nan":
        rows[3][2] = "nan"
        return HEADER, "digit-1203"
    if kind == "unnormalised":
        rows[3][2] = "0.99"
        return HEADER, "digit-1203"
    if kind == "negative":
        rows[3][2] = "-0.5"
        return HEADER, "digit-1203"
    if kind == "duplicate":
        rows[4][0] = rows[3][0]
        return HEADER, "digit-1203"
    if kind == "missing":
        del rows[5]
        return HEADER, "digit-1205"
    if kind == "unknown id":
        rows[3][0] = "digit-9"
        return HEADER, "digit-9"
    if kind == "unknown label":
        rows[:] = [[r[0], "eleven" if i == 7 else "1", "1"] for i, r in enumerate(rows)]
        return ["id", "label", "predicted"], "eleven"
    if kind == "text":
        rows[3][2] = "high"
        return HEADER, "high"
    if kind == "columns":
        rows[:] = [r[:-1] for r in rows]
        return HEADER[:-1], "9"
    assert kind == "header"
    return ["name", *(f"x{k}" for k in range(10))], "id"


KINDS = [
    "nan",
    "unnormalised",
    "negative",
    "duplicate",
    "missing",
    "unknown id",
    "unknown label",
    "text",
    "columns",
    "header",
]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_files_exit_2_in_one_line(tmp_path, capsys, kind):
    rows = digits_rows()
    header, words = broken(rows, kind)
    path = write_rows(tmp_path / "bad.csv", rows, header)
    assert run_score(path, tmp_path / "store") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "bad.csv" in err
    assert words in err
    folder = tmp_path / "store"
    assert not folder.exists() or [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


@pytest.mark.parametrize("name", ["absent.csv", "folder", "text.txt", "empty.csv"])
def test_files_that_are_none(tmp_path, capsys, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty.csv").write_text("")
    assert run_score(tmp_path / name, tmp_path / "store") == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert name in err


def test_wrong_class_file(tmp_path, capsys):
    path = write_rows(tmp_path / "p.csv", digits_rows())
    (tmp_path / "names.txt").write_text("a\nb\n")
    assert run_score(path, tmp_path / "store", "--classes", str(tmp_path / "names.txt")) == 2
    assert "10 score columns, but 2 class names" in capsys.readouterr().err
    (tmp_path / "names.txt").write_text("\n".join("9876543210"))
    assert run_score(path, tmp_path / "store", "--classes", str(tmp_path / "names.txt"), "--quiet") == 0


def test_settings(tmp_path, capsys):
    path = write_rows(tmp_path / "p.csv", digits_rows())
    assert run_score(path, tmp_path / "store", "--set", "colour=red") == 2
    assert "scoring takes activation and partial" in capsys.readouterr().err
    assert run_score(path, tmp_path / "store", "--set", "activation=loud") == 2
    assert run_score(path, tmp_path / "store", "--set", "partial") == 2


def test_settings_of_the_data_are_the_datas(tmp_path, capsys):
    """``--set multilabel=...`` is for the CSV reader; the pictures need not be here to score."""
    truth = tmp_path / "truth.csv"
    truth.write_text("path,label\na.jpg,red;round\nb.jpg,red\nc.jpg,round\n")
    path = tmp_path / "p.csv"
    path.write_text("id,score_0,score_1\na.jpg,0.9,0.8\nb.jpg,0.9,0.2\nc.jpg,0.4,0.6\n")
    command = ["score", "--task", "classification", "--truth", str(truth), "--predictions", str(path)]
    assert main([*command, "--store", str(tmp_path / "store"), "--set", "multilabel=true", "--json", "-"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["metrics"]["subset_accuracy"] == 1
