"""Parameters and operations by hand, as published, as torch's counter has them; other runtimes; cold starts."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dashboard.errors import Cancelled
from dashboard.profiling.fresh import cold_start
from models.base import LoadOptions, ModelSpec, Weights
from models.load import load_model
from models.preprocessing import ResizeCrop
from models.profiling import count, layer_times
from models.profiling_formulas import made_picture
from models.profiling_runtimes import CannotRun, move
from models.torch_adapter import TorchClassifier

SPEC = ModelSpec("net", "classification", "test", "", Weights("file", ""), input_size=(16, 16))


def counted(net: nn.Module, *batch: torch.Tensor):
    net.eval()

    def run() -> None:
        with torch.inference_mode():
            net(*batch)

    return count(net, run)


def classifier(net: nn.Module, **options) -> TorchClassifier:
    geometry = ResizeCrop((16, 16), 16, "bilinear")
    return TorchClassifier(
        net, SPEC, LoadOptions(device="cpu", **options), geometry=geometry, mean=(0.5,) * 3, std=(0.5,) * 3
    )


def small_net() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(8, 4)).eval()
    nn.init.uniform_(net[1].running_mean)
    return net


# (layer, input shape, rule, parameters, MACs, FLOPs, terms)
BY_HAND = [
    (
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # 9 x 7 becomes 5 x 4
        (1, 3, 9, 7),
        ("conv", (3 * 3 * 3) * 8 + 8, 27 * 8 * 5 * 4, 2 * 27 * 8 * 5 * 4),
        {"kh": 3, "kw": 3, "cin": 3, "cout": 8, "groups": 1, "hout": 5, "wout": 4, "bias": 1},
    ),
    (
        nn.Conv2d(6, 4, (1, 5), groups=2, bias=False),  # 8 wide becomes 4
        (2, 6, 3, 8),
        ("conv", 1 * 5 * 3 * 4, 15 * 4 * 3 * 4 * 2, 2 * 15 * 4 * 3 * 4 * 2),
        {"kh": 1, "kw": 5, "cin": 6, "cout": 4, "groups": 2, "hout": 3, "wout": 4, "bias": 0},
    ),
    (
        nn.Conv2d(5, 5, 3, groups=5, padding=1),  # depthwise
        (1, 5, 4, 4),
        ("conv", 9 * 5 + 5, 9 * 5 * 16, 2 * 9 * 5 * 16),
        {"kh": 3, "kw": 3, "cin": 5, "cout": 5, "groups": 5, "hout": 4, "wout": 4, "bias": 1},
    ),
    (
        nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2),
        (1, 4, 3, 5),
        ("conv", 2 * 2 * 2 * 6 + 6, 2 * 2 * 2 * 6 * 3 * 5, 2 * 8 * 6 * 15),
        {"kh": 2, "kw": 2, "cin": 4, "cout": 6, "groups": 2, "hin": 3, "win": 5, "bias": 1},
    ),
    (
        nn.Linear(7, 5),
        (1, 3, 7),
        ("linear", 7 * 5 + 5, 3 * 7 * 5, 2 * 3 * 7 * 5),
        {"nin": 7, "nout": 5, "rows": 3, "bias": 1},
    ),
    (nn.BatchNorm2d(6), (2, 6, 3, 4), ("batch_norm", 12, 0, 4 * 2 * 6 * 3 * 4), {"n": 2, "c": 6, "h": 3, "w": 4}),
    (nn.MaxPool2d(2), (1, 3, 6, 8), ("pool", 0, 0, 3 * 4 * 3), {"hout": 3, "wout": 4, "c": 3}),
    (nn.AdaptiveAvgPool2d(1), (1, 9, 5, 5), ("pool", 0, 0, 9), {"hout": 1, "wout": 1, "c": 9}),
    (nn.ReLU(), (1, 3, 4, 4), ("other", 0, 0, 0), {}),
]


@pytest.mark.parametrize(
    ("layer", "shape", "expected", "terms"), BY_HAND, ids=[f"{type(b[0]).__name__}-{b[1]}" for b in BY_HAND]
)
def test_layers_by_hand(layer, shape, expected, terms):
    found = counted(nn.Sequential(layer), torch.rand(shape))
    (row,) = found.layers
    assert (row.rule, row.params, row.macs, row.flops) == expected
    assert row.terms == terms
    assert (row.path, row.kind, row.calls) == ("0", type(layer).__name__, 1)
    assert (found.params, found.macs) == (expected[1], expected[2])
    assert found.notes == []  # torch's counter agrees


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_by_hand_however_it_is_run(need_weights):
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attend(x, x, x, need_weights=need_weights)[0]

    found = counted(Attends(), torch.rand(1, 5, 8))
    (row,) = found.layers
    assert (row.path, row.rule, row.params) == ("attend", "attention", 4 * 8 * 8 + 4 * 8)
    assert row.macs == found.macs == 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8


def test_products_outside_of_layers_belong_to_the_module_that_makes_them():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.gain = nn.Linear(8, 24), nn.Parameter(torch.ones(3))

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, -1)
            return (q @ k.transpose(-2, -1)).softmax(-1) @ v * self.gain.sum()

    found = counted(nn.Sequential(Own()), torch.rand(1, 6, 8))
    rows = {row.path: row for row in found.layers}
    assert rows["0.qkv"].macs == 6 * 8 * 24
    assert (rows["0"].rule, rows["0"].kind, rows["0"].macs, rows["0"].params) == ("attention", "Own", 2 * 6 * 6 * 8, 3)
    assert found.macs == sum(row.macs for row in found.layers)
    assert found.params == sum(row.params for row in found.layers) == 8 * 24 + 24 + 3


def test_shared_layers_count_their_work_twice_and_their_parameters_once():
    shared = nn.Linear(4, 4)
    found = counted(nn.Sequential(shared, nn.ReLU(), shared), torch.rand(1, 4))
    row = next(row for row in found.layers if row.kind == "Linear")
    assert (row.calls, row.params, row.macs, found.params) == (2, 20, 32, 20)


def test_what_is_never_called_is_listed_last_with_its_parameters():
    class Trained(nn.Module):
        def __init__(self):
            super().__init__()
            self.auxiliary, self.main = nn.Linear(4, 9), nn.Linear(4, 2)

        def forward(self, x):
            return self.main(x)

    found = counted(Trained(), torch.rand(1, 4))
    assert [(row.path, row.calls, row.params, row.macs) for row in found.layers] == [
        ("main", 1, 10, 8),
        ("auxiliary", 0, 45, 0),
    ]


def test_layers_that_are_called_by_keyword():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)
            self.up = nn.ConvTranspose2d(4, 4, 2)

        def forward(self, x):
            x = self.up(output_size=None, input=self.norm(input=self.conv(input=x)))
            return self.head(input=x.mean((2, 3)))

    found = counted(Named(), torch.rand(1, 3, 6, 6))
    assert [row.macs for row in found.layers] == [27 * 4 * 16, 0, 4 * 4 * 4 * 16, 8]
    assert found.layers[1].flops == 4 * 4 * 16
    assert found.notes == []


@pytest.mark.parametrize(
    ("kind", "gates", "more"),
    [(nn.LSTM, 4, {}), (nn.GRU, 3, {}), (nn.RNN, 1, {}), (nn.LSTM, 4, {"proj_size": 2}), (nn.GRU, 3, {"bias": False})],
)
@pytest.mark.parametrize("packed", [False, True])
def test_recurrent_layers_by_hand(kind, gates, more, packed):
    net = kind(5, 6, num_layers=2, bidirectional=True, **more)
    out = more.get("proj_size", 6)  # of a direction
    made = 0 if "proj_size" not in more else 6 * out
    first, second = (gates * 6 * (size + out) + made for size in (5, 2 * out))
    batch = torch.rand(7, 3, 5)  # time, batch, values
    rows = 21
    if packed:
        batch = nn.utils.rnn.pack_padded_sequence(batch, torch.tensor([7, 4, 1]))
        rows = 12
    found = counted(nn.Sequential(net), batch)
    (row,) = found.layers
    assert row.macs == found.macs == 2 * (first + second) * rows
    assert row.params == found.params == 2 * (first + second) + (0 if "bias" in more else 4 * 2 * gates * 6)
    assert all("they differ in " + kind.__name__ in note for note in found.notes)


def test_cells_by_hand():
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(5, 6)

        def forward(self, x):
            state = self.cell(x)
            return self.cell(x, state)

    (row,) = counted(Steps(), torch.rand(3, 5)).layers
    assert (row.macs, row.calls) == (2 * 3 * 4 * 6 * (5 + 6), 2)


def test_a_deformable_convolution_is_a_convolution():
    class Bends(nn.Module):
        def __init__(self):
            super().__init__()
            self.bend = torchvision.ops.DeformConv2d(4, 6, 3, padding=1, groups=2)

        def forward(self, x):
            return self.bend(offset=torch.zeros(1, 18, *x.shape[2:]), input=x)

    found = counted(Bends(), torch.rand(1, 4, 5, 7))
    (row,) = found.layers
    assert (row.rule, row.params, row.macs) == ("conv", 9 * 2 * 6 + 6, 9 * 2 * 6 * 35)
    assert row.terms["hout"] * row.terms["wout"] == 35
    assert found.notes == [
        f"torch's FlopCounterMode counts 0 MACs where the formulas count {row.macs:,}: they differ in DeformConv2d."
    ]


class Own(nn.Module):
    """Multiplies where nobody sees it."""

    def __init__(self, *shape: int, inside: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(shape))
        if inside:
            self.last = nn.ReLU()

    def forward(self, x):
        return x + 1


class OwnNorm(Own):
    """Its weight is a scale for each value."""


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Own(4, 3, 3, 3, inside=True), True),
        (Own(4, 3, inside=False), True),
        (Own(4, inside=False), False),  # a scale for each channel
        (Own(4, 1, 1, inside=False), False),
        (Own(1, 5, 4, inside=True), False),  # an embedding of places
        (OwnNorm(3, 4, 4, inside=False), False),
        (nn.LayerNorm((3, 4, 4)), False),
    ],
    ids=lambda x: str(tuple(x.weight.shape)) if isinstance(x, nn.Module) else "",
)
def test_weights_that_meet_no_products_are_said(module, said):
    found = counted(nn.Sequential(module), torch.rand(1, 3, 4, 4))
    words = "In Own there are weights, but no products are seen: its operations are not counted."
    assert found.notes == ([words] if said else [])


PUBLISHED = ["resnet18", "mobilenet_v3_large", "swin_t", "googlenet", "vit_b_32"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers_of_torchvision(name):
    meta = torchvision.models.get_model_weights(name).DEFAULT.meta
    extra = {"init_weights": False} if name == "googlenet" else {}
    net = torchvision.models.get_model(name, weights=None, **extra)
    if name == "googlenet":  # published without the branches that only training uses
        net.aux1 = net.aux2 = None
        net.aux_logits = False
    found = counted(net, torch.rand(1, 3, 224, 224))
    assert found.params == meta["num_params"] == sum(row.params for row in found.layers)
    assert round(found.macs / 1e9, 3) == meta["_ops"]
    assert found.macs == sum(row.macs for row in found.layers)
    assert found.notes == []
    if name == "resnet18":
        assert (found.params, found.macs) == (11_689_512, 1_814_073_344)
    if name == "mobilenet_v3_large":
        assert (found.params, found.macs) == (5_483_032, 216_589_760)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_chain_of_layers_agrees_with_torchs_counter(data):
    channels, layers = data.draw(st.integers(1, 4)) * 2, []
    start = channels
    for _ in range(data.draw(st.integers(1, 5))):
        kind, out = data.draw(st.sampled_from("ctbp")), data.draw(st.integers(1, 4)) * 2
        kernel, groups = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([1, 2]))
        if kind == "b":
            layers.append(nn.BatchNorm2d(channels))
        elif kind == "p":
            layers.append(nn.AvgPool2d(kernel, 1))
        else:
            make = nn.Conv2d if kind == "c" else nn.ConvTranspose2d
            layers.append(make(channels, out, kernel, groups=groups, bias=data.draw(st.booleans())))
            channels = out
    net = nn.Sequential(*layers).eval()
    batch = torch.rand(1, start, 16, 12)
    found = counted(net, batch)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(batch)
    assert found.macs == counter.get_total_flops() // 2
    assert found.params == sum(p.numel() for p in net.parameters()) == sum(row.params for row in found.layers)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_times_of_layers_come_by_path_and_leave_no_hooks():
    net, batch = small_net(), torch.rand(1, 3, 16, 16)
    runs = []

    def run() -> None:
        with torch.inference_mode():
            runs.append(net(batch))

    found = layer_times(net, run, rounds=3)
    assert list(found) == ["0", "1", "2", "3", "4", "5"]
    assert all(ms > 0 for ms in found.values())
    assert len(runs) == 4  # one to warm up
    assert not any(module._forward_hooks for module in net.modules())
    runs.clear()
    layer_times(net, run, rounds=100, budget_s=0)
    assert len(runs) == 2


@pytest.mark.parametrize("name", ["scenes_nano", "scenes_sem_nano"])
def test_detectors_and_segmenters_are_counted_through_their_own_preprocessing(name):
    adapter = load_model(name, LoadOptions(device="cpu", fuse=False))
    item = adapter.preprocess(made_picture(128, 128))
    found = count(adapter.network, lambda: adapter.forward([item]))
    assert found.params == sum(p.numel() for p in adapter.network.parameters())
    assert found.params == sum(row.params for row in found.layers)
    assert found.macs > 1e7
    assert found.notes == []


# ---- other runtimes


@pytest.mark.parametrize("runtime", ["onnxruntime"])
def test_another_runtime_says_the_same_in_any_batch(runtime):
    plain, other = (classifier(small_net(), fuse=False) for _ in range(2))
    items = [other.preprocess(made_picture(side, side)) for side in (16, 20, 24, 30, 40)]
    move(other, items[0], runtime)
    np.testing.assert_allclose(other.forward(items), plain.forward(items), atol=1e-5)
    assert other.network.several
    assert other.fingerprint != plain.fingerprint
    assert other.notes["runtime"].startswith(runtime)
    assert [round(float(p.scores.sum()), 4) for p in other.predict([made_picture(16, 16)])] == [1.0]


def test_a_batch_that_tracing_fixed_goes_one_by_one():
    class Fixed(nn.Module):
        def forward(self, x):
            return x.reshape(1, 3, -1).mean(2) if len(x) == 1 else torch.stack([one.mean((1, 2)) for one in x])

    plain, other = (classifier(nn.Sequential(Fixed()), fuse=False) for _ in range(2))
    items = [other.preprocess(made_picture(side, side)) for side in (16, 20, 24)]
    move(other, items[0], "onnxruntime")
    assert not other.network.several
    np.testing.assert_allclose(other.forward(items), plain.forward(items), atol=1e-5)


def test_why_a_runtime_cannot_be_had(monkeypatch, capfd):
    class Strange(nn.Module):
        def forward(self, x):
            return nn.functional.interpolate(x, scale_factor=2, mode="bicubic", antialias=True).mean((2, 3))

    strange = classifier(nn.Sequential(Strange()), fuse=False)
    item = strange.preprocess(made_picture(16, 16))
    with pytest.raises(CannotRun, match="cannot export"):
        move(strange, item, "onnxruntime")
    assert capfd.readouterr().out == ""  # torch would print the whole graph
    assert strange.forward([item]).shape == (1, 3)  # still as it was
    detector = load_model("scenes_nano", LoadOptions(device="cpu", fuse=False))
    with pytest.raises(CannotRun, match="detector"):
        move(detector, detector.preprocess(made_picture(64, 64)), "onnxruntime")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CannotRun, match="pip install openvino"):
        move(strange, item, "openvino")


# ---- layout


def is_last(adapter) -> bool:
    weight = next(m.weight for m in adapter.network.modules() if isinstance(m, nn.Conv2d) and m.weight.shape[1] > 1)
    return bool(weight.is_contiguous(memory_format=torch.channels_last)) and not weight.is_contiguous()


def test_folding_and_layout_are_chosen_apart():
    made = {}
    for fuse in (True, False):
        for last in (None, True, False):
            adapter = load_model("digits_cnn", LoadOptions(device="cpu", fuse=fuse, channels_last=last))
            assert is_last(adapter) == (fuse if last is None else last), (fuse, last)
            assert bool(adapter.notes.get("batch norms folded")) == fuse
            made[fuse, last] = adapter.fingerprint
    assert made[True, None] == made[True, True]  # what was evaluated before is found again
    assert made[False, None] == made[False, False]
    assert len(set(made.values())) == 4


@pytest.mark.parametrize(("fuse", "last"), [(True, False), (False, True)])
def test_detectors_too(fuse, last):
    adapter = load_model("scenes_nano", LoadOptions(device="cpu", fuse=fuse, channels_last=last))
    assert is_last(adapter) == last
    assert bool(adapter.notes.get("batch norms folded")) == fuse


# ---- cold start


def test_a_cold_start_is_measured_in_a_process_of_its_own():
    found = cold_start("digits_cnn", LoadOptions(device="cpu"), None, (8, 8))
    assert found.why_not == ""
    seconds, memory = found.seconds, found.memory_mb
    assert seconds["total_s"] == pytest.approx(seconds["load_s"] + seconds["first_s"])
    assert all(seconds[key] > 0 for key in ("import_s", "load_s", "first_s"))
    assert 0 < memory["before"] <= memory["loaded"] <= memory["peak"] * 1.001
    assert memory["steady"] <= memory["peak"] * 1.001


def test_the_peak_of_a_process_is_its_own_and_not_its_parents():
    big = np.ones(300 << 20, np.uint8)  # the parent has 300 MB more than the child
    code = "from models.profiling_child import peak_mb, resident_mb; print(resident_mb(), peak_mb())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    resident, peak = map(float, done.stdout.split())
    assert 0 < resident <= peak * 1.001 < big.size / 1e6


def test_a_cold_start_that_fails_says_why(tmp_path):
    assert "No model is called" in cold_start("no_such_model", LoadOptions(device="cpu"), None, (8, 8)).why_not
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        cold_start("digits_cnn", LoadOptions(device="cpu"), None, (8, 8), stop)


def test_the_child_takes_settings_and_says_json():
    asked = {"model": "gaussian", "options": {"settings": {"sigma": "2"}}, "task": None, "height": 12, "width": 9}
    done = subprocess.run(
        [sys.executable, "-m", "models.profiling_child"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert json.loads(done.stdout.splitlines()[-1])["seconds"]["total_s"] > 0


def test_the_made_picture_is_always_the_same_and_of_any_size():
    for size in ((1, 1), (8, 8), (37, 120)):
        picture = made_picture(*size)
        assert picture.shape == (*size, 3)
        assert picture.dtype == np.uint8
        assert np.array_equal(picture, made_picture(*size))
    assert made_picture(64, 64).std() > 10
