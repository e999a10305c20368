"""Rows to records and back: the only place that knows column names on the way out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from cadenza_uploader._states import FailCode, Hold, Stage, Status
from cadenza_uploader.take import (
    Account,
    Asset,
    Attempt,
    NewTake,
    Take,
    TakeContext,
    TakeEvent,
)

Row = Mapping[str, Any]


def moment(milliseconds: int) -> datetime:
    """An aware UTC time from stored milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds(at: datetime) -> int:
    """Stored milliseconds from an aware time."""
    return round(at.timestamp() * 1000)


def take_from(row: Row, assets: Mapping[str, Asset]) -> Take:
    """A take from its row and its assets by kind."""
    return Take(
        id=row["id"],
        account=Account(row["account_url"], row["account_user_id"]),
        context=TakeContext(
            piece_id=row["piece_id"],
            exercise_id=row["exercise_id"],
            session_id=row["session_id"],
            page_number=row["page_number"],
            measure_number=row["measure_number"],
            measure_end=row["measure_end"],
            notes=row["notes"],
            parent_submission_id=row["parent_submission_id"],
        ),
        video=assets["video"],
        thumbnail=assets.get("thumbnail"),
        duration_ms=row["duration_ms"],
        duration_seconds=row["duration_seconds"],
        width=row["width"],
        height=row["height"],
        captured_at=moment(row["captured_ms"]),
        source_path=row["source_path"],
        delete_source=bool(row["delete_source"]),
        status=Status(row["status"]),
        stage=Stage(row["stage"]),
        hold=Hold(row["hold"]) if row["hold"] else None,
        server_id=row["server_id"],
        create_sent=bool(row["create_sent"]),
        attempts=row["attempts"],
        claims=row["claims"],
        demotions=row["demotions"],
        due_at=moment(row["due_ms"]) if row["due_ms"] else None,
        lease_epoch=row["lease_epoch"],
        fail_code=FailCode(row["fail_code"]) if row["fail_code"] else None,
        last_error_code=row["last_error_code"],
        last_error=row["last_error"],
        receipt=json.loads(row["receipt"]) if row["receipt"] else None,
        created_at=moment(row["created_ms"]),
        updated_at=moment(row["updated_ms"]),
    )


def asset_from(row: Row) -> Asset:
    """One file of a take."""
    return Asset(
        kind=row["kind"],
        name=PurePosixPath(row["name"]),
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        content_type=row["content_type"],
        inode=row["inode"],
        modified_ns=row["modified_ns"],
        stored=bool(row["stored"]),
        etag=row["etag"],
        tries=row["tries"],
    )


def event_from(row: Row) -> TakeEvent:
    """One line of history."""
    return TakeEvent(
        take_id=row["take_id"],
        at=moment(row["at_ms"]),
        epoch=row["epoch"],
        from_status=Status(row["from_status"]) if row["from_status"] else None,
        to_status=Status(row["to_status"]),
        from_stage=Stage(row["from_stage"]) if row["from_stage"] is not None else None,
        to_stage=Stage(row["to_stage"]),
        hold=Hold(row["hold"]) if row["hold"] else None,
        why=row["why"],
    )


def attempt_from(row: Row) -> Attempt:
    """One try of one step."""
    return Attempt(
        take_id=row["take_id"],
        step=row["step"],
        started_at=moment(row["started_ms"]),
        ended_at=moment(row["ended_ms"]),
        outcome=row["outcome"],
        code=row["code"],
        status_code=row["status_code"],
        request_id=row["request_id"],
        bytes_sent=row["bytes_sent"],
        counted=bool(row["counted"]),
    )


def take_columns(new: NewTake, now_ms: int) -> dict[str, Any]:
    """Column values of a new row (T0)."""
    return {
        "id": new.id,
        "account_url": new.account.server_url,
        "account_user_id": new.account.user_id,
        "piece_id": new.context.piece_id,
        "exercise_id": new.context.exercise_id,
        "session_id": new.context.session_id,
        "page_number": new.context.page_number,
        "measure_number": new.context.measure_number,
        "measure_end": new.context.measure_end,
        "notes": new.context.notes,
        "kind": "submission" if new.context.parent_submission_id is None else "message",
        "parent_submission_id": new.context.parent_submission_id,
        "captured_ms": milliseconds(new.captured_at),
        "duration_ms": new.duration_ms,
        "duration_seconds": new.duration_seconds,
        "width": new.width,
        "height": new.height,
        "source_path": new.source_path,
        "delete_source": int(new.delete_source),
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }


def asset_columns(take_id: str, asset: Asset) -> dict[str, Any]:
    """Column values of a new asset row."""
    return {
        "take_id": take_id,
        "kind": asset.kind,
        "name": str(asset.name),
        "size_bytes": asset.size_bytes,
        "sha256": asset.sha256,
        "content_type": asset.content_type,
        "inode": asset.inode,
        "modified_ns": asset.modified_ns,
        "stored": int(asset.stored),
        "etag": asset.etag,
        "tries": asset.tries,
    }


def attempt_columns(attempt: Attempt, epoch: int) -> dict[str, Any]:
    """Column values of an attempt."""
    return {
        "take_id": attempt.take_id,
        "epoch": epoch,
        "step": attempt.step,
        "started_ms": milliseconds(attempt.started_at),
        "ended_ms": milliseconds(attempt.ended_at),
        "outcome": attempt.outcome,
        "code": attempt.code,
        "status_code": attempt.status_code,
        "request_id": attempt.request_id,
        "bytes_sent": attempt.bytes_sent,
        "counted": int(attempt.counted),
    }
