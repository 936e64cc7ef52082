"""A person's own photos through up to four models, side by side in synced panes, with per-stage latency."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.util import find_spec as find_package
from pathlib import Path
from typing import Any

import gradio as gr

from dashboard.datasets.images import read_image
from dashboard.datasets.opening import open_dataset
from dashboard.engine import Engine
from dashboard.errors import InputError
from dashboard.explore import overlays, thumb_data
from dashboard.tabs.common import DEVICE, EVENT, PICK, toast
from dashboard.tabs.evaluate_panel import refuse_paths
from dashboard.tabs.photos_panel import photo_controls
from dashboard.types import Image, Prediction
from dashboard.views import CompareView, StripView
from models.base import OutOfMemory
from models.load import model_rows

MOST_PHOTOS = 32
THUMB = 160
EXAMPLES = (
    *(("skimage", f"data/{name}") for name in ("astronaut.png", "coffee.png", "rocket.jpg", "chelsea.png")),
    ("skimage", "data/motorcycle_left.png"),
    *(("ultralytics", f"assets/{name}") for name in ("bus.jpg", "zidane.jpg")),
)
SCENES = (38, 43, 16, 54, 35)
"""Which of ``demo:scenes`` are among the examples: full ones, one with a crowd, an empty one."""


@dataclass(frozen=True)
class Photo:
    """A picture to look at.

    Attributes:
        name: for people.
        load: returns it; raises InputError saying why it cannot be read.
        truth: what is in it, where that is known.
        class_names: of the truth.
    """

    name: str
    load: Callable[[], Image]
    truth: Prediction | None = None
    class_names: tuple[str, ...] = ()


@dataclass(eq=False)
class Answers:
    """What the models said of one photo: the panes, or why it could not be read."""

    photo: Photo
    panes: list[dict[str, Any]] = field(default_factory=list)
    item: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Looked:
    """What a visitor has on the page; pictures are read again when they are shown."""

    answers: list[Answers]
    examples: bool


@cache
def example_photos(task: str) -> tuple[Photo, ...]:
    """Generated scenes with their truth, and photos that installed packages carry: the tab works offline at once."""
    scenes: Any = open_dataset("demo:scenes", task=task)
    samples = [scenes[i] for i in SCENES]
    photos = [Photo(f"{s.id}.png", s.load, s.target, tuple(scenes.class_names)) for s in samples]
    for package, path in EXAMPLES:
        spec = find_package(package)  # looks where it is, imports nothing
        file = Path(spec.origin).parent / path if spec is not None and spec.origin else None
        if file is not None and file.is_file():
            photos.append(_photo_of(file))
    return tuple(photos)


def _photo_of(file: Path) -> Photo:
    return Photo(file.name, partial(read_image, file))


class ComparePhotos(ABC):
    """Handlers of such a panel.

    Attributes:
        tasks: whose models can be chosen.
        truth: the task whose truth the examples come with.
        first: models chosen at first, if they are here.
        wanted: what to choose, for errors.
        prefix: of the elements' ids.
        texts: prefix of the keys of the panel's texts.
        at: the confidence from which the strip counts objects, or None.
    """

    tasks: tuple[str, ...]
    truth: str
    first: tuple[str, ...]
    wanted: str
    prefix: str
    texts: str
    at: float | None = None

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @abstractmethod
    def pane(self, adapter: Any, found: Any, note: str, stages: Sequence[float]) -> dict[str, Any]:
        """A model's pane. Raises InputError if the answer is of another kind."""

    @abstractmethod
    def truth_pane(self, photo: Photo) -> dict[str, Any]:
        """The pane of what is known to be in a photo."""

    @abstractmethod
    def count(self, pane: dict[str, Any]) -> int:
        """How much a model found."""

    @abstractmethod
    def payload(self, key: str, photo: Photo, image: Image, panes: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """A photo and its panes as the view takes them."""

    def run(self, files: Sequence[str] | None, names: Sequence[str] | None, before: Looked | None) -> tuple[Any, ...]:
        """What to keep, the strip, and the first photo. Without files: the examples again, if they were shown."""
        if files:
            return self._look([_photo_of(Path(f)) for f in files], names, examples=False)
        if before is not None and before.examples:
            return self.examples(names)
        raise InputError("Drop at least one photo, or use the example photos.")

    def examples(self, names: Sequence[str] | None) -> tuple[Any, ...]:
        """The same on the example photos."""
        return self._look(example_photos(self.truth), names, examples=True)

    def show(self, looked: Looked | None, evt: gr.SelectData) -> dict[str, Any]:
        """The photo that was chosen in the strip."""
        if looked is None or not isinstance(evt.index, int) or not 0 <= evt.index < len(looked.answers):
            raise InputError("These photos are no longer kept here: run the models again.")
        return self._view(looked.answers[evt.index], evt.index)

    def _look(self, photos: Sequence[Photo], names: Sequence[str] | None, examples: bool) -> tuple[Any, ...]:
        names = list(names or [])
        if not 1 <= len(names) <= 4:
            raise InputError(f"Choose one to four models, not {len(names)}.")
        if self.engine.public:
            refuse_paths(names, {})
        adapters = [self.load(name) for name in names]
        for adapter in adapters:
            if adapter.spec.task not in self.tasks:
                raise InputError(f"{adapter.spec.name} is a model for {adapter.spec.task}: choose {self.wanted}.")
        notes = []
        if len(photos) > MOST_PHOTOS:
            notes.append(
                f"Only the first {MOST_PHOTOS} of {len(photos)} photos are shown: evaluate a dataset for more."
            )
        warm: set[int] = set()
        answers = [self._answers(photo, adapters, warm) for photo in photos[:MOST_PHOTOS]]
        strip = {
            "items": [a.item for a in answers],
            "on": 0,
            "notes": notes,
            "at": self.at,
            "counts": f"{self.texts}.counts",
        }
        return Looked(answers, examples), strip, self._view(answers[0], 0)

    def load(self, name: str) -> Any:
        """A model by name."""
        return self.engine.model(name)

    def _answers(self, photo: Photo, adapters: Sequence[Any], warm: set[int]) -> Answers:
        """One photo through all models; a photo that cannot be read says why, a model that fails too."""
        try:
            image = photo.load()
        except InputError as error:
            return Answers(photo, item={"name": photo.name, "error": named(error, photo)})
        panes = []
        for k, adapter in enumerate(adapters):
            try:
                pane = self._timed(adapter, image, k not in warm)
                warm.add(k)
            except InputError as error:
                pane = overlays.failed_pane(adapter.spec.name, named(error, photo))
            except OutOfMemory:
                reason = f"does not fit in the memory of {adapter.device}: choose a smaller model or --device cpu"
                pane = overlays.failed_pane(adapter.spec.name, f"{adapter.spec.name} {reason}.")
            panes.append(pane)
        counts = [None if "error" in pane else self.count(pane) for pane in panes]
        if photo.truth is not None and len(panes) < 4:
            panes.append(self.truth_pane(photo))
        return Answers(photo, panes, {"name": photo.name, "thumb": thumb_data(image, THUMB), "counts": counts})

    def _timed(self, adapter: Any, image: Image, warm_up: bool) -> dict[str, Any]:
        """A model's pane with its milliseconds of preprocess, forward and postprocess at batch 1."""
        if warm_up:
            adapter.predict([image])
        t0 = time.perf_counter()
        item = adapter.preprocess(image)
        t1 = time.perf_counter()
        outputs = adapter.forward([item])
        t2 = time.perf_counter()
        found = adapter.postprocess(outputs)[0]
        stages = [1e3 * (t1 - t0), 1e3 * (t2 - t1), 1e3 * (time.perf_counter() - t2)]
        return self.pane(adapter, found, f"{sum(stages):.1f} ms", stages)

    def _view(self, answers: Answers, index: int) -> dict[str, Any]:
        """The compare view of one photo."""
        key, photo = f"{index} {answers.photo.name}", answers.photo
        if "error" in answers.item:
            return overlays.no_picture(key, photo.name, answers.item["error"])
        try:
            image = photo.load()
        except InputError as error:  # an upload that has been cleaned away since
            return overlays.no_picture(key, photo.name, named(error, photo))
        return self.payload(key, photo, image, answers.panes)


def named(error: InputError, photo: Photo) -> str:
    """The message with the photo's name in the place of where the server has put it."""
    file = photo.load.args[0] if isinstance(photo.load, partial) and photo.load.args else photo.name
    return str(error).replace(str(file), photo.name)


def compare_photos_panel(do: ComparePhotos) -> None:
    """Build the panel inside the current ``gr.Tab``."""
    here = list(dict.fromkeys(r["name"] for task in do.tasks for r in model_rows(task=task) if r["here"]))
    first = [n for n in do.first if n in here] or here[:2]
    looked = gr.State(None)
    files, names, go, examples = photo_controls(do.prefix, do.texts, here, first)
    strip = StripView(elem_id=f"{do.prefix}-strip")
    view = CompareView(elem_id=f"{do.prefix}-view")
    everything = [looked, strip, view]
    go.click(toast(do.run), [files, names, looked], everything, **DEVICE)
    files.upload(toast(do.run), [files, names, looked], everything, trigger_mode="always_last", **DEVICE)
    examples.click(lambda: None, None, files, **EVENT).then(toast(do.examples), names, everything, **DEVICE)
    strip.select(toast(do.show), looked, view, **PICK)
