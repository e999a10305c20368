"""The parent's side of the probe process: starting it, hearing it, ending it.

Hostile media meet a decoder only in there: its own process group, an empty environment, rlimits
(SEC-22), a wall clock held here. The parent imports neither av nor PIL.
"""

from __future__ import annotations

import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from ._errors import (
    MediaError,
    ProbeCrashedError,
    ProbeTimeoutError,
    ProbeUnavailableError,
    error_kinds,
)

CHILD = Path(__file__).with_name("_child.py")
# A record is a few hundred bytes; a thumbnail some 30 kB. More than this is no answer of ours.
MAX_LINE_BYTES = 64 * 1024
MAX_JPEG_BYTES = 1024 * 1024
# How long a process that closed its output may take to be gone.
_FAREWELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What a probe process may use. Measured: 192 MB are enough for 4K (85-media §5.2)."""

    memory_bytes: int = 1 << 30
    cpu_seconds: int = 5
    file_bytes: int = 0


class Child:
    """One probe process at work. A context manager: on exit its whole group is dead."""

    def __init__(
        self,
        order: Mapping[str, Any],
        *,
        fds: Sequence[int] = (),
        budget: Budget,
        jobs: int = 1,
        command: Sequence[str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        full_order = {
            **order,
            "import_paths": import_paths(),
            "memory_bytes": budget.memory_bytes,
            "file_bytes": budget.file_bytes,
            "cpu_seconds": budget.cpu_seconds,
            "cpu_seconds_at_most": (budget.cpu_seconds + 1) * max(1, jobs) + 1,
        }
        self._monotonic = monotonic
        self._buffer = bytearray()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own file, by our own Python
                [*(command or (sys.executable, "-I", "-S", str(CHILD))), json.dumps(full_order)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=fds,
                env=_environment(),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise ProbeUnavailableError(
                "probe_unavailable",
                "The video could not be looked at now: no helper process could be started.",
                measured=error.strerror,
            ) from error
        assert self._process.stdout is not None
        self._out = self._process.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Kill the group, whatever it is doing, and reap it."""
        if self._process.stdout is None or self._process.stdout.closed:
            return
        # The group is signalled before the leader is reaped, so its number is still ours.
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()
        self._process.wait()
        self._selector.close()
        self._process.stdout.close()

    @property
    def returncode(self) -> int | None:
        """How the process ended, once `end` has been called."""
        return self._process.returncode

    def record(self, deadline: float) -> dict[str, Any]:
        """The next line of JSON.

        Raises:
            ProbeTimeoutError: Nothing came before the deadline, or the processor limit struck.
            ProbeCrashedError: The process died or spoke nonsense.
            MediaError: What the process found wrong with the file.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                raise nonsense()
            self._more(deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            record: object = json.loads(line)
        except ValueError:
            raise nonsense() from None
        if not isinstance(record, dict):
            raise nonsense()
        fields = cast("dict[str, Any]", record)
        if "error" in fields:
            raise _told_error(fields)
        return fields

    def data(self, size_bytes: int, deadline: float) -> bytes:
        """The bytes that follow a record."""
        if not 0 <= size_bytes <= MAX_JPEG_BYTES:
            raise nonsense()
        while len(self._buffer) < size_bytes:
            self._more(deadline)
        data = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]
        return data

    def waits(self, seconds: float) -> bool:
        """Wait at most so long; whether there is still nothing to read."""
        return b"\n" not in self._buffer and not self._selector.select(seconds)

    def _more(self, deadline: float) -> None:
        if not self._selector.select(max(0.0, deadline - self._monotonic())):
            raise ProbeTimeoutError(
                "probe_timeout", "The video takes too long to be looked at.", measured="wall time"
            )
        chunk = os.read(self._out, 65536)
        if not chunk:
            raise self._death()
        self._buffer += chunk

    def _death(self) -> MediaError:
        try:
            status = self._process.wait(timeout=_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            return nonsense()  # it closed its output and lives on
        if status == -signal.SIGXCPU:
            return ProbeTimeoutError(
                "probe_timeout",
                "The video takes too long to be looked at.",
                measured="processor time",
            )
        measured = f"signal {-status}" if status < 0 else f"exit {status}"
        return ProbeCrashedError(
            "probe_crashed", "The video cannot be read: reading it fails badly.", measured=measured
        )


def import_paths() -> list[str]:
    """Where the probe process finds av and PIL, without importing them here.

    Raises:
        ProbeUnavailableError: They are not installed.
    """
    paths: list[str] = []
    for name in ("av", "PIL"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ProbeUnavailableError(
                "probe_unavailable",
                f"Videos cannot be looked at: the Python package {name} is not installed.",
            )
        path = str(Path(spec.origin).parent.parent)
        if path not in paths:
            paths.append(path)
    return paths


def _environment() -> dict[str, str]:
    # Some Pythons find their own library only this way; nothing else of ours is theirs to see.
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}


def _told_error(record: Mapping[str, Any]) -> MediaError:
    kind = error_kinds().get(str(record["error"]))
    measured = record.get("measured")
    if kind is None:
        return nonsense()
    return kind(
        str(record.get("code")),
        str(record.get("sentence")),
        measured=None if measured is None else str(measured),
    )


def nonsense() -> ProbeCrashedError:
    """The process said something it never says."""
    return ProbeCrashedError(
        "probe_crashed",
        "The video cannot be read: reading it fails badly.",
        measured="no proper answer",
    )
