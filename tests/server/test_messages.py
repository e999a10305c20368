"""The thread of a submission (PR2): who writes, what repeats do, what the other side sees."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cadenza_server.serving import RunningServer
from cadenza_server.tables import MediaAsset, User
from tests.server.talk import (
    code,
    confirm,
    last_seq,
    mark,
    post,
    say,
    send_video,
    statements_of,
    thread,
    told,
    video,
)
from tests.server.world import JPEG, MP4, World, declared, facts

OTHER_MP4 = MP4 + b"other"


@pytest.fixture
def take(world: World) -> str:
    """A take that has arrived."""
    return world.uploaded()


# ── writing ────────────────────────────────────────────────────────────────────


def test_both_sides_write_and_read_the_same_thread(world: World, take: str) -> None:
    first = say(world, "student", take, "Is bar 17 too fast?", measure_number=17)
    world.clock.advance(minutes=1)
    second = say(world, "teacher", take, "A little.", page_number=3)

    assert [message["text"] for message in thread(world, "student", take)] == [
        "Is bar 17 too fast?",
        "A little.",
    ]
    assert first == {
        "id": first["id"],
        "submission_id": take,
        "sender_id": world.people["student"],
        "sender_name": "Student",
        "text": "Is bar 17 too fast?",
        "video_s3_key": None,
        "video_duration_seconds": None,
        "thumbnail_s3_key": None,
        "thumbnail_url": None,
        "media_state": None,
        "derivatives": [],
        "page_number": None,
        "measure_number": 17,
        "marker_id": None,
        "created_at": "2026-11-20T17:00:00Z",
        "edited_at": None,
        "deleted_at": None,
        "read_at": None,
        "is_own": True,
    }
    assert second["page_number"] == 3
    assert [message["is_own"] for message in thread(world, "student", take)] == [True, False]
    assert world.ask("teacher", "GET", f"/messages/{first['id']}").json()["is_own"] is False


def test_a_text_needs_no_upload(world: World, take: str) -> None:
    answer = post(world, "teacher", take, text="Well done.").json()

    assert answer["upload_url"] is answer["thumbnail_upload_url"] is None
    assert answer["upload_headers"] is None
    assert answer["expires_in"] == 3600


@pytest.mark.parametrize("who", ["other_student", "second_student", "other_teacher", "admin"])
def test_nobody_else_writes(world: World, take: str, who: str) -> None:
    assert code(post(world, who, take, text="Hello")) == (403, "forbidden")
    assert thread(world, "student", take) == []


def test_the_studios_admin_reads_and_does_nothing_else(world: World, take: str) -> None:
    message = send_video(world, "teacher", take, text="Look.")
    path = f"/messages/{message['id']}"

    assert len(thread(world, "admin", take)) == 1
    assert world.ask("admin", "GET", path).status_code == 200
    assert world.ask("admin", "GET", f"{path}/video-url").status_code == 200
    for method, action, body in (
        ("PATCH", "/read", None),
        ("PATCH", "", {"text": "x"}),
        ("DELETE", "", None),
        ("POST", "/confirm", {}),
        ("GET", "/upload-url", None),
    ):
        response = world.ask("admin", method, path + action, json=body)
        assert code(response) == (403, "forbidden"), action


def test_a_former_teacher_is_out_of_the_thread(world: World, take: str) -> None:
    message = say(world, "teacher", take)
    world.ask("student", "DELETE", "/users/remove-teacher")

    assert code(post(world, "teacher", take, text="Still here")) == (403, "forbidden")
    for method, path in (
        ("GET", f"/video-submissions/{take}/messages"),
        ("GET", f"/messages/{message['id']}"),
        ("PATCH", f"/messages/{message['id']}"),
        ("DELETE", f"/messages/{message['id']}"),
    ):
        assert code(world.ask("teacher", method, path, json={"text": "x"})) == (403, "forbidden")
    assert [m["text"] for m in thread(world, "student", take)] == ["Hm."]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (422, "content_required")),
        ({"text": " \n "}, (422, "content_required")),
        ({"text": "x" * 5001}, (422, "invalid")),
        ({"text": "a\x00b"}, (422, "invalid")),
        ({"include_video": True}, (422, "video_duration_required")),
        ({"include_video": True, "video_duration_seconds": 0}, (422, "duration_out_of_range")),
        ({"include_video": True, "video_duration_seconds": 181}, (422, "duration_out_of_range")),
        (video(width=1920, height=1080), (422, "resolution_exceeded")),
        (video(size_bytes=250_000_001), (413, "too_large")),
        (video(content_type="video/x-msvideo"), (422, "invalid")),
        ({"text": "x", "id": "7"}, (422, "invalid_id")),
        ({"text": "x", "marker_id": str(uuid4())}, (404, "not_found")),
        ({"text": "x", "page_number": 0}, (422, "invalid")),
        ({"text": "x", "include_video": "no"}, (422, "invalid")),
        ({"text": "x", "include_video": 1}, (422, "invalid")),
        # Nobody makes an MP4 of it here.
        (video(content_type="video/webm"), (415, "unsupported_media")),
    ],
)
def test_what_is_refused(
    world: World, take: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert code(post(world, "student", take, **body)) == expected
    assert thread(world, "student", take) == []


def test_a_feature_that_is_off_stops_videos_and_no_words(world: World, take: str) -> None:
    with world.services.db.writing() as session:
        user = session.get(User, world.people["student"])
        assert user is not None
        user.features = {"video_submissions": False}

    assert code(post(world, "student", take, **video())) == (403, "feature_disabled")
    assert post(world, "student", take, text="only words").status_code == 201


def test_an_answer_may_name_the_marker_it_answers(world: World, take: str) -> None:
    marker = mark(world, "student", take, 1000, "Which finger?")
    elsewhere = mark(world, "student", world.uploaded(), 1000, "Which finger?")

    message = say(world, "teacher", take, "The third.", marker_id=marker["id"])

    assert message["marker_id"] == marker["id"]
    refused = post(world, "teacher", take, text="No", marker_id=elsewhere["id"])
    assert code(refused) == (404, "not_found")
    assert refused.json()["fields"] == {"marker_id": "not found"}


def test_an_unknown_thread_and_a_deleted_one(world: World, take: str) -> None:
    message = say(world, "student", take)
    assert code(post(world, "student", str(uuid4()), text="x")) == (404, "not_found")
    assert code(world.ask("student", "GET", f"/messages/{uuid4()}")) == (404, "not_found")
    assert code(world.ask("student", "PATCH", f"/messages/{uuid4()}/read")) == (404, "not_found")

    world.ask("student", "DELETE", f"/video-submissions/{take}")

    gone = (410, "submission_deleted")
    assert code(post(world, "student", take, text="x")) == gone
    for method, path in (
        ("GET", f"/video-submissions/{take}/messages"),
        ("GET", f"/messages/{message['id']}"),
        ("PATCH", f"/messages/{message['id']}/read"),
        ("PATCH", f"/messages/{message['id']}"),
        ("DELETE", f"/messages/{message['id']}"),
    ):
        assert code(world.ask("teacher", method, path, json={"text": "x"})) == gone


def test_the_videos_of_a_deleted_thread_leave_the_store(world: World, take: str) -> None:
    message = send_video(world, "teacher", take)
    kept = send_video(world, "teacher", take)
    with world.services.db.writing() as session:
        asset = session.get(MediaAsset, _uuid(kept["id"]))
        assert asset is not None
        asset.hold = True
    store = world.services.storage_at("http://cadenza.test")

    assert world.ask("student", "DELETE", f"/video-submissions/{take}").status_code == 204

    assert store.head(message["video_s3_key"]) is None
    assert store.head(kept["video_s3_key"]) is not None


# ── repeats (B-19) ─────────────────────────────────────────────────────────────


def test_the_same_request_again_is_the_same_message(world: World, take: str) -> None:
    body = video(text="Listen.")
    first = post(world, "teacher", take, **body)
    world.clock.advance(minutes=5)

    again = post(world, "teacher", take, **body)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["message"] == first.json()["message"]
    assert again.json()["upload_url"]
    assert len(thread(world, "teacher", take)) == 1
    assert told(world)[-1][0] == "message.created"
    assert [name for name, _ in told(world)].count("message.created") == 1


def test_a_repeat_after_the_confirm_has_nothing_left_to_upload(world: World, take: str) -> None:
    body = video(thumbnail_size_bytes=len(JPEG))
    answer = post(world, "teacher", take, **body).json()
    world.put(answer, MP4)
    world.put(answer, JPEG, "thumbnail")
    confirm(world, "teacher", answer["message"]["id"], thumbnail=True)
    before = world.event_names(take)

    again = post(world, "teacher", take, **body)

    assert again.status_code == 200
    assert again.json()["message"]["media_state"] == "uploaded"
    assert again.json()["upload_url"] is again.json()["thumbnail_upload_url"] is None
    assert world.event_names(take) == before


def test_an_id_is_one_thing_for_ever(world: World, take: str) -> None:
    body = {"id": str(uuid4()), "text": "One."}
    say(world, "student", take, **body)
    elsewhere = world.uploaded()
    conflict = (409, "id_conflict")

    assert code(post(world, "student", take, **{**body, "text": "Two."})) == conflict
    assert code(post(world, "teacher", take, **body)) == conflict
    assert code(post(world, "student", elsewhere, **body)) == conflict
    assert code(post(world, "student", take, **video(id=take))) == conflict
    sent = send_video(world, "student", take)
    response = world.ask("student", "POST", "/video-submissions", json=world.take(id=sent["id"]))
    assert code(response) == conflict


def test_a_message_that_was_deleted_is_not_sent_again(world: World, take: str) -> None:
    body = video(text="Oh.")
    message = post(world, "student", take, **body).json()["message"]
    world.ask("student", "DELETE", f"/messages/{message['id']}")

    again = post(world, "student", take, **body)

    assert again.status_code == 200
    assert again.json()["message"]["deleted_at"] is not None
    assert again.json()["upload_url"] is None


def test_a_double_create_over_the_wire_is_one_message(world: World, running: RunningServer) -> None:
    take = world.uploaded()
    body = {"id": str(uuid4()), "text": "Twice at once."}
    headers = {"Authorization": f"Bearer dev_token_user_{world.people['student']}"}

    def send(_: int) -> int:
        with httpx.Client(base_url=running.url, headers=headers) as client:
            return client.post(f"/video-submissions/{take}/messages", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(send, range(8)))

    assert statuses == [200] * 7 + [201]
    assert len(thread(world, "teacher", take)) == 1


# ── video messages: the life of a take (§2.5) ──────────────────────────────────


def test_a_video_message_from_announcement_to_playback(world: World, take: str) -> None:
    answer = post(world, "teacher", take, **video(thumbnail_size_bytes=len(JPEG))).json()
    message = answer["message"]
    sender = world.people["teacher"]
    assert message["video_s3_key"] == (f"dev/cadenza/videos/{sender}/messages/{message['id']}.mp4")
    assert message["media_state"] == "awaiting_upload"
    assert answer["upload_headers"]["Content-Length"] == str(len(MP4))
    assert world.put(answer, MP4).status_code == 200
    assert world.put(answer, JPEG, "thumbnail").status_code == 200

    confirmed = confirm(world, "teacher", message["id"], **facts(MP4), thumbnail=True).json()

    assert confirmed["receipt"]["asset_id"] == message["id"]
    assert confirmed["receipt"]["verified"] == "sha256"
    assert confirmed["message"]["media_state"] == "uploaded"
    seen = thread(world, "student", take)[0]
    assert seen["thumbnail_s3_key"].endswith(f"messages/{message['id']}_thumb.jpg")
    assert world.http.get(seen["thumbnail_url"]).content == JPEG
    urls = world.ask("student", "GET", f"/messages/{message['id']}/video-url").json()
    assert world.http.get(urls["video_url"]).content == MP4
    kept = world.ask("student", "GET", f"/messages/{message['id']}/video-url?download=true")
    disposition = world.http.get(kept.json()["video_url"]).headers["content-disposition"]
    assert "2026-11-20-Bourr" in disposition
    assert "reply.mp4" in disposition


def test_the_thread_has_the_messages_audit_trail(world: World, take: str) -> None:
    before = len(world.event_names(take))
    message = send_video(world, "teacher", take)
    world.ask("student", "GET", f"/messages/{message['id']}/video-url")

    lines = world.ask("student", "GET", f"/video-submissions/{take}/events").json()[before:]

    assert [line["event"] for line in lines] == [
        "created",
        "urls_issued",
        "confirmed",
        "playback_url_issued",
    ]
    assert {line["asset_id"] for line in lines} == {message["id"]}
    assert {line["submission_id"] for line in lines} == {take}


@pytest.mark.parametrize(
    ("announced", "claimed", "expected"),
    [
        (OTHER_MP4, {}, (409, "size_mismatch")),
        (b"", facts(OTHER_MP4), (409, "size_mismatch")),
        (b"", {"sha256": "0" * 64}, (409, "checksum_mismatch")),
    ],
)
def test_a_video_that_is_not_what_was_said_gets_no_receipt(
    world: World, take: str, announced: bytes, claimed: dict[str, Any], expected: tuple[int, str]
) -> None:
    said = declared(announced) if announced else {"id": str(uuid4())}
    body = {"include_video": True, "video_duration_seconds": 5, **said}
    message_id = post(world, "teacher", take, **body).json()["message"]["id"]
    # Past the signature, as a store without checksums would take it.
    key = f"dev/cadenza/videos/{world.people['teacher']}/messages/{message_id}.mp4"
    world.services.storage_at("http://cadenza.test").put(key, MP4, "video/mp4")

    assert code(confirm(world, "teacher", message_id, **claimed)) == expected
    assert thread(world, "student", take) == []


def test_what_is_no_video_is_refused_and_can_be_replaced(world: World, take: str) -> None:
    answer = post(world, "teacher", take, include_video=True, video_duration_seconds=5).json()
    message_id = answer["message"]["id"]
    world.put(answer, b"no video at all")
    assert code(confirm(world, "teacher", message_id)) == (415, "unsupported_media")

    fresh = world.ask("teacher", "GET", f"/messages/{message_id}/upload-url?only=video").json()
    assert fresh["thumbnail_upload_url"] is None
    assert world.put(fresh, MP4).status_code == 200

    assert confirm(world, "teacher", message_id).status_code == 200


def test_confirm_is_repeatable_and_seals_the_object(world: World, take: str) -> None:
    answer = post(world, "teacher", take, include_video=True, video_duration_seconds=5).json()
    message_id = answer["message"]["id"]
    assert code(confirm(world, "teacher", message_id)) == (409, "not_uploaded_yet")
    world.put(answer, MP4)
    first = confirm(world, "teacher", message_id).json()
    world.clock.advance(minutes=1)

    assert confirm(world, "teacher", message_id).json() == first
    # A URL that is still alive changes nothing any more, though nothing was declared (SEC-08).
    assert world.put(answer, OTHER_MP4).status_code == 412
    again = world.ask("teacher", "GET", f"/messages/{message_id}/upload-url")
    assert code(again) == (409, "already_uploaded")


def test_only_the_sender_uploads_and_confirms(world: World, take: str) -> None:
    answer = post(world, "teacher", take, **video(text="On its way.")).json()
    message_id = answer["message"]["id"]
    world.put(answer, MP4)

    assert code(confirm(world, "student", message_id)) == (403, "forbidden")
    urls = world.ask("student", "GET", f"/messages/{message_id}/upload-url")
    assert code(urls) == (403, "forbidden")


def test_a_message_without_video_has_none(world: World, take: str) -> None:
    message_id = say(world, "teacher", take)["id"]

    for method, path in (
        ("GET", "video-url"),
        ("GET", "upload-url"),
        ("POST", "confirm"),
    ):
        response = world.ask("teacher", method, f"/messages/{message_id}/{path}")
        assert code(response) == (404, "no_video"), path


def test_a_video_on_its_way_is_its_senders_alone(world: World, take: str) -> None:
    answer = post(world, "teacher", take, **video()).json()
    message_id = answer["message"]["id"]

    assert len(thread(world, "teacher", take)) == 1
    assert thread(world, "student", take) == thread(world, "admin", take) == []
    for method, path in (("GET", ""), ("GET", "/video-url"), ("PATCH", "/read")):
        response = world.ask("student", method, f"/messages/{message_id}{path}")
        assert code(response) == (404, "not_found"), path
    own = world.ask("teacher", "GET", f"/messages/{message_id}/video-url")
    assert code(own) == (409, "not_uploaded_yet")
    assert _unread(world, "student") == 0


def test_words_do_not_wait_for_their_video(world: World, take: str) -> None:
    post(world, "teacher", take, **video(text="The video is on its way."))

    [message] = thread(world, "student", take)

    assert message["text"] == "The video is on its way."
    assert message["media_state"] == "awaiting_upload"
    playing = world.ask("student", "GET", f"/messages/{message['id']}/video-url")
    assert code(playing) == (409, "not_uploaded_yet")
    assert _unread(world, "student") == 1


@pytest.mark.parametrize("look", ["list", "one", "watch"])
def test_a_video_that_nobody_confirmed_is_found_by_whoever_looks(
    world: World, take: str, look: str
) -> None:
    body = {"include_video": True, "video_duration_seconds": 5}
    answer = post(world, "teacher", take, **body).json()
    message_id = answer["message"]["id"]
    world.put(answer, MP4)
    seq = last_seq(world)
    path = {
        "list": f"/video-submissions/{take}/messages",
        "one": f"/messages/{message_id}",
        "watch": f"/messages/{message_id}/video-url",
    }[look]

    assert world.ask("other_student", "GET", path).status_code == 403
    assert told(world, seq) == []  # whom it does not concern, changes nothing
    assert world.ask("student", "GET", path).status_code == 200

    assert [m["media_state"] for m in thread(world, "student", take)] == ["uploaded"]
    assert [name for name, _ in told(world, seq)] == ["message.created"]


# ── read and unread (trailer #5: one's own are never unread) ───────────────────


def _unread(world: World, who: str) -> int:
    return int(world.ask(who, "GET", "/unread").json()["total"])


def test_what_the_other_side_wrote_is_unread_until_it_is_read(world: World, take: str) -> None:
    message = say(world, "teacher", take)
    say(world, "student", take)
    student = str(world.people["student"])
    assert world.ask("student", "GET", "/unread").json() == {
        "total": 1,
        "by_submission": {take: 1},
        "by_student": {student: 1},
    }
    thread(world, "student", take)
    world.ask("student", "GET", f"/messages/{message['id']}")
    assert _unread(world, "student") == 1  # to look at a list is not to read
    world.clock.advance(minutes=1)

    read = world.ask("student", "PATCH", f"/messages/{message['id']}/read").json()
    world.clock.advance(minutes=1)
    again = world.ask("student", "PATCH", f"/messages/{message['id']}/read").json()

    assert read["read_at"] == again["read_at"] == "2026-11-20T17:01:00Z"
    assert thread(world, "teacher", take)[0]["read_at"] == "2026-11-20T17:01:00Z"
    assert _unread(world, "student") == 0
    assert world.ask("teacher", "GET", "/unread").json()["by_student"] == {student: 1}
    assert _unread(world, "admin") == _unread(world, "other_teacher") == 0


def test_to_read_ones_own_is_nothing(world: World, take: str) -> None:
    message = say(world, "teacher", take)
    seq = last_seq(world)

    response = world.ask("teacher", "PATCH", f"/messages/{message['id']}/read")

    assert response.status_code == 200
    assert response.json()["read_at"] is None
    assert told(world, seq) == []


def test_a_submission_says_how_much_of_it_is_unread(world: World, take: str) -> None:
    quiet = world.uploaded()
    say(world, "student", take)
    say(world, "student", take)
    deleted = say(world, "student", take)
    world.ask("student", "DELETE", f"/messages/{deleted['id']}")
    list_path = f"/students/{world.people['student']}/video-submissions"

    by_id = {row["id"]: row for row in world.ask("teacher", "GET", list_path).json()}

    assert by_id[take]["unread_count"] == 2
    assert by_id[quiet]["unread_count"] == 0
    one = world.ask("teacher", "GET", f"/video-submissions/{take}").json()
    assert one["unread_count"] == 2
    own = world.ask("student", "GET", f"/video-submissions/{take}").json()
    assert own["unread_count"] == 0


def test_a_new_teacher_starts_without_the_letters_to_the_old_one(world: World, take: str) -> None:
    say(world, "student", take)
    world.clock.advance(minutes=1)
    params = {"teacher_email": "other_teacher@studio.example", "share_history": True}
    world.ask("student", "POST", "/users/set-teacher", params=params)
    world.clock.advance(minutes=1)
    assert (_unread(world, "teacher"), _unread(world, "other_teacher")) == (0, 0)

    say(world, "student", take)

    assert (_unread(world, "teacher"), _unread(world, "other_teacher")) == (0, 1)
    assert len(thread(world, "other_teacher", take)) == 2


def test_a_deleted_thread_has_nothing_unread(world: World, take: str) -> None:
    say(world, "student", take)
    world.ask("student", "DELETE", f"/video-submissions/{take}")

    assert _unread(world, "teacher") == 0


# ── editing and deleting ───────────────────────────────────────────────────────


def test_words_can_be_changed_for_15_minutes(world: World, take: str) -> None:
    message = say(world, "teacher", take, "Bar 16")
    path = f"/messages/{message['id']}"
    world.clock.advance(minutes=15)

    edited = world.ask("teacher", "PATCH", path, json={"text": "Bar 17"})
    world.clock.advance(seconds=1)
    late = world.ask("teacher", "PATCH", path, json={"text": "Bar 18"})

    assert edited.json()["text"] == "Bar 17"
    assert edited.json()["edited_at"] == "2026-11-20T17:15:00Z"
    assert code(late) == (403, "forbidden")
    assert late.json()["detail"] == "A message can be edited for 15 minutes."
    assert thread(world, "student", take)[0]["text"] == "Bar 17"


def test_an_edit_that_changes_nothing_is_none(world: World, take: str) -> None:
    message = say(world, "teacher", take, "Bar 16")
    seq = last_seq(world)

    same = world.ask("teacher", "PATCH", f"/messages/{message['id']}", json={"text": "Bar 16 "})

    assert same.json()["edited_at"] is None
    assert told(world, seq) == []


def test_an_edit_leaves_something_to_read(world: World, take: str) -> None:
    words = say(world, "teacher", take)
    clip = send_video(world, "teacher", take, text="Look")

    refused = world.ask("teacher", "PATCH", f"/messages/{words['id']}", json={"text": " "})
    wordless = world.ask("teacher", "PATCH", f"/messages/{clip['id']}", json={"text": ""})

    assert code(refused) == (422, "content_required")
    assert wordless.json()["text"] is None
    assert code(world.ask("teacher", "PATCH", f"/messages/{words['id']}", json={})) == (
        422,
        "invalid",
    )


def test_the_other_side_changes_and_deletes_nothing(world: World, take: str) -> None:
    message = say(world, "teacher", take)
    path = f"/messages/{message['id']}"

    assert code(world.ask("student", "PATCH", path, json={"text": "x"})) == (403, "forbidden")
    assert code(world.ask("student", "DELETE", path)) == (403, "forbidden")
    assert thread(world, "student", take)[0]["text"] == "Hm."


def test_a_deleted_message_leaves_a_tombstone(world: World, take: str) -> None:
    message = send_video(world, "teacher", take, text="Oops")
    world.clock.advance(hours=3)
    path = f"/messages/{message['id']}"
    store = world.services.storage_at("http://cadenza.test")

    assert world.ask("teacher", "DELETE", path).status_code == 204
    assert world.ask("teacher", "DELETE", path).status_code == 204

    [tombstone] = thread(world, "student", take)
    assert tombstone["deleted_at"] == "2026-11-20T20:00:00Z"
    for gone in ("text", "video_s3_key", "video_duration_seconds", "media_state"):
        assert tombstone[gone] is None, gone
    assert store.head(message["video_s3_key"]) is None
    assert code(world.ask("student", "GET", f"{path}/video-url")) == (404, "no_video")
    assert code(world.ask("teacher", "PATCH", path, json={"text": "x"})) == (404, "not_found")
    assert _unread(world, "student") == 0


def test_a_video_on_hold_stays(world: World, take: str) -> None:
    message = send_video(world, "teacher", take)
    with world.services.db.writing() as session:
        asset = session.get(MediaAsset, _uuid(message["id"]))
        assert asset is not None
        asset.hold = True

    response = world.ask("teacher", "DELETE", f"/messages/{message['id']}")

    assert code(response) == (423, "held")
    assert thread(world, "student", take)[0]["deleted_at"] is None


# ── events ─────────────────────────────────────────────────────────────────────


def test_both_sides_are_told_of_every_change(world: World, take: str) -> None:
    both = sorted((world.people["student"], world.people["teacher"]))
    seq = last_seq(world)
    message = say(world, "teacher", take)
    world.ask("student", "PATCH", f"/messages/{message['id']}/read")
    world.ask("teacher", "PATCH", f"/messages/{message['id']}", json={"text": "Other."})
    world.ask("teacher", "DELETE", f"/messages/{message['id']}")

    assert told(world, seq) == [
        ("message.created", both),
        ("message.read", both),
        ("message.updated", both),
        ("message.deleted", both),
    ]


def test_a_video_is_told_of_when_it_has_arrived(world: World, take: str) -> None:
    seq = last_seq(world)
    send_video(world, "teacher", take)
    assert [name for name, _ in told(world, seq)] == ["message.created"]

    seq = last_seq(world)
    send_video(world, "teacher", take, text="With words.")
    assert [name for name, _ in told(world, seq)] == ["message.created", "message.updated"]


def test_words_added_to_a_video_on_its_way_are_news(world: World, take: str) -> None:
    answer = post(world, "teacher", take, **video()).json()
    message_id = answer["message"]["id"]
    seq = last_seq(world)

    world.ask("teacher", "PATCH", f"/messages/{message_id}", json={"text": "Soon!"})
    world.put(answer, MP4)
    confirm(world, "teacher", message_id)

    assert [name for name, _ in told(world, seq)] == ["message.created", "message.updated"]


# ── long threads ───────────────────────────────────────────────────────────────


def test_a_thread_in_pages_is_the_thread(world: World, take: str) -> None:
    for number in range(5):
        say(world, "student", take, f"{number}")
        world.clock.advance(seconds=number % 2)
    whole = [message["id"] for message in thread(world, "student", take)]

    paged: list[str] = []
    url = f"/video-submissions/{take}/messages?limit=2"
    while url:
        page = world.ask("student", "GET", url)
        assert page.headers["x-total-count"] == "5"
        paged += [message["id"] for message in page.json()]
        url = page.links.get("next", {}).get("url", "")

    assert paged == whole
    assert len(set(paged)) == 5
    wrong = world.ask("student", "GET", f"/video-submissions/{take}/messages?cursor=x")
    assert code(wrong) == (422, "invalid")


def test_a_long_thread_costs_no_more_statements_than_a_short_one(world: World, take: str) -> None:
    costs = []
    for count in (2, 20):
        for _ in range(count):
            send_video(world, "teacher", take, text="x")
            say(world, "student", take)
        costs.append(statements_of(world, lambda: thread(world, "student", take)))

    assert costs[0] == costs[1]


def test_a_long_list_of_submissions_costs_no_more_statements(world: World) -> None:
    path = f"/students/{world.people['student']}/video-submissions"

    def ask(url: str) -> list[Any]:
        return list(world.ask("teacher", "GET", url).json())

    costs = []
    for count in (2, 30):
        for _ in range(count):
            take = world.uploaded()
            say(world, "student", take)
            mark(world, "student", take)
        costs.append([statements_of(world, partial(ask, url)) for url in (path, "/review-queue")])
        assert len(ask(path)) >= count

    assert costs[0] == costs[1]


def _uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(text)
