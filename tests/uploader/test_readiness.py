"""What the whole queue waits for, and that it goes on by itself when that is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import Any

import pytest
from pydantic import SecretStr

from cadenza_client import errors as e
from cadenza_uploader._credentials import Credential, CredentialStore
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._readiness import SIGN_IN, Probe, Readiness
from cadenza_uploader._settings import Settings
from cadenza_uploader._settlement import Carried
from cadenza_uploader.errors import CredentialsError
from cadenza_uploader.events import Event, QueueHeld, QueueReleased
from cadenza_uploader.take import Account, Hold
from tests.uploader.fake_server import FakeServer
from tests.uploader.world import STUDENT, URL, Clock


class Desk:
    """A readiness over a real queue, with everything outside it in the test's hand."""

    def __init__(self, queue: TakeQueue, clock: Clock, **settings: Any) -> None:
        self.queue = queue
        self.clock = clock
        self.server = FakeServer()
        self.store = CredentialStore(queue.home)
        self.settings = Settings.load({}, home=queue.home.path, url=URL, **settings)
        self.seen: list[Event] = []
        self.at = time(12, 0)
        self.line_costs: bool | None = False
        self.readiness = Readiness(
            queue,
            settings=self.settings,
            store=self.store,
            observer=self.seen.append,
            monotonic=clock,
            random=lambda: 1.0,
            local_time=lambda: self.at,
            metered=lambda: self.line_costs,
        )

    def sign_in(self) -> None:
        self.store.save(Credential(URL, 7, "ada@example.org", "Ada", "student", "tok"))

    def account(self) -> Account | None:
        return self.readiness.account(self.server.client())

    def holds(self) -> set[Hold]:
        return {hold.hold for hold in self.queue.holds()}


@pytest.fixture
def desk(queue: TakeQueue, clock: Clock) -> Desk:
    desk = Desk(queue, clock)
    desk.sign_in()
    return desk


def test_who_is_signed_in_may_send_without_asking_anybody(desk: Desk) -> None:
    assert desk.account() == STUDENT
    assert desk.server.log == []
    assert desk.seen == []


def test_a_pause_comes_before_everything(desk: Desk) -> None:
    desk.queue.pause("on the train")
    assert desk.account() is None
    assert desk.holds() == {Hold.USER}
    desk.queue.resume()
    assert desk.account() == STUDENT


def test_nobody_signed_in_is_said_once_and_goes_on_with_a_sign_in(
    queue: TakeQueue, clock: Clock
) -> None:
    desk = Desk(queue, clock)
    assert desk.account() is None
    assert desk.account() is None
    assert desk.seen == [QueueHeld(Hold.AUTH, SIGN_IN)]
    desk.sign_in()
    assert desk.account() == STUDENT
    assert desk.server.log == ["me"], "after a hold the server is asked who we are"
    assert desk.seen[-1] == QueueReleased(Hold.AUTH)


def test_a_sign_in_that_cannot_be_read_says_what_to_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_url: str) -> Credential:
        raise CredentialsError("The keyring is locked. Unlock it.")

    monkeypatch.setattr(desk.store, "load", locked)
    assert desk.account() is None
    assert desk.seen == [QueueHeld(Hold.AUTH, "The keyring is locked. Unlock it.")]


def test_a_token_given_by_hand_is_introduced_once(queue: TakeQueue, clock: Clock) -> None:
    desk = Desk(queue, clock, token=SecretStr("by-hand"))
    assert desk.account() == STUDENT
    assert desk.account() == STUDENT
    assert desk.server.log == ["me"]


def test_a_token_that_is_refused_holds_the_queue(queue: TakeQueue, clock: Clock) -> None:
    desk = Desk(queue, clock, token=SecretStr("old"))
    desk.server.always["me"] = lambda: e.AuthenticationError("expired")
    assert desk.account() is None
    assert desk.holds() == {Hold.AUTH}
    (held,) = desk.seen
    assert isinstance(held, QueueHeld)
    assert "does not accept the sign-in" in held.sentence


def test_no_network_while_introducing_is_not_called_a_refusal(
    queue: TakeQueue, clock: Clock
) -> None:
    desk = Desk(queue, clock, token=SecretStr("by-hand"))
    desk.server.always["me"] = lambda: e.ConnectFailedError("nobody there", kind="refused")
    assert desk.account() is None
    assert desk.holds() == {Hold.NETWORK}
    assert desk.readiness.probe_seconds > 0


def test_a_network_that_is_gone_is_looked_for_less_and_less(desk: Desk, clock: Clock) -> None:
    desk.queue.hold_queue(Hold.NETWORK, "refused")
    desk.server.always["health"] = lambda: e.ConnectFailedError("nobody", kind="refused")
    waits: list[float] = []
    for _ in range(12):
        assert desk.account() is None
        waits.append(desk.readiness.probe_seconds)
        assert desk.account() is None, "and not looked for in between"
        clock.advance(desk.readiness.probe_seconds)
    assert desk.server.counts["health"] == 12
    timings = desk.settings.durations
    assert waits[0] == timings.probe_first_seconds
    assert waits == sorted(waits)
    assert waits[-1] == timings.probe_cap_seconds
    desk.server.always.clear()
    assert desk.account() == STUDENT
    assert desk.seen[-1] == QueueReleased(Hold.NETWORK)


def test_a_change_of_network_is_a_reason_to_look_at_once(desk: Desk, clock: Clock) -> None:
    desk.queue.hold_queue(Hold.NETWORK, "refused")
    desk.server.fail("health", 1, e.ConnectFailedError("nobody", kind="refused"))
    assert desk.account() is None
    desk.readiness.look_again()
    assert desk.account() is None, "but never twice in a second"
    clock.advance(1.0)
    assert desk.account() == STUDENT


def test_what_a_claim_brought_back_counts_for_all(desk: Desk, clock: Clock) -> None:
    desk.readiness.note(Carried("released", Hold.NETWORK))
    assert desk.readiness.probe_seconds > 0
    desk.readiness.note(Carried("delayed", pause_seconds=30.0))
    desk.readiness.note(Carried("delayed", pause_seconds=5.0))
    assert desk.readiness.paused_seconds == 30.0
    clock.advance(31)
    assert desk.readiness.paused_seconds == 0.0
    desk.readiness.note(Carried("delayed", pause_seconds=10_000_000.0))
    assert desk.readiness.paused_seconds == desk.settings.durations.backoff.hint_cap_seconds


@pytest.mark.parametrize(
    ("settings", "change"),
    [
        ({"allow_metered": False}, lambda desk: setattr(desk, "line_costs", True)),
        ({"hours": "20:00-07:00"}, lambda desk: setattr(desk, "at", time(12, 0))),
    ],
)
def test_the_users_own_rules_hold_and_release(
    queue: TakeQueue, clock: Clock, settings: dict[str, Any], change: Callable[[Desk], None]
) -> None:
    desk = Desk(queue, clock, **settings)
    desk.sign_in()
    change(desk)
    assert desk.account() is None
    assert desk.holds() == {Hold.CONSTRAINT}
    desk.line_costs, desk.at = False, time(22, 0)
    assert desk.account() == STUDENT
    assert isinstance(desk.seen[-1], QueueReleased)


def test_a_line_nobody_knows_the_cost_of_is_used(queue: TakeQueue, clock: Clock) -> None:
    desk = Desk(queue, clock, allow_metered=False)
    desk.sign_in()
    desk.line_costs = None
    assert desk.account() == STUDENT


def test_a_probe_waits_between_half_and_all_of_its_ceiling() -> None:
    for chance, least in ((0.0, 5.0), (1.0, 10.0)):
        probe = Probe(10.0, 60.0)
        probe.failed(100.0, lambda chance=chance: chance)  # type: ignore[misc]  # bound early
        assert probe.seconds(100.0) == least
        assert not probe.is_due(100.0 + least - 0.1)
        assert probe.is_due(100.0 + least)
