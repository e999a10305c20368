"""Protocols of several requests against a v2 server, with answers lost at every step."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cadenza_client import (
    AlreadyUploadedError,
    CancelledUploadError,
    ConnectFailedError,
    ConnectionLostError,
    IdConflictError,
    NewSubmission,
    NotFoundError,
    RateLimitError,
    ResponseError,
    RetryPolicy,
    ServerError,
    SizeMismatchError,
    StorageBusyError,
    UnsafeUploadUrlError,
    UploadUrlExpiredError,
)
from tests.client.wire import ID, PIECE_ID, STORE, issued, receipt, v2

URL = "https://api.example.com"
NEW = NewSubmission(id=ID, piece_id=PIECE_ID, duration_seconds=45)
EXPIRED = httpx.Response(
    403, text="<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
)
STORED = httpx.Response(200, headers={"ETag": '"e"'})
HEALTH = httpx.Response(200, json={"status": "ok", "profiles": ["v1", "v2"]})

Reply = httpx.Response | Exception


class Script:
    """Answers by `METHOD path`; the last answer of each list is given again and again."""

    def __init__(self, **_unused: Any) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[str] = []
        self.bodies: list[bytes] = []

    def on(self, line: str, *replies: Reply) -> Script:
        self.replies[line] = list(replies)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        line = f"{request.method} {request.url.path}"
        self.asked.append(line)
        replies = self.replies[line]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        # A response can be read once only.
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


CREATE = "POST /video-submissions"
URLS = f"GET /video-submissions/{ID}/upload-url"
CONFIRM = f"POST /video-submissions/{ID}/confirm"
PUT = f"PUT /dev/cadenza/videos/7/{ID}.mp4"
PUT_THUMBNAIL = f"PUT /dev/cadenza/videos/7/{ID}_thumb.jpg"


@pytest.fixture
def script() -> Script:
    return (
        Script()
        .on("GET /health", HEALTH)
        .on(CREATE, httpx.Response(201, json=issued(v2())))
        .on(URLS, httpx.Response(200, json=issued()))
        .on(PUT, STORED)
        .on(PUT_THUMBNAIL, STORED)
        .on(CONFIRM, httpx.Response(200, json={"submission": v2(), "receipt": receipt()}))
    )


@pytest.fixture
def client(open_client: Callable[..., Any], script: Script) -> Any:
    return _open(open_client, script, RetryPolicy(attempts=3))


def _open(open_client: Callable[..., Any], script: Script, retry: RetryPolicy) -> Any:
    mock = httpx.MockTransport(script)
    return open_client(URL, token="t0ken", transport=mock, storage_transport=mock, retry=retry)


# ── create ─────────────────────────────────────────────────────────────────────────────────────


def test_one_create_is_one_request(client: Any, script: Script) -> None:
    ticket = client.submissions.create(NEW)
    assert ticket.submission.id == ID
    assert ticket.video.expires_in == 900
    assert ticket.video.headers == {"Content-Type": "video/mp4"}
    assert ticket.thumbnail.headers == {}
    assert script.asked == [CREATE]
    said = json.loads(script.bodies[0])
    assert said == {"id": str(ID), "piece_id": str(PIECE_ID), "duration_seconds": 45}


@pytest.mark.parametrize(
    "lost",
    [
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("closed"),
        httpx.ReadTimeout("silence"),
        httpx.Response(500, json={"detail": "x", "code": "internal"}),
        httpx.Response(200, content=b"{cut", headers={"Content-Type": "application/json"}),
    ],
)
def test_a_lost_answer_is_asked_for_again_with_the_same_id(
    client: Any, script: Script, lost: Reply
) -> None:
    script.on(CREATE, lost, httpx.Response(200, json=issued(v2())))
    assert client.submissions.create(NEW).submission.id == ID
    assert script.asked == [CREATE, "GET /health", CREATE]
    assert script.bodies[0] == script.bodies[2]


def test_without_an_id_a_v2_server_is_looked_through_like_a_v1_server(
    client: Any, script: Script
) -> None:
    script.on(CREATE, httpx.ReadError("reset"), httpx.Response(201, json=issued(v2())))
    not_yet = {"detail": "x", "code": "not_uploaded_yet"}
    script.on("GET /video-submissions", httpx.Response(200, json=[v2()]))
    script.on(f"GET /video-submissions/{ID}/video-url", httpx.Response(409, json=not_yet))
    ticket = client.submissions.create(NewSubmission(piece_id=PIECE_ID, duration_seconds=45))
    assert ticket.submission.id == ID
    assert script.asked.count(CREATE) == 1


def test_our_own_id_in_the_list_is_ours(client: Any, script: Script) -> None:
    script.on("GET /health", httpx.Response(404, json={"detail": "Not Found"}))
    script.on(
        "GET /video-submissions", httpx.Response(200, json=[v2(id=str(uuid4()), notes="x"), v2()])
    )
    assert client.submissions.create(NEW, replay=True).submission.id == ID
    assert CREATE not in script.asked


def test_a_connection_that_never_was_is_tried_again_without_asking_around(
    client: Any, script: Script
) -> None:
    script.on(CREATE, httpx.ConnectError("refused"), httpx.Response(201, json=issued(v2())))
    client.submissions.create(NEW)
    assert script.asked == [CREATE, CREATE]


def test_a_server_that_cannot_be_reached_is_not_asked_around(client: Any, script: Script) -> None:
    script.on(CREATE, httpx.ConnectError("refused"))
    with pytest.raises(ConnectFailedError):
        client.submissions.create(NEW)
    assert script.asked == [CREATE] * 3


def test_a_health_that_fails_ends_the_replay(client: Any, script: Script) -> None:
    script.on("GET /health", httpx.Response(503, json={"detail": "x"}))
    with pytest.raises(ServerError):
        client.submissions.create(NEW, replay=True)
    assert CREATE not in script.asked


def test_a_refusal_is_not_asked_again(client: Any, script: Script) -> None:
    script.on(CREATE, httpx.Response(409, json={"detail": "x", "code": "id_conflict"}))
    with pytest.raises(IdConflictError):
        client.submissions.create(NEW)
    assert script.asked == [CREATE]


def test_a_server_that_forgets_the_id_it_was_given_is_not_believed(
    client: Any, script: Script
) -> None:
    other = v2(id=str(uuid4()))
    other["s3_key"] = f"dev/cadenza/videos/7/{other['id']}.mp4"
    script.on(CREATE, httpx.Response(201, json=issued(other)))
    with pytest.raises(ResponseError, match="another id"):
        client.submissions.create(NEW)


def test_an_upload_url_for_another_submission_is_refused(client: Any, script: Script) -> None:
    other = issued(v2(), upload_url=f"{STORE}/dev/cadenza/videos/7/{uuid4()}.mp4?s=canary")
    script.on(CREATE, httpx.Response(201, json=other))
    with pytest.raises(UnsafeUploadUrlError) as caught:
        client.submissions.create(NEW)
    assert "canary" not in str(caught.value)
    script.on(URLS, httpx.Response(200, json=issued(upload_url=other["upload_url"])))
    with pytest.raises(UnsafeUploadUrlError):
        client.submissions.upload_urls(ID)


def test_an_answer_without_a_submission_is_not_an_answer(client: Any, script: Script) -> None:
    script.on(CREATE, httpx.Response(201, json=issued()))
    with pytest.raises(ResponseError, match="submission: missing"):
        client.submissions.create(NEW)


def test_a_refused_confirm_is_not_mistaken_for_an_old_server(client: Any, script: Script) -> None:
    refused = {"detail": "x", "code": "size_mismatch", "fields": {"stored": 1, "announced": 2}}
    script.on(CONFIRM, httpx.Response(409, json=refused))
    with pytest.raises(SizeMismatchError):
        client.submissions.confirm(ID, size_bytes=2, sha256=None)
    gone = httpx.Response(404, json={"detail": "x", "code": "not_found"})
    script.on(CONFIRM, gone).on(f"GET /video-submissions/{ID}", gone)
    with pytest.raises(NotFoundError):
        client.submissions.confirm(ID, size_bytes=2, sha256=None)
    with pytest.raises(NotFoundError):
        client.submissions.get(ID)
    assert script.asked == [CONFIRM, CONFIRM, f"GET /video-submissions/{ID}"]


# ── upload ─────────────────────────────────────────────────────────────────────────────────────


def test_urls_put_confirm(client: Any, script: Script, video: Path) -> None:
    seen: list[tuple[int, int]] = []
    done = client.submissions.upload(ID, video, progress=lambda a, b: seen.append((a, b)))
    assert done.receipt.verified == "sha256"
    assert done.profile == "v2"
    assert script.asked == [URLS, PUT, CONFIRM]
    size = video.stat().st_size
    assert (seen[0], seen[-1]) == ((0, size), (size, size))
    said = json.loads(script.bodies[-1])
    assert said["size_bytes"] == size
    assert len(said["sha256"]) == 64  # hashed on the way, as the store verifies nothing here
    assert said["thumbnail"] is False


def test_an_expired_url_is_refreshed_at_once(client: Any, script: Script, video: Path) -> None:
    script.on(PUT, EXPIRED, STORED)
    client.submissions.upload(ID, video)
    assert script.asked == [URLS, PUT, URLS, PUT, CONFIRM]


def test_urls_that_stay_expired_are_given_up(client: Any, script: Script, video: Path) -> None:
    script.on(PUT, EXPIRED)
    with pytest.raises(UploadUrlExpiredError):
        client.submissions.upload(ID, video)
    assert script.asked == [URLS, PUT] * 3


def test_a_busy_store_is_tried_again_with_a_fresh_url(
    client: Any, script: Script, video: Path
) -> None:
    script.on(PUT, httpx.Response(503), httpx.WriteError("reset"), STORED)
    client.submissions.upload(ID, video)
    assert script.asked == [URLS, PUT] * 3 + [CONFIRM]


def test_a_store_that_stays_busy_is_given_up(client: Any, script: Script, video: Path) -> None:
    script.on(PUT, httpx.Response(503))
    with pytest.raises(StorageBusyError):
        client.submissions.upload(ID, video)
    assert script.asked == [URLS, PUT] * 3


def test_an_api_that_refuses_urls_is_not_asked_nine_times(
    client: Any, script: Script, video: Path
) -> None:
    for fault in (httpx.Response(500, json={"detail": "x"}), httpx.ReadError("reset")):
        script.asked.clear()
        script.on(URLS, fault)
        with pytest.raises((ServerError, ConnectionLostError)):
            client.submissions.upload(ID, video)
        assert script.asked == [URLS] * 3


def test_what_has_arrived_already_is_only_confirmed(
    client: Any, script: Script, video: Path
) -> None:
    script.on(URLS, httpx.Response(409, json={"detail": "x", "code": "already_uploaded"}))
    client.submissions.upload(ID, video)
    assert script.asked == [URLS, CONFIRM]
    assert json.loads(script.bodies[-1])["size_bytes"] == video.stat().st_size


def test_an_object_that_is_there_is_only_confirmed(
    client: Any, script: Script, video: Path
) -> None:
    script.on(PUT, httpx.Response(412))
    client.submissions.upload(ID, video)
    assert script.asked == [URLS, PUT, CONFIRM]


def test_a_missing_url_is_a_bad_answer(client: Any, script: Script, video: Path) -> None:
    script.on(URLS, httpx.Response(200, json=issued(upload_url=None)))
    with pytest.raises(ResponseError, match="no URL"):
        client.submissions.upload(ID, video)


def test_a_thumbnail_goes_along(client: Any, script: Script, video: Path) -> None:
    client.submissions.upload(ID, video, thumbnail=video)
    assert script.asked == [URLS, PUT, URLS, PUT_THUMBNAIL, CONFIRM]
    assert json.loads(script.bodies[-1])["thumbnail"] is True


@pytest.mark.parametrize(
    "fault", [httpx.Response(403), httpx.Response(400), httpx.ReadError("reset")]
)
def test_a_thumbnail_never_fails_the_take(
    open_client: Callable[..., Any], script: Script, video: Path, fault: Reply
) -> None:
    script.on(PUT_THUMBNAIL, fault)
    client = _open(open_client, script, RetryPolicy.none())
    client.submissions.upload(ID, video, thumbnail=video)
    assert script.asked.count(PUT) == 1
    assert json.loads(script.bodies[-1])["thumbnail"] is False


def test_a_thumbnail_can_be_missing_from_the_answer(
    client: Any, script: Script, video: Path
) -> None:
    script.on(URLS, httpx.Response(200, json=issued(thumbnail_upload_url=None)))
    client.submissions.upload(ID, video, thumbnail=video)
    assert script.asked[-1] == CONFIRM


def test_a_cancelled_upload_is_not_tried_again(client: Any, script: Script, video: Path) -> None:
    with pytest.raises(CancelledUploadError):
        client.submissions.upload(ID, video, cancel=lambda: True)
    assert CONFIRM not in script.asked


def test_upload_urls_alone(client: Any, script: Script) -> None:
    ticket = client.submissions.upload_urls(str(ID), only="video")
    assert ticket.submission is None
    assert ticket.received_at_monotonic > 0
    script.on(URLS, httpx.Response(409, json={"detail": "x", "code": "already_uploaded"}))
    with pytest.raises(AlreadyUploadedError):
        client.submissions.upload_urls(ID)


def test_an_id_that_is_none_is_left_to_the_server(client: Any, script: Script) -> None:
    script.on(
        "GET /video-submissions/../x/upload-url",
        httpx.Response(200, json=issued(submission=None)),
    )
    assert client.submissions.upload_urls("../x").video is not None


def test_a_long_wish_of_the_server_is_handed_out(client: Any, script: Script) -> None:
    busy = httpx.Response(429, json={"detail": "x"}, headers={"Retry-After": "120"})
    script.on(URLS, busy)
    with pytest.raises(RateLimitError) as caught:
        client.submissions.upload_urls(ID)
    assert caught.value.retry_after_seconds == 120
    assert script.asked == [URLS]


# ── a message's video ──────────────────────────────────────────────────────────────────────────

MESSAGE_URLS = f"GET /messages/{ID}/upload-url"
MESSAGE_CONFIRM = f"POST /messages/{ID}/confirm"


def test_a_messages_video_goes_the_same_way(client: Any, script: Script, video: Path) -> None:
    message = {
        "id": str(ID),
        "submission_id": str(PIECE_ID),
        "sender_id": 1,
        "media_state": "uploaded",
        "created_at": "2026-11-20T17:00:00Z",
    }
    script.on(MESSAGE_URLS, httpx.Response(200, json=issued()))
    script.on(PUT, EXPIRED, STORED)
    script.on(MESSAGE_CONFIRM, httpx.Response(200, json={"message": message, "receipt": receipt()}))
    done = client.messages.upload(ID, video, thumbnail=video)
    assert done.message.id == ID
    assert done.receipt.verified == "sha256"
    assert script.asked == [
        *(MESSAGE_URLS, PUT, MESSAGE_URLS, PUT, MESSAGE_URLS, PUT_THUMBNAIL, MESSAGE_CONFIRM)
    ]
    said = json.loads(script.bodies[-1])
    assert said["thumbnail"] is True
    assert said["size_bytes"] == video.stat().st_size
