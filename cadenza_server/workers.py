"""Several server processes behind one port: started, watched, replaced when they die, stopped.

The processes share the open port and the database, and nothing else: no request needs the worker
that answered the one before. A worker that dies takes its connections with it (their clients try
again); those that wait to be accepted are served by the others.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import uvicorn

from cadenza_server.app import create_app
from cadenza_server.hosting import GRACE_SECONDS, StartError, run_worker
from cadenza_server.settings import ServerSettings

log = logging.getLogger("cadenza.server")
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_LOOK_SECONDS = 0.2
#: A worker that ends before this has not served; so many in a row end the server.
_EARLY_SECONDS = 10.0
_MAX_EARLY = 3
_KILL_SECONDS = GRACE_SECONDS + 10.0


@dataclass
class _Worker:
    """One process. When our end of the pipe closes, even by our death, it stops."""

    process: SpawnProcess
    ours: Connection
    started_at: float

    @property
    def is_early(self) -> bool:
        return time.monotonic() - self.started_at < _EARLY_SECONDS


def supervise(
    settings: ServerSettings, listener: socket.socket, on_ready: Callable[[], None]
) -> None:
    """Serve from `settings.workers` processes until SIGINT or SIGTERM.

    Args:
        settings: what to serve.
        listener: the open port.
        on_ready: called once, before the workers are up: connections wait for them in the port.

    Raises:
        StartError: workers ended again and again before they served.
    """
    with _metrics_folder(settings), _until_signal() as stopped:
        # Migrations and mistakes in the settings show here, once, before anything is started.
        create_app(settings).state.services.db.close()
        workers = [_start(settings, listener) for _ in range(settings.workers)]
        on_ready()
        early = 0
        try:
            while not stopped.is_set():
                wait([worker.process.sentinel for worker in workers], timeout=_LOOK_SECONDS)
                for at, worker in enumerate(workers):
                    if worker.process.is_alive() or stopped.is_set():
                        continue
                    log.warning(
                        "worker_died",
                        extra={"pid": worker.process.pid, "exit_code": worker.process.exitcode},
                    )
                    early = early + 1 if worker.is_early else 0
                    if early >= _MAX_EARLY * settings.workers:
                        raise StartError("the workers end as soon as they are started")
                    worker.ours.close()
                    workers[at] = _start(settings, listener)
        finally:
            _stop(workers)


def _start(settings: ServerSettings, listener: socket.socket) -> _Worker:
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(settings, listener, theirs), name="cadenza-worker", daemon=False
    )
    # Ctrl-C reaches the whole group. Only the parent obeys it, and tells the workers when: a worker
    # that is still importing would die with a traceback. What is blocked here stays so over there.
    resource_tracker.ensure_running()  # it would lift the block again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return _Worker(process, ours, time.monotonic())


def _stop(workers: list[_Worker]) -> None:
    """Requests under way are finished; who takes longer than he was given is killed."""
    for worker in workers:
        worker.ours.close()
        worker.process.terminate()
    deadline = time.monotonic() + _KILL_SECONDS
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            log.warning("worker_killed", extra={"pid": worker.process.pid})
            worker.process.kill()
            worker.process.join()


def _work(settings: ServerSettings, listener: socket.socket, parent: Connection) -> None:
    """The life of a worker."""

    def watch_parent(server: uvicorn.Server) -> None:
        def watch() -> None:
            wait([parent])  # nothing is ever sent: it is ready when the other end is gone
            server.should_exit = True

        threading.Thread(target=watch, name="cadenza-parent", daemon=True).start()

    run_worker(settings, listener, watch_parent)


@contextmanager
def _until_signal() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set."""
    stopped = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _metrics_folder(settings: ServerSettings) -> Iterator[None]:
    """Where the workers' metrics are added up; the client library finds it by its name."""
    if settings.metrics == "off" or _METRICS_FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="cadenza-metrics-") as folder:
        os.environ[_METRICS_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_METRICS_FOLDER]
