"""A take's description beside its files: enough to write its row again (C2, D07)."""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import UUID

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
    if str(UUID(new.id)) != new.id:
        raise ValueError("the id is not written as an id")
    for asset in new.assets:
        if _spool.relative(str(asset.name)).parts[0] != new.id:
            raise ValueError("the description names a file of another take")
    if [asset.kind for asset in new.assets] not in (["video"], ["video", "thumbnail"]):
        raise ValueError("the description names no video, or several")
    return new


@cache
def _adapter() -> TypeAdapter[NewTake]:
    return TypeAdapter(NewTake)
