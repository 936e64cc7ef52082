"""Profiles in the store: a run of the task ``profile``, without predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from dashboard import results as results_io
from dashboard.disk import friendly_os_errors, write_json
from dashboard.environment import describe_environment
from dashboard.errors import InputError
from dashboard.profiling.shapes import METRICS, Layer, Profile, Variant
from dashboard.results import Scalars
from dashboard.store import Run, Store, run_id_for

TASK = "profile"
MOST_SPREAD, MOST_APART = 3.0, 1.25
"""How many times its median a way's p99 may be, and how far the ratio of two medians may be from the speed-up."""
_LOWER = ("params", "macs", "flops", "latency_ms", "peak_memory_mb", "cold_start_s")


def headline(profile: Profile) -> Variant | None:
    """The variant whose figures are the key figures: the default way of loading, else the first that ran."""
    ran = [variant for variant in profile.variants if not variant.why_not]
    return next((variant for variant in ran if variant.name == "default"), ran[0] if ran else None)


def unsteady(ways: Sequence[Variant]) -> list[str]:
    """Ways whose times show that the machine had other work: their medians do not compare with those of other ways.

    Ways are timed one after the other. A way's speed-up is not: there it and the first way answered in turn.

    Returns:
        Names of ways whose p99 is far above their median, or whose median is to the first one's not as their speed-up.
    """
    ran = [way for way in ways if not way.why_not and way.latency_ms.get("p50")]
    found: list[str] = []
    for way in ran:
        median = way.latency_ms["p50"]
        ratio = ran[0].latency_ms["p50"] / median
        apart = max(ratio / way.speedup, way.speedup / ratio) if way.speedup else 1.0
        if way.latency_ms.get("p99", 0.0) > MOST_SPREAD * median or apart > MOST_APART:
            found.append(way.name)
    return found


def metrics_of(profile: Profile) -> dict[str, float | None]:
    """CONTRACT's names: latency is the median at batch 1, throughput that of the best batch size."""
    usual = headline(profile)
    values = (
        profile.params,
        profile.macs,
        profile.flops,
        usual.latency_ms.get("p50") if usual else None,
        max(usual.throughput.values(), default=None) if usual else None,
        usual.peak_memory_mb if usual else None,
        profile.cold_start.get("total_s"),
    )
    return dict(zip(METRICS, values, strict=True))


def write_profile(store: Store, profile: Profile, environment: Mapping[str, Any] | None = None) -> Run:
    """Store a profile; one of the same weights, size, device and variants measured before is replaced.

    Args:
        store: where.
        profile: what.
        environment: what it was measured on; this machine by default.

    Raises:
        InputError: the disk is full, or another process writes the same.
    """
    height, width = profile.input_size
    where = f"{height}x{width} on {profile.device}"
    key = {"task": TASK, "for": profile.task, "variants": [variant.name for variant in profile.variants]}
    key |= {"weights": list(profile.fingerprints)} if profile.fingerprints else {}
    usual, values = headline(profile), metrics_of(profile)
    with friendly_os_errors(store.root), store.draft(run_id_for(profile.model, where, key)) as draft:
        draft.restart()
        scalars = Scalars(
            {name: float("nan") if value is None else float(value) for name, value in values.items()},
            higher_is_better={name: name not in _LOWER for name in values},
        )
        results_io.save({"profile.scores": scalars}, draft.path / "results.npz")
        write_json(draft.path / "classes.json", {"names": [], "ids": []})
        timing = {
            "throughput_per_s": values["throughput_per_s"],
            "latency_ms": dict(usual.latency_ms) if usual else {"p50": None, "p90": None, "p99": None},
            "stages_ms": dict(usual.stages_ms) if usual else {},
        }
        return draft.finish(
            Run(
                id=draft.run_id,
                task=TASK,
                model=profile.model,
                dataset=where,
                samples=1,
                metrics=values,
                facts={"has_scores": False, "profile": asdict(profile)},
                timing=timing,
                environment=dict(environment or describe_environment(profile.device)),
            )
        )


def read_profile(run: Run) -> Profile:
    """The profile in a run. Raises InputError if it holds none, or a damaged one."""
    try:
        facts = dict(run.facts["profile"])
        facts["layers"] = tuple(layer_of(one) for one in facts["layers"])
        facts["variants"] = tuple(_variant(one) for one in facts["variants"])
        facts["input_size"] = (int(facts["input_size"][0]), int(facts["input_size"][1]))
        facts["notes"] = tuple(facts["notes"])
        facts["fingerprints"] = tuple(facts.get("fingerprints", ()))
        return Profile(**_known(Profile, facts))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"The run {run.id} holds no profile, or a damaged one ({error}): measure it again.") from error


def layer_of(facts: Mapping[str, Any]) -> Layer:
    """A layer as ``run.json`` has it."""
    return Layer(**{**_known(Layer, facts), "output": tuple(facts["output"])})


def _variant(facts: Mapping[str, Any]) -> Variant:
    rates = {int(size): float(rate) for size, rate in facts["throughput"].items()}
    return Variant(**{**_known(Variant, facts), "throughput": rates})


def _known(kind: type, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without fields of a newer version."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in facts.items() if name in names}
