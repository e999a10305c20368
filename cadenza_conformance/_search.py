"""Looking for secrets where they must not be (SEC-01 … SEC-03).

Every token and every signature of a run contains a known word, so a search finds copies,
fragments and quotations alike. A token may lie at rest in a file only its owner can read; a
signed URL may lie nowhere.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from cadenza_conformance._server._world import SIGNATURE_CANARY, TOKEN_CANARY
from cadenza_conformance.trace import Leak

_SECRETS: tuple[tuple[Literal["token", "signature"], bytes], ...] = (
    ("token", TOKEN_CANARY.encode()),
    ("signature", SIGNATURE_CANARY.encode()),
)


def search_text(text: str, where: Literal["logs"], place: str) -> list[Leak]:
    """Secrets in a text."""
    data = text.encode("utf-8", "replace")
    return [Leak(secret=s, where=where, place=place) for s, word in _SECRETS if word in data]


def search_argv(lines: Iterable[bytes]) -> list[Leak]:
    """Secrets in command lines, which every user of the machine can read."""
    data = b"\n".join(lines)
    return [
        Leak(secret=secret, where="argv", place="its command line")
        for secret, word in _SECRETS
        if word in data
    ]


def search_files(root: Path) -> list[Leak]:
    """Secrets in the files a client has left in its directory, free pages of databases included."""
    leaks: list[Leak] = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            continue
        data = path.read_bytes()
        for secret, word in _SECRETS:
            if word not in data:
                continue
            if secret == "token" and not status.st_mode & 0o077:  # noqa: S105 - a kind, not a value
                continue
            leaks.append(Leak(secret=secret, where="state_dir", place=str(path.relative_to(root))))
    return leaks
