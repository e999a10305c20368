"""Takes for the sweeps: bytes the server's sniffing takes for MP4, made from a seed, no codec."""

from __future__ import annotations

import hashlib
import random
import uuid
from datetime import UTC, datetime
from pathlib import Path

from cadenza_uploader import TakeQueue, _spool
from cadenza_uploader._description import describe
from cadenza_uploader.take import Account, NewTake, Take, TakeContext

_FTYP = bytes.fromhex("00000018667479706d703432000000006d70343269736f6d")
SIZE_BYTES = 150_000


def recording(seed: int, size_bytes: int = SIZE_BYTES) -> bytes:
    """The bytes of a seed."""
    return _FTYP + random.Random(seed).randbytes(size_bytes - len(_FTYP))


def take_id_of(seed: int) -> str:
    """The id a seed's take gets: known before the child says it."""
    return str(uuid.UUID(int=seed + (1 << 100), version=4))


def queue_take(
    queue: TakeQueue, seed: int, account: Account, *, size_bytes: int = SIZE_BYTES
) -> str:
    """Durable intake of a seed's take: files, directory, row."""
    take_id = take_id_of(seed)
    with _spool.part(queue.home.spool, take_id) as part:
        kept = _spool.write_in(recording(seed, size_bytes), part / "video.mp4")
        new = NewTake(
            id=take_id,
            account=account,
            context=TakeContext(piece_id=PIECE.read_id(queue), notes=f"seed {seed}"),
            assets=(_spool.asset("video", take_id, "video.mp4", kept),),
            duration_ms=5000,
            duration_seconds=5,
            width=1280,
            height=720,
            captured_at=datetime.now(UTC),
        )
        _spool.describe_in(part, describe(new))
        _spool.publish(part, queue.home.spool, take_id)
    queue.add(new)
    return take_id


class _Piece:
    """The piece's id, left in the home by the test that started the child."""

    def read_id(self, queue: TakeQueue) -> str:
        return (queue.home.path / "piece-id").read_text()

    def leave(self, home: Path, piece_id: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "piece-id").write_text(piece_id)


PIECE = _Piece()


def lies_safe(take: Take, home: Path) -> bool:
    """Whether the spool holds exactly what was recorded."""
    path = home / "spool" / take.video.name
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == take.video.sha256
