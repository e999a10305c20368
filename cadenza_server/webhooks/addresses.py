"""Which addresses the server calls for a user: public ones, over TLS (B-47).

The check is made on the address that is connected to, after the name was resolved: a name that
resolves to something else at the second look gets nowhere, since there is no second look.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from cadenza_server.errors import ApiError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
MAX_URL = 2000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class AddressNotAllowedError(Exception):
    """The name leads to an address that is not public."""


class Target(NamedTuple):
    """Where to post to."""

    scheme: str
    host: str
    port: int
    path: str


def check_url(url: str, *, dev: bool) -> None:
    """Refuse addresses no webhook can have.

    Raises:
        ApiError: `url_not_allowed`, with the reason.
    """
    if reason := _objection(url, dev=dev):
        raise ApiError("url_not_allowed", f"This address can't be called: {reason}.")


def _objection(url: str, *, dev: bool) -> str | None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
        host.encode("idna")
    except (ValueError, UnicodeError):
        return "it is not a URL"
    if len(url) > MAX_URL or not url.isprintable() or not url.isascii() or " " in url:
        return "it is not a URL"
    if is_dev_target(parts, dev=dev):
        return None
    if parts.scheme != "https":
        return "it must begin with https://"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "it must have no user name, password or fragment"
    literal = _literal(host)
    if not host or (literal is None and "." not in host.strip(".")):
        return "it needs a host name on the internet"
    if literal is not None and not is_public(literal):
        return "it is not on the public internet"
    return None


def is_dev_target(parts: SplitResult, *, dev: bool) -> bool:
    """In dev only: a receiver on this machine, without TLS."""
    has_user = parts.username is not None or parts.password is not None
    return dev and parts.scheme == "http" and parts.hostname in _LOOPBACK_NAMES and not has_user


def target_of(url: str) -> Target:
    """The parts of a URL that was checked."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname or "", port, path)


def allowed_addresses(
    host: str, port: int, *, loopback: bool, resolve: Resolve | None = None
) -> list[str]:
    """What a name resolves to, when all of it is public.

    One address that is not public refuses them all: a name that gives both is up to something.

    Args:
        host: a name or an address.
        port: where to.
        loopback: True for a receiver on this machine (dev): then nothing else is allowed.
        resolve: for tests.

    Raises:
        AddressNotAllowedError: see there.
        OSError: the name does not resolve.
    """
    found = list((resolve or resolve_host)(host, port))
    for text in found:
        address = ipaddress.ip_address(text)
        if not (address.is_loopback if loopback else is_public(address)):
            raise AddressNotAllowedError(host)
    return found


def resolve_host(host: str, port: int) -> list[str]:
    """The system's answer, in the system's order."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))


def is_public(address: IPAddress) -> bool:
    """True for an address on the internet, also when it is wrapped in an IPv6 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            return False
        if inner is not None:
            return is_public(inner)
        if int(address) >> 32 == 0 or address.is_site_local:
            return False  # ::/96, IPv4-compatible: no longer in use, and loopback in disguise
    return address.is_global and not address.is_multicast and not address.is_reserved


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:  # 127.1, 0x7f.1, 2130706433: what the resolver takes as an address, too
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
