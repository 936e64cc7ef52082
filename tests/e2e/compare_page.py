"""A page with the compare view and the photos panel alone, on made-up data; started by the tests of both.

``python -m tests.e2e.compare_page`` prints its address.
"""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np

from dashboard import masks
from dashboard.engine import Engine
from dashboard.explore.overlays import failed_pane, no_picture, pane, picture_payload
from dashboard.tabs import compare_photos
from dashboard.tabs.detection_photos import DetectionPhotos
from dashboard.types import Detections
from dashboard.views import STATIC, CompareView
from dashboard.views.strings import I18N
from tests.e2e.map_values import map_values

HEIGHT, WIDTH = 300, 400
NAMES = ["cat", "dog", "<img src=x onerror=\"document.title='hacked'\">"]
TRUTH = np.array([[20, 20, 120, 120], [150, 40, 250, 240], [280, 200, 380, 290]], float)


def picture() -> np.ndarray:
    """Something whose every part is different."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.dstack([x * 255 // WIDTH, y * 255 // HEIGHT, (x // 20 + y // 20) % 2 * 90]).astype(np.uint8)


def objects(xyxy: np.ndarray, classes: list[int], scores: list[float] | None) -> Detections:
    """With masks that fill the boxes."""
    stack = np.zeros((len(xyxy), HEIGHT, WIDTH), bool)
    for mask, (x0, y0, x1, y1) in zip(stack, xyxy.astype(int), strict=True):
        mask[y0:y1, x0:x1] = True
    sure = None if scores is None else np.array(scores)
    return Detections(xyxy, np.array(classes), sure, masks.encode(stack), (HEIGHT, WIDTH))


def judged(key: str = "one", shift: float = 3) -> dict[str, Any]:
    """Truth of two cats and a dog; a model that finds two and invents one; a model that finds one."""
    truth = objects(TRUTH, [0, 0, 1], None)
    facts: Any = [{"iou": 0.83, "giou": 0.8, "confidence": 0.9, "matched": "truth 0"}, None, None]
    first = objects(np.vstack([TRUTH[:2] + shift, [[300, 20, 360, 80]]]), [0, 0, 2], [0.9, 0.6, 0.4])
    second = objects(TRUTH[2:] - shift, [1], [0.8])
    panes = [
        pane("ui.cmp.truth", truth),
        pane("first", first, ["tp", "tp", "fp"], facts, [0, 1, None], truth=truth, note="8.1 ms", stages=[1, 6.1, 1]),
        pane("second <b>", second, ["tp"], None, [2], truth=truth),
    ]
    return picture_payload(key, f"{key}.jpg", picture(), panes, NAMES, confidence=0.25)


def values() -> dict[str, dict[str, Any]]:
    """What the page can show, by name."""
    plain = [pane(n, objects(TRUTH, [0, 1, 1], [0.9, 0.5, 0.3]), class_names=NAMES) for n in ("a", "b", "c")]
    nothing = pane("sees nothing", Detections.none((HEIGHT, WIDTH), scored=True))
    return {
        "judged": judged(),
        "again": judged(shift=5),
        "same": {**judged(), "controls": {"confidence": 0.3, "floor": 0.05}},
        "other": judged("two"),
        "plain": picture_payload("plain", "p", picture(), [*plain, failed_pane("d", "d does not fit: <i>no</i>.")]),
        "nothing": picture_payload("nothing", "n", picture(), [nothing]),
        "broken": {**picture_payload("broken", "n", picture(), plain[:1]), "image": "data:image/jpeg;base64,AAAA"},
        "error": no_picture("error", "x.jpg", "x.jpg is truncated: <b>copy</b> it again"),
        "empty": {},
        **map_values(),
    }


class Finder:
    """A detector by arithmetic: the whole picture in one box of class ``name``, and a corner that is unsure."""

    def __init__(self, name: str, task: str = "detection") -> None:
        self.device = "cpu"
        self.spec = SimpleNamespace(name=name, task=task, class_names=(f"{name} thing", "shared"))

    def preprocess(self, image: np.ndarray) -> tuple[int, int]:
        """All that matters of a picture here."""
        time.sleep(0.002)
        return image.shape[0], image.shape[1]

    def forward(self, items: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Nothing to do."""
        return items

    def postprocess(self, outputs: list[tuple[int, int]]) -> list[Detections]:
        """The same answer for all."""
        boxes = [np.array([[0, 0, w, h], [0, 0, w / 4, h / 4], [0, 0, 9, 9]], float) for h, w in outputs]
        return [Detections(b, np.array([0, 1, 1]), np.array([0.9, 0.1, 0.5])) for b in boxes]

    def predict(self, images: list[np.ndarray]) -> list[Detections]:
        """The three steps."""
        return self.postprocess(self.forward([self.preprocess(image) for image in images]))


def build() -> gr.Blocks:
    """The page."""
    shown = values()
    compare_photos.model_rows = lambda task=None: [{"name": n, "here": True} for n in ("red", "blue")]  # type: ignore[assignment]
    engine = SimpleNamespace(
        public=False, model=lambda name: Finder(name, "tracking" if name == "green" else "detection")
    )
    with gr.Blocks(analytics_enabled=False) as page, gr.Tabs():
        with gr.Tab("compare"):
            pick = gr.Radio(list(shown), value="judged", elem_id="pick")
            view = CompareView(shown["judged"], elem_id="view")
            said = gr.Textbox(elem_id="said")
        with gr.Tab("photos"):
            compare_photos.compare_photos_panel(DetectionPhotos(cast(Engine, engine)))
        pick.change(shown.get, pick, view, show_progress="hidden")

        def tell(evt: gr.SelectData) -> str:
            return json.dumps([evt.index, evt.value])

        view.select(tell, None, said, show_progress="hidden")
    return page


if __name__ == "__main__":
    script = (STATIC / "loupe.js").read_text("utf-8")
    css = (STATIC / "loupe.css").read_text("utf-8")
    _, address, _ = build().launch(
        css=css, head=f"<script>{script}</script>", i18n=I18N, ssr_mode=False, quiet=True, prevent_thread_lock=True,
        show_error=True,
    )  # fmt: skip
    print(address, flush=True)
    time.sleep(3600)
