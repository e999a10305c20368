"""The server's log: one JSON object a line, or lines for people; never a secret, never a person.

A line names users by number, paths without their query, and requests by an id that the answer
carries too. It has no address, no e-mail, no token and no signed URL.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Literal

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


class JsonLines(logging.Formatter):
    """One JSON object a line: the event's name, and its facts beside it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line: dict[str, object] = {
            "at": _when(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """The same for a terminal: `12:30:01.123 info request method=GET path=/health …`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        facts = "".join(
            f" {name}={value}" for name, value in _facts(record).items() if value is not None
        )
        line = f"{_when(record)[11:23]} {record.levelname.lower()} {record.getMessage()}{facts}"
        # A path may hold anything once it is decoded; a line stays one line.
        line = line.encode("unicode_escape").decode("ascii")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure_logging(style: Literal["json", "text"] = "json", level: str = "info") -> None:
    """Send the server's log to stderr. Libraries never do this; programs do.

    Args:
        style: a JSON object a line, or lines for people.
        level: the least that is written.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    for name, least in (("cadenza.server", level.upper()), ("uvicorn.error", "WARNING")):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(least)
        logger.propagate = False


def trace_of(traceparent: str) -> dict[str, str]:
    """`trace_id` and `span_id` of a W3C `traceparent` header; nothing when it is none.

    The names are OpenTelemetry's, so that a collector joins our lines with the caller's spans.
    """
    match = _TRACEPARENT.fullmatch(traceparent)
    if (
        match is None
        or traceparent.startswith("ff")
        or not int(match[1], 16)
        or not int(match[2], 16)
    ):
        return {}
    return {"trace_id": match[1], "span_id": match[2]}


def _when(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _KNOWN}
