"""The worker's side: claims in one statement, and outcomes only the lease's owner can write."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cadenza_uploader._queue._reading import Reading
from cadenza_uploader._states import FailCode, Hold, Stage
from cadenza_uploader.take import Account, AssetKind, Attempt, Take


@dataclass(frozen=True, slots=True)
class Setback:
    """Why a step did not succeed: a code for programs and a redacted sentence for people."""

    code: str
    sentence: str


_CLEANUP = {"confirmed": int(Stage.CONFIRMED), "cleaned": int(Stage.CLEANED)}


class Leases(Reading):
    """Transitions of a take under lease (T1–T9, T13) and of its clean-up (T6)."""

    def claim(
        self, *, owner: str, account: Account, only: Collection[str] | None = None
    ) -> Take | None:
        """Lease the next take that may be tried: due first, then oldest capture (T1, I11).

        One statement, so that no two claimers can read the same row and then both write
        (sqlite-utils' deferred `atomic()` raised `database is locked` 7,262 times in that test).

        Args:
            owner: name of the worker whose flock tells that it lives.
            account: who is signed in; takes of others are left alone, takes of nobody are bound.
            only: restrict to these ids.
        """
        # Left to itself SQLite takes the index by status and sorts all that is pending (D12).
        index, chosen, values = "INDEXED BY takes_due", "", dict[str, Any]()
        if only is not None:
            index = ""
            chosen = "AND id IN (SELECT value FROM json_each(:only))"
            values["only"] = json.dumps(sorted(only))
        sql = f"""
            UPDATE takes SET status = 'uploading', lease_owner = :owner,
                lease_epoch = lease_epoch + 1, claims = claims + 1,
                account_user_id = coalesce(account_user_id, :user), updated_ms = :now
            WHERE id = (
                SELECT id FROM takes {index}
                WHERE status = 'pending' AND hold IS NULL AND due_ms <= :now
                AND account_url = :url AND (account_user_id IS NULL OR account_user_id = :user)
                {chosen} ORDER BY due_ms, captured_ms, id LIMIT 1)
            RETURNING id
        """  # noqa: S608 - `index` and `chosen` are constants
        values |= {
            "owner": owner,
            "now": self._now_ms(),
            "url": account.server_url,
            "user": account.user_id,
        }
        with self._write() as db:
            row = db.execute(sql, values).fetchone()
        return self.get(row[0]) if row else None

    def registered(self, take: Take, server_id: str, *, attempts: Sequence[Attempt]) -> Take:
        """The server has the submission (T2)."""
        return self._settle(
            take, "stage = 1, server_id = :server_id", {"server_id": server_id}, attempts
        )

    def stored(
        self, take: Take, kind: AssetKind, etag: str | None, *, attempts: Sequence[Attempt]
    ) -> Take:
        """The store accepted one asset (T3); with the video, the take is `stored` (T4)."""
        with self._write() as db:
            db.execute(
                "UPDATE assets SET stored = 1, etag = ? WHERE take_id = ? AND kind = ?",
                [etag, take.id, kind],
            )
            stage = "stage = 2" if kind == "video" else "stage = stage"
            return self._settle(take, stage, {}, attempts)

    def asset_refused(self, take: Take, kind: AssetKind, *, attempts: Sequence[Attempt]) -> Take:
        """One more try of an optional asset was in vain; it never fails the take (B-10, O16)."""
        with self._write() as db:
            db.execute(
                "UPDATE assets SET tries = tries + 1 WHERE take_id = ? AND kind = ?",
                [take.id, kind],
            )
            return self._settle(take, "stage = stage", {}, attempts)

    def confirmed(
        self, take: Take, receipt: Mapping[str, Any], *, attempts: Sequence[Attempt]
    ) -> Take:
        """The server verified the object; its receipt is the licence to delete (T5, I2)."""
        return self._settle(
            take,
            "status = 'uploaded', stage = 3, receipt = :receipt, lease_owner = NULL, claims = 0, "
            "hold = NULL, due_ms = 0, last_error_code = NULL, last_error = NULL",
            {"receipt": json.dumps(dict(receipt), sort_keys=True)},
            attempts,
        )

    def delayed(
        self,
        take: Take,
        setback: Setback,
        due_ms: int,
        *,
        attempts: Sequence[Attempt],
        counted: bool = True,
    ) -> Take:
        """An attempt failed, and counts unless told so: pending again, not before `due_ms` (T7)."""
        return self._settle(
            take,
            "status = 'pending', lease_owner = NULL, claims = 0, attempts = attempts + :counted, "
            "due_ms = :due, delay_ms = max(0, :due - :now), "
            "last_error_code = :code, last_error = :sentence, "
            "create_sent = max(create_sent, :create_sent)",
            {
                **_setback(setback),
                "due": due_ms,
                "create_sent": int(take.create_sent),
                "counted": int(counted),
            },
            attempts,
        )

    def released(
        self,
        take: Take,
        setback: Setback,
        *,
        hold: Hold | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> Take:
        """Put back without spending an attempt: offline, signed out, stopped (T8, I7)."""
        return self._settle(
            take,
            "status = 'pending', lease_owner = NULL, claims = 0, hold = :hold, "
            "last_error_code = :code, last_error = :sentence, "
            "create_sent = max(create_sent, :create_sent)",
            {
                **_setback(setback),
                "hold": hold.value if hold else None,
                "create_sent": int(take.create_sent),
            },
            attempts,
        )

    def failed(
        self,
        take: Take,
        fail_code: FailCode,
        setback: Setback,
        due_ms: int,
        *,
        attempts: Sequence[Attempt],
    ) -> Take:
        """Failed, files kept; probed again at `due_ms` (T9, I6)."""
        return self._settle(
            take,
            "status = 'failed', lease_owner = NULL, claims = 0, fail_code = :fail, "
            "attempts = attempts + :counted, due_ms = :due, delay_ms = max(0, :due - :now), "
            "last_error_code = :code, last_error = :sentence, "
            "create_sent = max(create_sent, :create_sent)",
            {
                **_setback(setback),
                "create_sent": int(take.create_sent),
                "fail": fail_code.value,
                "counted": int(fail_code is FailCode.ATTEMPTS_EXHAUSTED),
                "due": due_ms,
            },
            attempts,
        )

    def demoted(self, take: Take, stage: Stage, *, attempts: Sequence[Attempt]) -> Take:
        """The server says that what we thought done is not: go back, on its word only (T13)."""
        with self._write() as db:
            db.execute("UPDATE assets SET stored = 0, etag = NULL WHERE take_id = ?", [take.id])
            gone = ", server_id = NULL" if stage is Stage.RECORDED else ""
            return self._settle(
                take,
                f"stage = :stage, demotions = demotions + 1{gone}",
                {"stage": int(stage)},
                attempts,
            )

    def cleaned(self, take: Take) -> Take:
        """The spool copies are gone and the directory is synced (T6)."""
        self._update(
            "UPDATE takes SET stage = :cleaned, due_ms = 0, updated_ms = :now "
            "WHERE id = :id AND stage = :confirmed",
            {"id": take.id, **_CLEANUP},
        )
        return self.get(take.id)

    def cleanup_delayed(self, take: Take, setback: Setback, due_ms: int) -> None:
        """The files cannot be removed yet; the upload itself is done (F05)."""
        self._update(
            "UPDATE takes SET due_ms = :due, delay_ms = max(0, :due - :now), "
            "last_error_code = :code, last_error = :sentence, "
            "updated_ms = :now WHERE id = :id AND stage = :confirmed",
            {**_setback(setback), **_CLEANUP, "id": take.id, "due": due_ms},
        )

    def to_clean(self, *, limit: int = 100) -> list[Take]:
        """Confirmed takes whose files are due to go."""
        return self._takes(
            f"stage = {int(Stage.CONFIRMED)} AND due_ms <= ?",
            [self._now_ms()],
            order="due_ms",
            limit=limit,
        )


def _setback(setback: Setback) -> dict[str, Any]:
    return {"code": setback.code, "sentence": setback.sentence}
