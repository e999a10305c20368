"""What follows when a video has arrived, whoever noticed it."""

from __future__ import annotations

from datetime import datetime

from cadenza_server.assets import Held
from cadenza_server.database import Session
from cadenza_server.outbox import announce, in_thread
from cadenza_server.submissions import load_title


def follow_arrival(session: Session, held: Held, at: datetime, *, is_first: bool) -> None:
    """Tell of a take that has arrived; within the transaction that confirms it.

    Args:
        session: of the change.
        held: the bytes, and the thread they are part of.
        at: when.
        is_first: False for bytes that replaced earlier ones (a v1 client sent again).
    """
    if is_first and held.asset.kind == "take":
        # Who wanted to watch did not send it: the take is the student's, also when found lazily.
        submission_id = held.submission_id
        title = load_title(session, submission_id)
        event = in_thread(
            session, "submission.uploaded", held.asset.owner_id, submission_id, about=title
        )
        announce(session, at, event)
