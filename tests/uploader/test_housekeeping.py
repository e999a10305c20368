"""Cancelling tells the server first; garbage collection takes only what nobody can miss."""

import os
from pathlib import Path
from uuid import UUID

import pytest

from cadenza_client import CadenzaClient
from cadenza_client import errors as e
from cadenza_uploader import _spool
from cadenza_uploader._home import Home
from cadenza_uploader._housekeeping import cancel, collect_garbage
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader.errors import IllegalStepError, TakeNotFoundError
from cadenza_uploader.take import Hold, Status, Take
from tests.uploader.fake_server import FakeServer
from tests.uploader.world import NOON, Clock, add_take, claimed, new_take, receipt, spool_names

DAY = 86_400.0
LOST = Setback("lost", "The connection was cut.")


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def client(server: FakeServer) -> CadenzaClient:
    return server.client()


def registered(queue: TakeQueue, *, seed: int = 1) -> Take:
    add_take(queue, seed=seed)
    take = queue.registered(claimed(queue), "5a1c0000-0000-4000-8000-00000000000f", attempts=[])
    return queue.released(take, LOST)


def done(queue: TakeQueue, *, seed: int = 1) -> Take:
    add_take(queue, seed=seed)
    take = queue.registered(claimed(queue), f"s-{seed}", attempts=[])
    take = queue.stored(take, "video", None, attempts=[])
    take = queue.confirmed(take, receipt(take), attempts=[])
    _spool.remove_take(queue.home.spool, take.id)
    return queue.cleaned(take)


# ── cancel ─────────────────────────────────────────────────────────────────────────────────────


def test_a_take_the_server_never_heard_of_goes_without_a_word(queue: TakeQueue, home: Home) -> None:
    take = add_take(queue)
    cancel(queue, take.id[:8], client=None)
    assert queue.list() == []
    assert spool_names(home) == []


def test_the_server_is_told_before_anything_goes_here(
    queue: TakeQueue, home: Home, server: FakeServer, client: CadenzaClient
) -> None:
    take = registered(queue)
    names = spool_names(home)

    def look() -> None:
        assert spool_names(home) == names
        assert queue.get(take.id).hold is Hold.USER  # out of the worker's way meanwhile

    server.on["delete"].append(look)
    cancel(queue, take.id, client=client)
    assert server.log == ["delete"]
    assert queue.list() == []
    assert spool_names(home) == []


def test_a_server_that_cannot_be_told_keeps_everything_here(
    queue: TakeQueue, home: Home, server: FakeServer, client: CadenzaClient
) -> None:
    take = registered(queue)
    names = spool_names(home)
    server.fail("delete", 1, e.ConnectFailedError("no route"))
    with pytest.raises(e.ConnectFailedError):
        cancel(queue, take.id, client=client)
    after = queue.get(take.id)
    assert (after.status, after.hold) == (Status.PENDING, Hold.USER)
    assert spool_names(home) == names
    # It is not sent behind the user's back, and it can be cancelled again or taken back.
    assert queue.claim(owner="w", account=take.account) is None
    cancel(queue, take.id, client=client)
    assert queue.list() == []


@pytest.mark.parametrize("answer", [e.NotFoundError(), e.GoneError()])
def test_what_is_not_there_is_what_was_asked_for(
    queue: TakeQueue, server: FakeServer, client: CadenzaClient, answer: e.APIError
) -> None:
    take = registered(queue)
    server.fail("delete", 1, answer)
    cancel(queue, take.id, client=client)
    assert queue.list() == []


def test_a_create_whose_answer_was_lost_is_cancelled_at_the_server_too(
    queue: TakeQueue, server: FakeServer, client: CadenzaClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise the teacher would wait for a take that never comes.
    take = add_take(queue)
    queue.reclaim(claimed(queue), poison_claims=3, slow_due_ms=0)
    assert queue.get(take.id).create_sent
    deleted: list[str] = []
    monkeypatch.setattr(client.submissions, "delete", deleted.append)
    cancel(queue, take.id, client=client)
    assert [UUID(name) for name in deleted] == [UUID(take.id)]


@pytest.mark.parametrize("how", ["registered", "create_sent"])
def test_without_a_client_nothing_the_server_may_know_is_cancelled(
    queue: TakeQueue, home: Home, how: str
) -> None:
    if how == "registered":
        take = registered(queue)
    else:
        take = add_take(queue)
        queue.reclaim(claimed(queue), poison_claims=3, slow_due_ms=0)
    names = spool_names(home)
    with pytest.raises(IllegalStepError, match="signed in and online"):
        cancel(queue, take.id, client=None)
    assert queue.get(take.id).hold is None
    assert spool_names(home) == names


def test_only_what_waits_or_failed_can_be_cancelled(
    queue: TakeQueue, home: Home, client: CadenzaClient
) -> None:
    take = add_take(queue)
    claimed(queue)
    with pytest.raises(IllegalStepError, match="uploading"):
        cancel(queue, take.id, client=client)
    finished = done(queue, seed=2)
    with pytest.raises(IllegalStepError, match="uploaded"):
        cancel(queue, finished.id, client=client)
    with pytest.raises(TakeNotFoundError):
        cancel(queue, "ffff0000", client=client)
    assert (home.spool / take.id).exists()


def test_a_cancel_that_was_cut_short_can_be_done_again(
    queue: TakeQueue, home: Home, client: CadenzaClient
) -> None:
    take = registered(queue)
    queue.mark_for_removal(take.id)
    _spool.remove_take(home.spool, take.id)  # … and here the power went
    cancel(queue, take.id, client=client)
    assert queue.list() == []


# ── garbage ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def old_part(home: Home) -> Path:
    part = home.spool / ".part-old"
    part.mkdir()
    (part / "video.mp4").write_bytes(bytes(1000))
    os.utime(part, (NOON - 2 * DAY, NOON - 2 * DAY))
    return part


def test_nothing_is_removed_before_it_is_asked_for(
    queue: TakeQueue, home: Home, clock: Clock, old_part: Path
) -> None:
    take = done(queue)
    clock.advance(31 * DAY)
    report = collect_garbage(queue, clock=clock)
    assert (report.rows, report.parts, report.bytes) == (1, (".part-old",), 1000)
    assert not report.applied
    assert old_part.exists()
    assert queue.get(take.id)
    applied = collect_garbage(queue, apply=True, clock=clock)
    assert (applied.rows, applied.parts, applied.bytes) == (1, (".part-old",), 1000)
    assert applied.applied
    assert not old_part.exists()
    assert queue.list() == []


def test_a_receipt_is_kept_for_as_long_as_was_asked(queue: TakeQueue, clock: Clock) -> None:
    done(queue)
    clock.advance(29 * DAY)
    assert collect_garbage(queue, apply=True, clock=clock).rows == 0
    assert collect_garbage(queue, older_than_days=28, apply=True, clock=clock).rows == 1


def test_no_unsent_take_is_ever_garbage(queue: TakeQueue, home: Home, clock: Clock) -> None:
    waiting = add_take(queue, seed=1)
    registered(queue, seed=2)
    clock.advance(10_000 * DAY)
    report = collect_garbage(queue, older_than_days=0, part_age_days=0, apply=True, clock=clock)
    assert (report.rows, report.parts, report.strays) == (0, (), ())
    assert len(queue.list()) == 2
    assert (home.spool / waiting.id / "video.mp4").exists()


def test_a_confirmed_take_that_still_has_files_is_kept(queue: TakeQueue, clock: Clock) -> None:
    add_take(queue)
    take = queue.registered(claimed(queue), "s", attempts=[])
    take = queue.stored(take, "video", None, attempts=[])
    queue.confirmed(take, receipt(take), attempts=[])
    clock.advance(100 * DAY)
    assert collect_garbage(queue, apply=True, clock=clock).rows == 0


def test_a_stray_is_named_and_never_removed(queue: TakeQueue, home: Home, clock: Clock) -> None:
    lost = new_take(home, seed=5)  # published, and its row is gone: perhaps the only copy
    (home.spool / "notes.txt").write_text("mine")
    clock.advance(1000 * DAY)
    report = collect_garbage(queue, older_than_days=0, part_age_days=0, apply=True, clock=clock)
    assert report.strays == (lost.id, "notes.txt")
    assert (home.spool / lost.id / "video.mp4").exists()
    assert (home.spool / "notes.txt").exists()


def test_an_intake_under_way_is_no_garbage_however_old_it_looks(
    queue: TakeQueue, home: Home, clock: Clock
) -> None:
    with _spool.part(home.spool, "slow") as part:
        os.utime(part, (0, 0))
        assert collect_garbage(queue, apply=True, clock=clock).parts == ()
        assert part.exists()


def test_a_young_part_is_left_for_its_owner(queue: TakeQueue, clock: Clock, old_part: Path) -> None:
    os.utime(old_part, (NOON - 0.5 * DAY, NOON - 0.5 * DAY))
    assert collect_garbage(queue, apply=True, clock=clock).parts == ()
    assert collect_garbage(queue, part_age_days=0.4, apply=True, clock=clock).parts
