"""A client's settings, frozen, and where they come from: arguments first, then the environment.

The environment arrives as a mapping. Nothing here reads `os.environ`, so that a test, or a program
that serves several accounts, can say what the environment is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from cadenza_client._retry import RetryPolicy
from cadenza_client._urls import ApiAddress, Origin, parse_base_url
from cadenza_client.errors import ConfigError

__all__ = ["ClientConfig", "FixedToken", "Timeouts", "TokenSource", "proxy_for", "resolve_config"]


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for what, in seconds. No field limits a whole upload.

    Attributes:
        connect_seconds: for a connection, TLS included.
        api_seconds: for an API answer, from the first byte of the request to the last of the
            answer, so that an answer that dribbles in cannot hold a worker (N14).
        idle_seconds: an upload or download on which nothing moves for so long is given up (N05).
        reply_seconds: for the storage's answer once the last byte has left, and for the API's
            answer to a confirm, which looks at the object (N13).
        continue_seconds: how long an upload waits to be refused before it sends its body.
    """

    connect_seconds: float = 10.0
    api_seconds: float = 30.0
    idle_seconds: float = 30.0
    reply_seconds: float = 60.0
    continue_seconds: float = 1.0


@runtime_checkable
class TokenSource(Protocol):
    """Where the bearer token comes from, for a token that can change under a running client.

    Both methods may be called from any thread, and from a worker thread by the async client.
    """

    def token(self) -> str | None:
        """The token to send now; None to send none."""
        ...

    def refresh(self) -> bool:
        """Called once after a 401; True to try again with what `token()` then says."""
        ...


@dataclass(frozen=True)
class FixedToken:
    """A token that never changes."""

    value: str | None = field(repr=False)

    def token(self) -> str | None:
        """The token."""
        return self.value

    def refresh(self) -> bool:
        """There is no other one."""
        return False


@dataclass(frozen=True)
class ClientConfig:
    """Everything a client is told once."""

    api: ApiAddress
    tokens: TokenSource
    timeouts: Timeouts
    retry: RetryPolicy
    storage_hosts: tuple[str, ...]
    user_agent: str
    env: Mapping[str, str] = field(repr=False)


def resolve_config(
    base_url: str | None,
    *,
    token: str | TokenSource | None,
    timeout: Timeouts | None,
    retry: RetryPolicy | None,
    storage_hosts: Collection[str],
    user_agent: str,
    env: Mapping[str, str],
) -> ClientConfig:
    """Arguments over `CADENZA_URL` and `CADENZA_TOKEN` over nothing.

    Raises:
        ConfigError: there is no address, or the address or token cannot be used.
    """
    address = base_url or env.get("CADENZA_URL", "")
    if not address.strip():
        raise ConfigError("no server address: pass base_url or set CADENZA_URL")
    if token is None:
        token = env.get("CADENZA_TOKEN") or None
    tokens = FixedToken(token) if token is None or isinstance(token, str) else token
    if isinstance(tokens, FixedToken):
        check_token(tokens.value)
    if isinstance(storage_hosts, str):
        raise ConfigError("storage_hosts is a collection of host names, not one string")
    return ClientConfig(
        api=parse_base_url(address),
        tokens=tokens,
        timeouts=timeout or Timeouts(),
        retry=retry or RetryPolicy(),
        storage_hosts=tuple(storage_hosts),
        user_agent=user_agent,
        env=env,
    )


def check_token(token: str | None) -> None:
    """Refuse a token that could not stand in a header.

    The HTTP library would say so as well, but it quotes the value (SEC-02).

    Raises:
        ConfigError: it is empty or holds spaces, line ends or other control characters.
    """
    if token is None:
        return
    if not token or not all("\x21" <= character <= "\x7e" for character in token):
        raise ConfigError("the token is empty or holds characters a header cannot carry")


def proxy_for(origin: Origin, env: Mapping[str, str]) -> str | None:
    """The proxy a request goes through, by the usual variables; None to connect directly.

    Only https goes through a proxy, as a tunnel the proxy cannot look into: what is plain HTTP
    is for this machine, and a token must not be handed to a proxy to be brought back to loopback.

    Raises:
        ConfigError: the variable does not hold an `http://` proxy address.
    """
    if origin.scheme != "https" or origin.is_loopback:
        return None
    named = {name.lower(): value for name, value in env.items() if name.lower() in _PROXY_NAMES}
    address = (named.get("https_proxy") or named.get("all_proxy") or "").strip()
    if not address or _bypasses(origin, named.get("no_proxy", "")):
        return None
    if "://" not in address:
        address = f"http://{address}"
    try:
        parts = urlsplit(address)
        usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError("HTTPS_PROXY must be an http:// address")
    return address


def proxy_credentials(proxy: str) -> tuple[bytes, bytes] | None:
    """User name and password of a proxy address."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    return unquote(parts.username).encode(), unquote(parts.password or "").encode()


_PROXY_NAMES = frozenset({"https_proxy", "all_proxy", "no_proxy"})


def _bypasses(origin: Origin, no_proxy: str) -> bool:
    for entry in no_proxy.lower().split(","):
        name, _, port = entry.strip().partition(":")
        if port and port != str(origin.port):
            continue
        name = name.removeprefix("*").removeprefix(".")
        if entry.strip() == "*" or (name and f".{origin.host}".endswith(f".{name}")):
            return True
    return False
