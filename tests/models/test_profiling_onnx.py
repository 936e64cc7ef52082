"""Parameters and operations of ONNX files, by hand and as the networks that they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import load_model
from models.onnx_graph import parse
from models.profiling import Counted, count
from models.profiling_formulas import made_picture
from models.profiling_onnx import count_onnx
from models.profiling_runtimes import onnx_bytes

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RNG = np.random.default_rng(0)


def counted(path: Path, side: int = 8, **settings: str) -> Counted:
    """Of a file on a made picture."""
    adapter = load_model(path, LoadOptions(device="cpu", settings=settings))
    item = adapter.preprocess(made_picture(side, side))
    found = count_onnx(adapter, lambda: adapter.forward([item]))
    assert found is not None
    return found


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def written(path: Path, nodes, weights=None, classes: int = 5, batch: int | str = "n") -> Path:
    """A classifier of (batch, 3, 8, 8) named x that ends in y, (batch, classes)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), path)
    return path


def node(op: str, inputs: str, outputs: str, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def constant(name: str, value: np.ndarray):
    return node("Constant", "", name, value=numpy_helper.from_array(value))


ENDING = [node("GlobalAveragePool", "f", "p"), node("Flatten", "p", "d"), node("Gemm", "d w b", "y")]
"""From features of 4 channels, f, to 5 scores: 4 * 5 + 5 parameters, 20 MACs."""
HEAD = {"w": floats(4, 5), "b": floats(5)}


def test_a_network_as_it_was(tmp_path):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(8, 4)).eval()
    nn.init.uniform_(net[1].running_mean)
    path = tmp_path / "small.onnx"
    path.write_bytes(onnx_bytes(net, torch.rand(1, 3, 16, 16), sizes=False))
    adapter = load_model(path, LoadOptions(device="cpu", settings={"input_size": "16x16"}))
    item = adapter.preprocess(made_picture(16, 16))
    found = count_onnx(adapter, lambda: adapter.forward([item]))
    conv, _, linear = found.layers
    assert (conv.kind, conv.rule, conv.params, conv.macs) == ("Conv", "conv", 27 * 8 + 8, 27 * 8 * 16 * 16)
    assert conv.terms == {"kh": 3, "kw": 3, "cin": 3, "cout": 8, "groups": 1, "bias": 1, "hout": 16, "wout": 16}
    assert (linear.kind, linear.rule, linear.params, linear.macs) == ("Gemm", "linear", 8 * 4 + 4, 32)
    assert linear.terms == {"nin": 8, "nout": 4, "rows": 1, "bias": 1}
    assert found.params == conv.params + linear.params  # the batch norm is folded into the convolution
    with torch.inference_mode():
        assert found.macs == count(net, lambda: net(torch.rand(1, 3, 16, 16))).macs
    adapter.forward([item])  # its session is its own again
    assert count_onnx(load_model("digits_linear"), lambda: None) is None


def test_a_fixed_batch_counts_one_picture(tmp_path):
    weights = {"w": floats(4, 1, 2, 2), "k": floats(4, 3, 3, 3), "m": floats(2, 5)}  # w: 4 in, 2 groups of 1 out
    nodes = [
        node("Conv", "x k", "a", pads=[1, 1, 1, 1], name="/a/Conv"),
        node("ConvTranspose", "a w", "b", group=2, strides=[2, 2]),
        node("GlobalAveragePool", "b", "c"),
        node("Flatten", "c", "d"),
        node("MatMul", "d m", "y"),
    ]
    found = counted(written(tmp_path / "fixed.onnx", nodes, weights, batch=3))
    macs = {row.kind: row.macs for row in found.layers}
    assert macs == {"Conv": 27 * 4 * 64, "ConvTranspose": 4 * 64 * 4, "GlobalAveragePool": 0, "MatMul": 10}
    assert found.layers[0].path == "a.Conv"
    assert found.params == sum(value.size for value in weights.values())


def test_a_tensor_that_two_layers_share_is_counted_once(tmp_path):
    nodes = [
        node("Conv", "x a", "one"),
        node("Conv", "one k c", "two", pads=[1, 1, 1, 1]),
        node("Identity", "k", "again"),
        node("Conv", "two again c", "f", pads=[1, 1, 1, 1]),
        *ENDING,
    ]
    found = counted(
        written(tmp_path / "a.onnx", nodes, {"a": floats(4, 3, 1, 1), "k": floats(4, 4, 3, 3), "c": floats(4), **HEAD})
    )
    assert [row.params for row in found.layers] == [12, 144 + 4, 0, 0, 25]
    assert [row.macs for row in found.layers] == [12 * 64, 144 * 64, 144 * 64, 0, 20]
    assert found.params == 12 + 148 + 25


def test_weights_in_constant_nodes_are_parameters(tmp_path):
    nodes = [constant("k", floats(4, 3, 3, 3)), constant("c", floats(4)), node("Conv", "x k c", "f"), *ENDING[:2]]
    nodes += [constant("half", np.float32(0.5)), constant("w", HEAD["w"]), node("MatMul", "d w", "m")]
    nodes += [constant("b", HEAD["b"]), node("Add", "m b", "s"), node("Mul", "s half", "y")]
    found = counted(written(tmp_path / "a.onnx", nodes))
    assert [(row.kind, row.rule, row.params) for row in found.layers] == [
        ("Conv", "conv", 108 + 4),
        ("GlobalAveragePool", "pool", 0),
        ("MatMul", "linear", 20),
        ("Initializer", "other", 5),  # the addition's; a single number is no parameter
    ]
    assert found.layers[0].terms["bias"] == 1
    assert found.params == 112 + 25


@pytest.mark.parametrize("stored", [True, False])
def test_a_weight_on_the_left_makes_a_linear_layer(tmp_path, stored):
    left = node("MatMul", "v t", "m") if stored else node("MatMul", "t u", "m")
    nodes = [
        constant("shape", np.array([0, 3, 64], np.int64)),
        node("Reshape", "x shape", "t"),  # (n, 3, 64)
        *([] if stored else [node("Transpose", "t", "u", perm=[0, 2, 1])]),
        left,  # (5, 3) @ (n, 3, 64), or (n, 3, 64) @ (n, 64, 3)
        node("ReduceMean", "m", "y", axes=[2], keepdims=0),
    ]
    path = written(tmp_path / "a.onnx", nodes, {"v": floats(5, 3)} if stored else {}, classes=5 if stored else 3)
    model = onnx.load(path)
    model.opset_import[0].version = 17  # where ReduceMean has its axes as an attribute
    onnx.save(model, path)
    (row,) = counted(path).layers
    if stored:
        assert (row.rule, row.params, row.macs) == ("linear", 15, 5 * 3 * 64)
        assert row.terms == {"nin": 3, "nout": 5, "rows": 64, "bias": 0}
    else:
        assert (row.rule, row.params, row.macs, row.terms) == ("attention", 0, 3 * 64 * 3, {})


def quantised(name: str, value: np.ndarray, kind: type = np.int8) -> tuple[list, dict[str, np.ndarray]]:
    """Nodes and tensors for a stored weight of whole numbers that becomes ``name``, a scale for each output."""
    made = {
        f"{name}_q": RNG.integers(-9, 9, value.shape).astype(kind),
        f"{name}_s": np.full(len(value), 0.1, np.float32),
    }
    made[f"{name}_z"] = np.zeros(len(value), kind)
    return [node("DequantizeLinear", f"{name}_q {name}_s {name}_z", name, axis=0)], made


def test_scales_and_zero_points_of_quantised_weights_are_no_parameters(tmp_path):
    (weight, one), (bias, two) = quantised("k", floats(4, 3, 3, 3)), quantised("c", floats(4), np.int32)
    (head, three) = quantised("v", floats(5, 4))
    around = {"s": np.float32(0.02), "z": np.uint8(128), "r": np.float32(0.02), "q": np.uint8(128)}
    nodes = [
        *weight,
        *bias,
        *head,
        node("QuantizeLinear", "x s z", "xq"),
        node("DequantizeLinear", "xq r q", "xd"),
        node("Conv", "xd k c", "f"),
        *ENDING[:2],
        node("Gemm", "d v", "y", transB=1),
    ]
    found = counted(written(tmp_path / "a.onnx", nodes, {**one, **two, **three, **around}))
    assert [(row.kind, row.rule, row.params, row.macs) for row in found.layers] == [
        ("Conv", "conv", 108 + 4, 108 * 36),
        ("GlobalAveragePool", "pool", 0, 0),
        ("Gemm", "linear", 20, 20),
    ]
    assert found.layers[-1].terms == {"nin": 4, "nout": 5, "rows": 1, "bias": 0}
    assert found.params == 132


def test_statistics_of_a_batch_norm_are_buffers(tmp_path):
    norm = {name: np.abs(floats(4)) for name in ("g", "o", "m", "v")}
    nodes = [node("Conv", "x k", "a"), node("BatchNormalization", "a g o m v", "f"), *ENDING]
    found = counted(written(tmp_path / "a.onnx", nodes, {"k": floats(4, 3, 3, 3), **norm, **HEAD}))
    assert (found.params, found.buffers) == (108 + 8 + 25, 8)
    assert (found.layers[1].rule, found.layers[1].params, found.layers[1].flops) == ("batch_norm", 8, 4 * 4 * 36)


def test_what_is_not_counted_is_said(tmp_path):
    body = [node("Relu", "i", "o")]
    opsets = [helper.make_opsetid("", 19)]
    nodes = [node("Conv", "x k", "e"), node("Mine", "e", "f", domain="own"), *ENDING]
    path = written(tmp_path / "a.onnx", nodes, {"k": floats(4, 3, 3, 3), **HEAD})
    model = onnx.load(path)
    model.functions.append(helper.make_function("own", "Mine", ["i"], ["o"], body, opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    assert counted(path).notes[1:] == ["Operations inside Mine are not counted."]


def test_the_reader_agrees_with_onnx_on_names_numbers_and_tensors(tmp_path):
    nodes = [constant("k", floats(4, 3, 3, 3)), node("Conv", "x k", "f", name="first", group=1), *ENDING]
    path = written(tmp_path / "a.onnx", nodes, {**HEAD, "list": np.arange(3)})
    graph, reference = parse(path.read_bytes()), onnx.load(path).graph
    assert [n.name for n in graph.nodes] == [n.name for n in reference.node]
    assert graph.nodes[1].numbers == {"group": 1}
    assert (graph.inputs, graph.outputs) == (["x"], ["y"])
    tensors = {t.name: (tuple(t.dims), t.data_type) for t in reference.initializer}
    tensors["k"] = ((4, 3, 3, 3), TensorProto.FLOAT)
    assert {name: (t.shape, t.kind) for name, t in graph.tensors.items()} == tensors


def test_quantised_operators_by_hand(tmp_path):
    scale, zero = {"s": np.float32(0.02), "t": np.float32(0.1)}, {"z": np.uint8(128), "u": np.int8(0)}
    stored = {
        "k": RNG.integers(-9, 9, (4, 3, 3, 3)).astype(np.int8),
        "c": RNG.integers(-9, 9, 4).astype(np.int32),
        "m": RNG.integers(-9, 9, (4, 5)).astype(np.int8),
    }
    nodes = [
        node("QuantizeLinear", "x s z", "xq"),
        node("QLinearConv", "xq s z k t u s z c", "fq"),
        node("DequantizeLinear", "fq s z", "f"),
        *ENDING[:2],
        node("QuantizeLinear", "d s z", "dq"),
        node("QLinearMatMul", "dq s z m t u s z", "yq"),
        node("DequantizeLinear", "yq s z", "y"),
    ]
    found = counted(written(tmp_path / "a.onnx", nodes, {**scale, **zero, **stored}))
    assert [(row.kind, row.rule, row.params, row.macs) for row in found.layers] == [
        ("QLinearConv", "conv", 108 + 4, 108 * 36),
        ("GlobalAveragePool", "pool", 0, 0),
        ("QLinearMatMul", "linear", 20, 20),
    ]
    assert found.layers[0].terms["bias"] == 1
    assert found.layers[2].terms == {"nin": 4, "nout": 5, "rows": 1, "bias": 0}


def test_a_deformable_convolution_by_hand(tmp_path):
    nodes = [node("DeformConv", "x k o c", "f"), *ENDING]
    stored = {"k": floats(4, 3, 3, 3), "o": np.zeros((1, 18, 6, 6), np.float32), "c": floats(4), **HEAD}
    try:
        found = counted(written(tmp_path / "a.onnx", nodes, stored, batch=1))
    except InputError:
        pytest.skip("onnxruntime has no DeformConv here")
    conv = found.layers[0]
    assert (conv.rule, conv.params, conv.macs, conv.terms["bias"]) == ("conv", 108 + 4, 108 * 36, 1)
