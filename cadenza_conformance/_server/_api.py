"""The API role: the routes a recording needs, answered as the reference server answers them.

A test plays one recorded request list against this and against `cadenza_server` and compares
status, shape and headers, so the two cannot drift apart.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

from cadenza_conformance._server import _storage
from cadenza_conformance._server._bodies import REQUEST_ID, api_error, error_codes
from cadenza_conformance._server._wire import Answer
from cadenza_conformance._server._world import KEY_PREFIX, USER_ID, Submission, World

MAX_UPLOAD_BYTES = 250_000_000
MAX_SECONDS = 180


class RefusedError(Exception):
    """The API says no, with one of the contract's codes."""

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields


def answer_api(
    world: World,
    op: str,
    subject: str | None,
    body: bytes,
    *,
    storage_url: str,
    user_id: int,
    only: str | None = None,
) -> Answer:
    """The real answer to one API request; it takes effect.

    Args:
        world: the run.
        op: which operation.
        subject: the submission's id in the path.
        body: the request's.
        storage_url: base URL of the storage role, for the URLs that are handed out.
        user_id: who asks.
        only: `video` or `thumbnail`, for fresh URLs.
    """
    if op not in _ROUTES or _is_missing_in_v1(world, op):
        # A framework's own 404 has no code: that is how a client knows a server of profile v1.
        is_v1 = world.scenario.given.server.speaks == "v1"
        return _json(404, {"detail": "Not Found"}) if is_v1 else refusal("not_found")
    try:
        status, document = _ROUTES[op](_Request(world, subject, body, storage_url, user_id, only))
    except RefusedError as error:
        return refusal(error.code, **error.fields)
    if document is None:
        return Answer(status, {"Content-Type": "application/json"})
    return _json(status, document)


def refusal(code: str, **fields: Any) -> Answer:
    """One of the contract's refusals."""
    headers = {"Content-Type": "application/json", "X-Request-ID": REQUEST_ID}
    status = int(error_codes()[code]["status"])
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Answer(status, headers, api_error(code, **fields))


def _json(status: int, document: dict[str, Any] | list[Any]) -> Answer:
    headers = {"Content-Type": "application/json", "X-Request-ID": REQUEST_ID}
    if isinstance(document, list):
        headers["X-Total-Count"] = str(len(document))
    return Answer(status, headers, json.dumps(document).encode())


class _Request:
    def __init__(
        self,
        world: World,
        subject: str | None,
        body: bytes,
        storage_url: str,
        user_id: int,
        only: str | None,
    ) -> None:
        self.world = world
        self.subject = subject
        self.raw = body
        self.storage_url = storage_url
        self.user_id = user_id
        self.only = only

    @property
    def document(self) -> dict[str, Any]:
        try:
            value = json.loads(self.raw or b"{}")
        except ValueError:
            raise RefusedError("invalid") from None
        if not isinstance(value, dict):
            raise RefusedError("invalid")
        return cast("dict[str, Any]", value)

    @property
    def submission(self) -> Submission:
        try:
            name = str(UUID(self.subject))
        except (ValueError, TypeError):
            raise RefusedError("invalid_id", submission_id="not a uuid") from None
        found = self.world.submissions.get(name)
        if found is None or self.user_id != USER_ID:
            raise RefusedError("not_found")
        return found


_Answered = tuple[int, dict[str, Any] | list[Any] | None]


def _health(request: _Request) -> _Answered:
    known = {
        "status": "ok",
        "version": "0.1.0",
        "time": wire_time(request.world.told_time),
    }
    if request.world.scenario.given.server.speaks == "v2":
        return 200, {**known, "profiles": ["v1", "v2"]}
    return 200, known


def _current_user(request: _Request) -> _Answered:
    return 200, {
        "id": request.user_id,
        "email": "student@example.org",
        "full_name": "Sam Student",
        "user_type": "student",
        "teacher_id": 1,
        "created_at": "2026-01-01T00:00:00Z",
    }


def _sign_in(request: _Request) -> _Answered:
    user = _current_user(request)[1]
    token = request.world.new_token(request.user_id)
    return 200, {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": 2_592_000,
        "user": user,
    }


def _create(request: _Request) -> _Answered:
    world, body = request.world, request.document
    if request.user_id != USER_ID:
        raise RefusedError("forbidden")
    _check_create(body)
    is_v2 = world.scenario.given.server.speaks == "v2"
    wanted = str(body.get("id") or "").lower() if is_v2 else ""
    known = world.submissions.get(wanted)
    if known is not None:
        if known.body != body:
            raise RefusedError("id_conflict")
        return 200, _created(request, known)
    name = wanted or str(uuid4())
    key = f"{KEY_PREFIX}cadenza/videos/{USER_ID}/{name}.mp4"
    submission = Submission(
        id=name,
        body=body if is_v2 else _v1_fields(body),
        key=key,
        thumbnail_key=key.removesuffix(".mp4") + "_thumb.jpg",
        created_at=world.told_time,
        recording=world.recording_of_body(body),
    )
    world.submissions[name] = submission
    return 201, _created(request, submission)


def _check_create(body: dict[str, Any]) -> None:
    seconds = body.get("duration_seconds")
    if seconds is None:
        raise RefusedError("duration_required", duration_seconds="Field required")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise RefusedError("invalid", duration_seconds="Input should be a valid integer")
    if not 1 <= seconds <= MAX_SECONDS:
        raise RefusedError("duration_out_of_range", duration_seconds="out of range")
    for name in ("id", "piece_id", "exercise_id", "session_id"):
        if body.get(name) is not None:
            try:
                UUID(str(body[name]))
            except ValueError:
                raise RefusedError("invalid_id", **{name: "not a uuid"}) from None
    if not any(body.get(name) for name in ("piece_id", "exercise_id", "session_id")):
        raise RefusedError("context_required")
    width, height = body.get("width"), body.get("height")
    if (
        isinstance(width, int)
        and isinstance(height, int)
        and (max(width, height) > 1280 or min(width, height) > 720)
    ):
        raise RefusedError("resolution_exceeded", width=width, height=height, max=[1280, 720])
    size = body.get("size_bytes")
    if isinstance(size, int) and size > MAX_UPLOAD_BYTES:
        raise RefusedError("too_large", size_bytes=size, max_bytes=MAX_UPLOAD_BYTES)


def _created(request: _Request, submission: Submission) -> dict[str, Any]:
    return {
        **_urls(request, submission, only=None),
        "submission": _shown(request, submission),
    }


def _get_urls(request: _Request) -> _Answered:
    submission = request.submission
    if request.only not in (None, "video", "thumbnail"):
        raise RefusedError("invalid", only="Input should be 'video' or 'thumbnail'")
    urls = _urls(request, submission, only=request.only)
    wanted = "thumbnail_upload_url" if request.only == "thumbnail" else "upload_url"
    if urls[wanted] is None:
        raise RefusedError("already_uploaded")
    return 200, urls


def _urls(request: _Request, submission: Submission, *, only: str | None) -> dict[str, Any]:
    world, given = request.world, request.world.scenario.given.server
    video = thumbnail = None
    frozen = submission.confirmed_at is not None and given.speaks == "v2"
    if only != "thumbnail" and not frozen:
        headers = _storage.video_headers(submission, given.issues_upload_headers)
        video = _storage.issue(world, "PUT", submission.key, headers, request.storage_url)
    if only != "video" and not (frozen and submission.has_thumbnail):
        headers = _storage.thumbnail_headers(submission, given.issues_upload_headers)
        thumbnail = _storage.issue(
            world, "PUT", submission.thumbnail_key, headers, request.storage_url
        )
    document: dict[str, Any] = {
        "upload_url": video and video.url,
        "thumbnail_upload_url": thumbnail and thumbnail.url,
        "expires_in": int(given.url_ttl_seconds),
    }
    if given.speaks == "v2":
        document["upload_headers"] = video and video.headers
        document["thumbnail_upload_headers"] = thumbnail and thumbnail.headers
    return document


def _confirm(request: _Request) -> _Answered:
    submission, body, world = request.submission, request.document, request.world
    stored = world.objects.get(submission.key)
    if submission.confirmed_at is None:
        if stored is None:
            raise RefusedError("not_uploaded_yet")
        for said in (submission.body, body):
            try:
                _check_same(said, stored)
            except RefusedError:
                submission.refused = True
                raise
        submission.confirmed_at = world.told_time
    else:
        assert stored is not None
        _check_same(body, stored)
    if body.get("thumbnail") and submission.thumbnail_key in world.objects:
        submission.has_thumbnail = True
    return 200, {
        "submission": _shown(request, submission),
        "receipt": _receipt(submission, stored),
    }


def _check_same(said: dict[str, Any], stored: _storage.StoredObject) -> None:
    size, sha256 = said.get("size_bytes"), said.get("sha256")
    if size is not None and size != stored.size:
        raise RefusedError("size_mismatch", stored=stored.size, announced=size)
    if sha256 is not None and sha256 != stored.sha256:
        raise RefusedError("checksum_mismatch", stored=stored.sha256, announced=sha256)


def _receipt(submission: Submission, stored: _storage.StoredObject) -> dict[str, Any]:
    assert submission.confirmed_at is not None
    unsigned = {
        "asset_id": submission.id,
        "s3_key": submission.key,
        "size_bytes": stored.size,
        "sha256": stored.sha256,
        "etag": f'"{stored.md5}"',
        "verified": "sha256",
        "confirmed_at": wire_time(submission.confirmed_at),
        "key_id": "kit",
    }
    message = json.dumps(unsigned, sort_keys=True, separators=(",", ":")).encode()
    signature = hmac.digest(b"a key of the kit, no secret", message, hashlib.sha256)
    return {**unsigned, "signature": base64.b64encode(signature).decode()}


def _list(request: _Request) -> _Answered:
    newest_first = reversed(list(request.world.submissions.values()))
    return 200, [_shown(request, submission) for submission in newest_first]


def _get(request: _Request) -> _Answered:
    return 200, {**_shown(request, request.submission), "unread_count": 0, "marker_count": 0}


#: The kit makes no storyboard and no waveform: what it says of them is what a server without
#: derivatives says.
_NO_DERIVATIVES: Mapping[str, Any] = {
    "storyboard_url": None,
    "waveform_url": None,
    "derivatives": {"duration_ms": None, "fps": None},
}


def _playback(request: _Request) -> _Answered:
    submission, world = request.submission, request.world
    is_v1 = world.scenario.given.server.speaks == "v1"
    if submission.key not in world.objects and not is_v1:
        raise RefusedError("not_uploaded_yet")
    video = _storage.issue(world, "GET", submission.key, {}, request.storage_url)
    thumbnail = None
    if submission.thumbnail_key in world.objects:
        issued = _storage.issue(world, "GET", submission.thumbnail_key, {}, request.storage_url)
        thumbnail = issued.url
    return 200, {
        "video_url": video.url,
        "thumbnail_url": thumbnail,
        "expires_in": int(world.scenario.given.server.url_ttl_seconds),
        **({} if is_v1 else _NO_DERIVATIVES),
    }


def _delete(request: _Request) -> _Answered:
    submission = request.submission
    for key in (submission.key, submission.thumbnail_key):
        request.world.objects.pop(key, None)
    del request.world.submissions[submission.id]
    return 204, None


_V1_ONLY = ("exercise_id", "piece_id", "session_id", "duration_seconds", "notes")


def _v1_fields(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body.get(name) for name in _V1_ONLY}


def _shown(request: _Request, submission: Submission) -> dict[str, Any]:
    world, body = request.world, submission.body
    stored = world.objects.get(submission.key)
    confirmed = submission.confirmed_at
    shown: dict[str, Any] = {
        "id": submission.id,
        "user_id": USER_ID,
        "exercise_id": body.get("exercise_id"),
        "piece_id": body.get("piece_id"),
        "session_id": body.get("session_id"),
        "s3_key": submission.key,
        "thumbnail_s3_key": submission.thumbnail_key if submission.has_thumbnail else None,
        "duration_seconds": body["duration_seconds"],
        "notes": body.get("notes"),
        "reviewed_at": None,
        "reviewed_by_id": None,
        "created_at": wire_time(submission.created_at),
    }
    if world.scenario.given.server.speaks == "v1":
        return shown
    captured = body.get("captured_at")
    thumbnail_url = None
    if submission.has_thumbnail:
        issued = _storage.issue(world, "GET", submission.thumbnail_key, {}, request.storage_url)
        thumbnail_url = issued.url
    return {
        **shown,
        "media_state": "uploaded" if confirmed else "awaiting_upload",
        "captured_at": captured or wire_time(submission.created_at),
        "uploaded_at": wire_time(confirmed) if confirmed else None,
        "page_number": body.get("page_number"),
        "measure_number": body.get("measure_number"),
        "measure_end": body.get("measure_end"),
        "is_mastered": False,
        "mastered_at": None,
        "context_title": "A piece",
        "thumbnail_url": thumbnail_url,
        "size_bytes": stored.size if confirmed and stored else None,
        "width": body.get("width"),
        "height": body.get("height"),
        "source": None,
        "derivatives": [],
        "unread_count": 0,
        "marker_count": 0,
        "question_count": 0,
    }


def wire_time(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, no fraction (W2)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_ROUTES: dict[str, Callable[[_Request], _Answered]] = {
    "health": _health,
    "sign_in": _sign_in,
    "dev_sign_in": _sign_in,
    "current_user": _current_user,
    "create_submission": _create,
    "list_submissions": _list,
    "get_submission": _get,
    "get_upload_url": _get_urls,
    "confirm": _confirm,
    "get_playback": _playback,
    "delete_submission": _delete,
}


def _is_missing_in_v1(world: World, op: str) -> bool:
    v1 = world.scenario.given.server.speaks == "v1"
    return v1 and op in ("confirm", "get_submission", "delete_submission")
