"""Weights without their network: safetensors or a torch state dict, for an architecture the person names.

``--set arch=resnet18`` (timm), ``arch=torchvision/resnet18``, or an ``arch`` in the safetensors metadata; torchvision's
semantic segmenters, and the enhancers that spandrel reads, are recognised by the names of their tensors. Nothing in the
file is run: pickles go through torch's ``weights_only``; what that refuses, and TorchScript, is refused here with a
reason unless code is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.errors import InputError, did_you_mean
from models import class_names, imagenet, spandrel_family, tensor_file, torchvision_segment, voc
from models.base import LoadOptions, ModelSpec, Weights
from models.enhancement import TorchEnhancer
from models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, ResizeCrop, input_size_setting, normalisation_setting
from models.segmentation import SETTINGS
from models.sniff import sniff
from models.torch_adapter import TorchClassifier
from models.torch_segment import TorchSegmenter

if TYPE_CHECKING:
    from torch import Tensor, nn

_KINDS = ("safetensors", "torch", "pickle", "torchscript")
Adapter = TorchClassifier | TorchSegmenter | TorchEnhancer


class StateDict:
    """Loads files only; there is nothing to list."""

    settings = {  # noqa: RUF012
        "classification": ("activation", "arch", "classes", "input_size", "mean", "std"),
        "semantic-segmentation": ("arch", *SETTINGS),
        "enhancement": spandrel_family.SETTINGS,
    }

    def specs(self) -> Iterable[ModelSpec]:
        """Nothing: these are files."""
        return ()

    def is_here(self, spec: ModelSpec) -> bool:
        """A file is here."""
        return Path(spec.weights.location).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> Adapter:
        """The file behind ``spec``."""
        return self.load_file(Path(spec.weights.location), options)

    def accepts(self, path: Path, head: bytes) -> bool:
        """Safetensors, torch files, pickles (to say why not), TorchScript (the same)."""
        del head
        return sniff(path).name in _KINDS

    def load_file(self, path: Path, options: LoadOptions) -> Adapter:
        """Load. Raises InputError: would run code, damaged, no architecture named, or not that architecture."""
        file = spandrel_family.read(path, options)
        if file.network is not None:
            return _whole(path, file, options)
        name = options.settings.get("arch") or file.metadata.get("arch") or file.metadata.get("architecture")
        if not name and (known := torchvision_segment.recognised(tensor_file.stripped(file.tensors, set()))):
            name = torchvision_segment.PREFIX + known
        if not name:
            if (enhancer := spandrel_family.recognised(file.tensors)) is not None:
                return spandrel_family.adapter(enhancer, path, options)
            raise InputError(_unknown(path, options))
        maker = _maker(path, name)
        tensors = tensor_file.stripped(file.tensors, set(maker.meta(1000).state_dict()))
        if maker.kind == "segmentation":
            tensors = {k: v for k, v in tensors.items() if not k.startswith(torchvision_segment.AUXILIARY)}
        tensor_file.check_kinds(tensors, path)
        count = _classes_in(maker, tensors)
        _check(maker.meta(count).state_dict(), tensors, path, name)  # before any memory is taken for the network
        net = maker.real(count)
        _fill(net, tensors, path)
        names, origin = class_names.for_file(path, options, file.metadata)
        spec = _spec(path, name, names)
        notes: dict[str, Any] = {"architecture": name}
        return maker.adapter(net, spec, options, notes, origin)


def _unknown(path: Path, options: LoadOptions) -> str:
    """The sentence for tensors of an architecture that nothing tells."""
    known = spandrel_family.architectures()
    if options.task == "enhancement":
        return (
            f"{path} is no enhancer that is known: its tensors' names were looked for among spandrel's architectures "
            f"({', '.join(known)}); give a file of one of these, or export the network to ONNX."
        )
    return (
        f"{path} holds tensors but not the network they belong to, and their names are neither those of torchvision's "
        f"segmenters nor of spandrel's {len(known)} enhancers (ESRGAN, SwinIR, NAFNet, DnCNN ...): name it, for "
        "example --set arch=resnet18 (timm) or --set arch=torchvision/resnet18."
    )


class _Maker:
    """Builds one named architecture for any number of classes."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name

    def real(self, classes: int) -> nn.Module:
        """With memory, untrained."""
        if self.kind == "torchvision":
            from models.torchvision_family import build

            return build(self.name, classes)
        if self.kind == "segmentation":
            return torchvision_segment.build(self.name, classes)
        if self.kind == "demo":
            from models.demo.digits import network

            return network(self.name)
        import timm

        return timm.create_model(self.name, pretrained=False, num_classes=classes)

    def meta(self, classes: int) -> nn.Module:
        """Shapes only."""
        import torch

        with torch.device("meta"):
            return self.real(classes)

    def adapter(
        self, net: nn.Module, spec: ModelSpec, options: LoadOptions, notes: dict[str, Any], origin: str
    ) -> Adapter:
        """With the architecture's own preprocessing."""
        from dataclasses import replace

        if self.kind == "segmentation":
            if not spec.class_names and _head_size(net, self) == len(voc.NAMES):
                spec, origin = replace(spec, class_names=voc.NAMES), "assumed to be VOC's (21 outputs)"
            if origin:
                notes["class names"] = origin
            return torchvision_segment.adapter(net, self.name, spec, options, notes=notes)
        if self.kind == "demo":
            from models.demo.digits import MEAN, STD, GreyEight

            spec = replace(spec, input_size=(8, 8), preprocessing=str(GreyEight()))
            return TorchClassifier(net, spec, options, geometry=GreyEight(), mean=MEAN, std=STD, notes=notes)
        if not spec.class_names and _head_size(net, self) == 1000:
            names, ids, origin = class_names.for_count(1000)
            spec = replace(spec, class_names=names, class_ids=ids)
        if origin:
            notes["class names"] = origin
        if self.kind == "torchvision":
            from models import torchvision_family

            return torchvision_family.adapter(net, self.name, spec, options, notes=notes)
        from models import timm_family

        return timm_family.adapter(net, spec, options, notes=notes)


def _maker(path: Path, name: str) -> _Maker:
    """The architecture called ``name``. Raises InputError with close names."""
    if name in ("digits_linear", "digits_cnn"):
        return _Maker("demo", name)
    if name.startswith("torchvision/"):
        from models.torchvision_family import build

        short = name.removeprefix("torchvision/").partition(".")[0]
        if short in torchvision_segment.known():
            return _Maker("segmentation", short)
        import torch

        with torch.device("meta"):
            build(short)
        return _Maker("torchvision", short)
    import timm

    short = name.removeprefix("timm/")
    if not timm.is_model(short):
        hint = did_you_mean(short.partition(".")[0], timm.list_models())
        raise InputError(f"arch={name} for {path.name} is not a timm model.{hint}")
    return _Maker("timm", short)


def _head(maker: _Maker) -> list[str]:
    """Names of the tensors whose first size is the number of classes (found by building for 1000 and for 1001)."""
    small, large = maker.meta(1000).state_dict(), maker.meta(1001).state_dict()
    changed = [key for key, value in small.items() if value.shape != large[key].shape]
    return [key for key in changed if small[key].shape[0] == 1000]


def _classes_in(maker: _Maker, tensors: Mapping[str, Tensor]) -> int:
    """How many classes the file's final layer has; 1000 if it has no such layer (``_fill`` then says so)."""
    sizes = {int(tensors[key].shape[0]) for key in _head(maker) if key in tensors and tensors[key].ndim > 0}
    return sizes.pop() if len(sizes) == 1 and 0 not in sizes else 1000


def _head_size(net: nn.Module, maker: _Maker) -> int:
    head = _head(maker)
    return int(net.state_dict()[head[0]].shape[0]) if head else 0


def _check(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path, name: str) -> None:
    """Raises InputError in one sentence if the tensors are not this network's."""
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in tensors and key not in counters]
    unexpected = [key[:80] for key in tensors if key not in wanted and not key.endswith("num_batches_tracked")]
    shapes = [
        f"{key} is {tuple(tensors[key].shape)}, not {tuple(wanted[key].shape)}"
        for key in wanted
        if key in tensors and tensors[key].shape != wanted[key].shape
    ]
    problems = [
        f"{len(found)} tensor{'s' * (len(found) > 1)} {what} ({', '.join(found[:2])}{', ...' * (len(found) > 2)})"
        for found, what in ((missing, "missing"), (unexpected, "unexpected"), (shapes, "of another shape"))
        if found
    ]
    if problems:
        raise InputError(f"{path} is not a {name}: {'; '.join(problems)}. Name the right network with --set arch=...")


def _fill(net: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy the tensors in."""
    wanted = set(net.state_dict())
    try:
        net.load_state_dict({key: value for key, value in tensors.items() if key in wanted}, strict=False)
    except (RuntimeError, TypeError, NotImplementedError) as error:  # number types that torch does not convert
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{path} cannot be used: its tensors cannot be converted to float32 ({reason}).") from error


def _spec(path: Path, architecture: str, names: tuple[str, ...]) -> ModelSpec:
    return ModelSpec(
        name=path.name,
        task="classification",
        family="state-dict",
        source=f"a file, as {architecture}",
        weights=Weights("file", str(path), path.stat().st_size),
        class_names=names,
        class_ids=class_names.ids_for(names),
    )


def _whole(path: Path, file: tensor_file.TensorFile, options: LoadOptions) -> TorchClassifier | TorchEnhancer:
    """A network that came with its code, by choice: ImageNet's usual preprocessing unless told otherwise."""
    from dataclasses import replace

    assert file.network is not None
    if options.task == "enhancement":
        spec = replace(_spec(path, "its own code", ()), task=options.task)
        how = replace(options, fuse=False)  # what a program does inside cannot be folded
        return TorchEnhancer(file.network.float(), spec, how, notes={"code": "from the file, allowed by choice"})
    height, width = input_size_setting(options.settings) or (224, 224)
    geometry = ResizeCrop((height, width), round(min(height, width) / 0.875), "bicubic")
    mean, std = normalisation_setting(options.settings, IMAGENET_MEAN, IMAGENET_STD)
    names, origin = class_names.for_file(path, options, file.metadata)
    spec = replace(
        _spec(path, "its own code", names),
        input_size=(height, width),
        preprocessing=f"{geometry}, mean {mean}, std {std}",
    )
    if not names and (count := _outputs(file.network, height, width)) == 1000:
        known, ids = imagenet.classes(count)
        spec, origin = replace(spec, class_names=known, class_ids=ids), "assumed to be ImageNet's (1000 outputs)"
    notes = {"code": "from the file, allowed by choice", "preprocessing": "assumed", "class names": origin or "unknown"}
    return TorchClassifier(file.network.float(), spec, options, geometry=geometry, mean=mean, std=std, notes=notes)


def _outputs(net: nn.Module, height: int, width: int) -> int:
    import torch

    try:
        with torch.inference_mode():
            return int(net.eval()(torch.zeros(1, 3, height, width)).shape[-1])
    except Exception as error:
        raise InputError(f"The network in the file does not take {height}x{width} RGB pictures: {error}") from error
