"""What is shown on a terminal cannot steer it."""

from __future__ import annotations

import contextlib
import io
from types import SimpleNamespace

import pytest

from dashboard.cli import main
from dashboard.evaluation import Settings, evaluate
from dashboard.printing import Bar, plain, print_table, run_json
from dashboard.store import Store
from tests.fakes import FakeAdapter, FakeDataset

HOSTILE = "a\x1b[31mred\nb\r\tc\x07\x9b1m\u202eevil\udcff\x7f\u2028z"


def clean(text: str) -> bool:
    text.encode()
    return all(c == "\n" or c.isprintable() for c in text)


def test_plain():
    assert plain(HOSTILE) == r"a\x1b[31mred\nb\r\tc\x07\x9b1m\u202eevil\udcff\x7f\u2028z"
    assert plain("größe 猫 😀 -x- é 👩‍🔬 'n\\n'") == "größe 猫 😀 -x- é 👩‍🔬 'n\\n'"


def test_tables():
    out = io.StringIO()
    print_table([{"name": HOSTILE, "n": 1}, {"name": "b", "n": 2}], ("name", "n"), out)
    assert clean(out.getvalue())
    assert len(out.getvalue().splitlines()) == 3


def test_progress_and_notes(capsys):
    bar = Bar(HOSTILE, False)
    bar(SimpleNamespace(stage="running", done=1, total=2, rate=1.0, seconds_left=1.0, live={"top1": 0.5}))
    skipped = [{"id": HOSTILE, "reason": HOSTILE}]
    bar.end(SimpleNamespace(samples=1, id="x", facts={"skipped": skipped}))
    err = capsys.readouterr().err
    assert clean(err)
    assert len(err.splitlines()) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--task", "classification", "--model", "\x1b]0;x\x07", "--dataset", "demo:digits"],
        ["evaluate", "--task", "classification", "--model", "digits_cnn", "--dataset", "/x/\x1b[31m\x9b"],
        ["evaluate", "--task", "\x1b[31m"],
        ["\x1b[31m"],
    ],
)
def test_errors(capsys, arguments):
    with contextlib.suppress(SystemExit):  # argparse leaves by itself
        assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert clean(err)
    assert len(err.splitlines()) == 1


def test_two_classes_of_one_name(tmp_path):
    """ImageNet has two cranes; neither may hide the other."""
    dataset = FakeDataset(60, class_names=["n00000001", "n00000002", "n00000003"])
    dataset.class_ids = dataset.class_names
    adapter = FakeAdapter(class_names=["crane", "crane", "cat"])
    adapter.spec = adapter.spec.__class__(**{**vars(adapter.spec), "class_ids": dataset.class_ids})
    found = run_json(evaluate(adapter, dataset, Store(tmp_path), Settings(latency=False)))["per_class"]
    assert list(found) == ["crane (n00000001)", "crane (n00000002)", "cat"]
    assert sum(v["support"] for v in found.values()) == 60
