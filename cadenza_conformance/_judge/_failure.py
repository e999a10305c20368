"""What a judgement says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "SKIP", "XFAIL", "XPASS"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One clause that was broken.

    Attributes:
        clause: its id in the specification.
        expected: what should have been.
        seen: what was.
    """

    clause: str
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"{self.clause}: expected {self.expected}; seen: {self.seen}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one run, and why."""

    verdict: Verdict
    failures: tuple[Failure, ...] = ()
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it lets a suite pass."""
        return self.verdict in ("PASS", "SKIP", "XFAIL")
