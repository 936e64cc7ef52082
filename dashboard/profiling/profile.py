"""What a model costs: parameters, operations, time, memory, in several ways of running it. One call measures it all."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboard.datasets.base import Dataset
from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from dashboard.evaluation import OnProgress
from dashboard.profiling import measuring
from dashboard.profiling.kept import unsteady
from dashboard.profiling.shapes import Layer, Profile
from dashboard.profiling.variants import DEFAULT, PLAIN, RUNTIMES, Measured, Subject, check_names, measure, options_of
from dashboard.store import Store
from models.base import LoadOptions, ModelAdapter, serves
from models.load import as_file, known_settings_of, load_model

USUAL = (PLAIN, "channels_last", "fused", "bf16")
LARGEST = 4096  # pixels a side
_FIND = ("detection", "instance-segmentation", "tracking")  # tasks whose models find more or less in a picture


def profile(
    name: str | Path,
    options: LoadOptions | None = None,
    *,
    task: str | None = None,
    input_size: tuple[int, int] | None = None,
    batch_sizes: Sequence[int] | None = None,
    variants: Sequence[str] = USUAL,
    dataset: Dataset | str | None = None,
    limit: int | None = None,
    store: Store | None = None,
    say: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Profile:
    """Measure a model.

    Args:
        name: as listed, or a weight file.
        options: how a person would load it; the variant "default" is that.
        task: what it is used for; its own by default.
        input_size: (height, width) of the picture, in pixels; the model's own by default. Models that take any size
            need it.
        batch_sizes: of throughput; by default powers of two as far as time and memory go.
        variants: names of ``dashboard.profiling.variants.CHANGES``. "fp32" (first) and "default" (last) are measured
            whether named or not, and "default" alone where there is no torch network; "compiled" may take minutes.
        dataset: to see what each variant costs in accuracy: opened, a path or ``demo:NAME``. Needs ``store``.
        limit: its first N samples only.
        store: where those evaluations go.
        say: told of progress; ``live`` has "latency_ms" and "fps" while the clock runs. Stages: "loading", "counting",
            "warming up", "latency", "throughput", "accuracy", "cold start", "done".
        cancel: set it from another thread to stop between two measurements.

    Raises:
        InputError: no such model, variant or device; a size that is needed and not given, or that the model refuses.
        Cancelled: ``cancel`` was set.
    """
    options, name = options or LoadOptions(), str(name)
    check_names(variants)
    _check_numbers(batch_sizes, input_size, limit)
    if dataset is not None and store is None:
        raise InputError("Accuracy is measured by evaluating: say in which store those runs go.")
    names = [v for v in dict.fromkeys(variants) if v not in (PLAIN, DEFAULT)]
    watch = measuring.Watch(say, cancel, len(names) + 2)
    watch.step("loading")
    plain, options, told = _loaded(name, options, task, input_size)
    try:
        size = _picture_size(plain, input_size, told)
        data = open_dataset(dataset, None, task or plain.spec.task) if isinstance(dataset, str) else dataset
        if data is not None and not serves(plain.spec.task, data.task):
            raise InputError(f"{plain.spec.name} does {plain.spec.task}, but {data.name} is a {data.task} dataset.")
        from models.profiling_formulas import made_picture

        images = [made_picture(*size)] if data is None else measuring.pictures_of(data, size)
        ways = [PLAIN, *names, DEFAULT] if plain.network is not None else [DEFAULT]
        watch.total = len(ways)
        watch.step("counting")
        found = _counted(plain, images[0])
        of = Subject(name, options, task, size, images, batch_sizes, data, limit, store)
        done = [measure(ways[0], of, watch, plain)]
        for number, variant in enumerate(ways[1:], 1):
            watch.step("loading", number)
            done.append(measure(variant, of, watch, plain, done[0]))
    finally:
        plain.close()
    watch.step("done", watch.total)
    return _finished(found, done, data)


def _finished(found: Profile, done: Sequence[Measured], data: Dataset | None) -> Profile:
    """The counted numbers with the measured ones."""
    usual = done[-1]
    notes = [*found.notes, *_how(usual, found.task, data)]
    if len(done) == 1:
        notes.append("There is no torch network behind it that could be run in other ways: one way is measured.")
    else:
        notes.append("Layers were timed one by one on plain fp32, in passes of their own: hooks add to their sum.")
    ways = tuple(one.variant for one in done)
    if busy := unsteady(ways):
        notes.append(
            f"The machine had other work while this was measured (seen in {', '.join(busy)}): times are longer than on "
            "an idle machine, and those of different ways, taken one after the other, do not compare. Speed-ups "
            "compare better: both ways answered in turn."
        )
    memory = dict(usual.fresh.memory_mb)
    gpu = dict(usual.gpu or {})
    if "peak_mb" in gpu:
        memory = {"gpu_peak": gpu.pop("peak_mb"), "gpu_steady": gpu.pop("steady_mb")} | memory
    notes += [usual.fresh.why_not] if usual.fresh.why_not else []
    return replace(
        found,
        variants=ways,
        cold_start=usual.fresh.seconds,
        memory_mb=memory,
        gpu=gpu,
        notes=tuple(notes),
        fingerprints=tuple(dict.fromkeys(one.fingerprint for one in (done[0], usual))),
    )


def _counted(adapter: ModelAdapter[Any, Any], image: Any) -> Profile:
    """Parameters and operations of one picture; times of the layers, in a pass of their own."""
    from models.profiling import Counted, count, layer_times
    from models.profiling_onnx import count_onnx

    spec = adapter.spec
    size, none = (int(image.shape[0]), int(image.shape[1])), (None, None, None)
    empty = Profile(spec.name, spec.task, size, adapter.device, *none, _bytes_on_disk(adapter), None, None)
    item = adapter.preprocess(image)

    def run() -> Any:
        return adapter.forward([item])

    run()
    if spec.family == "classical":
        note = "It is a method without a network: there are no parameters, and its operations are not counted."
        return replace(empty, params=0, trainable=0, buffers=0, notes=(note,))
    net, times, why = adapter.network, dict[str, float](), ""
    counted: Counted | None = None
    try:  # what is unusual runs all the same
        counted = count_onnx(adapter, run) if net is None else count(net, run)
        times = {} if net is None else layer_times(net, run)
    except Exception as error:
        why = f" ({' '.join(str(error).split())[:120]})"
    if counted is None:
        return replace(empty, notes=(f"Its network cannot be looked into: operations are not counted{why}.",))
    layers = [
        Layer(o.path, o.kind, o.rule, o.output, o.params, o.macs, o.flops, o.calls, times.get(o.path), o.terms)
        for o in counted.layers
    ]
    return replace(
        empty,
        params=counted.params,
        trainable=counted.params,
        buffers=counted.buffers,
        macs=counted.macs,
        flops=2 * counted.macs,
        layers=tuple(layers),
        notes=tuple(counted.notes),
    )


def _how(usual: Measured, task: str, data: Dataset | None) -> list[str]:
    """How it was measured, one sentence each."""
    shown = f"the first pictures of {data.name}, resized" if data is not None else "a picture made up for it"
    if task in _FIND:
        shown += ": what postprocessing costs, and the second stage of a detector of two, depends on how much is found"
    told = ", ".join(f"{key}: {usual.loaded[key]}" for key in ("batch norms folded", "layout") if usual.loaded.get(key))
    return [
        f"Measured with {shown}.",
        f"Warmed up with at least {measuring.WARM_UP} pictures and {measuring.WARM_UP_S} s; every clock waits for the "
        "device (synchronised).",
        f"Latency: one picture at a time, {usual.pictures} pictures (of the default), preprocessing, network and "
        "postprocessing one after the other; pictures are decoded already.",
        "Throughput: the same steps on a batch, one after the other in one thread; an evaluation decodes and prepares "
        "in other threads meanwhile.",
        f"Key figures are those of the model as it is loaded unless said otherwise{f' ({told})' if told else ''}.",
        "Cold start and memory are those of a fresh process; loading includes the vendor's library and one trial "
        "picture, importing torch is shown apart.",
    ]


def _bytes_on_disk(adapter: ModelAdapter[Any, Any]) -> int | None:
    weights = adapter.spec.weights
    if weights.size_bytes is not None:
        return weights.size_bytes
    path = Path(weights.location)
    return path.stat().st_size if weights.origin in ("file", "bundled") and path.is_file() else None


def _check_numbers(batch_sizes: Sequence[int] | None, size: tuple[int, int] | None, limit: int | None) -> None:
    if batch_sizes is not None and (not batch_sizes or min(batch_sizes) < 1):
        raise InputError(f"--batch-size must be at least 1, got {', '.join(map(str, batch_sizes)) or 'none'}.")
    if size is not None and not 1 <= min(size) <= max(size) <= LARGEST:
        raise InputError(f"--input-size must be HxW with sides of 1..{LARGEST} pixels, got {size[0]}x{size[1]}.")
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, got {limit}.")


def _loaded(
    name: str, options: LoadOptions, task: str | None, size: tuple[int, int] | None
) -> tuple[ModelAdapter[Any, Any], LoadOptions, bool]:
    """The plain model, the options with the size in them, and whether it was told the size."""
    if size is None or "input_size" not in (known_settings_of(name) or ()):
        return load_model(name, options_of(PLAIN, options), task), options, False
    told = replace(options, settings={**options.settings, "input_size": f"{size[0]}x{size[1]}"})
    try:
        return load_model(name, options_of(PLAIN, told), task), told, True
    except InputError as error:
        if as_file(name) is not None and "has no setting called 'input_size'" in str(error):  # its family has, for some
            return load_model(name, options_of(PLAIN, options), task), options, False
        raise InputError(str(error).replace("--set input_size=HxW", "--input-size HxW")) from error


def _picture_size(adapter: ModelAdapter[Any, Any], asked: tuple[int, int] | None, told: bool) -> tuple[int, int]:
    """(height, width) of the picture. Raises InputError if the model has none and none is given, or has another."""
    own = adapter.spec.input_size
    if asked is None and own is None:
        raise InputError(
            f"{adapter.spec.name} takes pictures of any size, and what it costs depends on it: give one with "
            "--input-size HxW, for example --input-size 256x256."
        )
    if asked is not None and own is not None and own != asked and not told:
        raise InputError(f"{adapter.spec.name} takes pictures of {own[0]}x{own[1]} only: leave --input-size HxW out.")
    size = asked or own
    assert size is not None
    return size


__all__ = ["DEFAULT", "PLAIN", "RUNTIMES", "USUAL", "profile"]
