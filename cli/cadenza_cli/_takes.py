"""How a take is shown: as a document for machines, as words for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cadenza_cli import _words
from cadenza_cli._output import Paint
from cadenza_uploader.take import (
    Attempt,
    Hold,
    QueueCounts,
    QueueHold,
    Status,
    Take,
    TakeContext,
    TakeEvent,
)

__all__ = [
    "attempt_document",
    "context_words",
    "counts_document",
    "event_document",
    "hold_document",
    "hold_words",
    "passage_words",
    "status_paint",
    "take_document",
    "waiting_words",
]

_HOLD_WORDS = {
    Hold.AUTH: "waiting for sign-in",
    Hold.NETWORK: "waiting for network",
    Hold.CONSTRAINT: "waiting for a network it may use",
    Hold.DISK: "waiting for disk space",
    Hold.USER: "paused by you",
}
_PAINTS: dict[Status, Paint] = {
    Status.PENDING: "yellow",
    Status.UPLOADING: "cyan",
    Status.UPLOADED: "green",
    Status.FAILED: "red",
}


def hold_words(hold: Hold) -> str:
    """Why nothing moves: `waiting for network`."""
    return _HOLD_WORDS[hold]


def status_paint(status: Status) -> Paint:
    """The colour of a status word."""
    return _PAINTS[status]


def waiting_words(
    take: Take, *, holds: Sequence[QueueHold], now: datetime, daemon_running: bool
) -> str:
    """Why the take is where it is, and when it moves next (I5: no silent state)."""
    if take.status is Status.UPLOADED:
        return "the server has it"
    if take.status is Status.UPLOADING:
        return f"being sent ({take.stage.word})"
    if take.status is Status.FAILED:
        cause = take.last_error or (take.fail_code.value if take.fail_code else "unknown")
        if take.fail_code is not None and not take.fail_code.needs_user:
            return f"tried again by itself: {cause}"
        return f"needs you: {cause}"
    if take.hold is Hold.USER:
        return "cancelled by you; the server does not know yet"
    hold = take.hold or (holds[0].hold if holds else None)
    if hold is not None:
        return hold_words(hold)
    if take.due_at is not None and take.due_at > now:
        return f"next try {_words.moment(take.due_at, now)}"
    return "next in line" if daemon_running else "waiting for `cadenza daemon run`"


def context_words(context: TakeContext, titles: Mapping[str, str] | None = None) -> str:
    """What the take is about, in a few words; `titles` are those of known pieces, by id."""
    named = (
        ("piece", context.piece_id),
        ("exercise", context.exercise_id),
        ("session", context.session_id),
        ("reply to", context.parent_submission_id),
    )
    known = titles or {}
    words = [known.get(value, f"{name} {value[:8]}") for name, value in named if value]
    passage = passage_words(context.page_number, context.measure_number, context.measure_end)
    return ", ".join([*words, *([passage] if passage else [])])


def passage_words(page: int | None, measure: int | None, measure_end: int | None) -> str:
    """Where in the score: `page 3, bars 17–20`."""
    words: list[str] = []
    if page is not None:
        words.append(f"page {page}")
    if measure is not None:
        several = measure_end is not None and measure_end != measure
        words.append(f"bars {measure}–{measure_end}" if several else f"bar {measure}")
    return ", ".join(words)


def take_document(take: Take) -> dict[str, Any]:
    """A take as JSON. Sizes are bytes, times UTC (W2).

    Keys: id, kind, status, stage, hold, needs_user, fail_code, last_error_code, last_error,
    attempts, next_try_at, piece_id, exercise_id, session_id, parent_submission_id, page_number,
    measure_number, measure_end, notes, duration_seconds, duration_ms, width, height, size_bytes,
    video_bytes, sha256, captured_at, created_at, updated_at, source_path, delete_source,
    submission_id, message_id, receipt. A reply has the kind `message`, and `message_id` where a
    take has `submission_id`.
    """
    context = take.context
    return {
        "id": take.id,
        "kind": take.kind,
        "status": take.status.value,
        "stage": take.stage.word,
        "hold": take.hold.value if take.hold else None,
        "needs_user": take.fail_code is not None and take.fail_code.needs_user,
        "fail_code": take.fail_code.value if take.fail_code else None,
        "last_error_code": take.last_error_code,
        "last_error": take.last_error,
        "attempts": take.attempts,
        "next_try_at": _words.utc(take.due_at),
        "piece_id": context.piece_id,
        "exercise_id": context.exercise_id,
        "session_id": context.session_id,
        "parent_submission_id": context.parent_submission_id,
        "page_number": context.page_number,
        "measure_number": context.measure_number,
        "measure_end": context.measure_end,
        "notes": context.notes,
        "duration_seconds": take.duration_seconds,
        "duration_ms": take.duration_ms,
        "width": take.width,
        "height": take.height,
        "size_bytes": take.size_bytes,
        "video_bytes": take.video.size_bytes,
        "sha256": take.video.sha256,
        "captured_at": _words.utc(take.captured_at),
        "created_at": _words.utc(take.created_at),
        "updated_at": _words.utc(take.updated_at),
        "source_path": take.source_path,
        "delete_source": take.delete_source,
        "submission_id": take.server_id if take.kind == "submission" else None,
        "message_id": take.server_id if take.kind == "message" else None,
        "receipt": take.receipt,
    }


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    """An attempt as JSON.

    Keys: step, started_at, ended_at, outcome, code, status_code, request_id, bytes_sent, counted.
    """
    return {
        "step": attempt.step,
        "started_at": _words.utc(attempt.started_at),
        "ended_at": _words.utc(attempt.ended_at),
        "outcome": attempt.outcome,
        "code": attempt.code,
        "status_code": attempt.status_code,
        "request_id": attempt.request_id,
        "bytes_sent": attempt.bytes_sent,
        "counted": attempt.counted,
    }


def event_document(event: TakeEvent) -> dict[str, Any]:
    """A line of a take's history as JSON.

    Keys: at, from_status, to_status, from_stage, to_stage, hold, why.
    """
    return {
        "at": _words.utc(event.at),
        "from_status": event.from_status.value if event.from_status else None,
        "to_status": event.to_status.value,
        "from_stage": event.from_stage.word if event.from_stage is not None else None,
        "to_stage": event.to_stage.word,
        "hold": event.hold.value if event.hold else None,
        "why": event.why,
    }


def hold_document(hold: QueueHold) -> dict[str, Any]:
    """A hold on the whole queue as JSON. Keys: hold, since, why."""
    return {"hold": hold.hold.value, "since": _words.utc(hold.since), "why": hold.why}


def counts_document(counts: QueueCounts) -> dict[str, Any]:
    """The queue in numbers as JSON.

    Keys: pending, uploading, uploaded, failed, unsent, unsent_bytes, oldest_unsent_at, holds.
    """
    return {
        "pending": counts.pending,
        "uploading": counts.uploading,
        "uploaded": counts.uploaded,
        "failed": counts.failed,
        "unsent": counts.unsent,
        "unsent_bytes": counts.unsent_bytes,
        "oldest_unsent_at": _words.utc(counts.oldest_unsent_at),
        "holds": [hold_document(hold) for hold in counts.holds],
    }
