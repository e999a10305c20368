"""Every error code of the API: its status and its default sentence, once (W6).

The SDK has one typed error for each of these codes, so the list only grows. Codes of later
roadmap steps stand here already: a client built today knows what to do when it meets them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCode:
    """One code: the HTTP status it travels with and the sentence a person reads."""

    code: str
    status: int
    sentence: str


_TABLE: tuple[tuple[str, int, str], ...] = (
    ("unauthorized", 401, "Sign in first: the request carries no valid token."),
    ("signin_required", 401, "Your sign-in has expired. Sign in again."),
    ("forbidden", 403, "You may not do this."),
    ("feature_disabled", 403, "This feature is switched off for your account."),
    ("quota_exceeded", 403, "Your quota is used up for now."),
    ("not_found", 404, "There is nothing here."),
    ("invalid", 422, "The request is not valid."),
    ("invalid_id", 422, "The id is not well formed."),
    ("context_required", 422, "Name an exercise, a piece or a practice session."),
    ("context_not_found", 404, "The exercise, piece or practice session is not one of yours."),
    ("duration_required", 422, "duration_seconds is required."),
    ("duration_out_of_range", 422, "A take lasts from 1 to 180 seconds."),
    ("resolution_exceeded", 422, "A take is at most 1280 × 720 pixels, either way up."),
    ("unsupported_media", 415, "The stored bytes are not a video this server knows."),
    ("too_large", 413, "That is more bytes than this server takes."),
    ("id_conflict", 409, "This id was used before for something else."),
    ("already_uploaded", 409, "The video is uploaded already and can't be replaced."),
    ("not_uploaded_yet", 409, "The video has not arrived yet."),
    ("size_mismatch", 409, "The stored video has another size than announced."),
    ("checksum_mismatch", 409, "The stored video has another checksum than announced."),
    ("already_reviewed", 409, "The teacher has reviewed this submission already."),
    ("submission_deleted", 410, "This submission was deleted."),
    ("media_expired", 410, "The video is no longer kept."),
    ("held", 423, "This recording is on hold and can't be removed."),
    ("content_required", 422, "A message needs text or a video."),
    ("video_duration_required", 422, "video_duration_seconds is required with a video."),
    ("no_video", 404, "This message has no video."),
    ("timestamp_out_of_range", 422, "The moment lies outside the video."),
    ("sync_points_not_monotonic", 422, "Sync points must go forward in time."),
    ("already_recording", 409, "A recording is already running."),
    ("ticket_invalid", 401, "The ticket is used or expired."),
    ("chunk_out_of_order", 409, "That chunk does not follow the last one."),
    ("live_limit", 413, "The live recording has reached its limit."),
    ("url_not_allowed", 422, "This address can't be imported from."),
    ("host_not_allowed", 422, "This host is not on the import list."),
    ("not_a_video", 415, "That is not a video."),
    ("fetch_failed", 502, "The recording could not be fetched."),
    ("asset_not_found", 404, "There is no such recording."),
    ("job_not_claimable", 409, "The job is not waiting for a worker."),
    ("reconcile_aborted", 409, "Reconciling stopped: too much is missing to be believed."),
    ("rate_limited", 429, "Rate limit exceeded. Try again later."),
    ("storage_unavailable", 503, "The storage does not answer. Try again later."),
    ("internal", 500, "Something went wrong on the server."),
)

ERROR_CODES: dict[str, ErrorCode] = {row[0]: ErrorCode(*row) for row in _TABLE}
"""code → `ErrorCode`, in the documented order."""
