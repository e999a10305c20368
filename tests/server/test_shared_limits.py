"""Rate limits that several workers share: together they allow what one alone would."""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from cadenza_server.database import Database
from cadenza_server.errors import ApiError
from cadenza_server.limits import Kind
from cadenza_server.shared_limits import Connect, SharedRateLimiter, sqlite_rates
from tests.server.world import FakeClock, World

PER_MINUTE: dict[Kind, int] = {"auth": 10, "write": 30, "read": 60_000}


@pytest.fixture
def connect(db: Database, tmp_path: Path) -> Connect:
    return sqlite_rates(tmp_path / "cadenza.db-rates") if db.is_sqlite else db.alone


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def worker(connect: Connect, clock: FakeClock) -> Callable[[], SharedRateLimiter]:
    return lambda: SharedRateLimiter(PER_MINUTE, clock, connect, in_thread=True)


def _refused(limiter: SharedRateLimiter, kind: Kind, caller: str) -> int:
    with pytest.raises(ApiError) as caught:
        limiter.check(kind, caller)
    assert caught.value.code == "rate_limited"
    assert caught.value.retry_after_seconds is not None
    return caught.value.retry_after_seconds


def test_two_workers_allow_together_what_one_would(
    worker: Callable[[], SharedRateLimiter], clock: FakeClock
) -> None:
    one, two = worker(), worker()
    for _ in range(15):
        one.check("write", "user:1")
        two.check("write", "user:1")

    assert _refused(one, "write", "user:1") == 2
    assert _refused(two, "write", "user:1") == 2
    one.check("write", "user:2")
    one.check("auth", "user:1")

    clock.advance(seconds=2)
    two.check("write", "user:1")
    assert _refused(one, "write", "user:1") == 2

    clock.advance(hours=1)  # a burst is one minute's worth, however long one was away
    for _ in range(30):
        one.check("write", "user:1")
    assert _refused(two, "write", "user:1") == 2


def test_a_refusal_takes_nothing(worker: Callable[[], SharedRateLimiter], clock: FakeClock) -> None:
    limiter = worker()
    for _ in range(10):
        limiter.check("auth", "address:::1")
    for _ in range(20):
        assert _refused(limiter, "auth", "address:::1") == 6

    clock.advance(seconds=6)
    limiter.check("auth", "address:::1")


def test_many_at_once_get_no_token_twice(worker: Callable[[], SharedRateLimiter]) -> None:
    workers = [worker() for _ in range(4)]

    def ask(number: int) -> bool:
        try:
            workers[number % 4].check("write", "user:1")
        except ApiError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(100))) == 30


def test_a_high_limit_costs_one_statement_a_second(connect: Connect, clock: FakeClock) -> None:
    asked = 0

    def counted() -> object:
        nonlocal asked
        asked += 1
        return connect()

    limiter = SharedRateLimiter(PER_MINUTE, clock, counted, in_thread=False)  # type: ignore[arg-type] # a double
    for _ in range(1000):
        asyncio.run(limiter.acheck("read", "user:1")) if _ % 100 == 0 else limiter.check(
            "read", "user:1"
        )
    assert asked == 1

    limiter.check("read", "user:1")
    assert asked == 2
    clock.advance(seconds=2)  # what was not spent in time is gone
    limiter.check("read", "user:1")
    assert asked == 3


def test_requests_at_once_take_one_seconds_worth_between_them(
    connect: Connect, clock: FakeClock
) -> None:
    together = threading.Barrier(8)
    asked = 0

    @contextmanager
    def counted() -> Iterator[sa.Connection]:
        nonlocal asked
        asked += 1
        with connect() as connection:
            yield connection

    limiter = SharedRateLimiter(PER_MINUTE, clock, counted, in_thread=True)

    def spend(_: int) -> None:
        # All have seen that there is no lease before the first of them asks for one.
        together.wait(10)
        limiter._take("read", "user:1", clock().timestamp())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spend, range(8)))

    assert asked == 1


def test_near_the_limit_the_last_tokens_are_given_one_by_one(
    worker: Callable[[], SharedRateLimiter], connect: Connect
) -> None:
    limiter = worker()
    limiter.check("read", "user:1")
    with connect() as connection:
        connection.execute(sa.text("UPDATE rate_limits SET full_at = full_at + 58.9985"))
    other = worker()

    other.check("read", "user:1")
    assert _refused(other, "read", "user:1") == 1


def test_callers_are_not_kept_by_name_nor_for_ever(
    worker: Callable[[], SharedRateLimiter], connect: Connect, clock: FakeClock
) -> None:
    limiter = worker()
    limiter.check("auth", "account:student@example.org")
    with connect() as connection:
        (row,) = connection.execute(sa.text("SELECT caller, kind FROM rate_limits")).all()
    assert "student" not in row.caller
    assert row.kind == "auth"

    clock.advance(minutes=11)
    limiter.check("read", "user:2")
    with connect() as connection:
        kinds = connection.execute(sa.text("SELECT kind FROM rate_limits")).scalars().all()
    assert kinds == ["read"]


def test_leases_take_a_bounded_place(
    worker: Callable[[], SharedRateLimiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cadenza_server.shared_limits._MAX_LEASES", 3)
    limiter = worker()

    for number in range(10):
        limiter.check("read", f"user:{number}")

    assert len(limiter._leases) <= 3


def test_the_file_of_sqlite_is_the_servers_own_and_never_waits_for_the_disk(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cadenza.db-rates"
    with sqlite_rates(path)() as connection:
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar_one() == 0

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_servers_on_one_database_share_their_limits(
    make_world: Callable[..., World], new_database: Callable[[], str]
) -> None:
    url = new_database()
    one = make_world(db=url, workers=2, rate_read_per_minute=5)
    for _ in range(5):
        assert one.ask("student", "GET", "/auth/me").status_code == 200

    refused = one.ask("student", "GET", "/auth/me")

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "12"
    if url.startswith("sqlite"):
        assert Path(url.removeprefix("sqlite:///") + "-rates").exists()
