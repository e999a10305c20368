"""How many takes may be sent at once: one, or two where the line is fast and calm.

On a slow line parallel uploads finish nothing (Immich #30747: none of 22 GiB in a window, against
12.7 GiB one after another), so a second lane opens only after a fast success and closes at the
first setback (O05).
"""

from __future__ import annotations

#: A take that went faster than this leaves room for another.
FAST_BYTES_PER_SECOND = 500_000.0


class Lanes:
    """The number of lanes open now, between 1 and `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.open = 1

    def succeeded(self, size_bytes: int, seconds: float) -> None:
        """A take arrived: a fast one opens a lane."""
        if size_bytes >= FAST_BYTES_PER_SECOND * seconds:
            self.open = min(self.open + 1, self._most)

    def set_back(self) -> None:
        """The server or the line is troubled: one at a time."""
        self.open = 1
