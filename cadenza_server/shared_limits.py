"""Rate limits that several workers share: one row for each caller, one statement for each look.

A row holds the moment at which the caller's bucket will be full again. A token moves it by one
interval; a minute ahead of now, the bucket is empty. So one upsert both asks and takes, and a row
whose moment has passed says nothing any more.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from sqlalchemy import (
    Column,
    Connection,
    Double,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    select,
    text,
)

from cadenza_server.clock import Clock
from cadenza_server.database import prepare_file
from cadenza_server.limits import Kind, refuse

_BURST_SECONDS = 60.0
_SWEEP_SECONDS = 600.0
_MAX_LEASES = 10_000
#: So many callers may be asked about at once; more than threads that ask.
_ASKERS = 64
RATE_LIMITS = Table(
    "rate_limits",
    MetaData(),
    Column("caller", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("full_at", Double, nullable=False),
)
_C = RATE_LIMITS.c
# A CASE in place of GREATEST or MAX: the same words on both databases.
_TAKE = text(
    "INSERT INTO rate_limits (caller, kind, full_at) "
    "VALUES (:caller, :kind, CAST(:now AS DOUBLE PRECISION) + :cost) "
    "ON CONFLICT (caller, kind) DO UPDATE SET full_at = :cost + "
    "CASE WHEN rate_limits.full_at > :now THEN rate_limits.full_at ELSE :now END "
    "WHERE rate_limits.full_at + :cost <= :now + :burst "
    "RETURNING full_at"
)
_FULL_AT = select(_C.full_at).where(_C.caller == bindparam("caller"), _C.kind == bindparam("kind"))
_SWEEP = delete(RATE_LIMITS).where(_C.full_at < bindparam("now"))
Connect = Callable[[], AbstractContextManager[Connection]]


@dataclass
class _Lease:
    tokens: int
    until: float


class SharedRateLimiter:
    """As `RateLimiter`: a burst of one minute's worth, then the steady rate; for all workers.

    Where the limit is high, a worker takes a second's worth of tokens at once and spends them
    within that second: at 60,000 a minute that is one statement for a thousand requests.

    Args:
        per_minute: requests a minute for each kind.
        clock: the server's time; the workers' clocks should agree to a second or so.
        connect: a connection on which a statement is kept as soon as it has run.
        in_thread: whether asking may take long enough to be kept off the event loop.
    """

    def __init__(
        self, per_minute: dict[Kind, int], clock: Clock, connect: Connect, *, in_thread: bool
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._connect = connect
        self._in_thread = in_thread
        self._leases: dict[tuple[Kind, str], _Lease] = {}
        self._lock = threading.Lock()
        self._asking = tuple(threading.Lock() for _ in range(_ASKERS))
        self._sweep_at = 0.0

    def check(self, kind: Kind, caller: str) -> None:
        """Take one token.

        Raises:
            ApiError: `rate_limited`, with the seconds until there is a token again.
        """
        now = self._clock().timestamp()
        if not self._spend(kind, caller, now):
            self._take(kind, caller, now)

    async def acheck(self, kind: Kind, caller: str) -> None:
        """The same on an event loop."""
        now = self._clock().timestamp()
        if self._spend(kind, caller, now):
            return
        if self._in_thread:
            await run_sync(self._take, kind, caller, now)
        else:
            self._take(kind, caller, now)

    def _spend(self, kind: Kind, caller: str, now: float) -> bool:
        with self._lock:
            lease = self._leases.get((kind, caller))
            if lease is None or lease.tokens < 1 or now > lease.until:
                return False
            lease.tokens -= 1
            return True

    def _take(self, kind: Kind, caller: str, now: float) -> None:
        # When a lease is spent or over, one of a caller's requests asks and the others wait: each
        # asking for a second's worth would empty the bucket at a fraction of the limit.
        with self._asking[hash((kind, caller)) % _ASKERS]:
            if not self._spend(kind, caller, now):
                self._ask(kind, caller, now)

    def _ask(self, kind: Kind, caller: str, now: float) -> None:
        limit = self._per_minute[kind]
        interval = _BURST_SECONDS / limit
        # The caller may be an e-mail address, and a table of those is nobody's business.
        row = {"caller": hashlib.sha256(caller.encode()).hexdigest()[:32], "kind": kind}
        with self._connect() as connection:
            self._sweep(connection, now)
            for tokens in sorted({max(1, limit // 60), 1}, reverse=True):
                asked = {**row, "now": now, "cost": tokens * interval, "burst": _BURST_SECONDS}
                if connection.execute(_TAKE, asked).first() is not None:
                    self._lease(kind, caller, _Lease(tokens - 1, now + 1.0))
                    return
            full_at = connection.execute(_FULL_AT, row).scalar_one_or_none() or now
        refuse(full_at + interval - _BURST_SECONDS - now)

    def _lease(self, kind: Kind, caller: str, lease: _Lease) -> None:
        if lease.tokens < 1:
            return
        with self._lock:
            if len(self._leases) >= _MAX_LEASES:
                self._leases.clear()
            self._leases[kind, caller] = lease

    def _sweep(self, connection: Connection, now: float) -> None:
        """Forget callers whose bucket is full again: they are as good as new."""
        with self._lock:
            if now < self._sweep_at:
                return
            self._sweep_at = now + _SWEEP_SECONDS
        connection.execute(_SWEEP, {"now": now})


def sqlite_rates(path: Path) -> Connect:
    """A file for the rate limits of several workers on one machine; never waits for the disk.

    Args:
        path: of the file; made when it is not there. It may be deleted at any time.
    """
    prepare_file(path)
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"check_same_thread": False}, isolation_level="AUTOCOMMIT"
    )

    def set_up(connection: Any, _record: object) -> None:
        for pragma in ("busy_timeout=1000", "journal_mode=WAL", "synchronous=OFF"):
            connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", set_up)
    RATE_LIMITS.metadata.create_all(engine)
    return engine.connect
