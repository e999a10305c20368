"""The audit trail: append-only lines, each sealed with the hash of the one before (F002-31)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from cadenza_server.batches import Batch
from cadenza_server.clock import wire_time
from cadenza_server.database import Session
from cadenza_server.tables import UploadEvent, metadata

FIRST_HASH = "0" * 64
_TABLE = metadata.tables["upload_events"]
_LAST = select(_TABLE.c.seq, _TABLE.c.hash).order_by(_TABLE.c.seq.desc()).limit(1)


@dataclass(frozen=True)
class Last:
    """The end of the trail, which the next line is chained to."""

    seq: int = 0
    hash: str = FIRST_HASH


@dataclass(frozen=True)
class Fact:
    """Something that happened, before it has its place in the trail."""

    event: str
    actor_id: int | None
    submission_id: UUID | None = None
    data: dict[str, Any] = field(default_factory=dict)
    #: Of which bytes it tells, when they are not the submission's own (a video message).
    asset_id: UUID | None = None


def append(session: Session, at: datetime, *facts: Fact) -> None:
    """Add lines to the trail, within the caller's writing transaction.

    The chain needs one writer at a time, until his commit: `Database.writing()` holds the write
    lock from its start (SQLite: the file's; PostgreSQL: an advisory one).
    """
    batch = Batch()
    last = session.core.execute(_LAST).first()
    seal_into(batch, Last(*last) if last else Last(), at, *facts)
    batch.insert(session)


def seal_into(batch: Batch, last: Last, at: datetime, *facts: Fact) -> None:
    """The same for who has read the end of the trail already, in the same transaction."""
    seq, previous = last.seq, last.hash
    rows: list[dict[str, Any]] = []
    for fact in facts:
        seq += 1
        row: dict[str, Any] = {
            "seq": seq,
            "id": uuid4(),
            "at": at,
            "actor_id": fact.actor_id,
            "asset_id": fact.asset_id or fact.submission_id,
            "submission_id": fact.submission_id,
            "take_id": fact.asset_id or fact.submission_id,
            "event": fact.event,
            "data": fact.data,
            "prev_hash": previous,
        }
        row["hash"] = previous = seal(row)
        rows.append(row)
    batch.add(_TABLE, *rows)


def seal(row: dict[str, Any]) -> str:
    """SHA-256 over the line as the wire shows it, without its own hash."""
    shown = {
        name: wire_time(value) if isinstance(value, datetime) else value
        for name, value in row.items()
        if name != "hash"
    }
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def first_broken(lines: Iterable[UploadEvent]) -> int | None:
    """The `seq` of the first line that was changed, removed or inserted; None when all is well.

    Args:
        lines: the whole trail, in order.
    """
    expected_seq, previous = 1, FIRST_HASH
    for line in lines:
        row = line.model_dump(exclude={"hash"})
        if (line.seq, line.prev_hash, line.hash) != (expected_seq, previous, seal(row)):
            return expected_seq
        expected_seq, previous = line.seq + 1, line.hash
    return None
