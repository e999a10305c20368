"""The database can be lost, damaged, replaced or outgrown without losing a take."""

import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from cadenza_uploader import _schema, open_rebuilt
from cadenza_uploader._home import Home
from cadenza_uploader._instance import Instance
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.errors import QueueBusyError, QueueDamagedError
from cadenza_uploader.take import Stage, Status
from tests.uploader.test_daemon import House
from tests.uploader.world import Clock, add_take, spool_names


def damage(home: Home) -> None:
    data = bytearray(home.database.read_bytes())
    data[0:200] = b"\x00" * 200
    home.database.write_bytes(data)


def test_a_sound_queue_is_simply_opened(home: Home, clock: Clock) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        add_take(queue)
    queue, rebuilt = open_rebuilt(home, clock=clock)
    assert rebuilt.set_aside is None
    assert len(queue.list()) == 1
    queue.close()


@pytest.mark.parametrize("how", ["header", "page", "truncated", "deleted"])
def test_a_damaged_queue_is_set_aside_and_every_take_comes_back(
    home: Home, clock: Clock, how: str
) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        takes = [add_take(queue, seed=seed) for seed in (1, 2, 3)]
        queue.tidy()
    data = home.database.read_bytes()
    if how == "header":
        damage(home)
    elif how == "page":
        home.database.write_bytes(data[:4096] + b"\xff" * 12_288 + data[16_384:])
    elif how == "truncated":
        home.database.write_bytes(data[: len(data) // 2])
    else:
        home.database.unlink()
    before = None if how == "deleted" else home.database.read_bytes()
    queue, rebuilt = open_rebuilt(home, clock=clock)
    with queue:
        if how != "deleted":
            assert rebuilt.set_aside is not None
            assert rebuilt.set_aside.read_bytes() == before  # nothing is ever deleted
            assert len(rebuilt.adopted) == 3
        else:
            House(home, queue, clock).daemon().drain(House(home, queue, clock).stop)
        found = {take.id: take for take in queue.list()}
    assert set(found) == {take.id for take in takes}
    assert all(found[take.id].context == take.context for take in takes)


def test_what_the_server_has_already_is_found_out_by_asking(home: Home, clock: Clock) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        house = House(home, queue, clock)
        take = add_take(queue)

        def die(name: str) -> None:
            if name == "before_unlink":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            house.daemon(failpoint=die).drain(house.stop)
        queue.tidy()
    damage(home)
    queue, _ = open_rebuilt(home, clock=clock)
    with queue:
        house.queue = queue
        house.daemon().drain(house.stop)
        after = queue.get(take.id)
    assert (after.status, after.stage) == (Status.UPLOADED, Stage.CLEANED)
    assert house.server.counts["video"] == 1
    assert len(house.server.submissions) == 1
    assert spool_names(home) == []


def test_damage_under_a_running_uploader_is_left_to_it(home: Home, clock: Clock) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        add_take(queue)
        queue.tidy()
    damage(home)
    with Instance(home), pytest.raises(QueueBusyError):
        open_rebuilt(home, clock=clock)


def test_a_second_damage_in_the_same_second_gets_another_name(home: Home, clock: Clock) -> None:
    names = set()
    for _ in range(3):
        home.database.write_bytes(b"no database" * 500)
        queue, rebuilt = open_rebuilt(home, clock=clock)
        queue.close()
        names.add(rebuilt.set_aside)
    assert len(names) == 3


def test_a_database_that_vanishes_under_the_daemon_is_noticed(home: Home, clock: Clock) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        house = House(home, queue, clock)
        add_take(queue)
        home.database.unlink()
        with pytest.raises(QueueDamagedError, match="removed or replaced"):
            house.daemon().drain(house.stop)


# ── upgrades ───────────────────────────────────────────────────────────────────────────────────


def next_version() -> Migrations:
    steps = Migrations("cadenza-queue")
    steps(name="m001_takes")(_schema.m001_takes)
    steps(name="m002_watched")(_schema.m002_watched)
    steps(name="m003_delays")(_schema.m003_delays)
    steps(name="m004_replies")(_schema.m004_replies)

    @steps()
    def m005_colour(db: Database) -> None:
        db.conn.execute("ALTER TABLE takes ADD COLUMN colour TEXT")

    return steps


def test_an_upgrade_keeps_a_copy_of_the_old_queue(home: Home, clock: Clock) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        add_take(queue)
    db = _schema.connect(home, steps=next_version())
    assert "colour" in {column.name for column in db["takes"].columns}
    db.conn.close()
    copy = home.path / "queue.db.before-m005_colour"
    shell = sqlite3.connect(copy)
    assert shell.execute("SELECT count(*) FROM takes").fetchone() == (1,)
    shell.close()
    assert copy.stat().st_mode & 0o077 == 0


def test_an_upgrade_waits_for_the_running_uploader(home: Home, clock: Clock) -> None:
    with TakeQueue.open(home, clock=clock), Instance(home), pytest.raises(QueueBusyError):
        _schema.connect(home, steps=next_version())


def test_a_failed_upgrade_changes_nothing(home: Home, clock: Clock) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        take = add_take(queue)
    steps = next_version()

    @steps()
    def m006_breaks(db: Database) -> None:
        db.conn.execute("ALTER TABLE takes ADD COLUMN shape TEXT")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        _schema.connect(home, steps=steps)
    shell = sqlite3.connect(home.database)
    columns = {row[1] for row in shell.execute("PRAGMA table_info(takes)")}
    assert "shape" not in columns
    assert shell.execute("SELECT id FROM takes").fetchone() == (take.id,)
    shell.close()


def test_a_moved_home_goes_on(home: Home, clock: Clock, tmp_path: Path) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        take = add_take(queue)
    moved = Home(tmp_path / "elsewhere")
    home.path.rename(moved.path)
    with TakeQueue.open(moved, clock=clock) as queue:
        house = House(moved, queue, clock)
        assert house.daemon().drain(house.stop).uploaded == (take.id,)


# ── the log ────────────────────────────────────────────────────────────────────────────────────


def test_where_there_is_no_wal_the_journal_is_synced_twice() -> None:
    """D10: some network file systems refuse WAL; DELETE with EXTRA lost nothing either."""
    shell = sqlite3.connect(":memory:")  # refuses WAL, as such a file system does
    _schema._choose_journal(shell)
    assert shell.execute("PRAGMA synchronous").fetchone() == (3,)
    shell.close()


def test_the_log_is_folded_in_when_the_uploader_leaves(home: Home, clock: Clock) -> None:
    """D13: only the uploader checkpoints, and it leaves no long log behind."""
    with TakeQueue.open(home, clock=clock) as queue:
        for seed in range(1, 30):
            add_take(queue, seed=seed)
        log = home.path / "queue.db-wal"
        assert log.stat().st_size > 100_000  # nobody else folds it in
        house = House(home, queue, clock)
        house.daemon().drain(house.stop)
        assert log.stat().st_size == 0


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_torn_log_loses_no_take(home: Home, clock: Clock, cut: int, tmp_path: Path) -> None:
    """D11: the end of the log is torn; what it held comes back from the spool."""
    queue = TakeQueue.open(home, clock=clock)
    takes = [add_take(queue, seed=seed) for seed in (1, 2, 3)]
    log = home.path / "queue.db-wal"
    kept = {p.name: p.read_bytes() for p in (home.database, log)}
    queue.close()
    kept[log.name] = kept[log.name][:-cut] + b"\xff" * (cut // 2)
    for name, data in kept.items():
        (home.path / name).write_bytes(data)
    (home.path / "queue.db-shm").unlink(missing_ok=True)
    with TakeQueue.open(home, clock=clock) as queue:
        house = House(home, queue, clock)
        report = house.daemon().drain(house.stop)
    assert sorted(report.uploaded) == sorted(take.id for take in takes)
