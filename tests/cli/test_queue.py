"""`cadenza queue …` and `explain` over a real queue."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cadenza_uploader._instance import Instance
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader.take import Account, FailCode, Hold, Stage, Take
from tests.cli.conftest import Cadenza
from tests.uploader.world import NOON, PIECE, STUDENT, Clock, add_take, attempt, claimed, receipt

OFFLINE = Setback("offline", "The server cannot be reached.")


def _failed(queue: TakeQueue, code: FailCode = FailCode.FORBIDDEN, seed: int = 1) -> Take:
    add_take(queue, seed=seed)
    take = claimed(queue)
    setback = Setback(code.value, "The server says no.")
    return queue.failed(take, code, setback, int((NOON + 86_400) * 1000), attempts=[])


def _uploaded(queue: TakeQueue, seed: int = 1) -> Take:
    add_take(queue, seed=seed)
    take = claimed(queue)
    take = queue.registered(take, take.id, attempts=[attempt(take)])
    take = queue.stored(take, "video", '"e"', attempts=[])
    return queue.confirmed(take, receipt(take), attempts=[])


def test_an_empty_queue_says_so(cadenza: Cadenza) -> None:
    assert cadenza("queue", "ls").stdout == "The queue is empty.\n"
    assert cadenza("queue", "ls", "--unsent").stdout == "No takes here.\n"
    assert cadenza("queue", "ls", "--json").document["takes"] == []
    assert cadenza("queue", "ls", "--quiet").stdout == ""


def test_ls_shows_state_reason_size_context_and_age(
    cadenza: Cadenza, queue: TakeQueue, clock: Clock
) -> None:
    take = add_take(queue)
    clock.advance(7200)
    lines = cadenza("queue", "ls").lines
    assert lines[0].split() == ["TAKE", "STATUS", "LENGTH", "SIZE", "ABOUT", "RECORDED", "STATE"]
    assert [cell.strip() for cell in lines[1].split("  ") if cell] == [
        take.short_id,
        "pending",
        "0:05",
        "4.3 kB",
        "piece 0b1a2c3d",
        "2 h ago",
        "waiting for `cadenza daemon run`",
    ]
    assert lines[3] == (
        "1 unsent (4.3 kB), the oldest from 2 h ago; 0 uploaded; no daemon is running."
    )


def test_ls_says_what_the_whole_queue_waits_for(cadenza: Cadenza, queue: TakeQueue) -> None:
    add_take(queue)
    queue.hold_queue(Hold.NETWORK, "127.0.0.1 refused the connection.")
    answer = cadenza("queue", "ls")
    assert "waiting for network" in answer.lines[1]
    assert answer.lines[-1] == (
        "Whole queue: waiting for network — 127.0.0.1 refused the connection."
    )
    document = cadenza("queue", "ls", "--json").document
    assert document["counts"]["holds"] == [
        {
            "hold": "network",
            "since": "2026-11-20T12:00:00Z",
            "why": "127.0.0.1 refused the connection.",
        }
    ]


def test_every_hold_and_state_has_words(cadenza: Cadenza, queue: TakeQueue, clock: Clock) -> None:
    take = add_take(queue)
    for hold, words in {
        Hold.AUTH: "waiting for sign-in",
        Hold.CONSTRAINT: "waiting for a network it may use",
        Hold.DISK: "waiting for disk space",
        Hold.USER: "paused by you",
    }.items():
        queue.hold_queue(hold, "x")
        assert words in cadenza("queue", "ls").lines[1]
        queue.release_queue(hold)
    leased = claimed(queue)
    assert "being sent (recorded)" in cadenza("queue", "ls").lines[1]
    queue.delayed(leased, OFFLINE, int((NOON + 300) * 1000), attempts=[])
    assert "next try in 5 min" in cadenza("queue", "ls").lines[1]
    clock.advance(301)
    leased = claimed(queue)
    queue.failed(
        leased, FailCode.ATTEMPTS_EXHAUSTED, OFFLINE, int((NOON + 900) * 1000), attempts=[]
    )
    assert (
        "tried again by itself: The server cannot be reached." in (cadenza("queue", "ls").lines[1])
    )
    assert take.id in cadenza("queue", "ls", "-q").stdout


def test_ls_knows_that_the_daemon_runs(cadenza: Cadenza, queue: TakeQueue) -> None:
    add_take(queue)
    with Instance(queue.home):
        answer = cadenza("queue", "ls")
        document = cadenza("queue", "ls", "--json").document
    assert "next in line" in answer.lines[1]
    assert answer.lines[3].endswith("the daemon is running.")
    assert document["daemon_running"] is True


def test_ls_filters_and_limits(cadenza: Cadenza, queue: TakeQueue) -> None:
    failed = _failed(queue, seed=1)
    uploaded = _uploaded(queue, seed=2)
    waiting = add_take(queue, seed=3)
    assert cadenza("queue", "ls", "--status", "failed", "-q").lines == [failed.id]
    assert set(cadenza("queue", "ls", "--unsent", "-q").lines) == {failed.id, waiting.id}
    assert len(cadenza("queue", "ls", "--limit", "2", "-q").lines) == 2
    rows = "\n".join(cadenza("queue", "ls").lines)
    assert "needs you: The server says no." in rows
    assert "the server has it" in rows
    assert uploaded.short_id in rows
    wrong = cadenza("queue", "ls", "--status", "done")
    assert wrong.exit_code == 2
    assert "pending, uploading, uploaded, failed" in wrong.stderr


def test_a_cancel_that_the_server_does_not_know_of_is_no_pause(
    cadenza: Cadenza, queue: TakeQueue
) -> None:
    queue.mark_for_removal(add_take(queue).id)
    assert "cancelled by you" in cadenza("queue", "ls").lines[1]


def test_the_take_document_has_these_keys_and_shapes(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = _uploaded(queue)
    (document,) = cadenza("queue", "ls", "--json").document["takes"]
    assert document == {
        "id": take.id,
        "kind": "submission",
        "parent_submission_id": None,
        "message_id": None,
        "status": "uploaded",
        "stage": "confirmed",
        "hold": None,
        "needs_user": False,
        "fail_code": None,
        "last_error_code": None,
        "last_error": None,
        "attempts": 0,
        "next_try_at": document["next_try_at"],
        "piece_id": PIECE,
        "exercise_id": None,
        "session_id": None,
        "page_number": None,
        "measure_number": None,
        "measure_end": None,
        "notes": "take 1",
        "duration_seconds": 5,
        "duration_ms": 5000,
        "width": 1280,
        "height": 720,
        "size_bytes": 4300,
        "video_bytes": 4000,
        "sha256": take.video.sha256,
        "captured_at": "2026-11-20T12:00:00Z",
        "created_at": "2026-11-20T12:00:00Z",
        "updated_at": "2026-11-20T12:00:00Z",
        "source_path": None,
        "delete_source": False,
        "submission_id": take.id,
        "receipt": receipt(take),
    }


def test_show_tells_everything(cadenza: Cadenza, queue: TakeQueue, clock: Clock) -> None:
    add_take(queue, source_path="/home/ada/take \x1b[31m.mp4")
    take = claimed(queue)
    tried = replace(attempt(take), code="offline", request_id="req-1", bytes_sent=1500)
    queue.delayed(take, OFFLINE, int((NOON + 60) * 1000), attempts=[tried])
    shown = cadenza("queue", "show", take.id[:8])
    assert shown.exit_code == 0
    for words in ("take:", take.id, "next try", "in 1 min", "notes", "take 1", "1280 × 720",
                  "req-1", "1.5 kB", "offline", "STEP", "WHY"):  # fmt: skip
        assert words in shown.stdout
    assert "\x1b" not in shown.stdout
    document = cadenza("queue", "show", take.id, "--json").document
    assert document["attempts_made"] == [
        {
            "step": "create",
            "started_at": "2026-11-20T12:00:00Z",
            "ended_at": "2026-11-20T12:00:00Z",
            "outcome": "ok",
            "code": "offline",
            "status_code": None,
            "request_id": "req-1",
            "bytes_sent": 1500,
            "counted": False,
        }
    ]
    assert document["events"][0]["from_status"] is None
    assert set(document["events"][0]) == {
        "at", "from_status", "to_status", "from_stage", "to_stage", "hold", "why",
    }  # fmt: skip
    assert cadenza("queue", "show", take.id, "-q").lines == [take.id]


def test_a_take_that_is_not_there(cadenza: Cadenza) -> None:
    for words in (["queue", "show", "abcd1234"], ["explain", "abcd1234"]):
        answer = cadenza(*words)
        assert answer.exit_code == 1
        assert answer.stdout == ""
        assert answer.stderr.splitlines()[1].startswith("Next:  `cadenza queue ls`")
    document = cadenza("queue", "show", "abcd1234", "--json")
    assert document.exit_code == 1
    assert document.document["error"] == {
        "code": "take_not_found",
        "sentence": "There is no take abcd1234 in this queue.",
        "next": "`cadenza queue ls` lists the takes and their ids.",
        "exit_code": 1,
        "request_id": None,
    }
    assert document.stderr == ""


def test_retry_makes_a_failed_take_pending(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = _failed(queue)
    answer = cadenza("queue", "retry", take.short_id)
    assert answer.lines == [
        "1 take will be tried again.",
        "No daemon is running: `cadenza daemon run --once` sends them now.",
    ]
    assert queue.get(take.id).status.value == "pending"


def test_retry_all_is_every_unsent_take_that_is_not_being_sent(
    cadenza: Cadenza, queue: TakeQueue
) -> None:
    failed = _failed(queue, seed=1)
    add_take(queue, seed=2)
    claimed(queue)
    waiting = add_take(queue, seed=3)
    retried = cadenza("queue", "retry", "--all", "-q").lines
    assert set(retried) == {failed.id, waiting.id}


def test_retry_with_a_daemon_wakes_it(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = _failed(queue)
    with Instance(queue.home) as instance:
        document = cadenza("queue", "retry", take.id, "--json").document
        assert instance.wait_for_wake(5.0)
    assert document["daemon_woken"] is True
    assert document["takes"][0]["status"] == "pending"


@pytest.mark.parametrize("words", [[], ["--all", "abcd1234"]])
def test_retry_needs_takes_or_all(cadenza: Cadenza, words: list[str]) -> None:
    answer = cadenza("queue", "retry", *words)
    assert answer.exit_code == 2
    assert "--all" in answer.stderr


def test_retry_all_of_nothing_is_fine(cadenza: Cadenza) -> None:
    answer = cadenza("queue", "retry", "--all")
    assert (answer.exit_code, answer.lines) == (0, ["0 takes will be tried again."])


def test_retrying_what_is_uploaded_is_an_error(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = _uploaded(queue)
    answer = cadenza("queue", "retry", take.id)
    assert answer.exit_code == 1
    assert "cadenza explain" in answer.stderr


def test_cancel_removes_row_and_files(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = add_take(queue)
    answer = cadenza("queue", "cancel", take.short_id, "--yes")
    assert (answer.exit_code, answer.stdout) == (0, "1 take cancelled.\n")
    assert not queue.list()
    assert not list(queue.home.spool.iterdir())


def test_cancel_names_a_take_once_however_often_it_is_given(
    cadenza: Cadenza, queue: TakeQueue
) -> None:
    take = add_take(queue)
    answer = cadenza("queue", "cancel", take.id, take.short_id, "--yes", "--json")
    assert answer.document == {"cancelled": [take.id]}


def test_cancel_without_anybody_to_ask_cancels_nothing(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = add_take(queue)
    answer = cadenza("queue", "cancel", take.id)
    assert answer.exit_code == 2
    assert "--yes" in answer.stderr
    assert [left.id for left in queue.list()] == [take.id]


def test_cancel_what_the_server_knows_needs_a_sign_in(cadenza: Cadenza, queue: TakeQueue) -> None:
    add_take(queue)
    take = claimed(queue)
    take = queue.registered(take, take.id, attempts=[])
    queue.released(take, OFFLINE)
    answer = cadenza("queue", "cancel", take.id, "--yes")
    assert answer.exit_code == 3
    assert "cadenza login" in answer.stderr
    assert queue.list()


def test_pause_and_resume(cadenza: Cadenza, queue: TakeQueue) -> None:
    add_take(queue)
    assert "resume" in cadenza("queue", "pause", "--why", "on the train").stdout
    assert [hold.why for hold in queue.holds()] == ["on the train"]
    answer = cadenza("queue", "resume")
    assert answer.lines == [
        "The queue goes on.",
        "No daemon is running: `cadenza daemon run --once` sends what waits.",
    ]
    assert queue.holds() == ()
    assert cadenza("queue", "pause", "--json").document["holds"][0]["hold"] == "user"


def test_gc_says_first_and_does_it_only_when_told(
    cadenza: Cadenza, queue: TakeQueue, clock: Clock
) -> None:
    take = queue.cleaned(_uploaded(queue))
    clock.now = datetime.now(UTC).timestamp()
    (queue.home.spool / "stranger").mkdir()
    part = queue.home.spool / ".part-x"
    part.mkdir()
    (part / "video.mp4").write_bytes(b"x" * 1500)
    old = clock.now - 3 * 86_400
    os.utime(part, (old, old))
    told = cadenza("queue", "gc", "--older-than", "0")
    assert told.lines == [
        "Would remove 1 uploaded take from the list and 1 unfinished copy (1.5 kB).",
        "Kept, though no take owns it: stranger",
        "`cadenza queue gc --apply` does it.",
    ]
    assert queue.get(take.id).stage is Stage.CLEANED
    done = cadenza("queue", "gc", "--older-than", "0", "--apply", "--json").document
    assert done == {
        "applied": True,
        "rows": 1,
        "parts": [".part-x"],
        "strays": ["stranger"],
        "bytes": 1500,
    }
    assert not queue.list()


def test_explain_says_why_and_what_to_do(cadenza: Cadenza, queue: TakeQueue) -> None:
    take = _failed(queue, FailCode.LOCAL_FILE_MISSING)
    answer = cadenza("explain", take.short_id)
    assert answer.exit_code == 0
    assert "failed" in answer.lines[0]
    assert any(line.startswith("Because: The local file is gone.") for line in answer.lines)
    assert any(line.startswith("You can: cadenza queue retry") for line in answer.lines)
    document = cadenza("explain", take.id, "--json").document
    assert set(document) == {"take", "headline", "because", "tried", "next", "you_can"}
    assert document["take"]["needs_user"] is True
    assert cadenza("explain", take.id, "-q").lines == [take.id]


def test_another_accounts_take_is_listed_too(cadenza: Cadenza, queue: TakeQueue) -> None:
    add_take(queue, account=Account(STUDENT.server_url, 99))
    assert len(cadenza("queue", "ls", "-q").lines) == 1
