"""A person's own photos: up to four models side by side, top-5 each, with latency."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from dashboard.datasets.images import read_image
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import thumb_data
from dashboard.tabs.common import DEVICE, toast
from dashboard.tabs.evaluate_panel import refuse_paths
from dashboard.views import PhotosView
from dashboard.views.strings import t
from models.load import model_rows

MOST_PHOTOS = 32
TOP = 5
EXAMPLES = ("chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png")


def example_photos() -> list[str]:
    """Photos that scikit-image carries, so that the tab works offline at once."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [str(folder / name) for name in EXAMPLES if (folder / name).is_file()]


class Photos:
    """Handlers of the photos panel."""

    def __init__(self, engine: Engine, task: str) -> None:
        self.engine, self.task = engine, task

    def classify(self, files: Sequence[str] | None, names: Sequence[str] | None) -> dict[str, Any]:
        """Every model on every photo, one at a time and timed."""
        if not files:
            raise InputError("Drop at least one photo, or use the example photos.")
        if not 1 <= len(names or []) <= 4:
            raise InputError(f"Choose one to four models, not {len(names or [])}.")
        if self.engine.public:
            refuse_paths(names or [], {})
        adapters = [self.engine.model(name) for name in names or []]
        photos, notes = [], []
        if len(files) > MOST_PHOTOS:
            notes.append(f"Only the first {MOST_PHOTOS} of {len(files)} photos are shown: evaluate a dataset for more.")
        for k, file in enumerate(files[:MOST_PHOTOS]):
            photos.append(self._photo(Path(file), adapters, warm=k == 0))
        return {"photos": photos, "notes": notes}

    def _photo(self, file: Path, adapters: Sequence[Any], warm: bool) -> dict[str, Any]:
        """One photo through all models; a photo that cannot be read says why."""
        try:
            image = read_image(file)
        except InputError as error:
            return {"name": file.name, "error": str(error).replace(str(file), file.name), "models": []}
        models = [_answer(a, image, warm) for a in adapters]
        firsts = {m["top"][0]["name"] for m in models}
        shared = set.intersection(*({x["name"] for x in m["top"]} for m in models))
        for model in models:
            for row in model["top"]:
                row["shared"] = len(models) > 1 and row["name"] in shared
        return {"name": file.name, "thumb": thumb_data(image, 400), "models": models, "agree": len(firsts) == 1}


def _answer(adapter: Any, image: np.ndarray, warm: bool) -> dict[str, Any]:
    """A model's top answers and its time in ms: preprocess, forward, postprocess at batch 1."""
    if warm:
        adapter.predict([image])
    t0 = time.perf_counter()
    item = adapter.preprocess(image)
    t1 = time.perf_counter()
    outputs = adapter.forward([item])
    t2 = time.perf_counter()
    scores = adapter.postprocess(outputs)[0].scores
    stages = [1e3 * (t1 - t0), 1e3 * (t2 - t1), 1e3 * (time.perf_counter() - t2)]
    names = adapter.spec.class_names
    best = np.argsort(-scores, kind="stable")[:TOP]
    top = [{"name": names[i], "score": float(scores[i])} for i in best]
    return {"name": adapter.spec.name, "ms": sum(stages), "stages": stages, "top": top}


def photo_controls(
    prefix: str, texts: str, here: Sequence[str], first: Sequence[str]
) -> tuple[gr.File, gr.Dropdown, gr.Button, gr.Button]:
    """Where photos are dropped, models chosen, and the two buttons.

    Args:
        prefix: of the elements' ids.
        texts: prefix of the keys of the hint and the buttons' texts.
        here: models to choose from.
        first: those chosen at first.
    """
    with gr.Row(elem_classes="lp-row"):
        with gr.Column(scale=3, min_width=300):
            files = gr.File(
                label=t("ui.photos.drop"), file_count="multiple", file_types=["image"], elem_id=f"{prefix}-files",
                elem_classes="lp-drop", height=130,
            )  # fmt: skip
        with gr.Column(scale=4, min_width=300):
            names = gr.Dropdown(
                list(here), value=list(first), multiselect=True, max_choices=4, allow_custom_value=True,
                label=t("ui.models"), info=t(f"{texts}.hint"), elem_id=f"{prefix}-models",
            )  # fmt: skip
            with gr.Row():
                go = gr.Button(t(f"{texts}.go"), variant="primary", elem_id=f"{prefix}-go")
                examples = gr.Button(t(f"{texts}.examples"), elem_id=f"{prefix}-examples")
    return files, names, go, examples


def photos_panel(engine: Engine, task: str) -> None:
    """Build the panel."""
    do = Photos(engine, task)
    here = [r["name"] for r in model_rows(task=task) if r["here"]]
    first = [n for n in ("efficientnet_lite0", "efficientnet_lite2") if n in here] or here[:2]
    files, names, go, examples = photo_controls("ph", "ui.photos", here, first)
    view = PhotosView(elem_id="ph-view")
    go.click(toast(do.classify), [files, names], view, **DEVICE)
    files.upload(toast(do.classify), [files, names], view, trigger_mode="always_last", **DEVICE)
    examples.click(example_photos, None, files, api_visibility="private").then(
        toast(do.classify), [files, names], view, **DEVICE
    )
