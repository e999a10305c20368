"""From settings and a stored sign-in to a client: whose takes, which token, where to."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadenza_uploader._credentials import CredentialStore, origin
from cadenza_uploader._settings import Settings
from cadenza_uploader.errors import CredentialsError
from cadenza_uploader.take import Account

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient


#: Whose take this thread is sending; None outside of that, when any sign-in will do.
_acting_for: ContextVar[int | None] = ContextVar("acting_for", default=None)


@contextmanager
def acting_for(user_id: int | None) -> Generator[None]:
    """Let this thread send with the sign-in of one account only (A06).

    Somebody else may sign in on this device between two requests of one take. The take is then
    put back, for its requests find no token, and nothing of it lands in the other account.
    """
    before = _acting_for.set(user_id)
    try:
        yield
    finally:
        _acting_for.reset(before)


@dataclass(slots=True)
class StoredToken:
    """The client's token source: the store is asked for every request.

    Somebody may have signed in, or out, or as somebody else since the last one.
    """

    settings: Settings
    store: CredentialStore
    _given: str | None = field(default=None, repr=False)

    def token(self) -> str | None:
        """The bearer token, or None when nobody is signed in, or not the one who is needed.

        Raises:
            CredentialsError: the store cannot be used; never while a take is being sent, where
                the server's 401 puts it back and whoever looks next says what is wrong.
        """
        if self.settings.token is not None:
            return self.settings.token.get_secret_value()
        needed = _acting_for.get()
        try:
            credential = self.store.load(self.settings.url)
        except CredentialsError:
            if needed is None:
                raise
            credential = None
        if credential is None or needed not in (None, credential.user_id):
            self._given = None
        else:
            self._given = credential.token
        return self._given

    def refresh(self) -> bool:
        """Look at the store again; True when it holds another token than the refused one.

        One look is all a queue may do by itself (A02).
        """
        if self.settings.token is not None:
            return False
        refused = self._given
        return self.token() not in (None, refused)


def connect(settings: Settings, store: CredentialStore, *, transport: Any = None) -> CadenzaClient:
    """A client for the signed-in user.

    Args:
        settings: address, timings, allowed storage hosts.
        store: where the sign-in is kept.
        transport: an httpx transport, for tests.
    """
    from cadenza_client import CadenzaClient, RetryPolicy, Timeouts

    durations = settings.durations
    return CadenzaClient(
        settings.url,
        token=StoredToken(settings, store),
        timeout=Timeouts(
            connect_seconds=durations.connect_seconds,
            api_seconds=durations.reply_seconds,
            idle_seconds=durations.inactivity_seconds,
            reply_seconds=durations.reply_seconds,
        ),
        retry=RetryPolicy(
            attempts=durations.quick_tries,
            base_seconds=durations.quick_base_seconds,
            cap_seconds=durations.quick_cap_seconds,
        ),
        storage_hosts=settings.storage_hosts,
        transport=transport,
    )


def current_account(settings: Settings, store: CredentialStore) -> Account:
    """Whose takes are queued now; the user is None when nobody is signed in yet.

    Raises:
        CredentialsError: the stored sign-in cannot be used.
    """
    url = origin(settings.url)
    if settings.token is not None:
        # A token given by hand tells no user id offline; the take is bound at its first claim.
        return Account(url)
    credential = store.load(settings.url)
    return Account(url, credential.user_id if credential else None)
