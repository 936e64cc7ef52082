"""A person's own photos through up to four enhancers, made worse first or not; every answer beside its reference."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from dashboard.datasets.alpha import read_with_alpha
from dashboard.datasets.degrade import Degradation, parse
from dashboard.datasets.images import MAX_PIXELS
from dashboard.datasets.photo_split import photo_paths
from dashboard.engine import Engine
from dashboard.enhancement_parts import border_of
from dashboard.errors import InputError
from dashboard.explore import enhance_panes as panes_of
from dashboard.explore import thumb_data
from dashboard.metrics.enhancement.measured import measure
from dashboard.tabs.common import DEVICE, EVENT, LATEST, toast
from dashboard.tabs.compare_photos import MOST_PHOTOS, THUMB, Photo, named
from dashboard.tabs.evaluate_panel import refuse_paths
from dashboard.tabs.photos_panel import photo_controls
from dashboard.tasks.enhancement import at_scale
from dashboard.types import EnhancedImage, Image
from dashboard.views import EnhanceView, StripView
from dashboard.views.strings import t
from models.base import OutOfMemory
from models.load import model_rows

TASK = "enhancement"
FIRST = {
    "none": ("bicubic", "lanczos", "photos_sr_x2"),
    "bicubic": ("bicubic", "lanczos", "photos_sr_x2"),
    "noise": ("nl_means", "tv_chambolle", "photos_denoise"),
    "jpeg": ("identity", "bilateral", "photos_denoise"),
    "blur": ("identity", "unsharp", "wiener"),
}
"""Models that are chosen for a degradation until a person chooses others."""
KINDS = {
    "none": (),
    "bicubic": (2, 3, 4, 8),
    "noise": (5, 10, 15, 25, 50),
    "jpeg": (10, 20, 30, 40, 60),
    "blur": (0.8, 1.2, 1.6, 2.4),
}
"""Degradations to choose from, with usual values; others can be typed."""
USUAL = {"bicubic": 2, "noise": 25, "jpeg": 20, "blur": 1.6}
AT_FIRST = 2
"""By how much a method that can do any scale enlarges where nothing says so."""


KEPT = 4
"""Photos whose panes a visitor's page keeps on the server: a few lossless pictures each."""


@dataclass(eq=False)
class Looked:
    """What a visitor has on the page. The models run on a photo when it is looked at.

    Attributes:
        photos: to choose from.
        names: of the models.
        degradation: how the photos are made worse first.
        examples: whether they are the examples.
        items: of the strip.
        views: of the photos looked at last, as the view takes them, by place.
        warm: places of models that have run before.
    """

    photos: Sequence[Photo]
    names: Sequence[str]
    degradation: Degradation
    examples: bool
    items: list[dict[str, Any]] = field(default_factory=list)
    views: dict[int, dict[str, Any]] = field(default_factory=dict)
    warm: set[int] = field(default_factory=set)


@cache
def example_photos() -> tuple[Photo, ...]:
    """Photos that installed packages carry, and that none of this project's enhancers has learnt from."""
    return tuple(_photo_of(path) for path in photo_paths("test"))


def _photo_of(file: Path) -> Photo:
    return Photo(file.name, partial(read_with_alpha, file))


class EnhancementPhotos:
    """Handlers of the panel."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(
        self, files: Sequence[str] | None, names: Sequence[str] | None, kind: str, value: Any, before: Looked | None
    ) -> tuple[Any, ...]:
        """What to keep, the strip, and the first photo. Without files: the examples again, if they were shown."""
        if files:
            return self._look([_photo_of(Path(f)) for f in files], names, kind, value, examples=False)
        if before is not None and before.examples:
            return self.examples(names, kind, value)
        raise InputError("Drop at least one photo, or use the example photos.")

    def examples(self, names: Sequence[str] | None, kind: str, value: Any) -> tuple[Any, ...]:
        """The same on the example photos."""
        return self._look(example_photos(), names, kind, value, examples=True)

    def show(self, looked: Looked | None, evt: gr.SelectData) -> tuple[Any, Any]:
        """The photo that was chosen in the strip: the strip with its numbers, and the photo."""
        if looked is None or not isinstance(evt.index, int) or not 0 <= evt.index < len(looked.photos):
            raise InputError("These photos are no longer kept here: run the models again.")
        view = self._view(looked, evt.index, [self.engine.model(name, task=TASK) for name in looked.names])
        return _strip(looked, evt.index), view

    def values(self, kind: str, names: Sequence[str] | None) -> tuple[Any, Any]:
        """The usual values of a degradation, and models that fit it if nobody has chosen others."""
        choices = [str(v) for v in KINDS.get(kind, ())]
        untouched = any(set(names or []) == set(first) for first in FIRST.values())
        models = gr.Dropdown(value=list(FIRST[kind])) if untouched and kind in FIRST else gr.skip()
        usual = str(USUAL[kind]) if choices else None
        return gr.Dropdown(choices=choices, value=usual, interactive=bool(choices)), models

    def _look(
        self, photos: Sequence[Photo], names: Sequence[str] | None, kind: str, value: Any, examples: bool
    ) -> tuple[Any, ...]:
        names = list(names or [])
        if not 1 <= len(names) <= 4:
            raise InputError(f"Choose one to four models, not {len(names)}.")
        if self.engine.public:
            refuse_paths(names, {})
        degradation = parse(kind if kind == "none" else f"{kind}:{value}")
        adapters = [self.engine.model(name, task=TASK) for name in names]
        for adapter in adapters:
            if adapter.spec.task != TASK:
                raise InputError(f"{adapter.spec.name} is a model for {adapter.spec.task}: choose an enhancer.")
        notes = []
        if len(photos) > MOST_PHOTOS:
            notes.append(
                f"Only the first {MOST_PHOTOS} of {len(photos)} photos are shown: evaluate a dataset for more."
            )
        kept = photos[:MOST_PHOTOS]
        looked = Looked(kept, names, degradation, examples, [_item(photo) for photo in kept])
        view = self._view(looked, 0, adapters)
        return looked, _strip(looked, 0, notes), view

    def _view(self, looked: Looked, place: int, adapters: Sequence[Any]) -> dict[str, Any]:
        """One photo as the view takes it, from before if it was looked at lately."""
        found = looked.views.pop(place, None)
        if found is None:
            found, counts = self._answers(place, looked.photos[place], adapters, looked.degradation, looked.warm)
            looked.items[place] |= {"counts": counts}
        looked.views[place] = found
        while len(looked.views) > KEPT:
            looked.views.pop(next(iter(looked.views)))
        return found

    def _answers(
        self, index: int, photo: Photo, adapters: Sequence[Any], degradation: Degradation, warm: set[int]
    ) -> tuple[dict[str, Any], list[float | None]]:
        """One photo through all models: its view, and each model's PSNR where there is a reference."""
        key = f"{index} {photo.name} {degradation.text}"
        try:
            whole = photo.load()
            given, reference = _degraded(whole, degradation, photo.name)
        except InputError as error:
            return panes_of.no_picture(key, photo.name, named(error, photo)), []
        scale = degradation.scale if degradation.steps else _largest(adapters)
        size = (given.shape[0] * scale, given.shape[1] * scale)
        if size[0] * size[1] > MAX_PIXELS:
            reason = f"{photo.name} would become {size[1]:,} x {size[0]:,} pixels, more than {MAX_PIXELS:,}: crop it."
            return panes_of.no_picture(key, photo.name, reason), []
        reduced = panes_of.reduction(size)
        dropped = "ui.ephotos.alpha" if whole.shape[2] == 4 and given.shape[2] == 3 else None
        small = panes_of.reduction((given.shape[0], given.shape[1]))
        panes = [panes_of.given_pane(panes_of.INPUT, "input", _picture(given), small, dropped)]
        if reference is not None:
            panes.append(panes_of.given_pane(panes_of.REFERENCE, "reference", EnhancedImage(reference), reduced))
        counts: list[float | None] = []
        for k, adapter in enumerate(adapters):
            try:
                fixed = _fixed(adapter, scale, reference is not None, photo.name)
                pane, near = _timed(fixed, given, reference, scale, size, k not in warm)
                warm.add(k)
            except InputError as error:
                pane, near = panes_of.failed_pane(adapter.spec.name, named(error, photo)), None
            except OutOfMemory:
                reason = f"does not fit in the memory of {adapter.device}: choose a smaller model or --device cpu"
                pane, near = panes_of.failed_pane(adapter.spec.name, f"{adapter.spec.name} {reason}."), None
            panes.append(pane)
            counts.append(near)
        border = border_of(scale) if reference is not None else 0
        view = panes_of.payload(key, photo.name, panes, size, border, reduced)
        view["recipe"] = degradation.recipe
        return view, counts if reference is not None else []


def _item(photo: Photo) -> dict[str, Any]:
    """A photo's place in the strip before any model has run."""
    try:
        return {"name": photo.name, "thumb": thumb_data(photo.load()[..., :3], THUMB)}
    except InputError as error:
        return {"name": photo.name, "error": named(error, photo)}


def _strip(looked: Looked, on: int, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The strip as its view takes it."""
    return {"items": looked.items, "on": on, "notes": list(notes), "at": None, "counts": "ui.ephotos.counts"}


def _degraded(whole: Image, degradation: Degradation, name: str) -> tuple[Image, Image | None]:
    """What the models are given, and what their answers are compared with: (H, W, 3 or 4) and (H, W, 3) or None."""
    if not degradation.steps:
        return whole, None
    rgb = np.ascontiguousarray(whole[..., :3])
    return degradation.apply(rgb, 0, name), degradation.crop(rgb)


def _picture(pixels: Image) -> EnhancedImage:
    """A picture with its alpha, if it has any."""
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    return EnhancedImage(np.ascontiguousarray(pixels[..., :3]), 1, alpha)


def _largest(adapters: Sequence[Any]) -> int:
    """The scale of answers where no reference says it: the largest of the models', else 2 if any can enlarge."""
    own = [a.scale for a in adapters]
    return max([s for s in own if s is not None] or [AT_FIRST])


def _fixed(adapter: Any, scale: int, referenced: bool, name: str) -> Any:
    """The model at the photo's scale; without a reference each model may have its own. Raises InputError."""
    if referenced or adapter.scale is None:
        return at_scale(adapter, scale, name)
    return adapter


def _timed(
    adapter: Any, given: Image, reference: Image | None, scale: int, size: tuple[int, int], warm_up: bool
) -> tuple[dict[str, Any], float | None]:
    """A model's pane with its milliseconds at batch 1, and its PSNR in dB if there is a reference."""
    if warm_up:
        adapter.predict([given[: min(64, len(given)), : min(64, given.shape[1])]])
    t0 = time.perf_counter()
    item = adapter.preprocess(given)
    t1 = time.perf_counter()
    outputs = adapter.forward([item])
    t2 = time.perf_counter()
    found = adapter.postprocess(outputs)[0]
    stages = [1e3 * (t1 - t0), 1e3 * (t2 - t1), 1e3 * (time.perf_counter() - t2)]
    if not isinstance(found, EnhancedImage):
        raise InputError(f"{adapter.spec.name} does not answer with a picture: choose an enhancer.")
    if reference is not None and found.size != reference.shape[:2]:
        (h, w), (th, tw) = found.size, reference.shape[:2]
        raise InputError(f"{adapter.spec.name} made a picture of {w}x{h} pixels where {tw}x{th} were expected.")
    border = border_of(scale) if reference is not None else 0
    numbers = measure(found.rgb, reference, border)
    reduced = panes_of.reduction(size if reference is not None else found.size)
    note = f"{sum(stages):.1f} ms"
    pane = panes_of.model_pane(adapter.spec.name, found, reference, numbers, border, reduced, note, stages)
    near = numbers["psnr"]
    return pane, round(float(near), 1) if np.isfinite(near) else None


def enhancement_photos_panel(engine: Engine) -> None:
    """Build the panel inside the current ``gr.Tab``."""
    do = EnhancementPhotos(engine)
    here = [r["name"] for r in model_rows(task=TASK) if r["here"]]
    first = [n for n in FIRST["bicubic"] if n in here] or here[:2]
    looked = gr.State(None)
    files, names, go, examples = photo_controls("eph", "ui.ephotos", here, first)
    with gr.Row(elem_classes="lp-row"):
        kind = gr.Radio(
            [(t(f"ui.ephotos.kind.{k}"), k) for k in KINDS], value="bicubic", label=t("ui.ephotos.kind"),
            info=t("ui.ephotos.kind.hint"), elem_id="eph-kind", interactive=True, scale=3, min_width=320,
        )  # fmt: skip
        value = gr.Dropdown(
            [str(v) for v in KINDS["bicubic"]], value=str(USUAL["bicubic"]), label=t("ui.ephotos.value"),
            info=t("ui.ephotos.value.hint"), allow_custom_value=True, elem_id="eph-value", interactive=True, scale=1,
            min_width=160,
        )  # fmt: skip
    strip = StripView(elem_id="eph-strip")
    view = EnhanceView(elem_id="eph-view")
    everything = [looked, strip, view]
    chosen = [names, kind, value]
    kind.input(do.values, [kind, names], [value, names], **LATEST)
    go.click(toast(do.run), [files, *chosen, looked], everything, **DEVICE)
    examples.click(lambda: None, None, files, **EVENT).then(toast(do.examples), chosen, everything, **DEVICE)
    strip.select(toast(do.show), looked, [strip, view], trigger_mode="multiple", **DEVICE)
