"""What start-up recovery and the slow pace need of the queue (T10, T11, recovery step 7)."""

from __future__ import annotations

from cadenza_uploader._backoff import BackoffPolicy
from cadenza_uploader._queue._leases import Leases, Setback
from cadenza_uploader._states import FailCode
from cadenza_uploader.take import Take

_CLAMPED = (
    "min(CASE status WHEN 'failed' THEN :failed ELSE :waiting END, "
    "CASE delay_ms WHEN 0 THEN due_ms ELSE :now + delay_ms END)"
)


class Recovery(Leases):
    """Freeing the takes of dead workers, reviving failed ones, taming wrong clocks."""

    def leased(self) -> list[tuple[Take, str]]:
        """Takes under a lease, with the worker that holds it."""
        # `+id`: the index of leases, not that of all ids, which would spare the sorting of a few.
        rows = self._query(
            "SELECT id, lease_owner FROM takes WHERE lease_owner IS NOT NULL ORDER BY +id"
        )
        return [(self.get(row["id"]), row["lease_owner"]) for row in rows]

    def reclaim(self, take: Take, *, poison_claims: int, slow_due_ms: int, due_ms: int = 0) -> Take:
        """Free the take of a dead worker; three deaths in a row make it poison (T11, P10)."""
        if take.claims >= poison_claims:
            setback = Setback(
                "poison", f"Sending this take stopped the uploader {take.claims} times in a row."
            )
            return self.failed(take, FailCode.POISON, setback, slow_due_ms, attempts=())
        # Dead before an outcome: the create may have reached the server.
        return self._settle(
            take,
            "status = 'pending', lease_owner = NULL, "
            "due_ms = :due, delay_ms = max(0, :due - :now), "
            "create_sent = CASE WHEN stage = 0 THEN 1 ELSE create_sent END",
            {"due": due_ms},
            [],
        )

    def revive_due(self) -> int:
        """Failed takes whose slow pace has come round: one more try each (T10)."""
        return self._update(
            "UPDATE takes SET status = 'pending', fail_code = NULL, due_ms = 0, "
            "attempts = max(attempts - 1, 0), updated_ms = :now "
            "WHERE status = 'failed' AND due_ms <= :now",
            {},
        )

    def clamp_due(self, policy: BackoffPolicy) -> int:
        """Bring back times that a clock set back would stretch (K02, recovery step 7, I12).

        No take waits longer than it was told to when it was put back, nor longer than the policy
        ever says.
        """
        now_ms, latest = self._now_ms(), 2**62
        return self._update(
            f"UPDATE takes SET updated_ms = :now, due_ms = {_CLAMPED} "  # noqa: S608 - a constant
            f"WHERE due_ms > {_CLAMPED} AND status <> 'uploading'",
            {
                "failed": policy.clamp_ms(latest, now_ms, failed=True),
                "waiting": policy.clamp_ms(latest, now_ms, failed=False),
            },
        )

    def check(self) -> str:
        """SQLite's own verdict on the file: `ok`, or what is wrong (D07)."""
        row = self._query("PRAGMA quick_check(1)")[0]
        return str(row["quick_check"])
