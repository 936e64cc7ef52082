"""A page with the enhancement view alone, on pictures made here; started by its tests.

``python -m tests.e2e.enhance_page`` prints its address.
"""

from __future__ import annotations

import time
from typing import Any

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

from dashboard.explore.enhance_panes import failed_pane, model_pane, no_picture, payload, plain_pane
from dashboard.metrics.enhancement.measured import measure
from dashboard.types import EnhancedImage, Image
from dashboard.views import STATIC, EnhanceView
from dashboard.views.strings import I18N

HEIGHT, WIDTH = 240, 320
SCALE, BORDER = 2, 4


def reference(height: int = HEIGHT, width: int = WIDTH) -> Image:
    """Smooth colours, a chequered part, and a bright disc."""
    y, x = np.mgrid[:height, :width]
    picture = np.dstack([x * 200 // width + 20, y * 180 // height + 30, (x // 10 + y // 10) % 2 * 90 + 60])
    picture[(y - height / 3) ** 2 + (x - width / 1.4) ** 2 < (height / 6) ** 2] = [230, 210, 120]
    return picture.astype(np.uint8)


def noisy(sigma: float, seed: int = 0) -> Image:
    """The reference with noise, as a denoiser is given it."""
    values = reference() + np.random.default_rng(seed).normal(0, sigma, (HEIGHT, WIDTH, 3))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def small() -> Image:
    """The reference half as large."""
    found: Any = cv2.resize(reference(), (WIDTH // SCALE, HEIGHT // SCALE), interpolation=cv2.INTER_AREA)
    return found


def answers() -> dict[str, Image]:
    """What three models make of ``small``."""
    sharp: Any = cv2.resize(small(), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    plain: Any = cv2.resize(small(), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    off = sharp.copy()
    off[100:140, 40:90] = np.clip(off[100:140, 40:90] + np.array([60, -30, 0]), 0, 255)
    return {"bicubic": sharp, "nearest <b>": plain, "off": off}


def alpha() -> NDArray[np.uint8]:
    """Clear at the left, opaque at the right."""
    return np.repeat(np.linspace(0, 255, WIDTH).round().astype(np.uint8)[None], HEIGHT, 0)


def restored(key: str, given: Image, found: dict[str, Image], border: int = 0, **options: Any) -> dict[str, Any]:
    """The input, the reference and what models made of it."""
    truth = reference()
    reduced = options.get("reduced", 1)
    panes = [
        plain_pane("ui.ev.input", "input", EnhancedImage(given), options.get("input_reduced", reduced)),
        plain_pane("ui.ev.reference", "reference", EnhancedImage(truth), reduced),
    ]
    for k, (name, picture) in enumerate(found.items()):
        stages = (1.0, 10.1 + k, 1.2)
        numbers = measure(picture, truth, border)
        made = EnhancedImage(picture, 1, options.get("alpha"))
        panes.append(model_pane(name, made, truth, numbers, border, reduced, f"{sum(stages):.1f} ms", stages))
    return payload(key, f"{key}.png", panes, (HEIGHT, WIDTH), border, reduced)


def unreferenced() -> dict[str, Any]:
    """Two models without anything to compare them with."""
    panes = [plain_pane("ui.ev.input", "input", EnhancedImage(noisy(20)))]
    for name, picture in {"soft": cv2.GaussianBlur(noisy(20), (5, 5), 1), "grey": noisy(20, 1)}.items():
        made: Any = picture
        panes.append(model_pane(name, EnhancedImage(made), None, measure(made, None), note="3.0 ms"))
    return payload("unreferenced", "mine.jpg", panes, (HEIGHT, WIDTH))


def denoised() -> dict[str, Any]:
    """Six panes: four models, one of them perfect."""
    soft: dict[str, Any] = {f"blur {s}": np.asarray(cv2.GaussianBlur(noisy(25), (7, 7), s)) for s in (0.6, 1.0, 1.6)}
    return restored("denoised", noisy(25), {**soft, "perfect": reference()})


def broken() -> dict[str, Any]:
    """A picture that is none, and a model without an answer."""
    value = restored("broken", small(), dict(list(answers().items())[:2]), BORDER)
    value["panes"][2]["image"] = "data:image/png;base64,AAAA"
    value["panes"].append(failed_pane("slow", "slow has no answer: <i>out of memory</i>."))
    return value


def values() -> dict[str, dict[str, Any]]:
    """What the page can show, by name."""
    enlarged = restored("enlarged", small(), answers(), BORDER)
    faded = {"clear": reference() // 2, "bicubic": answers()["bicubic"]}
    one = plain_pane("ui.ev.input", "input", EnhancedImage(small()))
    again = {**enlarged, "panes": [dict(p) for p in enlarged["panes"]]}
    again["panes"][2] = {**again["panes"][2], "note": "9.9 ms"}
    return {
        "enlarged": enlarged,
        "again": again,
        "other": {**enlarged, "key": "two", "title": "two.png"},
        "denoised": denoised(),
        "unreferenced": unreferenced(),
        "alpha": restored("alpha", reference(), faded, alpha=alpha()),
        "reduced": restored("reduced", small(), answers(), BORDER, reduced=2, input_reduced=1),
        "single": payload("single", "single", [one], (HEIGHT // SCALE, WIDTH // SCALE)),
        "broken": broken(),
        "error": no_picture("error", "x.jpg", "x.jpg is truncated: <b>copy</b> it again"),
        "empty": {},
    }


def build(shown: dict[str, dict[str, Any]]) -> gr.Blocks:
    """The page."""
    with gr.Blocks(analytics_enabled=False, fill_width=True) as page:
        pick = gr.Radio(list(shown), value=next(iter(shown)), elem_id="pick")
        view = EnhanceView(next(iter(shown.values())), elem_id="view")
        pick.change(shown.get, pick, view, show_progress="hidden")
    return page


def launch(page: gr.Blocks) -> str:
    """Its address."""
    script = (STATIC / "loupe.js").read_text("utf-8")
    css = (STATIC / "loupe.css").read_text("utf-8")
    _, address, _ = page.launch(
        css=css, head=f"<script>{script}</script>", i18n=I18N, ssr_mode=False, quiet=True, prevent_thread_lock=True,
        show_error=True,
    )  # fmt: skip
    return address


if __name__ == "__main__":
    print(launch(build(values())), flush=True)
    time.sleep(3600)
