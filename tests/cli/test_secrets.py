"""No token and no signed address in any output, log or file but the credentials (SEC-01)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cadenza_uploader._home import Home
from tests.cli.conftest import Cadenza, Studio


def _whole(cadenza: Cadenza, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cadenza_cli", *map(str, words), "--debug"],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, **cadenza.env, "CADENZA_LOG": "DEBUG"},
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_loudest_log_of_a_whole_loop_holds_no_secret(
    student: Cadenza, studio: Studio, home: Home, clip: Path, tmp_path: Path
) -> None:
    token = next(iter(json.loads(home.credentials.read_text()).values()))["token"]
    assert len(token) > 20
    said = _whole(student, "upload", clip, "--piece", studio.demo.piece_id)
    assert "uploaded" in said
    (sent,) = student("submissions", "ls", "-q").lines
    said += _whole(student, "submissions", "ls", "--json")
    said += _whole(student, "submissions", "show", sent)
    said += _whole(student, "submissions", "download", sent, "-o", tmp_path / "back.mp4")
    said += _whole(student, "queue", "show", sent, "--json")
    said += _whole(student, "explain", sent)
    said += _whole(student, "whoami", "--json")
    address = student("submissions", "open", sent, "--print").stdout.strip()
    signature = address.partition("?")[2]
    assert "sig" in signature
    studio.close()
    said += _whole(student, "upload", clip, "--exercise", studio.demo.exercise_id)
    said += _whole(student, "whoami")

    assert token not in said
    assert "sig=" not in said
    assert "Bearer" not in said
    for file in home.path.rglob("*"):
        if file.is_file() and file != home.credentials:
            content = file.read_bytes()
            assert token.encode() not in content, file
            assert b"sig=" not in content, file
