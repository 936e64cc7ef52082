"""YOLO exports beside the torch networks they were made from."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard import masks
from dashboard.errors import InputError
from models.base import LoadOptions
from models.load import load_model
from tests.models import detectors, weights

EXPORTS = {  # name: (architecture, how it is exported, how the torch network is run to say the same)
    "raw": ("yolo11n.yaml", {}, {}),
    "dynamic": ("yolo11n.yaml", {"dynamic": True}, {}),
    "nms in the graph": ("yolo11n.yaml", {"nms": True, "iou": 0.6, "conf": 0.05}, {"multi_label": "false"}),
    "end to end": ("yolo26n.yaml", {"nms": False}, {"nms": "false"}),
    "masks": ("yolo11n-seg.yaml", {}, {}),
    "masks, nms in the graph": ("yolo11n-seg.yaml", {"nms": True, "iou": 0.6, "conf": 0.05}, {"multi_label": "false"}),
    "masks, end to end": ("yolo26n-seg.yaml", {"nms": False}, {"nms": "false"}),
}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of torch's tracer
SAME = {"conf": "0.2", "iou": "0.6", "max_det": "20"}


def options(**settings):
    return LoadOptions(device="cpu", settings=settings)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    made = {}

    def get(name):
        if name not in made:
            yaml, how, _ = EXPORTS[name]
            made[name] = detectors.onnx_export(tmp_path_factory.mktemp("export"), yaml, **how)
        return made[name]

    return get


def close(ours, theirs):
    """The same boxes; neighbours in score may change places."""
    assert len(theirs) >= 5
    assert abs(len(ours) - len(theirs)) <= 1
    apart = np.abs(ours.xyxy[:, None] - theirs.xyxy[None]).max(-1)
    apart += 100 * np.abs(ours.scores[:, None] - theirs.scores[None])  # boxes cut off at the edges may be equal
    apart[ours.class_ids[:, None] != theirs.class_ids[None]] = np.inf
    nearest = apart.argmin(1)
    same = apart.min(1) < 0.5
    assert same.mean() > 0.9
    return np.flatnonzero(same), nearest[same]


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_says_what_the_network_says(name, exported):
    yaml, _, settings = EXPORTS[name]
    ours = load_model(exported(name), options(**SAME))
    checkpoint = exported(name).with_suffix(".pt")
    theirs = load_model(checkpoint, options(**SAME, **settings))
    assert ours.spec.class_names == theirs.spec.class_names == detectors.NAMES
    assert ours.spec.task == theirs.spec.task == ("instance-segmentation" if "seg" in yaml else "detection")
    assert ours.spec.input_size == (192, 192)
    assert ours.notes["class names"] == "the file's metadata"
    found = ours.predict(detectors.photos())
    for one, other in zip(found, theirs.predict(detectors.photos()), strict=True):
        here, there = close(one, other)
        assert (one.masks is None) == (other.masks is None)
        if one.masks is None:
            continue
        first = masks.decode([one.masks[i] for i in here], one.size)
        second = masks.decode([other.masks[i] for i in there], one.size)
        assert (first != second).mean() < 0.02 * max(second.mean(), 0.05)
    for photo, together in zip(detectors.photos(), found, strict=True):
        alone = ours.predict([photo])[0]
        np.testing.assert_allclose(together.xyxy, alone.xyxy, atol=0.5)


def test_rt_detr(tmp_path):
    path = detectors.onnx_export(tmp_path, "rtdetr-l.yaml")
    ours = load_model(path, options(max_det="30"))
    theirs = load_model(path.with_suffix(".pt"), options(max_det="30"))
    assert "stretch" in ours.spec.preprocessing
    for one, other in zip(ours.predict(detectors.photos()), theirs.predict(detectors.photos()), strict=True):
        close(one, other)


def test_a_size_of_its_own(exported):
    adapter = load_model(exported("dynamic"), options(input_size="128x160"))
    assert adapter.spec.input_size == (128, 160)
    assert len(adapter.predict(detectors.photos())) == 2
    with pytest.raises(InputError, match=r"input_size=64x64 is not what the file takes"):
        load_model(exported("raw"), options(input_size="64"))
    with pytest.raises(InputError, match="does not take 100x100 pictures"):
        load_model(exported("dynamic"), options(input_size="100"))


def test_settings_are_those_of_the_kind(exported):
    for key in ("activation", "mean", "crop_pct"):
        with pytest.raises(InputError, match=f"has no setting called '{key}'"):
            load_model(exported("raw"), options(**{key: "1"}))
    with pytest.raises(InputError, match="conf must be"):
        load_model(exported("raw"), options(conf="7"))


def table(path, outputs, metadata=None, size=32):
    """An ONNX file whose outputs are the picture's mean times constant tables: [(name, array of one picture), ...]."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node("ReduceMax", ["images"], ["peak"], keepdims=1, axes=[1, 2, 3])]
    nodes.append(helper.make_node("Div", ["peak", "peak"], ["one4"]))
    made, constants = [], [numpy_helper.from_array(np.array([1, 2]), "last two")]
    nodes.append(helper.make_node("Flatten", ["one4"], ["one2"], axis=1))
    nodes.append(helper.make_node("Unsqueeze", ["one2", "axis"], ["one3"]))
    constants.append(numpy_helper.from_array(np.array([2]), "axis"))
    for name, array in outputs:
        constants.append(numpy_helper.from_array(array[None].astype(np.float32), f"{name} c"))
        nodes.append(helper.make_node("Mul", [f"{name} c", {2: "one3", 3: "one4"}[array.ndim]], [name]))
        made.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", *array.shape]))
    given = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["b", 3, size, size])]
    graph = helper.make_graph(nodes, "g", given, made, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def rows(*boxes, length=10):
    return np.array([*boxes, *[[0.0] * len(boxes[0])] * (length - len(boxes))])


def test_boxes_by_hand(tmp_path):
    """A 64x32 picture is halved to 32x16 and lies 8 rows down in 32x32."""
    made = rows([4, 12, 20, 20, 0.9, 1], [0, 0, 32, 32, 0.4, 0], [0, 0, 1, 1, 0.0005, 0])
    path = table(tmp_path / "a.onnx", [("output0", made)], {"names": "['a', 'b']"})
    found = load_model(path, options()).predict([np.full((32, 64, 3), 9, np.uint8)] * 3)
    assert len(found) == 3
    for one in found:
        np.testing.assert_allclose(one.xyxy, [[8, 8, 40, 24], [0, 0, 64, 32]])
        np.testing.assert_allclose(one.scores, [0.9, 0.4], atol=1e-6)
        np.testing.assert_array_equal(one.class_ids, [1, 0])


def test_masks_by_hand(tmp_path):
    """One prototype that is positive in its left half; the box cuts it to rows 8..24."""
    prototypes = np.where(np.arange(8) < 4, 1.0, -1.0) * np.ones((1, 8, 8))
    made = rows([0, 8, 32, 24, 0.9, 0, 5], [0, 8, 32, 24, 0.8, 0, -5])
    path = table(tmp_path / "a.onnx", [("output0", made), ("output1", prototypes)], {"names": "['a']"})
    found = load_model(path, options()).predict([np.full((32, 32, 3), 9, np.uint8)])[0]
    first, second = masks.decode(found.masks, found.size)
    expected = np.zeros((32, 32), bool)
    expected[8:24, :16] = True
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(second[8:24], ~expected[8:24])


@pytest.mark.parametrize(
    ("outputs", "metadata", "words"),
    [
        ([("o", np.ones((10, 6)))], {}, "does not say what its classes are: give their names with --set classes="),
        ([("o", rows([0, 0, 9, 9, 0.9, 3]))], {"names": "['a']"}, "gives class 3, but has 1 class names"),
        ([("o", rows([0, 0, 9, 9, 0.9, -1]))], {"names": "['a']"}, "gives class -1|gives class 0"),
        ([("o", rows([0, 0, 9, 9, 7.0, 0]))], {"names": "['a']"}, "scores of 7..7, which are not in 0..1"),
        ([("o", rows([0, np.nan, 9, 9, 0.5, 0]))], {"names": "['a']"}, "not numbers"),
        ([("o", np.ones((25200, 85)))], {}, r"gives \(25200, 85\) a picture"),
        ([("o", np.ones((3, 100)))], {}, r"gives \(3, 100\) a picture"),
        ([("o", np.zeros((7, 100)))], {"names": "['a']"}, "3 classes but 1 class names"),
        ([("logits", np.ones((300, 80))), ("boxes", np.ones((300, 4)))], {}, r"gives \(300, 80\), \(300, 4\)"),
        ([("o", np.zeros((7, 100)))], {"names": "__import__('os').system('touch x')"}, None),
    ],
)
def test_files_of_other_kinds_get_one_sentence(tmp_path, monkeypatch, outputs, metadata, words):
    monkeypatch.chdir(tmp_path)
    path = table(tmp_path / "a.onnx", outputs, metadata)
    picture = np.full((32, 32, 3), 9, np.uint8)
    if words is None:
        adapter = load_model(path, options())
        assert adapter.spec.class_names == ("0", "1", "2")
        assert not (tmp_path / "x").exists()
        return
    with pytest.raises(InputError, match=words) as error:
        load_model(path, options()).predict([picture])
    assert "a.onnx" in str(error.value)
    assert "\n" not in str(error.value)


def test_eighty_classes_without_names_are_cocos(tmp_path):
    from models import coco

    adapter = load_model(table(tmp_path / "a.onnx", [("o", np.zeros((84, 100)))]), options())
    assert adapter.spec.class_names == coco.NAMES
    assert "assumed" in adapter.notes["class names"]


def test_a_classifier_stays_one(tmp_path):
    adapter = load_model(weights.onnx_file(tmp_path / "a.onnx"), options())
    assert adapter.spec.task == "classification"
