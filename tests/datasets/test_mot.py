"""MOTChallenge's layouts and rules: what is found where, what counts, what is said, and lines that cannot be."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from dashboard.datasets.mot import Mot
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.metrics.tracking.columns import ASIDE, COUNTED, DISTRACTOR
from tests.datasets.pictures import write, zip_folder

BOX = "1,1,10,20,30,40,1,-1,-1,-1\n"
INFO = "[Sequence]\nname=x\nimDir=img1\nframeRate=30\nseqLength=3\nimWidth=640\nimHeight=480\nimExt=.jpg\n"


def sequence(folder: Path, truth: str | None = BOX, info: str | None = INFO, pictures: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if truth is not None:
        (folder / "gt").mkdir(exist_ok=True)
        (folder / "gt" / "gt.txt").write_text(truth)
    if info is not None:
        (folder / "seqinfo.ini").write_text(info)
    for i in range(pictures):
        write(folder / "img1" / f"{i + 1:06d}.jpg", i)
    return folder


def opened(path: Path, labels_only: bool = True, **options: str):
    return open_dataset(path, task="tracking", options=options, labels_only=labels_only)


def refused(path: Path, match: str, labels_only: bool = True, **options: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        opened(path, labels_only, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


class TestLayouts:
    def test_one_sequence(self, tmp_path):
        data = opened(sequence(tmp_path / "MOT15-A", pictures=3), labels_only=False)
        (one,) = data.sequences
        assert (one.name, one.start, one.stop, one.fps, one.size, one.pictures) == (
            "MOT15-A",
            0,
            3,
            30,
            (480, 640),
            True,
        )
        assert data.ids == [f"MOT15-A/00000{n}" for n in (1, 2, 3)]
        assert data[2].image.shape == (24, 32, 3)
        assert [len(target) for target in data.targets] == [1, 0, 0]
        assert data.targets[0].xyxy.tolist() == [[10, 20, 40, 60]]
        assert data.targets[0].size == (480, 640)
        assert data.has_truth
        assert data.class_names == ("pedestrian",)

    @pytest.mark.parametrize("inner", ["", "train", "MOT17/train", "a/b/c/train"])
    def test_folders_of_sequences_at_any_depth(self, tmp_path, inner):
        for name in ("S-10", "S-2"):
            sequence(tmp_path / "data" / inner / name)
        data = opened(tmp_path / "data")
        assert [one.name for one in data.sequences] == ["S-2", "S-10"]
        assert [(one.start, one.stop) for one in data.sequences] == [(0, 3), (3, 6)]

    @pytest.mark.parametrize(
        ("file", "name"), [("A/gt/gt.txt", "A"), ("A/gt.txt", "A"), ("A/B.txt", "B"), ("A/gt/B.txt", "B")]
    )
    def test_a_single_file(self, tmp_path, file, name):
        path = tmp_path / file
        path.parent.mkdir(parents=True)
        path.write_text("3,1,10,20,30,40\n1,2,10,20,30,40\n")
        data = opened(path)
        assert [(one.name, len(one), one.size, one.pictures) for one in data.sequences] == [(name, 3, None, False)]
        assert data.name == name
        assert data.warnings == (
            "Read as MOT15: it has no classes (option benchmark).",
            f"25 frames a second are assumed of {name!r}: no seqinfo.ini says it (option fps).",
            f"3 of 3 pictures are not here, so they cannot be shown: {name!r}.",
        )
        with pytest.raises(InputError, match=r"has no picture of .*/000001: put it into the sequence's folder img1"):
            _ = data[0].image

    def test_a_file_beside_its_pictures(self, tmp_path):
        data = opened(sequence(tmp_path / "A", info=None, pictures=4) / "gt" / "gt.txt", labels_only=False, fps="50")
        assert [(len(one), one.fps, one.size) for one in data.sequences] == [(4, 50, (24, 32))]
        assert data.warnings == ("Read as MOT15: it has no classes (option benchmark).",)

    @pytest.mark.parametrize("inside", ["", "A", "A/gt"])
    def test_a_zip_of_only_a_truth(self, tmp_path, inside):
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "gt.txt").write_text(BOX)
        archive = zip_folder(tmp_path / "x", tmp_path / "tracks.zip", inside=inside)
        data = open_dataset(archive, task="tracking", labels_only=True, cache_dir=tmp_path / "cache")
        assert [one.name for one in data.sequences] == ["A" if inside else "tracks"]
        assert data.name == "tracks"

    def test_names_that_occur_twice_become_paths(self, tmp_path):
        for split in ("train", "val"):
            sequence(tmp_path / "data" / split / "A")
        assert [one.name for one in opened(tmp_path / "data").sequences] == ["train-A", "val-A"]

    def test_sequences_without_truth(self, tmp_path):
        sequence(tmp_path / "data" / "train" / "A")
        sequence(tmp_path / "data" / "test" / "MOT17-01", truth=None, pictures=3)
        data = opened(tmp_path / "data")
        assert [one.name for one in data.sequences] == ["A"]
        assert data.warnings[0].startswith("1 sequences without gt/gt.txt left out: 'MOT17-01'")
        test = opened(tmp_path / "data", labels_only=False, split="test")
        assert (test.has_truth, test.targets[0], test[0].target, test.truth_tracks(0)) == (False, None, None, None)
        assert test.class_names == ("pedestrian",)
        bare = opened(sequence(tmp_path / "B", truth=None, pictures=3), labels_only=False)
        assert (bare.has_truth, bare.class_names) == (False, ())
        refused(tmp_path / "data", "no sequences in a folder 'val' .*there are test, train", split="val")

    def test_a_split_of_which_some_have_no_truth(self, tmp_path):
        sequence(tmp_path / "data" / "train" / "A")
        sequence(tmp_path / "data" / "train" / "B", truth=None, pictures=3)
        sequence(tmp_path / "data" / "test" / "C")
        data = opened(tmp_path / "data", split="train")
        assert [one.name for one in data.sequences] == ["A"]  # boxes in B would all count as false
        assert "'B'" in data.warnings[0]

    def test_a_link_that_leads_back_is_followed_once(self, tmp_path):
        sequence(tmp_path / "data" / "train" / "A")
        os.symlink(tmp_path / "data", tmp_path / "data" / "train" / "loop")
        assert [one.name for one in opened(tmp_path / "data").sequences] == ["A"]

    def test_nothing_there(self, tmp_path):
        (tmp_path / "data" / "img1").mkdir(parents=True)
        (tmp_path / "notes.txt").write_text("hello\n")
        assert not Mot().detect(tmp_path / "data")
        assert not Mot().detect(tmp_path / "notes.txt")
        with pytest.raises(InputError, match=r"holds no sequences: give a folder of sequences with gt/gt.txt"):
            Mot().open(tmp_path / "data", {})


class TestPictures:
    def test_a_frame_without_picture(self, tmp_path):
        folder = sequence(tmp_path / "A", pictures=3)
        (folder / "img1" / "000002.jpg").unlink()
        refused(
            folder, r"img1: 1 of 3 frames have no picture, the first is 2 \(such as 000002.jpg\)", labels_only=False
        )
        data = opened(folder)
        assert not data.sequences[0].pictures
        assert data[2].source == folder / "img1" / "000003.jpg"

    def test_none_at_all(self, tmp_path):
        refused(
            sequence(tmp_path / "A"), r"has no pictures \(img1/000001.jpg, ...\), which a detector", labels_only=False
        )

    def test_numbers_that_begin_elsewhere(self, tmp_path):
        for n in (7, 8):
            write(tmp_path / "A" / "img1" / f"frame{n}.png", n)
        data = opened(sequence(tmp_path / "A", info=None), labels_only=False)
        assert data[0].source.name == "frame7.png"
        assert data.warnings[0] == "The pictures in img1 are not numbered from 1 (frame7.png is taken as the first)."

    def test_two_of_a_number(self, tmp_path):
        folder = sequence(tmp_path / "A", pictures=2)
        write(folder / "img1" / "2.png")
        refused(folder, "several pictures are of one frame: '000002.jpg', '2.png'")

    def test_truth_past_the_pictures(self, tmp_path):
        folder = sequence(tmp_path / "A", "4,1,1,1,2,2,1,1\n", None, pictures=3)
        refused(folder, r"line 1: the frame 4 is past the last, 3 \(the pictures in img1\)", labels_only=False)
        assert len(opened(folder)) == 4  # to score, some may do


BENCHMARKS = [
    ("MOT17-02", "1,1,1,1,2,2,1,1,1\n", "MOT17"),
    ("MOT16-02", "1,1,1,1,2,2,1,1,1\n", "MOT16"),
    ("MOT20-01", "1,1,1,1,2,2,1,1,1\n", "MOT20"),
    ("2DMOT2015/train/X", "1,1,1,1,2,2,1,-1,-1,-1\n", "MOT15"),
    ("MOT17-02", "1,1,1,1,2,2,1,-1,-1,-1\n", "MOT15"),  # without classes there is nothing else to do
    ("X", "1,1,1,1,2,2\n", "MOT15"),
    ("X", "1,1,1,1,2,2,1,1,1\n1,2,1,1,2,2,1,7,1\n", "MOT17"),
    ("dancetrack0001", "1,1,1,1,2,2,1,1,1\n", "custom"),
    ("motorway", "1,1,1,1,2,2,1,1,1\n1,2,1,1,2,2,1,3,1\n", "custom"),
]


class TestRules:
    @pytest.mark.parametrize(("folder", "truth", "benchmark"), BENCHMARKS)
    def test_the_benchmark_is_found(self, tmp_path, folder, truth, benchmark):
        data = opened(sequence(tmp_path / folder, truth))
        assert data.benchmark == benchmark
        assert any(w.startswith(f"Read as {benchmark}: ") for w in data.warnings)

    def test_what_counts(self, tmp_path):
        lines = [f"1,{n},{n * 50},0,40,40,{int(n != 13)},{n},1" for n in range(1, 14)] + ["1,20,900,0,40,40,0,1,1"]
        sequence(tmp_path / "A", "\n".join(lines))
        for benchmark, distractors in (("MOT17", {2, 7, 8, 12}), ("MOT20", {2, 6, 7, 8, 12})):
            data = opened(tmp_path / "A", benchmark=benchmark)
            expected = [COUNTED] + [DISTRACTOR if n in distractors else ASIDE for n in range(2, 14)] + [ASIDE]
            assert data.truth_tracks(0).role.tolist() == expected
            truth = data.targets[0]
            assert truth.ignore.tolist() == [role == DISTRACTOR for role in expected]
            assert truth.crowd.tolist() == [role == ASIDE for role in expected]
            assert set(truth.class_ids) == {0}
            assert ("6, " in data.recipe) == (benchmark == "MOT20")
        old = opened(tmp_path / "A", benchmark="mot15").truth_tracks(0)
        assert np.flatnonzero(old.role == ASIDE).tolist() == [12, 13]
        assert opened(tmp_path / "A", benchmark="custom").class_names == tuple(f"class {n}" for n in range(1, 14))

    def test_named_classes(self, tmp_path):
        folder = sequence(tmp_path / "A", "1,1,0,0,9,9,1,2,1\n1,2,0,0,9,9,0,1,1\n1,3,0,0,9,9,1,3,1\n")
        (folder / "names.txt").write_text("cat\ndog\ncow\nemu\n")
        data = opened(folder, class_list="names.txt")
        assert data.class_names == ("cat", "dog", "cow", "emu")
        assert data.truth_tracks(0).class_ids.tolist() == [1, 0, 2]
        assert data.used == [True, True, True, False]
        assert data.targets[0].crowd.tolist() == [False, True, False]
        (folder / "names.txt").write_text("cat\ndog\n")
        refused(
            folder, "line 3: class 3 is past the list of 2 classes, which are counted from 1", class_list="names.txt"
        )
        refused(folder, "MOT17 has one class that counts; leave it out", class_list="names.txt", benchmark="MOT17")

    def test_refused(self, tmp_path):
        folder = sequence(tmp_path / "A", "1,1,0,0,9,9,1,14,1\n")
        refused(folder, "line 1: class 14 is none of MOT17's, 1 to 13", benchmark="MOT17")
        refused(folder, "option benchmark=MOT18: it must be auto, MOT15", benchmark="MOT18")
        for name, truth in (("MOT17-02", "1,1,0,0,9,9,1,1,1\n"), ("other", "1,1,0,0,9,9,1,1,1\n")):
            sequence(tmp_path / "mixed" / name, truth)
        refused(tmp_path / "mixed", "1 of 2 sequences say which benchmark they are of, the others do not")

    @pytest.mark.parametrize("benchmark", ["MOT15", "MOT16", "MOT17", "MOT20"])
    def test_counts_are_those_of_trackeval(self, tmp_path, benchmark):
        """Tracks on the very boxes of the truth: TrackEval keeps what counts, and takes away what is on distractors."""
        trackeval = pytest.importorskip("trackeval")
        rng = np.random.default_rng(5)
        lines = [
            f"{frame},{n},{n * 50},{frame},40,40,{rng.choice([0, 1, 1, 0.5, 2])},{rng.integers(1, 14)},0.5"
            for frame in range(1, 31)
            for n in rng.permutation(12)[: rng.integers(0, 13)] + 1
        ]
        sequence(tmp_path / "gt" / "A", "\n".join(lines), "[Sequence]\nseqLength=30\n")
        output = tmp_path / "trackers" / "t" / "data"
        output.mkdir(parents=True)
        output.joinpath("A.txt").write_text("\n".join(",".join(line.split(",")[:6]) + ",1,-1,-1,-1" for line in lines))
        config = {
            "GT_FOLDER": str(tmp_path / "gt"),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "SKIP_SPLIT_FOL": True,
        }
        config |= {"BENCHMARK": benchmark, "SEQ_INFO": {"A": 30}, "PRINT_CONFIG": False}
        theirs = trackeval.datasets.MotChallenge2DBox(config)
        seen = theirs.get_preprocessed_seq_data(theirs.get_raw_seq_data("t", "A"), "pedestrian")
        ours = opened(tmp_path / "gt", benchmark=benchmark).truth_tracks(0)
        assert (ours.role == COUNTED).sum() == seen["num_gt_dets"]
        assert (ours.role != DISTRACTOR).sum() == seen["num_tracker_dets"]


TRUTHS = [
    ("1,1,10,20,30\n", "gt.txt, line 1 has 5 columns, but a box needs at least 6"),
    ("1,1,10,20,30,40\n1,2,10,20,30,40,1\n", "line 2 has 7 columns, but line 1 has 6"),
    ("\n\n1,1,10,20,30,x\n", "line 3: 'x' is not a finite number"),
    ("1,1,10,,30,40\n", "line 1: '' is not a finite number"),
    ("1,1,10,inf,30,40\n", "line 1: 'inf' is not a finite number"),
    ("1,1,10,20,30,40,nan,1,1\n", "line 1: 'nan' is not a finite number"),
    ("1,1,10,20,30,-40\n", "line 1: the height -40 is negative"),
    ("1,1,10,20,0,40\n", "line 1: the box has no width or no height"),
    ("2,1,1,1,2,2\n1,1,1,1,2,2\n2,1,3,3,2,2\n", r"line 3: identity 1 stands twice in frame 2 \(already in line 1\)"),
    ("0,1,1,1,2,2\n", "line 1: the frame 0 is before the first, frames are counted from 1"),
    ("3,1,1,1,2,2\n4,1,1,1,2,2\n", r"line 2: the frame 4 is past the last, 3 \(seqinfo.ini\)"),
    ("1,-1,1,1,2,2,0.9\n", r"line 1: the identity -1 is negative; .* \(is this a det.txt\?\)"),
    ("1,1.5,1,1,2,2\n", "line 1: the identity 1.5 is not a whole number"),
    ("1,1e30,1,1,2,2\n", r"line 1: the identity 1e\+30 is not a whole number"),
    ("x,y,w,h,id,frame\n", "its first line, 'x,y,w,h,id,frame', is no box and not the names frame,id"),
    ("1,1,1,1,2,2\0\n", "is not a text file"),
    ("1,1,1,1,2,2\n2,1,1,1e150,2,2\n", r"line 2: the y 1e\+150 is more than 1e\+09 pixels away: correct it"),
    ("1,1,1,1,1e299,2\n", r"line 1: the width 1e\+299 is more than 1e\+09 pixels away"),
    ("1," * 3_000_000 + "1\n", "line 1 has more than 100 columns"),
    ("1,1,1,1,2,2\n" + "1 " * 1000, "line 2 has more than 100 columns"),
]
INFOS = [
    ("seqLength=3\n", r"seqinfo.ini is no seqinfo.ini \(File contains no section headers"),
    ("[Other]\nseqLength=3\n", r"has no section \[Sequence\]"),
    ("[Sequence]\nseqLength=many\n", "seqLength=many is not a whole number from 1 to 2000000"),
    ("[Sequence]\nseqLength=0\n", "seqLength=0 is not a whole number"),
    ("[Sequence]\nseqLength=99999999999\n", "seqLength=99999999999 is not a whole number from 1 to 2000000"),
    ("[Sequence]\nseqLength=3\nframeRate=-5\n", "frameRate=-5 is not a number above 0"),
    ("[Sequence]\nseqLength=3\nframeRate=nan\n", "frameRate=nan is not a number above 0"),
    ("[Sequence]\nseqLength=3\nimDir=../../elsewhere\n", "imDir=../../elsewhere leads out of the sequence's folder"),
    ("[Sequence]\nseqLength=3\nimDir=" + "a" * 5000, "imDir=a{60} is too long for a folder"),
]


class TestBadInput:
    @pytest.mark.parametrize(("truth", "why"), TRUTHS)
    def test_lines(self, tmp_path, truth, why):
        refused(sequence(tmp_path / "A", truth), why)

    @pytest.mark.parametrize(("info", "why"), INFOS)
    def test_seqinfo(self, tmp_path, info, why):
        refused(sequence(tmp_path / "A", info=info), why)

    def test_a_length_that_cannot_be(self, tmp_path):
        refused(sequence(tmp_path / "A", "200000000000,1,1,1,2,2\n", None), "is past frame 2000000, more than")

    def test_an_empty_truth(self, tmp_path):
        data = opened(sequence(tmp_path / "A", ""))
        assert (len(data), data.has_truth, [len(t) for t in data.targets]) == (3, True, [0, 0, 0])
        assert "The truth of 'A' is empty: every box that a tracker gives there is wrong." in data.warnings
        refused(
            sequence(tmp_path / "B", "", None), "has no boxes, and without pictures or seqinfo.ini nothing says how"
        )

    @pytest.mark.parametrize("rate", ["0", "fast", "-1", "nan"])
    def test_rates(self, tmp_path, rate):
        refused(sequence(tmp_path / "A"), f"option fps={rate}: it must be a number of frames a second", fps=rate)

    @pytest.mark.parametrize(
        "text",
        [
            "1 1 10 20 30 40\n2 1 12 20 30 40\n",
            "1\t1\t10\t20\t30\t40\n2\t1\t12\t20\t30\t40\n",
            "1, 1, 10, 20, 30, 40\r\n\r\n2, 1, 12, 20, 30, 40\r\n",
            "  1,1,10,20,30,40,\n2,1,12,20,30,40,\n",
            "2,1,12,20,30,40\n1,1,10,20,30,40",
            "Frame,ID,x,y,w,h\n1,1,10,20,30,40\n2,1,12,20,30,40\n",
            "1.0,1.0,1e1,20.0,30,40\n2,1,12,20,30,40\n",
            "1,1,10,20,30,40,1,1,nan\n2,1,12,20,30,40,1,1,nan\n",
        ],
    )
    def test_other_ways_to_write_it(self, tmp_path, text):
        tracks = opened(sequence(tmp_path / "A", text)).truth_tracks(0)
        assert (tracks.frame.tolist(), tracks.ids.tolist()) == ([0, 1], [1, 1])
        assert tracks.xyxy.tolist() == [[10, 20, 40, 60], [12, 20, 42, 60]]

    def test_encodings(self, tmp_path):
        folder = sequence(tmp_path / "A")
        for encoding in ("utf-8-sig", "utf-16"):
            (folder / "gt" / "gt.txt").write_bytes(BOX.encode(encoding))
            for path in (folder, folder / "gt" / "gt.txt"):
                assert opened(path).truth_tracks(0).xyxy.tolist() == [[10, 20, 40, 60]]

    @pytest.mark.parametrize("text", ["{}\n" + BOX, "1{}1 10 20 30 40", "1 1 10 20 30 40{}", "{}1 1 10 20 30 40"])
    def test_long_gaps_take_no_longer_than_others(self, tmp_path, text):
        folder = sequence(tmp_path / "A", text.format(" " * 2_000_000))
        started = time.perf_counter()
        assert opened(folder).truth_tracks(0).xyxy.tolist() == [[10, 20, 40, 60]]
        assert time.perf_counter() - started < 5  # quadratic it would be hours


def test_moving_or_packing_a_single_sequence_keeps_its_fingerprint(tmp_path):
    before = opened(sequence(tmp_path / "A", pictures=3)).fingerprint
    (tmp_path / "A").rename(tmp_path / "B")
    assert opened(tmp_path / "B").fingerprint == before


def test_many_lines_take_little_time(tmp_path):
    rng = np.random.default_rng(0)
    boxes = np.round(rng.uniform(1, 900, (200_000, 4)), 2).tolist()
    text = "\n".join(f"{i // 50 + 1},{i % 50},{a},{b},{c},{d},1,1,1" for i, (a, b, c, d) in enumerate(boxes))
    folder = sequence(tmp_path / "MOT17-99", text, info=None)
    start = time.perf_counter()
    data = opened(folder)
    assert time.perf_counter() - start < 3  # a quarter of a second on a free machine
    assert len(data) == 4000
    assert len(data.targets[3999]) == 50
