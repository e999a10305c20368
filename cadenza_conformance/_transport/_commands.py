"""Shell words with which a client that the driver did not start is killed and started again."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass

from cadenza_conformance._transport import AdapterError


@dataclass(frozen=True)
class Commands:
    """`xcrun simctl terminate booted ID` and the like; without a shell (SEC-25)."""

    kill_command: str | None = None
    start_command: str | None = None

    @property
    def can_kill(self) -> bool:
        """Whether both are given."""
        return bool(self.kill_command and self.start_command)

    async def kill(self) -> None:
        """Run the kill command."""
        await _run(self.kill_command, "--kill-cmd")

    async def start(self) -> None:
        """Run the start command."""
        await _run(self.start_command, "--start-cmd")


async def _run(command: str | None, option: str) -> None:
    if not command:
        raise AdapterError(f"{option} is not given")
    process = await asyncio.create_subprocess_exec(*shlex.split(command))
    code = await process.wait()
    if code:
        raise AdapterError(f"{option} ended with code {code}")
