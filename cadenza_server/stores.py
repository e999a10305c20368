"""Which object store the settings ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadenza_server.builtin_store import BuiltinStore, FileStore, Signer, StorageEndpoint
from cadenza_server.clock import Clock
from cadenza_server.keyring import Keyring
from cadenza_server.settings import ServerSettings
from cadenza_server.storage import Storage, StorageSetupError

if TYPE_CHECKING:
    from cadenza_server.s3_store import S3Store


@dataclass(frozen=True)
class OpenedStore:
    """A store, ready to use.

    Attributes:
        at: the store for clients who reach this server under a base URL.
        endpoint: what this server must answer `/storage/{key}` with; None when the clients speak
            to the store itself.
    """

    at: Callable[[str], Storage]
    endpoint: StorageEndpoint | None

    @property
    def is_remote(self) -> bool:
        """True when a look at an object is a request over the network."""
        return self.endpoint is None


def open_store(
    settings: ServerSettings,
    keyring: Keyring,
    clock: Clock,
    *,
    is_sealed: Callable[[str], bool],
) -> OpenedStore:
    """The store of the settings; nothing is asked of it yet.

    Args:
        settings: which one, and where.
        keyring: signs for the built-in store.
        clock: tells the built-in store what has expired.
        is_sealed: see `StorageEndpoint`.

    Raises:
        StorageSetupError: boto3 is not installed, or finds no credentials.
    """
    if settings.storage == "s3":
        s3 = open_s3(settings)
        return OpenedStore(lambda _base_url: s3, None)
    files, signer = FileStore(settings.objects_dir), Signer(keyring)
    endpoint = StorageEndpoint(
        files=files,
        signer=signer,
        clock=clock,
        max_bytes=settings.max_upload_bytes,
        idle_seconds=settings.upload_idle_seconds,
        is_sealed=is_sealed,
    )
    return OpenedStore(lambda base_url: BuiltinStore(files, signer, clock, base_url), endpoint)


def open_s3(settings: ServerSettings) -> S3Store:
    """The bucket. boto3 is imported here and not before: an extra, and 0.1 s of every start."""
    try:
        from cadenza_server.s3_store import S3Store
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        raise StorageSetupError(
            f"CADENZA_STORAGE=s3 needs {missing}: pip install 'cadenza[s3]'"
        ) from None
    return S3Store.from_settings(settings)
