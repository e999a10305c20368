"""The queue's promises: one owner, fair order, outcomes only from the owner, history kept."""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cadenza_uploader._backoff import BackoffPolicy
from cadenza_uploader._home import Home
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader.errors import (
    AmbiguousTakeError,
    IllegalStepError,
    QueueDamagedError,
    QueueTooNewError,
    StaleLeaseError,
    TakeNotFoundError,
)
from cadenza_uploader.take import Account, FailCode, Hold, Stage, Status, Take
from tests.uploader.world import (
    NOON,
    STUDENT,
    URL,
    Clock,
    add_take,
    attempt,
    claimed,
    new_take,
    receipt,
)

BUSY = Setback("http_503", "The server is busy.")


def uploaded(queue: TakeQueue, *, seed: int = 1) -> Take:
    add_take(queue, seed=seed)
    take = queue.registered(claimed(queue), f"server-{seed}", attempts=[])
    take = queue.stored(take, "video", '"e"', attempts=[])
    return queue.confirmed(take, receipt(take), attempts=[])


# ── reading ────────────────────────────────────────────────────────────────────────────────────


def test_a_take_reads_back_as_it_was_written(queue: TakeQueue, home: Home) -> None:
    new = new_take(home, seed=3)
    take = queue.add(new)
    assert (take.id, take.account, take.context) == (new.id, new.account, new.context)
    assert take.video == new.assets[0]
    assert take.thumbnail == new.assets[1]
    assert (take.status, take.stage, take.attempts) == (Status.PENDING, Stage.RECORDED, 0)
    assert take.captured_at == new.captured_at
    assert take.size_bytes == 4300


def test_adding_the_same_take_twice_changes_nothing(queue: TakeQueue, home: Home) -> None:
    new = new_take(home)
    first = queue.add(new)
    claimed(queue)
    assert queue.add(new).status is Status.UPLOADING
    assert queue.list() == [queue.get(first.id)]


def test_a_unique_beginning_names_a_take(queue: TakeQueue) -> None:
    take = add_take(queue, seed=0xABCDEF << 104)
    assert queue.get(take.id[:6].upper()) == take
    with pytest.raises(TakeNotFoundError):
        queue.get("ffff")
    with pytest.raises(TakeNotFoundError):
        queue.get("%")  # LIKE's wildcard is just a letter here (SEC-24)


def test_an_ambiguous_beginning_is_refused(queue: TakeQueue) -> None:
    add_take(queue, seed=1)
    add_take(queue, seed=2)
    with pytest.raises(AmbiguousTakeError, match="give more"):
        queue.get("0000")


def test_listing_is_newest_first_and_pages(queue: TakeQueue, clock: Clock) -> None:
    takes = []
    for seed in range(1, 6):
        takes.append(add_take(queue, seed=seed))
        clock.advance(1)
    newest_first = [take.id for take in reversed(takes)]
    assert [t.id for t in queue.list(limit=2)] == newest_first[:2]
    assert [t.id for t in queue.list(limit=9, before=newest_first[1])] == newest_first[2:]
    claimed(queue)
    assert [t.status for t in queue.list(status=Status.UPLOADING)] == [Status.UPLOADING]
    assert len(queue.list(unsent_only=True)) == 5


def test_counts_say_how_much_waits_and_since_when(queue: TakeQueue, clock: Clock) -> None:
    assert queue.counts().oldest_unsent_at is None
    uploaded(queue, seed=1)
    clock.advance(60)
    add_take(queue, seed=2)
    counts = queue.counts()
    assert (counts.pending, counts.uploaded, counts.unsent) == (1, 1, 1)
    assert counts.unsent_bytes == 4300
    assert counts.oldest_unsent_at == datetime.fromtimestamp(NOON + 60, UTC)


def fill(queue: TakeQueue, count: int, *, done: bool) -> None:
    """Rows of so many takes, without files."""
    queue._db.conn.execute(
        "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO takes (id, account_url, captured_ms, duration_ms, duration_seconds, width, "
        "height, status, stage, server_id, receipt, created_ms, updated_ms) "
        "SELECT printf('%036d', i), ?, 0, 1, 1, 1, 1, ?, ?, i, '{}', i, i FROM n",
        [count, URL, "uploaded" if done else "pending", 4 if done else 0],
    )
    queue._db.conn.execute(
        "INSERT INTO assets (take_id, kind, name, size_bytes, sha256, content_type, inode, "
        "modified_ns) SELECT id, 'video', 'v', 1, hex(zeroblob(32)), 'video/mp4', 1, 1 FROM takes"
    )


def steps(queue: TakeQueue, ask: Callable[[], object]) -> int:
    """How many steps of its virtual machine SQLite took, to the nearest ten."""
    taken: list[int] = []
    queue._db.conn.set_progress_handler(lambda: taken.append(1), 10)
    ask()
    queue._db.conn.set_progress_handler(None, 10)
    return 10 * len(taken)


def test_what_is_done_costs_no_look(queue: TakeQueue) -> None:
    """A start and `queue ls` ask these; neither may read the takes of years."""
    fill(queue, 2000, done=True)
    assert steps(queue, queue.leased) < 2000
    # One pass over an index, to count what is done.
    assert steps(queue, queue.counts) < 10 * 2000
    assert queue.counts().uploaded == 2000


def test_a_claim_costs_the_same_however_much_waits(queue: TakeQueue) -> None:
    """D12."""
    fill(queue, 2000, done=False)
    assert steps(queue, lambda: claimed(queue)) < 2000
    assert steps(queue, lambda: queue.next_due(after=datetime.fromtimestamp(NOON, UTC))) < 2000


def test_the_same_bytes_for_the_same_context_are_found(queue: TakeQueue, home: Home) -> None:
    take = add_take(queue, seed=1)
    again = new_take(home, seed=2)
    assert queue.find_unsent_copy(again) is None
    # Same bytes as the queued take, under another id.
    twin = replace(new_take(home, seed=1 << 70), assets=(take.video,), context=take.context)
    assert queue.find_unsent_copy(twin) == take


# ── claims ─────────────────────────────────────────────────────────────────────────────────────


def test_the_oldest_capture_is_claimed_first(queue: TakeQueue) -> None:
    late = add_take(queue, seed=1, captured=NOON)
    early = add_take(queue, seed=2, captured=NOON - 3600)
    assert claimed(queue).id == early.id
    assert claimed(queue).id == late.id
    assert queue.claim(owner="w1", account=STUDENT) is None


def test_a_take_that_keeps_failing_does_not_delay_the_others(
    queue: TakeQueue, clock: Clock
) -> None:
    bad = add_take(queue, seed=1, captured=NOON - 9999)
    queue.delayed(claimed(queue), BUSY, round((NOON + 5) * 1000), attempts=[])
    good = add_take(queue, seed=2)
    assert claimed(queue).id == good.id
    clock.advance(5)
    assert claimed(queue).id == bad.id


def test_a_claim_binds_a_take_of_nobody_and_leaves_others_alone(queue: TakeQueue) -> None:
    unbound = add_take(queue, seed=1, account=Account(URL, None))
    add_take(queue, seed=2, account=Account(URL, 8))
    add_take(queue, seed=3, account=Account("https://elsewhere.example", 7))
    take = claimed(queue)
    assert (take.id, take.account.user_id) == (unbound.id, 7)
    assert queue.claim(owner="w1", account=STUDENT) is None  # A06


def test_only_restricts_a_claim(queue: TakeQueue) -> None:
    add_take(queue, seed=1, captured=NOON - 50)
    wanted = add_take(queue, seed=2)
    take = queue.claim(owner="w1", account=STUDENT, only={wanted.id})
    assert take is not None
    assert take.id == wanted.id


def test_many_claimers_never_share_a_take(queue: TakeQueue, home: Home, clock: Clock) -> None:
    ids = {add_take(queue, seed=seed).id for seed in range(1, 41)}

    def work(owner: str) -> list[str]:
        mine = []
        with TakeQueue.open(home, clock=clock) as own:
            while take := own.claim(owner=owner, account=STUDENT):
                mine.append(take.id)
        return mine

    with ThreadPoolExecutor(4) as pool:
        got = [take_id for mine in pool.map(work, "abcd") for take_id in mine]
    assert len(got) == 40
    assert set(got) == ids


# ── outcomes ───────────────────────────────────────────────────────────────────────────────────


def test_a_late_worker_writes_nothing(queue: TakeQueue) -> None:
    add_take(queue)
    late = claimed(queue, owner="slept")
    queue.reclaim(late, poison_claims=3, slow_due_ms=0)
    fresh = claimed(queue, owner="awake")
    writes: list[Callable[[], Take]] = [
        lambda: queue.registered(late, "s", attempts=[]),
        lambda: queue.delayed(late, BUSY, 0, attempts=[]),
        lambda: queue.released(late, BUSY),
        lambda: queue.failed(late, FailCode.FORBIDDEN, BUSY, 0, attempts=[]),
        lambda: queue.stored(late, "video", None, attempts=[]),
        lambda: queue.asset_refused(late, "thumbnail", attempts=[]),
    ]
    for write in writes:
        with pytest.raises(StaleLeaseError):
            write()
    after = queue.get(late.id)
    assert after == fresh  # nothing of it was kept, not even half of `stored`
    assert not after.video.stored


def test_the_whole_way_is_written_step_by_step(queue: TakeQueue) -> None:
    add_take(queue)
    take = claimed(queue)
    take = queue.registered(take, "server-1", attempts=[attempt(take)])
    assert (take.stage, take.server_id) == (Stage.REGISTERED, "server-1")
    take = queue.stored(take, "thumbnail", None, attempts=[])
    assert take.stage is Stage.REGISTERED
    take = queue.stored(take, "video", '"e"', attempts=[])
    assert take.stage is Stage.STORED
    take = queue.confirmed(take, receipt(take), attempts=[])
    assert (take.status, take.stage) == (Status.UPLOADED, Stage.CONFIRMED)
    assert take.receipt == receipt(take)
    assert queue.cleaned(take).stage is Stage.CLEANED
    story = [(e.to_status, e.to_stage) for e in queue.events(take.id)]
    assert story == [
        (Status.PENDING, Stage.RECORDED),
        (Status.UPLOADING, Stage.RECORDED),
        (Status.UPLOADING, Stage.REGISTERED),
        (Status.UPLOADING, Stage.STORED),
        (Status.UPLOADED, Stage.CONFIRMED),
        (Status.UPLOADED, Stage.CLEANED),
    ]
    assert [a.step for a in queue.attempts(take.id)] == ["create"]


def test_a_delay_counts_and_a_release_does_not(queue: TakeQueue, clock: Clock) -> None:
    add_take(queue)
    take = queue.delayed(claimed(queue), BUSY, round((NOON + 9) * 1000), attempts=[])
    assert (take.attempts, take.status, take.last_error_code) == (1, Status.PENDING, "http_503")
    assert take.due_at == datetime.fromtimestamp(NOON + 9, UTC)
    clock.advance(10)
    offline = Setback("offline", "No network.")
    take = queue.released(claimed(queue), offline, hold=Hold.CONSTRAINT)
    assert (take.attempts, take.hold, take.claims) == (1, Hold.CONSTRAINT, 0)
    assert queue.claim(owner="w1", account=STUDENT) is None  # held
    assert queue.retry(take.id).hold is None
    assert claimed(queue).id == take.id


def test_failed_keeps_its_code_and_comes_back_by_itself_or_by_command(
    queue: TakeQueue, clock: Clock
) -> None:
    add_take(queue)
    due_ms = round((NOON + 86_400) * 1000)
    take = queue.failed(claimed(queue), FailCode.FORBIDDEN, BUSY, due_ms, attempts=[])
    assert (take.status, take.fail_code) == (Status.FAILED, FailCode.FORBIDDEN)
    assert queue.claim(owner="w1", account=STUDENT) is None
    assert queue.revive_due() == 0
    clock.advance(86_400)
    assert queue.revive_due() == 1
    take = queue.failed(claimed(queue), FailCode.FORBIDDEN, BUSY, due_ms * 2, attempts=[])
    assert queue.retry_all() == 1
    assert queue.get(take.id).status is Status.PENDING


def test_an_exhausted_take_gets_one_try_at_the_slow_pace_and_all_by_command(
    queue: TakeQueue, clock: Clock
) -> None:
    add_take(queue)
    for _ in range(7):
        queue.delayed(claimed(queue), BUSY, 0, attempts=[])
    take = queue.failed(claimed(queue), FailCode.ATTEMPTS_EXHAUSTED, BUSY, 1, attempts=[])
    assert take.attempts == 8
    queue.revive_due()
    assert queue.get(take.id).attempts == 7
    queue.failed(claimed(queue), FailCode.ATTEMPTS_EXHAUSTED, BUSY, 1, attempts=[])
    assert queue.retry(take.id).attempts == 0


def test_going_back_is_counted_and_forgets_what_was_stored(queue: TakeQueue) -> None:
    add_take(queue)
    take = queue.registered(claimed(queue), "server-1", attempts=[])
    take = queue.stored(take, "video", '"e"', attempts=[])
    take = queue.demoted(take, Stage.REGISTERED, attempts=[])
    assert (take.stage, take.demotions, take.video.stored) == (Stage.REGISTERED, 1, False)
    take = queue.demoted(take, Stage.RECORDED, attempts=[])
    assert (take.stage, take.server_id) == (Stage.RECORDED, None)


def test_a_worker_that_dies_three_times_over_one_take_makes_it_poison(queue: TakeQueue) -> None:
    add_take(queue)
    for _ in range(2):
        after = queue.reclaim(claimed(queue), poison_claims=3, slow_due_ms=0)
        assert (after.status, after.attempts) == (Status.PENDING, 0)
        assert after.create_sent  # the create may have arrived (C5)
    after = queue.reclaim(claimed(queue), poison_claims=3, slow_due_ms=9)
    assert (after.status, after.fail_code) == (Status.FAILED, FailCode.POISON)


def test_leases_are_listed_with_their_owner(queue: TakeQueue) -> None:
    add_take(queue)
    take = claimed(queue, owner="w9")
    assert queue.leased() == [(take, "w9")]


def test_cleanup_that_fails_leaves_the_take_uploaded_and_comes_back(
    queue: TakeQueue, clock: Clock
) -> None:
    take = uploaded(queue)
    assert queue.to_clean() == [take]
    queue.cleanup_delayed(take, Setback("cleanup_pending", "x"), round((NOON + 60) * 1000))
    assert queue.to_clean() == []
    assert queue.get(take.id).status is Status.UPLOADED
    clock.advance(60)
    assert [t.id for t in queue.to_clean()] == [take.id]


# ── holds on the queue ─────────────────────────────────────────────────────────────────────────


def test_a_hold_on_the_queue_is_one_row_and_keeps_its_beginning(
    queue: TakeQueue, clock: Clock
) -> None:
    queue.hold_queue(Hold.NETWORK, "No route.")
    clock.advance(60)
    queue.hold_queue(Hold.NETWORK, "Still no route.")
    queue.pause()
    network, user = queue.holds()
    assert (network.hold, network.why) == (Hold.NETWORK, "Still no route.")
    assert network.since == datetime.fromtimestamp(NOON, UTC)
    assert user.hold is Hold.USER
    assert queue.release_queue(Hold.NETWORK)
    assert not queue.release_queue(Hold.NETWORK)
    queue.resume()
    assert queue.holds() == ()


# ── time ───────────────────────────────────────────────────────────────────────────────────────


def test_next_due_looks_only_ahead(queue: TakeQueue) -> None:
    now = datetime.fromtimestamp(NOON, UTC)
    assert queue.next_due(after=now) is None
    add_take(queue, seed=1)
    assert queue.next_due(after=now) is None
    queue.delayed(claimed(queue), BUSY, round((NOON + 30) * 1000), attempts=[])
    assert queue.next_due(after=now) == now + timedelta(seconds=30)


def test_a_clock_that_was_wrong_cannot_freeze_a_take(queue: TakeQueue, clock: Clock) -> None:
    add_take(queue)
    in_2100 = round((NOON + 74 * 365 * 86_400) * 1000)
    queue.delayed(claimed(queue), BUSY, in_2100, attempts=[])
    assert queue.clamp_due(BackoffPolicy()) == 1
    due = queue.list()[0].due_at
    assert due is not None
    assert due <= datetime.fromtimestamp(NOON + 86_400, UTC)


def test_a_clock_set_back_stretches_no_wait(queue: TakeQueue, clock: Clock) -> None:
    """K02: five minutes stay five minutes, whatever the wall clock says meanwhile."""
    add_take(queue)
    queue.delayed(claimed(queue), BUSY, round((NOON + 300) * 1000), attempts=[])
    clock.advance(-3600)
    assert queue.clamp_due(BackoffPolicy()) == 1
    assert queue.list()[0].due_at == datetime.fromtimestamp(NOON - 3300, UTC)
    assert queue.clamp_due(BackoffPolicy()) == 0


def test_times_are_utc_whatever_the_zone(queue: TakeQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """K04: the zone changes between two looks, and nothing moves."""
    add_take(queue)
    queue.delayed(claimed(queue), BUSY, round((NOON + 300) * 1000), attempts=[])
    seen = []
    for zone in ("UTC", "Pacific/Auckland", "America/St_Johns"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        take = queue.list()[0]
        seen.append((take.due_at, take.captured_at, take.created_at))
    monkeypatch.undo()
    time.tzset()
    assert seen[0] == seen[1] == seen[2]


# ── cancel and forget ──────────────────────────────────────────────────────────────────────────


def test_only_waiting_and_failed_takes_can_be_removed(queue: TakeQueue) -> None:
    take = add_take(queue)
    claimed(queue)
    with pytest.raises(IllegalStepError, match="uploading"):
        queue.mark_for_removal(take.id)
    queue.released(queue.get(take.id), BUSY)
    marked = queue.mark_for_removal(take.id)
    assert marked.hold is Hold.USER
    queue.forget(take.id)
    assert queue.list() == []
    assert queue.events(take.id) == []


def test_uploaded_takes_are_not_retried(queue: TakeQueue) -> None:
    take = uploaded(queue)
    with pytest.raises(IllegalStepError, match="uploaded"):
        queue.retry(take.id)


def test_cleaned_takes_are_found_by_age(queue: TakeQueue, clock: Clock) -> None:
    take = queue.cleaned(uploaded(queue))
    now = datetime.fromtimestamp(NOON, UTC)
    assert queue.cleaned_before(now) == []
    assert queue.cleaned_before(now + timedelta(seconds=1)) == [take]
    queue.forget(take.id)
    assert queue.list() == []


# ── the database itself refuses ────────────────────────────────────────────────────────────────

ILLEGAL = {
    "uploaded is final": "UPDATE takes SET status = 'pending', stage = 2",
    "a status outside the four words": "UPDATE takes SET status = 'lost'",
    "uploaded without a receipt": "UPDATE takes SET receipt = NULL",
    "another receipt": "UPDATE takes SET receipt = '{}'",
    "a stage that goes back": "UPDATE takes SET stage = 3 WHERE stage = 4",
    "an epoch that goes back": "UPDATE takes SET lease_epoch = 0",
    "history rewritten": "UPDATE events SET why = 'x'",
    "attempts rewritten": "UPDATE attempts SET outcome = 'x'",
    "history removed": "DELETE FROM events",
    "attempts removed": "DELETE FROM attempts",
    "a failure without a code": "UPDATE takes SET fail_code = 'forbidden'",
    "a lease without a claim": "UPDATE takes SET lease_owner = 'me'",
    "an absolute path": "UPDATE assets SET name = '/etc/passwd'",
    "a path upwards": "UPDATE assets SET name = '../x'",
}


@pytest.mark.parametrize("statement", ILLEGAL.values(), ids=ILLEGAL.keys())
def test_the_database_refuses(queue: TakeQueue, home: Home, statement: str) -> None:
    take = uploaded(queue)
    queue.cleaned(take)
    with sqlite3.connect(home.database) as shell:
        shell.execute(
            "INSERT INTO attempts (take_id, epoch, step, started_ms, ended_ms, outcome, counted)"
            " VALUES (?, 1, 'create', 0, 0, 'ok', 0)",
            [take.id],
        )
        with pytest.raises(sqlite3.IntegrityError):
            shell.execute(statement)
    shell.close()


def test_the_database_refuses_to_delete_an_unfinished_take(queue: TakeQueue) -> None:
    take = add_take(queue)
    with pytest.raises(IllegalStepError, match="not finished"):
        queue.forget(take.id)
    assert queue.get(take.id).video == take.video  # the assets came back with the rollback


def test_a_claim_needs_a_new_epoch(queue: TakeQueue, home: Home) -> None:
    add_take(queue)
    shell = sqlite3.connect(home.database)
    with pytest.raises(sqlite3.IntegrityError, match="new epoch"):
        shell.execute("UPDATE takes SET status = 'uploading', lease_owner = 'x'")
    shell.close()


# ── opening ────────────────────────────────────────────────────────────────────────────────────


def test_the_settings_that_durability_needs_are_on(queue: TakeQueue, home: Home) -> None:
    pragmas = {name: queue._query(f"PRAGMA {name}")[0] for name in ("journal_mode", "synchronous")}
    assert pragmas == {"journal_mode": {"journal_mode": "wal"}, "synchronous": {"synchronous": 2}}
    assert home.database.stat().st_mode & 0o077 == 0


def test_a_queue_of_the_future_is_left_alone(queue: TakeQueue, home: Home) -> None:
    queue.close()
    with sqlite3.connect(home.database) as shell:
        shell.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('cadenza-queue', 'm999_future', '2099')"
        )
    shell.close()
    before = home.database.read_bytes()
    with pytest.raises(QueueTooNewError, match="m999_future"):
        TakeQueue.open(home)
    assert home.database.read_bytes() == before


def test_a_file_that_is_no_database_is_named_and_kept(home: Home) -> None:
    home.database.write_bytes(b"this is not a database, it is a sentence" * 200)
    with pytest.raises(QueueDamagedError, match="Nothing was deleted"):
        TakeQueue.open(home)
    assert home.database.read_bytes().startswith(b"this is not")


def test_two_programs_may_open_a_new_queue_at_once(home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        queues = list(pool.map(lambda _: TakeQueue.open(home), range(8)))
    for queue in queues:
        assert queue.check() == "ok"
        queue.close()


def test_no_column_can_hold_an_upload_url(queue: TakeQueue) -> None:
    columns = queue._query(
        "SELECT column.name FROM sqlite_master AS t, pragma_table_info(t.name) AS column "
        "WHERE t.type = 'table'"
    )
    names = {row["name"] for row in columns}
    assert {name for name in names if "url" in name} == {"account_url"}  # I8
