"""Who may say what at which moment of a video. Pure."""

from __future__ import annotations

from cadenza_server.errors import ApiError

#: A declared duration is in whole seconds; the video may be this much longer (§2.6).
GRACE_MS = 500
MAX_MARKERS = 500


def duration_ms(measured_ms: int | None, declared_seconds: int) -> int:
    """How long the video is: as measured, else as declared with the grace of the limit."""
    return measured_ms if measured_ms is not None else declared_seconds * 1000 + GRACE_MS


def check_moment(timestamp_ms: int, end_ms: int | None, *, within_ms: int) -> None:
    """Raise `timestamp_out_of_range` unless the moment, or the range, lies in the video.

    Args:
        timestamp_ms: where it begins.
        end_ms: where it ends; None for a moment.
        within_ms: how long the video is.
    """
    fields = {"timestamp_ms": timestamp_ms, "end_ms": end_ms, "duration_ms": within_ms}
    if not 0 <= timestamp_ms <= within_ms or (end_ms is not None and end_ms > within_ms):
        raise ApiError("timestamp_out_of_range", fields=fields)
    if end_ms is not None and end_ms <= timestamp_ms:
        raise ApiError("timestamp_out_of_range", "A range ends after it begins.", fields=fields)


def check_measures(measure_number: int | None, measure_end: int | None) -> None:
    """Raise `invalid` for measures that go backwards."""
    if measure_end is not None and (measure_number is None or measure_end < measure_number):
        raise ApiError(
            "invalid",
            "measure_end needs a measure_number that is not after it.",
            fields={"measure_end": "not after measure_number"},
        )


def check_type(marker_type: str, *, is_student: bool) -> None:
    """Students ask; feedback and praise are the teacher's (F001-U2).

    Raises:
        ApiError: `forbidden`.
    """
    if is_student and marker_type != "question":
        raise ApiError("forbidden", "Students ask questions; the rest is for their teacher.")


def default_type(*, is_student: bool) -> str:
    """What a marker is when its author does not say."""
    return "question" if is_student else "feedback"


def check_status(before: str, after: str, *, is_student: bool) -> None:
    """A student says "tried" and takes it back; only the teacher settles, or opens again.

    Raises:
        ApiError: `forbidden`.
    """
    if is_student and "settled" in (before, after) and before != after:
        raise ApiError("forbidden", "Only the teacher settles a marker, or opens it again.")
