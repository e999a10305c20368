"""Intake, and what the user may ask of the queue: retry, pause, resume, cancel, forget."""

from __future__ import annotations

from datetime import datetime

from cadenza_uploader import _rows
from cadenza_uploader._queue._reading import Reading
from cadenza_uploader._queue._store import insert
from cadenza_uploader._states import Hold, Stage, Status
from cadenza_uploader.errors import IllegalStepError
from cadenza_uploader.take import NewTake, Take


class Verbs(Reading):
    """Transitions that need no lease (T0, T10, T14, T15)."""

    def add(self, new: NewTake, *, may_be_known: bool = False) -> Take:
        """Write the row of a take whose files are durable already (T0, I1).

        A row with that id is left as it is: recovery may have adopted the files between their
        publication and this call.

        Args:
            new: what the row says.
            may_be_known: whether an earlier row, now lost, may have been announced to the server;
                a v1 server, which makes its own ids, is then asked before it is told again (I3).
        """
        with self._write() as db:
            if self._takes("id = ?", [new.id]):
                return self.get(new.id)
            columns = _rows.take_columns(new, self._now_ms())
            insert(db, "takes", {**columns, "create_sent": int(may_be_known)})
            for asset in new.assets:
                insert(db, "assets", _rows.asset_columns(new.id, asset))
        return self.get(new.id)

    def retry(self, take_id: str) -> Take:
        """Try a failed or waiting take at once, with all its attempts back (T10, T15).

        Raises:
            IllegalStepError: it is uploaded already.
        """
        take = self.get(take_id)
        if take.status is Status.UPLOADED:
            raise IllegalStepError(f"Take {take.short_id} is uploaded; there is nothing to retry.")
        self._update(
            "UPDATE takes SET status = 'pending', fail_code = NULL, attempts = 0, claims = 0, "
            "due_ms = 0, hold = NULL, updated_ms = :now "
            "WHERE id = :id AND status IN ('pending', 'failed')",
            {"id": take.id},
        )
        return self.get(take.id)

    def retry_all(self) -> int:
        """Try every failed take at once; the number of them."""
        return self._update(
            "UPDATE takes SET status = 'pending', fail_code = NULL, attempts = 0, claims = 0, "
            "due_ms = 0, hold = NULL, updated_ms = :now WHERE status = 'failed'",
            {},
        )

    def pause(self, why: str = "You paused the queue.") -> None:
        """Hold the whole queue until `resume`."""
        self.hold_queue(Hold.USER, why)

    def resume(self) -> None:
        """End the user's pause."""
        self.release_queue(Hold.USER)

    def hold_queue(self, hold: Hold, why: str) -> None:
        """Hold every take without touching a row: it costs the same for one and for 100,000."""
        self._update(
            "INSERT INTO queue_holds (hold, since_ms, why) VALUES (:hold, :now, :why) "
            "ON CONFLICT (hold) DO UPDATE SET why = excluded.why",
            {"hold": hold.value, "why": why},
        )

    def release_queue(self, hold: Hold) -> bool:
        """End a hold on the whole queue; whether there was one (T15)."""
        return bool(
            self._update("DELETE FROM queue_holds WHERE hold = :hold", {"hold": hold.value})
        )

    def mark_for_removal(self, take_id: str) -> Take:
        """Take an unsent take out of the way of the worker, at the user's word (T14).

        Raises:
            IllegalStepError: a worker has it, or it is uploaded.
        """
        changed = self._update(
            "UPDATE takes SET status = 'pending', fail_code = NULL, hold = 'user', "
            "updated_ms = :now WHERE id = :id AND status IN ('pending', 'failed')",
            {"id": take_id},
        )
        if not changed:
            take = self.get(take_id)
            raise IllegalStepError(
                f"Take {take.short_id} is {take.status.value}; only a take that waits or failed "
                "can be cancelled."
            )
        return self.get(take_id)

    def forget(self, take_id: str) -> None:
        """Remove the row of a cancelled or cleaned take, and its history."""
        with self._write() as db:
            db.execute("DELETE FROM assets WHERE take_id = ?", [take_id])
            db.execute("DELETE FROM takes WHERE id = ?", [take_id])
            db.execute("DELETE FROM events WHERE take_id = ?", [take_id])
            db.execute("DELETE FROM attempts WHERE take_id = ?", [take_id])

    def cleaned_before(self, at: datetime) -> list[Take]:
        """Takes that are done and were last touched before `at`."""
        return self._takes(
            f"stage = {int(Stage.CLEANED)} AND updated_ms < ?", [_rows.milliseconds(at)]
        )
