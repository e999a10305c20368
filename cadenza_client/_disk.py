"""Steps that only read the disk. They block, so the async client runs them in a thread."""

from __future__ import annotations

import hashlib

from cadenza_client._call import MEBIBYTE, ReadFile, TakeFingerprint
from cadenza_client._source import open_source
from cadenza_client.errors import ConfigError
from cadenza_client.models import Fingerprint

__all__ = ["read_file", "take_fingerprint"]


def read_file(step: ReadFile) -> bytes:
    """A small file, whole."""
    with open_source(step.path) as opened:
        if opened.size_bytes > step.max_bytes:
            raise ConfigError(
                f"{step.path.name} has {opened.size_bytes} bytes; at most {step.max_bytes} are sent"
            )
        return b"".join(iter(lambda: opened.handle.read(MEBIBYTE), b""))


def take_fingerprint(step: TakeFingerprint) -> Fingerprint:
    """Size, sha256 and MD5 of a file, read once."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with open_source(step.source) as opened:
        for block in iter(lambda: opened.handle.read(MEBIBYTE), b""):
            sha256.update(block)
            md5.update(block)
        opened.check_unchanged()
    return Fingerprint(size_bytes=opened.size_bytes, sha256=sha256.hexdigest(), md5=md5.hexdigest())
