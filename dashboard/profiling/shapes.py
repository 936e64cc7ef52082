"""What a profile is made of: plain numbers, kept in a run of the task ``profile`` (``Run.facts["profile"]``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

METRICS = ("params", "macs", "flops", "latency_ms", "throughput_per_s", "peak_memory_mb", "cold_start_s")
"""CONTRACT's names of a profile's metrics."""


@dataclass(frozen=True)
class Layer:
    """One layer without children, in the order of its first call.

    Attributes:
        path: dotted name in the network ("layer1.0.conv1").
        kind: its class ("Conv2d").
        rule: which formula counts it: "conv", "linear", "batch_norm", "pool", "attention" or "other".
        output: shape of its output, batch included.
        params: its own, shared ones counted once (where first met).
        macs: multiply-accumulates, as publishers count them: convolutions, linear layers and matrix products only.
        flops: 2 x macs for those; for batch norm, pooling and the like what the formula says (not in the total).
        calls: how often it ran in one forward.
        ms: its share of one forward's time, in milliseconds; None if not measured.
        terms: the numbers its formula is filled in with, as far as known: "kh", "kw", "cin", "cout", "groups", "hout",
            "wout" and "bias" (0 or 1) of a convolution ("hin", "win" of a transposed one); "nin", "nout", "rows" (how
            many vectors) and "bias" of a linear layer; "n", "c", "h", "w" of a batch norm; "hout", "wout", "c" of
            pooling.
    """

    path: str
    kind: str
    rule: str
    output: Sequence[int]
    params: int
    macs: int
    flops: int
    calls: int = 1
    ms: float | None = None
    terms: Mapping[str, int] = field(default_factory=dict)

    @property
    def other_ops(self) -> int:
        """Operations that are no multiply-accumulates: those of ``flops`` that the network's total leaves out."""
        return self.flops - 2 * self.macs


@dataclass(frozen=True)
class Variant:
    """The same weights run in another way.

    Attributes:
        name: "fp32" (plain: nothing folded, channels first), and what changes one thing of it: "channels_last",
            "fused", "bf16", "fp16", "onnxruntime", "openvino", "compiled"; last "default", as the model is loaded
            unless said otherwise: the only one of what is no torch network.
        why_not: one sentence if it could not be run; the rest is then empty.
        latency_ms: p50, p90, p99 at batch 1, all stages.
        stages_ms: median preprocess, forward, postprocess.
        throughput: pictures a second by batch size, the network with its stages.
        speedup: the first variant's median latency by this one's, both measured in turn: not quite the ratio of the
            latencies above, which were measured one after the other.
        peak_memory_mb: of a fresh process that ran it; on CUDA of what torch took on the card. None if not measured.
        largest_difference: of its raw outputs to the first variant's on the same input, the largest absolute one; None
            if unknown.
        accuracy: metrics on the chosen dataset; empty if none was chosen.
        run: the id of the evaluation behind them, "" if none.
    """

    name: str
    why_not: str = ""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    throughput: Mapping[int, float] = field(default_factory=dict)
    speedup: float | None = None
    peak_memory_mb: float | None = None
    largest_difference: float | None = None
    accuracy: Mapping[str, float | None] = field(default_factory=dict)
    run: str = ""


@dataclass(frozen=True)
class Profile:
    """A model's costs.

    Attributes:
        model, task: which.
        input_size: (height, width) of the picture that was used.
        device: "cpu" or "cuda:N".
        params, trainable, buffers: numbers of values.
        size_bytes: of the weights on disk; None if unknown.
        macs, flops: of one picture; flops = 2 x macs.
        layers: in the order they run; none where the network cannot be looked into.
        variants: the one that the others are compared with first.
        cold_start: seconds in a fresh process: "import_s", "load_s", "first_s" and "total_s" (load + first inference).
        memory_mb: "before", "loaded", "steady", "peak" (of the process); on CUDA "gpu_peak" and "gpu_steady" too.
        gpu: name, utilisation and memory as NVML tells; empty without one.
        notes: how it was measured, and what could not be; one sentence each.
        fingerprints: of the model as plain fp32 and as it is loaded unless said otherwise: two models may share a name.
    """

    model: str
    task: str
    input_size: tuple[int, int]
    device: str
    params: int | None
    trainable: int | None
    buffers: int | None
    size_bytes: int | None
    macs: int | None
    flops: int | None
    layers: Sequence[Layer] = ()
    variants: Sequence[Variant] = ()
    cold_start: Mapping[str, float] = field(default_factory=dict)
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    gpu: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    fingerprints: Sequence[str] = ()
