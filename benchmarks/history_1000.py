"""The history of 1,000 runs: first look in a fresh process, every later look, and what the page is sent.

    python -m benchmarks.history_1000 [--runs 1000]

Runs are real records (made by evaluating the built-in digits once) under other names and dates, some with labels. The
peer is plain reading: every file opened and parsed once by ``json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from dashboard.datasets.opening import open_dataset
from dashboard.evaluation import Settings, evaluate
from dashboard.history import set_label
from dashboard.store import Store
from models.load import load_model


def fill(root: Path, count: int) -> None:
    """A store of ``count`` runs with all their files."""
    store = Store(root)
    run = evaluate(load_model("digits_linear"), open_dataset("demo:digits"), store, Settings(latency=False))
    record = json.loads((run.path / "run.json").read_text("utf-8"))
    others = {f.name: f.read_bytes() for f in run.path.iterdir() if f.name != "run.json"}
    for k in range(count - 1):
        folder = root / "runs" / f"model-{k % 40}_digits_{k:010d}"
        folder.mkdir()
        day = f"2026-{k % 12 + 1:02d}-{k % 28 + 1:02d}T10:00:{k % 60:02d}.000+00:00"
        own = record | {"id": folder.name, "model": f"model_{k % 40}", "created_at": day}
        (folder / "run.json").write_text(json.dumps(own), "utf-8")
        for name, content in others.items():
            (folder / name).write_bytes(content)
        if k % 3 == 0:
            set_label(store, folder.name, title=f"Trial {k}", tags=["baseline", f"week {k % 9}"])


FRESH = """
import sys, time
from dashboard.store import Store
begin = time.perf_counter()
runs = Store(sys.argv[1]).runs()
print(len(runs), time.perf_counter() - begin)
"""


def seconds(work: Callable[[], Any], rounds: int = 5) -> float:
    """Median."""
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return median(found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1000)
    count = options.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fill(root, count)
        store = Store(root)
        first = []
        for _ in range(3):
            done = subprocess.run([sys.executable, "-c", FRESH, folder], capture_output=True, text=True, check=True)
            number, spent = done.stdout.split()
            assert int(number) == count
            first.append(float(spent))
        plain = seconds(lambda: [json.loads(f.read_text("utf-8")) for f in root.glob("runs/*/run.json")])
        store.runs()
        again = seconds(store.runs)
        print(f"{count} runs")
        print(f"first look, fresh process   {median(first):7.3f} s   {median(first) / plain:5.2f} x plain reading")
        print(f"plain reading (json)        {plain:7.3f} s")
        print(f"every later look            {again:7.3f} s   {again / plain:5.2f} x plain reading")
        from dashboard.engine import Engine
        from dashboard.tabs.runs import Runs

        listed = Runs(Engine(root), [])
        begin = time.perf_counter()
        page = listed.table()
        print(
            f"the page's table            {time.perf_counter() - begin:7.3f} s   {len(json.dumps(page)) / 1e3:.0f} kB"
        )


if __name__ == "__main__":
    main()
