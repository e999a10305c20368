"""How to reach a client under test; see `_transport` for the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cadenza_conformance._transport import AdapterError, AdapterFactory
from cadenza_conformance._transport._commands import Commands
from cadenza_conformance._transport._exec import ExecFactory
from cadenza_conformance._transport._http import HttpFactory
from cadenza_conformance._transport._pull import PullFactory

__all__ = ["AdapterError", "AdapterFactory", "exec_adapter", "http_adapter", "pull_adapter"]


def exec_adapter(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> AdapterFactory:
    """The driver starts the adapter, one process a scenario, several at a time.

    Args:
        command: program and arguments.
        env: its environment; default: this process's.
    """
    return ExecFactory(command, env=env)


def http_adapter(
    url: str, *, kill_command: str | None = None, start_command: str | None = None
) -> AdapterFactory:
    """The adapter is a web service that runs already.

    Args:
        url: where commands are posted.
        kill_command: ends the client; with `start_command` it gives the capability `kill`.
        start_command: starts it again.
    """
    return HttpFactory(url, Commands(kill_command, start_command))


def pull_adapter(
    *,
    host: str = "127.0.0.1",
    port: int = 8943,
    kill_command: str | None = None,
    start_command: str | None = None,
) -> AdapterFactory:
    """The client asks `GET /driver/next` for commands and posts to `/driver/result`.

    Args:
        host: address to listen on.
        port: to listen on.
        kill_command: as for `http_adapter`.
        start_command: likewise.
    """
    return PullFactory(host=host, port=port, commands=Commands(kill_command, start_command))
