"""`Range` requests, as S3 answers them: one range, or the whole object."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)


class UnsatisfiableRangeError(Exception):
    """No byte of the object lies in the range: 416."""


def parse_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """First and last byte (inclusive) to send, or None for the whole object.

    What is not exactly one byte range is ignored, as HTTP allows and S3 does.

    Raises:
        UnsatisfiableRangeError: the range begins past the end, or asks for no byte.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        length = min(int(last), size_bytes)
        if length == 0:
            raise UnsatisfiableRangeError
        return size_bytes - length, size_bytes - 1
    if last and int(last) < int(first):
        return None
    if int(first) >= size_bytes:
        raise UnsatisfiableRangeError
    return int(first), min(int(last), size_bytes - 1) if last else size_bytes - 1
