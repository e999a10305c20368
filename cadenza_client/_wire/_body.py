"""The body of an upload: blocks of a file, counted, hashed and paced as they leave."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import httpx

from cadenza_client._call import MEBIBYTE
from cadenza_client._source import OpenSource
from cadenza_client._wire._exchange import Exchange
from cadenza_client.errors import FileChangedError

__all__ = ["BLOCK_BYTES", "FileBody", "Pace"]

BLOCK_BYTES = MEBIBYTE
_SMALLEST_BLOCK_BYTES = 16 * 1024
# Below this there is too little to do side by side to be worth a thread.
_SMALLEST_BODY_FOR_A_THREAD = 2 * MEBIBYTE
_MOST_BLOCKS_AHEAD = 4


class _Digest(Protocol):
    def update(self, block: bytes, /) -> None: ...


class _Hashing:
    """Feeds blocks to digests: of a large body in a thread beside the sending, else in line.

    Hashing gives up the interpreter's lock, and so do reading and sending. The sender is at most
    a few blocks ahead, so memory does not grow with the file.

    Args:
        digests: what to feed; nobody else may touch them before `finish` or `close`.
        size_bytes: of the body.
    """

    def __init__(self, digests: list[_Digest], size_bytes: int) -> None:
        self._digests = digests
        self._pending: deque[Future[None]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        if digests and size_bytes >= _SMALLEST_BODY_FOR_A_THREAD:
            # It starts its thread with the first block.
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="cadenza-hash")

    def add(self, block: bytes) -> None:
        """Hash a block now or soon; what went wrong with an earlier one is raised here."""
        if self._thread is None:
            self._update(block)
            return
        if len(self._pending) == _MOST_BLOCKS_AHEAD:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._update, block))

    def finish(self) -> None:
        """Wait until everything is hashed, and raise what went wrong."""
        while self._pending:
            self._pending.popleft().result()
        self.close()

    def close(self) -> None:
        """End the thread; what it has not begun is left out. Doing it twice is harmless."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _update(self, block: bytes) -> None:
        for digest in self._digests:
            digest.update(block)


class Pace:
    """Keeps an upload below a rate, so that a lesson on the same line stays watchable.

    Args:
        bytes_per_second: the limit; None for none.
        monotonic: the clock.
        sleep: waits; short waits only, so that a cancelled upload ends soon.
    """

    def __init__(
        self,
        bytes_per_second: int | None,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._rate = bytes_per_second
        self._monotonic = monotonic
        self._sleep = sleep
        self._free_at = monotonic()

    @property
    def block_bytes(self) -> int:
        """Blocks small enough that a quarter of a second's worth leaves at a time."""
        if self._rate is None:
            return BLOCK_BYTES
        return max(_SMALLEST_BLOCK_BYTES, min(BLOCK_BYTES, self._rate // 4))

    def wait_for(self, count: int, check_cancelled: Callable[[], None]) -> None:
        """Wait until `count` more bytes may leave."""
        if self._rate is None:
            return
        now = self._monotonic()
        while now < self._free_at:
            check_cancelled()
            self._sleep(min(0.2, self._free_at - now))
            now = self._monotonic()
        # Time not used is not saved up: a pause must not be followed by a burst.
        self._free_at = max(self._free_at, now) + count / self._rate


class FileBody(httpx.SyncByteStream):
    """Exactly the bytes the file had when it was opened, or `FileChangedError`.

    The last block is held back until the digest of the whole is known to be the announced one and
    the file still looks as at the start. So a changed file never becomes a complete object, and
    whatever was there before stays.

    To be closed after the attempt, however it went: a thread may be hashing.

    Args:
        opened: the file, for this attempt.
        exchange: who is told.
        sha256: the announced digest in hex, checked if `hash_sha256`.
        hash_sha256: whether to compute it; see `digests`.
        hash_md5: likewise, for a store whose only proof is an MD5.
        pace: the rate limit.
    """

    def __init__(
        self,
        opened: OpenSource,
        exchange: Exchange,
        *,
        sha256: str | None,
        hash_sha256: bool,
        hash_md5: bool,
        pace: Pace,
    ) -> None:
        self._opened = opened
        self._exchange = exchange
        self._announced = sha256
        self._sha256 = hashlib.sha256() if hash_sha256 else None
        self._md5 = hashlib.md5(usedforsecurity=False) if hash_md5 else None
        self._pace = pace
        digests = [digest for digest in (self._sha256, self._md5) if digest is not None]
        self._hashing = _Hashing([*digests], opened.size_bytes)

    def close(self) -> None:
        """End the hashing, finished or not."""
        self._hashing.close()

    @property
    def sha256(self) -> str | None:
        """The digest of what was sent, if it was computed."""
        return None if self._sha256 is None else self._sha256.hexdigest()

    @property
    def md5(self) -> str | None:
        """Likewise."""
        return None if self._md5 is None else self._md5.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """The blocks; httpcore takes one at a time and comes back when it is written."""
        size, offset = self._opened.size_bytes, 0
        self._opened.handle.seek(0)
        self._exchange.report(0, now=True)
        while offset < size:
            self._exchange.check_cancelled()
            wanted = min(self._pace.block_bytes, size - offset)
            block = self._opened.handle.read(wanted)
            if not block:
                raise FileChangedError("the file became shorter while it was being sent")
            offset += len(block)
            self._hashing.add(block)
            if offset == size:
                self._settle()
            self._pace.wait_for(len(block), self._exchange.check_cancelled)
            self._exchange.moved()
            yield block
            if not self._exchange.counts_on_the_wire:
                self._exchange.report(offset)
        if not size:
            self._settle()
        self._exchange.body_complete = True

    def _settle(self) -> None:
        self._hashing.finish()
        self._opened.check_unchanged()
        found = self.sha256
        if self._announced is not None and found is not None and found != self._announced.lower():
            raise FileChangedError("the file is not the one that was announced: its sha256 differs")
