"""exec: the driver starts the adapter and talks to it on standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from cadenza_conformance._transport import AdapterError, AdapterGoneError

_LINE_BYTES = 4 * 1024 * 1024
_CLOSE_SECONDS = 8.0


class ExecFactory:
    """Adapters that are started from a command line."""

    is_parallel = True

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self._command = tuple(command)
        self._env = dict(os.environ if env is None else env)

    async def open(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Nothing to undo."""

    def make(self, name: str) -> ExecAdapter:
        """An adapter process, not started yet."""
        return ExecAdapter(self._command, self._env, name)


class ExecAdapter:
    """One adapter process at a time; a killed one is started again by the next `up`."""

    can_kill = True

    def __init__(self, command: Sequence[str], env: Mapping[str, str], name: str) -> None:
        self._command = tuple(command)
        self._env = dict(env)
        self._process: Process | None = None
        self._lock = asyncio.Lock()
        handle, path = tempfile.mkstemp(prefix=f"cadenza-adapter-{name}-", suffix=".log")
        os.close(handle)
        self._log = Path(path)

    @property
    def is_up(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid if self._process is not None and self.is_up else None

    async def up(self) -> None:
        """Start the process.

        Raises:
            AdapterError: it cannot be started.
        """
        if self.is_up:
            return
        with self._log.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=log,
                    env=self._env,
                    limit=_LINE_BYTES,
                    # A group of its own: what the client starts is killed with it.
                    start_new_session=True,
                )
            except OSError as error:
                raise AdapterError(f"{self._command[0]} cannot be started: {error}") from None

    async def call(self, cmd: str, *, timeout_seconds: float, **fields: Any) -> dict[str, Any]:
        """One line there, one line back.

        Raises:
            AdapterGoneError: the process ended. AdapterError: it answered something else.
        """
        async with self._lock:
            process = self._process
            if process is None or process.stdin is None or process.stdout is None:
                raise AdapterGoneError("the adapter is not running")
            line = json.dumps({"cmd": cmd, **fields}).encode() + b"\n"
            try:
                async with asyncio.timeout(timeout_seconds):
                    process.stdin.write(line)
                    await process.stdin.drain()
                    reply = await process.stdout.readline()
            except TimeoutError:
                raise AdapterError(f"no reply to {cmd} within {timeout_seconds:g} s") from None
            except (ConnectionError, ValueError):
                reply = b""
            if not reply:
                code = await self._ended()
                raise AdapterGoneError(f"the adapter ended with code {code} during {cmd}")
        return parse_reply(reply)

    async def _ended(self) -> int | None:
        assert self._process is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                return await self._process.wait()
        return None

    def signal(self, number: int) -> None:
        """Send a signal to the process group we started."""
        if self._process is not None and self.is_up:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        process = self._process
        if process is None:
            return
        self.signal(signal.SIGKILL)
        await process.wait()
        self._forget()

    async def close(self) -> None:
        """Close its input; kill it when it does not leave by itself."""
        process = self._process
        if process is not None and process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                process.stdin.close()
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await process.wait()
            except TimeoutError:
                self.signal(signal.SIGKILL)
                await process.wait()
        self._forget()
        self._log.unlink(missing_ok=True)

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            # asyncio closes the pipes when the loop next runs; a transport left open is a warning.
            transport = getattr(process, "_transport", None)
            if transport is not None:
                transport.close()

    def log_text(self) -> str:
        """Its standard error so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""


def parse_reply(line: bytes | str) -> dict[str, Any]:
    """A reply object.

    Raises:
        AdapterError: it is none.
    """
    try:
        reply = json.loads(line)
    except ValueError:
        shown = line if isinstance(line, str) else line.decode("utf-8", "replace")
        raise AdapterError(
            f"the adapter answered something that is not JSON: {shown[:80]!r}"
        ) from None
    if not isinstance(reply, dict):
        raise AdapterError("the adapter's answer is not an object")
    return cast("dict[str, Any]", reply)
