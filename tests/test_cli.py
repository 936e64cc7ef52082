"""The command line by its contract: exit statuses, one-line errors, clean standard output, JSON's shape."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from PIL import Image

from dashboard import cli
from dashboard.cli import main
from dashboard.evaluation import Settings, evaluate
from dashboard.store import Store
from tests.fakes import FakeAdapter, FakeDataset

ROOT = Path(__file__).parents[1]
DIGITS = ["evaluate", "--task", "classification", "--model", "digits_linear", "--dataset", "demo:digits"]
METRICS = {
    *("top1", "top5", "balanced_accuracy", "specificity_macro", "auroc_macro", "average_precision_macro"),
    *("log_loss", "brier", "ece", "mcc", "cohen_kappa"),
    *(f"{m}_{a}" for m in ("precision", "recall", "f1") for a in ("macro", "micro", "weighted")),
}


def run_main(arguments):
    """Exit status, also where argparse leaves by itself."""
    try:
        return main(arguments)
    except SystemExit as stop:
        return stop.code


def assert_refused(capsys, arguments, *words):
    """Exit 2, nothing on standard output, one line on standard error with these words."""
    status = run_main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert status == 2, err
    assert out == ""
    lines = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    assert "Traceback" not in err
    for word in words:
        assert word in lines[0], lines[0]


def folder_of(path, **classes):
    """An image folder with so many pictures a class."""
    for name, count in classes.items():
        (path / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (8, 8), (i * 20 % 255, 0, 0)).save(path / name / f"{i}.png")
    return path


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A store with a run of each built-in model."""
    store = tmp_path_factory.mktemp("cli") / "store"
    assert main([*DIGITS, "--model", "digits_cnn", "--store", str(store), "--quiet"]) == 0
    return store


# --- results --------------------------------------------------------------------------------------------------------


def test_json_in_the_contracts_shape(digits, capsys):
    assert main([*DIGITS, "--model", "digits_cnn", "--store", str(digits), "--json", "-"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out, parse_constant=pytest.fail)
    assert found["schema"] == 1
    assert [r["model"] for r in found["runs"]] == ["digits_linear", "digits_cnn"]
    for run in found["runs"]:
        assert {"run", "task", "model", "dataset", "samples", "metrics", "per_class", "timing", "environment"} <= set(
            run
        )
        assert run["task"] == "classification"
        assert run["dataset"] == "digits"
        assert run["samples"] == 597
        assert set(run["metrics"]) >= METRICS
        assert all(v is None or isinstance(v, (int, float)) for v in run["metrics"].values())
        assert all(0 <= run["metrics"][n] <= 1 for n in METRICS - {"mcc", "cohen_kappa", "log_loss", "brier"})
        assert list(run["per_class"]) == list("0123456789")
        assert run["per_class"]["3"]["support"] > 0
        assert {"precision", "recall", "f1", "specificity", "auroc", "average_precision"} <= set(run["per_class"]["3"])
        timing = run["timing"]
        assert {"wall_s", "model_s", "pipeline_efficiency", "throughput_per_s", "latency_ms"} <= set(timing)
        assert set(timing["latency_ms"]) == {"p50", "p90", "p99"}
        assert {"python", "cpu", "packages"} <= set(run["environment"])
    assert "digits_linear: 597 samples" in err


def test_json_to_a_file_and_a_table(digits, tmp_path, capsys):
    target = tmp_path / "out.json"
    assert main([*DIGITS, "--store", str(digits), "--json", str(target), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "digits_linear" in out
    assert "top1" in out
    assert len(json.loads(target.read_text())["runs"]) == 1
    assert list(tmp_path.iterdir()) == [target]


def test_quiet_is_silent_even_when_it_works(tmp_path, capsys):
    assert main([*DIGITS, "--limit", "20", "--store", str(tmp_path / "s"), "--quiet", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)["runs"][0]["samples"] == 20


def test_second_time_reuses(digits, capsys, monkeypatch):
    before = [r.created_at for r in Store(digits).runs()]
    assert main([*DIGITS, "--store", str(digits), "--resume", "--quiet"]) == 0
    assert [r.created_at for r in Store(digits).runs()] == before


def test_restart(tmp_path, capsys):
    arguments = [*DIGITS, "--limit", "20", "--store", str(tmp_path), "--quiet"]
    assert main(arguments) == 0
    (first,) = Store(tmp_path).runs()
    assert main([*arguments, "--restart"]) == 0
    (second,) = Store(tmp_path).runs()
    assert second.id == first.id
    assert second.created_at > first.created_at
    assert second.metrics == first.metrics


def test_runs(digits, capsys):
    assert main(["runs", "--store", str(digits), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {r["model"] for r in found["runs"]} == {"digits_linear", "digits_cnn"}
    assert set(found["runs"][0]["metrics"]) >= METRICS
    assert main(["runs", "--store", str(digits)]) == 0
    assert "digits_cnn" in capsys.readouterr().out


def test_runs_of_an_empty_store(tmp_path, capsys):
    assert main(["runs", "--store", str(tmp_path / "none"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "runs": []}
    assert main(["runs", "--store", str(tmp_path / "none")]) == 0


def test_runs_with_a_damaged_one(tmp_path, capsys):
    store = Store(tmp_path)
    evaluate(FakeAdapter(), FakeDataset(10), store, Settings(latency=False))
    bad = evaluate(FakeAdapter(name="bad"), FakeDataset(10), store, Settings(latency=False))
    (bad.path / "results.npz").write_bytes(b"")
    os.utime(bad.path / "results.npz")
    assert main(["runs", "--store", str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)["runs"]
    assert {r["model"] for r in found} == {"hasher", "bad"}
    assert next(r for r in found if r["model"] == "bad")["per_class"] == {}
    assert "results.npz" in err


def test_models_and_datasets(capsys):
    assert main(["models", "--json"]) == 0
    rows = {r["name"]: r for r in json.loads(capsys.readouterr().out)["models"]}
    assert {"digits_linear", "digits_cnn", "efficientnet_lite0"} <= set(rows)
    assert {"name", "task", "source", "license", "size_bytes", "here"} <= set(rows["digits_cnn"])
    assert rows["digits_cnn"]["here"] is True
    assert main(["models", "--here", "--task", "classification"]) == 0
    assert "digits_cnn" in capsys.readouterr().out
    assert main(["datasets", "--json"]) == 0
    rows = {r["name"]: r for r in json.loads(capsys.readouterr().out)["datasets"]}
    assert {"imagefolder", "csv", "demo:digits"} <= set(rows)
    assert main(["datasets"]) == 0


def test_names_for_the_outputs(tmp_path, capsys):
    (tmp_path / "names.txt").write_text(
        "\n".join(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    )
    data = folder_of(tmp_path / "data", one=3, two=3)
    arguments = ["evaluate", "--task", "classification", "--model", "digits_linear", "--dataset", str(data)]
    arguments += ["--store", str(tmp_path / "store"), "--quiet"]
    assert_refused(capsys, arguments, "not among the model's")
    assert main([*arguments, "--classes", str(tmp_path / "names.txt"), "--json", "-"]) == 0
    assert "zero" in json.loads(capsys.readouterr().out)["runs"][0]["per_class"]
    (tmp_path / "mapping.csv").write_text("one,1\ntwo,2\n")
    assert main([*arguments, "--mapping", str(tmp_path / "mapping.csv")]) == 0


# --- one-line errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["COMMAND"]),
        (["evalute"], ["Did you mean 'evaluate'"]),
        (["evaluate"], ["--task"]),
        ([*DIGITS, "--modle", "x"], ["--modle", "Did you mean '--model'"]),
        ([*DIGITS, "--task", "clasification"], ["Did you mean 'classification'"]),
        ([*DIGITS, "--model", "digits_cn"], ["digits_cn", "Did you mean 'digits_cnn'"]),
        ([*DIGITS, "--model", "absent.onnx"], ["absent.onnx"]),
        ([*DIGITS, "--dataset", "demo:digit"], ["Did you mean 'digits'"]),
        ([*DIGITS, "--dataset", "/nowhere/at/all"], ["/nowhere/at/all"]),
        ([*DIGITS, "--dataset", "photos", "--format", "imagefoler"], ["imagefoler"]),
        ([*DIGITS, "--set", "colour"], ["--set colour", "KEY=VALUE"]),
        ([*DIGITS, "--set", "=red"], ["KEY=VALUE"]),
        ([*DIGITS, "--batch-size", "0"], ["--batch-size", "at least 1"]),
        ([*DIGITS, "--batch-size", "many"], ["--batch-size", "many"]),
        ([*DIGITS, "--limit", "-3"], ["--limit", "at least 1"]),
        ([*DIGITS, "--limit", "1.5"], ["--limit"]),
        ([*DIGITS, "--device", "tpu"], ["tpu"]),
        ([*DIGITS, "--device", "cuda:99"], ["cuda:99"]),
        ([*DIGITS, "--precision", "int4"], ["int4"]),
        ([*DIGITS, "--precision", "fp16", "--device", "cpu"], ["fp16"]),
        ([*DIGITS, "--mapping", "/nowhere.csv"], ["/nowhere.csv"]),
        ([*DIGITS, "--classes", "/nowhere.txt"], ["/nowhere.txt"]),
        (["runs", "--task", "nothing"], ["nothing"]),
        (["models", "--frobnicate"], ["--frobnicate"]),
    ],
)
def test_bad_usage(tmp_path, capsys, arguments, words):
    store = ["--store", str(tmp_path / "store")] if arguments and arguments[0] == "evaluate" and arguments[1:] else []
    assert_refused(capsys, [*arguments, *store], *words)
    assert not (tmp_path / "store").exists() or list((tmp_path / "store").rglob("run.json")) == []


def refused_data(capsys, tmp_path, data, *words, more=()):
    arguments = ["evaluate", "--task", "classification", "--model", "digits_linear", "--dataset", data]
    assert_refused(capsys, [*arguments, "--store", tmp_path / "store", *more], *words)
    assert not (tmp_path / "store" / "runs").exists()


def test_empty_folder(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    refused_data(capsys, tmp_path, tmp_path / "data", "empty")


def test_folder_of_broken_pictures(tmp_path, capsys):
    for name in "01":
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "data" / name / f"{i}.jpg").write_bytes(b"no picture")
    refused_data(capsys, tmp_path, tmp_path / "data", "6 of 6 pictures", "0.jpg", more=["--quiet"])
    assert list((tmp_path / "store" / "unfinished").iterdir()) == []


def test_text_file_among_good_pictures(tmp_path, capsys):
    data = folder_of(tmp_path / "data", **{"0": 4, "1": 4})
    (data / "1" / "notes.jpg").write_text("hello")
    good = (data / "1" / "0.png").read_bytes()
    (data / "1" / "cut.png").write_bytes(good[: len(good) // 2])
    arguments = ["evaluate", "--task", "classification", "--model", "digits_linear", "--dataset", str(data)]
    assert main([*arguments, "--store", str(tmp_path / "store"), "--json", "-"]) == 0
    out, err = capsys.readouterr()
    (run,) = json.loads(out)["runs"]
    assert run["samples"] == 8
    assert [s["id"] for s in run["skipped"]] == ["1/cut.png", "1/notes.jpg"]
    assert all(s["id"].rpartition("/")[2] in s["reason"] for s in run["skipped"])
    assert "skipped 1/notes.jpg" in err


def test_classes_that_do_not_meet(tmp_path, capsys):
    refused_data(capsys, tmp_path, folder_of(tmp_path / "data", cat=2, dog=2), "cat", "not among the model's")


def test_pickle_as_weights(tmp_path, capsys):
    import pickle

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    path = tmp_path / "weights.pt"
    path.write_bytes(pickle.dumps(Evil()))
    arguments = ["evaluate", "--task", "classification", "--model", path, "--dataset", "demo:digits"]
    assert_refused(capsys, [*arguments, "--store", tmp_path / "store"], "weights.pt")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", ["text.onnx", "empty.safetensors", "noise.pt"])
def test_files_that_are_no_weights(tmp_path, capsys, name):
    content = {"text.onnx": b"hello", "empty.safetensors": b"", "noise.pt": bytes(range(256)) * 4}[name]
    (tmp_path / name).write_bytes(content)
    arguments = ["evaluate", "--task", "classification", "--model", tmp_path / name, "--dataset", "demo:digits"]
    assert_refused(capsys, [*arguments, "--store", tmp_path / "store"], name)


@pytest.mark.parametrize("where", ["folder", "absent/out.json", "file/out.json"])
def test_json_that_cannot_be_written_is_said_before_the_work(tmp_path, capsys, where):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    store = tmp_path / "store"
    assert_refused(capsys, [*DIGITS, "--store", store, "--json", tmp_path / where], "--json", "cannot be written")
    assert not store.exists()
    assert not list(tmp_path.rglob("*.tmp"))


def test_json_onto_a_full_disk(digits, tmp_path, capsys, monkeypatch):
    def full(self, *_, **__):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert main(["runs", "--store", str(digits), "--json", str(tmp_path / "out.json")]) == 2
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_store_that_is_a_file(tmp_path, capsys):
    (tmp_path / "f").write_text("")
    assert_refused(capsys, [*DIGITS, "--store", tmp_path / "f"], "is a file")
    assert_refused(capsys, [*DIGITS, "--store", tmp_path / "f" / "below"], "cannot be written")


def test_two_at_once(tmp_path, capsys):
    arguments = [*DIGITS, "--limit", "20", "--store", str(tmp_path), "--quiet"]
    assert main(arguments) == 0
    (run,) = Store(tmp_path).runs()
    Store(tmp_path).delete(run.id)
    with Store(tmp_path).draft(run.id):
        capsys.readouterr()
        assert_refused(capsys, arguments, "being worked on already")
    assert main(arguments) == 0


def test_signals_are_given_back(digits):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert main(["runs", "--store", str(digits)]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_help(capsys):
    assert run_main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("serve", "models", "datasets", "evaluate", "score", "runs"):
        assert command in out


def test_settings_texts():
    assert cli.settings_of(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
