"""Ultralytics' checkpoints: their own preprocessing and numbers, without their side effects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import load_model
from tests.models import weights

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return weights.ultralytics_pt(tmp_path_factory.mktemp("yolo") / "best.pt")


@pytest.fixture(scope="module")
def adapter(checkpoint):
    return load_model(checkpoint, LoadOptions(device="cpu"))


def test_facts_come_from_the_checkpoint(adapter):
    assert adapter.spec.class_names == weights.NAMES
    assert adapter.spec.input_size == (64, 64)
    assert adapter.notes["batch norms folded"] > 20


@pytest.mark.parametrize("image", weights.pictures(), ids=["wide", "tall", "tiny"])
def test_preprocessing_is_ultralytics_own(adapter, image):
    from ultralytics.data.augment import classify_transforms

    theirs = classify_transforms(64)(PIL.Image.fromarray(image)).numpy()
    np.testing.assert_allclose(adapter._batch([adapter.preprocess(image)])[0].numpy(), theirs, atol=2e-6)


def test_probabilities_are_ultralytics_own(adapter, checkpoint):
    import torch
    from ultralytics.data.augment import classify_transforms

    net = torch.load(checkpoint, weights_only=False)["model"].float().eval()
    batch = torch.stack([classify_transforms(64)(PIL.Image.fromarray(p)) for p in weights.pictures()])
    with torch.inference_mode():
        theirs = net(batch)[0].numpy()
    ours = np.stack([p.scores for p in adapter.predict(weights.pictures())])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_network_for_poses_is_refused(tmp_path):
    import torch

    from models.ultralytics_family import import_ultralytics

    net = import_ultralytics().PoseModel("yolo11n-pose.yaml", nc=2, verbose=False)
    torch.save({"model": net.half()}, tmp_path / "pose.pt")
    with pytest.raises(InputError, match="holds an Ultralytics PoseModel, which can not be used"):
        load_model(tmp_path / "pose.pt", LoadOptions(device="cpu"))


def test_the_import_leaves_things_as_they_were(checkpoint, tmp_path):
    code = (
        "import os, torch, PIL.Image\n"
        "torch.set_num_threads(2)\n"
        "opener = PIL.Image.open\n"
        "from models.base import LoadOptions\n"
        "from models.load import load_model\n"
        f"load_model({str(checkpoint)!r}, LoadOptions(device='cpu', threads=2))\n"
        "assert PIL.Image.open is opener\n"
        "assert torch.get_num_threads() == 2\n"
        "assert 'OMP_NUM_THREADS' not in os.environ\n"
        "assert os.environ['ULTRALYTICS_SAFE_LOAD'] == '1'\n"
        "assert not os.path.exists(os.path.expanduser('~/.config/Ultralytics'))\n"
    )
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("YOLO_", "ULTRALYTICS_")) and k != "OMP_NUM_THREADS"
    }
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={**env, "HOME": str(tmp_path)})
