"""The one place that writes to standard output, in one of three modes.

* human: sentences and tables, coloured at a terminal that wants colour;
* json: exactly one document for the whole command, nothing else; a command that follows what
  happens gives one a line;
* quiet: ids, one on a line.

Notes and warnings go to standard error, so they never mix with an answer that is piped on.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TextIO

from cadenza_cli import _words

__all__ = ["Cell", "Mode", "Output", "Paint"]

Mode = Literal["human", "json", "quiet"]
Paint = Literal["bold", "dim", "red", "green", "yellow", "cyan"]
#: What stands in a table: a text, or a text and its colour.
Cell = str | tuple[str, Paint]

_CODES: dict[Paint, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}
_GAP = "  "
_NARROWEST = 8


class Output:
    """Standard output and standard error of one command.

    The streams are looked up at every call: tests and pipes replace them.
    """

    def __init__(self, mode: Mode = "human", *, env: Mapping[str, str] | None = None) -> None:
        self.mode: Mode = mode
        self._env = os.environ if env is None else env

    def answer(
        self,
        document: Any,
        *,
        ids: Iterable[str] = (),
        human: Callable[[], None] | None = None,
    ) -> None:
        """Give the command's one answer in the mode that was asked for.

        Args:
            document: what `--json` prints.
            ids: what `--quiet` prints, one on a line.
            human: prints the same for people, through `line`, `table` and `fields`.
        """
        if self.mode == "json":
            _write(sys.stdout, _json(document))
        elif self.mode == "quiet":
            for one in ids:
                _write(sys.stdout, _words.clean(one))
        elif human is not None:
            human()

    def item(self, document: Any, *, one_id: str, line: str) -> None:
        """Give one of an open number of answers; in JSON mode, one line each."""
        if self.mode == "json":
            _write(sys.stdout, _json(document, indent=None))
        else:
            _write(sys.stdout, _words.clean(one_id) if self.mode == "quiet" else line)

    def raw(self, text: str) -> None:
        """Print a file's content for a pipe; at a terminal nothing in it may steer the terminal."""
        if sys.stdout.isatty():
            text = "\n".join(_words.clean(line) for line in text.splitlines())
        _write(sys.stdout, text.removesuffix("\n"))

    def line(self, text: str = "") -> None:
        """Print one line for people; nothing in the other modes."""
        if self.mode == "human":
            _write(sys.stdout, text)

    def note(self, text: str) -> None:
        """Say something beside the answer, on standard error; only to people."""
        if self.mode == "human":
            _write(sys.stderr, text)

    def warn(self, text: str) -> None:
        """Warn on standard error; the JSON answer carries its own warnings."""
        self.note(f"{self.paint('Warning:', 'yellow', on=sys.stderr)} {text}")

    def error(self, sentence: str, next_step: str | None, *, document: Mapping[str, Any]) -> None:
        """Say what went wrong and what to do next; in JSON mode, on standard output as well."""
        if self.mode == "json":
            _write(sys.stdout, _json({"error": document}))
            return
        _write(sys.stderr, f"{self.paint('Error:', 'red', on=sys.stderr)} {_words.clean(sentence)}")
        if next_step:
            _write(sys.stderr, f"Next:  {next_step}")

    def fields(self, pairs: Iterable[tuple[str, str | None]]) -> None:
        """Print name and value, one pair on a line; a value of None is left out."""
        shown = [(name, value) for name, value in pairs if value is not None]
        longest = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            label = self.paint(f"{name}:".ljust(longest + 1), "dim")
            self.line(f"{label}{_GAP}{value}")

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Print aligned columns, cut to the line at a terminal; the first one, an id, never is."""
        texts = [[_words.clean(c if isinstance(c, str) else c[0]) for c in row] for row in rows]
        widths = [
            max([_words.width(header), *(_words.width(row[i]) for row in texts)])
            for i, header in enumerate(headers)
        ]
        room = self._columns()
        if room is not None:
            _squeeze(widths, room - len(_GAP) * (len(headers) - 1))
        self.line(self.paint(_join(headers, widths), "dim"))
        for row, row_texts in zip(rows, texts, strict=True):
            fitted = [_fit(text, widths[i]) for i, text in enumerate(row_texts)]
            painted = [
                text if isinstance(cell, str) else self.paint(text, cell[1])
                for cell, text in zip(row, fitted, strict=True)
            ]
            self.line(_GAP.join(painted).rstrip())

    def paint(self, text: str, *paints: Paint, on: TextIO | None = None) -> str:
        """Colour the text, if the stream (default: standard output) takes colour."""
        if not self.colours(sys.stdout if on is None else on):
            return text
        codes = ";".join(_CODES[paint] for paint in paints)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def colours(self, stream: TextIO) -> bool:
        """Whether the stream is a terminal and nobody asked for no colour."""
        # https://no-color.org: present and not empty, whatever the value.
        wanted = not self._env.get("NO_COLOR") and self._env.get("TERM") != "dumb"
        return wanted and stream.isatty()

    @property
    def shows_progress(self) -> bool:
        """Whether somebody is there to watch a bar move."""
        return self.mode != "quiet" and sys.stderr.isatty() and self._env.get("TERM") != "dumb"

    def _columns(self) -> int | None:
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _json(document: Any, *, indent: int | None = 2) -> str:
    import json

    return json.dumps(document, ensure_ascii=False, indent=indent)


def _join(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(_fit(cell, widths[i]) for i, cell in enumerate(cells)).rstrip()


def _squeeze(widths: list[int], room: int) -> None:
    """Take from the last column, then from the widest ones, until the row fits or none can."""
    for i in [len(widths) - 1, *sorted(range(1, len(widths)), key=lambda i: -widths[i])]:
        excess = sum(widths) - room
        if excess > 0 and widths[i] > _NARROWEST:
            widths[i] = max(_NARROWEST, widths[i] - excess)


def _fit(cell: str, columns: int) -> str:
    space = columns - _words.width(cell)
    if space >= 0:
        return cell + " " * space
    while _words.width(cell) > columns - 1:
        cell = cell[:-1]
    return f"{cell}…"


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(f"{text}\n")
    except UnicodeEncodeError:
        # A terminal in the C locale: an approximate title is better than a traceback.
        encoding = stream.encoding or "ascii"
        stream.write(f"{text}\n".encode(encoding, "replace").decode(encoding))
    stream.flush()
