"""demo:photos: the held-out photos, small enough, degraded as one chooses."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.datasets.degrade import parse
from dashboard.datasets.images import read_image
from dashboard.datasets.opening import open_dataset
from dashboard.datasets.photo_split import photo_paths
from dashboard.errors import InputError

TASK = "enhancement"


def opened(**options):
    return open_dataset("demo:photos", task=TASK, options=options)


def test_held_out_photos():
    data = opened()
    assert data.ids == [path.name for path in photo_paths("test")]
    assert not set(data.files) & {str(path) for path in photo_paths("train")}
    assert data.scale == 2
    assert "bicubic:2" in data.recipe
    assert data.options == {}
    for sample in data:
        height, width = sample.target.size
        assert max(height, width) <= 512
        assert height % 2 == width % 2 == 0
        assert sample.image.shape == (height // 2, width // 2, 3)


def test_the_middle_of_a_large_photo():
    china = read_image(photo_paths("test")[-1])
    assert china.shape == (427, 640, 3)
    np.testing.assert_array_equal(opened(degrade="noise:9").targets[-1].pixels, china[:, 64:576])


def test_another_degradation():
    data = opened(degrade="noise:25", seed="3", grey="true")
    assert data.scale == 1
    assert data.options == {"degrade": "noise:25", "seed": "3", "grey": "true"}
    truth = data.targets[0].pixels
    np.testing.assert_array_equal(data[0].image, parse("noise:25").apply(truth, 3, data.ids[0]))
    assert data.fingerprint != opened(degrade="noise:25").fingerprint != opened().fingerprint
    assert opened(degrade="none").targets[0] is None


@pytest.mark.parametrize(
    ("source", "task", "options", "says"),
    [
        ("demo:photos", TASK, {"degrade": "noise:0"}, "noise takes"),
        (
            "demo:photos",
            TASK,
            {"seeds": "1"},
            "demo:photos has no option 'seeds': it takes degrade, seed, grey. Did you",
        ),
        ("demo:photos", TASK, {"images": "x"}, "demo:photos has no option 'images'"),
        ("demo:digits", "classification", {"degrade": "noise:5"}, "demo:digits has no option 'degrade': it takes none"),
        ("demo:photos", "detection", {}, "demo:photos is for enhancement, not for detection"),
    ],
)
def test_refused(source, task, options, says):
    with pytest.raises(InputError) as caught:
        open_dataset(source, task=task, options=options)
    assert says in str(caught.value)
