"""The rule itself, over everything it can be asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_server.access import Actor, Subject, can_access, require, subject_of
from cadenza_server.errors import ApiError
from cadenza_server.tables import User
from tests.server.world import START

_people = st.integers(1, 4)
_maybe = st.none() | _people


def _actor(user_id: int, *, studio_id: int | None = None, admin: bool = False) -> Actor:
    return Actor(user_id, "x@example.org", None, studio_id, admin)


@given(actor_id=_people, owner=_people, teacher=_maybe, studio=_maybe, shared=st.sets(_people))
def test_nobody_but_the_owner_owns_and_nobody_reviews_himself(
    actor_id: int, owner: int, teacher: int | None, studio: int | None, shared: set[int]
) -> None:
    subject = Subject(owner, teacher, studio, frozenset(shared))
    actor = _actor(actor_id, studio_id=studio, admin=True)

    assert can_access(actor, subject, "own") == (actor_id == owner)
    assert can_access(actor, subject, "review") == (actor_id == teacher and actor_id != owner)
    if can_access(actor, subject, "own") or can_access(actor, subject, "review"):
        assert can_access(actor, subject, "see")


def test_an_admin_sees_the_own_studio_and_no_other() -> None:
    admin = _actor(9, studio_id=1, admin=True)

    assert can_access(admin, Subject(1, 2, studio_id=1), "see")
    assert not can_access(admin, Subject(1, 2, studio_id=2), "see")
    assert not can_access(admin, Subject(1, 2, studio_id=None), "see")
    assert not can_access(_actor(9, studio_id=None, admin=True), Subject(1, 2, None), "see")
    assert not can_access(_actor(9, studio_id=1, admin=False), Subject(1, 2, 1), "see")


def test_what_is_shared_is_seen_and_not_more() -> None:
    subject = Subject(1, 2, shared_with=frozenset({3}))

    assert can_access(_actor(3), subject, "see")
    assert not can_access(_actor(3), subject, "own")
    with pytest.raises(ApiError) as refusal:
        require(_actor(4), subject, "see")
    assert refusal.value.code == "forbidden"


@pytest.mark.parametrize(
    ("share", "since", "made", "seen"),
    [
        (False, START, START, True),
        (False, START, START - timedelta(seconds=1), False),
        (True, START, START - timedelta(days=999), True),
        (False, None, START - timedelta(days=999), True),
        (False, START, None, True),
    ],
)
def test_history_is_the_students_to_share(
    share: bool, since: object, made: object, seen: bool
) -> None:
    owner = User(id=1, email="x", teacher_id=2, created_at=START, share_history=share)
    owner.teacher_since = since  # type: ignore[assignment]  # the table of cases is untyped

    subject = subject_of(owner, created_at=made)  # type: ignore[arg-type]  # see above

    assert can_access(_actor(2), subject, "review") is seen
    assert can_access(_actor(1), subject, "own")
