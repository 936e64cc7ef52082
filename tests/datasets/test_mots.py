"""MOTS' layouts and rules: how masks are told from boxes, what counts, and lines that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import masks
from dashboard.datasets.mot import Mot
from dashboard.datasets.mots_rows import check_masks, is_mask, looks_like_masks, read_masks
from dashboard.datasets.mots_rules import mask_tracks
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.metrics.tracking.columns import COUNTED, REGION
from tests.datasets.pictures import encode, gradient, write, zip_folder
from tests.mots_files import INFO, SIZE, Line, rectangle, text

A, B, C = rectangle(0, 0, 4, 5), rectangle(6, 2, 9, 4), rectangle(20, 10, 28, 20)
WALK: list[Line] = [(0, 2001, 2, A), (0, 2002, 2, B), (1, 2001, 2, B), (0, 10000, 10, C)]
DRIVE: list[Line] = [(0, 1001, 1, A), (1, 1001, 1, A), (1, 2001, 2, B)]
TOLD = INFO.format(name="x", frames=4, height=SIZE[0], width=SIZE[1])


def sequence(folder: Path, lines: list[Line] | str = WALK, info: str | None = TOLD, first: int = 1) -> Path:
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text(lines if isinstance(lines, str) else text(lines, first))
    if info:
        (folder / "seqinfo.ini").write_text(info)
    return folder


def opened(path: Path, labels_only: bool = True, **options: str):
    return open_dataset(path, task="tracking", options=options, labels_only=labels_only)


def refused(path: Path, match: str, **options: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        opened(path, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


class TestLayouts:
    def test_a_sequence_of_mots20(self, tmp_path):
        data = opened(sequence(tmp_path / "MOTS20-02"))
        (one,) = data.sequences
        assert (one.name, len(one), one.size, one.fps) == ("MOTS20-02", 4, SIZE, 10)
        assert (data.format, data.benchmark, data.class_names, data.used) == ("mot", "MOTS", ("pedestrian",), [True])
        tracks = data.truth_tracks(0)
        assert (tracks.frame.tolist(), tracks.ids.tolist()) == ([0, 0, 0, 1], [2001, 2002, 10000, 2001])
        assert tracks.role.tolist() == [COUNTED, COUNTED, REGION, COUNTED]
        assert tracks.xyxy.tolist() == [[0, 0, 4, 5], [6, 2, 9, 4], [20, 10, 28, 20], [6, 2, 9, 4]]
        assert list(tracks.masks) == [A, B, C, B]
        first = data.targets[0]
        assert list(first.masks) == [A, B, C]
        assert first.size == SIZE
        assert [first.crowd.tolist(), first.ignore.tolist()] == [[False, False, True]] * 2
        assert [len(target) for target in data.targets] == [3, 1, 0, 0]
        assert any("masks" in note for note in data.warnings)
        assert "region to ignore (class 10)" in data.recipe

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_folder_of_them(self, tmp_path, packed):
        for name in ("MOTS20-02", "MOTS20-05"):
            sequence(tmp_path / "data" / "train" / name)
        data = opened(zip_folder(tmp_path / "data", tmp_path / "mots.zip") if packed else tmp_path / "data")
        assert [one.name for one in data.sequences] == ["MOTS20-02", "MOTS20-05"]

    @pytest.mark.parametrize("packed", [False, True])
    def test_files_side_by_side_with_the_pictures_of_kitti(self, tmp_path, packed):
        labels = tmp_path / "data" / "instances_txt"
        labels.mkdir(parents=True)
        for name in ("0000", "0010", "0002"):
            (labels / f"{name}.txt").write_text(text(DRIVE, 0))
            for n in (0, 1, 2):
                picture = tmp_path / "data" / "image_02" / name / f"{n:06d}.png"
                picture.parent.mkdir(parents=True, exist_ok=True)
                picture.write_bytes(encode(gradient(*SIZE, n), "PNG"))
        path = zip_folder(tmp_path / "data", tmp_path / "x.zip") if packed else tmp_path / "data"
        data = opened(path, labels_only=False)
        assert [(one.name, len(one), one.pictures) for one in data.sequences] == [
            (name, 3, True) for name in ("0000", "0002", "0010")
        ]
        assert (data.benchmark, data.class_names) == ("KITTI-MOTS", ("car", "pedestrian"))
        assert data.truth_tracks(0).frame.tolist() == [0, 1, 1]
        assert data.truth_tracks(0).class_ids.tolist() == [0, 0, 1]
        assert data[0].source.name == "000000.png"

    def test_a_single_file(self, tmp_path):
        (tmp_path / "walk.txt").write_text(text(WALK))
        data = opened(tmp_path / "walk.txt")
        assert [(one.name, len(one), one.size) for one in data.sequences] == [("walk", 2, SIZE)]

    def test_as_spreadsheets_write_it(self, tmp_path):
        (tmp_path / "walk.txt").write_text(text(WALK), "utf-16")
        assert len(opened(tmp_path / "walk.txt").truth_tracks(0)) == 4

    def test_an_empty_file_beside_others_needs_a_length(self, tmp_path):
        (tmp_path / "A.txt").write_text(text(WALK))
        (tmp_path / "B.txt").write_text("")
        refused(tmp_path, "B.txt has no boxes, and without pictures")

    def test_an_empty_sequence_has_no_objects(self, tmp_path):
        sequence(tmp_path / "A")
        sequence(tmp_path / "B", "")
        data = opened(tmp_path)
        assert [len(data.truth_tracks(k)) for k in (0, 1)] == [4, 0]
        assert data.targets[5].masks is None

    def test_masks_are_in_the_fingerprint(self, tmp_path):
        pixels = masks.decode([A], SIZE)
        pixels[0, 2, 2] = False  # the box is the same
        other = masks.encode(pixels)[0]
        one = opened(sequence(tmp_path / "1" / "A", [(0, 1, 2, A)]))
        two = opened(sequence(tmp_path / "2" / "A", [(0, 1, 2, other)]))
        again = opened(sequence(tmp_path / "3" / "A", [(0, 1, 2, A)]))
        assert one.truth_tracks(0).xyxy.tolist() == two.truth_tracks(0).xyxy.tolist()
        assert len({one.fingerprint, two.fingerprint, again.fingerprint}) == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("1 2001 2 20 28 0" + A.decode()[1:], True),
        (f"  1\t2001 2  20 28   {A.decode()} ", True),
        ("1 1 2 1 3 12", True),  # digits alone, of the picture's size
        ("1 1 2 1 3 35", False),
        ("1 1 10 20 30 40", False),
        ("1,1,10,20,30,40", False),
        ("1 1 10 20 30 40 1 -1 -1 -1", False),
        ("1 1 10 20.5 30 4", False),
        ("", False),
        ("frame id class height width rle", False),
        ("5 0.1 0.2 0.3 0.4 0.5", False),
    ],
)
def test_masks_are_told_from_boxes(tmp_path, line, told):
    assert is_mask(line) is told
    (tmp_path / "x.txt").write_text(f"\n{line}\n")
    assert looks_like_masks(tmp_path / "x.txt") is told
    assert Mot().detect(tmp_path / "x.txt") or not told


class TestBenchmarks:
    @pytest.mark.parametrize(
        ("lines", "first", "info", "options", "expected"),
        [
            (WALK, 1, TOLD, {}, ("MOTS", 4, ("pedestrian",))),
            (WALK, 0, None, {}, ("KITTI-MOTS", 2, ("car", "pedestrian"))),
            (WALK, 1, None, {"benchmark": "KITTI-MOTS"}, ("KITTI-MOTS", 3, ("car", "pedestrian"))),
            (DRIVE, 1, None, {}, ("KITTI-MOTS", 3, ("car", "pedestrian"))),
            (DRIVE, 1, TOLD, {}, ("MOTS", 4, ("car", "pedestrian"))),
            (DRIVE, 1, None, {"benchmark": "MOTS"}, ("MOTS", 2, ("car", "pedestrian"))),
            (DRIVE, 1, TOLD, {"class_list": "names.txt"}, ("MOTS", 4, ("dog", "cat"))),
        ],
    )
    def test_frames_and_classes(self, tmp_path, lines, first, info, options, expected):
        sequence(tmp_path / "A", lines, info, first)
        (tmp_path / "names.txt").write_text("dog\ncat\n")
        data = opened(tmp_path, **options)
        assert (data.benchmark, len(data), data.class_names) == expected

    def test_a_path_that_names_kitti(self, tmp_path):
        data = opened(sequence(tmp_path / "KITTI_MOTS" / "A", info=None))
        assert (data.benchmark, len(data)) == ("KITTI-MOTS", 3)

    def test_regions_of_a_frame_are_one_and_may_overlap(self, tmp_path):
        lines = [(0, 2001, 2, A), (0, 10000, 10, rectangle(8, 8, 12, 12)), (0, 10000, 10, rectangle(10, 8, 16, 12))]
        tracks = opened(sequence(tmp_path / "A", lines)).truth_tracks(0)
        assert tracks.ids.tolist() == [2001, 10000]
        assert list(tracks.masks) == [A, rectangle(8, 8, 16, 12)]

    def test_a_region_takes_no_objects_identity(self, tmp_path):
        tracks = opened(sequence(tmp_path / "A", [(0, 10000, 2, A), (0, 10000, 10, B)])).truth_tracks(0)
        assert tracks.ids.tolist() == [10000, 10001]


RLE = A.decode()
BAD = [
    ("1 1 2 20 28", "line 1 has 5 columns"),
    (f"{text([(0, 1, 2, A)])}1 2 2 20 28\n", "line 2 has 5 columns, but a mask has 6, frame id class height width rle"),
    (f"{text([(0, 1, 2, A)])}1 2 2 20 28 {RLE} 0.9\n", "line 2 has 7 or more columns, but a mask has 6"),
    (f"{text([(0, 1, 2, A)])}1,2,10,10,5,5,1,-1,-1,-1\n", "line 2 holds a box, but the file begins with masks"),
    (f"{text([(0, 1, 2, A)])}2 1 10 10 5 5 1 -1 -1 -1\n", "line 2 holds a box, but the file begins with masks"),
    (f"1 1.5 2 20 28 {RLE}", "line 1: the identity '1.5' is not a whole number from 0"),
    (f"1 -1 2 20 28 {RLE}", "line 1: the identity '-1' is not a whole number from 0"),
    (f"1 1 2 20 1e99 {RLE}", "line 1: the width '1e99' is not a whole number from 0"),
    (f"1 1 2 20 29 {RLE}", r"line 1: the mask is of another size: its runs add up to 560 pixels.*20 x 29 = 580"),
    ("1 1 2 20 28 0zz", "line 1: the mask has damaged run lengths"),
    ("1 1 2 20 28 \u00e4\u00f6", "line 1: the mask has damaged run lengths"),
    (f"1 1 2 0 28 {RLE}", "line 1: the mask is of 0 x 28 pixels"),
    (f"1 1 2 999999 999999 {RLE}", "line 1: the mask is of 999,999 x 999,999 pixels"),
    (f"1 1 2 20 28 {RLE}\n2 1 2 28 20 {RLE}", "line 2: the mask is of a picture of 28 x 20 .* line 1 of 20 x 28"),
    (f"1 1 2 28 20 {RLE}", r"the masks are of pictures of 28 x 20 pixels, but those of A are of 20 x 28"),
    (text([(4, 1, 2, A)]), r"line 1: the frame 5 is past the last, 4 \(seqinfo.ini\)"),
    (
        text([(0, 1, 2, A), (1, 1, 2, A), (0, 1, 2, B)]),
        "line 3: identity 1 stands twice in frame 1 .already in line 1",
    ),
    (
        text([(0, 5, 2, B), (0, 7, 2, A), (0, 8, 2, rectangle(3, 4, 5, 6))]),
        r"line 3: the masks of identities 7 and 8 overlap in frame 1 \(the other is in line 2\)",
    ),
    (
        text([(0, 5, 2, B), (0, 7, 10, C), (0, 7, 10, A), (0, 8, 1, rectangle(3, 4, 5, 6))]),
        r"line 4: the masks of identity 8 and the region to ignore 7 overlap in frame 1 \(the other is in line 3\)",
    ),
    (text([(0, 1, 2, A), (0, 2, 3, B)]), "line 2: class 3 is none of 2 pedestrian and 10, a region to ignore"),
    (text([(0, 1, 2, rectangle(0, 0, 0, 0))]), "line 1: the mask has no pixels"),
]


@pytest.mark.parametrize(("lines", "match"), BAD)
def test_what_cannot_be_is_refused_by_its_line(tmp_path, lines, match):
    refused(sequence(tmp_path / "A", lines), "gt.txt(, |: )" + match)


def test_frame_0_of_masks_counted_from_1(tmp_path):
    sequence(tmp_path / "A", first=0)
    refused(tmp_path, "line 1: the frame 0 is before the first, 1: .*benchmark=KITTI-MOTS", benchmark="MOTS")


def test_masks_fit_the_pictures(tmp_path):
    write(sequence(tmp_path / "A", info=None) / "img1" / "000001.jpg")
    refused(tmp_path, "gt.txt: the masks are of pictures of 20 x 28 pixels, but those of A are of 24 x 32")


def test_boxes_beside_masks_are_refused(tmp_path):
    sequence(tmp_path / "A")
    sequence(tmp_path / "B", "1,1,1,1,5,5,1,-1,-1,-1\n")
    refused(tmp_path, r"A/gt/gt.txt holds masks \(MOTS\), but .*B/gt/gt.txt boxes: a dataset has either")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"benchmark": "MOT17"}, r"benchmark=MOT17: .*gt.txt holds masks \(MOTS\), so it must be auto, MOTS, KITTI"),
        ({"class_list": "names.txt"}, "class_list has 10 names, but class 10 of masks"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, match):
    (tmp_path / "names.txt").write_text("".join(f"name {k}\n" for k in range(10)))
    sequence(tmp_path / "A")
    refused(tmp_path, match, **options)


def test_many_masks_of_large_pictures_take_little_time(tmp_path):
    """As many as in a sequence of MOTS20."""
    size = (1080, 1920)
    boxes = [rectangle(60 * k, 100, 60 * k + 50, 300, size) for k in range(25)]
    lines = [(f, k, 2, mask) for f in range(200) for k, mask in enumerate(boxes)]
    (tmp_path / "x.txt").write_text(text(lines, size=size))
    rows = read_masks(tmp_path / "x.txt")
    check_masks(rows, 1, None, "", truth=True)
    assert len(rows) == 5000


@settings(max_examples=60, deadline=None)
@given(
    pictures=st.lists(
        st.lists(st.sampled_from([0, 0, 1, 2, 3, 10]), min_size=30, max_size=30).map(np.array), min_size=1, max_size=4
    ),
    first=st.sampled_from([0, 1]),
    shuffled=st.randoms(use_true_random=False),
)
def test_what_is_written_is_read(tmp_path_factory, pictures, first, shuffled):
    """Pictures of labels as lines in any order, and back; label 10 is a region."""
    size = (5, 6)
    lines: list[Line] = []
    for f, labels in enumerate(pictures):
        each = np.unique(labels[labels > 0]).tolist()
        packed = masks.encode(np.stack([labels.reshape(size) == k for k in (*each, 0)]))
        lines += [(f, 100 + k, 10 if k == 10 else 2, mask) for k, mask in zip(each, packed, strict=False)]
    shuffled.shuffle(lines)
    file = tmp_path_factory.mktemp("mots") / "x.txt"
    file.write_text(text(lines, first, size))
    rows = read_masks(file)
    check_masks(rows, first, len(pictures), "", truth=True)
    tracks = mask_tracks(rows, first, {2: 0}, truth=True)
    assert len(tracks) == len(lines)
    for f, labels in enumerate(pictures):
        back = np.zeros(size, int)
        for row in np.flatnonzero(tracks.frame == f).tolist():
            region = tracks.role is not None and tracks.role[row] == REGION
            pixels = masks.decode([tracks.masks[row]], size)[0]
            back[pixels] = 10 if region else tracks.ids[row] - 100
            y, x = np.nonzero(pixels)
            assert tracks.xyxy[row].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        np.testing.assert_array_equal(back, labels.reshape(size))
