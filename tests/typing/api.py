"""The public API as a user would write against it: checked by mypy and pyright, never run."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, assert_type
from uuid import UUID

from cadenza_client import (
    APIError,
    AsyncCadenzaClient,
    CadenzaClient,
    CadenzaError,
    Confirmation,
    Fingerprint,
    Health,
    NewSubmission,
    Piece,
    Playback,
    QueueItem,
    Receipt,
    RetryPolicy,
    Routine,
    SignIn,
    StorageError,
    StoredObject,
    Submission,
    Timeouts,
    TokenSource,
    TransportError,
    UploadEvent,
    UploadTarget,
    UploadTicket,
    User,
)
from cadenza_uploader import (
    CredentialStore,
    Daemon,
    DrainReport,
    Home,
    Settings,
    Stop,
    TakeQueue,
    connect,
    current_account,
    enqueue,
    record_take,
    stop_on_signals,
)
from cadenza_uploader.errors import TakeRefusedError, UploaderError
from cadenza_uploader.events import BytesSent, Event, Observer, TakeUploaded
from cadenza_uploader.take import Hold, Stage, Status, Take, TakeContext


class Refreshing:
    """A user's own token source satisfies the protocol by its shape."""

    def token(self) -> str | None:
        return "secret"

    def refresh(self) -> bool:
        return False


def synchronous(path: Path, piece_id: UUID) -> None:
    source: TokenSource = Refreshing()
    with CadenzaClient(
        "https://cadenza.example.org", token=source, timeout=Timeouts(), retry=RetryPolicy()
    ) as client:
        assert_type(client.health(), Health)
        assert_type(client.clock_offset_seconds, float | None)
        assert_type(client.auth.login("ada@example.org", "secret"), SignIn)
        assert_type(client.users.my_teacher(), User | None)
        assert_type(client.students.list(), list[User])
        assert_type(client.students.submissions(7, pending_review=True), Iterator[Submission])
        assert_type(client.pieces.list(), Iterator[Piece])
        assert_type(client.routines.current(), Routine | None)
        facts = assert_type(client.fingerprint(path), Fingerprint)

        new = NewSubmission(duration_seconds=45, piece_id=piece_id, size_bytes=facts.size_bytes)
        ticket = assert_type(client.submissions.create(new, replay=True), UploadTicket)
        target = assert_type(ticket.video, UploadTarget | None)
        if target is not None and ticket.submission is not None:
            stored = client.upload_media(
                target,
                path,
                content_type="video/mp4",
                sha256=None,
                progress=lambda sent, total: print(sent / total),
                cancel=lambda: False,
            )
            assert_type(stored, StoredObject)
            done = client.submissions.confirm(
                ticket.submission.id, size_bytes=stored.size_bytes, sha256=stored.sha256
            )
            assert_type(done, Confirmation)
            assert_type(done.profile, Literal["v1", "v2"])
            assert_type(done.receipt, Receipt)
            assert_type(done.receipt.verified, Literal["sha256", "size", "md5"])

        assert_type(client.submissions.list(reviewed=False), Iterator[Submission])
        submission = next(client.submissions.list())
        assert_type(submission.reviewed_at, datetime | None)
        assert_type(client.submissions.events(submission.id), list[UploadEvent])
        assert_type(client.review.queue(sort="waiting"), Iterator[QueueItem])
        playback = assert_type(client.submissions.playback(submission.id), Playback)
        assert_type(client.download(playback, path), int)


async def asynchronous(piece_id: UUID) -> None:
    async with AsyncCadenzaClient() as client:
        assert_type(await client.health(), Health)
        new = NewSubmission(duration_seconds=45, piece_id=piece_id)
        assert_type(await client.submissions.create(new), UploadTicket)
        assert_type(client.submissions.list(), AsyncIterator[Submission])
        async for item in client.review.queue():
            assert_type(item, QueueItem)


def errors(error: CadenzaError) -> str:
    assert_type(error.retryable, bool)
    match error:
        case TransportError():
            assert_type(error.sent, Literal["nothing", "partial", "all"])
            return error.sent
        case APIError():
            assert_type(error.status_code, int)
            assert_type(error.retry_after_seconds, float | None)
            return error.detail
        case StorageError():
            return str(error.s3_code)
        case _:
            return str(error)


def observe(event: Event, /) -> None:
    if isinstance(event, BytesSent):
        assert_type(event.sent_bytes, int)
    elif isinstance(event, TakeUploaded):
        assert_type(event.take, Take)


def uploading(path: Path) -> Status:
    observer: Observer = observe
    settings = Settings.load(max_seconds=60)
    home = Home(settings.home)
    store = CredentialStore(home)
    record_take(path, seconds=5, on_second=lambda elapsed, remaining: None)
    with TakeQueue.open(home) as queue, stop_on_signals() as stop:
        try:
            intake = enqueue(
                queue,
                path,
                TakeContext(piece_id="b1a2", measure_number=17),
                account=current_account(settings, store),
                settings=settings,
                fit=True,
            )
        except TakeRefusedError as refused:
            assert_type(refused.violations, tuple[str, ...])
            raise
        except UploaderError as error:
            assert_type(error.code, str)
            raise
        daemon = Daemon(
            queue,
            connect=lambda: connect(settings, store),
            settings=settings,
            observer=observer,
            store=store,
        )
        assert_type(stop, Stop)
        report = assert_type(daemon.drain(stop, only=[intake.take.id]), DrainReport)
        assert_type(report.held, Hold | None)
        take = assert_type(queue.get(intake.take.id), Take)
        assert_type(take.stage, Stage)
        return take.status
