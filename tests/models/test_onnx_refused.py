"""ONNX files that are refused: data elsewhere, foreign operators, damage, and what takes too much time or memory."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.errors import InputError
from models import onnx_graph
from models.base import LoadOptions
from models.load import load_model
from tests.models import weights


def options(**settings: str) -> LoadOptions:
    return LoadOptions(device="cpu", settings=settings)


def test_external_data_is_refused(tmp_path):
    import onnx

    path = weights.onnx_file(tmp_path / "a.onnx")
    onnx.save(onnx.load(path), tmp_path / "b.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(InputError, match="weights in other files"):
        load_model(tmp_path / "b.onnx", options())


def test_custom_operators_are_refused(tmp_path):
    path = weights.onnx_file(tmp_path / "a.onnx", ending="Mine", domain="com.example")
    with pytest.raises(InputError, match=r"operators of its own \(com.example\)"):
        load_model(path, options())


def test_damaged(tmp_path):
    path = weights.onnx_file(tmp_path / "a.onnx")
    data = path.read_bytes()
    for cut in range(1, len(data), 7):
        path.write_bytes(data[:cut])
        with pytest.raises(InputError):
            load_model(path, options())
    rng = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(data)
        for position in rng.integers(0, len(data), 4):
            broken[position] ^= int(rng.integers(1, 256))
        path.write_bytes(broken)
        try:
            load_model(path, options()).predict(weights.pictures()[:1])
        except InputError:
            pass


def test_our_reader_agrees_with_onnx(tmp_path):
    import onnx

    path = weights.onnx_file(tmp_path / "a.onnx", ending="Softmax", channels_last=True)
    graph = onnx_graph.parse(path.read_bytes())
    reference = onnx.load(path).graph
    assert [(n.op, n.inputs, n.outputs) for n in graph.nodes] == [
        (n.op_type, list(n.input), list(n.output)) for n in reference.node
    ]
    assert graph.outputs == [o.name for o in reference.output]
    assert graph.ending("output") == "softmax"
    assert not graph.external
    assert not graph.domains


def outside_tensor():
    """Five bytes that lie in secret.bin, in the working directory."""
    from onnx import TensorProto

    tensor = TensorProto(name="k", data_type=TensorProto.UINT8, dims=[5], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", "5")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def adding(start, end):
    """Nodes for ``end = start + sum(k)``."""
    from onnx import helper

    return [
        helper.make_node("Cast", ["k"], ["f"], to=1),
        helper.make_node("ReduceSum", ["f"], ["s"], keepdims=0),
        helper.make_node("Add", [start, "s"], [end]),
    ]


def in_initializer(model, tensor):
    model.graph.initializer.append(tensor)
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend(adding("before", "output"))


def in_constant(model, tensor):
    from onnx import helper

    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(helper.make_node("Constant", [], ["k"], value=tensor))
    model.graph.node.extend(adding("before", "output"))


def in_function(model, tensor):
    from onnx import helper

    nodes = [helper.make_node("Constant", [], ["k"], value=tensor), *adding("a", "b")]
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("mine", "F", ["a"], ["b"], nodes, opsets))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    last = model.graph.node[-1]
    last.op_type, last.domain = "F", "mine"


def in_default_of_a_function(model, tensor):
    from onnx import helper

    in_function(model, tensor)
    model.functions[0].node[0].attribute[0].CopyFrom(helper.make_attribute("value_int", 1))
    model.functions[0].attribute_proto.append(helper.make_attribute("value", tensor))


def in_branch_of_a_function(model, tensor):
    from onnx import helper

    constant = helper.make_node("Constant", [], ["k"], value=tensor)
    branch = helper.make_graph([constant], "g", [], [helper.make_tensor_value_info("k", 2, [5])])
    in_function(model, tensor)
    node = helper.make_node("If", ["c"], ["k"], then_branch=branch, else_branch=branch)
    model.functions[0].node[0].CopyFrom(node)


def sparse(tensor):
    from onnx import SparseTensorProto, numpy_helper

    made = SparseTensorProto(dims=[30], indices=numpy_helper.from_array(np.arange(5), "i"))
    made.values.CopyFrom(tensor)
    return made


def in_sparse_initializer(model, tensor):
    model.graph.sparse_initializer.append(sparse(tensor))


def in_sparse_constant(model, tensor):
    from onnx import helper

    model.graph.node.append(helper.make_node("Constant", [], ["k"], sparse_value=sparse(tensor)))


def in_training(model, tensor):
    model.training_info.add().algorithm.initializer.append(tensor)


HIDING_PLACES = [
    in_initializer, in_constant, in_function, in_default_of_a_function, in_branch_of_a_function, in_sparse_initializer,
    in_sparse_constant, in_training,
]  # fmt: skip


@pytest.mark.parametrize("hide", HIDING_PLACES, ids=lambda f: f.__name__)
def test_external_data_is_refused_wherever_it_hides(tmp_path, monkeypatch, hide):
    import onnx

    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(b"SECRET")
    model = onnx.load(weights.onnx_file(tmp_path / "a.onnx"))
    hide(model, outside_tensor())
    (tmp_path / "b.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="weights in other files"):
        load_model(tmp_path / "b.onnx", options())


@pytest.mark.parametrize("hide", [in_initializer, in_constant, in_function], ids=lambda f: f.__name__)
def test_external_data_is_not_found_even_if_it_is_overlooked(tmp_path, monkeypatch, hide):
    import onnx
    import onnxruntime

    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(b"SECRET")
    model = onnx.load(weights.onnx_file(tmp_path / "a.onnx"))
    hide(model, outside_tensor())
    data = model.SerializeToString()
    onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])  # by itself it reads the file
    (tmp_path / "b.onnx").write_bytes(data)
    real = onnx_graph.parse

    def blind(data):
        graph = real(data)
        graph.external = False
        return graph

    monkeypatch.setattr(onnx_graph, "parse", blind)
    with pytest.raises(InputError, match="cannot be loaded by onnxruntime"):
        load_model(tmp_path / "b.onnx", options())


def test_a_field_number_of_more_than_32_bits_is_refused():
    with pytest.raises(ValueError, match="not a protobuf"):
        onnx_graph.parse(bytes([0x08, 0x07, 0xBA, 0x80, 0x80, 0x80, 0x10, 0x00]))  # protobuf itself would see field 7


def test_graphs_nested_too_deeply(tmp_path):
    data = weights.onnx_file(tmp_path / "a.onnx").read_bytes()
    graph = b""
    for _ in range(3000):
        for field in (6, 5, 1):  # GraphProto.node { attribute { g { ...
            graph = bytes([field << 3 | 2]) + digits_of(len(graph)) + graph
    (tmp_path / "b.onnx").write_bytes(data + b"\x3a" + digits_of(len(graph)) + graph)
    with pytest.raises(InputError, match="nested more than"):
        load_model(tmp_path / "b.onnx", options())


def digits_of(size):
    digits = b""
    while size > 127:
        digits, size = digits + bytes([size & 127 | 128]), size >> 7
    return digits + bytes([size])


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"size": 100_000}, "100000x100000 pixels"),
        ({"size": 2**60}, "over a billion pixels"),
        ({"size": "s", "metadata": {"imgsz": "8192"}}, "8192x8192 pixels"),
        ({"size": "s", "metadata": {"imgsz": "9" * 5000}}, "over a billion"),
        ({"batch": 10**7}, "takes exactly 10000000 pictures"),
        ({"batch": 1000, "size": 2000}, "takes exactly 1000 pictures"),
        ({"metadata": {"mean": "a"}}, "mean must be"),
    ],
)
def test_what_a_file_may_not_ask_for(tmp_path, facts, words):
    path = weights.onnx_file(tmp_path / "a.onnx", **facts)
    with pytest.raises(InputError, match=words) as error:
        load_model(path, options())
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 400


def test_a_person_may_ask_for_more(tmp_path):
    path = weights.onnx_file(tmp_path / "a.onnx", size="s", metadata={"imgsz": "99999"})
    assert load_model(path, options(input_size="2500x2500")).spec.input_size == (2500, 2500)
    path = weights.onnx_file(tmp_path / "b.onnx", size=2500)
    assert load_model(path, options(input_size="2500")).spec.input_size == (2500, 2500)


def ended_by(path, nodes, initializers):
    """A classifier with more nodes behind its output."""
    import onnx

    model = onnx.load(weights.onnx_file(path))
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(initializers)
    path.write_bytes(model.SerializeToString())
    return path


def test_more_memory_than_there_is(tmp_path):
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("Constant", [], ["n"], value=numpy_helper.from_array(np.array([10**6, 10**6]), "n")),
        helper.make_node("ConstantOfShape", ["n"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Add", ["before", "sum"], ["output"]),
    ]
    path = ended_by(tmp_path / "a.onnx", nodes, [])
    with pytest.raises(InputError, match=r"a\.onnx needs more memory than there is"):
        load_model(path, options())


def loop_body():
    """Of a loop that goes on and changes its numbers a little."""
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    return helper.make_graph(
        [helper.make_node("Identity", ["c"], ["co"]), helper.make_node("Sin", ["v"], ["vo"])],
        "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("v", TensorProto.FLOAT, None)],
        [info("co", TensorProto.BOOL, []), info("vo", TensorProto.FLOAT, None)],
    )


def test_a_loop_without_end(tmp_path, monkeypatch):
    from onnx import helper, numpy_helper

    monkeypatch.setattr("models.onnx_session.TRIAL_SECONDS", 0.5)
    numbers = [numpy_helper.from_array(np.array(2**62), "n"), numpy_helper.from_array(np.array(True), "t")]
    loop = helper.make_node("Loop", ["n", "t", "before"], ["output"], body=loop_body())
    with pytest.raises(InputError, match="may never end"):
        load_model(ended_by(tmp_path / "a.onnx", [loop], numbers), options())


def test_a_loop_without_end_for_some_pictures_only(tmp_path, monkeypatch):
    """The black picture of the trial is done at once."""
    import onnx
    from onnx import helper, numpy_helper

    file = weights.onnx_file(tmp_path / "b.onnx")
    image = onnx.load(file).graph.input[0].name
    facts = {"n": 2**62, "once": 1, "t": True, "zero": np.float32(0)}
    nodes = [
        helper.make_node("ReduceMax", [image], ["brightest"], keepdims=0),
        helper.make_node("Greater", ["brightest", "zero"], ["bright"]),
        helper.make_node("Where", ["bright", "n", "once"], ["turns"]),
        helper.make_node("Loop", ["turns", "t", "before"], ["output"], body=loop_body()),
    ]
    numbers = [numpy_helper.from_array(np.array(value), name) for name, value in facts.items()]
    adapter = load_model(ended_by(tmp_path / "a.onnx", nodes, numbers), options())
    black, white = (np.full((32, 32, 3), value, np.uint8) for value in (0, 255))
    adapter.predict([black])
    monkeypatch.setattr("models.onnx_session.RUN_SECONDS", 1.0)
    monkeypatch.setattr("models.onnx_session.TIMES_TRIAL", 0)
    with pytest.raises(InputError, match=r"a\.onnx was stopped after 1 s of one batch: it may never end"):
        adapter.predict([white])
    adapter.predict([black])  # and is of use again
