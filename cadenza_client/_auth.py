"""Which requests carry the token, and what happens on a 401. Decisions only; no I/O."""

from __future__ import annotations

from threading import Lock

from cadenza_client._config import TokenSource, check_token

__all__ = ["Bearer"]


class Bearer:
    """The token of one client, refreshed at most once at a time (A03).

    Two requests that meet a 401 together must not both refresh: with a rotating refresh token the
    second would invalidate what the first has just got. So a refresh happens under a lock, and
    whoever waited for it looks first whether the token has changed meanwhile.
    """

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens
        self._refreshing = Lock()

    def current(self) -> str | None:
        """The token to send now.

        Raises:
            ConfigError: the source gave something a header cannot carry.
        """
        token = self._tokens.token()
        check_token(token)
        return token

    def renewed_since(self, used: str | None) -> bool:
        """After a 401 with `used`: whether there is another token to try.

        This may take as long as the source needs to refresh; the async client calls it in a
        thread.
        """
        with self._refreshing:
            if self._tokens.token() != used:
                return True
            return self._tokens.refresh()
