"""Object keys: made from ids the server chose or checked, never from a client's words (SEC-07)."""

from __future__ import annotations

from uuid import UUID

WEBM = "video/webm"
_SOURCE = ".source.webm"


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


def is_webm(content_type: str) -> bool:
    """True for an upload that an MP4 is made of before anybody can watch it."""
    return content_type == WEBM


def upload_key(key: str, content_type: str) -> str:
    """Where the client's bytes go: the video's own key, or one beside it for a WebM."""
    return key.removesuffix(".mp4") + _SOURCE if is_webm(content_type) else key


def video_key_of_upload(key: str) -> str:
    """The other way round."""
    return key.removesuffix(_SOURCE) + ".mp4" if key.endswith(_SOURCE) else key


def storyboard_key_beside(key: str) -> str:
    """The storyboard's key for a video's key."""
    return key.removesuffix(".mp4") + "_storyboard.jpg"


def waveform_key_beside(key: str) -> str:
    """The waveform's key for a video's key."""
    return key.removesuffix(".mp4") + "_waveform.json"


def keys_of(key: str) -> tuple[str, ...]:
    """All that may be stored for a video, made or sent: what goes when it is deleted."""
    return (
        key,
        thumbnail_key_beside(key),
        storyboard_key_beside(key),
        waveform_key_beside(key),
        upload_key(key, WEBM),
    )


def page_key(prefix: str, piece_id: UUID, page_number: int, extension: str) -> str:
    """`{prefix}cadenza/pieces/{piece_id}/page-{n}.{extension}`."""
    return f"{prefix}cadenza/pieces/{piece_id}/page-{page_number}.{extension}"
