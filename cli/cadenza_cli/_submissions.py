"""How a submission is shown, and how a short id finds it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cadenza_cli import _words
from cadenza_cli._errors import CommandError
from cadenza_cli._takes import passage_words

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient
    from cadenza_client.models import Piece, QueueItem, Submission, UploadEvent, User

__all__ = [
    "about_words",
    "event_document",
    "find_submission",
    "piece_document",
    "queue_item_document",
    "state_words",
    "submission_document",
    "thread_words",
    "user_document",
]

_SHORTEST_PREFIX = 4


def submission_document(submission: Submission) -> dict[str, Any]:
    """A submission as JSON: the wire's own keys, without the signed thumbnail address."""
    document = submission.model_dump(exclude={"thumbnail_url"})
    return {name: _plain(value) for name, value in document.items()}


def queue_item_document(item: QueueItem) -> dict[str, Any]:
    """A line of the review queue as JSON.

    Keys: submission, student_name, waiting_seconds, has_question, due_at.
    """
    return {
        "submission": submission_document(item.submission),
        "student_name": item.student_name,
        "waiting_seconds": item.waiting_seconds,
        "has_question": item.has_question,
        "due_at": _words.utc(item.due_at),
    }


def event_document(event: UploadEvent) -> dict[str, Any]:
    """A line of a submission's trail as JSON. Keys: at, event, actor_id, data."""
    return {
        "at": _words.utc(event.at),
        "event": event.event,
        "actor_id": event.actor_id,
        "data": event.data,
    }


def user_document(user: User) -> dict[str, Any]:
    """A person as JSON. Keys: id, email, full_name, user_type, teacher_id."""
    return {
        "id": user.id,
        "email": user.email,
        "full_name": user.full_name,
        "user_type": user.user_type,
        "teacher_id": user.teacher_id,
    }


def piece_document(piece: Piece) -> dict[str, Any]:
    """A piece as JSON: the wire's own keys."""
    return {name: _plain(value) for name, value in piece.model_dump().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _words.utc(value)
    if isinstance(value, UUID):
        return str(value)
    # Derivatives are the one nested list; their items are plain already.
    return value


def about_words(submission: Submission) -> str:
    """What it is about: the title the server gives, and the passage."""
    passage = passage_words(
        submission.page_number, submission.measure_number, submission.measure_end
    )
    return ", ".join(part for part in (submission.context_title or "", passage) if part)


def state_words(submission: Submission) -> str:
    """Where it stands: on its way, waiting for the teacher, reviewed."""
    if submission.reviewed_at is not None:
        return "mastered" if submission.is_mastered else "reviewed"
    if submission.media_state == "awaiting_upload":
        return "on its way"
    if submission.media_state in (None, "uploaded", "ready"):
        return "waiting for review"
    return str(submission.media_state)


def thread_words(submission: Submission) -> str | None:
    """What its thread holds; None where the server does not say, or where there is nothing."""
    counted = (
        (submission.unread_count, "unread message"),
        (submission.question_count, "open question"),
        (submission.marker_count, "marker"),
    )
    return ", ".join(_words.plural(count, noun) for count, noun in counted if count) or None


def find_submission(client: CadenzaClient, ref: str) -> str:
    """The full id for an id or the beginning of one.

    A beginning is looked up among the signed-in user's own submissions and, for a teacher, those
    of all students.

    Raises:
        CommandError: there is none, or several begin so.
    """
    ref = ref.strip().lower()
    try:
        return str(UUID(ref))
    except ValueError:
        pass
    if len(ref) < _SHORTEST_PREFIX:
        raise CommandError(
            f"{ref!r} is too short for an id.",
            code="submission_not_found",
            next_step=f"Give at least {_SHORTEST_PREFIX} characters.",
        )
    found = {one for one in _visible_ids(client) if one.startswith(ref)}
    if len(found) > 1:
        raise CommandError(
            f"Several submissions begin with {ref}.",
            code="submission_ambiguous",
            next_step="Give more of the id.",
        )
    if not found:
        raise CommandError(
            f"No submission you may see begins with {ref}.",
            code="submission_not_found",
            next_step="`cadenza submissions ls` and `cadenza inbox` list them.",
        )
    return found.pop()


def _visible_ids(client: CadenzaClient) -> Iterator[str]:
    if client.auth.me().user_type != "teacher":
        yield from (str(submission.id) for submission in client.submissions.list())
        return
    for student in client.students.list():
        for submission in client.students.submissions(student.id):
            yield str(submission.id)
