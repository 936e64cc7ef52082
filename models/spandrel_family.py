"""Every enhancer that spandrel reads: from a file, whose architecture its tensors tell, or by name (``spandrel/NAME``).

Spandrel's main registry is used, and the package ``spandrel_extra_arches`` (Restormer, MPRNet, SRFormer, ...) where a
person has installed it: its architectures have licences of their own, some for research alone. Nothing in a file is run
(``models.tensor_file``). Scale, channels and what the sides have to be multiples of are spandrel's findings. Networks
that take the level of the noise beside the picture (DRUNet, FDnCNN) are told ``sigma=`` in levels of 255, 15 as in
spandrel unless set. Those that need a mask (LaMa) are refused.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.errors import InputError
from models import downloads, enhancement, tables, tensor_file
from models.base import LoadOptions, ModelSpec, Weights
from models.detection import rate_setting
from models.enhancement import TorchEnhancer
from models.sniff import check_pickle, sniff
from models.tiling import Sizes, Tiling
from models.torch_adapter import load_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIX = "spandrel/"
EXTRA = "spandrel_extra_arches"
TABLE = tables.HERE / "spandrel_models.tsv"
SETTINGS = (*enhancement.SETTINGS, "sigma")
TRAINER = ("params_ema", "params-ema", "params")  # where BasicSR puts weights, the better ones first
_SIGMA = 15.0  # levels of 255, spandrel's own default
_PURPOSES = {"SR": "super-resolution", "FaceSR": "restoring faces", "Restoration": "restoration"}
_LARGE = 128  # pixels of a least input from which on a network is not tried with several pictures


class Spandrel:
    """Published weights by name; files come by way of ``models.state_dict``."""

    settings = SETTINGS

    def specs(self) -> Iterable[ModelSpec]:
        """Weights with a lasting address."""
        return _specs()

    def is_here(self, spec: ModelSpec) -> bool:
        """Whether the weights are in torch's folder."""
        return _path(spec).is_file()

    def load(self, spec: ModelSpec, options: LoadOptions) -> TorchEnhancer:
        """Load, downloading at first use. Raises InputError (quickly) when the weights cannot be had."""
        path = _path(spec)
        if spec.weights.origin == "url" and not path.is_file():
            downloads.fetch_file(spec, spec.weights.location)
        found = read(path, options)
        known = recognised(found.tensors)
        if known is None:
            raise InputError(f"{path} is not {spec.name}: delete it and retry.")
        return adapter(known, path, options, spec)


class Recognised:
    """Tensors and the architecture that spandrel sees in them.

    Attributes:
        architecture: spandrel's.
        tensors: named as it wants them.
    """

    def __init__(self, architecture: Any, tensors: Mapping[str, Tensor]) -> None:
        self.architecture, self.tensors = architecture, tensors


def recognised(tensors: Mapping[str, Tensor]) -> Recognised | None:
    """The architecture that has tensors of these names, bare or behind a wrapper's prefix; None if none has."""
    from spandrel import canonicalize_state_dict

    registry = _registry()
    names = dict(tensors)
    for _ in range(4):
        canonical = canonicalize_state_dict(names)
        for known in registry.architectures("detection"):
            if known.detect(canonical):
                return Recognised(known.architecture, canonical)
        shorter = tensor_file.stripped(names, set())
        if shorter.keys() == names.keys():
            return None
        names = shorter
    return None


def architectures() -> tuple[str, ...]:
    """Names of what spandrel knows."""
    return tuple(sorted((known.architecture.name for known in _registry()), key=str.lower))


@cache
def _registry() -> Any:
    """What can be recognised."""
    from spandrel import MAIN_REGISTRY

    if importlib.util.find_spec(EXTRA) is not None:
        importlib.import_module(EXTRA).install(ignore_duplicates=True)
    return MAIN_REGISTRY


def read(path: Path, options: LoadOptions) -> tensor_file.TensorFile:
    """As ``tensor_file.read``, and what BasicSR's trainer writes: the averaged weights, else the last.

    Raises:
        InputError: would run code, damaged, no tensors in it, or too much to read.
    """
    try:
        return tensor_file.read(path, options)
    except InputError:
        tensors = _of_trainer(path)
        if not tensors:
            raise
        return tensor_file.TensorFile(tensors)


def _of_trainer(path: Path) -> dict[str, Tensor]:
    """What lies under one of ``TRAINER``; empty if nothing does, or the file cannot be read."""
    from torch import Tensor

    if sniff(path).name not in ("torch", "pickle"):
        return {}
    check_pickle(path)
    try:
        content = load_tensors(path)
    except Exception:  # whatever it is, the first attempt has said it
        return {}
    if not isinstance(content, Mapping):
        return {}
    inside: Mapping[Any, Any] = next((content[k] for k in TRAINER if isinstance(content.get(k), Mapping)), {})
    return {str(key): value for key, value in inside.items() if isinstance(value, Tensor)}


def adapter(known: Recognised, path: Path, options: LoadOptions, spec: ModelSpec | None = None) -> TorchEnhancer:
    """Build the network and make it an enhancer.

    Args:
        known: what spandrel sees in the file.
        path: the file.
        options: device, precision, and ``SETTINGS``.
        spec: facts, if it was asked for by name.

    Raises:
        InputError: tensors that do not fit the architecture, one that needs a mask, a setting that it does not have.
    """
    from spandrel import ImageModelDescriptor

    name = known.architecture.name
    tensor_file.check_kinds(known.tensors, path)
    try:
        _compare(known)
        found = known.architecture.load(dict(known.tensors))
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{path} looks like a {name} by the names of its tensors, but spandrel cannot load it as one ({reason}): "
            "if it is another network, name it with --set arch=..., else download it again."
        ) from error
    if not isinstance(found, ImageModelDescriptor):
        raise InputError(
            f"{path} is a {name}, which fills in what a mask marks, and there are no masks here: give an enhancer, or "
            "use inpaint."
        )
    levelled = name == "DRUNet" or "FDnCNN" in found.tags
    if "sigma" in options.settings and not levelled:
        raise InputError(f"{path} is a {name}, which is not told the noise: leave sigma out.")
    sigma = rate_setting(options.settings, "sigma", _SIGMA, most=255) if levelled else None
    needs = found.size_requirements
    sizes = Sizes(needs.multiple_of, needs.minimum, needs.square)
    net = _network(found, sigma)
    batched = _agrees(net, found.input_channels, sizes)
    notes: dict[str, Any] = {
        "architecture": " ".join([name, *found.tags]),
        "purpose": _PURPOSES.get(found.purpose, found.purpose),
    }
    if sigma is not None:
        notes["noise told"] = f"{sigma:g} of 255" + ("" if "sigma" in options.settings else ", spandrel's default")
    if found.tiling.name == "DISCOURAGED":
        notes["tiling"] = "the network draws on the whole picture: large ones, in tiles, may differ"
    own = found.tiling.name == "INTERNAL"
    return TorchEnhancer(
        net,
        spec or _of_file(path, name),
        options,
        channels=found.input_channels,
        sizes=sizes,
        tiling=Tiling((512, 512), above=None) if own else None,
        batched=batched,
        config=[name, sigma],
        notes=notes,
    )


def _compare(known: Recognised) -> None:
    """Compare names and shapes before memory is taken. Raises RuntimeError; says nothing where that cannot be told."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing is copied
        try:
            with torch.device("meta"):
                known.architecture.load(dict(known.tensors))
        except RuntimeError as error:
            if "loading state_dict" in str(error):
                raise
        except Exception:  # some architectures compute with numbers while they are built
            pass


def _network(found: Any, sigma: float | None) -> nn.Module:
    """A module that does what spandrel's descriptor does: the same answer to the same input, whatever is random."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = found.model
            # not told apart by spandrel: AuraSR adds noise of its own
            self.random = found.architecture.id == "AuraSR"
            self.sigma = sigma

        def forward(self, batch: Tensor) -> Tensor:
            if self.sigma is not None:
                count, _, height, width = batch.shape
                level = batch.new_full((count, 1, height, width), self.sigma / 255)
                return self.net(torch.cat([batch, level], 1))
            if not self.random:
                return found(batch)
            devices = [batch.device] if batch.device.type == "cuda" else []
            with torch.random.fork_rng(devices):
                torch.manual_seed(0)
                return found(batch)

    return Network().eval()


def _agrees(net: nn.Module, channels: int, sizes: Sizes) -> bool:
    """Whether two pictures together give what each gives alone; spandrel promises it of one only."""
    import torch

    height, width = sizes.padded((16, 16))
    if max(height, width) > _LARGE or channels not in (1, 3, 4):
        return False
    both = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            together, alone = net(both), torch.cat([net(both[:1]), net(both[1:])])
    except Exception:  # TorchEnhancer tries a single one and says what is wrong
        return False
    return together.shape == alone.shape and bool((together - alone).abs().max() < 1e-4)


def _of_file(path: Path, name: str) -> ModelSpec:
    return ModelSpec(
        name=path.name,
        task="enhancement",
        family="spandrel",
        source=f"a file, {name} by spandrel",
        weights=Weights("file", str(path), path.stat().st_size),
    )


def _path(spec: ModelSpec) -> Path:
    where = spec.weights.location
    return downloads.torch_file(where) if spec.weights.origin == "url" else Path(where)


@cache
def _specs() -> tuple[ModelSpec, ...]:
    return tuple(
        ModelSpec(
            name=PREFIX + row["name"],
            task="enhancement",
            family="spandrel",
            source=row["source"],
            weights=Weights("url", row["url"], int(row["bytes"]) if row["bytes"] else None),
            license=row["license"],
            paper=row["paper"],
            preprocessing=row["takes"],
        )
        for row in tables.read(TABLE)
    )
