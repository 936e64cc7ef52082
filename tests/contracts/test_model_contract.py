"""One body, every registered model family: what an adapter promises to the evaluation loop."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dashboard.errors import InputError
from dashboard.types import Classification
from models import MODELS
from models.base import LoadOptions
from models.load import family, load_model
from tests.models import weights

# Family -> (how to make a model of it from a seed or a number, classes). A new family adds a line.
CASES = {
    "demo-digits": (lambda home, seed: ("digits_linear", "digits_cnn")[seed], 10),
    "efficientnet-lite": (lambda home, seed: f"efficientnet_lite{seed}", 1000),
    "timm": (lambda home, seed: weights.timm_in_cache(home / "hub-cache", seed), 1000),
    "torchvision": (lambda home, seed: weights.torchvision_in_cache(home / "torch", seed), 1000),
    "ultralytics": (lambda home, seed: weights.ultralytics_pt(home / f"{seed}.pt", seed), 4),
    "onnx": (lambda home, seed: weights.onnx_file(home / f"{seed}.onnx", seed), 4),
    "state-dict": (lambda home, seed: weights.state_dict_file(home / f"{seed}.safetensors", seed), 4),
}


@pytest.fixture(params=MODELS.names(), scope="module")
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def make(name, tmp_path_factory):
    home = tmp_path_factory.mktemp(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(home / "hub-cache"))
        patch.setenv("TORCH_HOME", str(home / "torch"))
        yield functools.cache(lambda seed: CASES[name][0](home, seed))


@pytest.fixture(scope="module")
def adapter(make):
    return load_model(make(0), LoadOptions(device="cpu"))


def test_every_family_has_a_case():
    assert set(CASES) == set(MODELS.names())


def test_listed_specs_are_filled(name):
    for spec in family(name).specs():
        assert spec.family == name
        assert spec.task == MODELS.facts(name)["task"]
        assert spec.source
        assert spec.weights.location
        assert spec.preprocessing
        assert not spec.class_ids or len(spec.class_ids) == len(spec.class_names)
        assert isinstance(family(name).is_here(spec), bool)


def test_spec_is_complete_once_loaded(name, adapter):
    classes = CASES[name][1]
    assert len(adapter.spec.class_names) == len(set(adapter.spec.class_names)) == classes
    assert len(adapter.spec.class_ids) in (0, classes)
    assert adapter.spec.input_size
    assert adapter.spec.preprocessing
    assert adapter.spec.weights.size_bytes
    assert adapter.device == "cpu"
    assert adapter.notes["threads"] >= 1


def test_one_and_three_pictures(name, adapter):
    pictures = weights.pictures()
    together = adapter.predict(pictures)
    alone = [adapter.predict([picture])[0] for picture in pictures]
    assert len(together) == 3
    for batched, single in zip(together, alone, strict=True):
        assert isinstance(batched, Classification)
        assert batched.scores.shape == (CASES[name][1],)
        assert batched.multilabel or abs(float(batched.scores.sum()) - 1) < 1e-4
        np.testing.assert_allclose(batched.scores, single.scores, atol=1e-5)
    assert any(
        np.abs(together[0].scores - other.scores).max() > 1e-6 for other in together[1:]
    )  # it looks at the picture


def test_pictures_are_not_changed_and_read_only_ones_are_fine(adapter):
    picture = weights.pictures()[0]
    before = picture.copy()
    picture.setflags(write=False)
    adapter.predict([picture])
    np.testing.assert_array_equal(picture, before)


def test_wrong_pictures_are_named(adapter):
    for wrong in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(ValueError, match="image must be"):
            adapter.preprocess(wrong)


def test_preprocess_from_many_threads(adapter):
    pictures = weights.pictures() * 8
    alone = [np.asarray(adapter.preprocess(picture)) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(adapter.preprocess, pictures))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))


def test_fingerprint(make, adapter):
    again = load_model(make(0), LoadOptions(device="cpu"))
    assert again.fingerprint == adapter.fingerprint
    first, second = (a.predict(weights.pictures()[:1])[0].scores for a in (adapter, again))
    np.testing.assert_allclose(first, second, atol=1e-6)
    other = load_model(make(1), LoadOptions(device="cpu"))
    assert other.fingerprint != adapter.fingerprint


def test_the_way_of_loading_is_in_the_fingerprint(name, make, adapter):
    sigmoid = load_model(make(0), LoadOptions(device="cpu", settings={"activation": "sigmoid"}))
    assert sigmoid.fingerprint != adapter.fingerprint
    assert all(p.multilabel for p in sigmoid.predict(weights.pictures()))
    if name != "onnx":  # its precision is the file's
        assert load_model(make(0), LoadOptions(device="cpu", fuse=False)).fingerprint != adapter.fingerprint


def test_settings_it_does_not_know_are_refused(name, make):
    assert "activation" in family(name).settings
    with pytest.raises(InputError, match=r"no setting called 'activatoin'\. Did you mean 'activation'"):
        load_model(make(0), LoadOptions(device="cpu", settings={"activatoin": "sigmoid"}))


def test_a_strip_of_a_picture(adapter):
    """256 x 5,120,000 pixels if it were resized whole."""
    strip = np.random.default_rng(0).integers(0, 256, (20_000, 1, 3), np.uint8)
    item = np.asarray(adapter.preprocess(strip))
    assert item.shape == np.asarray(adapter.preprocess(weights.pictures()[0])).shape


def test_closing_ends_it(make):
    adapter = load_model(make(0), LoadOptions(device="cpu"))
    items = [adapter.preprocess(weights.pictures()[0])]
    adapter.close()
    with pytest.raises(ValueError, match="closed"):
        adapter.forward(items)


def test_files_are_recognised_whatever_their_name(name, make, tmp_path):
    made = make(0)
    if not isinstance(made, Path):
        pytest.skip("loaded by name")
    expected = load_model(made, LoadOptions(device="cpu"))
    renamed = tmp_path / "something.dat"
    renamed.write_bytes(made.read_bytes())
    found = load_model(str(renamed), LoadOptions(device="cpu"))
    assert found.spec.family == name
    picture = weights.pictures()[:1]
    np.testing.assert_allclose(found.predict(picture)[0].scores, expected.predict(picture)[0].scores, atol=1e-6)
