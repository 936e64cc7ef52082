"""ONNX files: layout, size, classes and the meaning of the outputs come from the file."""

from __future__ import annotations

import os

import numpy as np
import pytest

from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import load_model
from tests.models import weights


def options(**settings: str) -> LoadOptions:
    return LoadOptions(device="cpu", settings=settings)


def scores(adapter, pictures=None):
    return np.stack([p.scores for p in adapter.predict(pictures or weights.pictures())])


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_logits_and_probabilities_are_told_apart_by_the_graph(tmp_path):
    plain = load_model(weights.onnx_file(tmp_path / "a.onnx"), options())
    ended = load_model(weights.onnx_file(tmp_path / "b.onnx", ending="Softmax"), options())
    logged = load_model(weights.onnx_file(tmp_path / "c.onnx", ending="LogSoftmax"), options())
    several = load_model(weights.onnx_file(tmp_path / "d.onnx", ending="Sigmoid"), options())
    assert [a.activation for a in (plain, ended, logged, several)] == ["softmax", "none", "exp", "none"]
    np.testing.assert_allclose(scores(plain), scores(ended), atol=1e-6)
    np.testing.assert_allclose(scores(plain), scores(logged), atol=1e-6)
    assert [a.predict(weights.pictures())[0].multilabel for a in (plain, ended, several)] == [False, False, True]


def test_logits_that_look_like_probabilities_still_get_a_softmax(tmp_path):
    adapter = load_model(weights.onnx_file(tmp_path / "a.onnx", scale=1e-6), options())
    assert adapter.activation == "softmax"
    np.testing.assert_allclose(scores(adapter).sum(1), 1, atol=1e-6)


def test_the_setting_overrules(tmp_path):
    path = weights.onnx_file(tmp_path / "a.onnx")
    assert load_model(path, options(activation="sigmoid")).predict(weights.pictures())[0].multilabel
    with pytest.raises(InputError, match="not probabilities: load it with --set activation=softmax"):
        load_model(path, options(activation="none")).predict(weights.pictures())


def test_values_against_numpy(tmp_path):
    import onnx
    from onnx import numpy_helper

    path = weights.onnx_file(tmp_path / "a.onnx")
    w, b = (numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer)
    adapter = load_model(path, options(mean="0.5", std="0.25"))
    pixels = np.stack([adapter.preprocess(p) for p in weights.pictures()]) / 255
    expected = softmax(((pixels - 0.5) / 0.25).mean((1, 2)) @ w + b)
    np.testing.assert_allclose(scores(adapter), expected, atol=1e-5)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("batch", ["n", 1, 2, 4])
@pytest.mark.parametrize("size", ["s", 32])
def test_layouts_batches_and_sizes(tmp_path, channels_last, batch, size):
    reference = load_model(weights.onnx_file(tmp_path / "a.onnx"), options())
    path = weights.onnx_file(tmp_path / "b.onnx", channels_last=channels_last, batch=batch, size=size)
    adapter = load_model(path, options() if size == 32 else options(input_size="32"))
    np.testing.assert_allclose(scores(adapter), scores(reference), atol=1e-5)


def test_a_free_size_is_224(tmp_path):
    assert load_model(weights.onnx_file(tmp_path / "a.onnx", size="s"), options()).spec.input_size == (224, 224)
    with pytest.raises(InputError, match="not what the file takes"):
        load_model(weights.onnx_file(tmp_path / "b.onnx"), options(input_size="64"))


def test_ultralytics_metadata(tmp_path):
    facts = {"author": "Ultralytics", "task": "classify", "stride": "1", "names": "{0: 'a', 1: 'b', 2: 'c', 3: 'd'}"}
    path = weights.onnx_file(tmp_path / "a.onnx", ending="Softmax", metadata={**facts, "imgsz": "[32, 32]"}, size="s")
    adapter = load_model(path, options())
    assert adapter.spec.class_names == ("a", "b", "c", "d")
    assert adapter.spec.input_size == (32, 32)
    assert "resize 32 bilinear" in adapter.spec.preprocessing
    assert "mean (0.0, 0.0, 0.0), std (1.0, 1.0, 1.0)" in adapter.spec.preprocessing
    with pytest.raises(InputError, match="model for pose, which can not be used"):
        load_model(weights.onnx_file(tmp_path / "b.onnx", metadata={**facts, "task": "pose"}), options())


def test_names_from_a_sidecar(tmp_path):
    path = weights.onnx_file(tmp_path / "a.onnx")
    assert load_model(path, options()).spec.class_names == ("0", "1", "2", "3")
    (tmp_path / "a.onnx.classes.txt").write_text("\n".join(weights.NAMES))
    assert load_model(path, options()).spec.class_names == weights.NAMES


@pytest.mark.parametrize(
    "names", ["{0: 'a', 2: 'b'}", "{[]: 1}", "{1e999: 1}", "__import__('os').mkdir('x')", "[" * 5000, "{0: open}"]
)
def test_odd_names_are_passed_over(tmp_path, names):
    path = weights.onnx_file(tmp_path / "a.onnx", metadata={"names": names})
    assert load_model(path, options()).spec.class_names == ("0", "1", "2", "3")


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders there")
def test_names_from_what_never_ends_are_refused(tmp_path):
    file = weights.onnx_file(tmp_path / "a.onnx")
    os.mkfifo(tmp_path / "names.txt")
    for names, words in ((tmp_path / "names.txt", "no ordinary file"), ("~nobody-here/x.txt", "cannot be read as")):
        with pytest.raises(InputError, match=words):
            load_model(file, options(classes=str(names)))
