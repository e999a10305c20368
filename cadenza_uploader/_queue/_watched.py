"""What a watched folder holds and what became of it: the database is the truth (C39)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cadenza_uploader._queue._store import Store, insert


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Tells whether a file is the one that was looked at before."""

    size_bytes: int
    modified_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Watched:
    """One file of a watched folder that has been dealt with.

    Attributes:
        outcome: `queued`, or the code of the refusal.
        take_id: the take that was made of it.
    """

    path: Path
    fingerprint: Fingerprint
    outcome: str
    take_id: str | None


class WatchedFiles(Store):
    """Files dealt with, so that a restart or a missed event queues nothing twice or never."""

    def watched(self, path: Path) -> Watched | None:
        """What became of this file, if it was dealt with."""
        rows = self._query("SELECT * FROM watched WHERE path = ?", [str(path)])
        if not rows:
            return None
        row = rows[0]
        fingerprint = Fingerprint(row["size_bytes"], row["modified_ns"], row["inode"])
        return Watched(path, fingerprint, row["outcome"], row["take_id"])

    def note_watched(self, watched: Watched) -> None:
        """Remember what became of a file, in place of what was known of it."""
        with self._write() as db:
            db.execute("DELETE FROM watched WHERE path = ?", [str(watched.path)])
            insert(
                db,
                "watched",
                {
                    "path": str(watched.path),
                    "size_bytes": watched.fingerprint.size_bytes,
                    "modified_ns": watched.fingerprint.modified_ns,
                    "inode": watched.fingerprint.inode,
                    "outcome": watched.outcome,
                    "take_id": watched.take_id,
                    "at_ms": self._now_ms(),
                },
            )
