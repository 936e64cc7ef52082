"""Find and load a model: by name, or from a file a person drops in, recognised by what is inside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from dashboard.errors import InputError, did_you_mean
from models import MODELS, class_map
from models.base import LoadOptions, ModelAdapter, ModelFamily, ModelSpec, serves
from models.sniff import sniff
from models.trackers import available_trackers, split_name

DETECTION, TRACKING = "detection", "tracking"
_WEIGHT_SUFFIXES = (".pt", ".pth", ".bin", ".onnx", ".safetensors", ".ckpt", ".pkl", ".torchscript")
SETTINGS_OF_ALL = ("classes",)  # the evaluation loop renames any model's outputs


@cache
def family(name: str) -> ModelFamily:
    """The family registered as ``name``, made once. Its module is imported, no vendor's library is."""
    target: Any = MODELS.get(name)
    return target() if isinstance(target, type) else target


def list_specs(task: str | None = None, family: str | None = None) -> list[ModelSpec]:
    """Everything that can be loaded by name and used for ``task``, in the order families are registered.

    Loads no weights. For "detection" that is detectors and instance segmenters, for "semantic-segmentation" semantic
    and instance segmenters (``models.base.serves``).
    """
    return list(_specs(task, family))


def find_spec(name: str) -> ModelSpec:
    """The spec called ``name``: as listed, or without its family's prefix or its tag where that is unique.

    Raises:
        InputError: no such model (with close names), or a short name that several families have.
    """
    short: list[ModelSpec] = []
    for spec in _specs(None, None):
        if spec.name == name:
            return spec
        _, slash, rest = spec.name.partition("/")
        if slash and rest == name:
            short.append(spec)
    for family_name in MODELS.names():  # what a family knows beyond its list: short names, newer models
        resolve = getattr(family(family_name), "resolve", None)
        found = resolve(name) if resolve else None
        if found is not None and found not in short:
            short.append(found)
    if len(short) == 1:
        return short[0]
    if short:
        names = " or ".join(spec.name for spec in short)
        raise InputError(f"{name!r} is the name of several models: write {names}.")
    known = [spec.name for spec in _specs(None, None)]
    hint = did_you_mean(name, [*known, *(n.partition("/")[2] for n in known if "/" in n)])
    raise InputError(f"No model is called {name!r}, and no file is there either.{hint}")


def load_model(
    name_or_path: str | Path, options: LoadOptions | None = None, task: str | None = None
) -> ModelAdapter[Any, Any]:
    """Load a listed model, or a weight file (detected from its contents, whatever it is called).

    Args:
        name_or_path: as listed, or a path.
        options: how.
        task: what it is to be used for; its own by default. An instance segmenter gives class maps for
            "semantic-segmentation"; "tracking" takes ``DETECTOR+TRACKER`` (``models.tracking``), names or files.

    Raises:
        InputError: one sentence: no such name or file, a setting that its family does not know, weights not here and no
            network, a file of another kind, damaged, of another architecture, or that would run code.
    """
    options = options or LoadOptions()
    options = replace(options, task=options.task or task)
    _check_tracked(name_or_path, task)
    if task == class_map.SEMANTIC:
        return class_map.class_map_of(_load(name_or_path, options, class_map.for_instances(options)), options)
    return _load(name_or_path, options, options)


def _load(name_or_path: str | Path, asked: LoadOptions, options: LoadOptions) -> ModelAdapter[Any, Any]:
    """Load with ``options``, of which a person has asked for ``asked``."""
    path = as_file(name_or_path)
    if path is None:
        spec = find_spec(str(name_or_path))
        _check_settings(family(spec.family), spec.name, asked.settings, spec.task)
        return family(spec.family).load(spec, options)
    loader = _loader(path)
    _check_settings(loader, str(path), asked.settings)
    adapter: ModelAdapter[Any, Any] = loader.load_file(path, options)
    _check_settings(loader, str(path), asked.settings, adapter.spec.task)  # which only the file could tell
    return adapter


def _loader(path: Path) -> Any:
    """The family that opens the file at ``path``."""
    kind = sniff(path)
    with path.open("rb") as file:
        head = file.read(4096)
    for name in MODELS.names():
        loader: Any = family(name)
        if hasattr(loader, "accepts") and loader.accepts(path, head):
            return loader
    raise InputError(f"{path} is {kind.words}: give an ONNX file, safetensors, or a PyTorch state dict.")


def known_settings(loader: Any, task: str | None = None) -> Sequence[str] | None:
    """The keys that a family understands (for ``task``, or at all); None if it does not say."""
    known = getattr(loader, "settings", None)
    if isinstance(known, Mapping):
        return known[task] if task in known else sorted({key for keys in known.values() for key in keys})
    return known


def known_settings_of(name_or_path: str | Path) -> Sequence[str] | None:
    """The keys that a listed model, or the family that opens a file, understands; None if it does not say."""
    path = as_file(name_or_path)
    if path is not None:
        return known_settings(_loader(path))
    spec = find_spec(str(name_or_path))
    return known_settings(family(spec.family), spec.task)


def _check_settings(loader: Any, name: str, settings: Mapping[str, str], task: str | None = None) -> None:
    """Raises InputError for a key that the family does not know (for ``task``), if it says which it knows."""
    if hasattr(loader, "check_settings"):  # each of its models has its own
        loader.check_settings(name, {key: value for key, value in settings.items() if key not in SETTINGS_OF_ALL})
        return
    known = known_settings(loader, task)
    for key in settings:
        if known is not None and key not in known and key not in SETTINGS_OF_ALL:
            hint = did_you_mean(key, known) or f" It understands {', '.join(sorted(known))}."
            raise InputError(f"{name} has no setting called {key[:80]!r}.{hint}")


def _check_tracked(name_or_path: str | Path, task: str | None) -> None:
    """Raises InputError for a detector that is to track by itself."""
    if task != TRACKING or split_name(str(name_or_path)):
        return
    path = as_file(name_or_path)
    spec = find_spec(str(name_or_path)) if path is None else None
    if not serves(spec.task, DETECTION) if spec is not None else path is not None and not sniff(path).weights:
        return  # which is refused elsewhere, with its own words
    what = f"{path} is a file of a model" if spec is None else f"{spec.name} is a detector"
    name = str(name_or_path)
    raise InputError(
        f"{what}: write {name}+bytetrack to track what it finds (trackers: {', '.join(available_trackers())})."
    )


def check_loadable(
    name_or_path: str | Path, task: str | None = None, settings: Mapping[str, str] | None = None
) -> None:
    """Quick refusal of names, files and settings that cannot be used, before anything heavy starts.

    Raises:
        InputError: no such name or file, a model of another task, a file that is no weight file, or a setting that the
            model's family does not know.
    """
    _check_tracked(name_or_path, task)
    path = as_file(name_or_path)
    if path is not None:
        kind = sniff(path)
        if not kind.weights:
            raise InputError(f"{path} is {kind.words}: give an ONNX file, safetensors, or a PyTorch state dict.")
        if settings:
            _check_settings(_loader(path), str(path), settings)
        return
    spec = find_spec(str(name_or_path))
    if task is not None and not serves(spec.task, task):
        raise InputError(f"{spec.name} is a model for {spec.task}, not for {task}.")
    _check_settings(family(spec.family), spec.name, settings or {}, spec.task)


def model_rows(task: str | None = None, family: str | None = None) -> list[dict[str, Any]]:
    """What ``models --json`` prints, a row a model; loads no weights and imports no torch."""
    return [_row(spec) for spec in _specs(task, family)]


def _row(spec: ModelSpec) -> dict[str, Any]:
    size = spec.weights.size_bytes
    return {
        "name": spec.name,
        "task": spec.task,
        "family": spec.family,
        "source": spec.source,
        "license": spec.license,
        "size_bytes": size,
        "size_mb": None if size is None else round(size / 1e6, 2),
        "here": family(spec.family).is_here(spec),
        "paper": spec.paper,
        "input_size": list(spec.input_size) if spec.input_size else None,
        "weights": {"origin": spec.weights.origin, "location": spec.weights.location, "sha256": spec.weights.sha256},
        "preprocessing": spec.preprocessing,
    }


def _specs(task: str | None, family_name: str | None) -> Iterator[ModelSpec]:
    names = MODELS.names() if family_name is None else [family_name]
    for name in names:
        if name not in MODELS:
            MODELS.get(name)  # says what is wrong
        for spec in family(name).specs():
            if task is None or serves(spec.task, task):
                yield spec


def looks_like_path(text: str) -> bool:
    """Whether a text is meant as a weight file's path, there or not."""
    return text.startswith((".", "/", "~")) or os.path.splitext(text)[1].lower() in _WEIGHT_SUFFIXES


def as_file(name_or_path: str | Path) -> Path | None:
    """The file that is meant, or None for a name."""
    text = str(name_or_path)
    path = Path(os.path.expanduser(text))
    is_path = isinstance(name_or_path, Path) or looks_like_path(text)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError):  # a name too long, or with a NUL, for a path
        return None
    if is_file:
        return path
    detector, plus, _ = text.rpartition("+")
    if plus and (split_name(text) or Path(os.path.expanduser(detector)).is_file()):
        return None  # a detector and a tracker, which the family of these takes apart
    if is_path and is_folder:
        raise InputError(f"{path} is a folder: give the weight file inside it.")
    if is_path:
        raise InputError(f"There is no file {path}: check the path, or give a model's name (see: models).")
    return None
