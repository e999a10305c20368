"""Running the server: in the foreground for people, in a thread for tests and demos."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import uvicorn
from fastapi import FastAPI

from cadenza_server.app import create_app
from cadenza_server.hosting import HttpParser, StartError, host_of
from cadenza_server.logs import configure_logging
from cadenza_server.settings import ServerSettings
from cadenza_server.workers import supervise

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_START_SECONDS = 20.0
_STOP_SECONDS = 20.0


class ExposedDevServerError(Exception):
    """A dev server signs in anybody as anybody: it is for this machine only."""


def serve(
    settings: ServerSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are finished first.

    Args:
        settings: what to serve, and from how many processes.
        host: address to listen on.
        port: 0 for any free one.
        on_ready: called with the URL once the port is open.

    Raises:
        ExposedDevServerError: `env` is dev and the address is not this machine's own.
        OSError: the port is taken.
        StartError: no worker came up.
    """
    if settings.is_dev and host not in _LOOPBACK:
        raise ExposedDevServerError(
            f"In dev anybody can sign in as anybody, so {host} is refused. "
            "Listen on 127.0.0.1, or set CADENZA_ENV and CADENZA_SECRET."
        )
    configure_logging(settings.log_format, settings.log_level)
    listener = _listen(host, port)
    with listener:
        if settings.workers > 1:
            supervise(settings, listener, partial(_announce, on_ready, listener))
            return
        server = host_of(create_app(settings))
        _announce(on_ready, listener)
        server.run(sockets=[listener])


@dataclass(frozen=True)
class RunningServer:
    """A server in a thread of this process.

    Attributes:
        url: where it is, without a trailing slash.
    """

    url: str
    _server: uvicorn.Server
    _thread: threading.Thread
    _listener: socket.socket

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._listener.close()

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()


def run_in_thread(
    app: FastAPI, *, host: str = "127.0.0.1", port: int = 0, http: HttpParser = "auto"
) -> RunningServer:
    """Serve an app over a real socket, in a thread; for tests, demos and benchmarks.

    Args:
        app: from `create_app`.
        host: address to listen on.
        port: 0 for any free one.
        http: uvicorn's parser; the faster one that is installed, unless named.

    Raises:
        StartError: it ended before it was up.
    """
    listener = _listen(host, port)
    server = host_of(app, grace_seconds=2, http=http)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="cadenza-server", daemon=True
    )
    thread.start()
    deadline = threading.Event()
    waited = 0.0
    while not server.started:
        if not thread.is_alive() or waited > _START_SECONDS:
            listener.close()
            raise StartError("the server did not start")
        deadline.wait(0.005)
        waited += 0.005
    return RunningServer(_url(listener), server, thread, listener)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener


def _announce(on_ready: Callable[[str], None] | None, listener: socket.socket) -> None:
    if on_ready:
        on_ready(_url(listener))


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
