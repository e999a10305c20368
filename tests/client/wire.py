"""What servers of both profiles say, as Python values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cadenza_client._call import Answer
from cadenza_client._urls import parse_base_url

ID = UUID("6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11")
PIECE_ID = UUID("b1a2c3d4-0000-4000-8000-000000000001")
API = parse_base_url("https://api.example.com/v1")
NOW = datetime(2026, 11, 20, 17, 10, 0, tzinfo=UTC)
STORE = "https://bucket.example.com"

V1_SUBMISSION: dict[str, Any] = {
    "id": str(ID),
    "user_id": 7,
    "exercise_id": None,
    "piece_id": str(PIECE_ID),
    "session_id": None,
    "s3_key": f"dev/cadenza/videos/7/{ID}.mp4",
    "thumbnail_s3_key": f"dev/cadenza/videos/7/{ID}_thumb.jpg",
    "duration_seconds": 45,
    "notes": None,
    "reviewed_at": None,
    "reviewed_by_id": None,
    "created_at": "2026-11-20T17:09:00.123456",
}
V2_SUBMISSION: dict[str, Any] = {
    **V1_SUBMISSION,
    "created_at": "2026-11-20T17:09:00Z",
    "thumbnail_s3_key": None,
    "media_state": "awaiting_upload",
    "captured_at": "2026-11-20T17:04:05Z",
    "derivatives": None,
    "a_field_of_a_later_server": {"x": 1},
}


def v1(**changes: Any) -> dict[str, Any]:
    """A v1 submission with changes."""
    return {**V1_SUBMISSION, **changes}


def v2(**changes: Any) -> dict[str, Any]:
    """A v2 submission with changes."""
    return {**V2_SUBMISSION, **changes}


def issued(submission: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Upload URLs, with a submission for a create."""
    submission_id = (submission or V2_SUBMISSION)["id"]
    found: dict[str, Any] = {
        "upload_url": f"{STORE}/dev/cadenza/videos/7/{submission_id}.mp4?X-Amz-Signature=canary",
        "thumbnail_upload_url": f"{STORE}/dev/cadenza/videos/7/{submission_id}_thumb.jpg?s=canary",
        "expires_in": 900,
        "upload_headers": {"Content-Type": "video/mp4"},
        "thumbnail_upload_headers": None,
        **changes,
    }
    return found if submission is None else {"submission": submission, **found}


def receipt(**changes: Any) -> dict[str, Any]:
    """A v2 receipt."""
    return {
        "asset_id": str(ID),
        "s3_key": V2_SUBMISSION["s3_key"],
        "size_bytes": 10,
        "sha256": "ab" * 32,
        "etag": '"e"',
        "verified": "sha256",
        "confirmed_at": "2026-11-20T17:10:11Z",
        "key_id": "k1",
        "signature": "c2ln",
        **changes,
    }


def answer(body: Any, *, status: int = 200, **headers: str) -> Answer:
    """An API answer that has been let through."""
    return Answer(
        status_code=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        received_at=NOW,
        received_at_monotonic=123.0,
        api=API,
    )
