"""Stored pictures: every pixel comes back, in dataset order, one row group at a time; what is damaged is said."""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.enhancement_parts import (
    Decoded,
    EnhancementPart,
    border_of,
    decode,
    encode,
    enhancement_batches,
    pictures_of,
)
from dashboard.metrics.enhancement.measured import measure, measured
from dashboard.predictions import PICTURE_ROWS, compact, done_indices, part_facts, write_part
from dashboard.types import EnhancedImage


def drawn(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def part(*rows: tuple[int, EnhancedImage, EnhancedImage | None], scale: int = 1) -> EnhancementPart:
    return EnhancementPart.join([EnhancementPart.of(i, f"p{i}.png", found, truth, scale) for i, found, truth in rows])


def row(index: int, truth: bool = True, size: tuple[int, int] = (9, 7)) -> tuple:
    """A noise picture and its reference, both known by the index."""
    found = EnhancedImage(drawn((*size, 3), index))
    return index, found, EnhancedImage(drawn((*size, 3), 1000 + index)) if truth else None


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.booleans(), st.booleans(), st.integers(1, 4), st.integers(0, 999))
def test_every_pixel_comes_back(height, width, grey, clear, scale, seed):
    alpha = drawn((height, width), seed + 1) if clear else None
    given_ = EnhancedImage(drawn((height, width) if grey else (height, width, 3), seed), scale, alpha)
    got = decode(encode(given_), scale)
    assert got.scale == scale
    assert got.size == given_.size
    np.testing.assert_array_equal(got.rgb, given_.rgb)
    if clear:
        np.testing.assert_array_equal(got.alpha, alpha)
    else:
        assert got.alpha is None
        assert got.pixels.shape == given_.pixels.shape  # grey is stored as grey


def test_colours_are_not_exchanged():
    red = EnhancedImage(np.array([[[250, 20, 3]]], np.uint8))
    assert decode(encode(red)).pixels.tolist() == [[[250, 20, 3]]]
    assert cv2.imdecode(np.frombuffer(encode(red), np.uint8), cv2.IMREAD_COLOR).tolist() == [[[3, 20, 250]]]


def damaged() -> dict[str, bytes]:
    whole = encode(EnhancedImage(drawn((40, 30, 3))))
    deep = cv2.imencode(".png", np.full((4, 4), 999, np.uint16))[1].tobytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    found = {"empty": b"", "text": b"no picture at all", "head": whole[:20], "half": whole[:middle]}
    return found | {"most": whole[:-20], "flipped": flipped, "16 bits": deep}


@pytest.mark.parametrize("how", damaged())
def test_what_is_no_stored_picture_is_refused(how):
    with pytest.raises(ValueError, match="this is no stored picture"):
        decode(damaged()[how])


@pytest.mark.parametrize(("scale", "border"), [(1, 0), (2, 2), (3, 3), (4, 4)])
def test_the_border_of_published_tables(scale, border):
    assert border_of(scale) == border


def test_pictures_are_decoded_only_when_asked_for():
    pictures = [drawn((3, 4, 3), k) for k in range(2)]
    found = Decoded([encode(EnhancedImage(pictures[0])), b"", b"broken", encode(EnhancedImage(pictures[1][..., 0]))])
    assert len(found) == 4
    np.testing.assert_array_equal(found[0], pictures[0])
    assert found[1] is None
    np.testing.assert_array_equal(found[3], np.repeat(pictures[1][..., :1], 3, axis=2))  # grey as three channels
    with pytest.raises(ValueError, match="no stored picture"):
        found[2]


def test_numbers_shown_while_a_model_runs_are_the_final_ones():
    index, found, truth = row(3, size=(30, 25))
    one = EnhancementPart.of(index, "p3.png", found, truth, 4)
    assert one.psnr[0] == pytest.approx(measure(found.pixels, truth.pixels, 4)["psnr"], rel=1e-12)
    assert np.isnan(EnhancementPart.of(index, "p3.png", found, None, 4).psnr[0])
    assert EnhancementPart.of(index, "p3.png", found, found, 1).psnr[0] == np.inf
    assert one.nbytes == len(one.found[0]) + len(one.truth[0]) > 0


def test_a_reference_of_another_size_is_refused_by_name():
    with pytest.raises(ValueError, match=r"p\.png: found must be of \(9, 8\), as its reference, got \(9, 7\)"):
        EnhancementPart.of(0, "p.png", row(0)[1], row(0, size=(9, 8))[1], 1)


def test_parts_are_joined_and_written_in_order(tmp_path):
    sizes = [(5, 8), (12, 3), (1, 1)]
    joined = part(*(row(i, size=size) for i, size in zip((4, 5, 9), sizes, strict=True)), scale=2)
    table = joined.table()
    assert table.column("index").to_pylist() == [4, 5, 9]
    assert table.column("id").to_pylist() == ["p4.png", "p5.png", "p9.png"]
    assert list(zip(table.column("height").to_pylist(), table.column("width").to_pylist(), strict=True)) == sizes
    assert table.column("scale").to_pylist() == [2, 2, 2]
    write_part(tmp_path / "part.parquet", joined, {"wall_s": 1.5})
    assert part_facts(tmp_path / "part.parquet")["wall_s"] == "1.5"
    assert done_indices([tmp_path / "part.parquet"]).tolist() == [4, 5, 9]


@pytest.fixture
def stored(tmp_path):
    """Ten pictures of 0, 2, 4 ... in two parts, the later one written first; 6 has no reference."""
    for name, indices in (("a", (8, 10, 12, 14, 16, 18)), ("b", (0, 2, 4, 6))):
        write_part(tmp_path / f"{name}.parquet", part(*(row(i, truth=i != 6) for i in indices), scale=3), {})
    compact([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "whole.parquet")
    return tmp_path / "whole.parquet"


def test_batches_come_in_dataset_order_a_few_at_a_time(stored):
    batches = list(enhancement_batches(stored))
    assert [len(batch) for _, batch in batches] == [PICTURE_ROWS, PICTURE_ROWS, 2]
    assert np.concatenate([index for index, _ in batches]).tolist() == list(range(0, 20, 2))
    for index, batch in batches:
        assert list(batch.ids) == [f"p{i}.png" for i in index]
        assert list(batch.scales) == list(batch.borders) == [3] * len(batch)
        for place, i in enumerate(index):
            _, found, truth = row(i, truth=i != 6)
            np.testing.assert_array_equal(batch.found[place], found.pixels)
            assert (batch.truth[place] is None) == (i == 6)
            if truth is not None:
                np.testing.assert_array_equal(batch.truth[place], truth.pixels)
    numbers = measured(batches[0][1])
    assert np.isnan(numbers.columns["psnr"]).tolist() == [False, False, False, True]


@pytest.mark.parametrize("index", range(0, 20, 2))
def test_one_images_pictures_are_found(stored, index):
    got = pictures_of(stored, index)
    assert got.scale == 3
    found, truth = got.pixels
    np.testing.assert_array_equal(found, row(index)[1].pixels)
    if index == 6:
        assert truth is None
    else:
        np.testing.assert_array_equal(truth, row(index)[2].pixels)


@pytest.mark.parametrize("index", [-1, 1, 13, 20])
def test_an_image_that_was_not_predicted_has_none(stored, index):
    assert pictures_of(stored, index) is None


def test_other_predictions_are_no_pictures(stored):
    table = pq.read_table(stored)
    for column in ("found_image", "true_image", "scale"):
        pq.write_table(table.drop_columns([column]), stored)
        with pytest.raises(ValueError, match=f"whole.parquet has no column {column}"):
            next(enhancement_batches(stored))


def test_a_damaged_picture_in_a_file_is_said(stored):
    table = pq.read_table(stored)
    at = table.schema.get_field_index("found_image")
    broken = pa.array([b"broken"] * len(table), pa.large_binary())
    pq.write_table(table.set_column(at, table.schema.field(at), broken), stored)
    with pytest.raises(ValueError, match=r"p0\.png: this is no stored picture"):
        measured(next(enhancement_batches(stored))[1])
