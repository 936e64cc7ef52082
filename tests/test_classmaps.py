"""Class maps as PNG: exact, small, and nothing else is taken for one."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dashboard.classmaps import Decoded, decode, encode
from dashboard.types import Segmentation, class_dtype, ignore_of

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=20)


@given(st.sampled_from([np.uint8, np.uint16]).flatmap(lambda kind: arrays.arrays(kind, SHAPES)))
def test_what_is_encoded_comes_back(ids):
    again = decode(encode(ids))
    assert again.dtype == ids.dtype
    assert (again == ids).all()


def test_a_png_reader_sees_the_numbers():
    grey = np.array(PIL.Image.open(io.BytesIO(encode(np.array([[0, 7, 255]], np.uint8)))))
    assert grey.tolist() == [[0, 7, 255]]
    wide = np.array(PIL.Image.open(io.BytesIO(encode(np.array([[0, 258, 65535]], np.uint16)))))
    assert wide.tolist() == [[[0, 0, 0], [2, 1, 0], [255, 255, 0]]]  # low byte, high byte


def test_a_large_map_of_few_regions_is_small():
    ids = np.repeat(np.repeat(np.arange(24, dtype=np.uint8).reshape(4, 6), 256, axis=0), 256, axis=1)
    assert len(encode(ids)) < ids.size / 100


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 2), np.int64), np.zeros((2, 2, 3), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_other_arrays_are_refused(wrong):
    with pytest.raises(ValueError, match="class_ids must be"):
        encode(wrong)
    with pytest.raises(ValueError, match="class_ids must be"):
        Segmentation(wrong)


@pytest.mark.parametrize("data", [b"", b"no picture", encode(np.zeros((4, 4), np.uint8))[:40]])
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError, match="no class map"):
        decode(data)


def test_maps_are_decoded_when_asked_for():
    maps = [np.full((2, 3), k, np.uint8) for k in range(3)]
    lazy = Decoded([encode(m) for m in maps])
    assert len(lazy) == 3
    assert all((a == b).all() for a, b in zip(lazy, maps, strict=True))


@pytest.mark.parametrize(
    ("classes", "kind", "ignore"), [(1, np.uint8, 255), (254, np.uint8, 255), (255, np.uint16, 65535)]
)
def test_how_many_bytes_a_pixel_takes(classes, kind, ignore):
    assert class_dtype(classes) is kind
    assert ignore_of(classes) == ignore
    assert classes <= ignore - 1  # the number past the classes is "other", and not the ignored one


def test_probabilities_of_another_size_are_refused():
    class Wrong:
        shape = (3, 4, 5)

    with pytest.raises(ValueError, match="probabilities must be of"):
        Segmentation(np.zeros((4, 4), np.uint8), probabilities=Wrong())  # type: ignore[arg-type]
