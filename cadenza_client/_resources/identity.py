"""Sign-in, and who teaches whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from cadenza_client._endpoints import identity, library, submissions
from cadenza_client.models import Routine, SignIn, Submission, User

if TYPE_CHECKING:
    import builtins

    from cadenza_client._async import AsyncEngine
    from cadenza_client._sync import SyncEngine

__all__ = ["AsyncAuth", "AsyncStudents", "AsyncUsers", "Auth", "Students", "Users"]


# ── synchronous ────────────────────────────────────────────────────────────────────────────────


class Auth:
    """Signing in. A client does not keep the token it gets here: make a new client with it."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def login(self, email: str, password: str) -> SignIn:
        """Sign in with a password."""
        return self._engine.run(identity.login(email, password))

    def dev_login(self, email: str) -> SignIn:
        """Sign in without a password; a development server only."""
        return self._engine.run(identity.dev_login(email))

    def me(self) -> User:
        """Whose token this is."""
        return self._engine.run(identity.me())


class Users:
    """A student's choice of teacher."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def set_teacher(self, email: str, *, share_history: bool | None = None) -> User:
        """Choose a teacher by e-mail; `share_history` shows them earlier takes as well (B-30)."""
        return self._engine.run(identity.set_teacher(email, share_history=share_history))

    def remove_teacher(self) -> None:
        """Have no teacher any more."""
        return self._engine.run(identity.remove_teacher())

    def my_teacher(self) -> User | None:
        """The student's teacher, or None."""
        return self._engine.run(identity.my_teacher())


class Students:
    """A teacher's students and their takes."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def list(self) -> builtins.list[User]:
        """Everyone who has chosen this teacher."""
        return self._engine.run(identity.my_students())

    def submissions(
        self,
        student_id: int,
        *,
        pending_review: bool | None = None,
        piece_id: UUID | str | None = None,
        exercise_id: UUID | str | None = None,
        media_state: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Submission]:
        """One student's submissions, newest capture first; pages are fetched as they are needed."""
        return self._engine.iterate(
            submissions.list_of_student(
                student_id,
                pending_review=pending_review,
                piece_id=piece_id,
                exercise_id=exercise_id,
                media_state=media_state,
                page_size=page_size,
            )
        )

    def assign_routine(self, student_id: int, routine_id: UUID | str) -> Routine:
        """Give a student a routine; it replaces the one before."""
        return self._engine.run(library.assign_routine(student_id, routine_id))


# ── asynchronous ────────────────────────────────────────────────────────────────────────────────


class AsyncAuth:
    """Signing in. A client does not keep the token it gets here: make a new client with it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def login(self, email: str, password: str) -> SignIn:
        """Sign in with a password."""
        return await self._engine.run(identity.login(email, password))

    async def dev_login(self, email: str) -> SignIn:
        """Sign in without a password; a development server only."""
        return await self._engine.run(identity.dev_login(email))

    async def me(self) -> User:
        """Whose token this is."""
        return await self._engine.run(identity.me())


class AsyncUsers:
    """A student's choice of teacher."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def set_teacher(self, email: str, *, share_history: bool | None = None) -> User:
        """Choose a teacher by e-mail; `share_history` shows them earlier takes as well (B-30)."""
        return await self._engine.run(identity.set_teacher(email, share_history=share_history))

    async def remove_teacher(self) -> None:
        """Have no teacher any more."""
        return await self._engine.run(identity.remove_teacher())

    async def my_teacher(self) -> User | None:
        """The student's teacher, or None."""
        return await self._engine.run(identity.my_teacher())


class AsyncStudents:
    """A teacher's students and their takes."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def list(self) -> builtins.list[User]:
        """Everyone who has chosen this teacher."""
        return await self._engine.run(identity.my_students())

    def submissions(
        self,
        student_id: int,
        *,
        pending_review: bool | None = None,
        piece_id: UUID | str | None = None,
        exercise_id: UUID | str | None = None,
        media_state: str | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Submission]:
        """One student's submissions, newest capture first; pages are fetched as they are needed."""
        return self._engine.iterate(
            submissions.list_of_student(
                student_id,
                pending_review=pending_review,
                piece_id=piece_id,
                exercise_id=exercise_id,
                media_state=media_state,
                page_size=page_size,
            )
        )

    async def assign_routine(self, student_id: int, routine_id: UUID | str) -> Routine:
        """Give a student a routine; it replaces the one before."""
        return await self._engine.run(library.assign_routine(student_id, routine_id))
