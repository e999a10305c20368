"""A server and its store in memory, behind the client's own methods, models and errors.

Faults are scripted per operation and occurrence: an exception raised before the effect, or after it
(`LostAnswerError`: done, but no answer). What arrives is judged by the real rules.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Literal, cast
from uuid import UUID, uuid4

from cadenza_client import (
    CadenzaClient,
    Confirmation,
    Health,
    Message,
    MessageConfirmation,
    MessageTicket,
    NewMessage,
    NewSubmission,
    Receipt,
    StoredObject,
    Submission,
    UploadTarget,
    UploadTicket,
    User,
)
from cadenza_client import errors as e

Op = Literal["health", "me", "create", "urls", "video", "thumbnail", "confirm", "delete"]
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


class LostAnswerError(Exception):
    """The effect happens and its answer is lost on the way."""


@dataclass
class FakeServer:
    """Submissions, objects and every operation that reached the server, in order."""

    submissions: dict[UUID, Submission] = field(default_factory=dict)
    announced: dict[UUID, NewSubmission] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    confirmed: dict[UUID, Receipt] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    faults: dict[tuple[Op, int], BaseException | type[BaseException] | Callable[[], None]] = field(
        default_factory=dict
    )
    always: dict[Op, Callable[[], BaseException]] = field(default_factory=dict)
    counts: Counter[Op] = field(default_factory=Counter)
    on: dict[Op, list[Callable[[], None]]] = field(default_factory=lambda: defaultdict(list))
    assigns_ids: bool = False
    user_id: int = 7
    threads: set[UUID] = field(default_factory=set)
    messages: dict[UUID, Message] = field(default_factory=dict)
    said: dict[UUID, NewMessage] = field(default_factory=dict)

    def fail(self, op: Op, nth: int, fault: BaseException | Callable[[], None]) -> None:
        """Let the nth call of `op` (from 1) end with `fault`."""
        self.faults[op, nth] = fault

    def client(self) -> CadenzaClient:
        """A client of this server, as far as the uploader uses one."""
        return cast("CadenzaClient", FakeClient(self))

    def reached(self, op: Op) -> Callable[[], None]:
        """Count a call and apply its fault; gives what is to happen after the effect."""
        self.counts[op] += 1
        self.log.append(op)
        for listener in self.on[op]:
            listener()
        if op in self.always:
            raise self.always[op]()
        fault = self.faults.get((op, self.counts[op]))
        if fault is None:
            return lambda: None
        if isinstance(fault, LostAnswerError):
            return _lose
        if isinstance(fault, BaseException):
            raise fault
        cast("Callable[[], None]", fault)()
        return lambda: None

    def holds_exactly(self, submission_id: str, data: bytes) -> bool:
        """Whether the store has these very bytes for a submission."""
        return self.objects.get(f"video/{submission_id}") == data


def _lose() -> None:
    raise e.ConnectionLostError("the connection was reset", sent="all")


class FakeClient:
    """The slice of `CadenzaClient` a worker touches."""

    clock_offset_seconds: float | None = 0.0

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.submissions = SimpleNamespace(
            create=self._create, upload_urls=self._urls, confirm=self._confirm, delete=self._delete
        )
        self.messages = SimpleNamespace(
            create=self._say,
            upload_urls=self._message_urls,
            confirm=self._confirm_message,
            get=self._message,
            delete=self._unsay,
        )
        self.auth = SimpleNamespace(me=self._me)
        self.closed = False

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True

    def health(self) -> Health:
        self.server.reached("health")()
        return Health(status="ok", version="1", time=AT, profiles=("v1", "v2"))

    def _me(self) -> User:
        self.server.reached("me")()
        return User(id=self.server.user_id, email="ada@example.org", full_name="Ada")

    def _create(self, new: NewSubmission, *, replay: bool = False) -> UploadTicket:
        after = self.server.reached("create")
        assert new.id is not None
        known = self.server.announced.get(new.id)
        if known is not None and known != new:
            raise e.IdConflictError("other data", status_code=409, code="id_conflict")
        if replay and self.server.assigns_ids:
            for submission in self.server.submissions.values():
                if submission.notes == new.notes:
                    return self._ticket(submission)
        submission_id = uuid4() if self.server.assigns_ids else new.id
        submission = self.server.submissions.setdefault(
            submission_id,
            Submission(
                id=submission_id,
                user_id=self.server.user_id,
                piece_id=new.piece_id,
                s3_key=f"video/{submission_id}",
                duration_seconds=new.duration_seconds,
                notes=new.notes,
                created_at=AT,
                media_state="awaiting_upload",
            ),
        )
        self.server.announced[submission_id] = new
        after()
        return self._ticket(submission)

    def _ticket(self, submission: Submission | None, submission_id: object = None) -> UploadTicket:
        name = submission.id if submission else submission_id
        if submission and submission.id in self.server.confirmed:
            submission = submission.model_copy(update={"media_state": "uploaded"})
        target = {
            kind: UploadTarget(
                url=f"http://127.0.0.1/{kind}/{name}?signature=SECRET",
                headers={"Content-Type": "x"},
                expires_in=3600,
            )
            for kind in ("video", "thumbnail")
        }
        return UploadTicket(submission=submission, received_at_monotonic=0.0, **target)

    def _urls(self, submission_id: str, *, only: str | None = None) -> UploadTicket:
        self.server.reached("urls")()
        if UUID(submission_id) not in self.server.submissions:
            raise e.NotFoundError("no such submission", status_code=404, code="not_found")
        if UUID(submission_id) in self.server.confirmed:
            raise e.AlreadyUploadedError("there", status_code=409, code="already_uploaded")
        return self._ticket(None, submission_id)

    def upload_media(self, target: UploadTarget, source: Any, **options: Any) -> StoredObject:
        path = target.url.split("?")[0].removeprefix("http://127.0.0.1/")
        kind = cast("Op", path.split("/")[0])
        with source.open() as file:
            half = file.read(source.size_bytes // 2)
            if options["progress"]:
                options["progress"](len(half), source.size_bytes)
            if options["cancel"] and options["cancel"]():
                raise e.CancelledUploadError("stopped")
            after = self.server.reached(kind)
            data = half + file.read()
        if hashlib.sha256(data).hexdigest() != options["sha256"]:
            raise e.FileChangedError("the file is not the one announced")
        if options["progress"]:
            options["progress"](len(data), source.size_bytes)
        self.server.objects[path] = data
        after()
        return StoredObject(etag='"etag"', size_bytes=len(data))

    def _confirm(
        self, submission_id: str, *, size_bytes: int, sha256: str, **_options: Any
    ) -> Confirmation:
        after = self.server.reached("confirm")
        key = UUID(submission_id)
        submission = self.server.submissions.get(key)
        if submission is None:
            raise e.NotFoundError("no such submission", status_code=404, code="not_found")
        receipt = self.server.confirmed.get(key)
        if receipt is None:
            receipt = self._receipt(submission_id, submission.s3_key, size_bytes, sha256)
        after()
        return Confirmation(submission=submission, receipt=receipt, profile="v2")

    def _receipt(self, name: str, s3_key: str, size_bytes: int, sha256: str) -> Receipt:
        data = self.server.objects.get(f"video/{name}")
        if data is None:
            raise e.NotUploadedYetError("nothing", status_code=409, code="not_uploaded_yet")
        if len(data) != size_bytes:
            raise e.SizeMismatchError("other size", status_code=409, code="size_mismatch")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise e.ChecksumMismatchError("other bytes", status_code=409, code="checksum_mismatch")
        receipt = Receipt(
            asset_id=UUID(name),
            s3_key=s3_key,
            size_bytes=size_bytes,
            sha256=sha256,
            etag='"etag"',
            verified="sha256",
            confirmed_at=AT,
            key_id="k1",
            signature="signed",
        )
        self.server.confirmed[UUID(name)] = receipt
        return receipt

    def _delete(self, submission_id: str) -> None:
        self.server.reached("delete")()
        if self.server.submissions.pop(UUID(submission_id), None) is None:
            raise e.NotFoundError("no such submission", status_code=404, code="not_found")

    # ── replies ────────────────────────────────────────────────────────────────────────────────

    def _say(self, submission_id: str, new: NewMessage) -> MessageTicket:
        after = self.server.reached("create")
        if UUID(submission_id) not in self.server.threads:
            raise e.NotFoundError("no such take", status_code=404, code="not_found")
        if self.server.said.get(new.id, new) != new:
            raise e.IdConflictError("other data", status_code=409, code="id_conflict")
        message = self.server.messages.setdefault(
            new.id,
            Message(
                id=new.id,
                submission_id=UUID(submission_id),
                sender_id=self.server.user_id,
                text=new.text,
                video_s3_key=f"video/{new.id}",
                media_state="awaiting_upload",
                created_at=AT,
            ),
        )
        self.server.said[new.id] = new
        after()
        return self._message_ticket(message, new.id)

    def _message_ticket(self, message: Message | None, message_id: UUID) -> MessageTicket:
        ticket = self._ticket(None, message_id)
        if message and message.id in self.server.confirmed:
            message = message.model_copy(update={"media_state": "uploaded"})
        return MessageTicket(
            message=message, video=ticket.video, thumbnail=ticket.thumbnail,
            received_at_monotonic=0.0,
        )  # fmt: skip

    def _message(self, message_id: str) -> Message:
        message = self.server.messages.get(UUID(message_id))
        if message is None:
            raise e.NotFoundError("no such message", status_code=404, code="not_found")
        state = "uploaded" if message.id in self.server.confirmed else message.media_state
        return message.model_copy(update={"media_state": state})

    def _message_urls(self, message_id: str, *, only: str | None = None) -> MessageTicket:
        self.server.reached("urls")()
        if self._message(message_id).media_state == "uploaded":
            raise e.AlreadyUploadedError("there", status_code=409, code="already_uploaded")
        return self._message_ticket(None, UUID(message_id))

    def _confirm_message(
        self, message_id: str, *, size_bytes: int, sha256: str, thumbnail: bool
    ) -> MessageConfirmation:
        after = self.server.reached("confirm")
        message = self._message(message_id)
        receipt = self.server.confirmed.get(message.id) or self._receipt(
            message_id, message.video_s3_key or "", size_bytes, sha256
        )
        after()
        return MessageConfirmation(message=message, receipt=receipt)

    def _unsay(self, message_id: str) -> None:
        self.server.reached("delete")()
        message = self._message(message_id)
        self.server.messages[message.id] = message.model_copy(
            update={"text": None, "media_state": None, "deleted_at": AT}
        )
