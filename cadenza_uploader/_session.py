"""From settings and a stored sign-in to a client: whose takes, which token, where to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadenza_uploader._credentials import CredentialStore, origin
from cadenza_uploader._settings import Settings
from cadenza_uploader.take import Account

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient


@dataclass(slots=True)
class StoredToken:
    """The client's token source: the store is read again when the server says 401.

    Somebody may have signed in meanwhile; one look is all a queue may do by itself (A02).
    """

    settings: Settings
    store: CredentialStore
    _token: str | None = None

    def token(self) -> str | None:
        """The bearer token, or None when nobody is signed in."""
        if self.settings.token is not None:
            return self.settings.token.get_secret_value()
        if self._token is None:
            credential = self.store.load(self.settings.url)
            self._token = credential.token if credential else None
        return self._token

    def refresh(self) -> bool:
        """Look at the store again; True when it holds another token than the refused one."""
        refused, self._token = self._token, None
        fresh = self.token()
        return fresh is not None and fresh != refused


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
    """Whose takes are queued now; the user is None when nobody is signed in yet."""
    url = origin(settings.url)
    if settings.token is not None:
        # A token given by hand tells no user id offline; the take is bound at its first claim.
        return Account(url)
    credential = store.load(settings.url)
    return Account(url, credential.user_id if credential else None)
