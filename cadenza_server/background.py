"""Work off the request path: one thread for each kind, as long as the application runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

log = logging.getLogger("cadenza.server")

_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Job:
    """Something that is done again and again.

    Attributes:
        name: of its thread.
        step: does what is there to do; True when there may be more at once. Leases make it safe
            to be stopped in the middle, and to run in several processes.
        pause_seconds: between two looks that found nothing.
    """

    name: str
    step: Callable[[], object]
    pause_seconds: float


class Background:
    """Runs jobs; a job that fails is logged and tried again after its pause.

    Args:
        jobs: what to run.
        on_stop: called when it stops, before threads are waited for.
    """

    def __init__(self, jobs: Sequence[Job], on_stop: Callable[[], None] = lambda: None) -> None:
        self._jobs = jobs
        self._on_stop = on_stop
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start a thread for each job."""
        self._threads = [
            threading.Thread(target=self._run, args=(job,), name=f"cadenza-{job.name}", daemon=True)
            for job in self._jobs
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the steps that are under way; those that take too long are left behind."""
        self._stopped.set()
        self._on_stop()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    def _run(self, job: Job) -> None:
        while not self._stopped.is_set():
            try:
                found = job.step()
            except Exception:
                if self._stopped.is_set():
                    return
                log.warning("background_job_failed", extra={"job": job.name}, exc_info=True)
                found = None
            if not found:
                self._stopped.wait(job.pause_seconds)
