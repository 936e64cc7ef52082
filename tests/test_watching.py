"""Films without a truth: every frame answered once, what was done is kept, and how steady the answers are."""

import base64
import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.datasets.opening import open_dataset
from dashboard.datasets.sequences import SequenceInfo
from dashboard.datasets.video import Video
from dashboard.errors import Cancelled, InputError
from dashboard.store import Store
from dashboard.types import Detections
from dashboard.watching import watch
from dashboard.watching_pane import pane, value
from dashboard.watching_stability import detection_stability, follows, label_stability, links
from dashboard.watching_stored import delete, everything, figures, get, has, table_csv
from models.base import LoadOptions, ModelAdapter, ModelSpec, Weights
from models.load import load_model
from tests.fakes import FakeAdapter, FakeDataset

NAN = float("nan")


class Film(FakeDataset):
    """Frames of two sequences whose first pixel holds their number."""

    task = "tracking"
    has_truth = False

    def __init__(self, size=100, cut=60, **more):
        super().__init__(size, **more)
        self.class_names, self.targets = (), [None] * size
        self.sequences = (SequenceInfo("a", 0, cut), SequenceInfo("b", cut, size))

    def __getitem__(self, index):
        self.targets, self.class_names = np.zeros(len(self.ids), int), ("x",)
        sample = super().__getitem__(index)
        self.targets, self.class_names = [None] * len(self.ids), ()
        return sample


class Spotter(ModelAdapter):
    """One box a frame that walks right by a pixel; none in every tenth frame."""

    device, fingerprint, notes = "cpu", "spotter-1", {}
    spec = ModelSpec("spotter", "detection", "fake", "tests", Weights("bundled", "-"), ("car", "bus"))

    def preprocess(self, image):
        return int(image[0, 0, 2])

    def forward(self, items):
        return list(items)

    def postprocess(self, outputs):
        return [
            Detections([[n, 0, n + 20, 20]], [0], [0.8]) if n % 10 else Detections.none(scored=True) for n in outputs
        ]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def values(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_every_frame_is_answered_as_the_model_answers_it(store):
    film, model = Film(), FakeAdapter(7)
    said = []
    watched = watch(model, film, store, said.append)
    expected = np.stack([p.scores for p in FakeAdapter(7).postprocess(np.arange(100))]).astype(np.float64)
    assert watched.index.tolist() == list(range(100))
    assert watched.labels.top.tolist() == np.argsort(-expected, axis=1)[:, :5].tolist()
    np.testing.assert_allclose(watched.labels.score, -np.sort(-expected, axis=1)[:, :5], rtol=1e-6)
    np.testing.assert_allclose(watched.labels.entropy, -(expected * np.log(expected)).sum(1), rtol=1e-6)
    assert watched.table.column("sequence").to_pylist() == ["a"] * 60 + ["b"] * 40
    assert watched.table.column("frame").to_pylist() == [*range(60), *range(40)]
    assert watched.facts["sequences"] == [
        {"name": "a", "start": 0, "stop": 60},
        {"name": "b", "start": 60, "stop": 100},
    ]
    assert said[-1].stage == "done"
    assert not list(store.root.glob("unfinished/*"))


def test_what_was_watched_is_not_watched_again(store):
    first = watch(FakeAdapter(), Film(), store)
    model = FakeAdapter()
    again = watch(model, Film(), store)
    assert (again.id, model.seen) == (first.id, [])
    others = [
        watch(FakeAdapter(fingerprint="model-2"), Film(), store),
        watch(FakeAdapter(), Film(fingerprint="data-2"), store),
        watch(FakeAdapter(), Film(), store, limit=30),
    ]
    assert len({first.id, *(o.id for o in others)}) == 4
    assert len(others[-1].index) == 30
    assert {w.id for w in everything(store)} == {first.id, *(o.id for o in others)}
    assert watch(FakeAdapter(), Film(), store, limit=500).id == first.id


def test_a_stopped_try_is_continued(store, tmp_path):
    stop = threading.Event()
    model = FakeAdapter()
    model.cancel_after = (4, stop)
    with pytest.raises(Cancelled, match="of 100 frames"):
        watch(model, Film(), store, cancel=stop, load_s=2.0)
    assert everything(store) == []
    rest = FakeAdapter()
    watched = watch(rest, Film(), store)
    whole = watch(FakeAdapter(), Film(), Store(tmp_path / "other"))
    assert watched.table.equals(whole.table)
    assert 0 < len(set(rest.seen)) < 100
    assert watched.timing["load_s"] == 2.0  # of the try that began it
    assert watched.timing["cold_ms"] > 0


def test_stopped_before_it_began(store):
    stop = threading.Event()
    stop.set()
    model = FakeAdapter()
    with pytest.raises(Cancelled):
        watch(model, Film(), store, cancel=stop)
    assert model.seen == []


def test_a_try_that_was_killed_while_putting_it_in_place_is_made_whole(store, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dashboard.watching.write_json", die)
        with pytest.raises(KeyboardInterrupt):
            watch(FakeAdapter(), Film(), store)
    assert everything(store) == []
    model = FakeAdapter()
    watched = watch(model, Film(), store)
    assert len(watched.index) == 100
    assert len(model.batches) < 205  # no batch but those of measuring the latency
    assert {f.name for f in watched.path.iterdir()} == {"watched.json", "frames.parquet"}


def test_a_first_frame_is_a_cold_start_only_of_a_model_just_loaded(store):
    known = watch(FakeAdapter(), Film(), store).timing
    assert known["cold_ms"] is None
    assert known["load_s"] is None
    fresh = watch(FakeAdapter(fingerprint="2", delay=0.003), Film(20, 10), store, load_s=1.5)
    assert fresh.timing["load_s"] == 1.5
    assert fresh.timing["cold_ms"] >= 3
    assert fresh.timing["latency_ms"]["p50"] >= 3
    assert set(fresh.timing["frame_ms"]) == {"read", "preprocess", "model"}
    assert 0 < fresh.timing["throughput_per_s"] < 20 / 0.009  # three batches of at most eight
    shown = figures(fresh)
    assert shown["cold_start"] == fresh.timing["cold_ms"]
    assert shown["throughput"] == fresh.timing["throughput_per_s"]


def test_frames_that_cannot_be_read_are_left_out(store):
    watched = watch(FakeAdapter(), Film(unreadable={0, 5, 6}), store)
    assert watched.index.tolist() == [i for i in range(100) if i not in (0, 5, 6)]
    assert [s["id"] for s in watched.facts["skipped"]] == [Film().ids[i] for i in (0, 5, 6)]
    with pytest.raises(InputError, match="60 of 100 frames cannot be read"):
        watch(FakeAdapter(), Film(unreadable=range(60), fingerprint="worse"), store)


def test_a_small_device_takes_smaller_batches(store, tmp_path):
    small = watch(FakeAdapter(room=3), Film(), store)
    assert small.table.equals(watch(FakeAdapter(), Film(), Store(tmp_path / "o")).table)
    assert small.facts["notes"]["batch size after running out of memory"] == 2


def test_what_cannot_be_watched_is_refused_in_one_sentence(store):
    with pytest.raises(InputError, match=r"hasher does enhancement: .*classifier or a detector"):
        watch(FakeAdapter(task="enhancement"), Film(), store)
    with pytest.raises(InputError, match="numbers is not a film"):
        watch(FakeAdapter(), FakeDataset(), store)
    with pytest.raises(InputError, match="has no frames"):
        watch(FakeAdapter(), Film(0, 0), store)
    with pytest.raises(InputError, match="--limit must be at least 1"):
        watch(FakeAdapter(), Film(), store, limit=0)
    wrong = FakeAdapter()
    wrong.postprocess = FakeAdapter(4).postprocess
    with pytest.raises(InputError, match="did not answer with 5 scores"):
        watch(wrong, Film(), store)
    assert everything(store) == []


def test_what_is_stored_may_be_damaged_or_gone(store):
    watched = watch(FakeAdapter(), Film(), store)
    (watched.path / "frames.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"frames\.parquet is missing or damaged"):
        _ = get(store, watched.id).table
    (watched.path / "watched.json").write_text("{}")
    with pytest.raises(InputError, match=r"watched\.json is damaged"):
        get(store, watched.id)
    assert everything(store) == []
    delete(store, watched.id)
    assert not has(store, watched.id)
    with pytest.raises(InputError, match="Nothing watched is called"):
        delete(store, watched.id)
    assert not has(store, "../runs")


def test_a_real_folder_of_frames(store, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(1, 13):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((6, 8, 3), i, np.uint8))
    watched = watch(FakeAdapter(3), Video().open(folder, {}), store)
    numbers = np.arange(1, 13) * (1 + 256 + 65536)
    expected = [p.label for p in FakeAdapter(3).postprocess(numbers)]
    assert watched.labels.top[:, 0].tolist() == expected
    lines = table_csv(watched).splitlines()
    assert lines[0] == "id,sequence,frame,label1,score1,label2,score2,label3,score3"
    assert lines[2].startswith(f"frames/000002,frames,2,class {expected[1]},")
    assert len(lines) == 13


# How steady labels are


def test_frames_follow_within_a_sequence_only():
    assert follows(["a", "a", "a", "b", "b"], np.array([0, 1, 3, 0, 1])).tolist() == [False, True, False, False, True]
    assert follows([], np.empty(0, np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("labels", "flicker", "longest", "label"),
    [
        ([1, 1, 1, 2, 1], 2 / 4, (0, 3), 1),
        ([1, 2, 1, 2], 1.0, (0, 1), 1),
        ([3, 3, 3], 0.0, (0, 3), 3),
        ([1, 2, 2], 1 / 2, (1, 2), 2),
        ([4], NAN, (0, 1), 4),
        ([], NAN, (0, 0), -1),
    ],
)
def test_flicker_and_the_longest_run(labels, flicker, longest, label):
    labels = np.array(labels, np.int64)
    found = label_stability(labels, np.ones(len(labels)), np.zeros(len(labels)), np.arange(len(labels)) > 0)
    assert found.flicker == pytest.approx(flicker, nan_ok=True)
    assert (found.longest, found.label) == (longest, label)


def test_nothing_flickers_over_a_missing_frame():
    labels, following = np.array([1, 1, 2, 2, 1]), np.array([False, True, False, True, True])
    found = label_stability(labels, np.full(5, 0.5), np.array([NAN, 1, 3, NAN, NAN]), following)
    assert found.changed.tolist() == [False, False, False, False, True]
    assert found.flicker == pytest.approx(1 / 3)
    assert found.longest == (0, 2)
    assert found.shares == {1: 0.6, 2: 0.4}
    assert (found.confidence, found.entropy) == (0.5, 2.0)


def test_the_same_label_across_a_cut_is_two_runs():
    found = label_stability(np.ones(5, np.int64), np.ones(5), np.zeros(5), np.array([False, True, False, True, True]))
    assert found.longest == (2, 3)


# How steady boxes are


def at(*boxes):
    """Boxes of 10 x 10 by (x, class)."""
    return Detections([[x, 0, x + 10, 10] for x, _ in boxes], [c for _, c in boxes], [0.5] * len(boxes))


NONE = Detections.none(scored=True)


@pytest.mark.parametrize(
    ("frames", "linked", "blink", "flips"),
    [
        ([at((0, 0)), at((1, 0)), at((2, 0))], 1.0, 0.0, 0.0),
        ([at((0, 0)), NONE, at((0, 0))], 0.0, 1.0, 0.0),  # a blink: of one box that could be asked
        ([at((0, 0)), NONE, NONE, at((0, 0))], 0.0, 0.0, 0.0),  # gone for two frames is no blink
        ([at((0, 0)), at((0, 1)), at((0, 0))], 0.0, 1.0, 1.0),  # a class that flips, and back
        ([at((0, 0)), at((50, 0)), at((0, 0))], 0.0, 1.0, 0.0),
        ([at((0, 0), (50, 0)), at((50, 0)), at((0, 0), (50, 0))], 2 / 3, 1 / 2, 0.0),
        ([at((0, 0)), at((4, 0))], 0.0, NAN, 0.0),  # IoU 6 / 14
        ([NONE, NONE], NAN, NAN, NAN),
        ([], NAN, NAN, NAN),
    ],
)
def test_links_and_blinks(frames, linked, blink, flips):
    found = detection_stability(frames, 2)
    assert found.linked == pytest.approx(linked, nan_ok=True)
    assert found.blink == pytest.approx(blink, nan_ok=True)
    assert found.class_flips == pytest.approx(flips, nan_ok=True)


def test_counts_jitter_and_chains():
    found = detection_stability([at((0, 0), (50, 1)), at((51, 1), (1, 0)), at((1, 0))], 2)
    assert found.counts.tolist() == [[1, 1], [1, 1], [1, 0]]
    assert [c.tolist() for c in found.chains] == [[1, 2], [2, 1], [1]]
    assert found.jitter == pytest.approx(1 - (9 / 11 + 9 / 11 + 1) / 3)
    assert found.count_changes == pytest.approx(1 / 2)
    cut = detection_stability([at((0, 0)), at((0, 0))], 2, np.array([False, False]))
    assert np.isnan(cut.linked)
    assert [c.tolist() for c in cut.chains] == [[1], [2]]
    with pytest.raises(ValueError, match="classes must be more than 1"):
        detection_stability([at((0, 1))], 1)


def test_a_box_is_linked_once_to_its_nearest():
    row, col, iou = links(at((0, 0), (2, 0)), at((2, 0), (5, 0)))
    assert sorted(zip(row.tolist(), col.tolist(), strict=True)) == [(1, 0)]
    assert iou.tolist() == [1.0]


boxes = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes, max_size=7))
def test_laws_of_links(film):
    frames = [at(*found) if found else NONE for found in film]
    found = detection_stability(frames, 2)
    assert found.counts.sum() == sum(map(len, frames))
    for share in (found.linked, found.blink, found.class_flips, found.jitter):
        assert np.isnan(share) or 0 <= share <= 1
    for chain, frame in zip(found.chains, frames, strict=True):
        assert len(set(chain.tolist())) == len(frame)  # a chain is once in a frame
    classes = {}
    for chain, frame in zip(found.chains, frames, strict=True):
        for number, label in zip(chain.tolist(), frame.class_ids.tolist(), strict=True):
            assert classes.setdefault(number, label) == label
    assert sorted(classes) == list(range(1, len(classes) + 1))
    backwards = detection_stability(frames[::-1], 2)
    assert backwards.counts.tolist() == found.counts[::-1].tolist()


# Panes


def test_the_pane_of_a_classifier(store):
    watched = watch(FakeAdapter(40), Film(unreadable={2}), store)
    shown = pane(watched, 0, 60)
    labels = shown["labels"]
    top, score = values(labels["top"], "<u2").reshape(60, 5), values(labels["score"], "u1").reshape(60, 5)
    first = FakeAdapter(40).postprocess(np.arange(60))
    for i in (0, 1, 3, 59):
        assert labels["names"][top[i, 0]] == f"class {first[i].label}"
        assert score[i, 0] == round(255 * float(first[i].scores.max()))
    assert score[2].tolist() == [0] * 5
    confidence, changed = values(shown["series"]["confidence"], "<f4"), values(shown["series"]["changed"], "u1")
    assert np.isnan(confidence).nonzero()[0].tolist() == [2]
    expected = [i not in (0, 2, 3) and first[i].label != first[i - 1].label for i in range(60)]
    assert changed.tolist() == expected
    assert set(shown["stages"]) == {"decode", "detect", "track"}
    assert shown["fps"] == watched.timing["throughput_per_s"]
    assert shown["found"] is None
    second = pane(watched, 60, 100)
    assert len(values(second["series"]["changed"], "u1")) == 40
    assert values(second["series"]["changed"], "u1")[0] == 0
    with pytest.raises(ValueError, match="ascending"):
        pane(watched, 5, 2)


def test_a_detector_is_watched_without_a_tracker(store):
    watched = watch(Spotter(), Film(40, 25), store)
    assert [len(d) for d in watched.boxes()] == [int(n % 10 > 0) for n in range(40)]
    steady = watched.stability()
    assert steady.counts.sum(0).tolist() == [36, 0]
    assert steady.blink == 3 / 32  # over frames 10, 20 and 30; the last two frames of each sequence are not asked
    shown = figures(watched)
    assert shown["trk_counts"] == pytest.approx(0.9)
    found = pane(watched, 0, 25)
    offsets, ids = values(found["found"]["offsets"], "<u4"), values(found["found"]["id"], "<i4")
    assert np.diff(offsets).tolist() == [int(n % 10 > 0) for n in range(25)]
    assert ids.tolist() == [1] * 9 + [2] * 9 + [3] * 4
    assert values(found["found"]["box"], "<f4").reshape(-1, 4)[0].tolist() == [1, 0, 21, 20]
    assert values(found["found"]["score"], "u1")[0] == 204
    assert values(found["series"]["born"], "<u2").nonzero()[0].tolist() == [1, 11, 21]
    assert values(found["series"]["ended"], "<u2").nonzero()[0].tolist() == [9, 19, 24]
    assert found["labels"] is None
    assert table_csv(watched).splitlines()[:3] == [
        "id,sequence,frame,car,bus",
        "folder/00000.png,a,1,0,0",
        "folder/00001.png,a,2,1,0",
    ]


def test_boxes_that_the_detector_hardly_believes_in_are_left_out(store):
    watched = watch(Spotter(), Film(40, 25), store)
    assert sum(map(len, watched.boxes(0.8))) == 36
    assert sum(map(len, watched.boxes(0.81))) == 0
    assert watched.stability(0.81).counts.sum() == figures(watched, 0.81)["trk_counts"] == 0
    assert values(pane(watched, 0, 25, 0.81)["found"]["offsets"], "<u4")[-1] == 0
    assert table_csv(watched, 0.81).splitlines()[2] == "folder/00001.png,a,2,0,0"


def test_a_film_in_which_nothing_is_found(store):
    class Blind(Spotter):
        fingerprint = "blind"

        def postprocess(self, outputs):
            return [Detections.none(scored=True) for _ in outputs]

    watched = watch(Blind(), Film(10, 10), store)
    shown = pane(watched, 0, 10)
    assert values(shown["found"]["offsets"], "<u4").tolist() == [0] * 11
    assert np.isnan(figures(watched)["blink"])


def test_models_of_both_kinds_play_side_by_side(store):
    film = Film(40, 25)
    both = [watch(FakeAdapter(), film, store), watch(Spotter(), film, store, limit=20)]
    info = SequenceInfo("a", 0, 25, fps=10.0, times=np.arange(25) / 10)
    shown = value(both, info, (48, 64), note="ui.note")
    assert [bool(p["labels"]) for p in shown["panes"]] == [True, False]
    assert (shown["frames"], shown["width"], shown["height"], shown["fps"]) == (25, 64, 48, 10.0)
    assert shown["class_names"] == ["car", "bus"]
    assert values(shown["times"], "<f8").tolist() == info.times.tolist()
    assert np.diff(values(shown["panes"][1]["found"]["offsets"], "<u4")).tolist() == [
        int(n % 10 > 0 and n < 20) for n in range(25)
    ]


@pytest.mark.parametrize(("name", "kind"), [("digits_linear", "labels"), ("scenes_nano", "boxes")])
def test_the_bundled_models_watch_the_bundled_film(store, name, kind):
    film = open_dataset("demo:tracks", None, "tracking", {})
    model = load_model(name, LoadOptions(threads=1))
    watched = watch(model, film, store, load_s=1.0, limit=12)
    assert (watched.kind, len(watched.index)) == (kind, 12)
    answers = model.predict([film[i].image for i in range(12)])
    if kind == "labels":
        assert watched.labels.top[:, 0].tolist() == [a.label for a in answers]
    else:
        assert [len(d) for d in watched.boxes()] == [int((a.scores >= 0.25).sum()) for a in answers]
        assert watched.stability().linked > 0.5
