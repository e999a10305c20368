"""Models read both profiles, ignore what they do not know, and keep secrets out of `repr`."""

import json
from datetime import UTC, datetime

import pydantic
import pytest

from cadenza_client import models
from cadenza_client._endpoints._build import wire_time
from cadenza_client.models import (
    Health,
    NewSubmission,
    Playback,
    Receipt,
    SignIn,
    Submission,
    UploadTarget,
    UploadTicket,
    User,
)
from tests.client.wire import ID, PIECE_ID, receipt, v1, v2


def test_a_v1_submission_is_read_and_its_naive_times_are_utc() -> None:
    found = Submission.model_validate(v1())
    assert found.media_state is None
    assert found.created_at == datetime(2026, 11, 20, 17, 9, 0, 123456, tzinfo=UTC)


def test_a_v2_submission_is_read_unknown_fields_are_ignored_and_null_lists_are_empty() -> None:
    found = Submission.model_validate(v2())
    assert found.media_state == "awaiting_upload"
    assert found.derivatives == ()
    assert not hasattr(found, "a_field_of_a_later_server")


def test_offsets_become_utc() -> None:
    found = Submission.model_validate(v2(captured_at="2026-11-20T19:04:05+02:00"))
    assert found.captured_at == datetime(2026, 11, 20, 17, 4, 5, tzinfo=UTC)
    assert found.captured_at.tzinfo is UTC


def test_models_cannot_be_changed() -> None:
    found = Submission.model_validate(v2())
    with pytest.raises(pydantic.ValidationError):
        found.notes = "x"  # type: ignore[misc] # that is the point


def test_secrets_are_not_in_a_repr() -> None:
    target = UploadTarget(
        url="https://b/k?s=canary", headers={"x-amz-meta": "canary"}, expires_in=1
    )
    user = User(id=1, email="a@example.org")
    shown = [
        UploadTicket(video=target, thumbnail=target, received_at_monotonic=0.0),
        SignIn(access_token="canary", user=user),
        Playback(video_url="https://b/k?s=canary", thumbnail_url="https://b/t?s=canary"),
        Submission.model_validate(v2(thumbnail_url="https://b/t?s=canary")),
    ]
    for one in shown:
        assert "canary" not in repr(one)
        assert "canary" not in str(one)


def test_a_rejected_value_is_not_in_the_message() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Playback.model_validate({"video_url": ["https://b/k?s=canary"]})
    assert "canary" not in str(caught.value)


def test_a_signed_checksum_header_means_the_store_verifies_whatever_its_case() -> None:
    def target(**headers: str) -> UploadTarget:
        return UploadTarget(url="https://b/k", headers=headers, expires_in=1)

    assert target(**{"X-Amz-Checksum-SHA256": "x"}).checksum_verified_by_store
    assert not target(**{"Content-Type": "video/mp4"}).checksum_verified_by_store


def test_a_v1_health_has_no_profiles() -> None:
    assert Health.model_validate({"status": "ok"}).profiles == ()
    assert Health.model_validate({"status": "ok", "profiles": None}).profiles == ()


def test_a_receipt_that_does_not_say_what_was_compared_is_read_by_what_it_holds() -> None:
    bare = receipt()
    del bare["verified"]
    assert Receipt.model_validate(bare).verified == "sha256"
    assert Receipt.model_validate({**bare, "sha256": None}).verified == "size"
    assert Receipt.model_validate_json(json.dumps(bare)).verified == "sha256"
    assert Receipt.model_validate(receipt(verified="size")).verified == "size"
    with pytest.raises(pydantic.ValidationError):
        Receipt.model_validate("nothing of the kind")


def test_a_new_submission_knows_its_fields() -> None:
    new = NewSubmission(id=ID, piece_id=PIECE_ID, duration_seconds=45)
    assert new.sha256 is None
    with pytest.raises(pydantic.ValidationError):
        NewSubmission(duration_seconds=45, duration=45)  # type: ignore[call-arg] # a slip


def test_times_go_out_as_swift_reads_them() -> None:
    moment = datetime.fromisoformat("2026-11-20T19:04:05.999999+02:00")
    assert wire_time(moment) == "2026-11-20T17:04:05Z"


def test_every_model_is_exported() -> None:
    assert all(hasattr(models, name) for name in models.__all__)
