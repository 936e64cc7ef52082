"""profile, compare and report on the command line: what they take, print and refuse."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from dashboard.commands import VARIANTS, comparison_json, print_comparison, print_profile, runs_of, variants_of
from dashboard.comparing.shapes import Comparison, Difference, Figure, PairTest
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.history import set_label
from dashboard.profiling.shapes import Layer, Profile, Variant
from dashboard.profiling.variants import CHANGES
from dashboard.settings import size_of
from dashboard.store import Store
from tests.fakes import FakeAdapter, FakeDataset
from tests.test_cli import assert_refused, run_main

DIGITS = ["--dataset", "demo:digits", "--task", "classification", "--quiet"]


@pytest.mark.parametrize(
    ("text", "size"), [(None, None), ("", None), ("224x224", (224, 224)), ("480X640", (480, 640)), (" 32 ", (32, 32))]
)
def test_sizes(text, size):
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["x", "0x10", "10x0", "-3x4", "224x224x3", "a", "1e3x4", "999999x1"])
def test_what_is_no_size(text):
    with pytest.raises(InputError, match=r"--input-size .*HEIGHTxWIDTH"):
        size_of(text, "--input-size")


def test_variants():
    assert variants_of(None) is None
    assert variants_of("bf16, fp32,bf16") == ("bf16", "fp32")
    assert set(VARIANTS) == set(CHANGES)
    for wrong in ("", ",", "int4", "fp32,int4"):
        with pytest.raises(InputError, match="choose from fp32"):
            variants_of(wrong)


@pytest.fixture
def store(tmp_path):
    """Two runs of one fake model on different data."""
    store = Store(tmp_path / "store")
    for count in (4, 6):
        evaluate(FakeAdapter(), FakeDataset(count, fingerprint=f"data-{count}"), store, Settings())
    return store


def test_runs_by_a_beginning(store):
    one, two = (r.id for r in store.runs())
    assert [r.id for r in runs_of(store, [one, two, one])] == [one, two]
    different = next(k for k in range(len(one)) if one[k] != two[k])
    assert runs_of(store, [one[: different + 1]])[0].id == one
    with pytest.raises(InputError, match="2 runs begin with"):
        runs_of(store, [one[:different]])
    with pytest.raises(InputError, match="No run is called"):
        runs_of(store, ["nothing-like-it"])


def comparison(store):
    """Made by hand: the second run is right on three of four samples, the first on one."""
    runs = store.runs()
    scores = np.array([[1.0, 0, 0, 0], [0, 1, 1, 1]])
    none = np.full((2, 2), np.nan)
    return Comparison(
        runs=runs,
        baseline=0,
        task="classification",
        unit="image",
        ids=["a", "b", "c", "d"],
        index=np.array([[0, 1, 2, 3], [3, 2, 1, 0]]),
        left_out=[0, 2],
        figures=[
            Figure("top1", True, "", np.array([0.25, 0.75]), np.array([[0.0, 0.6], [0.4, 1.0]])),
            Figure("ece", False, "", np.array([0.5, np.nan]), none),
        ],
        differences=[
            Difference("top1", 1, 0.5, -0.25, 1.0, 0.3, 0.6, "paired bootstrap"),
            Difference("ece", 1, math.nan, math.nan, math.nan, math.nan, math.nan, "undefined"),
        ],
        tests=[PairTest("mcnemar_exact", 1, math.nan, 0.625, 0.625, {"only_run": 3, "only_baseline": 1})],
        scores=scores,
        score_name="correct",
        notes=["2 samples are in one run only."],
        settings={"resamples": 100},
    )


def test_a_comparison_as_json(store):
    found = comparison(store)
    said = json.loads(json.dumps(comparison_json(found), allow_nan=False))
    first, second = (r.id for r in found.runs)
    assert [r["run"] for r in said["runs"]] == [first, second]
    body = said["comparison"]
    assert body["baseline"] == first
    assert body["metrics"] == {"top1": {first: 0.25, second: 0.75}, "ece": {first: 0.5, second: None}}
    top1, ece = body["differences"]
    assert (top1["run"], top1["difference"], top1["interval"], top1["p_holm"]) == (second, 0.5, [-0.25, 1.0], 0.6)
    assert ece["difference"] is None
    assert ece["interval"] is None
    assert body["tests"][0]["counts"] == {"only_run": 3, "only_baseline": 1}
    assert body["wins"] == {second: {"wins": 3, "losses": 1, "ties": 0}}
    assert body["left_out"] == {first: 0, second: 2}


def test_a_comparison_as_tables(store, capsys):
    print_comparison(comparison(store))
    out = capsys.readouterr().out
    assert "4 common samples" in out
    assert "+0.5" in out
    assert "[-0.25, +1]" in out
    assert re.search(r"top1 .*no difference shown", out)
    assert re.search(r"ece .*cannot be told", out)
    assert "only run 3, only baseline 1" in out
    assert "note: 2 samples are in one run only." in out


def test_a_profile_as_tables(capsys):
    layer = Layer("conv", "Conv2d", "conv", (1, 4, 8, 8), 112, 6912, 13824, ms=0.5)
    plain = Variant(
        "fp32", latency_ms={"p50": 2.0, "p90": 3.0, "p99": 4.0}, throughput={1: 500.0, 8: 900.0}, speedup=1.0
    )
    missing = Variant("openvino", why_not="OpenVINO is not installed.")
    found = Profile(
        "net", "classification", (8, 8), "cpu", 112, 112, 0, 448, 6912, 13824, [layer], [plain, missing],
        notes=["Three warm-up runs."],
    )  # fmt: skip
    norm = Layer("bn", "BatchNorm2d", "batch_norm", (1, 4, 8, 8), 8, 0, 1024)
    cold = {"import_s": 2.0, "load_s": 0.5, "first_s": 0.25, "total_s": 0.75}
    print_profile(replace(found, layers=[layer, norm], cold_start=cold), layers=True)
    out = capsys.readouterr().out
    assert "0.75 s (load 0.50 s + first 0.25 s), after 2.00 s of imports" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["path", "kind", "output", "params", "macs", "flops", "other", "ops", "ms"] in lines
    assert ["bn", "BatchNorm2d", "1x4x8x8", "8", "0", "0", "1024", "n/a"] in lines  # flops sum to the total
    assert "13,824" in out
    assert "1x4x8x8" in out
    assert "OpenVINO is not installed." in out
    assert "8/batch" in out
    assert "900.0" in out
    assert "note: Three warm-up runs." in out


def test_columns_of_a_profile_have_an_order_whatever_each_way_has(capsys):
    ways = [
        Variant("bf16", why_not="It is too slow here."),
        Variant("fp32", latency_ms={"p50": 2.0}, throughput={4: 500.0}, accuracy={"miou": 0.0}),
        Variant(
            "default", latency_ms={"p50": 1.0}, stages_ms={"forward": 0.9}, throughput={16: 9.0, 1: 7.0},
            accuracy={"miou": 0.0},
        ),
    ]  # fmt: skip
    print_profile(Profile("net", "segmentation", (8, 8), "cpu", None, None, None, None, None, None, [], ways))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    head = next(line for line in lines if "p50" in line)
    assert ["default", "1.0000", "0.9000", "7.0000", "n/a", "9.0000", "0.0000"] in lines  # no note
    assert head == ["variant", "p50", "forward", "1/batch", "4/batch", "16/batch", "miou", "note"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A store with both digit models on the first 300 digits."""
    root = tmp_path_factory.mktemp("compared")
    models = [x for name in ("digits_linear", "digits_cnn") for x in ("--model", name)]
    assert run_main(["evaluate", *models, *DIGITS, "--limit", "300", "--store", str(root)]) == 0
    return root


def test_compare_two_models(digits, capsys, tmp_path):
    runs = {r.model: r for r in Store(digits).runs()}
    names = [runs["digits_linear"].id, runs["digits_cnn"].id]
    target = tmp_path / "compared.json"
    assert run_main(["compare", *names, "--store", str(digits), "--resamples", "200", "--json", str(target)]) == 0
    assert "300 common samples" in capsys.readouterr().out
    body = json.loads(target.read_text())["comparison"]
    top1 = next(d for d in body["differences"] if d["metric"] == "top1")
    gap = runs["digits_cnn"].metrics["top1"] - runs["digits_linear"].metrics["top1"]
    assert top1["difference"] == pytest.approx(gap, abs=1e-12)
    assert top1["interval"][0] <= gap <= top1["interval"][1]
    assert run_main(["compare", *names, "--baseline", names[1], "--store", str(digits), "--json", "-"]) == 0
    other = json.loads(capsys.readouterr().out)["comparison"]
    assert other["baseline"] == names[1]
    assert next(d for d in other["differences"] if d["metric"] == "top1")["difference"] == pytest.approx(-gap)


def test_compare_refuses(digits, capsys):
    one = next(r.id for r in Store(digits).runs())
    store = ["--store", digits]
    assert_refused(capsys, ["compare", one, *store], "two to 8", "got 1")
    assert_refused(capsys, ["compare", one, one, *store], "different runs")
    assert_refused(capsys, ["compare", one, "nowhere", *store], "No run is called 'nowhere'")
    assert_refused(capsys, ["compare", "digits", one, *store], "2 runs begin with 'digits'")
    assert_refused(capsys, ["compare", one, one[:-1], "--resamples", "3", *store], "--resamples")
    assert_refused(capsys, ["compare", one, one[:-1], "--seed", "-1", *store], "--seed must be 0 or more")


def test_runs_are_listed_with_what_a_person_called_them(store, capsys):
    assert run_main(["runs", "--store", str(store.root)]) == 0
    assert not {"title", "tags"} & set(capsys.readouterr().out.split())
    set_label(store, store.runs()[0].id, "The big one", ("night", "rain"))
    assert run_main(["runs", "--store", str(store.root)]) == 0
    out = capsys.readouterr().out
    assert "The big one" in out
    assert "night, rain" in out


def test_report(digits, capsys, tmp_path):
    names = [r.id for r in Store(digits).runs()]
    out = tmp_path / "report.html"
    assert run_main(["report", *names, "--out", str(out), "--store", str(digits)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    text = out.read_text("utf-8")
    assert text.lstrip().lower().startswith("<!doctype html")
    assert "digits_linear" in text
    assert out.stat().st_size < 10_000_000
    assert_refused(capsys, ["report", *names, "--out", tmp_path / "no" / "r.html", "--store", digits], "no")
    assert_refused(capsys, ["report", *names, "--out", tmp_path / "r.txt", "--store", digits], "ends in .html")
    assert_refused(capsys, ["report", "gone", "--out", out, "--store", digits], "No run is called 'gone'")


def test_profile(capsys, tmp_path):
    call = ["profile", "--model", "digits_cnn", "--variants", "fp32", "--batch-size", "4", "--store", str(tmp_path)]
    assert run_main([*call, "--json", "-", "--quiet"]) == 0
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert run["task"] == "profile"
    names = ("params", "macs", "flops", "latency_ms", "throughput_per_s", "peak_memory_mb", "cold_start_s")
    assert set(names) <= set(run["metrics"])
    assert run["metrics"]["flops"] == 2 * run["metrics"]["macs"] > 0
    assert run["metrics"]["latency_ms"] > 0
    assert [*run["profile"]["variants"][0]["throughput"]] == ["4"]


def test_profile_refuses(capsys, tmp_path):
    store = ["--store", tmp_path]
    assert_refused(capsys, ["profile", "--model", "nothing_like_it", *store], "nothing_like_it")
    assert_refused(capsys, ["profile", "--model", "digits_cnn", "--input-size", "big", *store], "--input-size 'big'")
    assert_refused(capsys, ["profile", "--model", "digits_cnn", "--batch-size", "0", *store], "--batch-size")
    assert_refused(capsys, ["profile", "--model", "digits_cnn", "--batch-size", 10**9, *store], "1 to 4,096")
    assert_refused(capsys, ["profile", "--model", "digits_cnn", "--variants", "int1", *store], "--variants int1")
