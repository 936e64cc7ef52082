"""Semantic segmenters with seeded random numbers, small, and spread so that pictures give a range of classes."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import numpy as np

from models.base import ModelSpec, Weights
from models.detection import LetterBox

SPEC = ModelSpec("tiny", "semantic-segmentation", "a-test", "a test", Weights("file", "tiny.pt", 1))
TORCHVISION = (  # all there are, in order
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet101",
    "deeplabv3_resnet50",
    "fcn_resnet101",
    "fcn_resnet50",
    "lraspp_mobilenet_v3_large",
)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Coloured blobs a few pixels wide."""
    import cv2

    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def conv_net(classes: int = 5, seed: int = 0, stride: int = 8):
    """Fully convolutional, with batch norms: (B, 3, H, W) to (B, classes, H / 8, W / 8); 15 pixels seen each way."""
    import torch
    from torch import nn

    from tests.models.weights import shaken

    torch.manual_seed(seed)
    layers, channels = [], 3
    for _ in range({1: 0, 2: 1, 4: 2, 8: 3}[stride]):
        layers += [nn.Conv2d(channels, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        channels = 16
    last = nn.Conv2d(channels, classes, 3, 1, 1)
    nn.init.normal_(last.weight, 0, 2 * channels**-0.5)
    return shaken(nn.Sequential(*layers, last)) if layers else last.eval()


def torchvision_net(name: str, seed: int = 0, classes: int = 21):
    """An untrained torchvision segmenter as its own loader makes it, auxiliary classifier included."""
    return copy.deepcopy(_torchvision_net(name, seed, classes))


@functools.cache
def _torchvision_net(name: str, seed: int, classes: int):
    import torch
    import torchvision
    from torch import nn

    torch.manual_seed(seed)
    more = {} if "lraspp" in name else {"aux_loss": True}
    net = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=classes, **more)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain average
            nn.init.uniform_(module.weight, 0.3, 0.7)
    pictures = np.stack([picture(64, 64, number) for number in range(1, 5)])
    with torch.no_grad():  # statistics of what really flows, or a deep network forgets its input
        batch = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 64 - 2
        net.train()(batch)
        spread = net.eval()(batch[:1, :, :, :48])["out"].std()
        for module in net.modules():
            if isinstance(module, nn.Conv2d) and module.out_channels == classes:
                module.weight.mul_(3 / spread)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    return net.eval()


def torchvision_in_cache(home: Path, name: str, seed: int = 0) -> str:
    """Put weights where torch.hub would; returns the model's name."""
    import torch
    import torchvision

    path = home / "hub" / "checkpoints" / torchvision.models.get_model_weights(name).DEFAULT.url.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(torchvision_net(name, seed).state_dict(), path)
    return f"torchvision/{name}"


NAMES = ("road", "sky", "car", "tree", "sign")


def ultralytics_net(seed: int = 0, classes: int = len(NAMES)):
    """An untrained YOLO26n-sem whose normalisation fits a photo, and whose last layer is spread out."""
    import torch
    from torch import nn

    from models.ultralytics_family import import_ultralytics
    from tests.models.detectors import photos

    tasks = import_ultralytics()
    torch.manual_seed(seed)
    net = tasks.SemanticSegmentationModel("yolo26n-sem.yaml", nc=classes, verbose=False)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        nn.init.uniform_(norm.weight, 0.3, 0.7)
    batch = np.stack([LetterBox((192, 192)).apply(photo).pixels for photo in photos()])
    last = net.model[-1].classifier[-1]
    nn.init.normal_(last.weight, 0, 4 * last.in_channels**-0.5)
    with torch.no_grad():
        inputs = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255
        net.train()(inputs)
        last.bias -= net.eval()(inputs).transpose(0, 1).flatten(1).median(1).values
    for norm in norms:
        norm.momentum = 0.03
    net.names = dict(enumerate(NAMES[:classes]))
    net.task = "semantic"
    net.args = {}
    return net.eval()


def ultralytics_pt(path: Path, seed: int = 0, size: int = 192, classes: int = len(NAMES)) -> Path:
    """A checkpoint as Ultralytics' trainer writes it."""
    import torch

    net = ultralytics_net(seed, classes)
    train_args = {"imgsz": size, "task": "semantic"}
    torch.save({"epoch": -1, "model": net.half(), "ema": None, "train_args": train_args}, path)
    return path


def onnx_file(
    path: Path,
    seed: int = 0,
    *,
    classes: int = len(NAMES),
    ending: str | None = None,
    chosen: str | None = None,
    size: int | str = 64,
    output: list | None = None,
    metadata: dict[str, str] | None = None,
    grown: bool = False,
) -> Path:
    """A convolution with steps of 8 pixels to scores, then perhaps an activation, or ArgMax as ``chosen`` numbers.

    ``grown`` scores are of the input's size.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    nodes = [helper.make_node("Conv", ["input", "w", "b"], ["coarse"], kernel_shape=[8, 8], strides=[8, 8])]
    last, shape, kind = "coarse", ["batch", classes, "h", "w"], TensorProto.FLOAT
    constants = [
        numpy_helper.from_array(rng.normal(0, 0.3, (classes, 3, 8, 8)).astype(np.float32), "w"),
        numpy_helper.from_array(rng.normal(0, 0.1, classes).astype(np.float32), "b"),
    ]
    if grown:
        nodes.append(helper.make_node("Resize", [last, "", "scales"], ["grown"], mode="linear"))
        constants.append(numpy_helper.from_array(np.array([1, 1, 8, 8], np.float32), "scales"))
        last = "grown"
    if ending:
        more = {"axis": 1} if "Softmax" in ending else {}
        nodes.append(helper.make_node(ending, [last], ["activated"], **more))
        last = "activated"
    if chosen:
        kind = {"uint8": TensorProto.UINT8, "int64": TensorProto.INT64}[chosen]
        nodes.append(helper.make_node("ArgMax", [last], ["best"], axis=1, keepdims=int(chosen == "int64")))
        nodes.append(helper.make_node("Cast", ["best"], ["cast"], to=kind))
        last, shape = "cast", ["batch", 1, "h", "w"] if chosen == "int64" else ["batch", "h", "w"]
    nodes.append(helper.make_node("Identity", [last], ["output"]))
    given = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, size, size])]
    wanted = [helper.make_tensor_value_info("output", kind, output or shape)]
    graph = helper.make_graph(nodes, "g", given, wanted, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": str(dict(enumerate(NAMES[:classes])))} if metadata is None else metadata)
    onnx.save(model, path)
    return path


def onnx_export(folder: Path, seed: int = 0, size: int = 192, classes: int = len(NAMES)) -> Path:
    """What ``yolo export format=onnx`` writes for ``ultralytics_net(seed)``: class numbers."""
    from ultralytics import YOLO

    folder.mkdir(parents=True, exist_ok=True)
    model = YOLO(ultralytics_pt(folder / f"{seed}.pt", seed, size, classes))
    return Path(model.export(format="onnx", imgsz=size, device="cpu", simplify=False, verbose=False))


def state_dict_file(path: Path, seed: int = 0) -> Path:
    """torchvision's smallest segmenter with four classes, their names beside it."""
    from safetensors.torch import save_file

    save_file(torchvision_net("lraspp_mobilenet_v3_large", seed, 4).state_dict(), path)
    path.with_name(path.name + ".classes.txt").write_text("\n".join(NAMES[:4]) + "\n")
    return path
