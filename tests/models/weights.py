"""Weight files with seeded random numbers, made on the spot, for every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np

NAMES = ("cat", "dog", "bird", "fish")


def pictures() -> list[np.ndarray]:
    """Three RGB pictures: wide, tall and tiny; colour noise, a grey ramp and one flat colour."""
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 255, 300).astype(np.uint8)[:, None, None], (300, 70, 3)).copy()
    flat = np.full((9, 8, 3), (200, 30, 60), np.uint8)
    return [rng.integers(0, 256, (120, 200, 3), np.uint8), ramp, flat]


def timm_net(classes: int, seed: int = 0):
    import timm
    import torch

    torch.manual_seed(seed)
    return shaken(timm.create_model("test_resnet", num_classes=classes))


def shaken(net):
    """Batch norms away from mean 0 and variance 1, as after training, and a head that listens to its features."""
    import torch

    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain average
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, 0, module.in_features**-0.5)
    with torch.no_grad():  # statistics of what really flows, or a deep network forgets its input
        for _ in range(2):
            net.train()(torch.randn(4, 3, 1, 1) + 0.3 * torch.randn(4, 3, 64, 64))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1
    return net.eval()


def timm_in_cache(cache: Path, seed: int = 0) -> str:
    """Put weights where the Hugging Face cache would; returns the model's name."""
    from safetensors.torch import save_file

    folder = cache / "models--timm--test_resnet.r160_in1k" / "snapshots" / "0"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(timm_net(1000, seed).state_dict(), folder / "model.safetensors")
    return "timm/test_resnet.r160_in1k"


def torchvision_in_cache(home: Path, seed: int = 0) -> str:
    """Put weights where torch.hub would; returns the model's name."""
    import torch
    import torchvision

    torch.manual_seed(seed)
    net = shaken(torchvision.models.mobilenet_v3_small(weights=None))
    url = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT.url
    path = home / "hub" / "checkpoints" / url.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), path)
    return "torchvision/mobilenet_v3_small"


def ultralytics_pt(path: Path, seed: int = 0, size: int = 64) -> Path:
    """A checkpoint as Ultralytics' trainer writes it, of an architecture built from its YAML."""
    import torch

    from models.ultralytics_family import import_ultralytics

    tasks = import_ultralytics()
    torch.manual_seed(seed)
    net = shaken(tasks.ClassificationModel("yolo11n-cls.yaml", nc=len(NAMES), verbose=False))
    net.names = dict(enumerate(NAMES))
    torch.save({"epoch": -1, "model": net.half(), "ema": None, "train_args": {"imgsz": size, "task": "classify"}}, path)
    return path


def state_dict_file(path: Path, seed: int = 0, classes: int = 4) -> Path:
    from safetensors.torch import save_file

    tensors = {f"module.{key}": value for key, value in timm_net(classes, seed).state_dict().items()}
    save_file(tensors, path, {"arch": "test_resnet"})
    path.with_name(path.name + ".classes.txt").write_text("\n".join(NAMES[:classes]) + "\n")
    return path


def onnx_file(
    path: Path,
    seed: int = 0,
    *,
    ending: str | None = None,
    channels_last: bool = False,
    batch: int | str = "batch",
    size: int | str = 32,
    metadata: dict[str, str] | None = None,
    scale: float = 3.0,
    domain: str = "",
) -> Path:
    """Average colours, then a linear layer to four classes, then perhaps an activation."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    shape = [batch, size, size, 3] if channels_last else [batch, 3, size, size]
    nodes = []
    source = "input"
    if channels_last:
        nodes.append(helper.make_node("Transpose", ["input"], ["nchw"], perm=[0, 3, 1, 2]))
        source = "nchw"
    nodes += [
        helper.make_node("GlobalAveragePool", [source], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
    ]
    last = "logits"
    if ending:
        nodes.append(helper.make_node(ending, ["logits"], ["activated"], domain=domain))
        last = "activated"
    nodes.append(helper.make_node("Identity", [last], ["output"]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, 4])],
        [
            numpy_helper.from_array((scale * rng.normal(size=(3, 4))).astype(np.float32), "w"),
            numpy_helper.from_array(rng.normal(size=4).astype(np.float32), "b"),
        ],
    )
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path
