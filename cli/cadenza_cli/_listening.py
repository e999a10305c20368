"""A receiver of webhooks on loopback: it believes what is signed and says what it heard.

Only 127.0.0.1 is listened on, a body is read up to a bound, and nothing of what was not signed is
shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

__all__ = ["Listener"]

_MOST_BYTES = 262_144
_PATIENCE_SECONDS = 10.0

Hear = Callable[[Mapping[str, str], bytes], bool]


class Listener(HTTPServer):
    """Answers posts with 204 when `hear` believes them, and with 400 otherwise.

    Args:
        port: where; 0 for any that is free.
        hear: given the headers and the body.
    """

    allow_reuse_address = True

    def __init__(self, port: int, hear: Hear) -> None:
        self.hear = hear
        super().__init__(("127.0.0.1", port), _Post)

    @property
    def url(self) -> str:
        """What to give to `cadenza webhook add`."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Post(BaseHTTPRequestHandler):
    timeout = _PATIENCE_SECONDS
    server_version = "cadenza"
    sys_version = ""

    def do_POST(self) -> None:
        """Hear one event."""
        assert isinstance(self.server, Listener)
        length = self.headers.get("content-length", "")
        if not length.isascii() or not length.isdecimal() or int(length) > _MOST_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        if self.server.hear(dict(self.headers.items()), body):
            self.send_response(204)
            self.end_headers()
        else:
            self.send_error(400, "not signed as it should be")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing: the command has one place that prints."""
