"""The object store that comes with the server: files on disk behind S3's rules.

What a client must react to (expiry, signatures, length, checksum, conditions, ranges, error
codes) is what S3 does, so that a client which works here works there.
"""

from __future__ import annotations

from cadenza_server.builtin_store.endpoint import StorageEndpoint
from cadenza_server.builtin_store.files import FileStore
from cadenza_server.builtin_store.signing import Signer
from cadenza_server.builtin_store.store import BuiltinStore

__all__ = ["BuiltinStore", "FileStore", "Signer", "StorageEndpoint"]
