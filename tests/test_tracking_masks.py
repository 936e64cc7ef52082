"""Runs of mask tracks: regions counted by hand, output made elsewhere, and everything that a stored run is used for."""

from __future__ import annotations

import base64
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from dashboard import masks
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.explore import tracking as explore
from dashboard.explore.tracking.export import mot_text, mots_text
from dashboard.finishing import refresh
from dashboard.metrics.tracking.columns import COUNTED, REGION, SequenceTracks, Tracks
from dashboard.metrics.tracking.counts import evaluate as counted
from dashboard.metrics.tracking.problem import prepare
from dashboard.scoring import score
from dashboard.store import Store
from dashboard.tracking_import import import_tracks
from dashboard.tracking_parts import stored_sequences
from dashboard.types import Detections
from tests.datasets.pictures import encode, zip_folder
from tests.fake_tracks import Finder, tracking
from tests.mots_files import SIZE, Line, rectangle, text, world, write

A, B, C = rectangle(0, 0, 4, 5), rectangle(6, 2, 9, 4), rectangle(20, 10, 28, 20)
TRUTH: list[Line] = [(0, 1, 2, A), (1, 1, 2, A), (0, 90, 10, C)]


def side(*rows: tuple[int, int, int, bytes, int]) -> Tracks:
    """Frame, identity, class, mask, role."""
    frame, ids, kinds, packed, role = zip(*rows, strict=True)
    boxes = masks.boxes(packed, SIZE)
    return Tracks(np.array(frame), np.array(ids), np.array(kinds), boxes, role=np.array(role), masks=list(packed))


def removed(truth: Tracks, found: Tracks) -> list[bool]:
    return (~prepare(SequenceTracks("s", 3, truth, found, SIZE)).found).tolist()


class TestRegions:
    @pytest.mark.parametrize(
        ("mask", "gone"),
        [
            (rectangle(21, 11, 25, 15), True),  # all of it
            (rectangle(16, 10, 24, 12), False),  # exactly half
            (rectangle(17, 10, 24, 12), True),  # 8 of 14 pixels
            (rectangle(0, 0, 8, 10), False),
            (rectangle(0, 0, 28, 20), False),  # around it, but mostly elsewhere
        ],
    )
    def test_more_than_half_of_a_mask(self, mask, gone):
        truth = side((0, 1, 0, A, COUNTED), (0, 90, 0, C, REGION))
        assert removed(truth, side((0, 5, 0, mask, COUNTED))) == [gone]

    def test_only_in_its_frame(self):
        truth = side((0, 1, 0, A, COUNTED), (0, 90, 0, C, REGION))
        assert removed(truth, side((0, 5, 0, C, COUNTED), (1, 5, 0, C, COUNTED))) == [True, False]

    def test_two_regions_are_one(self):
        parts = rectangle(20, 10, 24, 12), rectangle(24, 10, 28, 12)
        truth = side((0, 90, 0, parts[0], REGION), (0, 91, 0, parts[1], REGION))
        assert removed(truth, side((0, 5, 0, rectangle(22, 10, 26, 12), COUNTED))) == [True]

    @pytest.mark.parametrize(("kind", "gone"), [(0, False), (1, True)])
    def test_what_is_matched_with_truth_of_its_class_stays(self, kind, gone):
        """Files have no truth in a region, but whoever calls the metrics may."""
        truth = side((0, 1, 0, rectangle(21, 11, 25, 15), COUNTED), (0, 90, 0, C, REGION))
        assert removed(truth, side((0, 5, kind, rectangle(21, 11, 25, 16), COUNTED))) == [gone]

    def test_only_one_of_two_is_matched(self):
        truth = side((0, 1, 0, rectangle(21, 11, 25, 15), COUNTED), (0, 90, 0, C, REGION))
        found = side((0, 5, 0, rectangle(21, 11, 25, 16), COUNTED), (0, 6, 0, rectangle(21, 11, 25, 15), COUNTED))
        assert removed(truth, found) == [True, False]

    def test_boxes_are_left_alone(self):
        truth = side((0, 1, 0, A, COUNTED), (0, 90, 0, C, REGION))
        found = side((0, 5, 0, C, COUNTED))
        bare = Tracks(found.frame, found.ids, found.class_ids, found.xyxy)
        assert removed(truth, bare) == [False]
        counts = counted(SequenceTracks("s", 1, truth, bare)).pooled().plain[0]
        assert counts[:3].tolist() == [0, 1, 1]  # TP, FN, FP


def truth_of(tmp_path: Path, lines: list[Line] | str = TRUTH, info: bool = True):
    write(tmp_path, "S", [], [], 3, 1)
    file = tmp_path / "truth" / "S" / "gt" / "gt.txt"
    file.write_text(lines if isinstance(lines, str) else text(lines))
    if not info:
        (file.parents[1] / "seqinfo.ini").write_text("[Sequence]\nseqLength=3\n")
    return open_dataset(tmp_path / "truth", task="tracking", labels_only=True)


def output(tmp_path: Path, content: str) -> Path:
    file = tmp_path / "output.txt"
    file.write_text(content)
    return file


RLE = A.decode()
BAD = [
    (TRUTH, "1,5,0,0,4,5,1,-1,-1,-1\n", r"output.txt holds boxes, but the truth of .* is masks \(MOTS\): give"),
    ("1,1,0,0,4,5,1,-1,-1,-1\n", text(TRUTH), r"output.txt holds masks \(MOTS\), but the truth of .* is boxes: give"),
    (TRUTH, text([(3, 1, 2, A)]), "output.txt, line 1: the frame 4 is past the last, 3 .of the truth's sequence S"),
    (TRUTH, text(TRUTH, 0), "output.txt, line 1: the frame 0 is before the first, 1: .*benchmark=KITTI-MOTS"),
    (TRUTH, text([(0, 1, 2, A), (0, 1, 2, B)]), "line 2: identity 1 stands twice in frame 1"),
    (TRUTH, text([(0, 1, 2, A), (0, 1, 10, B)]), "line 2: identity 1 stands twice in frame 1"),
    (TRUTH, text([(0, 1, 2, A), (0, 2, 2, A)]), "line 2: the masks of identities 1 and 2 overlap in frame 1"),
    (TRUTH, text([(0, 1, 10, A), (0, 2, 10, A)]), "line 2: the masks of identities 1 and 2 overlap in frame 1"),
    (TRUTH, f"1 1 2 20 30 {RLE}\n", "line 1: the mask is of another size: its runs add up to 560 pixels"),
    (
        TRUTH,
        text([(0, 1, 2, rectangle(0, 0, 4, 5, (28, 20)))], size=(28, 20)),
        r"line 1: the mask is of a picture of 28 x 20 pixels, but the truth's sequence S is of 20 x 28",
    ),
    (TRUTH, f"1 1 2 20 28 {RLE}\n2 1 2 20 28\n", "line 2 has 5 columns, but a mask has 6"),
    (TRUTH, f"1 1 2 20 28 {RLE}\n2,1,1,1,2,2\n", "line 2 holds a box, but the file begins with masks"),
]


@pytest.mark.parametrize(("lines", "found", "match"), BAD)
def test_output_that_cannot_be_is_refused_by_its_line(tmp_path, lines, found, match):
    truth = truth_of(tmp_path, lines)
    with pytest.raises(InputError, match=match) as caught:
        score(truth, output(tmp_path, found), Store(tmp_path / "store"))
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "store").rglob("*.parquet"))


def test_a_picture_whose_size_nobody_knows(tmp_path):
    truth_of(tmp_path, "", info=False)
    write(tmp_path, "T", TRUTH, [], 3, 1)
    truth = open_dataset(tmp_path / "truth", task="tracking", labels_only=True)
    for name in "ST":
        (tmp_path / "found" / "data" / f"{name}.txt").write_text(text([(0, 1, 2, A)]))
    with pytest.raises(InputError, match=r"S.txt, line 1: .* nothing says how large S is: put a seqinfo.ini"):
        import_tracks(tmp_path / "found", truth)


def test_masks_of_other_classes_are_left_out_and_said(tmp_path):
    lines = [(0, 1, 1, A), (0, 2, 2, B), (1, 3, 10, C)]
    found = import_tracks(output(tmp_path, text(lines)), truth_of(tmp_path))
    assert found.sequences[0].ids.tolist() == [2]
    assert "2 masks of class '1', '10' are left out: the truth has 2 pedestrian." in found.notes


def test_classes_by_name(tmp_path):
    found = import_tracks(
        output(tmp_path, text([(0, 1, 1, A), (0, 2, 2, B)])), truth_of(tmp_path), names=["person", "x"]
    )
    assert found.sequences[0].ids.tolist() == [1]


def test_counted_by_hand(tmp_path):
    """Two frames found, with another identity in the second; one mask in a region, one beside."""
    lines = [(0, 5, 2, A), (1, 6, 2, A), (0, 7, 2, rectangle(21, 11, 25, 15)), (1, 7, 2, rectangle(21, 11, 25, 15))]
    run = score(truth_of(tmp_path), output(tmp_path, text(lines)), Store(tmp_path / "store"))
    expected = {"TP": 2, "FP": 1, "FN": 0, "IDSW": 1, "MOTA": 0.0, "MOTP": 1.0, "IDF1": 0.4}
    assert {name: run.metrics[name] for name in expected} == pytest.approx(expected)


@pytest.fixture(scope="module", params=[1, 0], ids=["MOTS", "KITTI-MOTS"])
def run(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("kitti" if request.param == 0 else "mots")
    for k, name in enumerate(("0001", "0002")):
        truth, found = world(30 + k, 9, (1, 2))
        found = [row for row in found if row[0] <= truth[-1][0]] if k else []  # nothing is found in the first
        write(root, name, truth, found, 9, request.param)
    truth = open_dataset(root / "truth", task="tracking", labels_only=True)
    store = Store(root / "store")
    return root, truth, store, score(truth, root / "found", store)


def test_a_stored_run_has_masks_and_regions(run):
    root, truth, _, made = run
    given = import_tracks(root / "found", truth).sequences
    sequences = []
    for k, stored in enumerate(stored_sequences(made.predictions_path)):
        true, found = truth.truth_tracks(k), stored.tracks.found
        np.testing.assert_array_equal(stored.tracks.truth.role, true.role)
        assert stored.tracks.truth.masks == list(true.masks)
        assert [*(found.masks or ())] == [*(given[k].masks or ())]
        assert stored.tracks.size == SIZE
        sequences.append(SequenceTracks(stored.tracks.name, len(truth.sequences[k]), true, given[k], SIZE))
    plain = sum(counted(s).pooled().plain[0] for s in sequences)
    assert [made.metrics[name] for name in ("TP", "FN", "FP", "IDSW")] == plain[:4].tolist()
    assert (~prepare(sequences[1]).found).any()
    assert made.metrics["TP"] > 5


def test_it_is_refreshed(run):
    _, _, store, made = run
    assert refresh(store, made).metrics == made.metrics


def test_it_plays_by_its_boxes(run):
    _, truth, _, made = run
    view = explore.opened(made)
    value = explore.tracks_value([view], "0002")
    true, found = truth.truth_tracks(1), view.sequences[1].tracks.found
    assert (value["height"], value["width"]) == SIZE
    for shown, tracks in ((value["truth"], true), (value["panes"][0]["found"], found)):
        boxes = np.frombuffer(base64.b64decode(shown["box"]), np.float32).reshape(-1, 4)
        np.testing.assert_array_equal(boxes, tracks.xyxy)
    assert base64.b64decode(value["truth"]["role"]) == true.role.tobytes()
    told = view.story(1)
    assert (told.truth_match == -2).sum() == (true.role == REGION).sum() > 0
    table = explore.tracks_table(view)
    assert {"matched", "not counted"} <= set(table["state"])


def test_what_leaves_scores_the_same(run):
    root, truth, _, made = run
    view = explore.opened(made)
    file = explore.mot_zip(view, root / "out.zip")
    with ZipFile(file) as archive:
        names = archive.namelist()
        assert names == ["0001.txt", "0002.txt", "masks/0002.txt", "classes.txt"]
        assert archive.read("0002.txt").decode() == mot_text(view, 1)
        assert archive.read("masks/0002.txt").decode() == mots_text(view, 1)
    assert mots_text(view, 0) == ""
    before = sorted((root / "found" / "data" / "0002.txt").read_text().splitlines())
    assert sorted(mots_text(view, 1).splitlines()) == before
    again = score(truth, file, Store(root / "again"))
    numbers = {name: value for name, value in made.metrics.items() if name != "FPS"}
    assert {name: again.metrics[name] for name in numbers} == pytest.approx(numbers, nan_ok=True)
    assert any("boxes beside those of masks are left out" in note for note in again.facts["notes"]["import"])


def test_a_limit_cuts_them(run):
    root, truth, store, _ = run
    made = score(truth, root / "found", store, limit=len(truth.sequences[0]) + 2)
    kept = [stored.tracks.frames for stored in stored_sequences(made.predictions_path)]
    assert kept == [len(truth.sequences[0]), 2]


class Boxes(Finder):
    """A detector that finds the pedestrian of ``TRUTH`` and something in the region."""

    def _answer(self, frame: int) -> Detections:
        boxes = masks.boxes([A, C], SIZE)
        return Detections(boxes, np.full(2, self.spec.class_names.index("person")), np.full(2, 0.9), size=SIZE)


def test_a_detectors_boxes_are_compared_with_the_boxes_of_masks(tmp_path):
    """Regions do nothing then: what is found there is wrong."""
    truth_of(tmp_path)
    for n in range(3):
        picture = np.zeros((*SIZE, 3), np.uint8)
        picture[0, 0] = 0, n, 0
        file = tmp_path / "truth" / "S" / "img1" / f"{n + 1:06d}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(encode(picture, "PNG"))
    truth = open_dataset(zip_folder(tmp_path / "truth", tmp_path / "x.zip"), task="tracking")
    made = evaluate(tracking("iou", Boxes()), truth, Store(tmp_path / "store"), Settings(latency=False))
    assert [made.metrics[name] for name in ("TP", "FN", "FP")] == [2, 0, 4]
