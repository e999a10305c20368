"""What can be asked of the queue. Nothing here changes it."""

from __future__ import annotations

import builtins
from datetime import datetime
from typing import Any

from cadenza_uploader import _rows
from cadenza_uploader._queue._store import Store
from cadenza_uploader._states import Hold, Status
from cadenza_uploader.errors import AmbiguousTakeError, TakeNotFoundError
from cadenza_uploader.take import Attempt, NewTake, QueueCounts, QueueHold, Take, TakeEvent

#: Of a queue that fails for a year the last successes are no news.
_MOST_ATTEMPTS_LOOKED_AT = 1000


class Reading(Store):
    """Takes, counts, holds and history."""

    def get(self, ref: str) -> Take:
        """The take with this id, or with this unique beginning of at least four characters.

        Raises:
            TakeNotFoundError: there is none.
            AmbiguousTakeError: several begin so.
        """
        ref = ref.strip().lower()
        takes = self._takes("id = ?", [ref])
        if not takes and 4 <= len(ref) < 36:
            # A range keeps LIKE's wildcards out of user input (SEC-24) and uses the index.
            takes = self._takes("id >= ? AND id < ?", [ref, ref + "g"], limit=3)
        if not takes:
            raise TakeNotFoundError(f"There is no take {ref} in this queue.")
        if len(takes) > 1:
            raise AmbiguousTakeError(f"Several takes begin with {ref}; give more of the id.")
        return takes[0]

    def list(
        self,
        *,
        status: Status | None = None,
        unsent_only: bool = False,
        limit: int | None = 50,
        before: str | None = None,
    ) -> list[Take]:
        """Takes, newest first, a page at a time.

        Args:
            status: only takes with this status.
            unsent_only: only takes the teacher cannot see yet.
            limit: at most so many; None for all.
            before: only takes older than this one, for the next page.
        """
        where, values = ["1"], list[Any]()
        if status is not None:
            where.append("status = ?")
            values.append(status.value)
        if unsent_only:
            where.append("status <> 'uploaded'")
        if before is not None:
            anchor = self.get(before)
            where.append("(created_ms, id) < (?, ?)")
            values += [_rows.milliseconds(anchor.created_at), anchor.id]
        return self._takes(
            " AND ".join(where), values, order="created_ms DESC, id DESC", limit=limit
        )

    def find_unsent_copy(self, new: NewTake) -> Take | None:
        """An unsent take of the same bytes, account and context, if there is one (C15)."""
        video = next(asset for asset in new.assets if asset.kind == "video")
        same = self._takes(
            "status <> 'uploaded' AND id IN (SELECT take_id FROM assets WHERE sha256 = ?)",
            [video.sha256],
        )
        return next(
            (t for t in same if t.context == new.context and t.account == new.account), None
        )

    def counts(self) -> QueueCounts:
        """How many takes are where."""
        by_status = {
            row["status"]: row["n"]
            for row in self._query("SELECT status, count(*) AS n FROM takes GROUP BY status")
        }
        unsent = self._query(
            # A comparison with `<>` would read every take there is, and its assets.
            "WITH unsent AS (SELECT id, created_ms FROM takes "
            "WHERE status IN ('pending', 'uploading', 'failed')) "
            "SELECT (SELECT min(created_ms) FROM unsent) AS oldest, "
            "(SELECT coalesce(sum(assets.size_bytes), 0) "
            "FROM unsent CROSS JOIN assets ON assets.take_id = unsent.id) AS bytes"
        )[0]
        return QueueCounts(
            pending=by_status.get("pending", 0),
            uploading=by_status.get("uploading", 0),
            uploaded=by_status.get("uploaded", 0),
            failed=by_status.get("failed", 0),
            unsent_bytes=unsent["bytes"],
            oldest_unsent_at=_rows.moment(unsent["oldest"]) if unsent["oldest"] else None,
            holds=self.holds(),
        )

    def holds(self) -> tuple[QueueHold, ...]:
        """Holds on the whole queue, oldest first."""
        rows = self._query("SELECT * FROM queue_holds ORDER BY since_ms, hold")
        return tuple(
            QueueHold(Hold(row["hold"]), _rows.moment(row["since_ms"]), row["why"]) for row in rows
        )

    def events(self, take_id: str) -> builtins.list[TakeEvent]:
        """Everything that ever happened to a take here, oldest first."""
        rows = self._query("SELECT * FROM events WHERE take_id = ? ORDER BY seq", [take_id])
        return [_rows.event_from(row) for row in rows]

    def attempts(self, take_id: str) -> builtins.list[Attempt]:
        """Every step that was tried, oldest first."""
        rows = self._query("SELECT * FROM attempts WHERE take_id = ? ORDER BY seq", [take_id])
        return [_rows.attempt_from(row) for row in rows]

    def recent_rate(self) -> float | None:
        """Bytes a second of the latest whole videos; None before there are any.

        Small and quick ones tell little of a line: all bytes by all seconds, not a mean of means.
        """
        row = self._query(
            "SELECT sum(bytes_sent) AS bytes, sum(ended_ms - started_ms) AS ms FROM ("
            "SELECT bytes_sent, started_ms, ended_ms FROM attempts WHERE step = 'video' "
            "AND outcome = 'ok' AND seq > (SELECT max(seq) FROM attempts) - :looked_at "
            "ORDER BY seq DESC LIMIT 5)",
            {"looked_at": _MOST_ATTEMPTS_LOOKED_AT},
        )[0]
        return row["bytes"] * 1000 / row["ms"] if row["bytes"] and row["ms"] else None

    def next_due(self, *, after: datetime) -> datetime | None:
        """When the next take can be tried; None when none waits for a later time."""
        row = self._query(
            "SELECT min(due) AS due FROM ("
            "SELECT min(due_ms) AS due FROM takes INDEXED BY takes_due "
            "WHERE status = 'pending' AND hold IS NULL AND due_ms > :after "
            "UNION ALL SELECT min(due_ms) FROM takes WHERE status = 'failed' AND due_ms > :after "
            "UNION ALL SELECT min(due_ms) FROM takes WHERE stage = 3 AND due_ms > :after)",
            {"after": _rows.milliseconds(after)},
        )[0]
        return _rows.moment(row["due"]) if row["due"] is not None else None

    def ids_on_disk(self) -> frozenset[str]:
        """Ids of all takes, to compare with the spool."""
        return frozenset(row["id"] for row in self._query("SELECT id FROM takes"))
