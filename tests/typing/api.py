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
    LiveEvent,
    Marker,
    MarkerChanges,
    Message,
    MessageConfirmation,
    MessageTicket,
    NewMarker,
    NewMessage,
    NewSubmission,
    Notification,
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
    Unread,
    UploadEvent,
    UploadTarget,
    UploadTicket,
    User,
    Webhook,
    WebhookDelivery,
    verify_webhook,
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


def conversing(client: CadenzaClient, submission_id: UUID, path: Path) -> None:
    new = NewMessage(text="Like this:", include_video=True, video_duration_seconds=15)
    ticket = assert_type(client.messages.create(submission_id, new), MessageTicket)
    assert_type(ticket.video, UploadTarget | None)
    assert_type(client.messages.upload(new.id, path), MessageConfirmation)
    for message in assert_type(client.messages.list(submission_id), list[Message]):
        assert_type(client.messages.mark_read(message.id).read_at, datetime | None)
    unread = assert_type(client.unread(), Unread)
    assert_type(unread.by_submission, dict[UUID, int])

    point = NewMarker(timestamp_ms=23_000, text="You speed up.", marker_type="feedback")
    marker = assert_type(client.markers.create(submission_id, point), Marker)
    client.markers.update(marker.id, MarkerChanges(end_ms=None))
    client.markers.set_status(marker.id, "settled", settled_by=submission_id)
    assert_type(client.markers.export(submission_id, "vtt"), str)

    stream = assert_type(client.events.stream(after=4, types=["message.*"]), Iterator[LiveEvent])
    assert_type(next(stream).submission_id, UUID | None)
    assert_type(client.notifications.list(unread=True), Iterator[Notification])
    hook = assert_type(client.webhooks.create("https://hooks.example.org/"), Webhook)
    assert_type(client.webhooks.deliveries(hook.id), Iterator[WebhookDelivery])


def receiving(headers: dict[str, str], body: bytes) -> LiveEvent:
    return verify_webhook(["whsec_b2xk", "whsec_bmV3"], headers, body, tolerance_seconds=60)


async def asynchronous(piece_id: UUID) -> None:
    async with AsyncCadenzaClient() as client:
        assert_type(await client.health(), Health)
        new = NewSubmission(duration_seconds=45, piece_id=piece_id)
        assert_type(await client.submissions.create(new), UploadTicket)
        assert_type(client.submissions.list(), AsyncIterator[Submission])
        async for item in client.review.queue():
            assert_type(item, QueueItem)
        async for event in client.events.stream():
            assert_type(event, LiveEvent)


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
        answer = TakeContext(parent_submission_id="6f0c", notes="Like this.")
        enqueue(queue, path, answer, account=current_account(settings, store), settings=settings)
        assert_type(intake.take.kind, Literal["submission", "message"])
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
