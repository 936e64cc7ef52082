"""Parameters and operations of an ONNX file, from its graph and from the shapes that it has on one picture.

Shapes are not inferred but looked at: the file is opened once more with the results of its convolutions and matrix
products among its outputs (a protobuf message can be extended by appending to it), and run on what its adapter feeds.
Counted as in ``models.profiling_formulas``: Conv, ConvTranspose, Gemm and MatMul with their quantised kin. Parameters
are the values of its stored tensors of fractions or bytes; exporters have mostly folded batch norms into them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.base import ModelAdapter
from models.onnx_graph import _fields, _messages, _text, _varint
from models.profiling import Counted, LayerCount

Shape = tuple[int, ...]
_CONVS = {"Conv": 1, "FusedConv": 1, "ConvInteger": 1, "QLinearConv": 3, "ConvTranspose": 1}  # where the weight stands
_PRODUCTS = {"Gemm": 1, "MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3}
_UNSEEN = ("Attention", "Einsum", "GRU", "If", "Loop", "LSTM", "MultiHeadAttention", "RNN", "Scan")
_POOLS = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool")
_VALUES = {1, 2, 3, 10, 11, 16}  # TensorProto: FLOAT, UINT8, INT8, FLOAT16, DOUBLE, BFLOAT16
_AT_ONCE = 32  # results asked for in one run: all would be much memory


@dataclass
class _Node:
    """An operator with what counting needs of it."""

    op: str = ""
    name: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)  # attributes that are one integer


@dataclass
class _Graph:
    nodes: list[_Node] = field(default_factory=list)
    tensors: dict[str, tuple[Shape, int]] = field(default_factory=dict)  # stored ones: shape, type
    outputs: set[str] = field(default_factory=set)
    inputs: set[str] = field(default_factory=set)


def count_onnx(adapter: ModelAdapter[Any, Any], run: Callable[[], Any]) -> Counted | None:
    """Count what an ONNX file does with one picture; None if ``adapter`` is none of an ONNX file.

    Args:
        adapter: loaded by the family "onnx".
        run: takes one picture through it.

    Raises:
        OSError: the file has gone.
        ValueError: it is no ONNX file any more.
    """
    session: Any = getattr(adapter, "_session", None)
    path = getattr(session, "path", None)
    if not isinstance(path, Path):
        return None
    data = path.read_bytes()
    graph = _read(data)
    with _listening(session) as fed:
        run()
    shapes = _shapes(data, graph, fed[0])
    layers = [layer for node in graph.nodes if (layer := _layer(node, graph, shapes)) is not None]
    first, every = (sum(_values(feed) for feed in feeds) for feeds in (fed[:1], fed))
    pictures = fed[0][next(iter(fed[0]))].shape[0]  # more than one where the file has a fixed batch size
    for layer in layers:
        layer.calls = len(fed)  # more than one where a picture goes through in tiles
        layer.macs = layer.macs * every // (first * pictures)
        layer.flops = layer.flops * every // (first * pictures)
    moving = {name for node in graph.nodes if node.op == "BatchNormalization" for name in node.inputs[3:5]}
    sizes = {name: math.prod(shape) for name, (shape, kind) in graph.tensors.items() if kind in _VALUES}
    params = sum(size for name, size in sizes.items() if name not in moving)
    rest = params - sum(layer.params for layer in layers)
    if rest:
        layers.append(LayerCount("(other stored tensors)", "Initializer", "other", (), rest, 0, 0, 0))
    notes = ["Parameters are the values stored in the file; exporters fold batch norms, so they may be fewer."]
    unseen = sorted({node.op for node in graph.nodes} & set(_UNSEEN))
    if unseen:
        notes.append(f"Operations inside {', '.join(unseen)} are not counted.")
    macs = sum(layer.macs for layer in layers)
    return Counted(params, sum(size for name, size in sizes.items() if name in moving), macs, layers, notes)


def _values(feed: Mapping[str, Any]) -> int:
    return sum(int(value.size) for value in feed.values())


def _layer(node: _Node, graph: _Graph, shapes: Mapping[str, Shape]) -> LayerCount | None:
    """A row of the table, for what has operations by a formula; its stored tensors are its parameters."""
    out = shapes.get(node.outputs[0] if node.outputs else "", ())
    path = (node.name or (node.outputs or [node.op])[0]).strip("/").replace("/", ".")
    own = [graph.tensors[name] for name in dict.fromkeys(node.inputs) if name in graph.tensors]
    params = sum(math.prod(shape) for shape, kind in own if kind in _VALUES)
    if node.op in _CONVS:
        weight = shapes.get(node.inputs[_CONVS[node.op]], ())
        turned = node.op == "ConvTranspose"
        places = shapes.get(node.inputs[0], ()) if turned else out
        macs = math.prod(places) * math.prod(weight[1:]) if places and weight else 0
        terms = _conv_terms(node, weight, places, turned)
        return LayerCount(path, node.op, "conv", out, params, macs, 2 * macs, terms=terms)
    if node.op in _PRODUCTS:
        name = node.inputs[_PRODUCTS[node.op]]
        first, second = shapes.get(node.inputs[0], ()), shapes.get(name, ())
        inner = first[0 if node.numbers.get("transA") else -1] if first else 0
        macs = math.prod(out) * inner
        terms = {}
        if name in graph.tensors and len(second) == 2 and out:
            bias = int(node.op == "Gemm" and len(node.inputs) > 2)
            terms = {"nin": inner, "nout": out[-1], "rows": math.prod(out[:-1]), "bias": bias}
        rule = "linear" if name in graph.tensors else "attention"
        return LayerCount(path, node.op, rule, out, params, macs, 2 * macs, terms=terms)
    if node.op == "BatchNormalization":
        scale = math.prod(graph.tensors.get(node.inputs[1], ((0,), 1))[0])
        return LayerCount(path, node.op, "batch_norm", out, 2 * scale, 0, 4 * math.prod(out) if out else 0)
    if node.op in _POOLS:
        return LayerCount(path, node.op, "pool", out, 0, 0, math.prod(out) if out else 0)
    return None


def _conv_terms(node: _Node, weight: Shape, places: Shape, turned: bool) -> dict[str, int]:
    if len(weight) != 4 or len(places) != 4:
        return {}
    groups = node.numbers.get("group", 1)
    cin, cout = (weight[0], weight[1] * groups) if turned else (weight[1] * groups, weight[0])
    sides = ("hin", "win") if turned else ("hout", "wout")
    bias = int(len(node.inputs) > (8 if node.op == "QLinearConv" else 2))
    known = {"kh": weight[2], "kw": weight[3], "cin": cin, "cout": cout, "groups": groups, "bias": bias}
    return {**known, sides[0]: places[2], sides[1]: places[3]}


@contextmanager
def _listening(session: Any) -> Iterator[list[dict[str, Any]]]:
    """What is fed to a session meanwhile."""
    real, fed = session._session, list[dict[str, Any]]()

    class Listener:
        def run(self, outputs: Any, feed: dict[str, Any], how: Any = None) -> Any:
            fed.append(feed)
            return real.run(outputs, feed, how)

    session._session = Listener()
    try:
        yield fed
    finally:
        session._session = real


def _shapes(data: bytes, graph: _Graph, feed: Mapping[str, Any]) -> dict[str, Shape]:
    """Shapes of everything that goes in and out of the layers, of one picture."""
    import onnxruntime

    known: dict[str, Shape] = {name: shape for name, (shape, _) in graph.tensors.items()}
    known |= {name: tuple(value.shape) for name, value in feed.items()}
    wanted: dict[str, None] = {}
    for node in graph.nodes:
        if node.op in (*_CONVS, *_PRODUCTS, *_POOLS, "BatchNormalization"):
            wanted |= dict.fromkeys(name for name in (*node.inputs[:4], *node.outputs[:1]) if name)
    names = [name for name in wanted if name not in known and name not in graph.inputs]
    more = b"".join(_message(12, _message(1, name.encode())) for name in names if name not in graph.outputs)
    how = onnxruntime.SessionOptions()
    how.log_severity_level = 4
    how.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    how.add_session_config_entry("session.load_model_format", "ONNX")
    session = onnxruntime.InferenceSession(data + _message(7, more), how, providers=["CPUExecutionProvider"])
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        known |= {name: tuple(value.shape) for name, value in zip(part, session.run(part, dict(feed)), strict=True)}
    return known


def _read(data: bytes) -> _Graph:
    graph = _Graph()
    for number, value in _messages(memoryview(data)):
        if number == 7:
            _read_graph(value, graph)
    return graph


def _read_graph(data: memoryview, graph: _Graph) -> None:
    for number, value in _messages(data):
        if number == 1:
            graph.nodes.append(_read_node(value))
        elif number == 5:
            name, shape, kind = _read_tensor(value)
            graph.tensors[name] = shape, kind
        elif number in (11, 12):
            names = graph.inputs if number == 11 else graph.outputs
            names |= {_text(content) for inner, content in _messages(value) if inner == 1}


def _read_node(data: memoryview) -> _Node:
    node = _Node()
    for number, value in _messages(data):
        if number == 1:
            node.inputs.append(_text(value))
        elif number == 2:
            node.outputs.append(_text(value))
        elif number == 3:
            node.name = _text(value)
        elif number == 4:
            node.op = _text(value)
        elif number == 5:
            name, integer = "", None
            for inner, content in _fields(value):
                if inner == 1:
                    name = _text(content)
                elif inner == 3 and isinstance(content, int):
                    integer = content
            if integer is not None:
                node.numbers[name] = integer
    return node


def _read_tensor(data: memoryview) -> tuple[str, Shape, int]:
    """Name, shape and type of a TensorProto."""
    name, kind, shape = "", 0, list[int]()
    for number, value in _fields(data):
        if number == 1:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8:
            name = _text(value)
    return name, tuple(shape), kind


def _packed(data: memoryview) -> Sequence[int]:
    found, position = [], 0
    while position < len(data):
        value, position = _varint(data, position)
        found.append(value)
    return found


def _message(number: int, content: bytes) -> bytes:
    """A protobuf field that holds a message, a text or bytes."""
    return _number(number << 3 | 2) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
