"""A profile from end to end: its variants, what it refuses, and how it is kept."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dashboard.datasets.opening import open_dataset
from dashboard.errors import Cancelled, InputError
from dashboard.printing import run_json
from dashboard.profiling import measuring, variants
from dashboard.profiling.fresh import Fresh
from dashboard.profiling.gpu import gpu_facts
from dashboard.profiling.kept import headline, metrics_of, read_profile, write_profile
from dashboard.profiling.profile import profile
from dashboard.profiling.shapes import METRICS, Layer, Profile, Variant
from dashboard.profiling.variants import options_of
from dashboard.store import Store
from models.base import LoadOptions
from models.load import load_model
from tests.fakes import FakeAdapter

PICTURE = np.zeros((4, 4, 3), np.uint8)
CPU = LoadOptions(device="cpu")


@pytest.fixture
def fast(monkeypatch):
    """Short clocks, and no new processes."""
    for name in ("LATENCY_S", "BATCH_S", "BATCHES_S", "WARM_UP_S", "PAIRS_S"):
        monkeypatch.setattr(measuring, name, 0.02)
    seconds = {"import_s": 1.0, "load_s": 2.0, "first_s": 0.5, "total_s": 2.5}
    fresh = Fresh(seconds, {"before": 100.0, "loaded": 150.0, "steady": 160.0, "peak": 170.0})
    monkeypatch.setattr(variants, "cold_start", lambda *_: fresh)


def test_a_profile_says_that_the_machine_was_busy(fast, monkeypatch):
    monkeypatch.setattr(measuring, "side_by_side", lambda *_: 50.0)
    found = profile("digits_linear", CPU, variants=(), batch_sizes=(1,))
    (note,) = [n for n in found.notes if n.startswith("The machine had other work")]
    assert "default" in note


# ---- variants


def test_each_variant_changes_one_thing():
    asked = LoadOptions(device="cpu", threads=2, settings={"conf": "0.2"}, precision="bf16")
    plain = options_of("fp32", asked)
    assert (plain.fuse, plain.channels_last, plain.precision) == (False, False, "fp32")
    assert (plain.threads, plain.settings) == (2, {"conf": "0.2"})
    assert options_of("channels_last", asked) == replace(plain, channels_last=True)
    assert options_of("fused", asked) == replace(plain, fuse=True)
    assert options_of("bf16", asked) == replace(plain, precision="bf16")
    assert options_of("onnxruntime", asked) == plain
    assert options_of("default", asked) is asked


def test_a_whole_profile_with_what_its_variants_cost(fast, tmp_path):
    store, said = Store(tmp_path), []
    found = profile(
        "digits_cnn", CPU, variants=("bf16", "fp16", "onnxruntime"), batch_sizes=(1, 3), dataset="demo:digits",
        limit=40, store=store, say=said.append,
    )  # fmt: skip
    assert [v.name for v in found.variants] == ["fp32", "bf16", "fp16", "onnxruntime", "default"]
    assert (found.params, found.macs, found.flops) == (5306, 90_112, 180_224)
    assert sum(layer.params for layer in found.layers) == 5306  # of the network before folding
    assert any(layer.rule == "batch_norm" for layer in found.layers)
    assert found.input_size == (8, 8)
    assert found.size_bytes == load_model("digits_cnn", CPU).spec.weights.size_bytes
    assert found.memory_mb["peak"] == 170
    assert found.cold_start["total_s"] == 2.5
    plain, half, _, ort, usual = found.variants
    assert plain.speedup == 1.0
    assert plain.largest_difference == 0.0
    assert "CUDA" in found.variants[2].why_not
    assert found.variants[2].latency_ms == {}
    for one in (plain, half, ort, usual):
        assert list(one.throughput) == [1, 3]
        assert one.latency_ms["p50"] <= one.latency_ms["p90"] <= one.latency_ms["p99"]
        assert one.speedup > 0
        run = store.get(one.run)
        assert run.samples == 40
        assert run.tags == ("profile",)
        assert one.accuracy["top1"] == run.metrics["top1"]
    assert half.largest_difference > 1e-4 > ort.largest_difference
    assert len({one.run for one in (plain, half, ort, usual)}) == 4
    assert store.get(usual.run).model == "digits_cnn"
    assert store.get(half.run).model == "digits_cnn (bf16)"
    stages = {p.stage for p in said}
    assert stages == {"loading", "counting", "warming up", "latency", "throughput", "accuracy", "cold start", "done"}
    assert said[-1].done == said[-1].total == 5
    live = [p.live for p in said if p.stage == "throughput" and p.live]
    assert live
    assert all(one["latency_ms"] > 0 and one["fps"] > 0 for one in live)

    run = write_profile(store, found)
    assert read_profile(run) == found
    assert read_profile(store.get(run.id)) == found  # from disk
    assert (run.task, run.model, run.dataset) == ("profile", "digits_cnn", "8x8 on cpu")
    assert list(run.metrics) == list(METRICS)
    assert run.metrics["latency_ms"] == usual.latency_ms["p50"]
    assert run.metrics["throughput_per_s"] == max(usual.throughput.values())
    assert run.metrics["peak_memory_mb"] == 170
    assert run.metrics["cold_start_s"] == 2.5
    assert run.classes == run.class_ids == []
    assert run.results()["profile.scores"].values["params"] == 5306
    shown = json.loads(json.dumps(run_json(run)))
    assert shown["metrics"]["macs"] == 90_112
    assert write_profile(store, found).id == run.id
    assert len(store.runs("profile")) == 1


def test_models_without_a_torch_network_are_measured_in_one_way(fast, tmp_path):
    store, data = Store(tmp_path), open_dataset("demo:photos", None, "enhancement", {"degrade": "noise:25"})
    found = profile("gaussian", CPU, input_size=(24, 32), batch_sizes=(2,), dataset=data, limit=1, store=store)
    assert [v.name for v in found.variants] == ["default"]
    assert (found.variants[0].speedup, found.variants[0].largest_difference) == (1.0, 0.0)
    assert store.get(found.variants[0].run).model == "gaussian"  # it is the run that anybody would make
    assert (found.params, found.macs, found.layers) == (0, None, ())
    assert found.input_size == (24, 32)
    assert any("without a network" in note for note in found.notes)
    assert metrics_of(found)["macs"] is None


def test_an_onnx_file_is_looked_into(fast, tmp_path):
    import torch

    from models.demo.digits import network
    from models.profiling_runtimes import onnx_bytes

    path = tmp_path / "cnn.onnx"
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 1, 1), network("digits_cnn")).eval()
    path.write_bytes(onnx_bytes(net, torch.rand(1, 3, 8, 8), sizes=False))
    found = profile(path, CPU, batch_sizes=(1,))
    assert found.macs == 90_112 + 3 * 64
    assert [v.name for v in found.variants] == ["default"]
    assert found.size_bytes == path.stat().st_size
    assert found.input_size == (8, 8)


def cells(path: Path, seed: int = 0) -> Path:
    """An Ultralytics export of a detector for 32 x 32 pixels, 64 cells, the ten digits; weights of ``seed``."""
    import torch

    class Cells(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(seed)
            self.conv = torch.nn.Conv2d(3, 4 + 10, 4, stride=4)

        def forward(self, x):
            return self.conv(x).flatten(2).sigmoid()

    from models.profiling_runtimes import onnx_bytes

    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(onnx_bytes(Cells().eval(), torch.rand(1, 3, 32, 32), sizes=False))
    about = {
        "author": "Ultralytics",
        "task": "detect",
        "stride": "4",
        "imgsz": "[32, 32]",
        "names": "{0:'0',1:'1',2:'2'}",
    }
    about["names"] = str({number: str(number) for number in range(10)})
    onnx.helper.set_model_props(model, about)
    onnx.save(model, path)
    return path


def test_data_are_opened_for_the_task_that_a_file_turns_out_to_have(fast, tmp_path):
    found = profile(
        cells(tmp_path / "cells.onnx"),
        CPU,
        batch_sizes=(1,),
        dataset="demo:scenes",
        limit=3,
        store=Store(tmp_path / "s"),
    )
    assert found.task == "detection"
    assert found.variants[0].accuracy["map"] is not None
    with pytest.raises(InputError, match="demo:digits is for classification, not for detection"):
        profile(tmp_path / "cells.onnx", CPU, dataset="demo:digits", store=Store(tmp_path / "s"))


def test_two_files_of_one_name_are_two_profiles_and_one_file_is_one(fast, tmp_path):
    store, ids = Store(tmp_path / "store"), []
    for folder, seed in (("a", 0), ("b", 1), ("c", 0)):
        (tmp_path / folder).mkdir()
        found = profile(cells(tmp_path / folder / "net.onnx", seed), CPU, batch_sizes=(1,))
        assert len(found.fingerprints) == 1
        ids.append(write_profile(store, found).id)
    assert ids[0] == ids[2] != ids[1]
    assert {run.model for run in store.runs("profile")} == {"net.onnx"}
    assert len(store.runs("profile")) == 2


def test_a_way_that_breaks_costs_nothing_but_itself(fast, monkeypatch):
    load = variants.load_model

    def broken(name, options, task):
        adapter = load(name, options, task)
        if options.precision == "bf16":

            def forward(items):
                raise RuntimeError("no kernel\nfor this")

            adapter.forward = forward
        if options.channels_last and not options.fuse:
            raise MemoryError
        return adapter

    monkeypatch.setattr(variants, "load_model", broken)
    found = profile("digits_cnn", CPU, variants=("bf16", "channels_last", "fused"), batch_sizes=(1,))
    assert {v.name: v.why_not for v in found.variants} == {
        "fp32": "",
        "bf16": "It cannot be run in this way (RuntimeError: no kernel for this).",
        "channels_last": "There is not enough memory for it.",
        "fused": "",
        "default": "",
    }


def test_a_network_that_cannot_be_looked_into_is_measured_all_the_same(fast, monkeypatch):
    def count(net, run):
        raise RuntimeError("hooks are not for it")

    monkeypatch.setattr("models.profiling.count", count)
    found = profile("digits_cnn", CPU, variants=(), batch_sizes=(1,))
    assert (found.params, found.macs, found.layers) == (None, None, ())
    assert found.notes[0] == "Its network cannot be looked into: operations are not counted (hooks are not for it)."
    assert found.variants[-1].latency_ms["p50"] > 0


def test_what_was_done_at_loading_is_told(fast):
    found = profile("digits_cnn", CPU, variants=(), batch_sizes=(1,))
    assert any("(batch norms folded: 3, layout: channels last)" in note for note in found.notes)
    apart = profile("digits_cnn", LoadOptions(device="cpu", fuse=False), variants=(), batch_sizes=(1,))
    assert not any("folded" in note for note in apart.notes)
    assert not any("how much is found" in note for note in found.notes)


def test_raw_outputs_of_large_pictures_are_of_one():
    adapter = FakeAdapter()
    small, large = np.zeros((512, 512, 3), np.uint8), np.zeros((512, 513, 3), np.uint8)
    assert [len(measuring.raw_outputs(adapter, [image] * 3)) for image in (small, large)] == [3, 1]


def test_a_larger_picture_costs_more(fast):
    small, large = (profile("photos_denoise", CPU, input_size=(s, 32), variants=(), batch_sizes=(1,)) for s in (16, 32))
    assert large.macs == 2 * small.macs
    assert small.params == large.params
    sized = profile("scenes_nano", CPU, input_size=(128, 128), variants=(), batch_sizes=(1,))
    assert sized.input_size == (128, 128)
    assert [v.name for v in sized.variants] == ["fp32", "default"]


# ---- what is refused


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("photos_sr_x2", {}, "--input-size HxW"),
        ("bicubic", {"input_size": (8, 8)}, "--set scale=2"),
        ("digits_cnn", {"input_size": (32, 32)}, "8x8 only: leave --input-size HxW out"),
        ("efficientnet_lite0", {"input_size": (0, 8)}, "1..4096 pixels, got 0x8"),
        ("digits_cnn", {"variants": ("fp32", "b16")}, "Did you mean"),
        ("digits_cnn", {"batch_sizes": (4, 0)}, "--batch-size"),
        ("digits_cnn", {"limit": 0}, "--limit"),
        ("digits_cnn", {"dataset": "demo:digits"}, "store"),
        ("no_such_model", {}, "No model is called"),
        ("missing.onnx", {}, "There is no file"),
    ],
)
def test_bad_input(fast, name, more, words):
    with pytest.raises(InputError, match=words.replace(".", r"\.")) as caught:
        profile(name, CPU, **more)
    assert "\n" not in str(caught.value)


def test_a_dataset_of_another_task_and_a_size_that_the_model_refuses(fast, tmp_path):
    data = open_dataset("demo:scenes", None, "detection")
    with pytest.raises(InputError, match="does classification, but"):
        profile("digits_cnn", CPU, dataset=data, store=Store(tmp_path))
    with pytest.raises(InputError, match=r"does not take 30x30 pictures.*--input-size HxW"):
        profile(patches(tmp_path), CPU, input_size=(30, 30))


def patches(folder) -> Path:
    """A file whose network takes multiples of 16 pixels only."""
    import torch

    from models.profiling_runtimes import onnx_bytes

    class Patches(torch.nn.Module):
        def forward(self, x):
            return x.reshape(x.shape[0], 3, 16, 16).mean((2, 3))

    path = folder / "patches.onnx"
    path.write_bytes(onnx_bytes(Patches(), torch.rand(1, 3, 16, 16), sizes=True))
    return path


@pytest.mark.parametrize("stage", ["loading", "counting", "latency", "throughput", "accuracy", "cold start"])
def test_it_can_be_stopped_in_every_stage(fast, tmp_path, stage):
    stop, store = threading.Event(), Store(tmp_path)

    def say(progress) -> None:
        if progress.stage == stage:
            stop.set()

    with pytest.raises(Cancelled):
        profile(
            "digits_cnn", CPU, variants=(), batch_sizes=(1,), dataset="demo:digits", limit=20, store=store, say=say,
            cancel=stop,
        )  # fmt: skip
    assert store.runs("profile") == []


# ---- kept


LAYER = Layer("a.b", "Conv2d", "conv", (1, 2, 3, 4), 5, 6, 12, 1, 0.5, {"kh": 3})
VARIANTS = (
    Variant("fp32", latency_ms={"p50": 2.0, "p90": 3.0, "p99": 4.0}, throughput={1: 9.0, 16: 8.0}),
    Variant("fp16", why_not="No CUDA."),
)
PROFILE = Profile("model", "detection", (4, 5), "cpu", 5, 5, 0, None, 6, 12, (LAYER,), VARIANTS, notes=("One.",))


def test_key_figures_are_the_defaults_or_the_first_that_ran():
    assert headline(PROFILE).name == "fp32"
    usual = Variant("default", latency_ms={"p50": 1.0, "p90": 1.0, "p99": 1.0})
    assert headline(replace(PROFILE, variants=(*PROFILE.variants, usual))) is usual
    assert headline(replace(PROFILE, variants=(PROFILE.variants[1],))) is None
    assert metrics_of(replace(PROFILE, variants=()))["latency_ms"] is None
    assert metrics_of(PROFILE)["throughput_per_s"] == 9.0


def test_a_profile_survives_its_store(tmp_path):
    store = Store(tmp_path)
    run = write_profile(store, PROFILE, {"cpu": "some"})
    assert read_profile(store.get(run.id)) == PROFILE
    assert run.environment == {"cpu": "some"}
    assert run.metrics["cold_start_s"] is None
    assert np.isnan(run.results()["profile.scores"].values["cold_start_s"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: f.pop("profile"),
        lambda f: f["profile"].pop("layers"),
        lambda f: f["profile"].update(variants=[{"name": "fp32"}]),
        lambda f: f["profile"].update(layers=[3]),
        lambda f: f["profile"].update(input_size=[]),
        lambda f: f["profile"].pop("model"),
        lambda f: f.update(profile=None),
    ],
)
def test_a_damaged_profile_is_refused_in_one_sentence(tmp_path, damage):
    run = write_profile(Store(tmp_path), PROFILE)
    facts = json.loads(json.dumps(dict(run.facts)))
    damage(facts)
    with pytest.raises(InputError, match="measure it again"):
        read_profile(replace(run, facts=facts))


def test_fields_of_a_newer_version_are_left_out(tmp_path):
    run = write_profile(Store(tmp_path), PROFILE)
    facts = json.loads(json.dumps(dict(run.facts)))
    facts["profile"]["later"] = facts["profile"]["layers"][0]["later"] = facts["profile"]["variants"][0]["later"] = 1
    assert read_profile(replace(run, facts=facts)) == PROFILE


def test_without_a_graphics_card_nothing_is_said_of_it():
    assert gpu_facts("cpu") == {}
