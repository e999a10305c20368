"""Confirming: only what is stored counts, and once it counts it stays (B-01, B-02, SEC-08)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cadenza_server.receipts import Receipt, verify_receipt
from tests.server.world import JPEG, MP4, World, declared, facts

OTHER = MP4 + b"another take"


def _state(world: World, submission_id: str) -> dict[str, Any]:
    return dict(world.ask("student", "GET", f"/video-submissions/{submission_id}").json())


# ── eager ──────────────────────────────────────────────────────────────────────


def test_a_confirm_gives_a_receipt_for_exactly_the_stored_bytes(world: World) -> None:
    answer = world.create(**declared(MP4))
    submission_id = answer["submission"]["id"]
    etag = world.put(answer, MP4).headers["etag"]
    world.clock.advance(seconds=11)

    response = world.confirm(submission_id, **facts(MP4))

    assert response.status_code == 200
    receipt = response.json()["receipt"]
    assert receipt | {"signature": ""} == {
        "asset_id": submission_id,
        "s3_key": answer["submission"]["s3_key"],
        **facts(MP4),
        "etag": etag,
        "verified": "sha256",
        "confirmed_at": "2026-11-20T17:00:11Z",
        "key_id": "k1",
        "signature": "",
    }
    assert verify_receipt(world.services.keyring, Receipt.model_validate(receipt))
    submission = response.json()["submission"]
    assert submission["media_state"] == "uploaded"
    assert submission["uploaded_at"] == "2026-11-20T17:00:11Z"
    assert submission["size_bytes"] == len(MP4)


def test_a_repeated_confirm_gives_the_same_receipt(world: World) -> None:
    submission_id = world.uploaded()
    world.clock.advance(hours=3)

    first, second = (world.confirm(submission_id, **facts(MP4)) for _ in range(2))

    assert first.json()["receipt"] == second.json()["receipt"]
    assert first.json()["receipt"]["confirmed_at"] == "2026-11-20T17:00:00Z"
    assert world.event_names(submission_id).count("confirmed") == 1


def test_nothing_stored_is_not_uploaded_yet(world: World) -> None:
    submission_id = world.create(**declared(MP4))["submission"]["id"]

    response = world.confirm(submission_id, **facts(MP4))

    assert (response.status_code, response.json()["code"]) == (409, "not_uploaded_yet")
    assert _state(world, submission_id)["media_state"] == "awaiting_upload"


@pytest.mark.parametrize(
    ("announced", "code"),
    [
        ({"size_bytes": 8_123_456}, "size_mismatch"),
        ({"sha256": "ab" * 32}, "checksum_mismatch"),
    ],
)
def test_other_bytes_than_announced_are_refused_and_may_be_replaced(
    world: World, announced: dict[str, Any], code: str
) -> None:
    answer = world.create()
    submission_id = answer["submission"]["id"]
    world.put(answer, OTHER)

    response = world.confirm(submission_id, **announced)

    assert (response.status_code, response.json()["code"]) == (409, code)
    stored = len(OTHER) if code == "size_mismatch" else facts(OTHER)["sha256"]
    assert response.json()["fields"]["stored"] == stored
    assert _state(world, submission_id)["media_state"] != "ready"
    assert "confirm_refused" in world.event_names(submission_id)
    fresh = world.ask("student", "GET", f"/video-submissions/{submission_id}/upload-url").json()
    assert world.put(fresh, MP4).status_code == 200
    assert world.confirm(submission_id, **facts(MP4)).status_code == 200


def test_a_declared_take_that_was_refused_can_be_sent_again(world: World) -> None:
    # The URL of a declared take forbids overwriting; after a refusal it must not (S09).
    answer = world.create(**declared(MP4))
    submission_id = answer["submission"]["id"]
    world.services.storage_at("").put(answer["submission"]["s3_key"], OTHER, "video/mp4")
    assert world.put(answer, MP4).status_code == 412

    refused = world.confirm(submission_id, **facts(MP4))
    assert refused.json()["code"] == "size_mismatch"
    fresh = world.ask("student", "GET", f"/video-submissions/{submission_id}/upload-url").json()

    assert "If-None-Match" not in fresh["upload_headers"]
    assert world.put(fresh, MP4).status_code == 200
    assert world.confirm(submission_id, **facts(MP4)).status_code == 200


def test_what_was_declared_at_creation_counts_even_if_the_confirm_is_silent(world: World) -> None:
    answer = world.create(**declared(MP4))
    world.services.storage_at("").put(answer["submission"]["s3_key"], OTHER, "video/mp4")

    response = world.confirm(answer["submission"]["id"])

    assert response.json()["code"] == "size_mismatch"


def test_bytes_that_are_no_video_are_refused(world: World) -> None:
    page = b"<html><body>Welcome to the hotel's wireless network</body></html>"
    answer = world.create()
    world.put(answer, page)

    response = world.confirm(answer["submission"]["id"], **facts(page))

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media")


def test_more_bytes_than_the_cap_are_refused(make_world: Callable[..., World]) -> None:
    world = make_world(max_upload_bytes=len(MP4))
    answer = world.create()
    world.services.storage_at("").put(answer["submission"]["s3_key"], OTHER, "video/mp4")

    response = world.confirm(answer["submission"]["id"])

    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert response.json()["fields"] == {"size_bytes": len(OTHER), "max_bytes": len(MP4)}


def test_a_confirm_of_something_else_after_the_fact_is_refused(world: World) -> None:
    submission_id = world.uploaded()

    assert world.confirm(submission_id, size_bytes=1).json()["code"] == "size_mismatch"
    assert world.confirm(submission_id, sha256="ab" * 32).json()["code"] == "checksum_mismatch"
    assert _state(world, submission_id)["media_state"] == "uploaded"


def test_a_confirm_may_say_nothing_at_all(world: World) -> None:
    submission_id = world.uploaded_v1()

    response = world.ask("student", "POST", f"/video-submissions/{submission_id}/confirm")

    assert response.status_code == 200
    assert response.json()["receipt"]["sha256"] == facts(MP4)["sha256"]


def test_only_the_owner_confirms(world: World) -> None:
    submission_id = world.uploaded_v1()

    for stranger in ("teacher", "other_student", "admin"):
        assert world.confirm(submission_id, stranger).status_code == 403, stranger


def test_a_confirm_survives_the_object_being_lost_later(world: World) -> None:
    # The receipt was given; the answer to a repeat can't depend on the disk of today.
    submission_id = world.uploaded()
    world.services.storage_at("").delete(_state(world, submission_id)["s3_key"])

    assert world.confirm(submission_id, **facts(MP4)).status_code == 200


# ── thumbnails ─────────────────────────────────────────────────────────────────


def test_the_thumbnail_is_shown_once_it_is_stored(world: World) -> None:
    answer = world.create(**declared(MP4))
    submission_id = answer["submission"]["id"]
    world.put(answer, MP4)
    world.put(answer, JPEG, "thumbnail")

    before = world.confirm(submission_id, **facts(MP4)).json()["submission"]
    after = world.confirm(submission_id, **facts(MP4), thumbnail=True).json()["submission"]

    assert before["thumbnail_s3_key"] is before["thumbnail_url"] is None
    assert after["thumbnail_s3_key"].endswith(f"{submission_id}_thumb.jpg")
    assert world.http.get(after["thumbnail_url"]).content == JPEG
    assert world.event_names(submission_id).count("thumbnail_confirmed") == 1


@pytest.mark.parametrize("stored", [None, b"GIF89a", b""])
def test_a_bad_or_missing_thumbnail_never_fails_the_take(
    world: World, stored: bytes | None
) -> None:
    answer = world.create(**declared(MP4))
    world.put(answer, MP4)
    if stored is not None:
        world.put(answer, stored, "thumbnail")

    response = world.confirm(answer["submission"]["id"], **facts(MP4), thumbnail=True)

    assert response.status_code == 200
    assert response.json()["submission"]["thumbnail_s3_key"] is None


# ── lazy: a client that never confirms (W10) ───────────────────────────────────


@pytest.mark.parametrize(
    "look",
    [
        "/video-submissions",
        "/video-submissions/{id}",
        "/video-submissions/{id}/video-url",
    ],
)
def test_a_v1_take_is_found_when_somebody_looks(world: World, look: str) -> None:
    submission_id = world.uploaded_v1()

    assert world.ask("student", "GET", look.format(id=submission_id)).status_code == 200

    assert _state(world, submission_id)["media_state"] == "uploaded"
    assert "lazy_confirmed" in world.event_names(submission_id)


def test_a_teachers_look_finds_it_too(world: World) -> None:
    submission_id = world.uploaded_v1()

    queue = world.ask("teacher", "GET", "/review-queue").json()

    assert [item["submission"]["id"] for item in queue] == [submission_id]


def test_a_v1_thumbnail_is_found_as_well(world: World) -> None:
    answer = world.create()
    world.put(answer, MP4)
    world.ask("student", "GET", "/video-submissions")
    world.put(answer, JPEG, "thumbnail")

    path = f"/video-submissions/{answer['submission']['id']}/video-url"
    playback = world.ask("teacher", "GET", path).json()

    assert world.http.get(playback["thumbnail_url"]).content == JPEG


def test_looking_twice_writes_one_line(world: World) -> None:
    submission_id = world.uploaded_v1()

    for _ in range(3):
        world.ask("student", "GET", f"/video-submissions/{submission_id}")

    assert world.event_names(submission_id).count("lazy_confirmed") == 1


def test_a_v2_take_whose_client_died_before_its_confirm_is_found(world: World) -> None:
    answer = world.create(**declared(MP4))
    world.put(answer, MP4)

    path = f"/video-submissions/{answer['submission']['id']}/video-url"

    assert world.ask("teacher", "GET", path).status_code == 200
    confirmed = world.confirm(answer["submission"]["id"], **facts(MP4))
    assert confirmed.status_code == 200, "and the client's own confirm still works"


def test_a_declared_take_with_other_bytes_is_not_shown_as_arrived(world: World) -> None:
    answer = world.create(**declared(MP4))
    world.services.storage_at("").put(answer["submission"]["s3_key"], OTHER, "video/mp4")

    path = f"/video-submissions/{answer['submission']['id']}/video-url"

    assert world.ask("teacher", "GET", path).json()["code"] == "not_uploaded_yet"


def test_a_page_uploaded_by_a_captive_portal_is_marked_and_can_be_replaced(world: World) -> None:
    answer = world.create()
    submission_id = answer["submission"]["id"]
    world.put(answer, b"<html>sign in to the network</html>")
    path = f"/video-submissions/{submission_id}/video-url"

    assert world.ask("teacher", "GET", path).json()["code"] == "unsupported_media"
    assert _state(world, submission_id)["media_state"] == "invalid"
    assert world.ask("teacher", "GET", path).status_code == 415
    assert world.event_names(submission_id).count("invalidated") == 1
    fresh = world.ask("student", "GET", f"/video-submissions/{submission_id}/upload-url").json()
    world.put(fresh, MP4)
    assert world.ask("teacher", "GET", path).status_code == 200
    assert _state(world, submission_id)["media_state"] == "uploaded"


def test_a_confirm_after_a_lazy_look_is_the_clients_own(world: World) -> None:
    submission_id = world.uploaded_v1()
    world.ask("student", "GET", "/video-submissions")
    world.clock.advance(minutes=1)

    receipt = world.confirm(submission_id, **facts(MP4)).json()["receipt"]

    assert receipt["confirmed_at"] == "2026-11-20T17:00:00Z", "when it was first seen"
    assert world.event_names(submission_id)[-2:] == ["lazy_confirmed", "confirmed"]


def test_a_wrong_confirm_after_a_lazy_look_takes_nothing_back(world: World) -> None:
    submission_id = world.uploaded_v1()
    world.ask("student", "GET", "/video-submissions")

    refused = world.confirm(submission_id, size_bytes=1)

    assert refused.json()["code"] == "size_mismatch"
    assert _state(world, submission_id)["media_state"] == "uploaded"
    assert world.confirm(submission_id, **facts(MP4)).status_code == 200


def test_a_seen_take_that_is_replaced_by_rubbish_stays_what_was_seen(world: World) -> None:
    answer = world.create()
    submission_id = answer["submission"]["id"]
    world.put(answer, MP4)
    world.ask("student", "GET", "/video-submissions")
    world.put(answer, b"<html></html>")

    path = f"/video-submissions/{submission_id}/video-url"

    assert world.ask("teacher", "GET", path).status_code == 200
    assert _state(world, submission_id)["media_state"] == "uploaded"
