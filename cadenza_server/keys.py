"""Object keys: made from ids the server chose or checked, never from a client's words (SEC-07)."""

from __future__ import annotations

from uuid import UUID


def video_key(prefix: str, user_id: int, submission_id: UUID) -> str:
    """`{prefix}cadenza/videos/{user_id}/{submission_id}.mp4` (F000-49)."""
    return f"{prefix}cadenza/videos/{user_id}/{submission_id}.mp4"


def thumbnail_key(prefix: str, user_id: int, submission_id: UUID) -> str:
    """`{prefix}cadenza/videos/{user_id}/{submission_id}_thumb.jpg` (F000-50)."""
    return f"{prefix}cadenza/videos/{user_id}/{submission_id}_thumb.jpg"


def message_video_key(prefix: str, user_id: int, message_id: UUID) -> str:
    """`{prefix}cadenza/videos/{user_id}/messages/{message_id}.mp4` (F001-U1)."""
    return f"{prefix}cadenza/videos/{user_id}/messages/{message_id}.mp4"


def thumbnail_key_beside(key: str) -> str:
    """The thumbnail's key for a video's key."""
    return key.removesuffix(".mp4") + "_thumb.jpg"


def page_key(prefix: str, piece_id: UUID, page_number: int, extension: str) -> str:
    """`{prefix}cadenza/pieces/{piece_id}/page-{n}.{extension}`."""
    return f"{prefix}cadenza/pieces/{piece_id}/page-{page_number}.{extension}"
