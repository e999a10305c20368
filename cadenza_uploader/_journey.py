"""What a worker holds in memory for one claim.

Upload URLs live here and nowhere else: they are never stored and die with the claim (I8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from cadenza_client import MessageTicket, Receipt, UploadTicket
from cadenza_uploader import _spool
from cadenza_uploader._classify import Answer, Decision, Step
from cadenza_uploader._faults import Fault
from cadenza_uploader.take import Asset, Attempt, Take


@dataclass(frozen=True, slots=True)
class World:
    """The ports of a worker: clock, randomness, and named points where a test may crash it."""

    clock: Callable[[], float]
    random: Callable[[], float]
    failpoint: Callable[[str], None]

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def now_ms(self) -> int:
        """The wall clock in stored milliseconds."""
        return round(self.clock() * 1000)


class StuckError(Exception):
    """A step failed and the table decided; carries both to the one place that settles."""

    def __init__(self, fault: Fault, decision: Decision) -> None:
        super().__init__(fault.sentence)
        self.fault = fault
        self.decision = decision


@dataclass(slots=True)
class Tried:
    """One step under way."""

    step: Step
    started_at: datetime
    bytes_sent: int = 0


@dataclass(slots=True)
class Journey:
    """One claim: the take as last written, its fresh URLs, and the steps not yet in the history."""

    take: Take
    ticket: UploadTicket | MessageTicket | None = None
    refreshes: int = 0
    redone: int = 0
    md5: str | None = None
    thumbnail_refused: bool = False
    attempts: list[Attempt] = field(default_factory=list[Attempt])

    def note(
        self, tried: Tried, ended_at: datetime, outcome: str, fault: Fault | None = None
    ) -> None:
        """Remember how a step ended, until the next outcome is written with it."""
        self.attempts.append(
            Attempt(
                take_id=self.take.id,
                step=tried.step,
                started_at=tried.started_at,
                ended_at=ended_at,
                outcome=outcome,
                code=fault.answer.code if fault else None,
                status_code=fault.answer.status if fault else None,
                request_id=fault.request_id if fault else None,
                bytes_sent=tried.bytes_sent,
                counted=False,
            )
        )

    def spent(self, *, counted: bool = False) -> list[Attempt]:
        """Hand over the noted steps; `counted` marks the last as the one that cost an attempt."""
        attempts, self.attempts = self.attempts, []
        if counted and attempts:
            attempts[-1] = replace(attempts[-1], counted=True)
        return attempts


class SpooledFile:
    """An asset as the client's upload source: opened anew for each attempt, links refused."""

    def __init__(self, spool: Path, asset: Asset) -> None:
        self._spool = spool
        self._asset = asset

    @property
    def size_bytes(self) -> int:
        """The announced size."""
        return self._asset.size_bytes

    def open(self) -> FileIO:
        """Open the file; its descriptor serves the whole attempt (F03)."""
        return _spool.open_asset(self._spool, self._asset)


def receipt_fault(receipt: Receipt, take: Take) -> Fault | None:
    """A receipt that speaks of other bytes is none (delete gate, condition b)."""
    if receipt.size_bytes != take.video.size_bytes:
        code = "size_mismatch"
    elif receipt.sha256 is not None and receipt.sha256 != take.video.sha256:
        code = "checksum_mismatch"
    else:
        return None
    sentence = "The server confirmed other bytes than those of this take."
    return Fault(Answer("api", "confirm", code=code), sentence)
