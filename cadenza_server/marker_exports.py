"""Markers as files a student keeps: WebVTT for players, CSV for tables (Clapshot #80). Pure."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable

from cadenza_server.clock import wire_time
from cadenza_server.schemas_thread import MarkerOut

#: How long a moment is shown.
SHOWN_MS = 3000
_COLUMNS = (
    "time",
    "end",
    "type",
    "status",
    "author",
    "text",
    "page",
    "measure",
    "measure_end",
    "message_id",
    "timestamp_ms",
    "end_ms",
    "created_at",
    "id",
)
# A spreadsheet takes a cell that begins so for a formula (CWE-1236).
_FORMULA = re.compile(r"^[\s]*[=+\-@\t\r|%]")


def clock_time(milliseconds: int) -> str:
    """`00:01:23.456`, as WebVTT writes it."""
    seconds, ms = divmod(milliseconds, 1000)
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    return f"{hours:02}:{m:02}:{s:02}.{ms:03}"


def as_webvtt(markers: Iterable[MarkerOut], *, duration_ms: int) -> str:
    """One cue for each marker, named by its id, in the author's voice, with its type as class.

    Args:
        markers: of one video, in its order.
        duration_ms: how long it is: no cue goes beyond, but each is there for a moment.
    """
    blocks = ["WEBVTT"]
    for marker in markers:
        until = min(marker.timestamp_ms + SHOWN_MS, duration_ms)
        end = max(marker.end_ms or until, marker.timestamp_ms + 1)
        words = " · ".join(part for part in (_passage(marker), _cue_text(marker.text)) if part)
        voice = _cue_text(" ".join(marker.author_name.split()))
        blocks.append(
            f"{marker.id}\n{clock_time(marker.timestamp_ms)} --> {clock_time(end)}\n"
            f"<v.{marker.marker_type} {voice}>{words}"
        )
    return "\n\n".join(blocks) + "\n"


def as_csv(markers: Iterable[MarkerOut]) -> str:
    """A table as RFC 4180 has it, with the mark by which spreadsheets know UTF-8."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(_COLUMNS)
    for marker in markers:
        table.writerow(
            (
                clock_time(marker.timestamp_ms),
                clock_time(marker.end_ms) if marker.end_ms is not None else "",
                marker.marker_type,
                marker.status,
                harmless(marker.author_name),
                harmless(marker.text),
                marker.page_number or "",
                marker.measure_number or "",
                marker.measure_end or "",
                marker.message_id or "",
                marker.timestamp_ms,
                "" if marker.end_ms is None else marker.end_ms,
                wire_time(marker.created_at),
                marker.id,
            )
        )
    return "\ufeff" + text.getvalue()


def harmless(cell: str) -> str:
    """The cell as text, also for a spreadsheet: what looks like a formula gets an apostrophe."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _passage(marker: MarkerOut) -> str:
    parts = []
    if marker.page_number:
        parts.append(f"p. {marker.page_number}")
    if marker.measure_number:
        until = f"-{marker.measure_end}" if marker.measure_end else ""
        parts.append(f"m. {marker.measure_number}{until}")
    return ", ".join(parts)


def _cue_text(text: str) -> str:
    """Escaped; an empty line would end the cue."""
    lines = (line.strip() for line in text.splitlines())
    return html.escape("\n".join(line for line in lines if line), quote=False)
