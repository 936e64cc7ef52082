"""The images format: inputs made on the fly from clean pictures, always the same, and what is refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from dashboard.datasets import clean_images
from dashboard.datasets.degrade import is_grey, parse
from dashboard.datasets.images import read_image
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from tests.datasets.pictures import encode, gradient, png16, zip_folder

TASK = "enhancement"


@pytest.fixture
def root(tmp_path):
    for i, name in enumerate(("a.png", "sub/b.png", "sub/c.png")):
        file = tmp_path / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(gradient(21, 30, i), "PNG"))
    return tmp_path / "set"


def opened(root, degrade="noise:25", **options):
    return open_dataset(root, task=TASK, options={"degrade": degrade, **options})


def refused(root, **options) -> str:
    with pytest.raises(InputError) as caught:
        open_dataset(root, task=TASK, options=options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_by_hand(root):
    data = opened(root, "bicubic:4")
    assert (data.format, data.scale, data.class_names, data.class_ids) == ("images", 4, (), ())
    assert data.options == {"degrade": "bicubic:4"}
    assert data.ids == ["a.png", "sub/b.png", "sub/c.png"]
    assert data.recipe.startswith(
        "Each clean picture is cropped at the bottom and right to a multiple of 4 pixels, then"
    )
    assert data.warnings == (
        "Cropped at the bottom and right to a multiple of 4 pixels, as for published tables: 3 of 3 pictures "
        "('a.png', 'sub/b.png', 'sub/c.png').",
    )
    sample = data[1]
    np.testing.assert_array_equal(sample.target.pixels, gradient(21, 30, 1)[:20, :28])
    assert sample.target.scale == 4
    np.testing.assert_array_equal(sample.image, parse("bicubic:4").apply(gradient(21, 30, 1), 0, "sub/b.png"))
    assert sample.image.shape == (5, 7, 3)
    assert sample.source == root / "sub" / "b.png"
    assert [t.size for t in data.targets[1:]] == [(20, 28)] * 2
    with pytest.raises(IndexError):
        data.targets[3]


def test_noise_does_not_depend_on_order_subsets_or_threads(root):
    data = opened(root)
    alone = data[2].image
    with ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda i: data[i].image, [0, 1, 2] * 8))
    for number, image in enumerate(many):
        np.testing.assert_array_equal(image, many[number % 3])
    np.testing.assert_array_equal(many[2], alone)
    (root / "a.png").unlink()
    (root / "d.png").write_bytes(encode(gradient(21, 30), "PNG"))
    np.testing.assert_array_equal(opened(root)[2].image, alone)
    assert (opened(root, seed="1")[2].image != alone).any()


def test_none_has_no_reference(root):
    data = opened(root, "none")
    assert data.scale == 1
    assert data.recipe == ""
    assert data.targets[0] is None
    assert data[0].target is None
    np.testing.assert_array_equal(data[0].image, gradient(21, 30))


def test_grey(root):
    data = opened(root, grey="true")
    assert is_grey(data[0].image)
    expected = np.asarray(Image.fromarray(gradient(21, 30)).convert("L"))
    for channel in range(3):
        np.testing.assert_array_equal(data.targets[0].pixels[..., channel], expected)
    assert "grey (BT.601) first" in data.recipe
    assert not is_grey(opened(root)[0].image)
    assert "option grey=maybe" in refused(root, degrade="noise:5", grey="maybe")


def test_the_fingerprint_covers_what_makes_the_inputs(root):
    different = [
        opened(root),
        opened(root, seed="1"),
        opened(root, "noise:26"),
        opened(root, grey="true"),
        opened(root, "none"),
        open_dataset(root, task=TASK, labels_only=True),
    ]
    assert len({data.fingerprint for data in different}) == len(different)
    assert opened(root, " Noise:25.0 ", seed="0", grey="false").fingerprint == different[0].fingerprint


def test_the_recipe_names_the_seed_where_it_matters(root):
    assert "seed 7" in opened(root, seed="7").recipe
    assert "seed" not in opened(root, "jpeg:10", seed="7").recipe


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, r"need a degradation that makes the inputs (option degrade): bicubic:4 (a whole factor 2..16), noise:25"),
        ({}, "none enhances the pictures as they are, without a reference"),
        ({"degrade": "noise:nan"}, "degrade=noise:nan: noise takes a standard deviation"),
        ({"degrade": "noise:5", "seed": "-1"}, "option seed=-1: it must be a whole number, 0 or more"),
        ({"degrade": "noise:5", "seed": "1.5"}, "option seed=1.5"),
        ({"degrade": "noise:5", "seed": "9" * 30}, "option seed=999"),
        ({"degrade": "noise:5", "target": "x"}, "has no option 'target'"),
        ({"degrade": "noise:5", "images": "nowhere"}, "is not a folder (option images)"),
    ],
)
def test_refused(root, options, says):
    assert says in refused(root, **options)


def test_too_small_for_the_scale(root):
    (root / "sub" / "tiny.png").write_bytes(encode(gradient(3, 30), "PNG"))
    text = refused(root, degrade="bicubic:4")
    assert "1 of 4 pictures are smaller than 4 pixels, too small for degrade=bicubic:4: 'sub/tiny.png'" in text
    assert opened(root, "bicubic:3")[3].image.shape == (1, 10, 3)


def test_sub_folder(root):
    assert opened(root, images="sub").ids == ["b.png", "c.png"]
    archive = zip_folder(root, root.parent / "set.zip")
    with pytest.raises(InputError, match="lies outside the dataset's folder"):
        open_dataset(archive, task=TASK, options={"degrade": "none", "images": ".."}, cache_dir=root.parent / "cache")


@pytest.mark.parametrize("inside", ["", "data", "data/deep"])
def test_a_zip_has_the_ids_of_its_folder(tmp_path, inside):
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "a.png").write_bytes(encode(gradient(), "PNG"))
    options = {"degrade": "noise:9"}
    plain = open_dataset(flat, task=TASK, options=options)
    archive = zip_folder(flat, tmp_path / "flat.zip", inside=inside)
    packed = open_dataset(archive, task=TASK, options=options, cache_dir=tmp_path / "cache")
    assert packed.ids == plain.ids == ["a.png"]
    assert packed.fingerprint == plain.fingerprint
    np.testing.assert_array_equal(packed[0].image, plain[0].image)


def test_remarks(root):
    (root / "a.png").write_bytes(png16(np.full((8, 8, 3), 0x8040, np.uint16)))
    (root / "sub" / "b.png").write_bytes(encode(np.full((8, 8, 4), 99, np.uint8), "PNG"))
    (root / "sub" / "read.me").write_text("x")
    assert opened(root).warnings == (
        "1 file that is not a picture passed over (.me 1).",
        "Reduced to 8 bits a channel, of more: 1 of 3 pictures ('a.png').",
        "Transparency is left out of the comparison: 1 of 3 pictures ('sub/b.png').",
    )
    (root / "sub" / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    assert "sub/c.png begins like a PNG picture but is truncated" in refused(root, degrade="noise:5")


def test_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "is empty: give a folder or zip of inputs and references, or of clean pictures" in refused(
        tmp_path / "empty"
    )
    with pytest.raises(InputError, match="has no pictures"):
        open_dataset(tmp_path / "empty", "images", TASK, {"degrade": "none"})


def test_references_only(root):
    """Scoring pictures that were enhanced elsewhere."""
    data = open_dataset(root, task=TASK, labels_only=True)
    np.testing.assert_array_equal(data.targets[0].pixels, gradient(21, 30))
    assert "taken as references" in data.warnings[-1]
    with pytest.raises(InputError, match=r"The input of a\.png is not here"):
        data[0].load()
    made = open_dataset(root, task=TASK, options={"degrade": "bicubic:2"}, labels_only=True)
    assert made.targets[0].size == (20, 30)
    assert made.targets[0].scale == 2


def test_big_pictures_are_degraded_one_at_a_time(root, monkeypatch):
    monkeypatch.setattr("dashboard.datasets.images.BIG_PIXELS", 100)
    under_way, most, guard = 0, 0, threading.Lock()

    def slow(file):
        nonlocal under_way, most
        with guard:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.02)
        image = read_image(file)
        with guard:
            under_way -= 1
        return image

    data = opened(root)
    monkeypatch.setattr(clean_images, "read_image", slow)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: data[i].image, [0, 1, 2, 0]))
    assert most == 1
