"""Around every request: an id, safe headers, one access-log line without secrets, no traceback."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cadenza_server.errors import problem
from cadenza_server.logs import trace_of
from cadenza_server.security_headers import protect

access_log = logging.getLogger("cadenza.server.access")
error_log = logging.getLogger("cadenza.server")
Observe = Callable[[Scope, int, float], None]
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class RequestScope:
    """Outermost middleware.

    Plain ASGI: it never touches `receive`, so a body that nobody wants stays unread. The log line
    has the path and never the query, where signatures and e-mail addresses are; no address; and
    the trace of a caller who sends a `traceparent`.

    Args:
        app: what is inside.
        monotonic: seconds from a clock that never goes back.
        is_dev: see `security_headers`.
        observe: called for each request with its scope, status and seconds; for metrics.
    """

    def __init__(
        self,
        app: ASGIApp,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        is_dev: bool = False,
        observe: Observe | None = None,
    ) -> None:
        self._app = app
        self._monotonic = monotonic
        self._is_dev = is_dev
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        given = asked.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope["cadenza.request_id"] = request_id
        started = self._monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                protect(headers, scope["path"], is_dev=self._is_dev)
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            error_log.exception("unhandled_error", extra={"request_id": request_id})
            if status == 0:
                await problem(request_id, "internal")(scope, receive, send_with_id)
            else:
                raise  # half an answer is sent: only a broken connection is honest now
        finally:
            seconds = self._monotonic() - started
            if self._observe is not None:
                self._observe(scope, status, seconds)
            access_log.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "duration_ms": round(seconds * 1000, 1),
                    "user_id": scope.get("cadenza.user_id"),
                    **trace_of(asked.get("traceparent", "")),
                },
            )
