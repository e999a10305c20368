"""How things stand when it is a student's turn to create a take: all of it in one look.

Every other writer waits while it is read, and so it is one statement where it could be five.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, func, select

from cadenza_server.announcements import Hook, Membership
from cadenza_server.database import Session
from cadenza_server.events import Last
from cadenza_server.reference import KnownPiece
from cadenza_server.tables import metadata

_T = metadata.tables
_USERS, _ASSETS, _SUBMISSIONS = _T["users"], _T["media_assets"], _T["video_submissions"]
_PIECES, _WEBHOOKS, _TRAIL = _T["pieces"], _T["webhooks"], _T["upload_events"]
_LOOK = (
    select(
        _USERS.c.teacher_id,
        _USERS.c.teacher_since,
        _USERS.c.share_history,
        _ASSETS.c.owner_id,
        _SUBMISSIONS.c.create_fingerprint,
        _PIECES.c.owner_id,
        _PIECES.c.title,
        _TRAIL.c.seq,
        _TRAIL.c.hash,
        _WEBHOOKS.c.id,
        _WEBHOOKS.c.owner_id,
        _WEBHOOKS.c.event_types,
    )
    .select_from(_USERS)
    .outerjoin(_ASSETS, _ASSETS.c.id == bindparam("id"))
    .outerjoin(_SUBMISSIONS, _SUBMISSIONS.c.id == _ASSETS.c.id)
    .outerjoin(_PIECES, _PIECES.c.id == bindparam("piece_id"))
    .outerjoin(_TRAIL, _TRAIL.c.seq == select(func.max(_TRAIL.c.seq)).scalar_subquery())
    .outerjoin(
        _WEBHOOKS,
        _WEBHOOKS.c.active & _WEBHOOKS.c.owner_id.in_((_USERS.c.id, _USERS.c.teacher_id)),
    )
    .where(_USERS.c.id == bindparam("user_id"))
)


@dataclass(frozen=True)
class Standing:
    """What a create must know.

    Attributes:
        taken: whose the id is, and by which request; None when it is nobody's. Any asset counts:
            an id is one thing, for ever. No request made a video message: it has no fingerprint.
        piece: the one that was asked for, when there is such a piece.
        membership: who teaches the student.
        last: the end of the audit trail.
        hooks: the webhooks of the student and the teacher.
    """

    taken: tuple[int, str | None] | None
    piece: KnownPiece | None
    membership: Membership
    last: Last
    hooks: tuple[Hook, ...]


def look(session: Session, user_id: int, submission_id: UUID, piece_id: UUID | None) -> Standing:
    """Read it, in the writing transaction that makes use of it."""
    asked = {"user_id": user_id, "id": submission_id, "piece_id": piece_id}
    rows = session.core.execute(_LOOK, asked).all()
    teacher_id, since, shares, taken_by, fingerprint, piece_owner, title, seq, seal = rows[0][:9]
    return Standing(
        None if taken_by is None else (taken_by, fingerprint),
        None if piece_owner is None else KnownPiece(piece_owner, title),
        Membership(user_id, teacher_id, since, shares),
        Last() if seq is None else Last(seq, seal),
        tuple(Hook(row[9], row[10], row[11]) for row in rows if row[9] is not None),
    )
