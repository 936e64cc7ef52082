"""What can be told of an ONNX file without running it or needing the ``onnx`` package: a reader of its protobuf.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

DEEPEST = 64  # graphs inside graphs (If, Loop); real files have two or three levels
KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})
# Operators that pass values through unchanged (as far as "is this a probability" goes)
_PASSING = frozenset({"Identity", "Cast", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "QuantizeLinear", "DequantizeLinear"})  # fmt: skip # noqa: E501


@dataclass(frozen=True)
class Tensor:
    """Values in the file: an initializer, or what a Constant node gives.

    Attributes:
        shape: () of a single number.
        kind: number of its type, as in TensorProto.DataType.
    """

    shape: tuple[int, ...]
    kind: int

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass
class Node:
    """One operator of the graph.

    Attributes:
        op, name, domain: what it is, which one, and whose.
        inputs, outputs: names of values, "" for an optional input that is left out.
        numbers: its attributes that are one integer ("group", "transA").
    """

    op: str = ""
    name: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)


@dataclass
class Graph:
    """What matters of the file.

    Attributes:
        nodes: of the main graph, in order.
        inputs: names of what the graph takes; some exporters name initializers here, too.
        outputs: names of the graph's outputs.
        tensors: the main graph's stored values, by name.
        external: whether any tensor, wherever it hides, lies in another file.
        domains: of operators that are neither ONNX's own nor functions the file defines itself.
    """

    nodes: list[Node] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    external: bool = False
    domains: set[str] = field(default_factory=set)

    def ending(self, output: str) -> str:
        """What makes ``output``: "softmax", "log_softmax", "sigmoid", or "logits" for anything else."""
        made_by = {name: node for node in self.nodes for name in node.outputs}
        for _ in range(32):
            node = made_by.get(output)
            if node is None:
                return "logits"
            if node.op in _PASSING and node.inputs:
                output = node.inputs[0]
                continue
            if node.op == "Div" and node.inputs and (top := made_by.get(node.inputs[0])) and top.op == "Exp":
                return "softmax"  # written out: exp / sum of exp
            return {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid"}.get(node.op, "logits")
        return "logits"


def parse(data: bytes) -> Graph:
    """Read a ModelProto. Raises ValueError if it is not one, is cut off, or nests graphs too deeply."""
    graph = Graph()
    own: set[str] = set()
    found = False
    for number, value in _fields(memoryview(data)):
        if not isinstance(value, memoryview):
            continue
        if number == 7:  # graph
            _read_graph(value, graph, 0)
            found = True
        elif number == 20:  # training_info: initialization and algorithm
            for inner, content in _messages(value):
                if inner in (1, 2):
                    _read_graph(content, graph, 1)
        elif number == 25:  # functions: their domain is the file's own
            own |= {_text(content) for inner, content in _messages(value) if inner == 10}
            _read_function(value, graph)
    if not found:
        raise ValueError("no graph")
    graph.domains -= own | KNOWN_DOMAINS
    return graph


def _read_graph(data: memoryview, graph: Graph, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"graphs nested more than {DEEPEST} deep")
    for number, value in _messages(data):
        if number == 1:  # node
            node = _read_node(value, graph, depth)
            if depth == 0:
                graph.nodes.append(node)
        elif number == 5:  # initializer
            name, tensor = _read_tensor(value, graph)
            if depth == 0:
                graph.tensors[name] = tensor
        elif number == 15:  # sparse_initializer
            _read_sparse(value, graph)
        elif number in (11, 12) and depth == 0:  # input, output
            names = graph.inputs if number == 11 else graph.outputs
            names += [_text(content) for inner, content in _messages(value) if inner == 1]


def _read_function(data: memoryview, graph: Graph) -> None:
    """A FunctionProto: its nodes, and the default values of its attributes."""
    for number, value in _messages(data):
        if number == 7:
            _read_node(value, graph, 1)
        elif number == 11:
            _read_attribute(value, graph, 1)


def _read_node(data: memoryview, graph: Graph, depth: int) -> Node:
    node = Node()
    constant: Tensor | None = None
    for number, value in _messages(data):
        if number == 1:
            node.inputs.append(_text(value))
        elif number == 2:
            node.outputs.append(_text(value))
        elif number == 3:
            node.name = _text(value)
        elif number == 4:
            node.op = _text(value)
        elif number == 7:
            node.domain = _text(value)
        elif number == 5:
            name, found = _read_attribute(value, graph, depth)
            if isinstance(found, int):
                node.numbers[name] = found
            elif found is not None:
                constant = found
    if depth == 0 and node.op == "Constant" and constant is not None and node.outputs:
        graph.tensors[node.outputs[0]] = constant
    graph.domains.add(node.domain)
    return node


def _read_attribute(data: memoryview, graph: Graph, depth: int) -> tuple[str, int | Tensor | None]:
    """Its name, and its value if that is one integer or one tensor; it may hold sparse tensors or graphs (If, Loop)."""
    name = ""
    found: int | Tensor | None = None
    for number, value in _fields(data):
        if isinstance(value, int):
            found = value if number == 3 else found
        elif number == 1:
            name = _text(value)
        elif number in (5, 10):
            tensor = _read_tensor(value, graph)[1]
            found = tensor if number == 5 else found
        elif number in (22, 23):
            _read_sparse(value, graph)
        elif number in (6, 11):
            _read_graph(value, graph, depth + 1)
    return name, found


def _read_tensor(data: memoryview, graph: Graph) -> tuple[str, Tensor]:
    """A TensorProto and its name; external_data (13), or another data_location (14) than DEFAULT, is noted."""
    name, kind, shape = "", 0, list[int]()
    for number, value in _fields(data):
        if number == 1:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8:
            name = _text(value)
        elif number == 13 or (number == 14 and value != 0):
            graph.external = True
    return name, Tensor(tuple(shape), kind)


def _read_sparse(data: memoryview, graph: Graph) -> None:
    """The values (1) and the indices (2) of a SparseTensorProto."""
    for number, value in _messages(data):
        if number in (1, 2):
            _read_tensor(value, graph)


def _text(value: int | memoryview) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else ""


def _messages(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields that are messages, texts or bytes."""
    for number, value in _fields(data):
        if isinstance(value, memoryview):
            yield number, value


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, integer or bytes) of a protobuf message; fixed-width values are skipped."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if number == 0 or key >> 32:  # protobuf drops what exceeds 32 bits: the field would be another to it
            raise ValueError("not a protobuf message")
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
        elif wire == 2:
            length, position = _varint(data, position)
            if length > end - position:
                raise ValueError("cut off")
            yield number, data[position : position + length]
            position += length
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
            if position > end:
                raise ValueError("cut off")
        else:
            raise ValueError(f"wire type {wire}")


def _packed(data: memoryview) -> Iterator[int]:
    """A list of integers."""
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError("cut off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
