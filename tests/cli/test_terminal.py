"""What only shows at a terminal: bars while recording, uploading and downloading."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

from tests.cli.conftest import Cadenza, Studio


def _at_a_terminal(cadenza: Cadenza, *words: object, **more: str) -> tuple[str, str]:
    """Run the command with standard error on a pseudo-terminal; what was said and what drawn."""
    ours, theirs = pty.openpty()
    drawn = bytearray()

    def read() -> None:
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is closed
                return
            if not chunk:
                return
            drawn.extend(chunk)

    reader = threading.Thread(target=read)
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza_cli", *map(str, words)],
        stdout=subprocess.PIPE, stderr=theirs, text=True,
        env={**os.environ, **cadenza.env, "TERM": "xterm", "COLUMNS": "100", **more},
    )  # fmt: skip
    os.close(theirs)
    reader.start()
    said, _ = process.communicate(timeout=120)
    reader.join(20)
    os.close(ours)
    assert process.returncode == 0, drawn.decode()
    return said, drawn.decode()


def test_recording_uploading_and_downloading_show_how_far_they_are(
    student: Cadenza, studio: Studio, tmp_path: Path
) -> None:
    take = tmp_path / "take.mp4"
    said, drawn = _at_a_terminal(student, "record", "--seconds", 3, "-o", take)
    assert said.startswith(str(take))
    assert "Recording 0:0" in drawn
    assert "left" in drawn

    said, drawn = _at_a_terminal(
        student, "upload", take, "--piece", studio.demo.piece_id, CADENZA_RATE_LIMIT="150000"
    )
    assert said.startswith("Queued ")
    assert said.endswith("uploaded; your teacher can see it.\n")
    assert "Queued" not in drawn
    assert "Queueing take.mp4" in drawn
    assert "(video)" in drawn
    assert "Signature" not in drawn

    (sent,) = student("submissions", "ls", "-q").lines
    said, drawn = _at_a_terminal(
        student, "submissions", "download", sent, "-o", tmp_path / "back.mp4", NO_COLOR="1"
    )
    assert said.startswith(str(tmp_path / "back.mp4"))
    assert f"Downloading {sent[:8]}" in drawn
    assert "\x1b[3" not in drawn.replace("\x1b[38", "")
