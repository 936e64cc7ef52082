"""Parameters and operations of an ONNX file, from its graph and from the shapes that it has on one picture.

Shapes are not inferred but looked at: the file is opened once more with the results of its convolutions and matrix
products among its outputs (a protobuf message can be extended by appending to it), and run on what its adapter feeds.
Counted as in ``models.profiling_formulas``: Conv, ConvTranspose, Gemm and MatMul with their quantised kin. Parameters
are the values of its stored tensors of fractions or bytes, wherever they lie (initializers, Constant nodes) and each
once; single numbers, and what only tells how to scale or resize, are none. Exporters have mostly folded batch norms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.base import ModelAdapter
from models.onnx_graph import KNOWN_DOMAINS, Graph, Node, parse
from models.profiling import Counted, LayerCount

Shape = tuple[int, ...]
_CONVS = {  # where weight and bias stand
    "Conv": (1, 2), "ConvInteger": (1,), "ConvTranspose": (1, 2), "DeformConv": (1, 3), "FusedConv": (1, 2),
    "QLinearConv": (3, 8),
}  # fmt: skip
_PRODUCTS = {"Gemm": (0, 1, 2), "MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)}  # factors, and bias
_NORM = "BatchNormalization"
_POOLS = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool")
_UNSEEN = (
    "Attention", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "Einsum", "FusedGemm", "FusedMatMul", "GRU", "If",
    "LSTM", "Loop", "MatMulIntegerToFloat", "MatMulNBits", "MultiHeadAttention", "QAttention", "QGemm", "RNN", "Scan",
)  # fmt: skip
_SETTINGS = {  # inputs that tell how, and are no weights
    "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "Resize": (1, 2), "Upsample": (1,), "Clip": (1, 2),
    "Pad": (2,), "ConvInteger": (2, 3), "MatMulInteger": (2, 3), "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
}  # fmt: skip
_SAME = (  # give the values that they take, written otherwise
    "Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
_VALUES = {
    1,
    2,
    3,
    10,
    11,
    16,
    *range(17, 24),
}  # FLOAT, UINT8, INT8, FLOAT16, DOUBLE, BFLOAT16, of 8 and 4 bits
_AT_ONCE = 32  # results asked for in one run: all would be much memory


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
    graph = parse(data)
    with _listening(session) as fed:
        run()
    shapes = _shapes(data, graph, fed[0])
    weights = _Weights(graph)
    layers = [layer for node in graph.nodes if (layer := _layer(node, weights, shapes)) is not None]
    first, every = (sum(_values(feed) for feed in feeds) for feeds in (fed[:1], fed))
    pictures = fed[0][next(iter(fed[0]))].shape[0]  # more than one where the file has a fixed batch size
    for layer in layers:
        layer.calls = len(fed)  # more than one where a picture goes through in tiles
        layer.macs = layer.macs * every // (first * pictures)
        layer.flops = layer.flops * every // (first * pictures)
    moving = weights.take(name for node in graph.nodes if node.op == _NORM for name in node.inputs[3:5])
    rest = weights.left()
    if rest:
        layers.append(LayerCount("(other stored tensors)", "Initializer", "other", (), rest, 0, 0, 0))
    notes = [
        "Parameters are the values stored in the file: exporters fold batch norms, keep equal tensors once and store "
        "what they compute beforehand, so they may be fewer or more than the network had."
    ]
    unseen = sorted({node.op for node in graph.nodes if node.op in _UNSEEN or node.domain not in KNOWN_DOMAINS})
    if unseen:
        notes.append(f"Operations inside {', '.join(unseen)} are not counted.")
    params, macs = sum(layer.params for layer in layers), sum(layer.macs for layer in layers)
    return Counted(params, moving, macs, layers, notes)


class _Weights:
    """The stored tensors of a file, each of which is counted once, where it is first used."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._made_by = {name: node for node in graph.nodes for name in node.outputs}
        settings = (node.inputs[k : k + 1] for node in graph.nodes for k in _SETTINGS.get(node.op, ()))
        self._taken = {stored for names in settings for name in names if (stored := self.stored(name))}

    def stored(self, name: str) -> str | None:
        """The tensor whose values ``name`` has, perhaps quantised or laid out otherwise; None if it is computed."""
        for _ in range(16):
            if name in self._graph.tensors:
                return name
            node = self._made_by.get(name)
            if node is None or node.op not in _SAME or not node.inputs:
                return None
            name = node.inputs[0]
        return None

    def take(self, names: Iterable[str]) -> int:
        """How many values these have that nobody has taken yet."""
        found = dict.fromkeys(stored for name in names if (stored := self.stored(name)))
        new = [name for name in found if name not in self._taken]
        self._taken.update(new)
        return sum(self._graph.tensors[name].size for name in new)

    def left(self) -> int:
        """What nobody has taken, of the types of weights."""
        tensors = self._graph.tensors
        return self.take(name for name, tensor in tensors.items() if tensor.shape and tensor.kind in _VALUES)


def _values(feed: Mapping[str, Any]) -> int:
    return sum(int(value.size) for value in feed.values())


def _layer(node: Node, weights: _Weights, shapes: Mapping[str, Shape]) -> LayerCount | None:
    """A row of the table, for what has operations by a formula; its stored tensors are its parameters."""
    out = shapes.get(node.outputs[0] if node.outputs else "", ())
    path = (node.name or (node.outputs or [node.op])[0]).strip("/").replace("/", ".")
    if node.op in _CONVS:
        places = _CONVS[node.op]
        return _conv(LayerCount(path, node.op, "conv", out, weights.take(_inputs(node, places)), 0, 0), node, shapes)
    if node.op in _PRODUCTS:
        params = weights.take(_inputs(node, _PRODUCTS[node.op]))
        return _product(LayerCount(path, node.op, "linear", out, params, 0, 0), node, weights, shapes)
    if node.op == _NORM:
        return LayerCount(path, node.op, "batch_norm", out, weights.take(node.inputs[1:3]), 0, 4 * math.prod(out))
    if node.op in _POOLS:
        return LayerCount(path, node.op, "pool", out, 0, 0, math.prod(out))
    return None


def _inputs(node: Node, places: Sequence[int]) -> list[str]:
    return [node.inputs[place] for place in places if place < len(node.inputs)]


def _conv(row: LayerCount, node: Node, shapes: Mapping[str, Shape]) -> LayerCount:
    weight = shapes[node.inputs[_CONVS[node.op][0]]]
    turned = node.op == "ConvTranspose"
    places = shapes[node.inputs[0]] if turned else shapes[node.outputs[0]]
    row.macs = math.prod(places) * math.prod(weight[1:])
    row.flops, row.terms = 2 * row.macs, _conv_terms(node, weight, places, turned)
    return row


def _product(row: LayerCount, node: Node, weights: _Weights, shapes: Mapping[str, Shape]) -> LayerCount:
    """A matrix product: a linear layer if one of its factors is stored, else one of an attention."""
    left, right = _PRODUCTS[node.op][:2]
    first, second = shapes[node.inputs[left]], shapes[node.inputs[right]]
    inner, out = first[0 if node.numbers.get("transA") else -1], row.output
    row.macs = math.prod(out) * inner
    row.flops = 2 * row.macs
    on_right = weights.stored(node.inputs[right]) is not None
    on_left = not on_right and weights.stored(node.inputs[left]) is not None
    if not (on_right or on_left):
        row.rule = "attention"
    elif len(second if on_right else first) == 2 and len(out) > 1:
        nout = out[-1] if on_right else out[-2]
        bias = int(node.op == "Gemm" and len(node.inputs) > 2)
        row.terms = {"nin": inner, "nout": nout, "rows": math.prod(out) // nout, "bias": bias}
    return row


def _conv_terms(node: Node, weight: Shape, places: Shape, turned: bool) -> dict[str, int]:
    if len(weight) != 4 or len(places) != 4:
        return {}
    groups = node.numbers.get("group", 1)
    cin, cout = (weight[0], weight[1] * groups) if turned else (weight[1] * groups, weight[0])
    sides = ("hin", "win") if turned else ("hout", "wout")
    bias = int(any(_inputs(node, _CONVS[node.op][1:])))
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


def _shapes(data: bytes, graph: Graph, feed: Mapping[str, Any]) -> dict[str, Shape]:
    """Shapes of everything that goes in and out of the layers, of one picture."""
    import onnxruntime

    known = {name: tensor.shape for name, tensor in graph.tensors.items()}
    known |= {name: tuple(value.shape) for name, value in feed.items()}
    wanted: dict[str, None] = {}
    for node in graph.nodes:
        if node.op in (*_CONVS, *_PRODUCTS, *_POOLS, _NORM):
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


def _message(number: int, content: bytes) -> bytes:
    """A protobuf field that holds a message, a text or bytes."""
    return _number(number << 3 | 2) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
