"""Health, sign-in, and who teaches whom."""

from __future__ import annotations

import pydantic

from cadenza_client._answers import nothing, one, one_or_none, rows
from cadenza_client._call import Answer, Call
from cadenza_client._endpoints._build import LIST_BYTES, body, query
from cadenza_client.models import Health, SignIn, User

__all__ = [
    "dev_login",
    "health",
    "login",
    "me",
    "my_students",
    "my_teacher",
    "remove_teacher",
    "set_teacher",
]


def health() -> Call[Health]:
    """`GET /health`."""
    return Call("GET", "/health", one(Health), authenticated=False, idempotent=True)


def login(email: str, password: str) -> Call[SignIn]:
    """`POST /auth/login`. Doing it twice gives two tokens and harms nothing."""
    return Call(
        "POST",
        "/auth/login",
        one(SignIn),
        body=body({"email": email, "password": password}),
        authenticated=False,
        idempotent=True,
    )


def dev_login(email: str) -> Call[SignIn]:
    """`POST /auth/dev-login?email=`; development servers only (W9)."""
    return Call(
        "POST",
        "/auth/dev-login",
        one(SignIn),
        query=query(email=email),
        authenticated=False,
        idempotent=True,
    )


def me() -> Call[User]:
    """`GET /auth/me`."""
    return Call("GET", "/auth/me", one(User), idempotent=True)


class _TeacherChosen(pydantic.BaseModel):
    teacher: User


def _chosen(answer: Answer) -> User:
    return one(_TeacherChosen)(answer).teacher


def set_teacher(email: str, *, share_history: bool | None = None) -> Call[User]:
    """`POST /users/set-teacher?teacher_email=`."""
    return Call(
        "POST",
        "/users/set-teacher",
        _chosen,
        query=query(teacher_email=email, share_history=share_history),
        idempotent=True,
    )


def remove_teacher() -> Call[None]:
    """`DELETE /users/remove-teacher`."""
    return Call("DELETE", "/users/remove-teacher", nothing, idempotent=True)


def my_teacher() -> Call[User | None]:
    """`GET /users/my-teacher`."""
    return Call("GET", "/users/my-teacher", one_or_none(User), idempotent=True)


def my_students() -> Call[list[User]]:
    """`GET /users/my-students`."""
    return Call(
        "GET", "/users/my-students", rows(User), idempotent=True, max_answer_bytes=LIST_BYTES
    )
