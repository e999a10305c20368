"""Building blocks for the uploader's tests: a queue, a clock that only moves when told, takes."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from pathlib import Path

from cadenza_uploader import _spool
from cadenza_uploader._description import describe
from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.take import Account, Attempt, NewTake, Take, TakeContext

URL = "http://127.0.0.1:8000"
STUDENT = Account(URL, 7)
PIECE = "0b1a2c3d-0000-4000-8000-000000000001"
NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC).timestamp()


class Clock:
    """Wall and monotonic seconds in one; tests move it, nothing else does."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def content(seed: int, size_bytes: int = 4000) -> bytes:
    """Bytes that are a function of the seed."""
    block = hashlib.sha256(str(seed).encode()).digest()
    return (block * (size_bytes // len(block) + 1))[:size_bytes]


def new_take(
    home: Home,
    *,
    seed: int = 1,
    account: Account = STUDENT,
    captured: float = NOON,
    thumbnail: bool = True,
    delete_source: bool = False,
    source_path: str | None = None,
    size_bytes: int = 4000,
    piece_id: str = PIECE,
    reply_to: str | None = None,
) -> NewTake:
    """Files published in the spool and the description of their row; no row yet."""
    take_id = str(uuid.UUID(int=seed, version=4))
    home.prepare()
    with _spool.part(home.spool, take_id) as part:
        video = _spool.write_in(content(seed, size_bytes), part / "video.mp4")
        assets = [_spool.asset("video", take_id, "video.mp4", video)]
        if thumbnail:
            kept = _spool.write_in(content(-seed, 300), part / "thumbnail.jpg")
            assets.append(_spool.asset("thumbnail", take_id, "thumbnail.jpg", kept))
        new = NewTake(
            id=take_id,
            account=account,
            context=TakeContext(
                piece_id=None if reply_to else piece_id,
                notes=f"take {seed}",
                parent_submission_id=reply_to,
            ),
            assets=tuple(assets),
            duration_ms=5000,
            duration_seconds=5,
            width=1280,
            height=720,
            captured_at=datetime.fromtimestamp(captured, UTC),
            source_path=source_path,
            delete_source=delete_source,
        )
        _spool.describe_in(part, describe(new))
        _spool.publish(part, home.spool, take_id)
    return new


def add_take(
    queue: TakeQueue,
    *,
    seed: int = 1,
    account: Account = STUDENT,
    captured: float = NOON,
    thumbnail: bool = True,
    delete_source: bool = False,
    source_path: str | None = None,
    reply_to: str | None = None,
) -> Take:
    """A durable take in the queue."""
    new = new_take(
        queue.home,
        seed=seed,
        account=account,
        captured=captured,
        thumbnail=thumbnail,
        delete_source=delete_source,
        source_path=source_path,
        reply_to=reply_to,
    )
    return queue.add(new)


def claimed(queue: TakeQueue, *, owner: str = "w1", account: Account = STUDENT) -> Take:
    """The next take, under lease."""
    take = queue.claim(owner=owner, account=account)
    assert take is not None
    return take


def attempt(take: Take, step: str = "create", outcome: str = "ok") -> Attempt:
    """One line of history."""
    at = datetime.fromtimestamp(NOON, UTC)
    return Attempt(take.id, step, at, at, outcome, None, None, None, 0, counted=False)


def receipt(take: Take, **changes: object) -> dict[str, object]:
    """What the server signs for this take."""
    return {
        "asset_id": take.id,
        "s3_key": "k",
        "size_bytes": take.video.size_bytes,
        "sha256": take.video.sha256,
        "etag": '"e"',
        "verified": "sha256",
        "confirmed_at": "2026-11-20T12:00:00Z",
        "key_id": "k1",
        "signature": "s",
        **changes,
    }


def spool_names(home: Home) -> list[str]:
    """What lies in the spool."""
    return sorted(str(p.relative_to(home.spool)) for p in home.spool.rglob("*"))


def remove_video(home: Home, take: Take) -> Path:
    """Take the recording out of the spool, behind the queue's back."""
    path = _spool.locate(home.spool, take.video.name)
    path.unlink()
    return path
