"""Semantic segmenters as ONNX files, made on the spot: scores, probabilities, class numbers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from dashboard.errors import InputError
from models import voc
from models.base import LoadOptions
from models.load import load_model
from models.onnx_segment import OnnxSegmenter
from models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from tests.models import detectors, segmenters, weights

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of torch's tracer
NAMES = segmenters.NAMES


def load(path, **settings):
    return load_model(path, LoadOptions(device="cpu", settings={key: str(value) for key, value in settings.items()}))


def raw(path, pixels, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """What onnxruntime gives for an input that is ready, (h, w, 3) uint8."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batch = (pixels.astype(np.float32) / 255 - np.array(mean, np.float32)) / np.array(std, np.float32)
    return session.run(None, {"input": batch.transpose(2, 0, 1)[None]})[0][0]


def grown(scores, size):
    return interpolate(torch.from_numpy(scores)[None], size, mode="bilinear")[0]


def test_logits(tmp_path):
    path = segmenters.onnx_file(tmp_path / "a.onnx")
    made = load(path)
    assert isinstance(made, OnnxSegmenter)
    assert made.spec.task == "semantic-segmentation"
    assert made.spec.class_names == NAMES
    assert made.spec.input_size == (64, 64)
    assert made.notes["outputs"] == "logits at the end of the graph, taken as softmax"
    assert made.notes["preprocessing"] == "assumed, ImageNet's custom"
    picture = segmenters.picture(64, 64)
    found = made.predict([picture])[0]
    expected = grown(raw(path, picture), (64, 64))
    np.testing.assert_allclose(found.probabilities.rows(0, 64), expected.softmax(0), atol=1e-5)
    assert (found.class_ids == expected.argmax(0).numpy()).mean() > 0.999
    assert len(np.unique(found.class_ids)) >= 3


def test_pictures_of_other_sizes_fill_a_fixed_input(tmp_path):
    made = load(segmenters.onnx_file(tmp_path / "a.onnx"))
    pictures = [segmenters.picture(*size) for size in ((90, 130), (20, 9), (64, 64))]
    for picture, together in zip(pictures, made.predict(pictures), strict=True):
        assert together.size == picture.shape[:2]
        assert (together.class_ids == made.predict([picture])[0].class_ids).all()
    assert made.spec.preprocessing.startswith("stretch to 64x64")


def test_free_inputs_take_the_picture_as_it_is(tmp_path):
    path = segmenters.onnx_file(tmp_path / "a.onnx", size="side")
    made = load(path, mean="0", std="1")
    picture = segmenters.picture(96, 130)
    padded = np.pad(picture, ((0, 0), (0, 30), (0, 0)), mode="edge")
    expected = grown(raw(path, padded, (0, 0, 0), (1, 1, 1)), (96, 160))[:, :, :130]
    found = made.predict([picture])[0]
    np.testing.assert_allclose(found.probabilities.rows(0, 96), expected.softmax(0), atol=1e-5)
    assert load(path, input_size=64).preprocess(picture).pixels.shape == (64, 96, 3)
    pictures = [picture, segmenters.picture(40, 40), picture]
    assert [one.size for one in made.predict(pictures)] == [(96, 130), (40, 40), (96, 130)]


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("Softmax", "softmax at the end of the graph, taken as none"),
        ("LogSoftmax", "log_softmax at the end of the graph, taken as softmax"),
    ],
)
def test_probabilities_from_the_graph(tmp_path, ending, said):
    picture = segmenters.picture(64, 64)
    logits = load(segmenters.onnx_file(tmp_path / "a.onnx", grown=True)).predict([picture])[0]
    made = load(segmenters.onnx_file(tmp_path / "b.onnx", grown=True, ending=ending))
    assert made.notes["outputs"] == said
    found = made.predict([picture])[0]
    np.testing.assert_allclose(found.probabilities.rows(0, 64), logits.probabilities.rows(0, 64), atol=1e-5)
    np.testing.assert_array_equal(found.class_ids, logits.class_ids)


def test_outputs_that_stand_for_themselves(tmp_path):
    picture = segmenters.picture(64, 64)
    path = segmenters.onnx_file(tmp_path / "a.onnx", grown=True)
    score, best = torch.from_numpy(raw(path, picture)).sigmoid().max(0)
    expected = torch.where(score > 0.5, best + 1, 0).numpy()
    ended = load(segmenters.onnx_file(tmp_path / "b.onnx", grown=True, ending="Sigmoid"))
    for made in (ended, load(path, activation="sigmoid")):
        assert made.spec.class_names == ("background", *NAMES)
        found = made.predict([picture])[0]
        assert (found.class_ids == expected).mean() > 0.999
        np.testing.assert_allclose(found.probabilities.rows(0, 64).sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("ending", [None, "Sigmoid"])
def test_one_output_is_an_object_and_the_background(tmp_path, ending):
    path = segmenters.onnx_file(tmp_path / "a.onnx", classes=1, grown=True, ending=ending)
    made = load(path)
    assert made.spec.class_names == ("background", "road")
    picture = segmenters.picture(64, 64)
    said = raw(path, picture)[0]
    expected = said if ending else 1 / (1 + np.exp(-said))
    found = made.predict([picture])[0]
    np.testing.assert_allclose(found.probabilities.rows(0, 64)[1], expected, atol=1e-5)
    np.testing.assert_array_equal(found.class_ids, expected > 0.5)


@pytest.mark.parametrize("chosen", ["uint8", "int64"])
def test_class_numbers(tmp_path, chosen):
    path = segmenters.onnx_file(tmp_path / "a.onnx", chosen=chosen, grown=True)
    made = load(path)
    picture = segmenters.picture(64, 64)
    found = made.predict([picture])[0]
    assert found.probabilities is None
    assert found.class_ids.dtype == np.uint8
    said = raw(path, picture)
    np.testing.assert_array_equal(found.class_ids, said[0] if chosen == "int64" else said)
    larger = made.predict([np.kron(picture, np.ones((2, 2, 1), np.uint8))])[0]
    assert larger.size == (128, 128)
    np.testing.assert_array_equal(larger.class_ids[::2, ::2], larger.class_ids[1::2, 1::2])


def test_class_numbers_need_names(tmp_path):
    path = segmenters.onnx_file(tmp_path / "a.onnx", chosen="uint8", metadata={})
    with pytest.raises(InputError, match="does not say what its classes are: give their names with --set classes"):
        load(path)
    names = tmp_path / "names.txt"
    names.write_text("road\nsky\n")
    few = load(path, classes=names)
    with pytest.raises(InputError, match=r"gives class [234], but has 2 class names"):
        few.predict([segmenters.picture(64, 64)])


def test_names_that_are_not_given(tmp_path):
    assert load(segmenters.onnx_file(tmp_path / "a.onnx", metadata={})).spec.class_names == ("0", "1", "2", "3", "4")
    made = load(segmenters.onnx_file(tmp_path / "b.onnx", classes=21, metadata={}))
    assert made.spec.class_names == voc.NAMES
    assert made.notes["class names"] == "assumed to be VOC's (21 outputs)"
    names = tmp_path / "names.txt"
    names.write_text("road\nsky\n")
    with pytest.raises(InputError, match=r"a\.onnx has 5 classes, but 2 class names were given"):
        load(tmp_path / "a.onnx", classes=names)


def test_what_ultralytics_exports(tmp_path):
    path = segmenters.onnx_export(tmp_path)
    made = load(path)
    assert made.spec.class_names == NAMES
    assert made.spec.source == "a file, exported by Ultralytics"
    assert made.notes["outputs"] == "class numbers"
    from ultralytics import YOLO

    for photo in detectors.photos():
        theirs = YOLO(path, task="semantic").predict(photo[:, :, ::-1].copy(), imgsz=192, verbose=False, device="cpu")
        expected = theirs[0].semantic_mask.data.numpy().reshape(photo.shape[:2])
        found = made.predict([photo])[0].class_ids
        assert len(np.unique(expected)) >= 3
        assert (found == expected).mean() > 0.999


def test_classifiers_with_leftover_axes_stay_classifiers(tmp_path):
    assert load(weights.onnx_file(tmp_path / "c.onnx")).spec.task == "classification"
    path = segmenters.onnx_file(tmp_path / "d.onnx", size=8, output=["batch", 5, 1, 1])
    assert load(path).spec.task == "classification"


def test_settings(tmp_path):
    path = segmenters.onnx_file(tmp_path / "a.onnx")
    assert load(path, input_size=64).spec.input_size == (64, 64)
    with pytest.raises(InputError, match="input_size=96 is not what the file takes: 64x64"):
        load(path, input_size=96)
    with pytest.raises(InputError, match="input_size=native is not what the file takes: 64x64"):
        load(path, input_size="native")
    with pytest.raises(InputError, match="no setting called 'conf'"):
        load(path, conf="0.5")
    assert load(path, mean="0").fingerprint != load(path).fingerprint == load(path).fingerprint
    assert load(path, activation="sigmoid").fingerprint != load(path).fingerprint
    with pytest.raises(InputError, match=r"not probabilities: load it with --set activation=softmax"):
        load(path, activation="none").predict([segmenters.picture(64, 64)])


def test_closing_ends_it(tmp_path):
    made = load(segmenters.onnx_file(tmp_path / "a.onnx"))
    made.close()
    with pytest.raises(ValueError, match="closed"):
        made.predict([segmenters.picture(64, 64)])
