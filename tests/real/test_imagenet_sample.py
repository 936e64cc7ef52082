"""Real photos: all can be read, exactly as the reference tools read them, and their WordNet ids meet a model's."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard.datasets.images import read_image, read_image_bytes, thumbnail
from dashboard.datasets.opening import open_dataset
from dashboard.labels import match_classes

DATA = Path(os.environ.get("LOUPE_DATA") or Path(__file__).parents[3] / "shared" / "data")
SAMPLE = DATA / "imagenet_sample"

pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the real photos are not at {SAMPLE} (set LOUPE_DATA)")


@pytest.fixture(scope="module")
def photos():
    return open_dataset(SAMPLE)


def test_it_is_an_imagefolder(photos):
    assert len(photos) == 200
    assert len(set(photos.class_ids)) == 200
    assert photos.warnings == ()
    assert all(identity.startswith(name + "/") for identity, name in zip(photos.ids, photos.class_names, strict=True))


def test_pixels_equal_pillow(photos):
    for sample in photos:
        with Image.open(io.BytesIO(sample.source.read_bytes())) as picture:
            np.testing.assert_array_equal(sample.image, np.asarray(picture.convert("RGB")), err_msg=sample.id)


def test_thumbnails(photos):
    for sample in list(photos)[:20]:
        assert max(read_image_bytes(thumbnail(sample.source, 160)).shape) == 160


def test_wordnet_ids_meet(photos):
    table = json.loads((DATA / "imagenet_classes.json").read_text())
    found = match_classes(photos.class_names, photos.class_ids, [v["name"] for v in table.values()], list(table))
    assert found.how == "WordNet ids"
    assert found.to_model.tolist() == [table[i]["index"] for i in photos.class_ids]


def test_pictures_of_other_tasks_can_be_read():
    files = [p for p in DATA.rglob("*") if p.suffix.lower() in (".png", ".bmp", ".jpg") and p.is_file()]
    for path in files:
        assert read_image(path).ndim == 3, path
