"""Layers do not reach up: who may import what, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 350
LONG: dict[str, str] = {}  # file: why it may be longer
FILES = [p.relative_to(ROOT).as_posix() for folder in ("dashboard", "models") for p in (ROOT / folder).rglob("*.py")]
FILES = sorted([*FILES, "app.py"])
TOP = ("dashboard/tabs/", "dashboard/views/", "dashboard/serve.py", "app.py")
HEAVY = {"torch", "torchvision", "timm", "ultralytics", "onnxruntime", "sklearn", "gradio", "plotly"}


def imports(path: str, lazy: bool = True) -> set[str]:
    """Full names of the modules a file imports; without ``lazy`` only those imported with it.

    What is under ``if TYPE_CHECKING`` is for the type checker and never imported.
    """
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not lazy:
            return
        if isinstance(node, ast.Import):
            found.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found.update({node.module or "", *(f"{node.module}.{a.name}" for a in node.names)})
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse((ROOT / path).read_text("utf-8")))
    return found


def packages(path: str, lazy: bool = True) -> set[str]:
    """The outermost packages a file imports."""
    return {name.partition(".")[0] for name in imports(path, lazy)}


def of(*starts: str) -> list[str]:
    return [f for f in FILES if f.startswith(starts)]


def others(path: str) -> set[str]:
    """Packages that are neither Python's own nor ours."""
    return packages(path) - set(sys.stdlib_module_names) - {"dashboard", "models"}


def test_the_walk_finds_something():
    assert len(FILES) > 50
    assert "gradio" in packages("dashboard/serve.py")
    assert "torch" in packages("models/torch_adapter.py")
    assert "torch" not in packages("models/torch_adapter.py", lazy=False)


@pytest.mark.parametrize(
    "path", ["dashboard/types.py", "dashboard/results.py", "dashboard/errors.py", "dashboard/registry.py"]
)
def test_the_central_types_need_numpy_only(path):
    assert others(path) <= {"numpy"}
    ours = {name for name in imports(path) if name.startswith(("dashboard", "models"))}
    assert all(name.startswith("dashboard.errors") for name in ours)


def test_geometry_needs_numpy_only():
    for path in of("dashboard/geometry.py"):
        assert others(path) <= {"numpy"}


@pytest.mark.parametrize("path", of("dashboard/metrics/"))
def test_metrics(path):
    assert others(path) <= {"numpy", "scipy", "cv2"}
    ours = {name for name in imports(path) if name.startswith(("dashboard.", "models"))}
    allowed = ("dashboard.metrics", "dashboard.results", "dashboard.types", "dashboard.errors", "dashboard.registry")
    assert all(name.startswith((*allowed, "dashboard.masks")) for name in ours), ours


@pytest.mark.parametrize("path", of("models/"))
def test_models(path):
    assert packages(path).isdisjoint({"gradio", "plotly", "duckdb"})
    ours = {name for name in imports(path) if name.startswith("dashboard.")}
    allowed = (
        "dashboard.errors",
        "dashboard.types",
        "dashboard.registry",
        "dashboard.datasets",
        "dashboard.masks",
        "dashboard.textfiles",
    )
    assert all(name.startswith(allowed) for name in ours), ours


@pytest.mark.parametrize("path", of("dashboard/datasets/"))
def test_datasets(path):
    assert packages(path).isdisjoint({"torch", "gradio", "plotly", "models"})


@pytest.mark.parametrize("path", of("dashboard/figures", "dashboard/explore", "dashboard/explain"))
def test_figures(path):
    assert packages(path).isdisjoint({"torch", "gradio", "models"})


@pytest.mark.parametrize("path", [f for f in FILES if not f.startswith(TOP)])
def test_gradio_stays_on_top(path):
    """In tabs, views, serve and app only; and nothing below imports these (but for the command ``serve``)."""
    assert "gradio" not in packages(path)
    up = {name for name in imports(path) if name.startswith(("dashboard.tabs", "dashboard.views", "dashboard.serve"))}
    if path == "dashboard/cli.py":
        up = {name for name in imports(path, lazy=False) if name in up}
    assert not up


def test_the_command_line_is_the_top_of_what_has_no_browser():
    allowed = {"dashboard/__main__.py", *of(*TOP)}
    for path in FILES:
        if path not in allowed:
            assert "dashboard.cli" not in imports(path), path


@pytest.mark.parametrize("path", FILES)
def test_files_are_short(path):
    lines = len((ROOT / path).read_text("utf-8").splitlines())
    assert lines <= MOST_LINES or path in LONG, f"{path} has {lines} lines: split it by what it is about"


def loaded_by(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter has loaded after some code."""
    tail = "\nimport sys; print('LOADED', *sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split()) & HEAVY


def test_importing_and_help_load_nothing_heavy():
    assert loaded_by("import dashboard, dashboard.cli, dashboard.types, models") == set()
    for arguments in (["--help"], ["evaluate", "--help"]):
        code = f"from dashboard.cli import main\ntry: main({arguments!r})\nexcept SystemExit: pass"
        assert loaded_by(code) == set()


@pytest.mark.parametrize("command", ["models", "datasets", "runs"])
def test_listings_load_no_network_library(command, tmp_path):
    code = f"from dashboard.cli import main\nmain([{command!r}, '--json', '--store', {str(tmp_path)!r}])"
    assert loaded_by(code) == set()


def test_the_loop_loads_no_network_library():
    names = "evaluation, engine, scoring, jobs, selection, store"
    assert loaded_by(f"from dashboard import {names}") == set()


def test_the_walk_catches_what_it_should(tmp_path):
    (tmp_path / "bad.py").write_text("def f():\n    import torch.nn as nn\nfrom gradio import Tab\n")
    path = (tmp_path / "bad.py").as_posix()
    assert packages(path) == {"torch", "gradio"}
    assert packages(path, lazy=False) == {"gradio"}
