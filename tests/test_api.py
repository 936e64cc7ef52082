"""Loupe from Python: the examples of docs/api.md run, names are complete, bad input is one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dashboard as loupe
from dashboard.datasets.digits import Digits
from models.load import load_model

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "api.md").read_text("utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def run(store: Path) -> loupe.Run:
    return loupe.evaluate("digits_cnn", "demo:digits", store=store, quiet=True, limit=100)


def test_the_documentation_has_examples() -> None:
    assert len(EXAMPLES) >= 6
    for name in ("evaluate", "table", "rows", "compare", "report", "profile", "score"):
        assert any(f"loupe.{name}(" in example for example in EXAMPLES), name


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As a notebook: one after the other, in one namespace."""
    monkeypatch.setenv("LOUPE_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/api.md", "exec"), space)
    assert (tmp_path / "report.html").stat().st_size > 100_000
    said = capsys.readouterr().out
    assert "parameters" in said
    assert "nan" not in said
    assert "top1: +0.0" in said  # the CNN is the better one
    assert {r.model for r in loupe.list_runs("classification")} == {"digits_cnn", "digits_linear", "a guess"}


def test_every_name_is_there() -> None:
    for name in loupe.__all__:
        assert getattr(loupe, name) is not None
        assert name in dir(loupe)
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        loupe.evalute  # noqa: B018


def test_objects_do_where_names_do(store: Path, run: loupe.Run) -> None:
    again = loupe.evaluate(load_model("digits_cnn"), Digits(), store=store, quiet=True, limit=100)
    assert again.id == run.id
    assert loupe.get_run(run.id, store).metrics == run.metrics


def test_tables(store: Path, run: loupe.Run) -> None:
    table = loupe.table([run.id], store)
    assert table.loc[run.id, "top1"] == run.metrics["top1"]
    assert table["top1"].dtype == float
    rows = loupe.rows(run)
    assert len(rows) == run.samples == 100
    assert rows["correct"].mean() == pytest.approx(run.metrics["top1"])
    assert isinstance(loupe.list_models("classification", here=True), pd.DataFrame)
    assert "demo:digits" in set(loupe.list_datasets("classification")["name"])
    assert [r.id for r in loupe.list_runs("classification", store)] == [run.id]


def test_settings_reach_model_and_data(store: Path) -> None:
    made = loupe.evaluate("bicubic", "demo:photos", degrade="bicubic:2", limit=2, store=store, quiet=True)
    other = loupe.evaluate("bicubic", "demo:photos", degrade="bicubic:4", limit=2, store=store, quiet=True)
    assert made.task == "enhancement"
    assert made.metrics["psnr"] > other.metrics["psnr"] + 1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: loupe.evaluate("digits_cn", "demo:digits", store=s), "No model is called"),
        (lambda s: loupe.evaluate("digits_cnn", "demo:digit", store=s), "no built-in dataset"),
        (lambda s: loupe.evaluate("digits_cnn", "demo:digits", "cooking", store=s), "There is no task"),
        (lambda s: loupe.evaluate("digits_cnn", "demo:digits", limit=0, store=s), "limit"),
        (lambda s: loupe.evaluate("digits_cnn", Digits(), format="csv", store=s), "open already"),
        (lambda s: loupe.evaluate("digits_cnn", "demo:digits", settings={"nonsense": 1}, store=s), "nonsense"),
        (lambda s: loupe.score("demo:digits", "nowhere.csv", "classification", store=s), "nowhere.csv"),
        (lambda s: loupe.get_run("nothing", s), "No run is called"),
        (lambda s: loupe.report("nothing", "x.html", store=s), "No run is called"),
    ],
)
def test_bad_input_is_one_sentence(store: Path, call: object, said: str) -> None:
    with pytest.raises(loupe.InputError, match=said) as info:
        call(store)  # type: ignore[operator]
    assert "\n" not in str(info.value)


def test_a_baseline_that_is_none(store: Path, run: loupe.Run) -> None:
    for wrong in (1, -1, "other", np.int64(5)):
        with pytest.raises(loupe.InputError, match="none of the 1 runs"):
            loupe.report(run, "x.html", baseline=wrong, store=store)  # type: ignore[arg-type]


def test_rows_that_are_not_there(store: Path, run: loupe.Run, tmp_path: Path) -> None:
    bare = type(run)(**{**vars(run), "path": tmp_path})
    with pytest.raises(loupe.InputError, match="no rows of samples"):
        loupe.rows(bare)
