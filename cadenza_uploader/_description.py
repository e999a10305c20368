"""A take's description beside its files: enough to write its row again (C2, D07)."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from cadenza_uploader import _spool
from cadenza_uploader.take import NewTake


def describe(new: NewTake) -> dict[str, Any]:
    """The take as plain JSON values."""
    document: dict[str, Any] = _adapter().dump_python(new, mode="json")
    return document


def restore(document: dict[str, Any]) -> NewTake:
    """The inverse of `describe`; nothing in it is trusted (SEC-17).

    Raises:
        ValueError: it is not a description we wrote.
        UnsafePathError: a file name points out of the spool.
    """
    new = _adapter().validate_python(document)
    for asset in new.assets:
        _spool.relative(str(asset.name))
    if not any(asset.kind == "video" for asset in new.assets):
        raise ValueError("the description names no video")
    return new


@cache
def _adapter() -> TypeAdapter[NewTake]:
    return TypeAdapter(NewTake)
