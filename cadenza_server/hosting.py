"""The ASGI server that carries the app, set up the one way for every process that serves."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Literal

import uvicorn
from fastapi import FastAPI

from cadenza_server.app import create_app
from cadenza_server.logs import configure_logging
from cadenza_server.settings import ServerSettings

HttpParser = Literal["auto", "h11", "httptools"]
#: What requests under way are given to end, when the server is told to stop.
GRACE_SECONDS = 10


class StartError(Exception):
    """The server did not come up."""


class Host(uvicorn.Server):
    """Ends the event streams when it is told to stop; uvicorn waits for them to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does, once no stream holds it up."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.services.feed.close()
        await super().shutdown(sockets)


def host_of(app: FastAPI, *, grace_seconds: int = GRACE_SECONDS, http: HttpParser = "auto") -> Host:
    """A server for this app, not started.

    Args:
        app: from `create_app`.
        grace_seconds: what requests under way are given to end, when it is told to stop.
        http: uvicorn's parser; the faster one that is installed, unless named.
    """
    config = uvicorn.Config(
        app,
        http=http,
        # Uvicorn's own access log has the query string, and so the signatures: ours has not.
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=grace_seconds,
    )
    return Host(config)


def run_worker(
    settings: ServerSettings, listener: socket.socket, on_server: Callable[[uvicorn.Server], None]
) -> None:
    """Serve from one of several processes, until it is told to stop.

    Args:
        settings: what to serve.
        listener: the open port that all workers share.
        on_server: is given the server, to stop it by.
    """
    configure_logging(settings.log_format, settings.log_level)
    server = host_of(create_app(settings))
    on_server(server)
    server.run(sockets=[listener])
