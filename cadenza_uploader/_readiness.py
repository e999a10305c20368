"""Whether anything may be sent now, and if not, what the queue waits for.

A hold belongs to the whole queue and costs no take an attempt (I7): the user's pause, a missing
sign-in, a missing network, or a server that asked to be left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time
from typing import TYPE_CHECKING

from cadenza_client.errors import AuthenticationError, CadenzaError
from cadenza_uploader._credentials import CredentialStore
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._session import current_account
from cadenza_uploader._settings import Settings
from cadenza_uploader._settlement import Carried
from cadenza_uploader._states import Hold
from cadenza_uploader.errors import CredentialsError
from cadenza_uploader.events import Observer, QueueHeld, QueueReleased
from cadenza_uploader.take import Account

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient

_LEAST_SECONDS = 1.0
SIGN_IN = "Nobody is signed in on this device. Run: cadenza login"


class Readiness:
    """The holds of one queue, as its uploader sees them.

    Args:
        queue: where holds are kept.
        settings: address and timings.
        store: the stored sign-in.
        observer: told of holds that begin and end.
        monotonic: seconds that never jump. random: on [0, 1).
        local_time: the wall clock on the wall.
        metered: whether the line costs money, None when nobody knows.
    """

    def __init__(
        self,
        queue: TakeQueue,
        *,
        settings: Settings,
        store: CredentialStore,
        observer: Observer,
        monotonic: Callable[[], float],
        random: Callable[[], float],
        local_time: Callable[[], time],
        metered: Callable[[], bool | None],
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._store = store
        self._observer = observer
        self._monotonic = monotonic
        self._random = random
        self._local_time = local_time
        self._metered = metered
        self._policy = settings.policy
        timings = settings.durations
        self._probe = Probe(timings.probe_first_seconds, timings.probe_cap_seconds)
        self._longest_pause_seconds = timings.backoff.hint_cap_seconds
        self._user_id: int | None = None
        self._not_before = 0.0

    def account(self, client: CadenzaClient) -> Account | None:
        """Whose takes may be sent now; None while the queue is held."""
        holds = {hold.hold for hold in self._queue.holds()}
        if Hold.USER in holds:
            return None
        constraint = self.constraint()
        if constraint is not None:
            self._hold(Hold.CONSTRAINT, constraint)
            return None
        self._release(Hold.CONSTRAINT)
        try:
            account = current_account(self._settings, self._store)
        except CredentialsError as error:
            # A locked keyring or a lax file: the sentence says what to do, and we look again (A04).
            self._hold(Hold.AUTH, str(error))
            return None
        if account.user_id is None and self._settings.token is None:
            self._hold(Hold.AUTH, SIGN_IN)
            return None
        if Hold.NETWORK in holds and not self._network_is_back(client):
            return None
        if account.user_id is None:
            account = replace(account, user_id=self._user_id)
        if Hold.AUTH in holds or account.user_id is None:
            return self._introduced(client, account)
        return account

    def constraint(self) -> str | None:
        """Why the user's own policy forbids sending now; asked during transfers too (N20)."""
        metered = None if self._policy.allow_metered else self._metered()
        return self._policy.refusal(metered=metered, now=self._local_time())

    def note(self, carried: Carried) -> None:
        """Remember what the end of a claim means for all takes."""
        if carried.hold is Hold.NETWORK:
            self._probe.failed(self._monotonic(), self._random)
        pause = min(carried.pause_seconds, self._longest_pause_seconds)
        self._not_before = max(self._not_before, self._monotonic() + pause)

    def look_again(self) -> None:
        """Something changed: probe the network at once."""
        self._probe.reset()

    @property
    def paused_seconds(self) -> float:
        """How long the server still wants to be left alone (S02)."""
        return max(0.0, self._not_before - self._monotonic())

    @property
    def probe_seconds(self) -> float:
        """How long until the next look at the network."""
        return self._probe.seconds(self._monotonic())

    def _introduced(self, client: CadenzaClient, account: Account) -> Account | None:
        """Ask the server who we are: after a 401, and for a token given by hand."""
        try:
            me = client.auth.me()
        except AuthenticationError as error:
            self._hold(Hold.AUTH, f"The server does not accept the sign-in: {error}")
            return None
        except CadenzaError as error:
            self._hold(Hold.NETWORK, str(error))
            self._probe.failed(self._monotonic(), self._random)
            return None
        self._release(Hold.AUTH)
        self._user_id = me.id
        return replace(account, user_id=me.id)

    def _network_is_back(self, client: CadenzaClient) -> bool:
        if not self._probe.is_due(self._monotonic()):
            return False
        try:
            client.health()
        except CadenzaError:
            self._probe.failed(self._monotonic(), self._random)
            return False
        self._probe.reset()
        self._release(Hold.NETWORK)
        return True

    def _hold(self, hold: Hold, why: str) -> None:
        if not any(held.hold is hold for held in self._queue.holds()):
            self._observer(QueueHeld(hold, why))
        self._queue.hold_queue(hold, why)

    def _release(self, hold: Hold) -> None:
        if self._queue.release_queue(hold):
            self._observer(QueueReleased(hold))


class Probe:
    """When to look at the network again: at once after a wake-up, else with back-off (N01)."""

    def __init__(self, first_seconds: float, cap_seconds: float) -> None:
        self._first = first_seconds
        self._cap = cap_seconds
        self._looked_at = float("-inf")
        self.reset()

    def reset(self) -> None:
        """Look soon, but never twice in a second, however often the network changes (N01)."""
        self._delay = self._first
        self._due = self._looked_at + _LEAST_SECONDS

    def is_due(self, now: float) -> bool:
        """Whether it is time to look."""
        return now >= self._due

    def failed(self, now: float, random: Callable[[], float]) -> None:
        """Nothing there: wait longer, between half and all of the ceiling."""
        self._looked_at = now
        self._due = now + self._delay * (0.5 + random() / 2)
        self._delay = min(self._delay * 2, self._cap)

    def seconds(self, now: float) -> float:
        """How long until the next look."""
        return max(0.0, self._due - now)
