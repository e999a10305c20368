"""A store that tells no checksum: the receipt still says no more than was verified (B-01, S09)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cadenza_server.builtin_store import BuiltinStore
from cadenza_server.storage import StoredObject
from tests.server.world import MP4, World, declared, facts

WRONG = MP4[:-1] + b"!"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the store forget checksums, as Swift does; the keys that were read back."""
    look, hash_it = BuiltinStore.head, BuiltinStore.digest
    keys: list[str] = []

    def head(store: BuiltinStore, key: str) -> StoredObject | None:
        found = look(store, key)
        return found and replace(found, sha256=None)

    def digest(store: BuiltinStore, key: str, etag: str) -> str | None:
        keys.append(key)
        return hash_it(store, key, etag)

    monkeypatch.setattr(BuiltinStore, "head", head)
    monkeypatch.setattr(BuiltinStore, "digest", digest)
    return keys


def test_it_is_read_once_and_the_receipt_says_what_was_read(world: World, read: list[str]) -> None:
    submission_id = world.uploaded()
    again = world.confirm(submission_id, **facts(MP4)).json()["receipt"]

    assert (again["verified"], again["sha256"]) == ("sha256", facts(MP4)["sha256"])
    assert len(read) == 1, "what is confirmed is not read again"


def test_who_wants_no_reading_gets_a_receipt_of_the_size(
    make_world: Callable[..., World], read: list[str]
) -> None:
    world = make_world(s3_read_back=False)

    receipt = world.confirm(world.uploaded()).json()["receipt"]

    assert (receipt["verified"], receipt["sha256"]) == ("size", None)
    assert read == []


def test_a_client_that_names_no_checksum_costs_no_reading(world: World, read: list[str]) -> None:
    receipt = world.confirm(world.uploaded_v1()).json()["receipt"]

    assert (receipt["verified"], receipt["sha256"]) == ("size", None)
    assert read == []


def test_what_is_too_large_is_not_read(make_world: Callable[..., World], read: list[str]) -> None:
    world = make_world(max_upload_bytes=len(MP4))
    answer = world.create()
    world.services.storage_at("").put(answer["submission"]["s3_key"], MP4 * 2, "video/mp4")

    response = world.confirm(answer["submission"]["id"], **facts(MP4 * 2))

    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert read == []


def test_what_is_replaced_while_it_is_read_is_asked_for_again(
    world: World, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = world.create(**declared(MP4))
    world.put(answer, MP4)
    monkeypatch.setattr(BuiltinStore, "digest", lambda *_: None)

    response = world.confirm(answer["submission"]["id"], **facts(MP4))

    assert (response.status_code, response.json()["code"]) == (503, "storage_unavailable")
    assert response.headers["retry-after"]


def _state(world: World, submission_id: str) -> str:
    path = f"/video-submissions/{submission_id}"
    return str(world.ask("student", "GET", path).json()["media_state"])


def test_a_look_reads_nothing_and_leaves_the_verdict_to_the_confirm(
    world: World, read: list[str]
) -> None:
    answer = world.create(**declared(MP4))
    submission_id = str(answer["submission"]["id"])
    world.put(answer, MP4)

    world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url")
    assert _state(world, submission_id) == "uploaded"
    assert read == []

    receipt = world.confirm(submission_id, **facts(MP4)).json()["receipt"]
    assert receipt["verified"] == "sha256"
    assert len(read) == 1


def test_wrong_bytes_that_a_look_took_for_right_are_taken_back(
    world: World, read: list[str]
) -> None:
    """Not every store checks what was signed; the one who looked first could only count bytes."""
    answer = world.create(**declared(MP4))
    submission_id = str(answer["submission"]["id"])
    world.services.storage_at("").put(answer["submission"]["s3_key"], WRONG, "video/mp4")
    world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url")
    assert _state(world, submission_id) == "uploaded"

    refused = world.confirm(submission_id, **facts(MP4))

    assert (refused.status_code, refused.json()["code"]) == (409, "checksum_mismatch")
    for who in ("teacher", "student"):
        world.ask(who, "GET", f"/video-submissions/{submission_id}/video-url")
        assert _state(world, submission_id) == "awaiting_upload", "nor does a later look"
    fresh = world.ask("student", "GET", f"/video-submissions/{submission_id}/upload-url").json()
    assert world.put(fresh, MP4).status_code == 200
    assert world.confirm(submission_id, **facts(MP4)).json()["receipt"]["verified"] == "sha256"
    assert _state(world, submission_id) == "uploaded"
