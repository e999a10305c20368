"""Whose turn it is, among threads and processes: nobody waits for ever, and a dead one lets go."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cadenza_server.storage import StorageUnavailableError
from cadenza_server.turns import FileTurn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cadenza.db-turn"


def test_another_process_that_hangs_is_not_waited_for_for_ever(path: Path) -> None:
    # Two of them stand for two processes: each opens the file for itself.
    other, turn = FileTurn(path, 5), FileTurn(path, 0.05)
    with other, pytest.raises(StorageUnavailableError):
        turn.__enter__()

    with turn:
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_thread_that_hangs_is_not_waited_for_for_ever(path: Path) -> None:
    turn = FileTurn(path, 0.05)
    with turn, pytest.raises(StorageUnavailableError):
        turn.__enter__()


def test_who_waits_goes_on_when_the_other_is_done(path: Path) -> None:
    first, second = FileTurn(path, 5), FileTurn(path, 5)
    order: list[str] = []

    def follow() -> None:
        with second:
            order.append("second")

    thread = threading.Thread(target=follow)
    with first:
        thread.start()
        time.sleep(0.02)
        order.append("first")
    thread.join(5)

    assert order == ["first", "second"]


def test_a_process_that_dies_lets_go(path: Path) -> None:
    program = (
        "import os; from pathlib import Path; from cadenza_server.turns import FileTurn\n"
        f"FileTurn(Path({str(path)!r}), 5).__enter__(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9

    with FileTurn(path, 0.5):
        pass


def test_a_file_that_cannot_be_opened_leaves_the_turn_free(tmp_path: Path) -> None:
    turn = FileTurn(tmp_path / "missing" / "turn", 0.1)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            turn.__enter__()
