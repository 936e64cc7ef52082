"""The two models trained by this project."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.datasets.digits import Digits
from models.base import LoadOptions
from models.demo.digits import HERE, GreyEight
from models.load import load_model


def test_they_are_small():
    assert sum(path.stat().st_size for path in HERE.glob("digits_*.safetensors")) < 200_000


@pytest.mark.parametrize(("name", "accuracy"), [("digits_linear", 0.9213), ("digits_cnn", 0.9765)])
def test_held_out_accuracy(name, accuracy):
    data = Digits()
    predictions = load_model(name, LoadOptions(device="cpu")).predict([sample.image for sample in data])
    right = np.mean([p.label == target for p, target in zip(predictions, data.targets, strict=True)])
    assert right == pytest.approx(accuracy, abs=0.002)


def test_training_gives_these_very_weights(tmp_path):
    import torch
    from safetensors.torch import load_file

    from models.demo.train_digits import main

    threads, mkldnn = torch.get_num_threads(), torch.backends.mkldnn.enabled
    try:
        main(tmp_path)
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
        torch.backends.mkldnn.enabled = mkldnn
    for path in sorted(HERE.glob("digits_*.safetensors")):
        committed, made = load_file(path), load_file(tmp_path / path.name)
        for key, tensor in committed.items():  # other processors round otherwise
            np.testing.assert_allclose(tensor, made[key], atol=0.05, err_msg=f"{path.name} {key}")


@pytest.mark.parametrize("factor", [1, 4, 28])
def test_enlarged_digits_come_back_exactly(factor):
    image = Digits()[0].image
    enlarged = image.repeat(factor, 0).repeat(factor, 1)
    np.testing.assert_array_equal(GreyEight()(enlarged)[:, :, 0], image[:, :, 0])
