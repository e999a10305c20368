"""The parent's side of the child: starting it, hearing it, ending it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

#: Encoding three minutes of 720p takes about 70 s on two slow cores; this is for slower ones.
WALL_SECONDS = 1500.0
_TICK_SECONDS = 1.0
_MAX_LINE = 64 * 1024
_KINDS_OF_DEATH = {signal.SIGXCPU: "took_too_long", signal.SIGXFSZ: "too_large"}
# Without the package's own __init__, which would load the whole server into the child.
_START = """
import sys, types
package = types.ModuleType("cadenza_server")
package.__path__ = [sys.argv[1]]
sys.modules["cadenza_server"] = package
from cadenza_server.derivatives.child import main
main(sys.argv[2])
"""


class ChildDiedError(Exception):
    """It ended without having done its work; the message is an error code."""


class StoppedError(Exception):
    """We were asked to stop."""


def run_child(
    order: Mapping[str, Any],
    *,
    on_tick: Callable[[], None],
    wall_seconds: float = WALL_SECONDS,
    program: str = _START,
) -> Iterator[dict[str, Any]]:
    """Run the child; yields what it tells, as it tells it.

    Args:
        order: for `child.main`.
        on_tick: called about once a second; what it raises ends the child.
        wall_seconds: how long it may take.
        program: for tests.

    Raises:
        ChildDiedError: `took_too_long`, `too_large` or `crashed`.
    """
    process = subprocess.Popen(  # noqa: S603 - our own program, by our own Python
        [sys.executable, "-I", "-c", program, str(Path(__file__).parents[1]), json.dumps(order)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
        bufsize=0,
    )
    try:
        yield from _lines(process, on_tick, time.monotonic() + wall_seconds)
        status = process.wait(5)
    except subprocess.TimeoutExpired:
        raise ChildDiedError("crashed") from None
    finally:
        _end(process)
    if status != 0:
        code = "crashed" if status > 0 else _KINDS_OF_DEATH.get(signal.Signals(-status), "crashed")
        raise ChildDiedError(code)


def _lines(
    process: subprocess.Popen[bytes], on_tick: Callable[[], None], ends: float
) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    out, buffer = process.stdout.fileno(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        while True:
            on_tick()
            if time.monotonic() > ends:
                raise ChildDiedError("took_too_long")
            if not selector.select(_TICK_SECONDS):
                continue
            chunk = os.read(out, 65_536)
            buffer += chunk
            *lines, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            for line in lines:
                yield _parsed(line)
            if not chunk:
                return
            if len(buffer) > _MAX_LINE:
                raise ChildDiedError("crashed")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise ChildDiedError("crashed")
    return record


def _end(process: subprocess.Popen[bytes]) -> None:
    # The group is signalled before its leader is reaped, so the number is still ours.
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def _environment() -> dict[str, str]:
    """Nothing of ours goes to the child: no secret, no database's address, no proxy."""
    kept = ("PATH", "LANG", "SYSTEMROOT", "COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
    return {name: os.environ[name] for name in kept if name in os.environ}
