"""The queue when it is long: with 100,000 takes in it against 1,000."""

import json
import random
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from benchmarks.figure import Pairs, Run, SkippedError, in_turn, seconds
from benchmarks.peers import output
from cadenza_client import CadenzaClient
from cadenza_uploader import Daemon, Home, Settings, Stop, TakeQueue
from cadenza_uploader.events import Event, UploaderStarted
from cadenza_uploader.take import Account

_LONG, _SHORT = 100_000, 1_000
_CLAIMS = 300
_UNSENT = 20
_STUDENT = Account("http://127.0.0.1:9", 1)
_PIECE = "0b1a2c3d-0000-4000-8000-000000000001"
_STEPS = ("create", "put_thumbnail", "put_video", "confirm")
_RECEIPT = json.dumps({"verified": "sha256", "signature": "s" * 88, "s3_key": "k" * 60})


def claim(run: Run) -> Pairs:
    """Milliseconds of one claim from 100,000 pending takes, and of one from 1,000."""
    account = _STUDENT
    long, short = _homes(run, unsent=None)

    def one(queue: TakeQueue) -> float:
        return seconds(partial(queue.claim, owner="bench", account=account))

    with TakeQueue.open(long) as of_long, TakeQueue.open(short) as of_short:
        of_long.own()
        of_short.own()
        pairs = in_turn(
            partial(one, of_long),
            partial(one, of_short),
            pairs=run.size(_CLAIMS),
            warm_up=10,
        )
    return pairs.scaled(ours=1000, peer=1000)


def start(run: Run) -> Pairs:
    """Seconds from `drain` to `UploaderStarted`, the whole of recovery included."""
    long, short = _homes(run, unsent=1)
    for home in (long, short):
        with TakeQueue.open(home) as queue:
            queue.pause()
    return in_turn(partial(_start, long), partial(_start, short), pairs=run.pairs)


def listing(run: Run) -> Pairs:
    """Milliseconds of the whole process `cadenza queue ls`, which prints 50 takes."""
    command = Path(sys.executable).with_name("cadenza")
    if not command.exists():
        raise SkippedError("the command `cadenza` is not installed beside this Python")
    long, short = _homes(run, unsent=_UNSENT)

    def one(home: Home) -> float:
        return seconds(partial(output, [command, "queue", "ls", "--home", home.path]))

    pairs = in_turn(partial(one, long), partial(one, short), pairs=run.many_pairs, warm_up=2)
    return pairs.scaled(ours=1000, peer=1000)


class _StartedAt:
    """Notes when the uploader said that it had started."""

    def __init__(self) -> None:
        self.at: float | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, UploaderStarted):
            self.at = time.perf_counter()


def _start(home: Home) -> float:
    started = _StartedAt()
    url = _STUDENT.server_url
    settings = Settings(home=home.path, url=url, token=SecretStr("none"))
    with TakeQueue.open(home) as queue:
        daemon = Daemon(
            queue,
            connect=lambda: CadenzaClient(url, token="none"),
            settings=settings,
            observer=started,
        )
        began = time.perf_counter()
        daemon.drain(Stop())
    if started.at is None:
        raise RuntimeError("the uploader did not start")
    return started.at - began


# ── long queues ────────────────────────────────────────────────────────────────────────────────


def _homes(run: Run, *, unsent: int | None) -> tuple[Home, Home]:
    """The long queue and the short one."""
    long, short = Home(run.folder / "long"), Home(run.folder / "short")
    _fill(long, run.size(_LONG), unsent=unsent)
    _fill(short, run.size(_SHORT), unsent=unsent)
    return long, short


def _fill(home: Home, count: int, *, unsent: int | None) -> None:
    """Rows of so many takes, all pending or all but the last `unsent` done; no files.

    What is done has a history like that of a take that was sent at the first try.
    """
    TakeQueue.open(home).close()
    done = 0 if unsent is None else count - unsent
    numbers = random.Random(count)
    ids = [str(uuid.UUID(int=numbers.getrandbits(128), version=4)) for _ in range(count)]
    with closing(sqlite3.connect(home.database)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -200000")
        with db:
            db.executemany(
                "INSERT INTO takes (id, account_url, account_user_id, piece_id, captured_ms,"
                " duration_ms, duration_seconds, width, height, status, stage, server_id, receipt,"
                " created_ms, updated_ms)"
                " VALUES (?, ?, ?, ?, ?, 180000, 180, 1280, 720, ?, ?, ?, ?, ?, ?)",
                _takes(ids, done),
            )
            db.executemany(
                "INSERT INTO assets (take_id, kind, name, size_bytes, sha256, content_type, inode,"
                " modified_ns) VALUES (?, ?, ? || '/' || ?, ?, ?, ?, 1, 1)",
                _assets(ids),
            )
            db.execute(
                "INSERT INTO attempts (take_id, epoch, step, started_ms, ended_ms, outcome,"
                " status_code, bytes_sent, counted)"
                " SELECT takes.id, 1, step.value, created_ms, created_ms, 'ok', 200, 0, 0"
                " FROM takes, json_each(?) AS step WHERE stage = 4 ORDER BY created_ms",
                [json.dumps(_STEPS)],
            )
            db.execute(
                "INSERT INTO events (take_id, at_ms, epoch, from_status, to_status, from_stage,"
                " to_stage)"
                " SELECT takes.id, created_ms, 1, 'uploading', 'uploading', 0, step.key"
                " FROM takes, json_each(?) AS step WHERE stage = 4 ORDER BY created_ms",
                [json.dumps(_STEPS)],
            )
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _takes(ids: list[str], done: int) -> Iterator[tuple[object, ...]]:
    first_ms = round(time.time() * 1000) - len(ids) * 1000
    for number, take_id in enumerate(ids):
        at = first_ms + number * 1000
        sent = ("uploaded", 4, take_id, _RECEIPT) if number < done else ("pending", 0, None, None)
        account = (_STUDENT.server_url, _STUDENT.user_id)
        yield (take_id, *account, _PIECE, at, *sent, at, at)


def _assets(ids: list[str]) -> Iterator[tuple[object, ...]]:
    for number, take_id in enumerate(ids):
        video = (50_000_000, f"{number:064x}", "video/mp4")
        yield (take_id, "video", take_id, "video.mp4", *video)
        picture = (40_000, f"{number:064x}", "image/jpeg")
        yield (take_id, "thumbnail", take_id, "thumbnail.jpg", *picture)
