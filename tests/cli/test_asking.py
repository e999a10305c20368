"""Questions to a person: on standard error, and only where one sits."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from cadenza_uploader._queue import TakeQueue
from tests.cli.conftest import Cadenza
from tests.uploader.world import add_take


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits at the terminal."""
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _self: True)


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize(("typed", "left"), [("y\n", 0), ("YES\n", 0), ("\n", 1), ("no\n", 1)])
def test_cancelling_asks_and_takes_no_for_an_answer(
    cadenza: Cadenza, queue: TakeQueue, typed: str, left: int
) -> None:
    take = add_take(queue)
    cadenza.env["NO_COLOR"] = "1"
    answer = cadenza("queue", "cancel", take.id, typed=typed)
    assert answer.exit_code == (1 if left else 0)
    assert f"{take.short_id}  0:05  4.3 kB" in answer.stderr
    assert "Cancel 1 take? The queue's copy is deleted. [y/N]" in answer.stderr
    assert "[y/N]" not in answer.stdout
    assert len(queue.list()) == left


@pytest.mark.usefixtures("person")
def test_no_answer_at_all_is_no(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = add_take(queue)
    assert cadenza("queue", "cancel", take.id, typed="").exit_code == 1
    assert len(queue.list()) == 1


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize(("again", "exit_code"), [("correct horse", 0), ("correct house", 2)])
def test_a_new_password_is_typed_twice(
    cadenza: Cadenza,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    again: str,
    exit_code: int,
) -> None:
    monkeypatch.setenv("CADENZA_SERVER_DIR", str(tmp_path / "server"))
    typed = iter(["correct horse", again])
    monkeypatch.setattr(getpass, "getpass", lambda _question, _stream: next(typed))
    answer = cadenza("server", "user", "add", "ada@example.org")
    assert answer.exit_code == exit_code
    if exit_code:
        assert "not the same" in answer.stderr
