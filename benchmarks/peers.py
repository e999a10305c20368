"""The programs we are compared with: found, or the figure is skipped with what would bring them."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.figure import SkippedError

_SECONDS = 300.0


def program(name: str, *, package: str | None = None) -> str:
    """The path of a peer's program.

    Raises:
        SkippedError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise SkippedError(f"{name} is not installed (Debian: apt-get install {package or name})")
    return found


def output(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> str:
    """What a program prints; it must succeed, and end in time."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
        env=env,
    ).stdout
