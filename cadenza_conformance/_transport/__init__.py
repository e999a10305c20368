"""How the driver talks to a client under test: the same JSON objects over three transports.

exec   the driver starts the adapter; one object a line on its stdin and stdout
http   the adapter is a small web service; one object a POST
pull   the adapter asks for work: for an app in a simulator, which cannot listen
"""

from __future__ import annotations

from typing import Any, Protocol


class AdapterError(Exception):
    """The adapter did not answer as the protocol says."""


class AdapterGoneError(AdapterError):
    """The client's process ended by itself."""


class Adapter(Protocol):
    """One client under test, for one scenario."""

    @property
    def is_up(self) -> bool:
        """Whether it can be called now."""
        ...

    @property
    def can_kill(self) -> bool:
        """Whether the driver is able to kill the client and to start it again."""
        ...

    @property
    def pid(self) -> int | None:
        """The client's process, where it runs on this machine."""
        ...

    async def up(self) -> None:
        """Start it, if it is not running."""
        ...

    async def call(self, cmd: str, *, timeout_seconds: float, **fields: Any) -> dict[str, Any]:
        """Send one command and wait for its reply."""
        ...

    async def kill(self) -> None:
        """End it without warning, as the system would."""
        ...

    async def close(self) -> None:
        """The scenario is over."""
        ...

    def log_text(self) -> str:
        """What the client has written to its standard error so far."""
        ...


class AdapterFactory(Protocol):
    """Makes the adapter of one scenario."""

    @property
    def is_parallel(self) -> bool:
        """Whether several scenarios may run at the same time."""
        ...

    async def open(self) -> None:
        """Before the first scenario."""
        ...

    async def close(self) -> None:
        """After the last one."""
        ...

    def make(self, name: str) -> Adapter:
        """An adapter for one scenario; `name` tells instances apart in logs."""
        ...
