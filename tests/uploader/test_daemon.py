"""The loop: it drains, it waits without spending anything, it recovers, it stops."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cadenza_client import errors as e
from cadenza_uploader import Daemon, Stop, wake_daemon
from cadenza_uploader._credentials import Credential, CredentialStore
from cadenza_uploader._home import Home
from cadenza_uploader._instance import Instance
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader.errors import QueueBusyError
from cadenza_uploader.events import (
    Event,
    QueueHeld,
    QueueReleased,
    TakeRecovered,
    TakeUploaded,
    UploaderIdle,
    UploaderStopping,
)
from cadenza_uploader.take import Account, FailCode, Hold, Status
from tests.uploader.fake_server import FakeServer
from tests.uploader.world import (
    NOON,
    URL,
    Clock,
    add_take,
    claimed,
    new_take,
    remove_video,
    spool_names,
)

WAIT_SECONDS = 10.0


class House:
    """A home with a signed-in student, a server, and daemons over them."""

    def __init__(self, home: Home, queue: TakeQueue, clock: Clock) -> None:
        self.home = home
        self.queue = queue
        self.clock = clock
        self.server = FakeServer()
        self.settings = Settings.load({}, home=home.path, url=URL, timings="fast")
        self.store = CredentialStore(home)
        self.store.save(Credential(URL, 7, "ada@example.org", "Ada", "student", "tok"))
        self.seen: list[Event] = []
        self.stop = Stop()

    def daemon(self, *, failpoint: Callable[[str], None] = lambda _: None) -> Daemon:
        return Daemon(
            self.queue,
            connect=self.server.client,
            settings=self.settings,
            observer=self.seen.append,
            store=self.store,
            clock=self.clock,
            monotonic=time.monotonic,
            random=random.Random(3).random,
            failpoint=failpoint,
        )

    def running(self) -> threading.Thread:
        thread = threading.Thread(target=self.daemon().run, args=[self.stop], daemon=True)
        thread.start()
        return thread

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; saw {self.seen[-5:]}"
            time.sleep(0.005)

    def saw(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.seen)


@pytest.fixture
def house(home: Home, queue: TakeQueue, clock: Clock) -> House:
    return House(home, queue, clock)


# ── draining ───────────────────────────────────────────────────────────────────────────────────


def test_a_drain_empties_the_queue_oldest_first(house: House) -> None:
    late = add_take(house.queue, seed=1, captured=NOON)
    early = add_take(house.queue, seed=2, captured=NOON - 60)
    report = house.daemon().drain(house.stop)
    assert report.uploaded == (early.id, late.id)
    assert (report.failed, report.delayed, report.held, report.remaining) == ((), (), None, 0)
    assert spool_names(house.home) == []


def test_a_drain_of_some_leaves_the_others(house: House) -> None:
    add_take(house.queue, seed=1)
    mine = add_take(house.queue, seed=2)
    report = house.daemon().drain(house.stop, only=[mine.id])
    assert report.uploaded == (mine.id,)
    assert report.remaining == 0
    assert house.queue.counts().pending == 1


def test_one_bad_take_does_not_hold_up_the_rest(house: House) -> None:
    bad = add_take(house.queue, seed=1, captured=NOON - 60)
    good = add_take(house.queue, seed=2)
    remove_video(house.home, bad)
    report = house.daemon().drain(house.stop)
    assert (report.failed, report.uploaded) == ((bad.id,), (good.id,))
    assert house.queue.get(bad.id).fail_code is FailCode.LOCAL_FILE_MISSING


def test_a_crash_over_one_take_does_not_stop_the_others(house: House) -> None:
    bad = add_take(house.queue, seed=1, captured=NOON - 60)
    good = add_take(house.queue, seed=2)

    def crash() -> None:
        if house.server.counts["create"] == 1:
            raise ZeroDivisionError

    house.server.on["create"].append(crash)
    report = house.daemon().drain(house.stop)
    assert good.id in report.uploaded
    assert house.queue.get(bad.id).status is Status.PENDING
    house.clock.advance(900)
    assert house.daemon().drain(house.stop).uploaded == (bad.id,)


def test_a_take_that_crashes_every_time_is_called_poison(house: House) -> None:
    add_take(house.queue)

    def crash() -> None:
        raise ZeroDivisionError

    house.server.on["create"].append(crash)
    for _ in range(3):
        house.daemon().drain(house.stop)
        house.clock.advance(900)
    (take,) = house.queue.list()
    assert take.fail_code is FailCode.POISON


def test_a_drain_waits_through_a_short_back_off(house: House) -> None:
    take = add_take(house.queue)
    busy = e.RateLimitError("wait", status_code=429, retry_after_seconds=0.05)
    house.server.fail("create", 1, busy)

    def clock() -> float:
        return NOON + time.monotonic()

    with TakeQueue.open(house.home, clock=clock) as queue:
        daemon = Daemon(
            queue,
            connect=house.server.client,
            settings=house.settings,
            store=house.store,
            random=random.Random(3).random,
            clock=clock,
        )
        report = daemon.drain(house.stop, wait_seconds=WAIT_SECONDS)
    assert report.uploaded == (take.id,)


# ── holds ──────────────────────────────────────────────────────────────────────────────────────


def test_offline_holds_everything_and_asks_once(house: House) -> None:
    for seed in range(1, 21):
        add_take(house.queue, seed=seed)
    house.server.always["create"] = lambda: e.ConnectFailedError("no route", kind="unreachable")
    report = house.daemon().drain(house.stop)
    assert report.held is Hold.NETWORK
    assert report.remaining == 20
    assert house.server.counts["create"] == 1
    assert all(take.attempts == 0 for take in house.queue.list())


def test_nobody_signed_in_sends_nothing(house: House) -> None:
    add_take(house.queue)
    house.store.forget(URL)
    report = house.daemon().drain(house.stop)
    assert report.held is Hold.AUTH
    assert house.server.log == []


def test_a_refused_sign_in_costs_three_requests_and_no_attempt(house: House) -> None:
    for seed in range(1, 11):
        add_take(house.queue, seed=seed)
    refused = e.AuthenticationError("no", status_code=401)
    house.server.always["create"] = house.server.always["me"] = lambda: refused
    for _ in range(3):
        house.daemon().drain(house.stop)
    assert len(house.server.log) <= 3  # S06
    assert all(take.status is Status.PENDING for take in house.queue.list())
    del house.server.always["create"], house.server.always["me"]
    assert len(house.daemon().drain(house.stop).uploaded) == 10


def test_a_token_given_by_hand_is_introduced_once(house: House) -> None:
    house.store.forget(URL)
    house.settings = Settings.load({"CADENZA_TOKEN": "t"}, home=house.home.path, url=URL)
    add_take(house.queue, seed=1, account=Account(URL, None))
    add_take(house.queue, seed=2, account=Account(URL, None))
    assert len(house.daemon().drain(house.stop).uploaded) == 2
    assert house.server.counts["me"] == 1


def test_a_permission_lost_during_a_transfer_puts_the_take_back(house: House) -> None:
    """N19, N20: the line becomes a metered one while bytes flow."""
    add_take(house.queue)
    house.settings = house.settings.model_copy(update={"allow_metered": False})
    line = {"metered": False}

    def change() -> None:
        line["metered"] = True
        house.clock.advance(2)

    house.server.on["create"].append(change)
    daemon = Daemon(
        house.queue,
        connect=house.server.client,
        settings=house.settings,
        store=house.store,
        clock=house.clock,
        metered=lambda: line["metered"],
    )
    assert daemon.drain(house.stop).uploaded == ()
    (take,) = house.queue.list()
    assert (take.status, take.attempts) == (Status.PENDING, 0)
    assert house.server.counts["video"] == 0
    assert daemon.drain(house.stop).held is Hold.CONSTRAINT
    line["metered"] = False
    house.server.on["create"].clear()
    assert daemon.drain(house.stop).uploaded == (take.id,)


def test_a_pause_is_kept_until_resumed(house: House) -> None:
    add_take(house.queue)
    house.queue.pause()
    assert house.daemon().drain(house.stop).held is Hold.USER
    assert house.server.log == []
    house.queue.resume()
    assert len(house.daemon().drain(house.stop).uploaded) == 1


def test_a_server_that_asks_for_time_gets_it_from_every_take(house: House) -> None:
    for seed in (1, 2, 3):
        add_take(house.queue, seed=seed)
    busy = e.RateLimitError("wait", status_code=429, retry_after_seconds=600.0)
    house.server.fail("create", 1, busy)
    house.daemon().drain(house.stop)
    assert house.server.counts["create"] == 1


# ── running ────────────────────────────────────────────────────────────────────────────────────


def test_new_work_wakes_a_waiting_daemon_at_once(house: House) -> None:
    thread = house.running()
    house.until(lambda: house.saw(UploaderIdle))
    add_take(house.queue)
    assert wake_daemon(house.home)
    house.until(lambda: house.saw(TakeUploaded))
    house.stop.request("test")
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert house.saw(UploaderStopping)


def test_the_network_coming_back_is_noticed_without_being_told(house: House) -> None:
    add_take(house.queue)
    offline = e.ConnectFailedError("no route", kind="unreachable")
    house.server.always["create"] = house.server.always["health"] = lambda: offline
    thread = house.running()
    house.until(lambda: house.saw(QueueHeld))
    house.server.always.clear()
    house.until(lambda: house.saw(TakeUploaded))
    assert house.saw(QueueReleased)
    house.stop.request("test")
    thread.join(WAIT_SECONDS)


def test_a_stop_never_waits_for_a_silent_server(house: House) -> None:
    add_take(house.queue)
    silent = threading.Event()
    house.settings = house.settings.model_copy(update={"timings": "real"})

    def think() -> None:
        silent.wait(60)

    house.server.on["create"].append(think)
    thread = house.running()
    house.until(lambda: house.server.counts["create"] == 1)
    began = time.monotonic()
    house.stop.request("SIGTERM")
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert time.monotonic() - began <= 5.0  # P04
    (take,) = house.queue.list()
    assert (take.status, take.attempts) == (Status.PENDING, 0)
    silent.set()  # the worker wakes, and its outcome is fenced off
    house.until(lambda: house.server.submissions != {})
    assert house.queue.list()[0].status is Status.PENDING


def test_a_second_uploader_is_refused(house: House) -> None:
    with Instance(house.home), pytest.raises(QueueBusyError):
        house.daemon().drain(house.stop)


# ── recovery ───────────────────────────────────────────────────────────────────────────────────


def test_a_killed_uploaders_takes_go_on(house: House) -> None:
    add_take(house.queue)
    claimed(house.queue, owner="killed")
    report = house.daemon().drain(house.stop)
    assert len(report.uploaded) == 1
    assert TakeRecovered(report.uploaded[0], "reclaimed") in house.seen


def test_a_take_whose_row_was_lost_is_adopted_and_sent(house: House) -> None:
    new = new_take(house.home)
    report = house.daemon().drain(house.stop)
    assert report.uploaded == (new.id,)
    assert house.queue.get(new.id).context == new.context


CRASH_POINTS = ["after_create", "after_put", "after_confirm", "before_unlink", "after_unlink"]


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_at_any_point_ends_in_one_submission_and_a_clean_spool(
    house: House, point: str, tmp_path: Path
) -> None:
    class Killed(BaseException):
        """Stands for SIGKILL: nothing of ours handles it."""

    add_take(house.queue)
    killed: list[str] = []

    def kill(name: str) -> None:
        if name == point and not killed:
            killed.append(name)
            raise Killed

    with pytest.raises(Killed):
        house.daemon(failpoint=kill).drain(house.stop)
    with TakeQueue.open(house.home, clock=house.clock) as reopened:
        house.queue = reopened
        house.daemon().drain(house.stop)
        (take,) = reopened.list()
    assert take.status is Status.UPLOADED
    assert len(house.server.submissions) == 1
    assert len(house.server.confirmed) == 1
    assert spool_names(house.home) == []
