"""Delivering: what is due is claimed, posted, and tried again for three days.

Any number of processes may do it: a claim is one write, and gives the attempt a number and a
lease. Who dies in between loses the lease, and somebody else tries again; so a receiver may get
an event twice, and tells by its id.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, func, or_, select, update

from cadenza_server.clock import Clock
from cadenza_server.database import Database, Session
from cadenza_server.keyring import Keyring
from cadenza_server.outbox import wire_event
from cadenza_server.tables import metadata
from cadenza_server.webhooks.posting import DEADLINE_SECONDS, Outcome, post
from cadenza_server.webhooks.signing import SecretLostError, secret_of, signed_headers

log = logging.getLogger("cadenza.server")

#: After the first attempt, the second and so on; with jitter of a fifth. Three days in all.
RETRY_SECONDS = (30, 120, 600, 3600, 14_400, 43_200, 86_400, 86_400)
LEASE = timedelta(seconds=DEADLINE_SECONDS * 3)
AT_ONCE = 8
_LOOK_AT = 200
TEST = "webhook.test"

_DELIVERIES = metadata.tables["webhook_deliveries"]
_WEBHOOKS, _EVENTS = metadata.tables["webhooks"], metadata.tables["events"]
_DUE = (
    select(_DELIVERIES.c.id, _DELIVERIES.c.webhook_id)
    .join(_WEBHOOKS, _WEBHOOKS.c.id == _DELIVERIES.c.webhook_id)
    .join(_EVENTS, _EVENTS.c.id == _DELIVERIES.c.event_id)
    .where(
        _DELIVERIES.c.status == "pending",
        _DELIVERIES.c.next_at <= bindparam("now"),
        or_(_WEBHOOKS.c.active, _EVENTS.c.type == TEST),
    )
    .order_by(_DELIVERIES.c.next_at, _EVENTS.c.seq)
    .limit(_LOOK_AT)
)
_CLAIMED = (
    select(
        _DELIVERIES.c.id,
        _DELIVERIES.c.attempt,
        _DELIVERIES.c.created_at,
        _WEBHOOKS.c.id.label("webhook_id"),
        _WEBHOOKS.c.url,
        _WEBHOOKS.c.secret,
        _EVENTS.c.id.label("event_id"),
        _EVENTS.c.type,
        _EVENTS.c.at,
        _EVENTS.c.data,
    )
    .join(_WEBHOOKS, _WEBHOOKS.c.id == _DELIVERIES.c.webhook_id)
    .join(_EVENTS, _EVENTS.c.id == _DELIVERIES.c.event_id)
    .where(_DELIVERIES.c.id.in_(bindparam("ids", expanding=True)))
)
Post = Callable[[str, dict[str, str], bytes], Outcome]


class Claimed(NamedTuple):
    """A delivery this process is to try now."""

    id: UUID
    attempt: int
    created_at: datetime
    webhook_id: UUID
    url: str
    seed: str
    event_id: str
    body: bytes
    is_test: bool


class Deliverer:
    """Sends what is due.

    Args:
        db: where deliveries are.
        keyring: for the secrets.
        clock: aware.
        post: sends one; for tests.
        jitter: from 0 to 1, for the next attempt.
    """

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        clock: Clock,
        *,
        post: Post = post,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._post = post
        self._jitter = jitter

    def run_once(self) -> int:
        """Try what is due now, one for each webhook: a slow receiver delays no other.

        Returns:
            How many were tried; 0 when nothing is due.
        """
        claimed = self._claim()
        if claimed:
            with ThreadPoolExecutor(len(claimed), "cadenza-webhook") as pool:
                list(pool.map(self._try, claimed))
        return len(claimed)

    def _claim(self) -> list[Claimed]:
        now = self._clock()
        with self._db.reading() as session:
            if not session.core.execute(_DUE, {"now": now}).first():
                return []
        with self._db.writing() as session:
            due = session.core.execute(_DUE, {"now": now}).all()
            chosen: dict[UUID, UUID] = {}
            for row in due:
                chosen.setdefault(row.webhook_id, row.id)
            ids = list(chosen.values())[:AT_ONCE]
            session.core.execute(
                update(_DELIVERIES)
                .where(_DELIVERIES.c.id.in_(ids))
                .values(attempt=_DELIVERIES.c.attempt + 1, next_at=now + LEASE)
            )
            rows = session.core.execute(_CLAIMED, {"ids": ids}).all()
        return [
            Claimed(
                row.id,
                row.attempt,
                row.created_at,
                row.webhook_id,
                row.url,
                row.secret,
                row.event_id,
                _body(wire_event(row.event_id, row.type, row.at, row.data)),
                row.type == TEST,
            )
            for row in rows
        ]

    def _try(self, claimed: Claimed) -> None:
        try:
            secret = secret_of(self._keyring, claimed.seed)
        except SecretLostError:
            outcome = Outcome(None, "secret_lost")
        else:
            timestamp = int(self._clock().timestamp())
            headers = signed_headers(secret, claimed.event_id, timestamp, claimed.body)
            outcome = self._post(claimed.url, headers, claimed.body)
        with self._db.writing() as session:
            self._note(session, claimed, outcome)
        log.info(
            "webhook_tried",
            extra={
                "webhook_id": str(claimed.webhook_id),
                "event_id": claimed.event_id,
                "attempt": claimed.attempt,
                "status": outcome.status,
                "error_code": outcome.error_code,
            },
        )

    def _note(self, session: Session, claimed: Claimed, outcome: Outcome) -> None:
        now = self._clock()
        values: dict[str, Any] = {
            "response_code": outcome.status,
            "error_code": outcome.error_code,
        }
        if outcome.error_code is None:
            values |= {"status": "delivered", "finished_at": now}
        elif (wait := self._wait(claimed, outcome)) is None:
            values |= {"status": "failed", "finished_at": now}
        else:
            values |= {"next_at": now + wait}
        mine = (
            _DELIVERIES.c.id == claimed.id,
            _DELIVERIES.c.attempt == claimed.attempt,
            _DELIVERIES.c.status == "pending",
        )
        done = session.core.execute(update(_DELIVERIES).where(*mine).values(values))
        if not done.rowcount:
            return  # the lease was lost, or the webhook is deleted: somebody else's word counts
        if reason := _verdict(
            session, claimed, outcome, has_failed=values.get("status") == "failed"
        ):
            _set(session, claimed.webhook_id, active=False, reason=reason)
        elif claimed.is_test and outcome.error_code is None:
            _set(session, claimed.webhook_id, active=True, reason=None)

    def _wait(self, claimed: Claimed, outcome: Outcome) -> timedelta | None:
        """How long until the next attempt; None when there is none."""
        is_final = outcome.status == 410 or outcome.error_code == "secret_lost"
        if is_final or claimed.is_test or claimed.attempt > len(RETRY_SECONDS):
            return None
        seconds = RETRY_SECONDS[claimed.attempt - 1]
        return timedelta(seconds=seconds * (0.8 + 0.4 * self._jitter()))


def _verdict(
    session: Session, claimed: Claimed, outcome: Outcome, *, has_failed: bool
) -> str | None:
    """Why a webhook is to be switched off, if it is."""
    if outcome.status == 410:
        return "gone"
    if outcome.error_code == "secret_lost":
        return "secret_lost"
    if not has_failed or claimed.is_test:
        return None
    arrived_since = select(func.count()).where(
        _DELIVERIES.c.webhook_id == claimed.webhook_id,
        _DELIVERIES.c.finished_at >= claimed.created_at,
        _DELIVERIES.c.status == "delivered",
    )
    # Three days without one success: nobody is there any more.
    return None if session.core.execute(arrived_since).scalar_one() else "failing"


def _set(session: Session, webhook_id: UUID, *, active: bool, reason: str | None) -> None:
    values = {"active": active, "disabled_reason": reason}
    session.core.execute(update(_WEBHOOKS).where(_WEBHOOKS.c.id == webhook_id).values(values))


def _body(event: dict[str, object]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()
