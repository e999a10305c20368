"""What may be said of a URL or of somebody else's text: an allow-list, in one place (SEC-04).

A presigned URL is a password with an expiry, and servers, proxies and libraries like to repeat
whole URLs in their messages. Everything this package puts into an exception, a log record or a
`repr` has been through here.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["place", "scrub"]

_LONGEST_TEXT = 500

_URL = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^\s\"'<>`]+")
# A query without its scheme and host: what is left when a message quotes only the path.
_QUERY = re.compile(r"\?[^\s\"'<>`]*=[^\s\"'<>`]*")
_SIGNED_FIELD = re.compile(
    r"(?i)\b(x-amz-[a-z0-9-]+|awsaccesskeyid|signature|sig|token|access_token|password|cookie)"
    r"\s*[=:]\s*[^\s\"'<>&,;`]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"'<>,;`]+")
_JWT = re.compile(r"\beyJ[\w-]{4,}\.[\w-]*\.?[\w-]*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def place(url: str) -> str:
    """The part of a URL that may be shown: scheme, host, port and path; never the query."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(not a URL)"
    if not parts.scheme or not host:
        return "(not a URL)"
    if ":" in host:
        host = f"[{host}]"
    shown = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"
    return _UNPRINTABLE.sub(" ", shown)


def scrub(text: str) -> str:
    """Somebody else's text without queries, credentials, control characters, or great length."""
    text = _UNPRINTABLE.sub(" ", text[: 4 * _LONGEST_TEXT])
    text = _URL.sub(lambda found: place(found.group()), text)
    text = _QUERY.sub("?…", text)
    text = _BEARER.sub(r"\1 …", text)
    text = _SIGNED_FIELD.sub(r"\1=…", text)
    text = _JWT.sub("…", text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
