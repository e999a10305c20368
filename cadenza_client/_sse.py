"""Reading a stream of server-sent events. Pure: bytes in, frames out, and never without a bound.

The form is that of the HTML standard (§9.2.6): lines end with LF, CR or both, a comment is a line
that begins with a colon, an empty line ends an event, and an id stays until another one comes.
"""

from __future__ import annotations

from typing import NamedTuple

from cadenza_client.errors import ResponseError

__all__ = ["Frame", "SseParser"]

_LONGEST_RETRY_SECONDS = 60.0
_BOM = "\ufeff"


class Frame(NamedTuple):
    """One event as it stood in the stream: its type, its data, and the id to go on after."""

    event: str
    data: str
    last_id: str | None


class SseParser:
    """Puts the parts of one connection together.

    Args:
        max_line_bytes: a longer line is refused; nobody honest sends one (S12).
        max_event_bytes: likewise for the data of one event.
    """

    def __init__(self, *, max_line_bytes: int = 65_536, max_event_bytes: int = 262_144) -> None:
        #: How long the server wants us to wait before connecting again.
        self.retry_seconds: float | None = None
        self._max_line_bytes = max_line_bytes
        self._max_event_bytes = max_event_bytes
        self._rest = bytearray()
        self._after_cr = False
        self._first = True
        self._last_id: str | None = None
        self._event = ""
        self._data: list[str] = []
        self._data_bytes = 0

    def feed(self, part: bytes) -> list[Frame]:
        """The events that are complete with this part.

        Raises:
            ResponseError: a line or an event is longer than any honest one.
        """
        found: list[Frame] = []
        for line in self._lines(part):
            frame = self._take(line)
            if frame is not None:
                found.append(frame)
        return found

    def _lines(self, part: bytes) -> list[str]:
        lines: list[str] = []
        for piece in part.splitlines(keepends=True):
            if self._after_cr and piece == b"\n":
                # The second half of a CRLF that was cut in two.
                self._after_cr = False
                continue
            self._after_cr = piece.endswith(b"\r")
            ended = piece.endswith((b"\n", b"\r"))
            self._rest += piece.rstrip(b"\r\n") if ended else piece
            if len(self._rest) > self._max_line_bytes:
                raise ResponseError(
                    f"a line of the event stream is longer than {self._max_line_bytes} bytes"
                )
            if ended:
                lines.append(self._rest.decode("utf-8", "replace"))
                self._rest.clear()
        return lines

    def _take(self, line: str) -> Frame | None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._data_bytes += len(value)
            if self._data_bytes > self._max_event_bytes:
                raise ResponseError(
                    f"an event of the stream is longer than {self._max_event_bytes} bytes"
                )
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._last_id = value or None
        elif name == "retry" and value.isascii() and value.isdecimal():
            self.retry_seconds = min(int(value[:9]) / 1000, _LONGEST_RETRY_SECONDS)
        return None

    def _dispatch(self) -> Frame | None:
        event, data = self._event or "message", self._data
        self._event, self._data, self._data_bytes = "", [], 0
        return Frame(event, "\n".join(data), self._last_id) if data else None
