"""When the user allows sending: not over a metered connection, only in certain hours.

Asked again during a transfer, because the line can change under it (complaint C31: a user was
billed $30). Losing the permission puts the take back and costs no attempt (N19, N20).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import time

_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_NMCLI_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Window:
    """Local hours in which sending is allowed; may span midnight."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `22:00-06:30`.

        Raises:
            ValueError: it is not of that form.
        """
        match = _HOURS.fullmatch(text.strip())
        if match is None:
            raise ValueError("hours are given as 22:00-06:30")
        a, b, c, d = (int(group) for group in match.groups())
        return cls(time(a, b), time(c, d))

    def contains(self, now: time) -> bool:
        """Whether a local time lies in the window; an empty window holds the whole day."""
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user allows.

    Attributes:
        allow_metered: whether a connection that costs money may be used.
        window: the hours; None for always.
    """

    allow_metered: bool = True
    window: Window | None = None

    def refusal(self, *, metered: bool | None, now: time) -> str | None:
        """Why nothing may be sent now, as a sentence; None when it may.

        Args:
            metered: what is known of the line; None counts as not metered.
            now: local wall time.
        """
        if metered and not self.allow_metered:
            return "This connection is metered, and you allow sending only over others."
        if self.window is not None and not self.window.contains(now):
            return f"You allow sending only from {self.window}."
        return None


def is_metered() -> bool | None:
    """Whether NetworkManager calls the connection metered; None where nobody knows."""
    nmcli = shutil.which("nmcli")
    if nmcli is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command, no user input
            [nmcli, "--terse", "--get-values", "GENERAL.METERED", "device", "show"],
            capture_output=True,
            text=True,
            timeout=_NMCLI_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = {line.split()[0] for line in answer.splitlines() if line.strip()}
    return True if "yes" in words else False if "no" in words else None
