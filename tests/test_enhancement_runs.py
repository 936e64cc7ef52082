"""Evaluating, resuming and scoring enhancement: from pictures to numbers, and what goes wrong on the way."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dashboard import evaluation
from dashboard.cli import main
from dashboard.datasets.opening import open_dataset
from dashboard.datasets.paired import PairedDataset
from dashboard.enhancement_parts import pictures_of
from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Progress, Settings, evaluate
from dashboard.finishing import out_of_date, refresh
from dashboard.metrics.enhancement.measured import NAMES, PLAIN, REFERENCED, measure
from dashboard.scoring import score
from dashboard.store import Store
from models.base import LoadOptions
from models.load import load_model
from tests.datasets.pictures import encode, png16, zip_folder

TASK = "enhancement"
QUICK = Settings(latency=False)


def model(name: str, **settings: str):
    return load_model(name, LoadOptions(device="cpu", settings=settings))


def opened(path: Path, labels_only: bool = False, **options: str):
    return open_dataset(path, task=TASK, options=options, labels_only=labels_only)


def textured(seed: int, height: int = 36, width: int = 44) -> np.ndarray:
    """A soft picture with an edge and some grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    soft = np.stack([x * 4 % 200, y * 5 % 180, (x + y * 2 + 30 * seed) % 210], axis=2) + 20
    soft[:, width // 2 :] //= 2
    return np.clip(soft + rng.normal(0, 6, soft.shape), 0, 255).astype(np.uint8)


def save(folder: Path, **pictures: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in pictures.items():
        (folder / f"{name}.png").write_bytes(encode(pixels, "PNG"))
    return folder


def left_over(store: Store) -> list[str]:
    """What the store holds of unfinished runs."""
    return [p.name for p in (store.root / "unfinished").rglob("*") if p.is_file()]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def clean(tmp_path):
    """Nine clean pictures of several sizes."""
    return save(tmp_path / "clean", **{f"p{k}": textured(k, 36 + 2 * k, 44 - k) for k in range(9)})


def rows_of(run) -> dict[str, list]:
    return pq.read_table(run.rows_path).to_pydict()


def test_a_run_has_the_numbers_of_its_pictures(store, clean):
    data, lanczos = opened(clean, degrade="bicubic:2"), model("lanczos")
    run = evaluate(lanczos, data, store, QUICK)
    assert (run.task, run.samples, run.classes) == (TASK, 9, [])
    assert run.facts["dataset_facts"]["scale"] == 2
    assert run.facts["dataset_facts"]["recipe"] == data.recipe != ""
    rows = rows_of(run)
    answers = lanczos.at_scale(2).predict([data[k].image for k in range(9)])
    expected = [measure(a.rgb, data.targets[k].rgb, 2) for k, a in enumerate(answers)]
    assert rows["id"] == data.ids
    assert rows["border"] == rows["scale"] == [2] * 9
    for name in NAMES:
        assert rows[name] == pytest.approx([e[name] for e in expected], rel=1e-12, nan_ok=True), name
        assert run.metrics[name] == (None if name == "ms_ssim" else pytest.approx(np.mean(rows[name]))), name
    low, high = run.intervals["psnr_y"]
    assert low < run.metrics["psnr_y"] < high
    assert run.metrics["identical"] == 0
    assert 20 < run.metrics["psnr"] < 50
    found, truth = pictures_of(run.predictions_path, 4).pixels
    np.testing.assert_array_equal(found, answers[4].rgb)
    np.testing.assert_array_equal(truth, data.targets[4].rgb)


def test_the_same_again_is_not_done_again(store, clean):
    first = evaluate(model("median"), opened(clean, degrade="noise:25"), store, QUICK)
    stages = []
    again = evaluate(model("median"), opened(clean, degrade="noise:25"), store, QUICK, lambda p: stages.append(p.stage))
    assert (again.id, again.created_at, stages) == (first.id, first.created_at, ["done"])
    others = [
        opened(clean, degrade="noise:25", seed="1"),
        opened(clean, degrade="noise:26"),
        opened(clean, degrade="none"),
    ]
    others.append(opened(clean, degrade="noise:25", grey="true"))
    runs = {evaluate(model("median"), other, store, QUICK).id for other in others}
    assert len(runs | {first.id}) == 5


def test_a_zip_has_the_folders_numbers(store, clean, tmp_path, monkeypatch):
    monkeypatch.setenv("LOUPE_CACHE", str(tmp_path / "cache"))
    folder, zipped = (
        evaluate(model("bilinear"), opened(path, degrade="bicubic:3"), Store(store.root / name), QUICK)
        for name, path in (("a", clean), ("b", zip_folder(clean, tmp_path / "all.zip", inside="all")))
    )
    assert zipped.metrics == folder.metrics
    assert zipped.facts["dataset_facts"]["fingerprint"] == folder.facts["dataset_facts"]["fingerprint"]


def test_an_interrupted_run_goes_on_to_the_same_numbers(store, clean, monkeypatch):
    monkeypatch.setattr(evaluation, "PART_SECONDS", 0.0)
    data = opened(clean, degrade="blur:1.2+noise:5")
    whole = evaluate(model("unsharp"), data, Store(store.root / "other"), QUICK)
    adapter, cancel, passes = model("unsharp"), threading.Event(), []
    forward = adapter.forward

    def counted(items):
        passes.append(len(items))
        if len(passes) == 5:  # the first warms up
            cancel.set()
        return forward(items)

    monkeypatch.setattr(adapter, "forward", counted)
    with pytest.raises(Cancelled, match="Stopped after 4 of 9"):
        evaluate(adapter, data, store, QUICK, cancel=cancel)
    assert store.runs() == []
    passes.clear()
    told: list[Progress] = []
    run = evaluate(adapter, data, store, QUICK, told.append)
    assert sum(passes[1:]) == 5
    shown = {p.live["psnr"] for p in told if p.stage == "scoring"}
    assert list(shown) == [pytest.approx(run.metrics["psnr"])]  # earlier pictures included
    assert {p.resumed for p in told if p.stage == "running"} == {4}
    assert run.metrics == whole.metrics
    assert run.intervals == whole.intervals
    assert rows_of(run)["psnr"] == rows_of(whole)["psnr"]


def test_numbers_come_again_from_what_is_stored_when_metrics_change(store, clean, monkeypatch):
    data = opened(clean, degrade="jpeg:20")
    run = evaluate(model("gaussian"), data, store, QUICK)
    assert not out_of_date(run)
    assert refresh(store, run).metrics == run.metrics
    monkeypatch.setattr("dashboard.finishing.signature", lambda task, multilabel: "another")
    monkeypatch.setattr("dashboard.metrics.enhancement.measured.charbonnier", lambda a, b: 0.25)
    assert out_of_date(run)
    adapter = model("gaussian")
    monkeypatch.setattr(adapter, "forward", lambda items: pytest.fail("no model is needed"))
    again = evaluate(adapter, data, store, QUICK)
    assert again.metrics == run.metrics | {"charbonnier": 0.25}
    assert (again.id, again.created_at) == (run.id, run.created_at)
    assert rows_of(again)["charbonnier"] == [0.25] * 9


@pytest.mark.parametrize(
    ("name", "settings", "degrade", "message"),
    [
        ("nl_means", {}, "bicubic:4", "nl_means keeps the size of pictures, but clean bicubic:4 has inputs 4 times"),
        ("bicubic", {"scale": "2"}, "bicubic:4", "bicubic enlarges pictures 2 times, .* pick a model of scale 4"),
        (
            "bicubic",
            {"scale": "2"},
            "noise:25",
            "bicubic enlarges pictures 2 times, .* pick a model that keeps the size",
        ),
    ],
)
def test_a_model_of_another_scale_is_refused_before_anything_runs(
    store, clean, monkeypatch, name, settings, degrade, message
):
    adapter = model(name, **settings)
    monkeypatch.setattr(adapter, "forward", lambda items: pytest.fail("it ran"))
    with pytest.raises(InputError, match=message) as caught:
        evaluate(adapter, opened(clean, degrade=degrade), store, QUICK)
    assert "\n" not in str(caught.value)
    assert store.runs() == []


def test_identical_pictures_are_counted_and_kept_out_of_the_mean(store, tmp_path):
    whites = {f"w{k}": np.full((20, 20, 3), 255, np.uint8) for k in range(2)}  # noise-free blur leaves them white
    clean = save(tmp_path / "clean", p=textured(1), q=textured(2), **whites)
    run = evaluate(model("identity"), opened(clean, degrade="blur:1.6"), store, QUICK)
    rows = rows_of(run)
    assert np.isinf(rows["psnr"]).tolist() == [False, False, True, True]
    assert run.metrics["identical"] == 2
    assert run.metrics["psnr"] == pytest.approx(np.mean(rows["psnr"][:2]))
    assert run.metrics["psnr_y"] == pytest.approx(np.mean(rows["psnr_y"][:2]))
    assert run.metrics["ssim"] == pytest.approx(np.mean(rows["ssim"]))
    assert rows["ssim"][2:] == [1, 1]
    assert "psnr" not in run.intervals  # of two images
    assert "mse" in run.intervals


def test_all_identical(store, tmp_path):
    for side in ("input", "target"):
        save(tmp_path / "same" / side, p0=textured(0), p1=textured(1))
    run = evaluate(model("identity"), opened(tmp_path / "same"), store, QUICK)
    assert (run.metrics["psnr"], run.metrics["identical"], run.metrics["ssim"]) == (None, 2, 1)


def test_pictures_smaller_than_the_window_have_psnr_alone(store, tmp_path):
    clean = save(tmp_path / "clean", large=textured(0), small=textured(1, 14, 40), tiny=textured(2, 4, 4))
    run = evaluate(model("bicubic"), opened(clean, degrade="bicubic:2"), store, QUICK)
    rows = rows_of(run)
    assert np.isnan(rows["ssim"]).tolist() == [False, True, True]  # 14 less 2 and 2 is 10
    assert np.isnan(rows["ssim_whole"]).tolist() == [False, False, True]
    assert np.isnan(rows["psnr"]).tolist() == [False, False, True]  # 4 less 2 and 2 is nothing
    assert run.metrics["ssim"] == pytest.approx(rows["ssim"][0])
    assert run.metrics["psnr"] == pytest.approx(np.mean(rows["psnr"][:2]))
    assert run.metrics["ms_ssim"] is None


def test_without_references_there_are_numbers_of_the_pictures_alone(store, clean):
    run = evaluate(model("unsharp"), opened(clean, degrade="none"), store, QUICK)
    assert all(run.metrics[name] is None for name in (*REFERENCED, "identical"))
    assert all(run.metrics[name] > 0 for name in PLAIN)
    assert "sharpness" in run.intervals
    assert not set(run.intervals) & set(REFERENCED)
    assert pictures_of(run.predictions_path, 0).pixels[1] is None
    assert refresh(store, run).metrics == run.metrics


@pytest.fixture
def paired(tmp_path):
    """Four inputs of half the size of their references."""
    target = save(tmp_path / "paired" / "target", **{f"p{k}": textured(k) for k in range(4)})
    save(target.parent / "input", **{f"p{k}": textured(k)[::2, ::2] for k in range(4)})
    return target.parent


def test_pairs_in_folders(store, paired):
    run = evaluate(model("nearest"), opened(paired), store, QUICK)
    assert run.facts["dataset_facts"]["scale"] == 2
    rows = rows_of(run)
    enlarged = np.repeat(np.repeat(textured(3)[::2, ::2], 2, axis=0), 2, axis=1)
    assert rows["psnr"][3] == pytest.approx(measure(enlarged, textured(3), 2)["psnr"])


@pytest.mark.parametrize("side", ["input", "target"])
def test_a_picture_damaged_while_it_runs(store, paired, side):
    """An input that cannot be read is left out, as in all tasks; a reference ends the run in a sentence."""
    data = opened(paired)
    file = paired / side / "p2.png"
    file.write_bytes(file.read_bytes()[:-40])
    if side == "input":
        run = evaluate(model("nearest"), data, store, QUICK)
        assert rows_of(run)["id"] == ["p0.png", "p1.png", "p3.png"]
        (skipped,) = run.facts["skipped"]
        assert skipped["id"] == "p2.png"
        return
    with pytest.raises(InputError, match=r"target/p2\.png.*(truncated|damaged)") as caught:
        evaluate(model("nearest"), data, store, QUICK)
    assert "\n" not in str(caught.value)
    assert store.runs() == []
    assert left_over(store) == ["part-000000.parquet"]  # what was done before
    file.write_bytes(encode(textured(2), "PNG"))  # mended
    assert evaluate(model("nearest"), opened(paired), store, QUICK).samples == 4


def test_a_reference_that_changed_since_it_was_opened(store, paired):
    data = opened(paired)
    save(paired / "target", p1=textured(1, 40, 44))
    with pytest.raises(InputError, match=r"p1\.png has changed since the dataset was opened") as caught:
        evaluate(model("nearest"), data, store, QUICK)
    assert "\n" not in str(caught.value)
    assert store.runs() == []


def test_pictures_damaged_in_the_store_are_said(store, clean):
    run = evaluate(model("median"), opened(clean, degrade="noise:5"), store, QUICK)
    before = rows_of(run)
    run.predictions_path.write_bytes(run.predictions_path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"is damaged .* delete that run"):
        refresh(store, run)
    np.testing.assert_equal(rows_of(run), before)  # to which NaN is NaN
    assert store.get(run.id).metrics == run.metrics


def outputs(folder: Path, count: int = 9, height: int = 36, width: int = 44, step: int = 0) -> Path:
    """Clean pictures of the fixture with a pixel changed, as if enhanced elsewhere."""
    pictures = {f"p{k}": textured(k, 36 + 2 * k, 44 - k).copy() for k in range(count)}
    for pixels in pictures.values():
        pixels[20, 20] ^= 64
    return save(folder, **pictures)


def one_pixel(k: int) -> float:
    """The MSE of a pixel that is 64 off."""
    return 64**2 / ((36 + 2 * k) * (44 - k))


def test_pictures_enhanced_elsewhere(store, clean, tmp_path):
    folder = outputs(tmp_path / "theirs")
    run = score(opened(clean, labels_only=True), folder, store)
    assert (run.model, run.samples) == ("theirs", 9)
    rows = rows_of(run)
    assert rows["mse"] == pytest.approx([one_pixel(k) for k in range(9)], rel=1e-12)
    assert rows["border"] == [0] * 9
    assert run.metrics["psnr"] == pytest.approx(np.mean([10 * np.log10(255**2 / one_pixel(k)) for k in range(9)]))
    assert score(opened(clean, labels_only=True), folder, store).created_at == run.created_at
    zipped = score(opened(clean, labels_only=True), zip_folder(folder, tmp_path / "t.zip", inside="x"), store, "zipped")
    assert zipped.metrics == run.metrics
    first = score(opened(clean, labels_only=True), folder, store, "first", limit=2)
    assert first.samples == 2


def test_scored_against_pairs(store, paired, tmp_path):
    """With or without the inputs; their scale says how many pixels do not count."""
    data = opened(paired)
    made = model("bicubic").at_scale(2).predict([data[k].image for k in range(4)])
    folder = save(tmp_path / "out", **{f"p{k}_x2": a.rgb for k, a in enumerate(made)})
    own = evaluate(model("bicubic"), data, store, QUICK)
    scored = score(data, folder, store)
    assert {k: scored.metrics[k] for k in NAMES} == {k: own.metrics[k] for k in NAMES}
    for file in (paired / "input").iterdir():
        file.unlink()
    (paired / "input").rmdir()
    alone = score(open_dataset(paired, "paired", TASK, {"scale": "2"}, labels_only=True), folder, store, "alone")
    assert alone.metrics == scored.metrics


def test_what_cannot_be_scored_leaves_nothing(store, clean, tmp_path):
    folder = outputs(tmp_path / "theirs")
    save(folder, p7=textured(7, 20, 20))
    with pytest.raises(InputError, match=r"theirs/p7\.png is 20x20 pixels, but its reference p7\.png is 37x50"):
        score(opened(clean, labels_only=True), folder, store)
    (folder / "p7.png").write_bytes(encode(textured(7, 50, 37), "PNG")[:-40])
    with pytest.raises(InputError, match=r"theirs/p7\.png.*(truncated|damaged)") as caught:
        score(opened(clean, labels_only=True), folder, store)
    assert "\n" not in str(caught.value)
    assert store.runs() == []
    assert left_over(store) == []
    with pytest.raises(InputError, match="--classes is for tasks with classes"):
        score(opened(clean, labels_only=True), folder, store, classes="names.txt")
    with pytest.raises(InputError, match="--set colour: scoring takes"):
        score(opened(clean, labels_only=True), folder, store, settings={"colour": "1"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--classes", "names.txt"), "--classes is for tasks with classes, not for enhancement"),
        (("--mapping", "names.csv"), "--mapping is for tasks with classes, not for enhancement"),
        (("--degrade", "noise:25", "--set", "degrade=jpeg:10"), "--degrade noise:25 and --set degrade=jpeg:10"),
        (("--degrade", "noise:25", "--seed", "1", "--set", "seed=2"), "--seed 1 and --set seed=2"),
    ],
)
def test_options_that_contradict_or_do_nothing(store, clean, capsys, options, says):
    arguments = ["evaluate", "--task", TASK, "--model", "identity", "--dataset", str(clean), "--store", str(store.root)]
    assert main([*arguments, *options]) == 2
    assert says in capsys.readouterr().err
    assert store.runs() == []


def test_the_seed_counts_however_the_degradation_is_given(store, clean):
    arguments = ["evaluate", "--task", TASK, "--model", "identity", "--dataset", str(clean), "--store", str(store.root)]
    arguments += ["--limit", "1", "--quiet"]
    for how in (("--degrade", "noise:25", "--seed", "7"), ("--set", "degrade=noise:25", "--seed", "7")):
        assert main([*arguments, *how]) == 0
    assert main([*arguments, "--set", "degrade=noise:25", "--set", "seed=7"]) == 0
    seven = {run.facts["dataset_facts"]["fingerprint"] for run in store.runs()}
    assert len(seven) == 1
    assert main([*arguments, "--degrade", "noise:25"]) == 0
    assert len({run.facts["dataset_facts"]["fingerprint"] for run in store.runs()}) == 2


@pytest.mark.parametrize("kind", ["paired", "images"])
@pytest.mark.parametrize("deep_truth", [False, True])
def test_16_bits_on_one_side_are_named_on_both_are_reduced(store, tmp_path, kind, deep_truth):
    """References and answers of 16 bits are brought to 8 alike; where only one has them, somebody should know."""
    root = tmp_path / "data" / ("target" if kind == "paired" else "")
    deep = png16(np.full((12, 13), 40_000, np.uint16))
    save(root, p0=textured(0), p1=textured(1, 12, 13))
    if deep_truth:
        (root / "p1.png").write_bytes(deep)
    if kind == "paired":
        save(tmp_path / "data" / "input", p0=textured(0))
        (tmp_path / "data" / "input" / "p1.png").write_bytes((root / "p1.png").read_bytes())
    theirs = save(tmp_path / "theirs", p0=textured(0))
    (theirs / "p1.png").write_bytes(deep)
    data = opened(tmp_path / "data", labels_only=True)
    assert isinstance(data, PairedDataset) == (kind == "paired")
    if deep_truth:
        assert score(data, theirs, store).metrics["identical"] == 2
    else:
        with pytest.raises(
            InputError, match=r"theirs/p1\.png has 16 bits a channel, which its reference p1\.png has not"
        ):
            score(data, theirs, store)
        assert store.runs() == []


def test_transparency_of_both_is_left_out_alike(store, tmp_path):
    clear = np.dstack([textured(0), np.full((36, 44), 90, np.uint8)])
    data = opened(save(tmp_path / "data", p0=clear), labels_only=True)
    assert any("Transparency is left out" in warning for warning in data.warnings)
    run = score(data, save(tmp_path / "theirs", p0=clear), store)
    assert (run.metrics["identical"], run.metrics["mse"]) == (1, 0)
