"""Upload URLs: given while there is something to upload, to its owner, and not after (B-24)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from tests.server.world import JPEG, MP4, World, declared, facts

OTHER = MP4 + b"another take"


def _url(world: World, submission_id: str, only: str | None = None) -> dict[str, object]:
    path = f"/video-submissions/{submission_id}/upload-url"
    params = {"only": only} if only else {}
    return dict(world.ask("student", "GET", path, params=params).json())


def test_fresh_urls_work_after_the_first_ones_expired(world: World) -> None:
    answer = world.create(**declared(MP4))
    world.clock.advance(seconds=3600)
    assert world.put(answer, MP4).status_code == 403

    fresh = _url(world, answer["submission"]["id"])

    assert fresh["expires_in"] == 3600
    assert world.put(fresh, MP4).status_code == 200


def test_the_lifetime_is_a_setting(make_world: Callable[..., World]) -> None:
    world = make_world(upload_url_expires_seconds=60)
    answer = world.create()

    assert answer["expires_in"] == 60
    world.clock.advance(seconds=59)
    assert world.put(answer, MP4).status_code == 200
    world.clock.advance(seconds=1)
    assert world.put(answer, MP4).status_code == 403


def test_one_half_can_be_asked_for_alone(world: World) -> None:
    submission_id = world.create()["submission"]["id"]

    video, thumbnail = _url(world, submission_id, "video"), _url(world, submission_id, "thumbnail")

    assert video["upload_url"] is not None
    assert video["thumbnail_upload_url"] is video["thumbnail_upload_headers"] is None
    assert thumbnail["upload_url"] is thumbnail["upload_headers"] is None
    assert thumbnail["thumbnail_upload_url"] is not None
    assert _url(world, submission_id, "everything")["code"] == "invalid"


def test_no_url_after_the_confirm_and_none_of_the_old_ones_overwrites(world: World) -> None:
    answer = world.create(**declared(MP4))
    submission_id = answer["submission"]["id"]
    world.put(answer, MP4)
    world.confirm(submission_id, **facts(MP4))

    refused = world.ask("student", "GET", f"/video-submissions/{submission_id}/upload-url")
    overwrite = world.put(answer, MP4)

    assert (refused.status_code, refused.json()["code"]) == (409, "already_uploaded")
    assert overwrite.status_code == 412
    assert "<Code>PreconditionFailed</Code>" in overwrite.text


def test_a_missing_thumbnail_may_follow_a_confirmed_video(world: World) -> None:
    submission_id = world.uploaded()

    fresh = _url(world, submission_id, "thumbnail")

    assert world.put(fresh, JPEG, "thumbnail").status_code == 200
    assert world.confirm(submission_id, thumbnail=True).json()["submission"]["thumbnail_s3_key"]
    assert _url(world, submission_id, "thumbnail")["code"] == "already_uploaded"
    assert _url(world, submission_id, "video")["code"] == "already_uploaded"


def test_a_v1_client_may_send_again_until_the_review(world: World) -> None:
    submission_id = world.uploaded_v1()
    playback = f"/video-submissions/{submission_id}/video-url"
    world.ask("teacher", "GET", playback)

    world.put(_url(world, submission_id), OTHER)
    url = world.ask("teacher", "GET", playback).json()["video_url"]
    assert world.http.get(url).content == OTHER
    world.ask("teacher", "PATCH", f"/video-submissions/{submission_id}/reviewed")

    assert _url(world, submission_id)["code"] == "already_uploaded"
    world.ask("teacher", "DELETE", f"/video-submissions/{submission_id}/reviewed")
    assert "upload_url" in _url(world, submission_id)


def test_a_v1_client_that_confirms_is_done_at_once(world: World) -> None:
    submission_id = world.uploaded_v1()
    world.confirm(submission_id)

    assert _url(world, submission_id)["code"] == "already_uploaded"


def test_a_take_that_was_reviewed_before_it_arrived_can_still_arrive(world: World) -> None:
    answer = world.create(**declared(MP4))
    submission_id = answer["submission"]["id"]
    world.ask("teacher", "PATCH", f"/video-submissions/{submission_id}/reviewed")

    fresh = _url(world, submission_id)

    assert world.put(fresh, MP4).status_code == 200
    assert world.confirm(submission_id, **facts(MP4)).status_code == 200


def test_urls_are_for_the_owner_alone_and_written_down(world: World) -> None:
    submission_id = world.create()["submission"]["id"]
    path = f"/video-submissions/{submission_id}/upload-url"

    for stranger in ("teacher", "other_student", "admin"):
        assert world.ask(stranger, "GET", path).status_code == 403, stranger
    _url(world, submission_id, "video")

    assert world.event_names(submission_id) == ["created", "urls_issued", "urls_issued"]


def test_the_public_url_is_what_clients_are_sent_to(make_world: Callable[..., World]) -> None:
    world = make_world(public_url="https://cadenza.example/app/")
    answer = world.create()

    parts = urlsplit(answer["upload_url"])

    assert f"{parts.scheme}://{parts.netloc}" == "https://cadenza.example"
    assert parts.path.startswith("/app/storage/dev/cadenza/videos/")
    assert set(parse_qs(parts.query)) == {"exp", "kid", "sig", "signed"}


def test_a_v1_url_that_outlives_the_review_replaces_nothing(world: World) -> None:
    # No condition could be signed into it; the store itself knows that these bytes are settled.
    answer = world.create()
    submission_id = answer["submission"]["id"]
    world.put(answer, MP4)
    world.put(answer, JPEG, "thumbnail")
    assert world.put(answer, MP4).status_code == 200, "an honest repeat"
    world.ask("teacher", "PATCH", f"/video-submissions/{submission_id}/reviewed")

    overwrite = world.put(answer, OTHER)
    thumbnail = world.put(answer, JPEG + b"other", "thumbnail")

    assert (overwrite.status_code, thumbnail.status_code) == (412, 412)
    playback = world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url").json()
    assert world.http.get(playback["video_url"]).content == MP4
    assert world.http.get(playback["thumbnail_url"]).content == JPEG


def test_nor_one_that_outlives_the_confirm(world: World) -> None:
    answer = world.create()
    world.put(answer, MP4)
    world.confirm(answer["submission"]["id"], **facts(MP4))

    assert world.put(answer, OTHER).status_code == 412
