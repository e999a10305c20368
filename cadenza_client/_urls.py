"""Which addresses this client talks to, and which it does not. Pure.

Three rules live here. The token goes to the API's origin and nowhere else (A07). Plain HTTP is for
loopback only (SEC-05). A URL to which the API tells us to send a video is somebody else's input:
it is checked as such before a connection is opened (SEC-09, O14, O17).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from uuid import UUID

from cadenza_client._redact import place
from cadenza_client.errors import ConfigError, ResponseError, UnsafeUploadUrlError

__all__ = ["ApiAddress", "Origin", "check_names_object", "check_signed_url", "parse_base_url"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NOT_IN_A_URL = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Origin(NamedTuple):
    """Scheme, host and port; two URLs of one origin may share a token."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether it names this machine, and so cannot be listened in on."""
        return _is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


@dataclass(frozen=True)
class ApiAddress:
    """The API's base URL: its origin, and the path all its routes stand under."""

    origin: Origin
    path: str

    def url(self, path: str) -> str:
        """The URL of a route."""
        return f"{self.origin}{self.path}{path}"

    def route(self, link: str) -> tuple[str, str]:
        """A `Link` target as path below the base URL and query.

        Raises:
            ResponseError: it leads to another origin or outside the base path. It would carry the
                token there.
        """
        try:
            absolute = urljoin(self.url("/"), link)
        except ValueError:
            absolute = ""
        parts, origin = _split(absolute)
        if origin != self.origin or "@" in parts.netloc:
            raise ResponseError(f"the next page is said to be elsewhere: {place(absolute)}")
        if not parts.path.startswith(f"{self.path}/"):
            raise ResponseError(f"the next page is outside the API: {place(absolute)}")
        return parts.path[len(self.path) :], parts.query


def parse_base_url(text: str) -> ApiAddress:
    """Check the address a user configured.

    Raises:
        ConfigError: not an http(s) URL, has a query or credentials in it, or is plain HTTP to
            another machine, where anyone on the way could read the token (SEC-05).
    """
    text = text.strip()
    parts, origin = _split(text)
    if origin is None:
        raise ConfigError(f"not an http(s) address: {place(text)}")
    if "@" in parts.netloc:
        raise ConfigError("the server's address must not hold a user name or password")
    if parts.query or parts.fragment:
        raise ConfigError("the server's address must not hold a query or a fragment")
    if origin.scheme == "http" and not origin.is_loopback:
        raise ConfigError(
            f"{origin} is plain HTTP to another machine: the sign-in would be readable on the way. "
            "Use https."
        )
    return ApiAddress(origin, parts.path.rstrip("/"))


# ── URLs the API hands out ─────────────────────────────────────────────────────────────────────


def check_signed_url(url: str, *, api: Origin, storage_hosts: Collection[str] = ()) -> Origin:
    """Refuse a signed URL this client should not talk to, and give its origin otherwise.

    It must be https, except on loopback for an API that is itself on loopback; name a host in
    DNS and not an address, unless it is the API's own; use the default port or the API's; and
    carry no credentials. With `storage_hosts` given, only these hosts (`host`, `host:port`, or
    `.suffix` for all below it) and the API's own are left.

    Raises:
        UnsafeUploadUrlError: with the reason, and without the URL's query.
    """
    parts, origin = _split(url)
    if origin is None:
        raise _unsafe(url, "it is not a plain http(s) URL")
    if "@" in parts.netloc:
        raise _unsafe(url, "it holds credentials")
    if "#" in url:
        raise _unsafe(url, "it has a fragment")
    own = _same_host(origin, api)
    listed = _listed(origin, storage_hosts)
    if storage_hosts and not (own or listed):
        raise _unsafe(url, "its host is not on the list of storage hosts")
    if origin.scheme == "http" and not (api.is_loopback and origin.is_loopback):
        raise _unsafe(url, "it is not https")
    if not own:
        if _is_address(origin.host) and not listed:
            raise _unsafe(url, "it names an address, not a host")
        if origin.is_loopback and not api.is_loopback:
            raise _unsafe(url, "it points to this machine")
    usual = {_DEFAULT_PORTS[origin.scheme]} | ({api.port} if own else set[int]())
    if origin.port not in usual and not _listed(origin, storage_hosts, with_port=True):
        raise _unsafe(url, f"port {origin.port} is not one of the storage's")
    return origin


def check_names_object(url: str, *, s3_key: str | None, submission_id: UUID | None) -> None:
    """Refuse a URL that is for another object than the submission's (O17).

    Sending there would put this student's video over someone else's. The key is known from the
    create; when only the id is known, a URL that names other ids and not this one is refused.

    Raises:
        UnsafeUploadUrlError: it is for another object.
    """
    path = unquote(urlsplit(url).path)
    if s3_key is not None:
        if not path.endswith(f"/{s3_key.lstrip('/')}"):
            raise _unsafe(url, "it is for another object than the submission's")
        return
    named = set(_UUID.findall(path.lower()))
    if submission_id is not None and named and str(submission_id) not in named:
        raise _unsafe(url, "it is for another submission")


def is_storage_host(origin: Origin, storage_hosts: Collection[str]) -> bool:
    """Whether the user listed this host (with its port, unless it is the default one)."""
    default_port = origin.port == _DEFAULT_PORTS[origin.scheme]
    return _listed(origin, storage_hosts, with_port=not default_port)


def _unsafe(url: str, reason: str) -> UnsafeUploadUrlError:
    return UnsafeUploadUrlError(f"refused to use {place(url)}: {reason}")


def _split(url: str) -> tuple[SplitResult, Origin | None]:
    """A URL in its parts; the origin is None for what is no plain http(s) URL."""
    try:
        parts = urlsplit(url)
        origin = _origin(parts.scheme, parts.hostname, parts.port)
    except ValueError:
        return SplitResult("", "", "", "", ""), None
    # urlsplit drops tabs and line ends and takes names in brackets; another parser may not.
    bracketed = "[" in parts.netloc or "]" in parts.netloc
    if _NOT_IN_A_URL.search(url) or bracketed != (":" in (parts.hostname or "")):
        return parts, None
    return parts, origin


def _origin(scheme: str, host: str | None, port: int | None) -> Origin | None:
    scheme = scheme.lower()
    host = (host or "").lower()
    if scheme not in _DEFAULT_PORTS or port == 0:
        return None
    # A trailing dot, a percent sign or a zone would make the same host look like another one.
    if ":" in host:
        ipaddress.IPv6Address(host)  # raises ValueError, as urlsplit itself does since 3.11.4
        if "%" in host:
            return None
    elif not _HOST_NAME.fullmatch(host) or len(host) > 253:
        return None
    return Origin(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port)


def _is_address(host: str) -> bool:
    """Whether a resolver would read the name as an address: `127.1`, `0x7f.1`, `2130706433`."""
    return ":" in host or _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]) is not None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _same_host(origin: Origin, api: Origin) -> bool:
    return origin.host == api.host or (origin.is_loopback and api.is_loopback)


def _listed(origin: Origin, hosts: Collection[str], *, with_port: bool = False) -> bool:
    for entry in hosts:
        host, port = _host_and_port(entry.strip().lower())
        if port is None and with_port:
            continue
        if port is not None and port != origin.port:
            continue
        if origin.host == host or (host.startswith(".") and origin.host.endswith(host)):
            return True
    return False


def _host_and_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        port = rest.removeprefix(":")
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    else:
        host, port = entry, ""
    return host, int(port) if port.isdecimal() else None
