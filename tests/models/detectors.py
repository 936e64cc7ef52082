"""Detectors with seeded random numbers, spread so that real pictures give a range of boxes, classes and scores."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from models.base import ModelSpec, Weights
from models.detection import LetterBox

NAMES = ("person", "bus", "tie", "dog", "kite")
SPEC = ModelSpec("tiny", "detection", "ultralytics", "a test", Weights("file", "tiny.pt", 1))


@cache
def photos() -> tuple[np.ndarray, np.ndarray]:
    """Ultralytics' own two example photos, RGB: 1080x810 and 720x1280."""
    import PIL.Image
    import ultralytics

    folder = Path(ultralytics.__file__).parent / "assets"
    return tuple(np.array(PIL.Image.open(folder / name).convert("RGB")) for name in ("bus.jpg", "zidane.jpg"))


@contextmanager
def _one_thread():
    """Or the numbers would depend on how many there are."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def ultralytics_net(yaml: str, seed: int = 0, classes: int = len(NAMES)):
    """An untrained network whose normalisation fits a photo, and whose last layers are spread out."""
    import torch
    from torch import nn

    from models.ultralytics_family import import_ultralytics

    tasks = import_ultralytics()
    torch.manual_seed(seed)
    kind = tasks.SegmentationModel if "-seg" in yaml else tasks.DetectionModel
    kind = tasks.RTDETRDetectionModel if "rtdetr" in yaml else kind
    net = kind(yaml, nc=classes, verbose=False)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        nn.init.uniform_(norm.weight, 0.3, 0.7)
    batch = np.stack([LetterBox((192, 192)).apply(photo).pixels for photo in photos()])
    with _one_thread(), torch.no_grad():
        net.eval()
        for norm in norms:
            norm.train()
        net(torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255)
    for norm in norms:
        norm.momentum = 0.03
    for name, module in net.model[-1].named_modules():
        last = isinstance(module, nn.Conv2d) and module.bias is not None
        if last and "cv3" in name:
            nn.init.normal_(module.weight, 0, 2 * module.in_channels**-0.5)
            nn.init.constant_(module.bias, -2.0)
        elif last and "cv2" in name and module.out_channels == 4:  # YOLO26: distances, which must be above 0
            nn.init.normal_(module.weight, 0, 0.1 * module.in_channels**-0.5)
            nn.init.constant_(module.bias, 3.0)
        elif last and "cv4" in name:
            nn.init.normal_(module.weight, 0, 2 * module.in_channels**-0.5)
    net.names = dict(enumerate(NAMES[:classes]))
    net.task = "segment" if "-seg" in yaml else "detect"
    net.args = {}
    return net.eval()


def ultralytics_pt(path: Path, yaml: str = "yolo11n.yaml", seed: int = 0, size: int = 192) -> Path:
    """A checkpoint as Ultralytics' trainer writes it."""
    import torch

    net = ultralytics_net(yaml, seed)
    task = net.task
    torch.save({"epoch": -1, "model": net.half(), "ema": None, "train_args": {"imgsz": size, "task": task}}, path)
    return path


def torchvision_net(name: str, seed: int = 0, classes: int = len(NAMES) + 1, side: int | None = 128):
    """An untrained torchvision detector for small pictures, with class scores that are spread out."""
    import torch
    from torch import nn

    from models.torchvision_detect import build

    torch.manual_seed(seed)
    net = build(name, classes)
    if side and not net.transform.fixed_size:
        net.transform.min_size, net.transform.max_size = (side,), 2 * side
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        nn.init.uniform_(norm.weight, 0.3, 0.7)
        epsilon, norm.eps = norm.eps, 1e-5  # 0 in some, which training refuses
    batch = np.stack([LetterBox((128, 128)).apply(photo).pixels for photo in photos()])
    with _one_thread(), torch.no_grad():
        net.eval()
        for norm in norms:
            norm.train()
        if norms:
            net.backbone((torch.from_numpy(batch).permute(0, 3, 1, 2).float() - 127) / 60)
    for norm in norms:
        norm.momentum, norm.eps = 0.1, epsilon
    roi = getattr(net, "roi_heads", None)
    heads = roi.box_predictor if roi is not None else net.head.classification_head
    for part, module in heads.named_modules():
        if "bbox" not in part and isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.normal_(module.weight, 0, 2 * module.weight[0].numel() ** -0.5)
    return net.eval()


def onnx_export(folder: Path, yaml: str = "yolo11n.yaml", seed: int = 0, size: int = 192, **how) -> Path:
    """What ``yolo export format=onnx`` writes for ``ultralytics_net(yaml, seed)``."""
    from ultralytics import RTDETR, YOLO

    folder.mkdir(parents=True, exist_ok=True)
    made = ultralytics_pt(folder / f"{seed}.pt", yaml, seed, size)
    model = (RTDETR if "rtdetr" in yaml else YOLO)(made)
    return Path(model.export(format="onnx", imgsz=size, device="cpu", simplify=False, verbose=False, **how))


def torchvision_in_cache(home: Path, name: str, seed: int = 0) -> str:
    """Put weights where torch.hub would; returns the model's name."""
    import torch
    import torchvision

    path = home / "hub" / "checkpoints" / torchvision.models.get_model_weights(name).DEFAULT.url.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(torchvision_net(name, seed, 91, None).state_dict(), path)
    return f"torchvision/{name}"
