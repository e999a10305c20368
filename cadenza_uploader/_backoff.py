"""When to try again: pure arithmetic over (attempts, hint, randomness).

The seconds inside one attempt belong to tenacity in the client; the minutes and days are here
and are stored in the row, so they survive a restart (decision 00 §4: two layers, never mixed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Full jitter over an exponential ceiling.

    Attributes:
        base_seconds: ceiling after the first setback.
        cap_seconds: highest ceiling; also the clamp for times stored by a wrong clock (K02).
        slow_seconds: pace of takes that need the user, re-probed at least daily.
        exhausted_seconds: pace of retryable takes that used up their attempts.
        hint_cap_seconds: a server's Retry-After counts up to this.
    """

    base_seconds: float = 2.0
    cap_seconds: float = 900.0
    slow_seconds: float = 86_400.0
    exhausted_seconds: float = 21_600.0
    hint_cap_seconds: float = 3600.0

    def ceiling_seconds(self, attempts: int) -> float:
        """The longest delay after `attempts` counted attempts (1-based)."""
        exponent = min(max(attempts, 1) - 1, 40)
        return min(self.cap_seconds, self.base_seconds * 2.0**exponent)

    def delay_seconds(
        self, attempts: int, *, hint_seconds: float | None, random: Callable[[], float]
    ) -> float:
        """Seconds to wait after a counted attempt.

        Args:
            attempts: counted attempts so far, including the one that just failed.
            hint_seconds: the server's Retry-After; the delay is never below it, and jitter is
                added on top so that many clients do not return together (S02).
            random: uniform on [0, 1).
        """
        jittered = random() * self.ceiling_seconds(attempts)
        if hint_seconds is None or hint_seconds < 0:
            return jittered
        hint = min(hint_seconds, self.hint_cap_seconds)
        return hint + min(jittered, self.base_seconds)

    def clamp_ms(self, due_ms: int, now_ms: int, *, failed: bool) -> int:
        """A stored time, brought back to what a jumped clock cannot stretch (K02, I12).

        Args:
            due_ms: the stored time.
            now_ms: the time it is.
            failed: whether it belongs to a failed take, whose pace is slow by intent.
        """
        longest = self.hint_cap_seconds + self.base_seconds
        if failed:
            longest = max(longest, self.slow_seconds, self.exhausted_seconds)
        return min(due_ms, now_ms + int(max(longest, self.cap_seconds) * 1000))
