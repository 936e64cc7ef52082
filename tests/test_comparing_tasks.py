"""Comparing runs of the tasks beyond classification: their own numbers, image by image, class by class."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dashboard.comparing import align, measured, pixels
from dashboard.comparing.compare import compare
from dashboard.comparing.shapes import Comparison, Difference
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.evaluation import Settings, evaluate
from dashboard.metrics import paired
from dashboard.metrics.paired_bootstrap import every_block
from dashboard.metrics.segmentation.columns import LOSSES
from dashboard.metrics.segmentation.counts import EDGES, Counts, per_image
from dashboard.metrics.segmentation.scores import image_scores, iou, scores
from dashboard.segmentation_rows import counts_table
from dashboard.store import Run, Store
from models.load import load_model
from tests import fake_tracks
from tests.enhancement_store import COUNT, runs_in
from tests.fake_detector import FakeDetector, FakeObjects
from tests.fake_segmenter import FakeMaps, FakeSegmenter
from tests.fake_tracks import FakeTracks, Finder, tracking
from tests.tracking_store import mistaken, scored, swapped


def difference(found: Comparison, metric: str, run: int = 1) -> Difference:
    return next(d for d in found.differences if d.metric == metric and d.run == run)


def same_as_stored(found: Comparison) -> None:
    """Every figure that a run has stored, and its interval, is the same where nothing is left out."""
    seen = 0
    for figure in found.figures:
        for place, run in enumerate(found.runs):
            if not figure.recorded and figure.name in run.metrics:
                stored = run.metrics[figure.name]
                expected = math.nan if stored is None else stored
                assert figure.values[place] == pytest.approx(expected, nan_ok=True, rel=1e-9), figure.name
                if figure.name in run.intervals:
                    assert tuple(figure.intervals[place]) == pytest.approx(run.intervals[figure.name], rel=1e-9)
                seen += 1
    assert seen > 10


def run_of(root: Path, data, adapter, **options) -> Run:
    return evaluate(adapter, data, Store(root), Settings(latency=False, **options))


# Detection and instance segmentation


class Shy(FakeDetector):
    """Misses the surest object of every other picture; its name and the order of its classes may vary."""

    def __init__(self, name: str = "shy", **options) -> None:
        super().__init__(**options)
        self.spec = replace(self.spec, name=name)
        self.fingerprint = f"{name} {self.spec.class_names} {self.spec.task}"

    def _answer(self, index: int):
        found = super()._answer(index)
        return found.take(np.arange(len(found)) >= 1) if index % 2 and len(found) > 1 else found


@pytest.mark.parametrize("task", ["detection", "instance-segmentation"])
def test_detection(tmp_path, task):
    data = FakeObjects(60, task)
    runs = [run_of(tmp_path, data, FakeDetector(task=task)), run_of(tmp_path, data, Shy(task=task))]
    found = compare(runs, resamples=300)
    same_as_stored(found)
    assert found.score_name == "f1"
    better = difference(found, "map")
    assert better.high < 0
    assert better.low < better.value < better.high
    assert "resamples of 60 images" in better.method
    # Each picture has i % 4 objects, all found, and one detection that is nothing; the point drops that one (0.5).
    count = np.arange(60) % 4
    threshold = runs[0].metrics["operating_confidence"]
    assert threshold is not None
    assert threshold > 0.5
    np.testing.assert_allclose(found.scores[0], 1.0)
    lost = (np.arange(60) % 2 == 1) & (count > 0)
    expected = np.where(lost, 2 * (count - 1) / np.maximum(2 * count - 1, 1), 1.0)
    np.testing.assert_allclose(found.scores[1], expected)
    np.testing.assert_array_equal(found.outcome(1), -lost.astype(int))
    recall = next(c for c in found.classes if c.metric == "recall")
    support = np.bincount(np.concatenate([t.class_ids for t in data.targets]), minlength=3)
    assert recall.support.tolist() == support.tolist()
    np.testing.assert_allclose(recall.values[0], 1)
    assert (recall.high[1] < 0).all()
    ap = next(c for c in found.classes if c.metric == "ap")
    gap = ap.values[1] - ap.values[0]
    np.testing.assert_allclose((ap.low[1] + ap.high[1]) / 2, gap)
    assert (ap.low[1] < gap).all()
    # The overall recall, resampled by hand.
    drawn = np.concatenate(every_block(60, 300, 0, lambda _, w: w.T))
    got = count - lost
    by_hand = (drawn * got).sum(axis=1) / (drawn * count).sum(axis=1) - 1
    limits = np.quantile(by_hand - by_hand.mean() + (got.sum() / count.sum() - 1), [0.025, 0.975])
    assert (difference(found, "recall").low, difference(found, "recall").high) == pytest.approx(tuple(limits))


def test_detection_with_classes_in_another_order_and_fewer_pictures(tmp_path):
    data = FakeObjects(60)
    one = run_of(tmp_path, data, FakeDetector())
    other = run_of(tmp_path, data, Shy(class_names=("c", "x", "a", "b")), limit=40)
    found = compare([one, other], resamples=200)
    assert found.left_out == [20, 0]
    assert any("40 samples" in n for n in found.notes)
    assert any("4 classes" in n for n in found.notes)
    small = run_of(tmp_path / "b", FakeObjects(60), FakeDetector(), limit=40)
    alike = compare([small, run_of(tmp_path / "b", data, Shy(), limit=40)], resamples=200)
    for metric in ("map", "map_50", "f1"):
        np.testing.assert_allclose(found.figure(metric).values, alike.figure(metric).values)
        a, b = difference(found, metric), difference(alike, metric)
        assert (a.low, a.high) == pytest.approx((b.low, b.high), rel=1e-6)
    for mine, theirs in zip(found.classes, alike.classes, strict=True):
        assert list(mine.classes) == list(theirs.classes) == ["a", "b", "c"]
        np.testing.assert_allclose(mine.values, theirs.values)
        np.testing.assert_allclose(mine.low, theirs.low)


def test_detection_with_different_truth(tmp_path):
    data, other = FakeObjects(30), FakeObjects(30)
    other.fingerprint = "other"
    other.targets[5] = replace(other.targets[5], xyxy=other.targets[5].xyxy + 3)
    runs = [run_of(tmp_path, data, FakeDetector()), run_of(tmp_path, other, Shy())]
    with pytest.raises(InputError, match=r"different truth for '005\.png'"):
        compare(runs)
    other.targets[5] = replace(other.targets[5], class_ids=(data.targets[5].class_ids + 1) % 3)
    other.fingerprint = "classes"
    with pytest.raises(InputError, match=r"different truth for '005\.png'"):
        compare([runs[0], run_of(tmp_path, other, Shy("other"))])


# Semantic segmentation


def test_semantic_segmentation(tmp_path):
    data = FakeMaps(24)
    better = FakeSegmenter(name="keener", sure=0.95)
    better.answer = lambda index: replace(FakeSegmenter.answer(better, index), class_ids=_truth(index))  # type: ignore[method-assign]
    runs = [run_of(tmp_path, data, FakeSegmenter()), run_of(tmp_path, data, better)]
    found = compare(runs)
    same_as_stored(found)
    assert found.score_name == "miou"
    # 11 rows count; background has 8 columns, of which 7 are right; the object has 8, and 9 are answered.
    np.testing.assert_allclose(found.scores[0], (7 / 8 + 8 / 9) / 2)
    np.testing.assert_allclose(found.scores[1], 1)
    assert found.outcome(1).tolist() == [1] * 24
    assert difference(found, "miou").value > 0
    assert difference(found, "cross_entropy").value < 0
    iou = next(c for c in found.classes if c.metric == "iou")
    assert list(iou.classes) == ["background", "a", "b"]
    np.testing.assert_allclose(iou.values[0], [7 / 8, 8 / 9, 8 / 9])
    assert iou.support.tolist() == [24 * 11 * 8, 12 * 11 * 8, 12 * 11 * 8]


def _truth(index: int) -> np.ndarray:
    ids = np.zeros((12, 16), np.uint8)
    ids[:, 8:] = 1 + index % 2
    return ids


class Patchy(FakeSegmenter):
    """Forgets the object in every ``every``-th picture."""

    def __init__(self, every: int) -> None:
        super().__init__(name=f"patchy{every}")
        self.every = every

    def answer(self, index: int):
        found = super().answer(index)
        if index % self.every == 0:
            found.class_ids[:] = 0
        return found


def test_semantic_segmentation_by_hand(tmp_path):
    data = FakeMaps(40)
    runs = [run_of(tmp_path, data, Patchy(k), limit=n) for k, n in ((3, None), (4, 36))]
    found = compare(runs, resamples=400)
    assert found.left_out == [4, 0]
    drawn = np.concatenate(every_block(36, 400, 0, lambda _, w: w.T)).astype(np.float64)
    right = np.array([[88 if i % k == 0 else 77 + 88 for i in range(36)] for k in (3, 4)])
    accuracy = drawn @ right.T / (36 * 176)
    gap = accuracy[:, 1] - accuracy[:, 0]
    value = float((right[1] - right[0]).sum() / (36 * 176))
    one = difference(found, "pixel_accuracy")
    assert one.value == pytest.approx(value)
    assert (one.low, one.high) == pytest.approx(tuple(np.quantile(gap - gap.mean() + value, [0.025, 0.975])))
    sign = next(t for t in found.tests if t.name == "sign")
    # Forgotten at multiples of 3 by the baseline (12), of 4 by the other (9); of 12 by both (3).
    assert sign.counts == {"wins": 9, "losses": 6, "ties": 21}


def counts_of_pictures(images: int, classes: int, seed: int) -> Counts:
    """Four classes a picture, of which a part is taken for another or for none."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(images), 8)
    true = np.repeat(np.random.default_rng(0).integers(0, classes, 4 * images), 2)
    found = np.where(np.arange(8 * images) % 2, rng.integers(0, classes + 1, 8 * images), true)
    half = rng.integers(0, 500, 4 * images)  # of a thousand pixels each: the truth is the same whatever the seed
    pixels = np.stack([1000 - half, half], axis=1).ravel()
    known = pixels > 0
    none = {name: np.empty(0, np.int64) for name in EDGES}
    sizes, nothing = np.full((images, 2), 64), np.full(images, np.nan)
    cells = (v[known] for v in (image, true, found, pixels))
    losses = dict.fromkeys(LOSSES, nothing)
    return Counts(classes, sizes, np.zeros(images, np.int64), *cells, **none, losses=losses)


def rows_only(root: Path, name: str, counts: Counts, classes: list[str]) -> Run:
    """A run that has nothing but its rows: enough to compare maps."""
    folder = root / name
    folder.mkdir(parents=True)
    ids = [f"{k:06d}.png" for k in range(len(counts))]
    pq.write_table(counts_table(np.arange(len(ids)), ids, counts), folder / "rows.parquet")
    (folder / "classes.json").write_text(json.dumps({"names": classes, "ids": []}))
    return Run(name, "semantic-segmentation", name, "made up", 0, {}, path=folder)


def test_maps_of_few_pictures_in_many_classes_take_little_memory(tmp_path):
    """What is held grows with what is there, not with pictures times classes; the numbers are those of full tables."""
    names = [f"class {k}" for k in range(150)]
    counts = [counts_of_pictures(3000, 150, seed) for seed in (1, 2)]
    runs = [rows_only(tmp_path, f"run{k}", c, names) for k, c in enumerate(counts)]
    aligned = align.align(runs, 0)
    tracemalloc.start()
    try:
        found = pixels.measure(runs, aligned, measured.Settings(0, 100, 0, 0.95))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6  # a full table of one run has 3000 * 150 * 3 * 8 bytes = 11 MB
    full = np.stack([per_image(c) for c in counts])
    drawn = np.concatenate(every_block(3000, 100, 0, lambda _, w: w.T)).astype(np.float64)
    for name, values in found.draws.items():
        if name in ("miou", "pixel_accuracy", "mdice", "mean_pixel_accuracy", "frequency_weighted_iou"):
            for b in (0, 57, 99):
                weighted = np.tensordot(drawn[b], full, (0, 1))
                np.testing.assert_allclose(values[b], scores(weighted)[name], rtol=1e-12)
    for name in ("iou", "dice"):
        expected = np.stack([image_scores(c)[name] for c in counts])
        np.testing.assert_allclose(found.columns[f"image_m{name}"], expected, rtol=1e-12)


def test_maps_with_classes_in_another_order(tmp_path):
    """One of the classes is known to the other run only; what is answered so counts as wrong."""
    counts = counts_of_pictures(40, 3, 1)
    turned = np.array([2, 0, 1])
    other = replace(counts, true=turned[counts.true], found=np.append(turned, 3)[counts.found], classes=4)
    other.found[::5] = 3  # the class that is the other's alone
    runs = [rows_only(tmp_path, "a", counts, list("xyz")), rows_only(tmp_path, "b", other, ["y", "z", "x", "new"])]
    found = compare(runs, resamples=200)
    each = next(c for c in found.classes if c.metric == "iou")
    assert list(each.classes) == ["x", "y", "z", "new"]
    for place, (c, of) in enumerate(((counts, [0, 1, 2]), (other, [2, 0, 1, 3]))):
        n = per_image(c).sum(axis=0)[of]
        np.testing.assert_allclose(each.values[place, : len(n)], iou(n))
        assert found.figure("miou").values[place] == pytest.approx(float(np.nanmean(iou(n))))
    assert math.isnan(each.values[0, 3])
    assert any("4 classes" in n for n in found.notes)


def test_maps_with_different_truth(tmp_path):
    counts = counts_of_pictures(40, 3, 1)
    wrong = replace(counts, true=np.where(counts.image == 7, (counts.true + 1) % 3, counts.true))
    runs = [rows_only(tmp_path, name, c, list("xyz")) for name, c in (("a", counts), ("b", wrong))]
    with pytest.raises(InputError, match=r"different truth for '000007\.png'"):
        compare(runs)


# Enhancement


def test_enhancement(tmp_path):
    _, runs = runs_in(tmp_path)
    found = compare(runs)
    same_as_stored(found)
    assert found.score_name == "psnr"
    assert found.figure("mse").higher_is_better is False
    assert found.figure("psnr").unit == "dB"
    assert not found.classes
    with np.errstate(invalid="ignore"):
        gap = found.scores[1] - found.scores[0]
    known = gap[np.isfinite(gap)]
    assert len(known) == COUNT - 1  # the flat picture is met exactly by both
    mse = difference(found, "mse")
    assert "Student" in mse.method  # six pictures are too few to be resampled
    assert mse.low < mse.value < mse.high
    sign = next(t for t in found.tests if t.name == "sign")
    assert sign.counts["ties"] == 1
    assert sign.counts["wins"] == (known > 0).sum()


def test_pictures_that_are_made_exactly(tmp_path):
    """Infinite PSNR is in nobody's mean, wins over any other and ties with itself; it is said."""
    _, runs = runs_in(tmp_path)
    table = pq.read_table(runs[1].rows_path)
    psnr = table.column("psnr").to_numpy().copy()
    psnr[0] = np.inf  # the flat one is exact in both runs; this one in the second alone
    pq.write_table(table.set_column(table.column_names.index("psnr"), "psnr", pa.array(psnr)), runs[1].rows_path)
    found = compare(runs)
    base = pq.read_table(runs[0].rows_path).column("psnr").to_numpy()
    others = np.isfinite(base) & np.isfinite(psnr)
    assert others.sum() == COUNT - 2
    np.testing.assert_allclose(found.figure("psnr").values, [base[others].mean(), psnr[others].mean()])
    one, gap = difference(found, "psnr"), psnr[others] - base[others]
    assert one.value == pytest.approx(gap.mean())
    assert (one.low, one.high) == pytest.approx(paired.paired_t(gap)[0])
    assert found.outcome(1)[0] == 1
    assert found.outcome(1)[-1] == 0
    assert any(n.startswith("2 images that") for n in found.notes)
    whole = found.figure("ssim").values
    assert np.isfinite(whole).all()
    one_exact = compare([runs[0], *runs_in(tmp_path / "x", ("lanczos",))[1]])
    assert any(n.startswith("1 image that") for n in one_exact.notes)


def test_a_run_that_makes_every_picture_exactly(tmp_path):
    """It wins everywhere, which the sign test knows though no gap is a number."""
    _, runs = runs_in(tmp_path)
    table = pq.read_table(runs[1].rows_path)
    place = table.column_names.index("psnr")
    pq.write_table(table.set_column(place, "psnr", pa.array(np.full(COUNT, np.inf))), runs[1].rows_path)
    found = compare(runs)
    assert found.figures[0].name == "ssim"  # there is no mean of PSNR
    sign = next(t for t in found.tests if t.name == "sign")
    assert sign.counts == {"wins": COUNT - 1, "losses": 0, "ties": 1}
    assert sign.p == pytest.approx(2 / 2 ** (COUNT - 1))
    wilcoxon = next(t for t in found.tests if t.name == "wilcoxon")
    assert wilcoxon.p == pytest.approx(2 / 2 ** (COUNT - 1), rel=0.7)


def test_enhancement_on_other_references(tmp_path):
    store, runs = runs_in(tmp_path)
    folder = tmp_path / "clean"
    other = open_dataset(folder, task="enhancement", options={"degrade": "bicubic:4"})
    run = evaluate(load_model("bicubic"), other, store, Settings(latency=False))
    with pytest.raises(InputError, match="enlarges"):
        compare([runs[0], run])
    _, far = runs_in(tmp_path / "far", ("bicubic",))
    assert compare([runs[0], far[0]]).left_out == [0, 0]  # the same pictures in another folder may be compared
    unknown = replace(far[0], facts={**far[0].facts, "dataset_facts": {}})
    assert compare([runs[1], unknown]).left_out == [0, 0]  # the pictures themselves are the same
    far[0].predictions_path.unlink()
    with pytest.raises(InputError, match="references") as caught:
        compare([runs[1], unknown])
    assert far[0].id in str(caught.value)
    picture = tmp_path / "darker"
    picture.mkdir()
    for file in folder.iterdir():
        image = cv2.imread(str(file))
        assert cv2.imwrite(str(picture / file.name), image // 2)
    data = open_dataset(picture, task="enhancement", options={"degrade": "bicubic:2"})
    dark = evaluate(load_model("bicubic"), data, store, Settings(latency=False))
    with pytest.raises(InputError, match="different truth"):
        compare([runs[0], dark])


# Tracking


def test_few_sequences_are_compared_by_blocks_of_frames(tmp_path):
    data = FakeTracks()
    runs = [run_of(tmp_path, data, tracking("iou")), run_of(tmp_path, data, tracking("sort"))]
    found = compare(runs)
    same_as_stored(found)
    assert found.unit == "block of frames"
    assert "jackknife" in difference(found, "HOTA").method
    assert found.score_name == "mota"
    frames = sum(fake_tracks.LENGTHS)
    assert len(found.ids) == frames
    # The baseline loses both identities once in each sequence, in frames 5 (object 1) and 7 (object 2); frame 3 is
    # missed once, and frame 6 has a box too many.
    each = found.scores[0][: fake_tracks.LENGTHS[0]]
    assert each[fake_tracks.MISSED] == pytest.approx(0.5)
    assert each[fake_tracks.FALSE] <= 0.5
    assert each[0] == 1
    idsw = found.figure("IDSW")
    assert idsw.values[0] == 6
    assert idsw.higher_is_better is False


class Moody(Finder):
    """Misses object 1 in more frames of every other sequence."""

    def _answer_of(self, place: tuple[int, int]):
        found = self._answer(place[1])
        return found.take(np.arange(len(found)) > 0) if place[0] % 2 and place[1] in (0, 1) else found

    def postprocess(self, outputs):
        return [self._answer_of(p) for p in outputs]


def test_many_sequences_are_resampled(tmp_path):
    data = FakeTracks((12,) * 8)
    runs = [
        run_of(tmp_path, data, tracking("iou")),
        run_of(tmp_path, data, tracking("iou", Moody(name="moody"))),
    ]
    found = compare(runs, resamples=500)
    same_as_stored(found)
    assert found.unit == "sequence"
    one = difference(found, "recall")
    assert "500 resamples of 8 sequences" in one.method
    fn = found.figure("FN").values
    assert fn.tolist() == [8, 8 + 2 * 4]
    # By hand: each draw of an odd sequence costs two more misses.
    drawn = np.concatenate(every_block(8, 500, 0, lambda _, w: w.T))
    gap = -2 * drawn[:, 1::2].sum(axis=1) / (22 * 8)
    limits = np.quantile(gap - gap.mean() + one.value, [0.025, 0.975])
    assert (one.low, one.high) == pytest.approx(tuple(limits), rel=1e-6)
    mota = next(c for c in found.classes if c.metric == "MOTA")
    assert list(mota.classes) == ["pedestrian", "car"]


def test_part_of_a_sequence_is_left_out(tmp_path):
    data = FakeTracks()
    whole = run_of(tmp_path, data, tracking("iou"))
    some = run_of(tmp_path, data, tracking("sort"), limit=15)  # the first, and three frames of the second
    found = compare([whole, some])
    assert len(found.ids) == 12
    assert found.left_out == [28, 3]
    assert any("only in part" in n for n in found.notes)
    little = run_of(tmp_path, data, tracking("sort"), limit=5)
    with pytest.raises(InputError, match="as a whole"):
        compare([whole, little])


def test_tracks_made_elsewhere_and_tracks_without_truth(tmp_path):
    found = compare([scored(tmp_path, "swapped", swapped()), scored(tmp_path, "mistaken", mistaken())])
    same_as_stored(found)
    assert math.isnan(difference(found, "HOTA").low)  # twenty frames are too few
    blind = FakeTracks(has_truth=False)
    runs = [run_of(tmp_path / "b", blind, tracking(t)) for t in ("iou", "sort")]
    found = compare(runs)
    assert any("no truth" in n for n in found.notes)
    assert np.isnan(found.scores).all()
    assert found.outcome(1).tolist() == [0] * len(found.ids)
    assert found.figure("births").values[0] == runs[0].metrics["births"]
