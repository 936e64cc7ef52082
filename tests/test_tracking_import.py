"""A tracker's output from elsewhere: found by the sequences' names, checked, and refused with the line to correct."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.tracking_import import import_tracks
from tests.datasets.pictures import zip_folder

TRUTH = "1,1,10,10,20,20,1,-1,-1,-1\n2,1,12,10,20,20,1,-1,-1,-1\n3,1,14,10,20,20,1,-1,-1,-1\n"
FOUND = "1,7,10,10,20,20,0.9,-1,-1,-1\n2,7,12,10,20,20,0.8,-1,-1,-1\n"
CLASSED = "1,1,10,10,20,20,1,1\n1,2,50,10,20,20,1,2\n2,2,50,10,20,20,1,2\n"


def data(tmp_path: Path, truth: str = TRUTH, names: tuple[str, ...] = ("A",), classes: str = ""):
    for name in names:
        (tmp_path / "truth" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "truth" / name / "gt.txt").write_text(truth)
    options = {}
    if classes:
        (tmp_path / "truth" / "names.txt").write_text(classes)
        options = {"class_list": "names.txt"}
    return open_dataset(tmp_path / "truth", task="tracking", labels_only=True, options=options)


def one_file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "tracker.txt"
    file.write_text(text)
    return file


def folder(tmp_path: Path, **files: str) -> Path:
    root = tmp_path / "found" / "data"
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / f"{name}.txt").write_text(text)
    return root.parent


def test_one_file_is_the_only_sequence(tmp_path):
    found = import_tracks(one_file(tmp_path, FOUND), data(tmp_path))
    (tracks,) = found.sequences
    assert (tracks.frame.tolist(), tracks.ids.tolist(), tracks.class_ids.tolist()) == ([0, 1], [7, 7], [0, 0])
    np.testing.assert_array_equal(tracks.xyxy, [[10, 10, 30, 30], [12, 10, 32, 30]])
    assert tracks.scores.tolist() == [0.9, 0.8]
    assert found.notes == ()


@pytest.mark.parametrize("line", ["1,7,10,10,20,20", "1 7 10 10 20 20", "1, 7, 10, 10, 20, 20, -1, -1, -1, -1"])
def test_scores_may_be_missing(tmp_path, line):
    (tracks,) = import_tracks(one_file(tmp_path, line), data(tmp_path)).sequences
    assert tracks.xyxy.tolist() == [[10, 10, 30, 30]]
    assert tracks.scores is None


def test_scores_outside_0_to_1_are_left_out_and_said(tmp_path):
    found = import_tracks(one_file(tmp_path, "1,7,10,10,20,20,93\n"), data(tmp_path))
    assert found.sequences[0].scores is None
    assert found.notes == ("Scores (column 7) are left out, since some are outside 0..1.",)


def test_a_header_is_passed_over_and_frames_are_sorted(tmp_path):
    text = "frame,id,bb_left,bb_top,bb_width,bb_height,conf\n2,1,12,10,20,20,1\n1,1,10,10,20,20,1\n"
    (tracks,) = import_tracks(one_file(tmp_path, text), data(tmp_path)).sequences
    assert tracks.frame.tolist() == [0, 1]
    assert tracks.xyxy[:, 0].tolist() == [10, 12]


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_has_a_file_a_sequence(tmp_path, packed):
    truth = data(tmp_path, names=("A", "B", "C"))
    path = folder(tmp_path, b=FOUND, C="", A=FOUND.replace(",7,", ",9,"), pedestrian_summary="MOTA IDF1\n0.5 0.6\n")
    if packed:
        path = zip_folder(path, tmp_path / "found.zip")
    found = import_tracks(path, truth, cache_dir=tmp_path / "cache")
    assert [one.ids.tolist() for one in found.sequences] == [[9, 9], [7, 7], []]
    assert len(found.notes) == 2
    assert "'data/pedestrian_summary.txt'" in found.notes[0] or "'pedestrian_summary.txt'" in found.notes[0]
    assert found.notes[1] == "The file of C has no boxes: nothing was found there."


REFUSED = [
    ("1,7,9,9,2,2\n1,8,1,1,2,2\n1,7,11,10,2,2\n", r"line 3: identity 7 stands twice in frame 1 \(.*in line 1\)"),
    ("1,7,10,10,20,20\n\n4,7,10,10,20,20\n", r"line 3: the frame 4 is past the last, 3 \(of the truth's sequence A\)"),
    ("0,7,10,10,20,20\n", r"line 1: the frame 0 is before the first, frames are counted from 1"),
    ("1.5,7,10,10,20,20\n", r"line 1: the frame 1.5 is not a whole number"),
    ("1,-1,10,10,20,20\n", r"line 1: the identity -1 is negative; a tracker's output has an identity in every line"),
    ("1,7,10,10,-20,20\n", r"line 1: the width -20 is negative"),
    ("1,7,10,10,20\n", r"line 1 has 5 columns, but a box needs at least 6, frame,id,x,y,w,h"),
    ("1,7,10,10,20,20,1\n2,7,10,10,20,20\n", r"line 2 has 6 columns, but line 1 has 7"),
    ("1,7,10,10,20,20\n2,7,nan,10,20,20\n", r"line 2: 'nan' is not a finite number"),
    ("1,7,10,10,20,20\n2,7,ten,10,20,20\n", r"line 2: 'ten' is not a finite number"),
    ("1,7,10,1_0,20,20\n", r"line 1: '1_0' is not a finite number"),
    ("id,frame,x,y,w,h\n1,7,10,10,20,20\n", r"its first line, 'id,frame,x,y,w,h', is no box and not the names"),
    ("1 2001 2 480 640 WSV:2d;1O10000O10000O1\n", r"tracker.txt holds masks \(MOTS\), but the truth .* boxes: give"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_cannot_be_is_refused_by_its_line(tmp_path, text, why):
    truth = data(tmp_path)
    with pytest.raises(InputError, match=why) as caught:
        import_tracks(one_file(tmp_path, text), truth)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "tracker.txt") in str(caught.value)


def test_files_of_other_sequences_are_refused(tmp_path):
    truth = data(tmp_path, names=("MOT-02", "MOT-04"))
    path = folder(tmp_path, **{"MOT-02": FOUND, "MOT-05": FOUND})
    with pytest.raises(InputError, match=r"'data/MOT-05.txt' is of no sequence.*has 'MOT-02', 'MOT-04'.*Did you mean"):
        import_tracks(path, truth)
    found = import_tracks(path, truth, partial=True)
    assert [len(one) for one in found.sequences] == [2, 0]
    assert found.notes == (
        "1 files of sequences that the truth does not have left out: 'data/MOT-05.txt'.",
        "1 of 2 sequences have no file and count as without tracks: 'MOT-04'.",
    )


def test_missing_files_are_refused_unless_partial(tmp_path):
    truth = data(tmp_path, names=("A", "B"))
    path = folder(tmp_path, A=FOUND)
    with pytest.raises(InputError, match=r"has no file for 1 of 2 sequences: 'B'; add B.txt .*partial=true"):
        import_tracks(path, truth)
    assert [len(one) for one in import_tracks(path, truth, partial=True).sequences] == [2, 0]
    with pytest.raises(InputError, match=r"tracker.txt is one file, but the truth has 2 sequences \('A', 'B'\)"):
        import_tracks(one_file(tmp_path, FOUND), truth, partial=True)
    alone = import_tracks(path / "data" / "A.txt", truth, partial=True)
    assert [len(one) for one in alone.sequences] == [2, 0]


def test_two_trackers_in_a_folder_are_refused(tmp_path):
    truth = data(tmp_path)
    for tracker in "xy":
        (tmp_path / "found" / tracker).mkdir(parents=True)
        (tmp_path / "found" / tracker / "A.txt").write_text(FOUND)
    with pytest.raises(InputError, match=r"'x/A.txt' and 'y/A.txt' are both of the sequence A"):
        import_tracks(tmp_path / "found", truth)


@pytest.mark.parametrize(
    ("text", "names", "expected", "note"),
    [
        ("1,5,10,10,20,20,1,1\n1,6,50,10,20,20,1,2\n", None, [0, 1], None),
        ("1,5,10,10,20,20,1,0\n1,6,50,10,20,20,1,1\n", None, [0, 1], "counted from 0"),
        ("1,5,10,10,20,20,1,3\n1,6,50,10,20,20,1,1\n", ("dog", "x", "cat"), [0, 1], None),
        ("1,5,10,10,20,20,1,2\n1,6,50,10,20,20,1,1\n", ("dog", "x", "cat"), [1], "1 boxes of classes"),
    ],
)
def test_classes_of_the_tracks_are_the_truths(tmp_path, text, names, expected, note):
    truth = data(tmp_path, CLASSED, classes="cat\ndog\n")
    found = import_tracks(one_file(tmp_path, text), truth, names=names)
    assert sorted(found.sequences[0].class_ids.tolist()) == expected
    assert (note is None and not found.notes) or note in " ".join(found.notes)


def test_unknown_classes_are_refused(tmp_path):
    truth = data(tmp_path, CLASSED, classes="cat\ndog\n")
    cases = {
        "1,5,10,10,20,20,1,3\n": r"line 1: class 3 is not one of the 2 classes of the truth, counted from 1",
        "1,5,10,10,20,20\n": r"has no classes \(column 8\), but the truth has 2",
        "1,5,10,10,20,20,1,1.5\n": r"line 1: class 1.5 is not one of",
    }
    for text, why in cases.items():
        with pytest.raises(InputError, match=why):
            import_tracks(one_file(tmp_path, text), truth)
    with pytest.raises(InputError, match="'dog' of the truth is not among the 2 names"):
        import_tracks(one_file(tmp_path, "1,5,10,10,20,20,1,1\n"), truth, names=("cat", "cow"))


def test_a_classes_txt_beside_the_tracks_names_them(tmp_path):
    truth = data(tmp_path, CLASSED, classes="cat\ndog\n")
    path = folder(tmp_path, A="1,5,10,10,20,20,1,2\n", classes="dog\ncat\n")
    found = import_tracks(path / "data", truth)
    assert found.sequences[0].class_ids.tolist() == [0]
    assert found.notes == ("Class numbers are those of classes.txt beside the tracks.",)


def test_people_are_found_among_a_detectors_classes(tmp_path):
    text = "1,5,10,10,20,20,1,1\n1,6,50,10,20,20,1,3\n"
    truth = data(tmp_path)
    assert len(import_tracks(one_file(tmp_path, text), truth).sequences[0]) == 2  # one class: all are of it
    named = import_tracks(one_file(tmp_path, text), truth, names=("person", "bicycle", "car"))
    assert named.sequences[0].ids.tolist() == [5]


def test_what_is_doubtful_is_said(tmp_path):
    truth = data(tmp_path)
    far = import_tracks(one_file(tmp_path, "1,7,500,500,20,20\n2,7,500,500,0,20\n"), truth)
    assert far.notes == (
        "1 boxes of A have no width or no height and match nothing.",
        "No box of A overlaps a true one in its frame: are they of another sequence?",
    )
    (tmp_path / "truth" / "A" / "seqinfo.ini").write_text("[Sequence]\nseqLength=3\nimWidth=100\nimHeight=80\n")
    sized = import_tracks(one_file(tmp_path, "1,7,500,500,20,20\n"), data(tmp_path))
    assert "lie outside its pictures of 100x80 pixels" in sized.notes[0]


def test_an_empty_file_is_no_tracks(tmp_path):
    found = import_tracks(one_file(tmp_path, "\n"), data(tmp_path))
    assert len(found.sequences[0]) == 0
    assert found.notes == ("The file of A has no boxes: nothing was found there.",)


@settings(max_examples=60, deadline=None)
@given(
    boxes=arrays(np.float64, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 4000)),
    seed=st.integers(0, 99),
)
def test_what_is_written_is_read(tmp_path_factory, boxes, seed):
    """Any tracks, in any order of lines, by commas or spaces, come back with the same numbers."""
    rng = np.random.default_rng(seed)
    boxes = boxes / 8
    frame = rng.integers(0, 3, len(boxes))
    ids = rng.permutation(len(boxes)) + 1
    mark = "," if seed % 2 else " "
    lines = [
        mark.join(map(repr, [int(f) + 1, int(i), *map(float, b)])) for f, i, b in zip(frame, ids, boxes, strict=True)
    ]
    root = tmp_path_factory.mktemp("round")
    (tracks,) = import_tracks(one_file(root, "\n".join(lines)), data(root)).sequences
    order = np.lexsort((ids, frame))
    back = np.lexsort((tracks.ids, tracks.frame))
    np.testing.assert_array_equal(tracks.frame[back], frame[order])
    np.testing.assert_array_equal(tracks.ids[back], ids[order])
    wanted = boxes[order].copy()
    wanted[:, 2:] += wanted[:, :2]
    np.testing.assert_array_equal(tracks.xyxy[back], wanted)
