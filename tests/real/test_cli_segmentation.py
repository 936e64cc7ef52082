"""CamVid through the command line: what scikit-learn's confusion matrix gives, however it is handed in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from tests.datasets.pictures import zip_folder

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LOUPE_DATA") or ROOT.parent / "shared" / "data")
CAMVID = DATA / "camvid"
CLASSES, VOID = 11, 11

pytestmark = pytest.mark.skipif(not CAMVID.is_dir(), reason=f"CamVid is not at {DATA} (set LOUPE_DATA)")


def masks(folder: Path) -> list[np.ndarray]:
    return [cv2.imread(str(f), cv2.IMREAD_UNCHANGED) for f in sorted(folder.iterdir())]


def shifted(folder: Path, change: Any = None) -> Path:
    """The true masks moved by 3 rows and 5 columns, their numbers changed by a table of 256 if there is one."""
    folder.mkdir()
    for file, ids in zip(sorted((CAMVID / "masks").iterdir()), masks(CAMVID / "masks"), strict=True):
        moved = np.roll(ids, (3, 5), (0, 1))
        cv2.imwrite(str(folder / file.name), moved if change is None else change[moved])
    return folder


def run_score(predictions: Path, store: Path, *more: str, truth: Path = CAMVID) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dashboard", "score", "--task", "semantic-segmentation", "--truth", str(truth)]
    command += ["--predictions", str(predictions), "--store", str(store), "--json", "-", *more]
    env = os.environ | {"LOUPE_CACHE": str(store / "cache")}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env)


def score(predictions: Path, store: Path, *more: str, truth: Path = CAMVID) -> dict[str, Any]:
    done = run_score(predictions, store, *more, truth=truth)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout, parse_constant=pytest.fail)["runs"]
    return run


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, Any]:
    """By scikit-learn. Pixels that the answer calls void are missed, but no class's false ones."""
    found = masks(shifted(tmp_path_factory.mktemp("p") / "p"))
    true = np.concatenate([m.reshape(-1) for m in masks(CAMVID / "masks")])
    said = np.concatenate([m.reshape(-1) for m in found])
    counted = true != VOID
    matrix = confusion_matrix(true[counted], said[counted], labels=range(CLASSES + 1))[:CLASSES]
    right = matrix[:, :CLASSES].diagonal()
    rows, columns = matrix.sum(axis=1), matrix[:, :CLASSES].sum(axis=0)
    iou, dice = right / (rows + columns - right), 2 * right / (rows + columns)
    metrics = {
        "pixel_accuracy": right.sum() / matrix.sum(),
        "mean_pixel_accuracy": (right / rows).mean(),
        "miou": iou.mean(),
        "frequency_weighted_iou": (rows / rows.sum() * iou).sum(),
        "mdice": dice.mean(),
    }
    return {"metrics": metrics, "iou": iou, "dice": dice}


def check(run: dict[str, Any], expected: dict[str, Any]) -> None:
    assert run["samples"] == 26
    got = {k: run["metrics"][k] for k in expected["metrics"]}
    assert got == pytest.approx(expected["metrics"], abs=1e-9)
    names = (CAMVID / "classes.txt").read_text().split()
    for i, name in enumerate(names):
        assert run["per_class"][name]["iou"] == pytest.approx(expected["iou"][i], abs=1e-9)
        assert run["per_class"][name]["dice"] == pytest.approx(expected["dice"][i], abs=1e-9)


def test_shifted_masks_score_as_scikit_learn_counts(tmp_path, expected):
    folder = shifted(tmp_path / "moved")
    check(score(folder, tmp_path / "a"), expected)
    check(score(folder, tmp_path / "b", "--set", "ignore=11"), expected)
    check(score(zip_folder(folder, tmp_path / "moved.zip", inside="moved"), tmp_path / "c"), expected)
    assert expected["metrics"]["miou"] == pytest.approx(0.654477, abs=1e-5)


def test_in_another_order_of_classes(tmp_path, expected):
    names = (CAMVID / "classes.txt").read_text().split()
    order = np.random.default_rng(4).permutation(CLASSES)
    table = np.arange(256).astype(np.uint8)
    table[order] = np.arange(CLASSES)
    (tmp_path / "names.txt").write_text("\n".join(names[i] for i in order))
    folder = shifted(tmp_path / "moved", table)
    check(score(folder, tmp_path / "a", "--classes", str(tmp_path / "names.txt")), expected)
    assert score(folder, tmp_path / "b")["metrics"]["miou"] < 0.5


def test_by_colour_and_as_zip(tmp_path, expected):
    names = [*(CAMVID / "classes.txt").read_text().split(), "Void"]
    colours = np.random.default_rng(5).permutation(256)[: 3 * len(names)].reshape(-1, 3).astype(np.uint8)
    truth = tmp_path / "camvid"
    (truth / "masks").mkdir(parents=True)
    (truth / "images").symlink_to(CAMVID / "images")
    rows = [f"{r},{g},{b},{name}" for name, (r, g, b) in zip(names, colours.tolist(), strict=True)]
    (truth / "palette.txt").write_text("\n".join(rows))
    for file, ids in zip(sorted((CAMVID / "masks").iterdir()), masks(CAMVID / "masks"), strict=True):
        cv2.imwrite(str(truth / "masks" / file.name), colours[ids][..., ::-1])
    moved = tmp_path / "moved"
    moved.mkdir()
    for file, ids in zip(sorted((CAMVID / "masks").iterdir()), masks(CAMVID / "masks"), strict=True):
        cv2.imwrite(str(moved / file.name), colours[np.roll(ids, (3, 5), (0, 1))][..., ::-1])
    check(score(moved, tmp_path / "a", truth=truth), expected)


def test_the_truth_itself_and_what_is_refused(tmp_path):
    perfect = score(CAMVID / "masks", tmp_path / "a")["metrics"]
    for name in ("pixel_accuracy", "mean_pixel_accuracy", "miou", "frequency_weighted_iou", "mdice"):
        assert perfect[name] == 1
    folder = shifted(tmp_path / "moved")
    ids = cv2.imread(str(folder / "0016E5_07959.png"), cv2.IMREAD_UNCHANGED)
    ids[7, 8] = 99
    cv2.imwrite(str(folder / "0016E5_07959.png"), ids)
    done = run_score(folder, tmp_path / "b")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "0016E5_07959.png: the pixel at row 7, column 8 has the number 99" in done.stderr
    os.unlink(folder / "0016E5_07959.png")
    done = run_score(folder, tmp_path / "b")
    assert done.returncode == 2
    assert "no mask for 1 of the 26 pictures: '0016E5_07959.png'" in done.stderr
