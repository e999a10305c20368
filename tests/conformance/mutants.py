"""Broken reference clients, by name: what the kit must notice (§3.1.8).

Run as a program, this is the reference client's adapter with one defect:
`python tests/conformance/mutants.py NAME`. Each defect names the scenarios it was seen to die of;
a test holds them to it, and asks that every scenario kills at least one of them.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4


@dataclass(frozen=True)
class Mutant:
    """One defect.

    Attributes:
        name: what the command line calls it.
        defect: what it does wrong, as a sentence.
        killed_by: scenarios that must fail it, the quickest first.
        apply: puts the defect into this process.
    """

    name: str
    defect: str
    killed_by: tuple[str, ...]
    apply: Callable[[], None]


MUTANTS: dict[str, Mutant] = {}


def mutant(name: str, killed_by: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a defect; its sentence is the function's docstring."""

    def register(apply: Callable[[], None]) -> Callable[[], None]:
        defect = (apply.__doc__ or "").strip()
        MUTANTS[name] = Mutant(name, defect, tuple(killed_by.split()), apply)
        return apply

    return register


def patch(owner: Any, name: str, value: Any) -> Any:
    """Replace something that is really there, so that no mutant is the reference by mistake."""
    original = getattr(owner, name)
    setattr(owner, name, value)
    return original


# ── the classification ─────────────────────────────────────────────────────────────────────────


def _classify(change: Callable[[Any, Any], Any]) -> None:
    """Let `change` overrule the table: (answer, decision) → decision."""
    from cadenza_uploader import _worker

    original = vars(_worker)["classify"]
    patch(_worker, "classify", lambda answer: change(answer, original(answer)))


def _fail(code: str) -> Any:
    from cadenza_uploader._classify import Action, Decision
    from cadenza_uploader._states import FailCode

    return Decision(Action.FAIL, fail=FailCode(code))


@mutant(
    "storage-403-is-fatal",
    "url-expired-once url-expired-during-put url-really-expired url-fresh-but-403 "
    "secrets-not-in-logs",
)
def _() -> None:
    """An expired URL fails the recording."""
    _classify(
        lambda a, d: _fail("storage_forbidden") if (a.party, a.status) == ("storage", 403) else d
    )


@mutant(
    "lost-answer-is-fatal",
    "put-reset-mid-body put-stored-response-lost create-response-lost confirm-response-lost "
    "silence-after-body silence-on-create suspend-mid-put chance-and-chaos",
)
def _() -> None:
    """A connection that dies, or falls silent, fails the recording."""
    _never_retry()
    _classify(lambda a, d: _fail("attempts_exhausted") if a.code in ("lost", "timeout") else d)


def _never_retry() -> None:
    """Leave trying again to the queue alone, so that its decision is what is seen."""
    from cadenza_uploader._settings import Timings

    original = Timings.fast
    patch(Timings, "fast", staticmethod(lambda: replace(original(), quick_tries=1)))


@mutant("offline-is-fatal", "enqueue-offline storage-down-api-up tls-self-signed tls-expired")
def _() -> None:
    """No network fails the recording."""
    codes = ("offline", "unreachable", "certificate")
    _classify(lambda a, d: _fail("attempts_exhausted") if a.code in codes else d)


@mutant(
    "5xx-is-fatal",
    "api-502-retried api-504-retried storage-500-retried s5xx-backoff-growth "
    "slowdown-halves-concurrency",
)
def _() -> None:
    """A server error fails the recording."""
    _never_retry()
    _classify(lambda a, d: _fail("attempts_exhausted") if (a.status or 0) >= 500 else d)


@mutant("4xx-is-fatal", "api-408-retried api-425-retried retry-after-seconds")
def _() -> None:
    """408, 425 and 429 fail the recording like any 4xx."""
    _never_retry()
    _classify(lambda a, d: _fail("bad_request") if a.status in (408, 425, 429) else d)


@mutant(
    "portal-is-refusal",
    "html-200-not-success portal-403-not-refusal malformed-answers create-response-cut "
    "answer-without-upload-url redirect-other-host-refused "
    "storage-redirect-not-followed-blindly",
)
def _() -> None:
    """Whatever cannot be read fails the recording."""
    _never_retry()
    codes = ("portal", "malformed", "lost")
    _classify(lambda a, d: _fail("bad_request") if a.code in codes else d)


@mutant(
    "never-sends-again",
    "confirm-object-missing confirm-checksum-mismatch confirm-size-mismatch submission-forgotten",
)
def _() -> None:
    """When the server says that the object is not there, or not it, the recording fails."""
    from cadenza_uploader._classify import Action

    _classify(lambda a, d: _fail("storage_rejects") if d.action is Action.REDO else d)


@mutant("401-is-fatal", "token-401-forever-hold other-user-signs-in")
def _() -> None:
    """A missing sign-in fails the recording."""
    _classify(lambda a, d: _fail("forbidden") if a.status == 401 else d)


@mutant(
    "nothing-is-final",
    "api-413-is-final api-422-is-final api-403-is-final id-conflict-is-final storage-too-large "
    "submission-deleted file-truncate-after-enqueue file-missing",
)
def _() -> None:
    """What can never succeed is tried for ever."""
    from cadenza_uploader._classify import Action, Decision

    _classify(lambda a, d: Decision(Action.RETRY) if d.action is Action.FAIL else d)


@mutant("412-is-fatal", "put-answer-412 put-stored-response-lost")
def _() -> None:
    """An object that is there already fails the recording."""
    _classify(lambda a, d: _fail("storage_rejects") if a.status == 412 else d)


@mutant("already-uploaded-is-fatal", "already-uploaded")
def _() -> None:
    """409 already_uploaded fails the recording."""
    _classify(lambda a, d: _fail("id_conflict") if a.code == "already_uploaded" else d)


@mutant(
    "storage-400-is-fatal",
    "bad-digest-at-the-store storage-request-timeout signer-credentials-rotated",
)
def _() -> None:
    """Every 400 of the store fails the recording."""
    _classify(
        lambda a, d: _fail("storage_rejects") if (a.party, a.status) == ("storage", 400) else d
    )


@mutant("403-loops", "url-refused-for-good")
def _() -> None:
    """A refused URL is replaced at once, again and again."""
    from cadenza_uploader import _worker
    from cadenza_uploader._classify import Action, Decision

    patch(_worker, "MAX_REFRESHES", 10_000)
    _classify(lambda a, d: Decision(Action.REFRESH) if a.status == 403 else d)


# ── identity ───────────────────────────────────────────────────────────────────────────────────


@mutant("new-id-each-time", "create-response-lost kill-create-unanswered silence-on-create")
def _() -> None:
    """Every create has an id of its own."""
    from cadenza_client._endpoints import submissions

    original = submissions.create
    patch(submissions, "create", lambda new: original(new.model_copy(update={"id": uuid4()})))


@mutant("shares-one-id", "happy-many-50 poison-does-not-block")
def _() -> None:
    """Every recording has the same id."""
    from cadenza_uploader import _desk
    from cadenza_uploader._desk import announcement

    one = UUID(int=7, version=4)
    patch(_desk, "announcement", lambda take: announcement(take).model_copy(update={"id": one}))


@mutant("sends-as-anyone", "other-user-signs-in")
def _() -> None:
    """The recording goes out under whoever is signed in."""
    from cadenza_uploader import TakeQueue
    from cadenza_uploader.take import Account

    original = TakeQueue.claim

    def claim(self: Any, *, owner: str, account: Any, only: Any = None) -> Any:
        for user in (7, 8):
            take = original(self, owner=owner, account=Account(account.server_url, user), only=only)
            if take is not None:
                return take
        return None

    patch(TakeQueue, "claim", claim)


@mutant("never-looks-for-a-newer-token", "token-401-refresh-once")
def _() -> None:
    """One 401 stops the queue, although a newer token is there."""
    from cadenza_client._auth import Bearer

    patch(Bearer, "renewed_since", lambda self, used: False)


# ── deleting ───────────────────────────────────────────────────────────────────────────────────


def _unlink(queue: Any, take: Any) -> None:
    (queue.home.spool / str(take.video.name)).unlink(missing_ok=True)


@mutant(
    "deletes-before-confirm",
    "kill-between-put-and-confirm happy-one tls-good unknown-fields-ignored restart-drains-queue "
    "confirm-response-lost",
)
def _() -> None:
    """The file goes after the storage's 200, before the confirm."""
    from cadenza_uploader._worker import Worker

    original = Worker._ask_to_confirm

    def ask(self: Any, take: Any, md5: Any) -> Any:
        _unlink(self._queue, take)
        return original(self, take, md5)

    patch(Worker, "_ask_to_confirm", ask)


@mutant("never-deletes", "happy-one kill-between-confirm-and-delete")
def _() -> None:
    """Confirmed recordings stay on the device."""
    from cadenza_uploader import _shift, _worker

    patch(_worker, "clean", lambda *a, **k: False)
    patch(_shift, "clean", lambda *a, **k: False)


@mutant(
    "deletes-on-failed",
    "upload-url-other-host upload-url-to-a-file upload-url-with-user-name api-403-is-final "
    "file-grow-after-enqueue file-replace-after-enqueue submission-deleted",
)
def _() -> None:
    """A recording that failed loses its file."""
    from cadenza_uploader import TakeQueue

    original = TakeQueue.failed

    def failed(self: Any, take: Any, *args: Any, **kwargs: Any) -> Any:
        _unlink(self, take)
        return original(self, take, *args, **kwargs)

    patch(TakeQueue, "failed", failed)


def _after_unlinking(owner: Any, name: str) -> None:
    original = getattr(owner, name)

    def setback(self: Any, take: Any, *args: Any, **kwargs: Any) -> Any:
        _unlink(self, take)
        return original(self, take, *args, **kwargs)

    patch(owner, name, setback)


@mutant("deletes-on-setback", "retry-after-absurd tls-wrong-host network-lost-mid-put")
def _() -> None:
    """A recording that has to wait loses its file."""
    from cadenza_uploader import TakeQueue

    for name in ("delayed", "released"):
        _after_unlinking(TakeQueue, name)


@mutant("takes-any-receipt", "receipt-for-other-bytes")
def _() -> None:
    """A receipt for other bytes is as good as one for ours."""
    from cadenza_uploader import _cleaning, _worker

    patch(_worker, "receipt_fault", lambda *a, **k: None)
    patch(_cleaning, "refusal", lambda *a, **k: None)


@mutant("skips-confirm", "receipt-always-wrong happy-one confirm-checksum-mismatch")
def _() -> None:
    """The storage's 200 is taken for the receipt."""
    from cadenza_client import Confirmation, Receipt
    from cadenza_client.models import Submission
    from cadenza_uploader._worker import Worker

    def ask(self: Any, take: Any, md5: Any) -> Any:
        now = datetime.now(UTC)
        submission = Submission(
            id=UUID(take.server_id), user_id=7, s3_key="k", duration_seconds=1, created_at=now
        )
        receipt = Receipt(
            asset_id=UUID(take.server_id),
            s3_key="k",
            size_bytes=take.video.size_bytes,
            sha256=take.video.sha256,
            etag="e",
            verified="sha256",
            confirmed_at=now,
        )
        return Confirmation(submission=submission, receipt=receipt, profile="v2")

    patch(Worker, "_ask_to_confirm", ask)


# ── the wire ───────────────────────────────────────────────────────────────────────────────────


def _put_headers(change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    from cadenza_client import _storage

    original = _storage._headers_for
    patch(_storage, "_headers_for", lambda step, size: change(original(step, size)))


@mutant("token-to-storage", "no-token-to-storage happy-one")
def _() -> None:
    """The bearer token goes along with the bytes."""
    _put_headers(lambda headers: {**headers, "Authorization": "Bearer something"})


@mutant("chunked-put", "happy-one")
def _() -> None:
    """The body is sent in chunks, without a length."""

    def change(headers: dict[str, str]) -> dict[str, str]:
        kept = {n: v for n, v in headers.items() if n.lower() != "content-length"}
        return {**kept, "Transfer-Encoding": "chunked"}

    _put_headers(change)


@mutant("wrong-content-type", "with-thumbnail happy-one")
def _() -> None:
    """Everything is application/octet-stream."""
    _put_headers(lambda headers: {**headers, "Content-Type": "application/octet-stream"})


@mutant("adds-amz-headers", "happy-one")
def _() -> None:
    """A header that nobody signed is added."""
    _put_headers(lambda headers: {**headers, "x-amz-acl": "private"})


@mutant("any-upload-url", "upload-url-other-host upload-url-of-another-submission "
        "upload-url-with-user-name upload-url-plain-http")  # fmt: skip
def _() -> None:
    """Bytes go wherever the API says."""
    from cadenza_client._endpoints import _issued
    from cadenza_client._urls import Origin
    from cadenza_client._wire import _signed

    def check(url: str, **_: Any) -> Origin:
        parts = urlsplit(url)
        return Origin(parts.scheme, parts.hostname or "", parts.port or 80)

    patch(_signed, "check_signed_url", check)
    patch(_issued, "check_names_object", lambda *a, **k: None)


@mutant("follows-redirects", "redirect-other-host-refused storage-redirect-not-followed-blindly")
def _() -> None:
    """A redirect is followed, with everything that was sent."""
    import httpx

    from cadenza_client._sync import SyncEngine
    from cadenza_client._urls import Origin
    from cadenza_client._wire import _signed

    original = SyncEngine._receive

    def receive(self: Any, call: Any, request: Any) -> Any:
        response, body = original(self, call, request)
        if 300 <= response.status_code < 400:
            request.read()
            target = httpx.URL(response.headers["location"])
            onward = httpx.Request(
                request.method, target, headers=request.headers, content=request.content
            )
            return original(self, call, onward)
        return response, body

    patch(SyncEngine, "_receive", receive)

    def origin(self: Any, url: str) -> Origin:
        parts = urlsplit(url)
        return Origin(parts.scheme, parts.hostname or "", parts.port or 80)

    requests = _signed.SignedRequests
    patch(requests, "redirected", lambda self, answer, url: answer.headers["location"])
    patch(requests, "check", origin)


@mutant("any-200-is-stored", "html-200-not-success storage-200-with-error")
def _() -> None:
    """A 200 of whatever content counts as stored."""
    from cadenza_client import _storage

    def stored(answer: Any) -> Any:
        if answer.status_code == 200:
            return answer.headers.get("etag")
        return original(answer)

    original = patch(_storage, "stored_etag", stored)


@mutant("loses-early-answers", "url-expired-early-close")
def _() -> None:
    """An answer that comes before the body was sent is a broken pipe."""
    from cadenza_client import _storage
    from cadenza_client.errors import ConnectionLostError

    def stored(answer: Any) -> Any:
        if not answer.request_complete:
            raise ConnectionLostError("broken pipe", sent="partial")
        return original(answer)

    original = patch(_storage, "stored_etag", stored)


@mutant("strict-decoder", "unknown-fields-ignored")
def _() -> None:
    """An answer with a field nobody has heard of is an error."""
    from cadenza_client import _answers
    from cadenza_client.errors import ResponseError

    original = _answers._parsed

    def parsed(kind: Any, body: bytes) -> Any:
        if re.search(rb'"(mood|verse|tempo)"', body):
            raise ResponseError("an unknown field")
        return original(kind, body)

    patch(_answers, "_parsed", parsed)


@mutant("never-gives-up-on-silence", "silence-after-body silence-on-create")
def _() -> None:
    """A connection on which nothing moves is waited for, for minutes."""
    from cadenza_uploader._settings import Timings

    original = Timings.fast

    def fast() -> Timings:
        return replace(original(), inactivity_seconds=600.0, reply_seconds=600.0)

    patch(Timings, "fast", staticmethod(fast))


@mutant("total-timeout", "slow-uplink")
def _() -> None:
    """An upload has two seconds, however fast the line."""
    from cadenza_client import CadenzaClient
    from cadenza_client.errors import RequestTimeoutError

    original = CadenzaClient.upload_media

    def upload(self: Any, *args: Any, **kwargs: Any) -> Any:
        deadline, inner = time.monotonic() + 2.0, kwargs["progress"]

        def progress(done: int, total: int) -> None:
            if time.monotonic() > deadline and done < total:
                raise RequestTimeoutError("too slow", sent="partial")
            inner(done, total)

        return original(self, *args, **{**kwargs, "progress": progress})

    patch(CadenzaClient, "upload_media", upload)


@mutant("reads-whole-files", "big-file-streaming-rss")
def _() -> None:
    """The file is read into memory before it is sent."""
    from cadenza_client import CadenzaClient

    original, kept = CadenzaClient.upload_media, list[bytes]()

    def upload(self: Any, target: Any, source: Any, **kwargs: Any) -> Any:
        with source.open() as file:
            kept.append(file.read())
        return original(self, target, source, **kwargs)

    patch(CadenzaClient, "upload_media", upload)


@mutant("ignores-certificates", "tls-self-signed tls-expired tls-wrong-host")
def _() -> None:
    """Certificates are not checked."""
    import ssl

    from cadenza_client._wire import _transport

    patch(_transport, "tls_context", lambda env: ssl._create_unverified_context())


@mutant("keeps-dead-connections", "keepalive-closed")
def _() -> None:
    """A connection the server has closed is used once more, and its failure is final."""
    import httpcore._sync.http11 as http11

    patch(http11.HTTP11Connection, "has_expired", lambda self: False)
    _never_retry()
    _classify(lambda a, d: _fail("attempts_exhausted") if a.code in ("lost", "timeout") else d)


@mutant("v2-only", "v1-server")
def _() -> None:
    """A server without confirm is a broken server."""
    from cadenza_client._flows import confirming

    patch(confirming, "is_unknown_route", lambda error: False)


@mutant("creates-again-blindly", "v1-create-response-lost")
def _() -> None:
    """After a lost create a v1 server gets another one, without a look."""
    from cadenza_client._flows import creating

    def keeps(new: Any) -> Any:
        yield from ()
        return True

    patch(creating, "_keeps_our_ids", keeps)


# ── waiting ────────────────────────────────────────────────────────────────────────────────────


@mutant("no-backoff", "s5xx-backoff-growth")
def _() -> None:
    """The next attempt follows at once."""
    from cadenza_uploader._backoff import BackoffPolicy

    patch(BackoffPolicy, "delay_seconds", lambda self, *a, **k: 0.01)


def _retry_after(change: Callable[[str | None, datetime], float | None]) -> None:
    from cadenza_client import _answers, _storage_answers

    for module in (_answers, _storage_answers):
        patch(module, "retry_after_seconds", lambda value, *, now: change(value, now))


@mutant(
    "ignores-retry-after",
    "retry-after-seconds retry-after-from-storage retry-after-date retry-after-absurd",
)
def _() -> None:
    """Retry-After is not looked at."""
    _retry_after(lambda value, now: None)


@mutant("retry-after-by-own-clock", "retry-after-date")
def _() -> None:
    """A date in Retry-After is compared with the device's clock."""
    from cadenza_client._headers import retry_after_seconds

    _retry_after(lambda value, now: retry_after_seconds(value, now=datetime.now(UTC)))


@mutant("garbage-means-an-hour", "retry-after-garbage retry-after-negative")
def _() -> None:
    """A Retry-After that cannot be read is an hour."""
    from cadenza_client._headers import retry_after_seconds

    def change(value: str | None, now: datetime) -> float | None:
        read = retry_after_seconds(value, now=now)
        return 3600.0 if value is not None and read is None else read

    _retry_after(change)


@mutant("blocks-on-poison", "poison-does-not-block")
def _() -> None:
    """The oldest recording has to arrive before any other is tried."""
    from cadenza_uploader import TakeQueue
    from cadenza_uploader._states import Status

    original = TakeQueue.claim

    def claim(self: Any, *, owner: str, account: Any, only: Any = None) -> Any:
        unsent = [t for t in self.list(limit=None) if t.status is not Status.UPLOADED]
        oldest = min(unsent, key=lambda take: take.created_at, default=None)
        if oldest is None:
            return None
        return original(self, owner=owner, account=account, only={oldest.id})

    patch(TakeQueue, "claim", claim)


@mutant("newest-first", "oldest-first")
def _() -> None:
    """The last recording is sent first."""
    from cadenza_uploader import TakeQueue
    from cadenza_uploader._states import Status

    original = TakeQueue.claim

    def claim(self: Any, *, owner: str, account: Any, only: Any = None) -> Any:
        for take in self.list(limit=None):
            if take.status is Status.PENDING:
                found = original(self, owner=owner, account=account, only={take.id})
                if found is not None:
                    return found
        return None

    patch(TakeQueue, "claim", claim)


@mutant("six-at-a-time", "slowdown-halves-concurrency")
def _() -> None:
    """Six uploads run at once."""
    from cadenza_uploader._lanes import Lanes

    assert vars(Lanes(1))["open"] == 1
    setattr(Lanes, "open", property(lambda self: 6, lambda self, value: None))  # noqa: B010


@mutant("believes-dates", "server-clock-skewed clock-jump-forward")
def _() -> None:
    """A URL's life is read from the date in it, by the device's clock."""
    from cadenza_uploader._worker import Worker

    original = Worker._target

    def target(self: Any, journey: Any, kind: Any) -> Any:
        for _ in range(4):
            found = original(self, journey, kind)
            query = parse_qs(urlsplit(found.url).query)
            issued = datetime.strptime(query["X-Amz-Date"][0] + "+0000", "%Y%m%dT%H%M%SZ%z")
            life = float(query["X-Amz-Expires"][0])
            if self._world.clock() < issued.timestamp() + life:
                return found
            journey.ticket = None
        return found

    patch(Worker, "_target", target)


@mutant("believes-stored-times", "clock-jump-back")
def _() -> None:
    """A due time that a wrong clock wrote is kept."""
    from cadenza_uploader import TakeQueue

    patch(TakeQueue, "clamp_due", lambda self, policy: 0)


@mutant("a-stop-costs-an-attempt", "stop-mid-put constraint-lost-mid-put enqueue-offline")
def _() -> None:
    """Being stopped, or put aside, counts as an attempt."""
    from cadenza_uploader import TakeQueue

    original = TakeQueue.released

    def released(self: Any, take: Any, setback: Any, **kwargs: Any) -> Any:
        result = original(self, take, setback, **kwargs)
        with self._write() as db:
            db.execute("update takes set attempts = attempts + 1 where id = ?", (take.id,))
        return result

    patch(TakeQueue, "released", released)


# ── dying ──────────────────────────────────────────────────────────────────────────────────────


@mutant(
    "never-reclaims",
    "kill-between-put-and-confirm kill-between-create-and-put kill-mid-put kill-create-unanswered "
    "kill-during-recovery kill-between-confirm-and-delete",
)
def _() -> None:
    """What a killed client had in hand stays in its dead hand."""
    from cadenza_uploader import TakeQueue

    patch(TakeQueue, "leased", lambda self: [])


@mutant("queue-in-memory", "restart-drains-queue")
def _() -> None:
    """Recordings are written to the database only when the uploader starts."""
    from cadenza_conformance.adapters import python as adapter

    waiting: list[dict[str, Any]] = []
    on_enqueue = adapter.PythonAdapter.on_enqueue
    on_start = adapter.PythonAdapter.on_start
    started = threading.Event()

    def enqueue(self: Any, **fields: Any) -> dict[str, Any]:
        if started.is_set():
            return on_enqueue(self, **fields)
        waiting.append(fields)
        return {}

    def start(self: Any) -> None:
        started.set()
        for fields in waiting:
            on_enqueue(self, **fields)
        waiting.clear()
        on_start(self)

    patch(adapter.PythonAdapter, "on_enqueue", enqueue)
    patch(adapter.PythonAdapter, "on_start", start)


@mutant("absolute-paths", "state-dir-relocated")
def _() -> None:
    """The spool is looked for where it was when the recording was made."""
    from cadenza_uploader import _spool

    original = _spool.open_asset

    def open_asset(spool: Path, asset: Any) -> Any:
        remembered = spool.parent / "where"
        if not remembered.exists():
            remembered.write_text(str(spool))
        return original(Path(remembered.read_text()), asset)

    patch(_spool, "open_asset", open_asset)


@mutant("no-instance-lock", "second-instance-refused")
def _() -> None:
    """Two uploaders may work on one queue."""
    from cadenza_uploader._instance import FileLock

    patch(FileLock, "acquire", lambda self, note="": True)


@mutant("enqueue-asks-the-server", "enqueue-offline")
def _() -> None:
    """Enqueue looks whether the server is there."""
    from cadenza_conformance.adapters import python as adapter

    original = adapter.PythonAdapter.on_enqueue

    def enqueue(self: Any, **fields: Any) -> dict[str, Any]:
        try:
            with self.connect() as client:
                client.health()
        except Exception as error:
            raise OSError("offline creation is not implemented") from error
        return original(self, **fields)

    patch(adapter.PythonAdapter, "on_enqueue", enqueue)


# ── files, thumbnails, secrets ─────────────────────────────────────────────────────────────────


@mutant("needs-its-file-to-confirm", "file-missing-server-confirmed")
def _() -> None:
    """A file that is gone is lost, whatever the server has."""
    from cadenza_uploader._worker import Worker

    original = Worker._ask_to_confirm

    def ask(self: Any, take: Any, md5: Any) -> Any:
        if not (self._queue.home.spool / str(take.video.name)).exists():
            raise FileNotFoundError(2, "gone")
        return original(self, take, md5)

    patch(Worker, "_ask_to_confirm", ask)


@mutant("thumbnail-holds-up-the-video", "thumb-fails-video-ok thumb-refused-then-fine")
def _() -> None:
    """The video is sent again when the thumbnail fails."""
    from cadenza_uploader._worker import Worker

    original = Worker._offer_thumbnail

    def offer(self: Any, journey: Any) -> None:
        if journey.take.thumbnail is None or journey.take.thumbnail.stored:
            return
        self._put(journey, journey.take.video)
        original(self, journey)

    patch(Worker, "_offer_thumbnail", offer)


@mutant("forgets-thumbnails", "with-thumbnail")
def _() -> None:
    """Thumbnails stay at home."""
    from cadenza_uploader._worker import Worker

    patch(Worker, "_offer_thumbnail", lambda self, journey: None)


@mutant("logs-urls", "secrets-not-in-logs happy-one")
def _() -> None:
    """Upload URLs are logged."""
    from cadenza_client import CadenzaClient

    original = CadenzaClient.upload_media

    def upload(self: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        print("PUT", target.url, file=sys.stderr, flush=True)
        return original(self, target, *args, **kwargs)

    patch(CadenzaClient, "upload_media", upload)


@mutant("stores-urls", "secrets-not-on-disk-after-kill happy-one")
def _() -> None:
    """Upload URLs are kept beside the queue."""
    from cadenza_uploader._worker import Worker

    original, number = Worker._target, itertools.count()

    def target(self: Any, journey: Any, kind: Any) -> Any:
        found = original(self, journey, kind)
        (self._queue.home.path / f"url-{next(number)}").write_text(found.url)
        return found

    patch(Worker, "_target", target)


@mutant("sends-altered-bytes", "happy-one")
def _() -> None:
    """What is queued is not quite what was recorded."""
    from cadenza_uploader import _intake_prepared

    original = _intake_prepared._bring

    def bring(path: Path, destination: Path) -> Any:
        copied = original(path, destination)
        with destination.open("r+b") as file:
            file.write(b"\0\0\0\0")
        from cadenza_uploader import _spool

        with _spool.open_source(destination) as file:
            return dataclasses.replace(_spool.measure(file))
        return copied

    patch(_intake_prepared, "_bring", bring)


def main(name: str) -> None:
    """Be the adapter, with one defect."""
    from cadenza_conformance.adapters.python import main as serve

    MUTANTS[name].apply()
    serve()


if __name__ == "__main__":
    main(sys.argv[1])
