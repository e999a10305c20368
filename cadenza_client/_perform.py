"""Which function does which blocking step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cadenza_client._call import (
    Download,
    ProbeObject,
    PutObject,
    ReadFile,
    Step,
    TakeFingerprint,
)
from cadenza_client._disk import read_file, take_fingerprint
from cadenza_client._storage import StorageDriver

__all__ = ["perform"]


def perform(step: Step[Any], storage: StorageDriver) -> Any:
    """Do a step that goes to the store or to the disk. It blocks until it is done."""
    do: dict[type[Step[Any]], Callable[[Any], Any]] = {
        PutObject: storage.put,
        ProbeObject: storage.probe,
        Download: storage.download,
        ReadFile: read_file,
        TakeFingerprint: take_fingerprint,
    }
    return do[type(step)](step)
