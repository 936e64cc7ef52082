"""Long work outside the request: evaluations run one after another in threads of their own and outlive a reload."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dashboard.errors import Cancelled, InputError
from dashboard.evaluation import Progress

ACTIVE = ("queued", "running")
KEEP_S = 6 * 3600
MOST_ACTIVE = 16


@dataclass
class Step:
    """One run of a job.

    Attributes:
        name: for people ("efficientnet_lite0 on photos").
        progress: the latest.
        run_id: once it is finished.
    """

    name: str
    progress: Progress = field(default_factory=lambda: Progress("queued"))
    run_id: str | None = None


@dataclass
class Job:
    """Work a person started and may watch, reload, or cancel.

    Attributes:
        id: unguessable.
        steps: in order.
        state: "queued", "running", "done", "cancelled" or "failed".
        error: one sentence, when failed.
        started, ended: seconds since the epoch.
        owner: whose it is, "" for nobody's.
        cancel: set to stop.
    """

    id: str
    steps: list[Step]
    state: str = "queued"
    error: str = ""
    started: float = field(default_factory=time.time)
    ended: float | None = None
    owner: str = ""
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def run_ids(self) -> list[str]:
        """Finished runs, in order."""
        return [s.run_id for s in self.steps if s.run_id]


Work = Callable[[Callable[[Progress], None], threading.Event], str]
"""Does one step: takes ``say`` and ``cancel``, returns the run's id."""


class Jobs:
    """Jobs by id. One device, so one job runs at a time; the others wait their turn.

    Args:
        longest_s: how long a job of somebody's may run; what it has done by then is kept. None for as long as it takes.
    """

    def __init__(self, longest_s: float | None = None) -> None:
        self.longest_s = longest_s
        self._jobs: dict[str, Job] = {}
        self._guard = threading.Lock()
        self._turn = threading.Condition()
        self._line: deque[Job] = deque()  # the first one runs

    def start(self, works: Sequence[tuple[str, Work]], owner: str = "") -> Job:
        """Queue named steps and return at once.

        Args:
            works: name and work of each step.
            owner: whose job it is (a browser session); one at a time for each, ``MOST_ACTIVE`` for all.

        Raises:
            InputError: too many are waiting already.
        """
        job = Job(uuid.uuid4().hex, [Step(name) for name, _ in works], owner=owner)
        with self._guard:
            self._forget_old()
            active = [j for j in self._jobs.values() if j.state in ACTIVE]
            if owner and any(j.owner == owner for j in active):
                raise InputError("An evaluation of yours is running already: wait for it or stop it first.")
            if len(active) >= MOST_ACTIVE:
                raise InputError(f"{len(active)} evaluations are waiting already: try again when some are done.")
            self._jobs[job.id] = job
        with self._turn:
            self._line.append(job)
        context = contextvars.copy_context()  # a Space's visitor is known by context variables
        thread = threading.Thread(target=context.run, args=(self._run, job, list(works)), daemon=True, name="job")
        thread.start()
        return job

    def get(self, job_id: str | None) -> Job | None:
        """The job, or None if it is unknown (a restart, an old tab)."""
        return self._jobs.get(job_id or "")

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        with self._turn:
            return not self._line

    def wait(self, job: Job, timeout: float) -> None:
        """Wait until it has ended, at most ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while job.state in ACTIVE and time.monotonic() < end:
            time.sleep(0.02)

    def cancel_all(self) -> None:
        """Stop everything (the app is closing); what was finished is kept."""
        for job in list(self._jobs.values()):
            job.cancel.set()

    def _run(self, job: Job, works: list[tuple[str, Work]]) -> None:
        """A job's life in its own thread, whatever happens."""
        error, state = "", "failed"
        limit = threading.Timer(self.longest_s or 0.0, job.cancel.set)
        limit.daemon = True
        try:
            with self._turn:
                while self._line[0] is not job:
                    if job.cancel.is_set():
                        raise Cancelled("Stopped before it began.")
                    self._turn.wait(0.1)
            job.state = "running"
            if self.longest_s is not None and job.owner:
                limit.start()
            for step, (_, work) in zip(job.steps, works, strict=True):
                self._step(job, step, work)
            state = "done"
        except Cancelled as stop:
            state, error = "cancelled", str(stop)
            if self.longest_s is not None and limit.finished.is_set():
                error = f"This server works on one task for {self.longest_s / 60:.0f} minutes. {stop}"
        except InputError as problem:
            error = str(problem)
        except BaseException as problem:  # a model's own code may even raise SystemExit; the job must not hang
            traceback.print_exc()
            error = f"Something unexpected went wrong ({type(problem).__name__}: {problem})."
        finally:
            limit.cancel()
            with self._turn:
                self._line.remove(job)
                self._turn.notify_all()
            job.error, job.ended = error, time.time()
            job.state = state  # last: who waits for it finds the rest in place

    @staticmethod
    def _step(job: Job, step: Step, work: Work) -> None:
        """One run of a job."""
        if job.cancel.is_set():
            raise Cancelled("Stopped.")

        def say(progress: Progress) -> None:
            step.progress = progress

        step.progress = Progress("loading")
        step.run_id = work(say, job.cancel)
        step.progress = Progress("done", step.progress.total, step.progress.total)

    def _forget_old(self) -> None:
        limit = time.time() - KEEP_S
        for key in [k for k, j in self._jobs.items() if j.ended is not None and j.ended < limit]:
            with contextlib.suppress(KeyError):
                del self._jobs[key]
