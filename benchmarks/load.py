"""The server under load: many students at once, through the real client, on both databases.

``python -m benchmarks.load`` prints one table: requests a second, p50 and p99 for each kind of
request, each database and 1, 2 and 4 workers. The figures of the suite are ratios of the same.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import httpx

from benchmarks.api import REQUESTS, ApiServer, api_server, drive
from benchmarks.district import District, fill
from benchmarks.figure import Pairs, Run, SkippedError, in_turn
from cadenza_client import CadenzaClient, NewSubmission
from cadenza_server.database import Database
from tests.postgresql import cluster, find_programs

DATABASES = ("sqlite", "postgresql")
SMALL, LARGE = District(10, 100), District(10_000, 100)
_CLIENTS = 8
_VIDEO = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
_SHA256 = hashlib.sha256(_VIDEO).hexdigest()
#: 10,000 students, two takes a week, all within three hours of five afternoons.
_TAKES_A_DAY = 10_000 * 2 // 5
_PEAK_SECONDS = 3 * 3600


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[Callable[[str], str]]:
    """`url(name)` of new databases on a disk, durable as they are in use."""
    if kind == "sqlite":
        yield lambda name: f"sqlite:///{folder / name}.db"
        return
    if find_programs() is None:
        raise SkippedError("PostgreSQL is not installed")
    with cluster({"shared_buffers": "256MB"}, place="/var/tmp") as started:
        yield started.create


@dataclass(frozen=True)
class Latencies:
    """What so many requests took, in seconds."""

    values: tuple[float, ...]
    wall: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.values) / self.wall

    def percentile(self, percent: int) -> float:
        """In milliseconds."""
        return statistics.quantiles(self.values, n=100)[percent - 1] * 1000


Action = Callable[[CadenzaClient, District, int, UUID | None], object]


def _new(district: District, student: int) -> NewSubmission:
    return NewSubmission(
        duration_seconds=93,
        id=uuid4(),
        piece_id=district.piece_id(student),
        size_bytes=len(_VIDEO),
        sha256=_SHA256,
    )


def _create(client: CadenzaClient, district: District, student: int, _id: UUID | None) -> UUID:
    new = _new(district, student)
    ticket = client.submissions.create(new)
    assert ticket.submission is not None
    return ticket.submission.id


def _list(client: CadenzaClient, _district: District, _student: int, _id: UUID | None) -> None:
    assert len(list(client.submissions.list())) >= 1


def _confirm(client: CadenzaClient, _district: District, _student: int, id: UUID | None) -> None:  # noqa: A002
    assert id is not None
    client.submissions.confirm(id, size_bytes=len(_VIDEO), sha256=_SHA256)


def _video_url(client: CadenzaClient, _district: District, _student: int, id: UUID | None) -> None:  # noqa: A002
    assert id is not None
    client.submissions.playback(id)


class Load:
    """Eight students at a time, picked at random, each with a client of his own."""

    def __init__(self, server: ApiServer, district: District) -> None:
        self._server = server
        self._district = district
        self._random = random.Random(7)

    def run(self, action: Action, count: int, ids: Sequence[tuple[int, UUID]] = ()) -> Latencies:
        """So many requests; every one must succeed.

        Args:
            action: what to do.
            count: how often.
            ids: whose submissions to do it with; a random student and none when left out.
        """
        given: Sequence[tuple[int, UUID | None]] = ids or [
            (self._random.randrange(self._district.students), None) for _ in range(count)
        ]
        started = time.perf_counter()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            values = list(pool.map(lambda one: self._one(action, *one), given[:count]))
        return Latencies(tuple(values), time.perf_counter() - started)

    def uploaded(self, count: int) -> list[tuple[int, UUID]]:
        """Takes whose bytes are stored and not confirmed."""

        def upload(number: int) -> tuple[int, UUID]:
            student = number % self._district.students
            new = _new(self._district, student)
            with self._client(student) as client:
                ticket = client.submissions.create(new)
            assert ticket.submission is not None
            assert ticket.video is not None
            httpx.put(
                ticket.video.url, content=_VIDEO, headers=ticket.video.headers, timeout=60
            ).raise_for_status()
            return student, ticket.submission.id

        with ThreadPoolExecutor(_CLIENTS) as pool:
            return list(pool.map(upload, range(count)))

    def _one(self, action: Action, student: int, submission_id: UUID | None) -> float:
        with self._client(student) as client:
            started = time.perf_counter()
            action(client, self._district, student, submission_id)
            return time.perf_counter() - started

    def _client(self, student: int) -> CadenzaClient:
        token = f"dev_token_user_{self._district.student_id(student)}"
        return CadenzaClient(self._server.url, token=token, env={})


@contextlib.contextmanager
def district_server(url: str, folder: Path, district: District, workers: int = 1) -> Iterator[Load]:
    """A server whose database holds this district."""
    db = Database(url)
    db.migrate()
    fill(db, district)
    db.close()
    with api_server("cadenza", folder, db=url, workers=workers) as server:
        yield Load(server, district)


def create_against_bare(run: Run) -> Pairs:
    """On PostgreSQL: creates a second of our server and inserts a second of the bare one."""
    count = run.size(REQUESTS)
    with (
        database("postgresql", run.folder) as new,
        api_server("cadenza", run.folder / "ours", db=new("ours")) as ours,
        api_server("bare", run.folder / "bare", db=new("bare")) as bare,
    ):
        pairs = in_turn(
            partial(drive, ours, count),
            partial(drive, bare, count),
            pairs=run.some_pairs,
            warm_up=2,
        )
    return pairs.rate(count)


def list_at_scale(kind: str, run: Run) -> Pairs:
    """Milliseconds for one student's list: among a million takes, and among a thousand."""
    large = District(1_000, 100) if run.quick else LARGE
    with (
        database(kind, run.folder) as new,
        district_server(new("large"), run.folder / "large", large) as many,
        district_server(new("small"), run.folder / "small", SMALL) as few,
    ):
        count = run.size(160)
        return in_turn(
            lambda: many.run(_list, count).percentile(50),
            lambda: few.run(_list, count).percentile(50),
            pairs=run.pairs,
        )


def workers(kind: str, run: Run) -> Pairs:
    """Creates a second with four workers, and with one."""
    count = run.size(400)
    with (
        database(kind, run.folder) as new,
        district_server(new("four"), run.folder / "four", SMALL, 4) as four,
        district_server(new("one"), run.folder / "one", SMALL) as one,
    ):
        return in_turn(
            lambda: four.run(_create, count).rate, lambda: one.run(_create, count).rate,
            pairs=min(run.pairs, 3),
        )  # fmt: skip


def school_day(kind: str, run: Run) -> Pairs:
    """Milliseconds of the slowest hundredth of a district's afternoon, and of its middle.

    Ten thousand students send 4,000 takes in three hours; here a tenth of that time passes twelve
    times as fast: 400 takes in 90 seconds, each a create, an upload, a confirm, a list and a look.
    A refusal or an error ends the measurement: the error budget is none.
    """
    takes = 60 if run.quick else _TAKES_A_DAY // 10
    speed = 72 if run.quick else 12
    with (
        database(kind, run.folder) as new,
        district_server(new("day"), run.folder / "day", District(10_000, 2), 2) as load,
    ):
        values = _send_day(load, takes, speed)
    ordered = statistics.quantiles(values, n=100)
    return Pairs(((ordered[98] * 1000, ordered[49] * 1000),))


def _send_day(load: Load, takes: int, speed: float) -> list[float]:
    """Poisson arrivals over the peak, at so many times the speed; seconds of each request."""
    rng = random.Random(11)
    moments = sorted(rng.uniform(0, _PEAK_SECONDS / 10) / speed for _ in range(takes))
    values: list[float] = []
    lock = threading.Lock()
    started = time.perf_counter()

    def send(moment: float) -> None:
        time.sleep(max(0.0, moment - (time.perf_counter() - started)))
        own = [load.run(_create, 1).values[0]]
        ((student, submission_id),) = load.uploaded(1)
        own += load.run(_confirm, 1, [(student, submission_id)]).values
        own += load.run(_list, 1, [(student, submission_id)]).values
        own += load.run(_video_url, 1, [(student, submission_id)]).values
        with lock:
            values.extend(own)

    with ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(send, moments))
    return values


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--students", type=int, default=LARGE.students)
    parser.add_argument("--requests", type=int, default=400)
    options = parser.parse_args(arguments)
    district = District(options.students, 100)
    print(f"load before: {os.getloadavg()[0]:.1f}; {district.students * 100:,} takes there")
    print(
        "| database | workers | request | a second | p50 ms | p99 ms |\n|---|---|---|---|---|---|"
    )
    for kind in options.database:
        with tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp") as place:
            _print_rows(kind, Path(place), district, options.workers, options.requests)
    return 0


def _print_rows(
    kind: str, place: Path, district: District, counts: Sequence[int], requests: int
) -> None:
    with database(kind, place) as new:
        url = new("load")
        db = Database(url)
        db.migrate()
        fill(db, district)
        db.close()
        for count in counts:
            with api_server("cadenza", place / f"w{count}", db=url, workers=count) as server:
                load = Load(server, district)
                load.run(_create, 40)
                ids = load.uploaded(requests)
                for name, action, given in (
                    ("create", _create, ()),
                    ("list", _list, ()),
                    ("confirm", _confirm, ids),
                    ("video-url", _video_url, ids),
                ):
                    result = load.run(action, requests, given)
                    print(
                        f"| {kind} | {count} | {name} | {result.rate:.0f} "
                        f"| {result.percentile(50):.1f} | {result.percentile(99):.1f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    sys.exit(main())
