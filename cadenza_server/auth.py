"""Signing in: passwords, bearer tokens, and the dev-only shortcuts."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import datetime, timedelta

import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import bindparam, select
from sqlmodel import col

from cadenza_server.access import Actor
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.keyring import Keyring
from cadenza_server.tables import User, metadata

_DEV_TOKEN = re.compile(r"dev_token_user_(\d{1,9})")
_ALGORITHM = "HS256"
_USERS = metadata.tables["users"]
# Columns, not the entity, in the order of `Actor`'s fields: this runs at every request.
_ACTOR = select(*(_USERS.c[field.name] for field in fields(Actor))).where(
    _USERS.c.id == bindparam("user_id"), _USERS.c.deleted_at.is_(None)
)


# A hash that no password fits. It is checked when the e-mail is unknown, so that the answer takes
# as long as for a known one. (Its parameters are the hasher's own: a test compares them.)
_DECOY = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43


class Passwords:
    """argon2id, with the parameters of the library's current recommendation."""

    def __init__(self) -> None:
        self._hasher = PasswordHash((Argon2Hasher(),))

    def hash(self, password: str) -> str:
        """A salted hash to store."""
        return self._hasher.hash(password)

    def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it fits, and a new hash to store when the parameters have moved on."""
        matches, better = self._hasher.verify_and_update(password, stored or _DECOY)
        return (matches, better) if stored else (False, None)


def issue_token(keyring: Keyring, user_id: int, *, now: datetime, days: int) -> str:
    """A bearer token: JWT HS256 with `sub` and `exp` (W9)."""
    key = keyring.key("token")
    assert key is not None
    claims = {"sub": str(user_id), "iat": now, "exp": now + timedelta(days=days)}
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": keyring.current_id})


def read_token(keyring: Keyring, token: str, *, now: datetime, dev: bool) -> int:
    """The user id in a token.

    Raises:
        ApiError: `unauthorized`, or `signin_required` when it was good once.
    """
    if dev and (match := _DEV_TOKEN.fullmatch(token)):
        return int(match[1])
    try:
        key_id = jwt.get_unverified_header(token).get("kid", keyring.current_id)
        key = keyring.key("token", str(key_id))
        if key is None:
            raise ApiError("unauthorized")
        # Expiry is judged by the server's injected clock below, not by the library's.
        claims = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            options={"require": ["sub", "exp"], "verify_exp": False, "verify_iat": False},
        )
        user_id, expires = int(claims["sub"]), float(claims["exp"])
        if not 0 < user_id < 2**31:
            raise ApiError("unauthorized")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ApiError("unauthorized") from None
    if now.timestamp() >= expires:
        raise ApiError("signin_required")
    return user_id


def bearer_of(header: str | None) -> str:
    """The token of an `Authorization` header, or 401."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError("unauthorized")
    return token.strip()


def load_actor(session: Session, user_id: int) -> Actor:
    """The signed-in user, or 401 when there is none any more."""
    row = session.core.execute(_ACTOR, {"user_id": user_id}).first()
    if row is None:
        raise ApiError("unauthorized")
    return Actor(*row)


def find_by_email(session: Session, email: str) -> User | None:
    """A user by e-mail, whatever its case."""
    wanted = normalise_email(email)
    user = session.scalars(select(User).where(col(User.email) == wanted)).first()
    return None if user is None or user.deleted_at is not None else user


def normalise_email(email: str) -> str:
    """How e-mails are stored and compared."""
    return email.strip().lower()
