"""The two clients: what a program makes one of, and keeps."""

from __future__ import annotations

import os
import random as _random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import httpx

from cadenza_client._async import AsyncEngine
from cadenza_client._call import Download, Outgoing, PutObject, TakeFingerprint
from cadenza_client._config import Timeouts, TokenSource, resolve_config
from cadenza_client._endpoints import identity
from cadenza_client._endpoints.messages import unread
from cadenza_client._engine import Engine
from cadenza_client._resources.identity import (
    AsyncAuth,
    AsyncStudents,
    AsyncUsers,
    Auth,
    Students,
    Users,
)
from cadenza_client._resources.library import (
    AsyncPieces,
    AsyncPractice,
    AsyncRoutines,
    Pieces,
    Practice,
    Routines,
)
from cadenza_client._resources.live import (
    AsyncEvents,
    AsyncNotifications,
    AsyncWebhooks,
    Events,
    Notifications,
    Webhooks,
)
from cadenza_client._resources.markers import AsyncMarkers, Markers
from cadenza_client._resources.messages import AsyncMessages, Messages
from cadenza_client._resources.submissions import (
    AsyncReview,
    AsyncSubmissions,
    Review,
    Submissions,
)
from cadenza_client._retry import RetryPolicy
from cadenza_client._source import MediaSource
from cadenza_client._storage import StorageDriver
from cadenza_client._sync import SyncEngine
from cadenza_client._version import USER_AGENT
from cadenza_client._wire._transport import AsyncPoolTransport, PoolTransport
from cadenza_client.models import Fingerprint, Health, Playback, StoredObject, Unread, UploadTarget

__all__ = ["AsyncCadenzaClient", "CadenzaClient"]


class CadenzaClient:
    """The Cadenza API, synchronously. Keep one and share it between threads; close it at the end.

    Args:
        base_url: the server's address; `CADENZA_URL` if left out. Plain HTTP only to loopback.
        token: a bearer token, or a `TokenSource` for one that changes; `CADENZA_TOKEN` if left
            out. It is sent to the server's own origin only.
        timeout: how long to wait for what.
        retry: how long one call goes on trying by itself.
        storage_hosts: if given, the only hosts, beside the server's own, that videos are sent to
            and fetched from: `host`, `host:port`, or `.suffix` for everything below it.
        transport: an httpx transport for API requests, for tests.
        storage_transport: likewise for signed URLs; the same one as `transport` if left out.
        user_agent: what to call this program to the API.
        sleep: waits between tries.
        random: a number from 0 to 1, for jitter.
        monotonic: a clock in seconds that only goes forward.
        clock: the wall clock, in seconds since the epoch.
        env: the environment; `os.environ` if left out.

    Raises:
        ConfigError: the address or the token cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | TokenSource | None = None,
        timeout: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        storage_hosts: Collection[str] = (),
        transport: httpx.BaseTransport | None = None,
        storage_transport: httpx.BaseTransport | None = None,
        user_agent: str = USER_AGENT,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        env: Mapping[str, str] | None = None,
    ) -> None:
        config = resolve_config(
            base_url,
            token=token,
            timeout=timeout,
            retry=retry,
            storage_hosts=storage_hosts,
            user_agent=user_agent,
            env=os.environ if env is None else env,
        )
        transport = transport or PoolTransport(config.env)
        storage_transport = storage_transport or transport
        storage = StorageDriver(
            config, storage_transport, monotonic=monotonic, clock=clock, sleep=sleep
        )
        self._core = Engine(config, monotonic=monotonic, clock=clock, chance=random)
        self._engine = SyncEngine(self._core, transport, storage, sleep=sleep)
        self._storage_transport = storage_transport
        self.auth = Auth(self._engine)
        self.users = Users(self._engine)
        self.students = Students(self._engine)
        self.pieces = Pieces(self._engine)
        self.routines = Routines(self._engine)
        self.practice = Practice(self._engine)
        self.submissions = Submissions(self._engine, config)
        self.review = Review(self._engine)
        self.messages = Messages(self._engine, config)
        self.markers = Markers(self._engine)
        self.events = Events(self._engine, config)
        self.notifications = Notifications(self._engine)
        self.webhooks = Webhooks(self._engine)

    @property
    def base_url(self) -> str:
        """The server's address, without a trailing slash."""
        return self._core.config.api.url("")

    @property
    def clock_offset_seconds(self) -> float | None:
        """The server's clock minus this device's, from the latest answer; None before the first."""
        return self._core.clock_offset_seconds

    def health(self) -> Health:
        """Whether the server is up, and which profiles it speaks."""
        return self._engine.run(identity.health())

    def unread(self) -> Unread:
        """How many messages of others wait to be read, in all, by thread and by student."""
        return self._engine.run(unread())

    def fingerprint(self, source: Path | MediaSource) -> Fingerprint:
        """Size, sha256 and MD5 of a file: what to announce and to confirm."""
        return self._engine.run(TakeFingerprint(source))

    def upload_media(
        self,
        target: UploadTarget,
        source: Path | MediaSource,
        *,
        content_type: str,
        sha256: str | None,
        hash_while_sending: bool | None = None,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        rate_limit_bytes_per_second: int | None = None,
    ) -> StoredObject:
        """Send one file to a signed URL: one attempt, and what became of it.

        The file is streamed in blocks, so that memory does not grow with it. It goes out with
        exactly the headers the target names and its length; without the token. The store is asked
        first whether it wants the body (`Expect: 100-continue`), so that an expired URL costs
        none. There is no limit on the whole: a connection on which nothing moves for
        `idle_seconds` is given up, and so is a store that does not answer within `reply_seconds`
        of the last byte.

        Args:
            target: from a ticket, fetched just before.
            source: a path, or a `MediaSource` that opens it.
            content_type: sent unless the target's headers name one.
            sha256: what the file must be, in hex; checked before the last block leaves if it is
                computed.
            hash_while_sending: whether to compute the sha256 on the way; by default only where
                the store does not verify a signed one.
            progress: called with (bytes sent, bytes in all) now and then, from 0 and to the end;
                what the kernel still holds back is not counted as sent.
            cancel: asked several times a second; True ends the upload.
            rate_limit_bytes_per_second: the most to send in a second.

        Raises:
            UploadUrlExpiredError: fetch a fresh URL and call again.
            ObjectExistsError: it is there already: confirm it.
            StorageBusyError, ChecksumRefusedError, StorageRejectedError: the store refused.
            FileChangedError: it is not the announced file, or was written to meanwhile.
            CancelledUploadError: `cancel` said so.
            UnsafeUploadUrlError: the target is not a URL to send a video to.
            TransportError: no answer; `sent` says how much had left.
            ResponseError: something else than a store answered.
            OSError: the file cannot be read.
        """
        outgoing = Outgoing(
            source,
            content_type,
            sha256=sha256,
            hash_while_sending=hash_while_sending,
            progress=progress,
            cancel=cancel,
            rate_limit_bytes_per_second=rate_limit_bytes_per_second,
        )
        return self._engine.run(PutObject(target, outgoing))

    def download(
        self,
        url_or_playback: str | Playback,
        destination: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> int:
        """Fetch a signed URL into a file, replacing it only when all is there; gives its size.

        Raises:
            CadenzaError: as `upload_media`.
            OSError: the file cannot be written.
        """
        url = url_or_playback if isinstance(url_or_playback, str) else url_or_playback.video_url
        return self._engine.run(Download(url, destination, progress, cancel))

    def close(self) -> None:
        """Close the connections."""
        self._engine.close()
        self._storage_transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"


class AsyncCadenzaClient:
    """The Cadenza API, asynchronously. Keep one for an event loop; close it at the end.

    Args:
        base_url: the server's address; `CADENZA_URL` if left out. Plain HTTP only to loopback.
        token: a bearer token, or a `TokenSource` for one that changes; `CADENZA_TOKEN` if left
            out. It is sent to the server's own origin only.
        timeout: how long to wait for what.
        retry: how long one call goes on trying by itself.
        storage_hosts: if given, the only hosts, beside the server's own, that videos are sent to
            and fetched from: `host`, `host:port`, or `.suffix` for everything below it.
        transport: an httpx transport for API requests, for tests.
        storage_transport: a **synchronous** httpx transport for signed URLs. Uploads and
            downloads run in worker threads: a file, a hash and a socket, two of which have no
            asynchronous form.
        user_agent: what to call this program to the API.
        sleep: waits between tries.
        random: a number from 0 to 1, for jitter.
        monotonic: a clock in seconds that only goes forward.
        clock: the wall clock, in seconds since the epoch.
        env: the environment; `os.environ` if left out.

    Raises:
        ConfigError: the address or the token cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | TokenSource | None = None,
        timeout: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        storage_hosts: Collection[str] = (),
        transport: httpx.AsyncBaseTransport | None = None,
        storage_transport: httpx.BaseTransport | None = None,
        user_agent: str = USER_AGENT,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        random: Callable[[], float] = _random.random,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        env: Mapping[str, str] | None = None,
    ) -> None:
        config = resolve_config(
            base_url,
            token=token,
            timeout=timeout,
            retry=retry,
            storage_hosts=storage_hosts,
            user_agent=user_agent,
            env=os.environ if env is None else env,
        )
        transport = transport or AsyncPoolTransport(config.env)
        storage_transport = storage_transport or PoolTransport(config.env)
        storage = StorageDriver(config, storage_transport, monotonic=monotonic, clock=clock)
        self._core = Engine(config, monotonic=monotonic, clock=clock, chance=random)
        self._engine = AsyncEngine(self._core, transport, storage, sleep=sleep)
        self._storage_transport = storage_transport
        self.auth = AsyncAuth(self._engine)
        self.users = AsyncUsers(self._engine)
        self.students = AsyncStudents(self._engine)
        self.pieces = AsyncPieces(self._engine)
        self.routines = AsyncRoutines(self._engine)
        self.practice = AsyncPractice(self._engine)
        self.submissions = AsyncSubmissions(self._engine, config)
        self.review = AsyncReview(self._engine)
        self.messages = AsyncMessages(self._engine, config)
        self.markers = AsyncMarkers(self._engine)
        self.events = AsyncEvents(self._engine, config)
        self.notifications = AsyncNotifications(self._engine)
        self.webhooks = AsyncWebhooks(self._engine)

    @property
    def base_url(self) -> str:
        """The server's address, without a trailing slash."""
        return self._core.config.api.url("")

    @property
    def clock_offset_seconds(self) -> float | None:
        """The server's clock minus this device's, from the latest answer; None before the first."""
        return self._core.clock_offset_seconds

    async def health(self) -> Health:
        """Whether the server is up, and which profiles it speaks."""
        return await self._engine.run(identity.health())

    async def unread(self) -> Unread:
        """How many messages of others wait to be read, in all, by thread and by student."""
        return await self._engine.run(unread())

    async def fingerprint(self, source: Path | MediaSource) -> Fingerprint:
        """Size, sha256 and MD5 of a file: what to announce and to confirm."""
        return await self._engine.run(TakeFingerprint(source))

    async def upload_media(
        self,
        target: UploadTarget,
        source: Path | MediaSource,
        *,
        content_type: str,
        sha256: str | None,
        hash_while_sending: bool | None = None,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        rate_limit_bytes_per_second: int | None = None,
    ) -> StoredObject:
        """Send one file to a signed URL: one attempt, and what became of it.

        The file is streamed in blocks, so that memory does not grow with it. It goes out with
        exactly the headers the target names and its length; without the token. The store is asked
        first whether it wants the body (`Expect: 100-continue`), so that an expired URL costs
        none. There is no limit on the whole: a connection on which nothing moves for
        `idle_seconds` is given up, and so is a store that does not answer within `reply_seconds`
        of the last byte.

        Args:
            target: from a ticket, fetched just before.
            source: a path, or a `MediaSource` that opens it.
            content_type: sent unless the target's headers name one.
            sha256: what the file must be, in hex; checked before the last block leaves if it is
                computed.
            hash_while_sending: whether to compute the sha256 on the way; by default only where
                the store does not verify a signed one.
            progress: called with (bytes sent, bytes in all) now and then, from 0 and to the end;
                what the kernel still holds back is not counted as sent.
            cancel: asked several times a second; True ends the upload.
            rate_limit_bytes_per_second: the most to send in a second.

        Raises:
            UploadUrlExpiredError: fetch a fresh URL and call again.
            ObjectExistsError: it is there already: confirm it.
            StorageBusyError, ChecksumRefusedError, StorageRejectedError: the store refused.
            FileChangedError: it is not the announced file, or was written to meanwhile.
            CancelledUploadError: `cancel` said so.
            UnsafeUploadUrlError: the target is not a URL to send a video to.
            TransportError: no answer; `sent` says how much had left.
            ResponseError: something else than a store answered.
            OSError: the file cannot be read.
        """
        outgoing = Outgoing(
            source,
            content_type,
            sha256=sha256,
            hash_while_sending=hash_while_sending,
            progress=progress,
            cancel=cancel,
            rate_limit_bytes_per_second=rate_limit_bytes_per_second,
        )
        return await self._engine.run(PutObject(target, outgoing))

    async def download(
        self,
        url_or_playback: str | Playback,
        destination: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> int:
        """Fetch a signed URL into a file, replacing it only when all is there; gives its size.

        Raises:
            CadenzaError: as `upload_media`.
            OSError: the file cannot be written.
        """
        url = url_or_playback if isinstance(url_or_playback, str) else url_or_playback.video_url
        return await self._engine.run(Download(url, destination, progress, cancel))

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.close()
        self._storage_transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"
