"""How a thread is shown, and how short ids of messages and markers find them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from cadenza_cli import _words
from cadenza_cli._errors import CommandError
from cadenza_cli._moments import range_words
from cadenza_cli._takes import passage_words

if TYPE_CHECKING:
    from cadenza_cli._output import Cell, Paint
    from cadenza_client.models import LiveEvent, Marker, Message, Notification

__all__ = [
    "event_document",
    "find_one",
    "marker_document",
    "marker_row",
    "message_document",
    "message_lines",
    "notification_document",
    "plain",
]

T = TypeVar("T", "Message", "Marker")

_SHORTEST_PREFIX = 4
_PAINTS: dict[str, Paint] = {"question": "cyan", "praise": "green"}
_SHAPES = {"question": "◆ question", "praise": "★ praise", "feedback": "● feedback"}


def message_document(message: Message) -> dict[str, Any]:
    """A message as JSON: the wire's own keys, without the signed thumbnail address."""
    return _plain(message.model_dump(exclude={"thumbnail_url"}))


def marker_document(marker: Marker) -> dict[str, Any]:
    """A marker as JSON: the wire's own keys."""
    return _plain(marker.model_dump())


def notification_document(notification: Notification) -> dict[str, Any]:
    """A notification as JSON: the wire's own keys."""
    return _plain(notification.model_dump())


def event_document(event: LiveEvent) -> dict[str, Any]:
    """An event as JSON. Keys: id, type, timestamp, data, seq."""
    return _plain(event.model_dump())


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in document.items()}


def plain(value: Any) -> Any:
    """A field as JSON has it."""
    if isinstance(value, datetime):
        return _words.utc(value)
    return str(value) if isinstance(value, UUID) else value


def message_lines(message: Message, now: datetime) -> list[str]:
    """A message for people: who and when, what, and what became of it."""
    who = "You" if message.is_own else _words.clean(message.sender_name or str(message.sender_id))
    facts = [_words.moment(message.created_at, now)]
    if message.edited_at is not None and message.deleted_at is None:
        facts.append("edited")
    facts.append(_fate(message))
    passage = passage_words(message.page_number, message.measure_number, None)
    head = ", ".join(part for part in (*facts, passage) if part)
    lines = [f"{str(message.id)[:8]}  {who}, {head}"]
    if message.deleted_at is not None:
        return [*lines, "  (deleted)"]
    if message.text:
        lines += [f"  {_words.clean(line)}" for line in message.text.splitlines()]
    if message.has_video:
        length = _words.duration(message.video_duration_seconds or 0)
        lines.append(f"  [video {length}{_video_state(message.media_state)}]")
    return lines


def _fate(message: Message) -> str:
    if message.deleted_at is not None:
        return ""
    if message.is_own:
        return "seen" if message.read_at is not None else ""
    return "" if message.read_at is not None else "new"


def _video_state(state: str | None) -> str:
    if state in ("uploaded", "ready"):
        return ""
    return ", on its way" if state == "awaiting_upload" else f", {state}"


def marker_row(marker: Marker) -> list[Cell]:
    """A marker as a line of a table: id, when, what kind, where, how far, who, what."""
    kind = _SHAPES.get(marker.marker_type, marker.marker_type)
    paint = _PAINTS.get(marker.marker_type)
    return [
        str(marker.id)[:8],
        range_words(marker.timestamp_ms, marker.end_ms),
        kind if paint is None else (kind, paint),
        passage_words(marker.page_number, marker.measure_number, marker.measure_end),
        (marker.status, "green") if marker.status == "settled" else marker.status,
        "you" if marker.is_own else marker.author_name or str(marker.author_id),
        marker.text,
    ]


def find_one(found: Sequence[T], ref: str, noun: str, listing: str) -> T:
    """The one of these that is meant by an id or its beginning.

    Raises:
        CommandError: there is none, or several begin so.
    """
    ref = ref.strip().lower()
    meant = [one for one in found if str(one.id).startswith(ref)]
    if len(ref) < _SHORTEST_PREFIX or not meant:
        raise CommandError(
            f"No {noun} here begins with {ref!r}.",
            code=f"{noun}_not_found",
            next_step=f"`{listing}` lists them; give at least {_SHORTEST_PREFIX} characters.",
        )
    if len(meant) > 1:
        raise CommandError(
            f"Several of them begin with {ref}.",
            code=f"{noun}_ambiguous",
            next_step="Give more of the id.",
        )
    return meant[0]
