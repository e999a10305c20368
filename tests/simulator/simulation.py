"""The real queue, worker and recovery over a simulated clock, network, server and process.

Everything random comes from one seed, so a failing run is replayed from its number alone:
`CADENZA_SIM_SEEDS=1234 pytest tests/simulator`. Faults are chosen in two phases, as FoundationDB
does: a seed first draws which kinds of trouble its world knows at all, then each call draws
whether one of them strikes. The last phase stops all trouble, and everything must arrive.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from cadenza_client import errors as e
from cadenza_uploader import Daemon, Stop, open_rebuilt
from cadenza_uploader._credentials import Credential, CredentialStore
from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader._states import Stage, Status
from cadenza_uploader.take import Take
from tests.uploader.fake_server import FakeServer, Op
from tests.uploader.world import NOON, URL, Clock, content, new_take

DAY = 86_400.0
#: The submission that the replies among the takes answer.
THREAD = "6f0c1a2b-0000-4000-8000-000000000001"
#: One kind of trouble: gives the error to raise, or None when it only changes the world.
Striking = Callable[["SimulatedServer", Op], BaseException | None]


class KilledError(BaseException):
    """SIGKILL: no code of ours may catch it."""


def _api_status(status: int, **facts: object) -> Striking:
    def strike(server: SimulatedServer, op: Op) -> BaseException | None:
        if op in ("video", "thumbnail"):
            return e.StorageBusyError("busy", status_code=status)
        retry = server.rng.choice([None, 1.0, 30.0]) if facts.get("hint") else None
        return e.ServerError("down", status_code=status, retry_after_seconds=retry)

    return strike


def _before(make: Callable[[], BaseException]) -> Striking:
    return lambda _server, _op: make()


def _storage_only(make: Callable[[], BaseException]) -> Striking:
    return lambda _server, op: make() if op in ("video", "thumbnail") else None


def _api_only(make: Callable[[], BaseException]) -> Striking:
    return lambda _server, op: None if op in ("video", "thumbnail") else make()


def _forget_object(server: SimulatedServer, op: Op) -> BaseException | None:
    if op == "confirm":
        unconfirmed = [k for k in server.objects if not server.is_confirmed_key(k)]
        if unconfirmed:
            del server.objects[server.rng.choice(sorted(unconfirmed))]
    return None


def _corrupt_object(server: SimulatedServer, op: Op) -> BaseException | None:
    if op == "confirm":
        unconfirmed = [k for k in server.objects if not server.is_confirmed_key(k)]
        if unconfirmed:
            server.objects[server.rng.choice(sorted(unconfirmed))] = b"damaged on the way"
    return None


def _forget_submission(server: SimulatedServer, op: Op) -> BaseException | None:
    if op in ("urls", "confirm"):
        known = {*server.submissions, *server.messages}
        open_ids = sorted(known - set(server.confirmed))
        if open_ids:
            gone = server.rng.choice(open_ids)
            server.submissions.pop(gone, None)
            server.announced.pop(gone, None)
            server.messages.pop(gone, None)
            server.said.pop(gone, None)
    return None


TROUBLES: dict[str, Striking] = {
    "no route": _before(lambda: e.ConnectFailedError("no route", kind="unreachable")),
    "refused": _before(lambda: e.ConnectFailedError("refused", kind="refused")),
    "reset before": _before(lambda: e.ConnectionLostError("reset", sent="nothing")),
    "reset during": _before(lambda: e.ConnectionLostError("reset", sent="partial")),
    "silence": _before(lambda: e.RequestTimeoutError("silence", sent="partial")),
    "500": _api_status(500),
    "503 with a wish": _api_status(503, hint=True),
    "429": _api_only(lambda: e.RateLimitError("slow", status_code=429, retry_after_seconds=20.0)),
    "expired url": _storage_only(lambda: e.UploadUrlExpiredError("expired", status_code=403)),
    "exists": _storage_only(lambda: e.ObjectExistsError("exists", status_code=412)),
    "bad digest": _storage_only(
        lambda: e.ChecksumRefusedError("x", status_code=400, s3_code="BadDigest")
    ),
    "login page": _api_only(lambda: e.ResponseError("a page", captive_portal=True)),
    "nonsense": _api_only(lambda: e.ResponseError("not JSON")),
    "signed out": _api_only(lambda: e.AuthenticationError("no", status_code=401)),
    "forget object": _forget_object,
    "corrupt object": _corrupt_object,
    "forget submission": _forget_submission,
}  # fmt: skip


class SimulatedServer(FakeServer):
    """The in-memory server, struck by the troubles this world knows."""

    rng: random.Random
    known: tuple[str, ...] = ()
    strike_share: float = 0.0
    lose_share: float = 0.0

    def reached(self, op: Op) -> Callable[[], None]:
        after = super().reached(op)
        if self.known and self.rng.random() < self.strike_share:
            trouble = TROUBLES[self.rng.choice(self.known)](self, op)
            if trouble is not None:
                raise trouble
        if self.rng.random() < self.lose_share:
            return _lose
        return after

    def is_confirmed_key(self, key: str) -> bool:
        return any(key.endswith(str(done)) for done in self.confirmed)


def _lose() -> None:
    raise e.ConnectionLostError("the answer was lost", sent="all")


@dataclass
class Simulation:
    """One world, from its seed to the moment everything has arrived."""

    seed: int
    folder: Path
    takes: dict[str, bytes] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.clock = Clock(NOON)
        self.home = Home(self.folder / "home").prepare()
        self.server = SimulatedServer()
        self.server.rng = random.Random(self.rng.random())
        self.server.threads.add(UUID(THREAD))
        self.settings = Settings.load({}, home=self.home.path, url=URL)
        self.store = CredentialStore(self.home)
        self.store.save(Credential(URL, 7, "ada@example.org", "Ada", "student", "CANARY-TOKEN"))
        self.kill_share = self.rng.choice([0.0, 0.0, 0.02, 0.1])
        self.stages: dict[str, Stage] = {}

    # ── what may happen ────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Trouble, then peace; the promises are checked after every step."""
        self.server.known = tuple(sorted(name for name in TROUBLES if self.rng.random() < 0.5))
        self.server.strike_share = self.rng.choice([0.05, 0.2, 0.5])
        self.server.lose_share = self.rng.choice([0.0, 0.05, 0.2])
        self.note(f"knows {self.server.known}, kills {self.kill_share}")
        steps = [self.enqueue, self.enqueue, self.work, self.work, self.work, self.wait,
                 self.jump, self.move, self.lose_row, self.break_database, self.retry]  # fmt: skip
        self.enqueue()
        for _ in range(self.rng.randint(8, 25)):
            step = self.rng.choice(steps)
            self.note(step.__name__)
            step()
            self.check()
        self.settle()

    def enqueue(self) -> None:
        """A new take; the device may die between its files and its row (C2)."""
        if len(self.takes) >= 6:
            return
        seed = len(self.takes) + 1
        new = new_take(
            self.home,
            seed=seed,
            captured=self.clock.now,
            thumbnail=self.rng.random() < 0.7,
            size_bytes=self.rng.choice([1, 500, 4000]),
            reply_to=THREAD if self.rng.random() < 0.3 else None,
        )
        size_bytes = next(a.size_bytes for a in new.assets if a.kind == "video")
        self.takes[new.id] = content(seed, size_bytes)
        if self.rng.random() >= self.kill_share:
            with self.queue() as queue:
                queue.add(new)

    def work(self) -> None:
        """One start of the uploader, perhaps with an end it did not choose."""
        with self.queue() as queue:
            daemon = Daemon(
                queue,
                connect=self.server.client,
                settings=self.settings,
                store=self.store,
                clock=self.clock,
                monotonic=self.clock,
                random=self.rng.random,
                failpoint=self.perhaps_die,
            )
            try:
                daemon.drain(Stop())
            except KilledError:
                self.note("killed")
        self.clock.advance(self.rng.choice([0.1, 5.0, 60.0]))

    def wait(self) -> None:
        """Time passes."""
        self.clock.advance(self.rng.choice([1.0, 60.0, 3600.0, DAY]))

    def jump(self) -> None:
        """The wall clock is set, either way (K01–K03)."""
        self.clock.now = max(1.0, self.clock.now + self.rng.choice([-DAY, -3600, 3600, 40 * DAY]))

    def move(self) -> None:
        """The state directory moves, as an app's container does (F11)."""
        moved = Home(self.folder / f"home-{len(self.history)}")
        self.home.path.rename(moved.path)
        self.home = moved
        self.settings = self.settings.model_copy(update={"home": moved.path})
        self.store = CredentialStore(moved)

    def lose_row(self) -> None:
        """The log is lost with what was not folded in yet (D08)."""
        for suffix in ("-wal", "-shm"):
            self.home.database.with_name(f"queue.db{suffix}").unlink(missing_ok=True)

    def break_database(self) -> None:
        """The database is damaged (D07); rarely, for a rebuild forgets all history."""
        if self.rng.random() < 0.2 and self.home.database.exists():
            self.home.database.write_bytes(b"damaged" * 1000)
            self.stages.clear()

    def retry(self) -> None:
        """The user asks for everything at once."""
        with self.queue() as queue:
            queue.retry_all()

    def perhaps_die(self, _name: str) -> None:
        if self.rng.random() < self.kill_share:
            raise KilledError

    # ── what must hold ─────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """The promises that hold at every moment."""
        with self.queue() as queue:
            rows = {take.id: take for take in queue.list(limit=None)}
            for take in rows.values():
                self.check_take(take)
            text = repr(queue._query("SELECT * FROM takes")) + repr(
                queue._query("SELECT * FROM attempts")
            )
        for secret in ("SECRET", "CANARY"):
            assert secret not in text, self.told("I10: a secret in the database")
        for take_id, data in self.takes.items():
            self.check_not_lost(take_id, data)

    def check_take(self, take: Take) -> None:
        seen = self.stages.get(take.id, Stage.RECORDED)
        if take.stage < seen:
            assert take.demotions > 0, self.told(f"I8: {take.id} went back from {seen}")
        self.stages[take.id] = take.stage
        if take.status is Status.UPLOADED:
            assert take.receipt is not None
            assert self.is_safe(take.id, self.takes[take.id]), self.told("I1: uploaded, not there")

    def check_not_lost(self, take_id: str, data: bytes) -> None:
        local = self.home.spool / take_id / "video.mp4"
        if local.exists():
            assert local.read_bytes() == data, self.told("I12: the recording was changed")
        else:
            assert self.is_safe(take_id, data), self.told(f"I1: {take_id} is lost")
        known = [*self.server.submissions, *self.server.messages]
        mine = [one for one in known if str(one) == take_id]
        assert len(mine) <= 1, self.told("I3: submitted twice")

    def is_safe(self, take_id: str, data: bytes) -> bool:
        """Whether the server confirmed these very bytes and still has them."""
        digest = hashlib.sha256(data).hexdigest()
        receipts = {str(key): receipt.sha256 for key, receipt in self.server.confirmed.items()}
        return receipts.get(take_id) == digest and self.server.holds_exactly(take_id, data)

    def settle(self) -> None:
        """Peace: no trouble any more, and within its days everything arrives (I7)."""
        self.server.strike_share = self.server.lose_share = self.kill_share = 0.0
        for _ in range(8):
            self.work()
            self.check()
            self.clock.advance(DAY)
        with self.queue() as queue:
            for take in queue.list(limit=None):
                assert take.status is Status.UPLOADED, self.told(
                    f"I7: {take.id} is {take.status}, {take.fail_code}: {take.last_error}"
                )
                assert take.stage is Stage.CLEANED, self.told(f"{take.id} was not cleaned")
            assert len(queue.list(limit=None)) <= len(self.takes)
        for take_id, data in self.takes.items():
            assert self.is_safe(take_id, data), self.told(f"I7: {take_id} did not arrive")
        left = [path.name for path in self.home.spool.iterdir()]
        assert left == [], self.told(f"the spool still holds {left}")
        shutil.rmtree(self.folder)

    def queue(self) -> TakeQueue:
        queue, rebuilt = open_rebuilt(self.home, clock=self.clock)
        if rebuilt.set_aside is not None:
            self.note("rebuilt")
        return queue

    def note(self, what: str) -> None:
        self.history.append(what)

    def told(self, what: str) -> str:
        """A failure, with what is needed to see it again."""
        return f"{what}\n  replay: CADENZA_SIM_SEEDS={self.seed}\n  story: {self.history}"
