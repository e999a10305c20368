"""Who teaches whom: the student decides, and it is written down (B-30)."""

from __future__ import annotations

from cadenza_server.auth import find_by_email
from cadenza_server.context import Context
from cadenza_server.errors import ApiError
from cadenza_server.events import Fact, append
from cadenza_server.tables import User


def choose_teacher(ctx: Context, email: str, share_history: bool | None) -> User:
    """Make somebody one's teacher.

    Raises:
        ApiError: `not_found` for nobody, or for a student; `invalid` for oneself.
    """
    with ctx.db.writing() as session:
        teacher = find_by_email(session, email)
        if teacher is None or teacher.user_type == "student":
            raise ApiError("not_found", "No teacher has this e-mail.")
        if teacher.id == ctx.actor.id:
            raise ApiError("invalid", "You can't be your own teacher.")
        student = session.get(User, ctx.actor.id)
        assert student is not None
        is_new = student.teacher_id != teacher.id
        if share_history is not None:
            student.share_history = share_history
        elif is_new:
            student.share_history = student.teacher_since is None
        if is_new:
            student.teacher_id, student.teacher_since = teacher.id, ctx.now()
        session.flush()
        data = {"teacher_id": teacher.id, "share_history": student.share_history}
        append(session, ctx.now(), Fact("teacher_set", ctx.actor.id, data=data))
    return teacher


def remove_teacher(ctx: Context) -> None:
    """Have no teacher; nothing to do is no error."""
    with ctx.db.writing() as session:
        student = session.get(User, ctx.actor.id)
        assert student is not None
        former = student.teacher_id
        if former is None:
            return
        student.teacher_id = None
        session.flush()
        append(
            session, ctx.now(), Fact("teacher_removed", ctx.actor.id, data={"teacher_id": former})
        )
