"""A secret address for the browser, without writing it anywhere.

A signed playback address lets whoever has it watch a child's video. As an argument of the browser
it would be in the process list, in a file it would be on disk (SEC-01, SEC-03). So the browser
is sent to a loopback address with a random path that works once and answers with the redirect.
"""

from __future__ import annotations

import http.server
import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus

__all__ = ["hand_to_browser"]


def hand_to_browser(
    address: str, open_browser: Callable[[str], bool], *, timeout_seconds: float = 30.0
) -> bool:
    """Open `address` in the browser; False when no browser came to fetch it.

    Args:
        address: the secret address.
        open_browser: opens a harmless address; False when there is no browser.
        timeout_seconds: how long the browser may take to start.
    """
    path = f"/{secrets.token_urlsafe(24)}"
    taken: list[str] = []
    fetched = threading.Event()

    class Once(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not secrets.compare_digest(self.path.encode(), path.encode()) or taken:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            taken.append(self.path)
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", address)
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", "0")
            self.end_headers()
            fetched.set()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Nothing is logged."""

    with http.server.HTTPServer(("127.0.0.1", 0), Once) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            if not open_browser(f"http://127.0.0.1:{server.server_port}{path}"):
                return False
            return fetched.wait(timeout_seconds)
        finally:
            server.shutdown()
            serving.join()
