"""Who is there: health, signing in, and who teaches whom."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Query
from sqlmodel import col, select

from cadenza_server.auth import find_by_email, issue_token, normalise_email
from cadenza_server.context import (
    ContextDep,
    OpenRoute,
    Services,
    ServicesDep,
    SignedInRoute,
    SignInLimit,
)
from cadenza_server.documentation import refusals
from cadenza_server.errors import ApiError
from cadenza_server.schemas import NO_NUL, Health, Login, SignIn, TeacherChosen, UserOut
from cadenza_server.tables import User
from cadenza_server.teaching import choose_teacher, remove_teacher

open_router = APIRouter(tags=["identity"], route_class=OpenRoute)
router = APIRouter(tags=["identity"], route_class=SignedInRoute)
Email = Annotated[str, Query(max_length=254, pattern=NO_NUL, examples=["teacher@example.org"])]


@open_router.get("/health", responses=refusals(signed_in=False))
def health(services: ServicesDep) -> Health:
    """The server is up; which profiles of the wire it speaks."""
    return Health(version=version("cadenza"), time=services.clock())


@open_router.post(
    "/auth/login",
    dependencies=[SignInLimit],
    responses=refusals("unauthorized", "invalid", "rate_limited", signed_in=False),
)
def login(services: ServicesDep, body: Login) -> SignIn:
    """Sign in with e-mail and password."""
    user = check_password(services, body.email, body.password)
    return _sign_in(services, user)


@open_router.post(
    "/auth/dev-login",
    dependencies=[SignInLimit],
    responses=refusals("not_found", "invalid", "rate_limited", signed_in=False),
)
def dev_login(services: ServicesDep, email: Email) -> SignIn:
    """Sign in without a password; exists only where `CADENZA_ENV` is `dev`."""
    if not services.settings.is_dev:
        raise ApiError("not_found", "There is no such address.")
    with services.db.reading() as session:
        user = find_by_email(session, email)
    if user is None:
        raise ApiError("not_found", "Nobody here has this e-mail.")
    return _sign_in(services, user)


@router.get("/auth/me", responses=refusals())
def me(ctx: ContextDep) -> UserOut:
    """The signed-in user."""
    with ctx.db.reading() as session:
        return user_out(session.get(User, ctx.actor.id))


@router.post("/users/set-teacher", responses=refusals("not_found", "invalid"))
def set_teacher(
    ctx: ContextDep, teacher_email: Email, share_history: bool | None = None
) -> TeacherChosen:
    """Choose one's teacher. Access to takes follows the current teacher (B-30).

    `share_history` says whether the new teacher sees earlier takes as well. Left out, the first
    teacher does, and one who replaces another does not.
    """
    return TeacherChosen(teacher=user_out(choose_teacher(ctx, teacher_email, share_history)))


@router.delete("/users/remove-teacher", status_code=204, responses=refusals())
def unset_teacher(ctx: ContextDep) -> None:
    """Have no teacher; the former one sees nothing any more."""
    remove_teacher(ctx)


@router.get("/users/my-teacher", responses=refusals())
def my_teacher(ctx: ContextDep) -> UserOut | None:
    """One's teacher, or null."""
    with ctx.db.reading() as session:
        user = session.get(User, ctx.actor.id)
        teacher = session.get(User, user.teacher_id) if user and user.teacher_id else None
    return user_out(teacher) if teacher else None


@router.get("/users/my-students", responses=refusals("forbidden"))
def my_students(ctx: ContextDep) -> list[UserOut]:
    """Those who chose the signed-in user as their teacher, by name."""
    if ctx.actor.user_type == "student":
        raise ApiError("forbidden", "Only teachers have students.")
    query = (
        select(User)
        .where(col(User.teacher_id) == ctx.actor.id, col(User.deleted_at).is_(None))
        .order_by(col(User.full_name), col(User.id))
    )
    with ctx.db.reading() as session:
        return [user_out(user) for user in session.exec(query)]


def user_out(user: User | None) -> UserOut:
    """A person on the wire; never with a password hash."""
    assert user is not None
    return UserOut.model_validate(user, from_attributes=True)


def check_password(services: Services, email: str, password: str) -> User:
    """Whose e-mail and password these are.

    Raises:
        ApiError: `unauthorized`, the same for an unknown e-mail and a wrong password;
            `rate_limited`.
    """
    # By account as well as by address: one who has many addresses still guesses slowly.
    services.limiter.check("auth", f"account:{normalise_email(email)}")
    with services.db.reading() as session:
        user = find_by_email(session, email)
    stored = user.password_hash if user else None
    matches, better = services.passwords.verify(password, stored)
    if user is None or not matches:
        raise ApiError("unauthorized", "Wrong e-mail or password.")
    if better:
        with services.db.writing() as session:
            current = session.get(User, user.id)
            assert current is not None
            current.password_hash = better
    return user


def _sign_in(services: Services, user: User) -> SignIn:
    assert user.id is not None
    days = services.settings.token_days
    token = issue_token(services.keyring, user.id, now=services.clock(), days=days)
    return SignIn(access_token=token, expires_in=days * 86_400, user=user_out(user))
