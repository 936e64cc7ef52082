"""An onnxruntime session that reads nothing but the bytes it is given, in batches as the file takes them."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import InputError
from models.base import LoadOptions, OutOfMemory
from models.torch_adapter import cpu_threads

T = TypeVar("T")
TRIAL_SECONDS = 60  # for one picture at loading; a graph may hold an endless loop
RUN_SECONDS = 120.0  # of any batch, and
TIMES_TRIAL = 50  # so many times what the trial took for as many numbers: a loop may be endless for some pictures only
_NO_MEMORY = ("Failed to allocate", "out of memory", "bad allocation", "OUT_OF_MEMORY")


class _Clock:
    """One thread for all sessions that ends runs which take too long; a timer a run would cost small models a tenth."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[float, Any]] = {}
        self._guard = threading.Lock()
        self._started = False

    @staticmethod
    def options() -> Any:
        """How to run once."""
        import onnxruntime

        return onnxruntime.RunOptions()

    @contextlib.contextmanager
    def until(self, deadline: float, how: Any) -> Iterator[None]:
        """End what runs inside with ``how`` when ``time.monotonic()`` is past ``deadline``."""
        if not self._started:
            with self._guard:
                if not self._started:
                    threading.Thread(target=self._watch, daemon=True, name="onnx clock").start()
                    self._started = True
        self._running[id(how)] = deadline, how
        try:
            yield
        finally:
            self._running.pop(id(how), None)

    def _watch(self) -> None:
        while True:
            time.sleep(0.5)
            for deadline, how in list(self._running.values()):
                if time.monotonic() > deadline:
                    how.terminate = True


_CLOCK = _Clock()


class Session:
    """One ONNX file, open.

    Args:
        path: for messages.
        data: the file's bytes.
        options: device, threads.

    Attributes:
        device: "cpu" or "cuda:N".
        threads: on the CPU.
        inputs: onnxruntime's descriptions: name, type, shape.
        outputs: the same.
        metadata: what the exporter wrote into the file.

    Raises:
        InputError: damaged or too new a file, no such device.
    """

    def __init__(self, path: Path, data: bytes, options: LoadOptions) -> None:
        self.path = path
        self.threads = cpu_threads(options)
        session, self.device = _open(path, data, options, self.threads)
        self._session: Any = session
        self._how: Any = None
        self._pace = 0.0  # seconds for a number of the input, in the trial
        self.inputs: list[Any] = session.get_inputs()
        self.outputs: list[Any] = session.get_outputs()
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)

    def run(self, outputs: Sequence[str], name: str, batch: NDArray[Any], fixed: int | None) -> list[NDArray[Any]]:
        """The named outputs for a batch, fed as the input ``name``, ``fixed`` pictures at a time if that is not None.

        Raises:
            OutOfMemory: for this batch.
            InputError: the file does not take pictures of this size.
            ValueError: the session has been closed.
        """
        if self._session is None:
            raise ValueError(f"{self.path.name} has been closed")
        size = fixed or len(batch)
        parts = [self._part(outputs, name, batch[start : start + size], size) for start in range(0, len(batch), size)]
        return parts[0] if len(parts) == 1 else [np.concatenate(several) for several in zip(*parts, strict=True)]

    def _part(self, outputs: Sequence[str], name: str, batch: NDArray[Any], size: int) -> list[NDArray[Any]]:
        have = len(batch)
        if have < size:  # the file takes exactly ``size``
            batch = np.concatenate([batch, np.repeat(batch[-1:], size - have, axis=0)])
        how = self._how or _CLOCK.options()
        most = max(RUN_SECONDS, TIMES_TRIAL * self._pace * batch.size)
        begin = time.monotonic()
        try:
            with _CLOCK.until(begin + most, how):
                found = self._session.run(list(outputs), {name: batch}, how)
            if how is self._how:
                self._pace = max(self._pace, (time.monotonic() - begin) / batch.size)
        except Exception as error:
            if how.terminate and how is not self._how:
                raise InputError(
                    f"{self.path} was stopped after {most:.0f} s of one batch: it may never end for these pictures."
                ) from error
            text = str(error)
            if any(sign in text for sign in _NO_MEMORY):
                raise OutOfMemory(text.splitlines()[0]) from error
            height, width = batch.shape[2:] if batch.shape[1] in (1, 3) else batch.shape[1:3]
            raise InputError(
                f"{self.path.name} does not take {height}x{width} pictures: give its size with --set input_size=HxW "
                f"({' '.join(text.split())[:160]})."
            ) from error
        arrays = [np.asarray(one) for one in found]
        if any(one.ndim == 0 or one.shape[0] != size for one in arrays):
            shapes = ", ".join(str(one.shape) for one in arrays)
            raise InputError(f"{self.path.name} does not answer each picture by itself: {size} gave {shapes}.")
        return [one[:have] for one in arrays]

    def trial(self, work: Callable[[], T]) -> T:
        """``work``, which runs the session. Raises InputError if it takes more than ``TRIAL_SECONDS``."""
        import onnxruntime

        self._how = how = onnxruntime.RunOptions()
        stop = threading.Timer(TRIAL_SECONDS, setattr, (how, "terminate", True))
        stop.daemon = True
        stop.start()
        try:
            return work()
        except InputError as error:
            if how.terminate:
                raise InputError(
                    f"{self.path} takes over {TRIAL_SECONDS} s for one picture: it may never end."
                ) from error
            raise
        finally:
            stop.cancel()
            self._how = None

    def close(self) -> None:
        """Drop the session."""
        self._session = None


def _open(path: Path, data: bytes, options: LoadOptions, threads: int) -> tuple[Any, str]:
    import onnxruntime

    device, providers = "cpu", ["CPUExecutionProvider"]
    name = options.device.lower()
    if name.startswith("cuda") or name == "auto":
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            number = name.partition(":")[2] or "0"
            device, providers = f"cuda:{number}", [("CUDAExecutionProvider", {"device_id": number}), *providers]  # type: ignore[list-item]
        elif name != "auto":
            raise InputError(f"Device {options.device!r} cannot be used for {path.name}: this onnxruntime has no CUDA.")
    elif name != "cpu":
        raise InputError(f"Device must be 'auto', 'cpu' or 'cuda:N', got {options.device!r}.")
    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = threads
    how.inter_op_num_threads = 1
    how.log_severity_level = 4
    # A second lock behind ``graph.external``: tensors in other files would be looked for in an empty folder, not in the
    # working directory; and the bytes are read as what was looked through, ONNX.
    how.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        with tempfile.TemporaryDirectory(prefix="loupe-") as empty:
            how.add_session_config_entry("session.model_external_initializers_file_folder_path", empty)
            session = onnxruntime.InferenceSession(data, how, providers=providers, enable_fallback=0)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be loaded by onnxruntime; it is damaged or too new: {text}") from error
    if device != "cpu" and "CUDAExecutionProvider" not in session.get_providers():  # CUDA's libraries did not load
        if name != "auto":
            raise InputError(f"Device {options.device!r} cannot be used for {path.name}: onnxruntime finds no CUDA.")
        device = "cpu"
    return session, device
