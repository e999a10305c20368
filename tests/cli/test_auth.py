"""Signing in and out: against a real server, and without one."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cadenza_cli._pieces import PieceNames
from cadenza_client.errors import ServerError
from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.take import Hold
from tests.cli.conftest import Cadenza, Studio
from tests.uploader.world import add_take

CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def guest(cadenza: Cadenza, studio: Studio) -> Cadenza:
    cadenza.env["CADENZA_URL"] = studio.url
    return cadenza


def test_login_with_a_password_keeps_it_out_of_sight(
    guest: Cadenza, studio: Studio, queue: TakeQueue
) -> None:
    demo = studio.demo
    answer = guest(
        "login", "--email", demo.student_email, "--password-stdin", "--json",
        typed=f"{demo.password}\n",
    )  # fmt: skip
    assert answer.document == {
        "url": studio.url,
        "user_id": demo.student_id,
        "email": demo.student_email,
        "full_name": "Sam Okafor",
        "user_type": "student",
        "unsent": 0,
    }
    credentials = queue.home.credentials
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert demo.password not in credentials.read_text()


def test_login_says_what_happens_to_waiting_takes(
    guest: Cadenza, studio: Studio, queue: TakeQueue
) -> None:
    add_take(queue)
    answer = guest("login", "--dev", "--email", studio.demo.student_email)
    assert answer.lines == [
        f"Signed in to {studio.url} as Sam Okafor <student@demo.example> (student).",
        "1 take in the queue: `cadenza daemon run` sends what waits.",
    ]
    assert guest("login", "--dev", "--email", studio.demo.student_email, "-q").lines == [
        studio.demo.student_email
    ]


def test_login_with_a_ready_token(guest: Cadenza, studio: Studio) -> None:
    token = f"dev_token_user_{studio.demo.teacher_id}"
    answer = guest("login", "--token-stdin", typed=f"{token}\n")
    assert answer.exit_code == 0, answer.stderr
    assert "Tessa Moreno" in answer.stdout
    assert token not in answer.stdout + answer.stderr


def test_a_wrong_password_is_exit_3_and_says_so(guest: Cadenza, studio: Studio) -> None:
    answer = guest(
        "login", "--email", studio.demo.student_email, "--password-stdin", typed="wrong horse\n"
    )
    assert answer.exit_code == 3
    assert "does not know this e-mail address and password" in answer.stderr
    assert "wrong horse" not in answer.stderr
    assert guest("whoami").exit_code == 3


def test_a_wrong_token_is_not_kept(guest: Cadenza) -> None:
    answer = guest("login", "--token-stdin", typed="not.a.token\n")
    assert answer.exit_code == 3
    assert "not.a.token" not in answer.stderr
    assert guest("whoami").exit_code == 3


def test_login_without_network_is_exit_5(cadenza: Cadenza) -> None:
    answer = cadenza("login", "--dev", "--email", "a@b.example", "--url", CLOSED)
    assert answer.exit_code == 5
    assert "127.0.0.1:9" in answer.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--dev", "--token-stdin"], "exclude each other"),
        (["--token-stdin", "--email", "a@b.example"], "leave --email out"),
        ([], "Give --email."),
        (["--email", "a@b.example"], "Give --password-stdin."),
    ],
)
def test_login_that_cannot_work_is_a_usage_error(
    guest: Cadenza, words: list[str], hint: str
) -> None:
    answer = guest("login", *words)
    assert answer.exit_code == 2
    assert hint in answer.stderr


def test_a_person_at_a_terminal_is_asked(guest: Cadenza, studio: Studio, home: Home) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza_cli", "login", "--json"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True,
        env={**os.environ, **guest.env},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    for question, answer in (
        (b"E-mail: ", studio.demo.student_email),
        (b"Password: ", studio.demo.password),
    ):
        while not seen.endswith(question):
            seen += os.read(ours, 1024)
        os.write(ours, f"{answer}\n".encode())
    stdout, _ = process.communicate(timeout=30)
    with contextlib.suppress(OSError):  # the other end is closed
        seen += os.read(ours, 1024)
    os.close(ours)
    assert process.returncode == 0
    assert json.loads(stdout)["email"] == studio.demo.student_email
    assert stdout.startswith(b"{")
    assert studio.demo.password.encode() not in seen + stdout


def test_whoami_asks_the_server(student: Cadenza, studio: Studio) -> None:
    answer = student("whoami", "--json")
    assert answer.document == {
        "url": studio.url,
        "user_id": studio.demo.student_id,
        "email": studio.demo.student_email,
        "full_name": "Sam Okafor",
        "user_type": "student",
        "checked": True,
    }
    assert student("whoami").lines == [
        "Sam Okafor <student@demo.example>",
        f"student, {studio.url}",
    ]


def test_whoami_offline_says_who_without_having_asked(student: Cadenza, studio: Studio) -> None:
    studio.close()
    answer = student("whoami")
    assert answer.exit_code == 0
    assert "not checked: the server cannot be reached" in answer.stdout
    assert student("whoami", "--json").document["checked"] is False


def test_whoami_with_a_token_only_needs_the_server(cadenza: Cadenza) -> None:
    cadenza.env |= {"CADENZA_TOKEN": "dev_token_user_1", "CADENZA_URL": CLOSED}
    assert cadenza("whoami").exit_code == 5


def test_whoami_without_a_sign_in_is_exit_3(cadenza: Cadenza) -> None:
    answer = cadenza("whoami")
    assert answer.exit_code == 3
    assert answer.stderr.splitlines() == [
        "Error: You are not signed in to http://127.0.0.1:8000.",
        "Next:  Sign in with `cadenza login`.",
    ]


def test_a_sign_in_that_ran_out_is_exit_3(cadenza: Cadenza, studio: Studio) -> None:
    cadenza.env |= {"CADENZA_TOKEN": "expired.or.forged", "CADENZA_URL": studio.url}
    answer = cadenza("whoami")
    assert answer.exit_code == 3
    assert "expired.or.forged" not in answer.stderr


def test_logout_forgets_the_token_and_keeps_the_takes(
    student: Cadenza, studio: Studio, queue: TakeQueue
) -> None:
    add_take(queue)
    answer = student("logout")
    assert answer.lines == ["Signed out.", "1 take in the queue: kept until you sign in again."]
    assert student("whoami").exit_code == 3
    again = student("logout", "--json").document
    assert again == {"signed_out": False, "url": studio.url, "unsent": 1}
    assert student("logout").lines[0] == "Nobody was signed in."


def test_logout_warns_of_a_token_in_the_environment(student: Cadenza) -> None:
    student.env["CADENZA_TOKEN"] = "dev_token_user_1"
    assert "CADENZA_TOKEN is set" in student("logout").stderr


def test_a_sign_in_readable_by_others_is_refused(student: Cadenza, queue: TakeQueue) -> None:
    queue.home.credentials.chmod(0o644)
    answer = student("whoami")
    assert answer.exit_code == 3
    assert "chmod 600" in answer.stderr


def test_a_token_never_leaves_this_machine_in_the_clear(cadenza: Cadenza) -> None:
    answer = cadenza("whoami", "--url", "http://studio.invalid")
    assert answer.exit_code == 3
    cadenza.env["CADENZA_TOKEN"] = "dev_token_user_1"
    answer = cadenza("whoami", "--url", "http://studio.invalid")
    assert answer.exit_code == 2
    assert "https" in answer.stderr


def test_titles_are_learned_at_login_so_that_they_work_offline(
    student: Cadenza, studio: Studio, clip: Path, queue: TakeQueue
) -> None:
    studio.close()
    answer = student("upload", clip, "--piece", "BOURRÉE", "--no-daemon")
    assert answer.exit_code == 0, answer.stderr
    (take,) = queue.list()
    assert take.context.piece_id == str(studio.demo.piece_id)
    assert "Bach, Cello Suite No. 3" in student("queue", "ls").stdout


def test_login_releases_the_wait_for_a_sign_in(
    guest: Cadenza, studio: Studio, queue: TakeQueue, clip: Path
) -> None:
    assert guest("upload", clip, "--piece", studio.demo.piece_id).exit_code == 3
    assert [hold.hold for hold in queue.holds()] == [Hold.AUTH]
    guest("login", "--dev", "--email", studio.demo.student_email)
    assert guest("daemon", "run", "--once").exit_code == 0
    assert [take.status.value for take in queue.list()] == ["uploaded"]


def test_a_sign_in_stands_even_when_the_titles_cannot_be_fetched(
    guest: Cadenza, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ServerError("not now")

    monkeypatch.setattr(PieceNames, "remember", refuse)
    assert guest("login", "--dev", "--email", studio.demo.student_email).exit_code == 0
    assert guest("whoami").exit_code == 0
