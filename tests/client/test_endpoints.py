"""Every method sends what the API expects and reads what it answers, in both clients.

The transports here are the real ones, mocked by respx as a user of the SDK would.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from cadenza_client import (
    IdConflictError,
    MarkerChanges,
    NewMarker,
    NewMessage,
    NewSubmission,
    ResponseError,
    RetryPolicy,
    UnsafeUploadUrlError,
)
from tests.client.wire import ID, PIECE_ID, issued, receipt, v2

URL = "https://api.example.com/v1"
USER = {"id": 7, "email": "sam@example.org", "full_name": "Sam", "user_type": "student"}
PIECE = {"id": str(PIECE_ID), "title": "Bourrée", "owner_id": 7}
ROUTINE = {"id": str(ID), "title": "Week 3", "owner_id": 1, "exercises": [{"id": str(ID)}]}
SESSION = {"id": str(ID), "user_id": 7, "started_at": "2026-11-20T17:00:00Z"}
EVENT = {"seq": 1, "id": str(ID), "at": "2026-11-20T17:00:00Z", "event": "created", "data": {}}
ITEM = {"submission": v2(), "student_name": "Sam", "waiting_seconds": 60, "has_question": True}
SIGN_IN = {"access_token": "t", "user": USER}
MESSAGE = {
    "id": str(ID),
    "submission_id": str(PIECE_ID),
    "sender_id": 1,
    "sender_name": "Ada",
    "text": "Slower at bar 17.",
    "media_state": None,
    "created_at": "2026-11-20T17:00:00Z",
    "is_own": False,
    "derivatives": None,
}
MARKER = {
    "id": str(ID),
    "submission_id": str(PIECE_ID),
    "author_id": 1,
    "timestamp_ms": 23_000,
    "text": "You speed up.",
    "marker_type": "feedback",
    "status": "open",
    "created_at": "2026-11-20T17:00:00Z",
}
NOTE = {"id": "n1", "type": "message.created", "title": "Ada", "created_at": EVENT["at"]}
HOOK = {"id": str(ID), "url": "https://hooks.example.org/", "event_types": None, "active": True}
DELIVERY = {"id": str(ID), "event_id": "evt_1", "attempt": 1, "status": "delivered"}
SAID = NewMessage(id=ID, text="Slower at bar 17.", page_number=3)
POINT = NewMarker(timestamp_ms=23_000, text="You speed up.", client_id=ID)


def _case(
    name: str,
    call: Callable[[Any], Any],
    line: str,
    reply: Any,
    *,
    body: Any = None,
    token: bool = True,
    status: int = 200,
) -> Any:
    return pytest.param(call, line, reply, body, token, status, id=name)


CASES = [
    _case("health", lambda c: c.health(), "GET /health", {"status": "ok"}, token=False),
    _case(
        "login",
        lambda c: c.auth.login("sam@example.org", "pw"),
        "POST /auth/login",
        SIGN_IN,
        body={"email": "sam@example.org", "password": "pw"},
        token=False,
    ),
    _case(
        "dev_login",
        lambda c: c.auth.dev_login("sam+1@example.org"),
        "POST /auth/dev-login?email=sam%2B1%40example.org",
        SIGN_IN,
        token=False,
    ),
    _case("me", lambda c: c.auth.me(), "GET /auth/me", USER),
    _case(
        "set_teacher",
        lambda c: c.users.set_teacher("t@example.org", share_history=False),
        "POST /users/set-teacher?teacher_email=t%40example.org&share_history=false",
        {"teacher": USER},
    ),
    _case(
        "remove_teacher",
        lambda c: c.users.remove_teacher(),
        "DELETE /users/remove-teacher",
        None,
        status=204,
    ),
    _case("my_teacher", lambda c: c.users.my_teacher(), "GET /users/my-teacher", USER),
    _case("my_students", lambda c: c.students.list(), "GET /users/my-students", [USER]),
    _case(
        "student_submissions",
        lambda c: list(c.students.submissions(7, pending_review=True, piece_id=PIECE_ID)),
        f"GET /students/7/video-submissions?pending_review=true&piece_id={PIECE_ID}",
        [v2()],
    ),
    _case(
        "assign_routine",
        lambda c: c.students.assign_routine(7, ID),
        "POST /students/7/assign-routine",
        ROUTINE,
        body={"routine_id": str(ID)},
    ),
    _case("pieces", lambda c: list(c.pieces.list()), "GET /pieces", [PIECE]),
    _case(
        "create_piece",
        lambda c: c.pieces.create("Bourrée", page_count=2),
        "POST /pieces",
        PIECE,
        body={"title": "Bourrée", "page_count": 2},
        status=201,
    ),
    _case("piece", lambda c: c.pieces.get(PIECE_ID), f"GET /pieces/{PIECE_ID}", PIECE),
    _case("routines", lambda c: list(c.routines.list()), "GET /routines", [ROUTINE]),
    _case(
        "create_routine",
        lambda c: c.routines.create("Week 3"),
        "POST /routines",
        ROUTINE,
        body={"title": "Week 3"},
        status=201,
    ),
    _case(
        "add_exercise",
        lambda c: c.routines.add_exercise(ID, piece_id=PIECE_ID, start_page=2),
        f"POST /routines/{ID}/exercises",
        {"id": str(ID)},
        body={"piece_id": str(PIECE_ID), "start_page": 2},
        status=201,
    ),
    _case("current", lambda c: c.routines.current(), "GET /my-current-routine", ROUTINE),
    _case("start", lambda c: c.practice.start(), "POST /sessions", SESSION, body={}),
    _case(
        "complete",
        lambda c: c.practice.complete(ID, 600),
        f"PUT /sessions/{ID}/complete",
        SESSION,
        body={"duration_seconds": 600},
    ),
    _case(
        "submissions",
        lambda c: list(c.submissions.list(reviewed=False, media_state="ready", page_size=5)),
        "GET /video-submissions?media_state=ready&reviewed=false&limit=5",
        [v2()],
    ),
    _case("submission", lambda c: c.submissions.get(ID), f"GET /video-submissions/{ID}", v2()),
    _case(
        "playback",
        lambda c: c.submissions.playback(ID, download=True),
        f"GET /video-submissions/{ID}/video-url?download=true",
        {"video_url": "https://b.example.com/k?s=1", "thumbnail_url": None, "expires_in": 60},
    ),
    _case(
        "mark_reviewed",
        lambda c: c.submissions.mark_reviewed(ID),
        f"PATCH /video-submissions/{ID}/reviewed",
        v2(),
    ),
    _case(
        "reopen",
        lambda c: c.submissions.reopen(ID),
        f"DELETE /video-submissions/{ID}/reviewed",
        v2(),
    ),
    _case(
        "delete",
        lambda c: c.submissions.delete(ID),
        f"DELETE /video-submissions/{ID}",
        None,
        status=204,
    ),
    _case(
        "events",
        lambda c: c.submissions.events(ID),
        f"GET /video-submissions/{ID}/events",
        [EVENT],
    ),
    _case(
        "say",
        lambda c: c.messages.create(PIECE_ID, SAID),
        f"POST /video-submissions/{PIECE_ID}/messages",
        {"message": MESSAGE, "upload_url": None, "upload_headers": None},
        body={"id": str(ID), "text": "Slower at bar 17.", "page_number": 3},
        status=201,
    ),
    _case(
        "thread",
        lambda c: c.messages.list(PIECE_ID),
        f"GET /video-submissions/{PIECE_ID}/messages",
        [MESSAGE],
    ),
    _case("message", lambda c: c.messages.get(ID), f"GET /messages/{ID}", MESSAGE),
    _case(
        "message_urls",
        lambda c: c.messages.upload_urls(ID, only="video"),
        f"GET /messages/{ID}/upload-url?only=video",
        issued(),
    ),
    _case(
        "message_confirm",
        lambda c: c.messages.confirm(ID, size_bytes=10, sha256="ab" * 32),
        f"POST /messages/{ID}/confirm",
        {"message": MESSAGE, "receipt": receipt()},
        body={"size_bytes": 10, "sha256": "ab" * 32, "thumbnail": False},
    ),
    _case(
        "message_playback",
        lambda c: c.messages.playback(ID),
        f"GET /messages/{ID}/video-url",
        {"video_url": "https://b.example.com/k?s=1", "derivatives": None},
    ),
    _case("read", lambda c: c.messages.mark_read(ID), f"PATCH /messages/{ID}/read", MESSAGE),
    _case(
        "edit",
        lambda c: c.messages.edit(ID, "Much slower."),
        f"PATCH /messages/{ID}",
        MESSAGE,
        body={"text": "Much slower."},
    ),
    _case("unsay", lambda c: c.messages.delete(ID), f"DELETE /messages/{ID}", None, status=204),
    _case(
        "unread",
        lambda c: c.unread(),
        "GET /unread",
        {"total": 2, "by_submission": {str(ID): 2}, "by_student": {"7": 2}},
    ),
    _case(
        "markers",
        lambda c: c.markers.list(ID, include_messages=True),
        f"GET /video-submissions/{ID}/markers?include=messages",
        [MARKER],
    ),
    _case(
        "markers_of_message",
        lambda c: c.markers.list_of_message(ID),
        f"GET /messages/{ID}/markers",
        [MARKER],
    ),
    _case(
        "mark",
        lambda c: c.markers.create(PIECE_ID, POINT),
        f"POST /video-submissions/{PIECE_ID}/markers",
        MARKER,
        body={"timestamp_ms": 23_000, "text": "You speed up.", "client_id": str(ID)},
        status=201,
    ),
    _case(
        "mark_on_message",
        lambda c: c.markers.create_on_message(ID, POINT),
        f"POST /messages/{ID}/markers",
        MARKER,
        body={"timestamp_ms": 23_000, "text": "You speed up.", "client_id": str(ID)},
        status=201,
    ),
    _case(
        "change_marker",
        lambda c: c.markers.update(ID, MarkerChanges(text="Hear it?", end_ms=None)),
        f"PATCH /markers/{ID}",
        MARKER,
        body={"text": "Hear it?", "end_ms": None},
    ),
    _case(
        "settle",
        lambda c: c.markers.set_status(ID, "settled", settled_by=PIECE_ID),
        f"PATCH /markers/{ID}",
        MARKER,
        body={"status": "settled", "settled_by_submission_id": str(PIECE_ID)},
    ),
    _case("unmark", lambda c: c.markers.delete(ID), f"DELETE /markers/{ID}", None, status=204),
    _case(
        "notifications",
        lambda c: list(c.notifications.list(unread=True, limit=900)),
        "GET /notifications?unread=true&limit=500",
        [NOTE],
    ),
    _case(
        "notified",
        lambda c: c.notifications.mark_read("n1"),
        "PATCH /notifications/n1/read",
        NOTE,
    ),
    _case(
        "all_notified",
        lambda c: c.notifications.mark_all_read(),
        "POST /notifications/read-all",
        None,
        status=204,
    ),
    _case("webhooks", lambda c: c.webhooks.list(), "GET /webhooks", [HOOK]),
    _case(
        "add_webhook",
        lambda c: c.webhooks.create(
            "https://hooks.example.org/", event_types={"message.read", "message.created"}
        ),
        "POST /webhooks",
        {**HOOK, "secret": "whsec_c2VjcmV0"},
        body={
            "url": "https://hooks.example.org/",
            "event_types": ["message.created", "message.read"],
        },
        status=201,
    ),
    _case(
        "remove_webhook",
        lambda c: c.webhooks.delete(ID),
        f"DELETE /webhooks/{ID}",
        None,
        status=204,
    ),
    _case("test_webhook", lambda c: c.webhooks.test(ID), f"POST /webhooks/{ID}/test", DELIVERY),
    _case(
        "deliveries",
        lambda c: list(c.webhooks.deliveries(ID)),
        f"GET /webhooks/{ID}/deliveries",
        [DELIVERY],
    ),
    _case(
        "replay",
        lambda c: c.webhooks.replay(ID),
        f"POST /webhooks/deliveries/{ID}/replay",
        DELIVERY,
    ),
    _case(
        "queue",
        lambda c: list(c.review.queue(sort="student", limit=900)),
        "GET /review-queue?sort=student&limit=500",
        [ITEM],
    ),
]


@pytest.mark.parametrize(("call", "line", "reply", "body", "token", "status"), CASES)
def test_one_method_one_request(
    open_client: Callable[..., Any],
    call: Callable[[Any], Any],
    line: str,
    reply: Any,
    body: Any,
    token: bool,
    status: int,
) -> None:
    with respx.mock(assert_all_called=False) as router:
        answer = httpx.Response(status) if reply is None else httpx.Response(status, json=reply)
        route = router.route().mock(return_value=answer)
        found = call(open_client(URL, token="t0ken"))
    request = route.calls.last.request
    path = request.url.raw_path.decode().removeprefix("/v1")
    assert f"{request.method} {path}" == line
    assert request.headers.get("authorization") == ("Bearer t0ken" if token else None)
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["host"] == "api.example.com"
    assert request.headers["user-agent"].startswith("cadenza-client/")
    assert "cookie" not in request.headers
    sent = request.read()
    assert (json.loads(sent) if sent else None) == body
    if body is not None:
        assert request.headers["content-type"] == "application/json"
    if reply is None:
        assert found is None
    elif isinstance(reply, list):
        assert len(found) == 1
    else:
        assert found is not None


def test_null_is_no_teacher_and_no_routine(open_client: Callable[..., Any]) -> None:
    with respx.mock() as router:
        router.get(f"{URL}/users/my-teacher").mock(httpx.Response(200, json=None))
        router.get(f"{URL}/my-current-routine").mock(httpx.Response(204))
        client = open_client(URL, token="t0ken")
        assert client.users.my_teacher() is None
        assert client.routines.current() is None


@pytest.mark.parametrize(
    ("first_bytes", "content_type"),
    [(b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg")],
)
def test_a_pages_kind_is_told_by_its_bytes(
    open_client: Callable[..., Any], tmp_path: Path, first_bytes: bytes, content_type: str
) -> None:
    image = tmp_path / "page.bin"
    image.write_bytes(first_bytes + b"rest")
    with respx.mock() as router:
        route = router.put(f"{URL}/pieces/{PIECE_ID}/pages/3", params={"measure_start": "17"}).mock(
            httpx.Response(200, json={"page_number": 3, "width": 10, "height": 20})
        )
        page = open_client(URL, token="t0ken").pieces.put_page(PIECE_ID, 3, image, measure_start=17)
    request = route.calls.last.request
    assert request.headers["content-type"] == content_type
    assert request.read() == first_bytes + b"rest"
    assert page.page_number == 3


def test_an_id_is_one_segment_whatever_is_in_it(open_client: Callable[..., Any]) -> None:
    with respx.mock() as router:
        route = router.route().mock(httpx.Response(200, json=v2()))
        open_client(URL, token="t0ken").submissions.get("../../auth/me?x=1#y")
    assert route.calls.last.request.url.raw_path == (
        b"/v1/video-submissions/..%2F..%2Fauth%2Fme%3Fx%3D1%23y"
    )


def test_a_capture_time_goes_out_as_swift_reads_it(open_client: Callable[..., Any]) -> None:
    captured = datetime.fromisoformat("2026-11-20T19:04:05.75+02:00")
    new = NewSubmission(id=ID, piece_id=PIECE_ID, duration_seconds=45, captured_at=captured)
    with respx.mock() as router:
        route = router.post(f"{URL}/video-submissions").mock(
            httpx.Response(201, json={"submission": v2()})
        )
        ticket = open_client(URL, token="t0ken").submissions.create(new)
    assert json.loads(route.calls.last.request.read())["captured_at"] == "2026-11-20T17:04:05Z"
    assert ticket.video is None
    assert ticket.thumbnail is None


# ── pages ──────────────────────────────────────────────────────────────────────────────────────


def _paged(router: respx.MockRouter) -> respx.Route:
    def reply(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("cursor", "0"))
        link = f'<{URL}/video-submissions?cursor={number + 1}>; rel="next"'
        headers = {"Link": link} if number < 2 else {}
        return httpx.Response(200, json=[v2(), v2()], headers=headers)

    return router.get(url__startswith=f"{URL}/video-submissions").mock(side_effect=reply)


def test_a_list_is_fetched_page_after_page(open_client: Callable[..., Any]) -> None:
    with respx.mock() as router:
        route = _paged(router)
        assert len(list(open_client(URL, token="t0ken").submissions.list())) == 6
        assert route.call_count == 3
        assert route.calls.last.request.headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(
    ("limit", "items", "requests"), [(0, 0, 0), (1, 1, 1), (2, 2, 1), (3, 3, 2)]
)
def test_no_page_is_fetched_that_nobody_asked_for(
    open_client: Callable[..., Any], limit: int, items: int, requests: int
) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("cursor", "0"))
        link = f'</v1/review-queue?cursor={number + 1}>; rel="next"'
        return httpx.Response(200, json=[ITEM, ITEM], headers={"Link": link})

    with respx.mock(assert_all_called=False) as router:
        route = router.get(url__startswith=f"{URL}/review-queue").mock(side_effect=reply)
        found = list(open_client(URL, token="t0ken").review.queue(limit=limit))
        assert (len(found), route.call_count) == (items, requests)


def test_pages_that_go_round_in_circles_are_an_error(open_client: Callable[..., Any]) -> None:
    from cadenza_client import ResponseError

    with respx.mock() as router:
        link = f'<{URL}/pieces?cursor=1>; rel="next"'
        router.get(url__startswith=f"{URL}/pieces").mock(
            httpx.Response(200, json=[PIECE], headers={"Link": link})
        )
        with pytest.raises(ResponseError, match="circles"):
            list(open_client(URL, token="t0ken").pieces.list())


# ── the thread ─────────────────────────────────────────────────────────────────────────────────


def test_a_message_made_here_has_an_id_and_another_has_another() -> None:
    assert NewMessage(text="a").id != NewMessage(text="a").id
    assert (
        NewMarker(timestamp_ms=1, text="a").client_id
        != NewMarker(timestamp_ms=1, text="a").client_id
    )


def test_a_message_with_a_video_says_where_to_send_it(open_client: Callable[..., Any]) -> None:
    on_its_way = {**MESSAGE, "media_state": "awaiting_upload", "video_s3_key": "x.mp4"}
    # A WebM goes to another key than the one the message will have.
    url = f"https://b.example.com/videos/1/messages/{ID}.source.webm?s=1"
    with respx.mock() as router:
        router.post(f"{URL}/video-submissions/{PIECE_ID}/messages").mock(
            httpx.Response(201, json={"message": on_its_way, **issued(upload_url=url)})
        )
        ticket = open_client(URL, token="t0ken").messages.create(
            PIECE_ID, NewMessage(id=ID, include_video=True, video_duration_seconds=15)
        )
    assert ticket.message.has_video
    assert ticket.video.url == url
    assert ticket.video.expires_in == 900
    assert ticket.thumbnail is not None
    assert ticket.received_at_monotonic > 0


def test_a_url_for_another_message_is_refused(open_client: Callable[..., Any]) -> None:
    with respx.mock() as router:
        router.get(f"{URL}/messages/{PIECE_ID}/upload-url").mock(httpx.Response(200, json=issued()))
        with pytest.raises(UnsafeUploadUrlError):
            open_client(URL, token="t0ken").messages.upload_urls(PIECE_ID)


@pytest.mark.parametrize("message", [None, {**MESSAGE, "id": str(PIECE_ID)}])
def test_an_answer_about_no_message_or_another_is_not_believed(
    open_client: Callable[..., Any], message: Any
) -> None:
    with respx.mock() as router:
        router.post(f"{URL}/video-submissions/{PIECE_ID}/messages").mock(
            httpx.Response(201, json={"message": message})
        )
        with pytest.raises(ResponseError):
            open_client(URL, token="t0ken").messages.create(PIECE_ID, SAID)


def test_a_lost_answer_is_asked_for_again_with_the_same_id(
    open_client: Callable[..., Any],
) -> None:
    with respx.mock() as router:
        route = router.post(f"{URL}/video-submissions/{PIECE_ID}/messages").mock(
            side_effect=[httpx.ReadError("cut"), httpx.Response(200, json={"message": MESSAGE})]
        )
        client = open_client(URL, token="t0ken", retry=RetryPolicy(attempts=2))
        assert client.messages.create(PIECE_ID, SAID).message.id == ID
    assert len({call.request.read() for call in route.calls}) == 1


def test_another_message_under_that_id_is_a_conflict(open_client: Callable[..., Any]) -> None:
    with respx.mock() as router:
        router.post(f"{URL}/video-submissions/{PIECE_ID}/messages").mock(
            httpx.Response(409, json={"detail": "taken", "code": "id_conflict"})
        )
        with pytest.raises(IdConflictError):
            open_client(URL, token="t0ken").messages.create(PIECE_ID, SAID)


@pytest.mark.parametrize(
    ("form", "kind"),
    [("vtt", "text/vtt"), ("csv", "text/csv"), ("json", "application/json")],
)
def test_markers_are_exported_as_text(
    open_client: Callable[..., Any], form: str, kind: str
) -> None:
    text = '["Bourrée"]'
    with respx.mock() as router:
        route = router.get(f"{URL}/video-submissions/{ID}/markers.{form}").mock(
            httpx.Response(200, content=text.encode(), headers={"Content-Type": kind})
        )
        assert open_client(URL, token="t0ken").markers.export(ID, form) == text
    assert route.calls.last.request.headers["accept"] == kind


@pytest.mark.parametrize(
    ("body", "kind"), [(b"WEBVTT", "text/plain"), (b"\xff", "text/vtt"), (b"", "")]
)
def test_an_export_of_another_kind_is_not_believed(
    open_client: Callable[..., Any], body: bytes, kind: str
) -> None:
    with respx.mock() as router:
        router.get(f"{URL}/video-submissions/{ID}/markers.vtt").mock(
            httpx.Response(200, content=body, headers={"Content-Type": kind})
        )
        with pytest.raises(ResponseError):
            open_client(URL, token="t0ken").markers.export(ID, "vtt")


def test_a_secret_shows_in_no_repr(open_client: Callable[..., Any]) -> None:
    with respx.mock() as router:
        router.post(f"{URL}/webhooks").mock(
            httpx.Response(201, json={**HOOK, "secret": "whsec_c2VjcmV0"})
        )
        hook = open_client(URL, token="t0ken").webhooks.create("https://hooks.example.org/")
    assert hook.secret == "whsec_c2VjcmV0"
    assert "c2VjcmV0" not in repr(hook)
    assert hook.event_types == ()
