"""torchvision's segmenters: beside torchvision's own code, by name, and as a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from dashboard.errors import InputError
from models import torchvision_segment, voc
from models.base import LoadOptions, ModelSpec, Weights
from models.load import find_spec, list_specs, load_model
from tests.models import segmenters

SPEC = ModelSpec("net", "semantic-segmentation", "torchvision-segmentation", "a test", Weights("file", "net.pth", 1))


def options(**chosen):
    fuse = chosen.pop("fuse", True)
    return LoadOptions(device="cpu", fuse=fuse, settings={key: str(value) for key, value in chosen.items()})


def adapter(name, seed=0, **chosen):
    return torchvision_segment.adapter(segmenters.torchvision_net(name, seed), name, SPEC, options(**chosen))


def of_torchvision(name, picture, side, interpolated=True):
    """torchvision's own preset and forward, then the way to the picture's size; (21, H, W) logits."""
    import torchvision
    from torchvision.transforms.functional import to_pil_image

    net = segmenters.torchvision_net(name)
    preset = torchvision.models.get_model_weights(name).DEFAULT.transforms(resize_size=side)
    with torch.inference_mode():
        out = net(preset(to_pil_image(picture))[None])["out"]
        return interpolate(out, picture.shape[:2], mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize("name", ["deeplabv3_mobilenet_v3_large", "fcn_resnet50", "lraspp_mobilenet_v3_large"])
def test_it_is_what_torchvision_says(name):
    picture = segmenters.picture(90, 110)
    expected = of_torchvision(name, picture, 64)
    found = adapter(name, input_size=64).predict([picture])[0]
    assert found.class_ids.shape == (90, 110)
    assert found.class_ids.dtype == np.uint8
    assert len(np.unique(found.class_ids)) > 2
    np.testing.assert_allclose(
        found.probabilities.rows(0, 90), expected.softmax(0), atol=2e-3
    )  # folding moves digits, and these networks blow them up
    assert (found.class_ids == expected.argmax(0).numpy()).mean() > 0.999


def test_without_folding_it_is_the_same_up_to_rounding():
    name, picture = "lraspp_mobilenet_v3_large", segmenters.picture(96, 130)
    found = adapter(name, fuse=False, input_size=96).predict([picture])[0]
    expected = of_torchvision(name, picture, 96)
    np.testing.assert_allclose(found.probabilities.rows(0, 96), expected.softmax(0), atol=1e-3)
    assert (found.class_ids == expected.argmax(0).numpy()).mean() > 0.9999


@pytest.mark.parametrize("name", ["deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_a_batch_is_its_pictures(name):
    made = adapter(name, input_size=64)
    assert made.notes["batch norms folded"] > 10
    pictures = [segmenters.picture(*size, seed) for seed, size in enumerate([(70, 90), (90, 70), (70, 90)])]
    for picture, batched in zip(pictures, made.predict(pictures), strict=True):
        single = made.predict([picture])[0]
        height = picture.shape[0]
        assert batched.size == picture.shape[:2]
        np.testing.assert_allclose(
            batched.probabilities.rows(0, height), single.probabilities.rows(0, height), atol=1e-3
        )


def test_the_published_facts():
    specs = list_specs("semantic-segmentation", "torchvision-segmentation")
    assert tuple(sorted(spec.name.removeprefix("torchvision/") for spec in specs)) == segmenters.TORCHVISION
    spec = find_spec("torchvision/deeplabv3_resnet50.COCO_WITH_VOC_LABELS_V1")
    assert spec is find_spec("deeplabv3_resnet50")
    assert spec.class_names == voc.NAMES
    assert spec.class_names[0] == "background"
    assert (spec.license, spec.weights.size_bytes) == ("BSD-3-Clause", 168312177)
    assert "mIoU 66.4" in spec.source


def test_the_table_is_torchvisions():
    from models import tables

    rows = [{key: str(value) for key, value in row.items()} for row in torchvision_segment.table_rows()]
    assert rows == list(tables.read(torchvision_segment.TABLE))


def test_names_are_vocs():
    import torchvision

    weights = torchvision.models.get_model_weights("fcn_resnet50").DEFAULT
    assert ("background", *weights.meta["categories"][1:]) == voc.NAMES
    assert len(set(voc.NAMES)) == 21


def test_by_name_with_the_auxiliary_classifier_dropped(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = segmenters.torchvision_in_cache(tmp_path, "deeplabv3_mobilenet_v3_large")
    made = load_model(name, options(input_size=64))
    assert made.spec.class_names == voc.NAMES
    assert made.spec.preprocessing.startswith("resize the shorter side to 64 bilinear (Pillow)")
    assert not any("aux" in part for part, _ in made.network.named_modules())
    picture = segmenters.picture(64, 80)
    expected = of_torchvision("deeplabv3_mobilenet_v3_large", picture, 64)
    assert (made.predict([picture])[0].class_ids == expected.argmax(0).numpy()).mean() > 0.999


def test_offline_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"torchvision/fcn_resnet50.*download"):
        load_model("torchvision/fcn_resnet50", options())


def test_a_damaged_download(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = segmenters.torchvision_in_cache(tmp_path, "lraspp_mobilenet_v3_large")
    (path,) = (tmp_path / "hub" / "checkpoints").iterdir()
    tensors = torch.load(path)
    del tensors["classifier.cbr.0.weight"]
    torch.save(tensors, path)
    with pytest.raises(InputError, match=r"cannot be loaded as torchvision/lraspp.*delete it and retry"):
        load_model(name, options())


@pytest.mark.parametrize("name", segmenters.TORCHVISION)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_files_are_recognised_by_their_tensors(name, prefix, tmp_path):
    with torch.device("meta"):
        keys = segmenters_keys(name)
    assert torchvision_segment.recognised(keys) == name
    if prefix and name == "lraspp_mobilenet_v3_large":  # one of them all the way
        net = segmenters.torchvision_net(name, classes=21)
        torch.save({"model": {prefix + key: value for key, value in net.state_dict().items()}}, tmp_path / "a.pth")
        made = load_model(tmp_path / "a.pth", options(input_size=64))
        assert made.spec.class_names == voc.NAMES
        assert made.notes["class names"] == "assumed to be VOC's (21 outputs)"
        assert made.spec.task == "semantic-segmentation"
        picture = segmenters.picture(64, 80)
        expected = adapter(name, input_size=64).predict([picture])[0]
        np.testing.assert_array_equal(made.predict([picture])[0].class_ids, expected.class_ids)


def segmenters_keys(name):
    import torchvision

    more = {} if "lraspp" in name else {"aux_loss": True}
    return set(torchvision.models.get_model(name, weights=None, weights_backbone=None, **more).state_dict())


def test_a_file_of_another_number_of_classes(tmp_path):
    from safetensors.torch import save_file

    net = segmenters.torchvision_net("deeplabv3_mobilenet_v3_large", classes=4)  # its auxiliary classifier is let go
    path = tmp_path / "a.safetensors"
    save_file(net.state_dict(), path)
    made = load_model(path, options(input_size=64))
    assert made.spec.class_names == ("0", "1", "2", "3")
    names = tmp_path / "names.txt"
    names.write_text("sky\nroad\ncar\ntree\n")
    assert load_model(path, options(input_size=64, classes=names)).spec.class_names == ("sky", "road", "car", "tree")
    names.write_text("sky\nroad\n")
    with pytest.raises(InputError, match="has 4 classes, but 2 class names were given"):
        load_model(path, options(input_size=64, classes=names))


def test_other_tensors_are_none_of_them():
    assert torchvision_segment.recognised({"conv1.weight", "fc.weight"}) is None
    assert torchvision_segment.recognised({"backbone.conv1.weight", "classifier.weight"}) is None
    with pytest.raises(InputError, match=r"torchvision has no segmenter called 'fcn_resnet5'.* Did you mean"):
        torchvision_segment.build("fcn_resnet5")


def test_settings_it_does_not_know_are_refused():
    with pytest.raises(InputError, match=r"no setting called 'overlapp'\. Did you mean 'overlap'"):
        load_model("torchvision/fcn_resnet50", options(overlapp=1))
