"""What follows when a video has arrived, whoever noticed it."""

from __future__ import annotations

from datetime import datetime

from cadenza_server.announcements import Announcement
from cadenza_server.assets import Held
from cadenza_server.database import Session
from cadenza_server.derivatives.wanting import want
from cadenza_server.outbox import announce, in_thread
from cadenza_server.settings import ServerSettings
from cadenza_server.submissions import load_title
from cadenza_server.tables import Message


def follow_arrival(
    session: Session, settings: ServerSettings, held: Held, at: datetime, *, is_first: bool
) -> None:
    """Tell of a video that has arrived, and have made of it what is to be made.

    Args:
        session: of the transaction that confirms it.
        settings: whether derivatives are made here.
        held: the bytes, and the thread they are part of.
        at: when.
        is_first: False for bytes that replaced earlier ones (a v1 client sent again).
    """
    if settings.derivatives == "on":
        want(session, held.asset, at)
    if is_first and held.asset.kind == "take":
        # Who wanted to watch did not send it: the take is the student's, also when found lazily.
        submission_id = held.submission_id
        title = load_title(session, submission_id)
        event = in_thread(
            session, "submission.uploaded", held.asset.owner_id, submission_id, about=title
        )
        announce(session, at, event)
    if is_first and held.asset.kind == "message":
        announce(session, at, _of_message(session, held))


def _of_message(session: Session, held: Held) -> Announcement:
    """A video alone is a new message only now; one beside a text makes the message whole."""
    message = session.get(Message, held.asset.id)
    assert message is not None
    minutes, seconds = divmod(message.video_duration_seconds or 0, 60)
    return in_thread(
        session,
        "message.created" if message.text is None else "message.updated",
        message.sender_id,
        message.submission_id,
        subject_id=message.id,
        about=message.text or f"A video of {minutes}:{seconds:02}",
        message_id=message.id,
    )
