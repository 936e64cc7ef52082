"""The command line as a process of its own: signals, pipes and terminals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dashboard.cli import main
from dashboard.datasets.opening import open_dataset
from dashboard.evaluation import Settings, evaluate
from dashboard.store import Store
from tests.fakes import FakeAdapter

ROOT = Path(__file__).parents[1]
DIGITS = ["evaluate", "--task", "classification", "--model", "digits_linear", "--dataset", "demo:digits"]

SLOW = """
import sys
from dashboard import engine, evaluation
from tests.fakes import FakeAdapter
evaluation.PART_SECONDS = 0.0
engine.load_model = lambda *_: FakeAdapter(class_names="0123456789", delay={delay})
from dashboard.cli import main
sys.exit(main(sys.argv[1:]))
"""


def start(store, delay, *more):
    """The command on a model that takes its time."""
    command = [sys.executable, "-c", SLOW.format(delay=delay), *DIGITS, "--batch-size", "8", "--store", str(store)]
    return subprocess.Popen([*command, *more], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupted_keeps_its_work_and_goes_on(tmp_path, name):
    store = tmp_path / "store"
    process = start(store, 0.05)
    end = time.monotonic() + 60
    while len(list(store.glob("unfinished/*/part-*.parquet"))) < 3:
        assert time.monotonic() < end
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1].startswith("interrupted: Stopped after ")
    assert "Traceback" not in err
    parts = list(store.glob("unfinished/*/part-*.parquet"))
    done = sum(pq.read_metadata(p).num_rows for p in parts)
    assert 0 < done < 597
    assert not (store / "runs").exists()
    process = start(store, 0, "--resume", "--json", "-", "--quiet")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    (found,) = json.loads(out)["runs"]
    adapter, settings = FakeAdapter(class_names="0123456789"), Settings(batch_size=8, latency=False)
    expected = evaluate(adapter, open_dataset("demo:digits"), Store(tmp_path / "plain"), settings)
    assert found["samples"] == 597
    assert found["metrics"] == expected.metrics
    (run,) = Store(store).runs()
    assert np.array_equal(pq.read_table(run.predictions_path, columns=["index"]).column(0), np.arange(597))


def test_interrupted_while_loading(tmp_path):
    """Before the model runs there is nothing to keep: it ends at once, in one line."""
    code = (
        "import dashboard.engine as e, sys, time\n"
        "def slow(*_): print('loading', flush=True); time.sleep(60)\n"
        "e.load_model = slow\n"
        "from dashboard.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, *DIGITS, "--store", str(tmp_path / "store")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


def test_as_a_module_with_a_closed_pipe():
    command = f"{sys.executable} -m dashboard models --json | head -c 10"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("{")
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_an_error_has_a_line_of_its_own_on_a_terminal(tmp_path):
    """Progress is one line rewritten; what comes after it must not stand behind it."""
    for name in "01":
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "0.jpg").write_bytes(b"no picture")
    here, there = os.openpty()
    command = [sys.executable, "-c", SLOW.format(delay=0), "evaluate", "--task", "classification"]
    command += ["--model", "digits_linear", "--dataset", str(tmp_path / "data"), "--store", str(tmp_path / "store")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=there) as process:
        process.wait(timeout=60)
    os.close(there)
    text = os.read(here, 100_000).decode()
    os.close(here)
    assert process.returncode == 2
    assert "running" in text
    last = text.rpartition("error: ")[0]
    assert last.endswith("\r\033[K")


def test_json_into_a_pipe_leaves_it_a_pipe(tmp_path):
    """As ``--json /dev/stdout`` would be: what is no plain file is written to, never replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    assert main(["datasets", "--json", str(pipe)]) == 0
    assert json.loads(reader.communicate(timeout=20)[0])["schema"] == 1
    assert pipe.is_fifo()
