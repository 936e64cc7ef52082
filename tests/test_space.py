"""A lent GPU: the model stands twice, pictures and answers travel by pickle into a forked process and back."""

from __future__ import annotations

import functools
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard import spaces_gpu
from dashboard.datasets.digits import Digits
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.spaces_gpu import FarAdapter, Recipe
from dashboard.store import Store
from dashboard.visitors import Visitor, VisitorStore
from models.base import LoadOptions, OutOfMemory
from models.load import load_model

ROOT = Path(__file__).resolve().parents[1]


def alone(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a process of its own: a fork inherits the locks of threads that other tests have left behind."""

    @functools.wraps(test)
    def there(*args: Any, **kwargs: Any) -> None:
        if os.environ.get("LOUPE_ALONE"):
            test(*args, **kwargs)
            return
        call = [sys.executable, "-m", "pytest", "-q", f"{__file__}::{test.__name__}"]
        done = subprocess.run(
            call, cwd=ROOT, env={**os.environ, "LOUPE_ALONE": "1"}, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout[-3000:]

    return there


class Lent:
    """What ``spaces.GPU`` does with a function: forks, hands over and takes back by pickle. The device is the CPU."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, recipe: Recipe, items: list[Any], together: int) -> tuple[str, Any]:
        self.calls.append(len(items))
        context = multiprocessing.get_context("fork")
        there, back = context.Pipe()

        def work() -> None:
            back.send(spaces_gpu._answers(*back.recv(), "cpu"))

        process = context.Process(target=work)
        process.start()
        there.send((recipe, items, together))
        assert there.poll(60), "the forked process does not answer"
        answer = there.recv()
        process.join(20)
        return answer


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> Lent:
    """With CUDA emulated on this side as ``spaces`` does it: the GPU has a name."""
    monkeypatch.setattr("torch.cuda.get_device_name", lambda *_: "a lent GPU")
    return Lent()


@alone
def test_the_numbers_are_those_of_the_near_model(tmp_path: Path, lent: Lent) -> None:
    settings = Settings(latency=False, limit=200)
    near = evaluate(load_model("digits_cnn", LoadOptions(device="cpu")), Digits(), Store(tmp_path / "a"), settings)
    far = FarAdapter("digits_cnn", LoadOptions(), call=lent)
    run = evaluate(far, Digits(), Store(tmp_path / "b"), Settings(limit=200))
    assert run.id == near.id
    assert dict(run.metrics) == pytest.approx(dict(near.metrics), abs=1e-6, nan_ok=True)
    assert "latency_ms" not in run.timing  # a call is mostly waiting
    assert len(lent.calls) <= 4  # many batches a call, after one that warms up
    assert sum(lent.calls) == 1 + 200
    assert run.facts["model_facts"]["notes"]["gpu"]


@alone
def test_other_tasks_travel_too(tmp_path: Path, lent: Lent) -> None:
    engine = Engine(tmp_path)
    for name, data, task in (("scenes_nano", "demo:scenes", "detection"), ("nearest", "demo:photos", "enhancement")):
        dataset = engine.dataset(data, task=task)
        far = FarAdapter(name, LoadOptions(), task, call=lent)
        run = evaluate(far, dataset, engine.store, Settings(limit=3))
        near = evaluate(load_model(name, LoadOptions(device="cpu"), task), dataset, Store(tmp_path / "near"),
                        Settings(limit=3, latency=False))  # fmt: skip
        assert dict(run.metrics) == pytest.approx(dict(near.metrics), abs=1e-3, nan_ok=True)


def answering(*answers: Any) -> tuple[Callable[..., Any], list[int]]:
    """A call that gives one answer after the other, and the batch sizes it was asked for."""
    asked: list[int] = []
    left = list(answers)

    def call(_recipe: Recipe, _items: list[Any], together: int) -> Any:
        asked.append(together)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call, asked


def test_memory_over_there_halves_the_batch(tmp_path: Path) -> None:
    call, asked = answering(("memory", "CUDA out of memory"), ("memory", "CUDA out of memory"), ("ok", ["answer"]))
    far = FarAdapter("digits_cnn", LoadOptions(), call=call)
    assert far.plan(8) == 16
    assert far.forward([np.zeros(1)]) == ["answer"]
    assert asked == [8, 4, 2]
    call, _ = answering(*[("memory", "CUDA out of memory")] * 9)
    with pytest.raises(OutOfMemory):
        FarAdapter("digits_cnn", LoadOptions(), call=call).forward([np.zeros(1)])


def test_what_is_wrong_there_is_said_here() -> None:
    import gradio as gr

    call, _ = answering(
        ("input", "One sentence."), gr.Error("You have exceeded your <a href='x'>quota</a>."), ("value", "no shares")
    )
    far = FarAdapter("digits_cnn", LoadOptions(), call=call)
    with pytest.raises(InputError, match=r"^One sentence\.$"):
        far.forward([np.zeros(1)])
    with pytest.raises(InputError, match=r"^No GPU could be had: You have exceeded your quota ?\.$"):
        far.forward([np.zeros(1)])
    with pytest.raises(ValueError, match="no shares"):
        far.forward([np.zeros(1)])


@pytest.mark.parametrize(
    ("seconds", "size", "expected"),
    [(1.0, 100, 128), (20.0, 100, 32), (200.0, 100, 16), (0.01, 100, 128), (0.01, 32 << 20, 16)],
)
def test_calls_grow_towards_a_time(monkeypatch: pytest.MonkeyPatch, seconds: float, size: int, expected: int) -> None:
    """32 pictures took so long: the next call takes as many as fit 20 s, at most 4 times more, within 256 MB."""
    far = FarAdapter("digits_cnn", LoadOptions(), call=lambda *_: ("ok", []))
    far.plan(16)
    far._learn([np.zeros(size, np.uint8)] * 32, seconds)
    assert far.items == expected


def test_recipes_are_keys_and_tell_settings_apart() -> None:
    one, other = (Recipe.of("m", None, LoadOptions(settings={"conf": conf})) for conf in ("0.1", "0.2"))
    assert len({one, other, Recipe.of("m", None, LoadOptions(settings={"conf": "0.1"}))}) == 2


def test_a_visitor_gets_the_gpu_and_the_server_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.engine.ON", True)
    engine = Engine(tmp_path, public=True)
    assert not isinstance(engine.model("digits_cnn"), FarAdapter)
    assert isinstance(engine.store, VisitorStore)
    engine.store.who = lambda: Visitor(("cookie",))
    assert isinstance(engine.model("digits_cnn"), FarAdapter)
    assert not isinstance(engine.model("scenes_sem_nano"), FarAdapter)
    assert engine.options.device == "cpu"  # of what loads models without the engine: profiles


def test_without_spaces_nothing_changes() -> None:
    assert not spaces_gpu.ON
    assert spaces_gpu.answers is spaces_gpu._answers


SPACE = """
import os, sys, types
made = types.ModuleType("spaces")
made.found = []
def GPU(task=None, duration=None):
    def wrap(function):
        made.found.append((function.__name__, duration))
        return function
    return wrap if task is None else wrap(task)
made.GPU = GPU
made.__spec__ = types.SimpleNamespace(name="spaces", loader=None, origin="here", submodule_search_locations=None)
sys.modules["spaces"] = made
import dashboard.serve
print("FOUND", made.found, dashboard.engine.ON)
"""


def test_the_function_is_declared_when_the_app_is_imported() -> None:
    """ZeroGPU looks for decorated functions at the start, and stops a Space without any."""
    environment = {**os.environ, "SPACES_ZERO_GPU": "true"}
    done = subprocess.run([sys.executable, "-c", SPACE], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert "FOUND [('_answers', 60)] True" in done.stdout, done.stderr


def test_system_packages_are_names() -> None:
    names = (ROOT / "packages.txt").read_text("utf-8").split()
    assert names == ["libgl1", "libglib2.0-0"]
    assert "packages.txt" in (ROOT / "Dockerfile").read_text("utf-8")
