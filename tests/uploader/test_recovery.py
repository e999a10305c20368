"""What a start makes of what a crash left: everything comes back, nothing goes, twice is once."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cadenza_uploader import _spool
from cadenza_uploader._description import describe, restore
from cadenza_uploader._home import Home
from cadenza_uploader._instance import FileLock
from cadenza_uploader._journey import World
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader._recovery import POISON_CLAIMS, Recovered, recover
from cadenza_uploader._settings import Timings
from cadenza_uploader.errors import QueueDamagedError
from cadenza_uploader.events import Event, TakeRecovered
from cadenza_uploader.take import FailCode, Stage, Status
from tests.uploader.world import (
    NOON,
    Clock,
    add_take,
    claimed,
    content,
    new_take,
    receipt,
    remove_video,
    spool_names,
)

DAY = 86_400.0
BUSY = Setback("http_503", "The server is busy.")

Start = Callable[..., Recovered]


@pytest.fixture
def start(queue: TakeQueue, clock: Clock) -> Start:
    def run(
        *, seen: list[Event] | None = None, failpoint: Callable[[str], None] = lambda _: None
    ) -> Recovered:
        world = World(clock, lambda: 0.5, failpoint)
        observer = seen.append if seen is not None else lambda _: None
        return recover(queue, Timings.real(), world=world, observer=observer)

    return run


def picture(queue: TakeQueue) -> tuple[Any, ...]:
    """Everything recovery may change, as one value."""
    takes = [asdict(take) for take in queue.list(limit=None)]
    return takes, spool_names(queue.home), queue.leased(), sorted(os.listdir(queue.home.workers))


def disorder(queue: TakeQueue, clock: Clock) -> None:
    """One of everything a crash can leave."""
    add_take(queue, seed=1)
    claimed(queue, owner="dead")  # C4
    add_take(queue, seed=2)
    queue.delayed(claimed(queue), BUSY, round((NOON + 999 * DAY) * 1000), attempts=[])  # K02
    new_take(queue.home, seed=3)  # C2
    (queue.home.spool / "mystery").mkdir()
    part = queue.home.spool / ".part-old"
    part.mkdir()
    os.utime(part, (NOON - 8 * DAY, NOON - 8 * DAY))
    (queue.home.workers / "dead.lock").touch()


# ── twice is once (I15) ────────────────────────────────────────────────────────────────────────


def test_a_sound_queue_is_left_as_it_is(queue: TakeQueue, start: Start) -> None:
    add_take(queue)
    before, seen = picture(queue), list[Event]()
    assert start(seen=seen) == Recovered((), (), ())
    assert picture(queue) == before
    assert seen == []


def test_recovering_twice_is_recovering_once(queue: TakeQueue, clock: Clock, start: Start) -> None:
    disorder(queue, clock)
    first = start()
    assert (len(first.reclaimed), len(first.adopted), first.unreadable) == (1, 1, ("mystery",))
    assert len(first) == 2
    once = picture(queue)
    assert start() == Recovered((), (), ("mystery",))
    assert picture(queue) == once


@pytest.mark.parametrize("where", ["recovery_after_reclaim", "recovery_after_adopt"])
def test_a_crash_inside_recovery_ends_where_an_unbroken_one_does(
    tmp_path: Path, clock: Clock, where: str
) -> None:
    def run(home: Home, crash: bool) -> tuple[Any, ...]:
        def failpoint(name: str) -> None:
            if crash and name == where:
                raise KeyboardInterrupt

        with TakeQueue.open(home.prepare(), clock=clock) as queue:
            disorder(queue, clock)
            if crash:
                with pytest.raises(KeyboardInterrupt):
                    recover(
                        queue, Timings.real(), world=World(clock, lambda: 0.5, failpoint),
                        observer=lambda _: None,
                    )  # fmt: skip
            world = World(clock, lambda: 0.5, lambda _: None)
            recover(queue, Timings.real(), world=world, observer=lambda _: None)
            takes, names, leased, locks = picture(queue)
        # Two files are never the same to the inode and the nanosecond.
        for take in takes:
            for asset in (take["video"], take["thumbnail"]):
                asset.update(inode=0, modified_ns=0)
        return takes, names, leased, locks

    whole = run(Home(tmp_path / "a"), crash=False)
    assert run(Home(tmp_path / "b"), crash=True) == whole


# ── leases of the dead (T11) ───────────────────────────────────────────────────────────────────


def test_the_take_of_a_dead_worker_is_freed(queue: TakeQueue, start: Start) -> None:
    take, seen = add_take(queue), list[Event]()
    claimed(queue, owner="dead")
    (queue.home.workers / "dead.lock").touch()
    assert start(seen=seen).reclaimed == (take.id,)
    after = queue.get(take.id)
    assert (after.status, after.attempts, after.claims) == (Status.PENDING, 0, 1)
    assert after.create_sent  # nobody knows how far it came (C5)
    assert seen == [TakeRecovered(take.id, "reclaimed")]
    assert list(queue.home.workers.iterdir()) == []


def test_the_take_of_a_living_worker_is_not(queue: TakeQueue, start: Start) -> None:
    add_take(queue)
    take = claimed(queue, owner="alive")
    lock = FileLock(queue.home.workers / "alive.lock")
    assert lock.acquire()
    assert start().reclaimed == ()
    assert queue.get(take.id) == take
    assert (queue.home.workers / "alive.lock").exists()
    lock.release()
    assert start().reclaimed == (take.id,)


def test_a_worker_that_died_with_empty_hands_leaves_no_lock_behind(
    queue: TakeQueue, start: Start
) -> None:
    for number in range(5):
        (queue.home.workers / f"dead-{number}.lock").touch()
    start()
    assert list(queue.home.workers.iterdir()) == []


def test_a_take_that_kills_every_worker_is_called_poison_and_kept(
    queue: TakeQueue, home: Home, start: Start
) -> None:
    take = add_take(queue)
    for _ in range(POISON_CLAIMS):
        claimed(queue, owner="dead")
        start()
    after = queue.get(take.id)
    assert (after.status, after.fail_code) == (Status.FAILED, FailCode.POISON)
    assert after.due_at is not None
    assert after.due_at.timestamp() == NOON + DAY
    assert (home.spool / take.video.name).exists()


def test_a_stage_that_was_reached_is_not_lost(queue: TakeQueue, start: Start) -> None:
    add_take(queue)
    queue.registered(claimed(queue), "server-1", attempts=[])
    start()
    after = queue.list()[0]
    assert (after.status, after.stage, after.server_id) == (
        Status.PENDING, Stage.REGISTERED, "server-1",
    )  # fmt: skip
    assert not after.create_sent  # its answer is here


# ── rows that are lost (T0a) ───────────────────────────────────────────────────────────────────


def test_files_without_a_row_get_one(queue: TakeQueue, home: Home, start: Start) -> None:
    new, seen = new_take(home, seed=7, delete_source=True, source_path="/x.mp4"), list[Event]()
    assert start(seen=seen).adopted == (new.id,)
    take = queue.get(new.id)
    assert (take.context, take.account, take.video) == (new.context, new.account, new.assets[0])
    assert (take.captured_at, take.source_path, take.delete_source) == (
        new.captured_at, "/x.mp4", True,
    )  # fmt: skip
    assert seen == [TakeRecovered(new.id, "adopted")]


def test_an_adopted_take_may_be_known_to_the_server(
    queue: TakeQueue, home: Home, start: Start
) -> None:
    # A v1 server makes its own ids: told again without a question it would have two (I3).
    new = new_take(home)
    start()
    assert queue.get(new.id).create_sent


def test_what_is_being_taken_in_right_now_is_adopted_only_once(
    queue: TakeQueue, home: Home, start: Start
) -> None:
    new = new_take(home)
    start()
    assert queue.add(new).id == new.id  # the intake writes its row a moment later
    assert len(queue.list()) == 1


def alter(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], str]:
    def altered(document: dict[str, Any]) -> str:
        result = change(document)
        return json.dumps(document if result is None else result)

    return altered


BAD: dict[str, Callable[[dict[str, Any]], str]] = {
    "empty": lambda _: "",
    "cut short": lambda d: json.dumps(d)[:40],
    "a list": alter(lambda _: []),
    "a number": lambda _: "5",
    "no id": alter(lambda d: d.pop("id") and None),
    "another id": alter(lambda d: d.update(id="0b1a2c3d-0000-4000-8000-00000000dead")),
    "no assets": alter(lambda d: d.update(assets=[])),
    "no video": alter(lambda d: d["assets"].pop(0) and None),
    "two videos": alter(lambda d: d["assets"].append(d["assets"][0])),
    "a path upwards": alter(lambda d: d["assets"][0].update(name="../../etc/passwd")),
    "an absolute path": alter(lambda d: d["assets"][0].update(name="/etc/passwd")),
    "the file of another take": alter(lambda d: d["assets"][0].update(name="other/video.mp4")),
    "a short hash": alter(lambda d: d["assets"][0].update(sha256="abc")),
    "no bytes": alter(lambda d: d["assets"][0].update(size_bytes=0)),
    "a size beyond the database": alter(lambda d: d["assets"][0].update(size_bytes=2**70)),
    "text for a number": alter(lambda d: d.update(width="wide")),
    "a list for text": alter(lambda d: d["context"].update(notes=["x"])),
    "half a character": alter(lambda d: d["context"].update(notes="\ud800")),
    "no time": alter(lambda d: d.update(captured_at="soon")),
    "text for the account": alter(lambda d: d.update(account="ada")),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD.keys())
def test_one_bad_description_keeps_nobody_from_starting(
    queue: TakeQueue, home: Home, start: Start, spoil: Callable[[dict[str, Any]], str]
) -> None:
    bad, good = new_take(home, seed=1), new_take(home, seed=2)
    file = home.spool / bad.id / "take.json"
    file.write_text(spoil(json.loads(file.read_text("utf-8"))), "utf-8")
    names = spool_names(home)
    recovered = start()
    assert (recovered.adopted, recovered.unreadable) == ((good.id,), (bad.id,))
    assert spool_names(home) == names  # never deleted, never guessed at
    assert [take.id for take in queue.list()] == [good.id]  # … and the list can be read


def test_what_is_no_take_at_all_is_named_and_kept(
    queue: TakeQueue, home: Home, start: Start
) -> None:
    (home.spool / "holiday.mp4").write_bytes(b"mine")
    (home.spool / "empty").mkdir()
    (home.spool / ".hidden").mkdir()
    assert start().unreadable == ("empty", "holiday.mp4")
    assert spool_names(home) == [".hidden", "empty", "holiday.mp4"]


def test_a_description_says_everything_the_row_does(home: Home) -> None:
    new = new_take(home, seed=9, delete_source=True, source_path="/takes/Übung.mp4")
    text = json.dumps(describe(new))
    assert restore(json.loads(text)) == new


def test_an_id_has_to_be_written_as_ids_are(home: Home) -> None:
    document = describe(new_take(home))
    shouted = json.loads(json.dumps(document).replace(document["id"], document["id"].upper()))
    shouted["id"] = "{" + document["id"] + "}"
    with pytest.raises(ValueError, match="not written as an id"):
        restore(shouted)


# ── files that are lost, or came back ──────────────────────────────────────────────────────────


def test_a_row_whose_file_is_gone_is_kept_for_the_server_to_be_asked(
    queue: TakeQueue, home: Home, start: Start
) -> None:
    take = add_take(queue)
    remove_video(home, take)
    assert start() == Recovered((), (), ())
    assert queue.get(take.id).status is Status.PENDING  # F01: the worker asks first


def test_files_that_came_back_after_the_take_was_confirmed_are_not_queued_again(
    queue: TakeQueue, home: Home, tmp_path: Path, start: Start
) -> None:
    add_take(queue)
    shutil.copytree(home.spool, tmp_path / "before")
    take = queue.registered(claimed(queue), "s", attempts=[])
    take = queue.stored(take, "video", None, attempts=[])
    take = queue.confirmed(take, receipt(take), attempts=[])
    _spool.remove_take(home.spool, take.id)
    shutil.copytree(tmp_path / "before", home.spool, dirs_exist_ok=True)  # C14
    assert start() == Recovered((), (), ())
    assert [t.id for t in queue.to_clean()] == [take.id]


# ── interrupted intakes (C1) ───────────────────────────────────────────────────────────────────


def test_an_interrupted_intake_is_kept_for_a_week(
    queue: TakeQueue, home: Home, clock: Clock, start: Start
) -> None:
    part = home.spool / ".part-x"
    part.mkdir()
    (part / "video.mp4").write_bytes(content(1))
    os.utime(part, (NOON, NOON))
    clock.advance(7 * DAY)
    start()
    assert part.exists()
    clock.advance(1)
    start()
    assert not part.exists()


def test_an_intake_under_way_is_never_swept(
    queue: TakeQueue, home: Home, clock: Clock, start: Start
) -> None:
    with _spool.part(home.spool, "slow") as part:
        os.utime(part, (0, 0))  # whatever the clocks say
        start()
        assert part.exists()


def test_a_part_that_somebody_else_sweeps_at_the_same_time_is_fine(
    queue: TakeQueue, home: Home, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_spool, "abandoned_parts", lambda spool: [spool / ".part-gone"])
    assert start() == Recovered((), (), ())


# ── clocks and damage ──────────────────────────────────────────────────────────────────────────


def test_a_time_that_a_wrong_clock_stored_is_brought_back(queue: TakeQueue, start: Start) -> None:
    add_take(queue, seed=1)
    add_take(queue, seed=2)
    far = round((NOON + 999 * DAY) * 1000)
    waiting = queue.delayed(claimed(queue), BUSY, far, attempts=[])
    failed = queue.failed(claimed(queue), FailCode.FORBIDDEN, BUSY, far, attempts=[])
    start()
    dues = {take.id: take.due_at for take in queue.list()}
    at = {take_id: due.timestamp() for take_id, due in dues.items() if due}
    assert at == {waiting.id: NOON + 3602, failed.id: NOON + DAY}


def test_a_damaged_database_stops_the_start_and_costs_nothing(
    queue: TakeQueue, home: Home, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_take(home)
    monkeypatch.setattr(queue, "check", lambda: "row 7 missing from index takes_due")
    names = spool_names(home)
    with pytest.raises(QueueDamagedError, match=r"row 7 missing.*Nothing was deleted"):
        start()
    assert spool_names(home) == names
    assert queue.list() == []
