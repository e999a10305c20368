"""Every place a take can be in has a reason, a next step and nothing left empty."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._explain import Explanation, explain
from cadenza_uploader.take import (
    Account,
    Asset,
    Attempt,
    FailCode,
    Hold,
    QueueHold,
    Stage,
    Status,
    Take,
    TakeContext,
    TakeEvent,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
URL = "http://127.0.0.1:8000"
ADA = Account(URL, 7)
VIDEO = Asset("video", PurePosixPath("id/video.mp4"), 4000, "a" * 64, "video/mp4", 1, 2)
TAKE = Take(
    id="6f0c1a2b-0000-4000-8000-000000000001",
    account=ADA,
    context=TakeContext(piece_id="p"),
    video=VIDEO,
    thumbnail=None,
    duration_ms=5000,
    duration_seconds=5,
    width=1280,
    height=720,
    captured_at=NOW,
    source_path=None,
    delete_source=False,
    status=Status.PENDING,
    stage=Stage.RECORDED,
    hold=None,
    server_id=None,
    create_sent=False,
    attempts=0,
    claims=0,
    demotions=0,
    due_at=None,
    lease_epoch=0,
    fail_code=None,
    last_error_code=None,
    last_error=None,
    receipt=None,
    created_at=NOW,
    updated_at=NOW,
)
BORN = TakeEvent(TAKE.id, NOW, 0, None, Status.PENDING, None, Stage.RECORDED, None, None)
DEFAULT_WHY = {hold: QueueHold(hold, NOW, f"Because of {hold.value}.") for hold in Hold}


def told(take: Take = TAKE, **changes: Any) -> Explanation:
    given_: dict[str, Any] = {
        "attempts": (),
        "events": (BORN,),
        "holds": (),
        "now": NOW,
        "daemon_running": True,
        **changes,
    }
    return explain(take, **given_)


def commands(explanation: Explanation) -> list[str]:
    return [line.split("  ")[0] for line in explanation.you_can]


def attempt(n: int, **changes: Any) -> Attempt:
    at = NOW + timedelta(minutes=n)
    facts: dict[str, Any] = {
        "take_id": TAKE.id,
        "step": "video",
        "started_at": at,
        "ended_at": at + timedelta(seconds=2.5),
        "outcome": "retry",
        "code": None,
        "status_code": None,
        "request_id": None,
        "bytes_sent": 0,
        "counted": False,
        **changes,
    }
    return Attempt(**facts)


stages = {
    Status.PENDING: st.sampled_from([Stage.RECORDED, Stage.REGISTERED, Stage.STORED]),
    Status.UPLOADING: st.sampled_from([Stage.RECORDED, Stage.REGISTERED, Stage.STORED]),
    Status.FAILED: st.sampled_from([Stage.RECORDED, Stage.REGISTERED, Stage.STORED]),
    Status.UPLOADED: st.sampled_from([Stage.CONFIRMED, Stage.CLEANED]),
}


@st.composite
def takes(draw: st.DrawFn) -> Take:
    status = draw(st.sampled_from(Status))
    return replace(
        TAKE,
        status=status,
        stage=draw(stages[status]),
        hold=draw(st.none() | st.sampled_from(Hold)) if status is Status.PENDING else None,
        fail_code=draw(st.sampled_from(FailCode)) if status is Status.FAILED else None,
        last_error=draw(st.none() | st.just("The server is busy.")),
        due_at=draw(st.none() | st.timedeltas().map(_later)),
        server_id="s",
        account=draw(st.sampled_from([ADA, Account(URL, None), Account("https://x", 7)])),
    )


def _later(delta: timedelta) -> datetime:
    return NOW + max(min(delta, timedelta(days=400)), -timedelta(days=400))


@given(
    takes(),
    st.lists(st.sampled_from(list(DEFAULT_WHY.values())), unique=True),
    st.booleans(),
    st.sampled_from([None, ADA, Account(URL, 9), Account("https://x", None)]),
    st.integers(0, 30),
)
def test_nothing_is_ever_left_empty(
    take: Take, holds: list[QueueHold], running: bool, account: Account | None, tries: int
) -> None:
    explanation = told(
        take,
        holds=holds,
        daemon_running=running,
        account=account,
        attempts=[attempt(n) for n in range(tries)],
    )
    sentences = (explanation.headline, explanation.because, explanation.next)
    for sentence in sentences:
        assert sentence[0].isupper()
        assert sentence.endswith((".", "cadenza daemon run", "cadenza queue ls"))
        assert "None" not in sentence
        assert "  " not in sentence
    assert explanation.tried
    if take.status is not Status.UPLOADING or not running:
        assert explanation.you_can
    assert all(line.startswith("cadenza ") for line in explanation.you_can)


@pytest.mark.parametrize("code", FailCode)
def test_every_fail_code_has_its_own_sentence(code: FailCode) -> None:
    failed = replace(
        TAKE, status=Status.FAILED, fail_code=code, last_error="The server is busy.",
        due_at=NOW + timedelta(hours=24),
    )  # fmt: skip
    explanation = told(failed)
    others = {
        told(replace(failed, fail_code=other)).because for other in FailCode if other is not code
    }
    assert explanation.because not in others
    assert explanation.because.endswith("The server is busy.")
    assert "in 24 hours" in explanation.next
    assert "files are kept" in explanation.next
    assert ("It needs you" in explanation.next) == code.needs_user
    assert commands(explanation) == [
        f"cadenza queue retry {TAKE.short_id}",
        f"cadenza queue cancel {TAKE.short_id}",
    ]


@pytest.mark.parametrize("hold", Hold)
def test_every_hold_of_the_queue_says_what_ends_it(hold: Hold) -> None:
    explanation = told(holds=[DEFAULT_WHY[hold]])
    others = {told(holds=[DEFAULT_WHY[other]]).because for other in Hold if other is not hold}
    assert explanation.because not in others
    assert DEFAULT_WHY[hold].why in explanation.because
    assert explanation.next
    assert commands(explanation)[0] != f"cadenza queue cancel {TAKE.short_id}"


def test_of_several_holds_the_user_own_pause_comes_first() -> None:
    holds = [DEFAULT_WHY[Hold.NETWORK], DEFAULT_WHY[Hold.AUTH], DEFAULT_WHY[Hold.USER]]
    assert commands(told(holds=holds))[0] == "cadenza queue resume"
    assert commands(told(holds=holds[:2]))[0] == "cadenza login"


def test_a_cancel_that_could_not_be_completed_is_not_called_a_pause() -> None:
    # `resume` would not help: the hold is on this take alone.
    explanation = told(replace(TAKE, hold=Hold.USER))
    assert "cancelled" in explanation.because
    assert "cadenza queue resume" not in commands(explanation)
    # Cancelling again fails as long as the server is away; keeping the take works at once.
    assert commands(explanation)[0] == f"cadenza queue retry {TAKE.short_id}"
    assert "once the server can be reached" in explanation.you_can[-1]


def test_a_take_that_is_held_by_itself_shows_its_own_cause() -> None:
    held = replace(TAKE, hold=Hold.DISK, last_error="The disk is full.")
    assert told(held).because == "It waits for free disk space. The disk is full."
    assert told(replace(held, last_error=None)).because == "It waits for free disk space."


def test_a_lease_without_an_uploader_is_not_called_sending() -> None:
    sending = replace(TAKE, status=Status.UPLOADING)
    assert told(sending).because == "It is being sent now."
    dead = told(sending, daemon_running=False)
    assert "stopped" in dead.because
    assert commands(dead) == ["cadenza daemon run"]


def test_without_an_uploader_the_first_advice_is_to_run_one() -> None:
    assert commands(told(daemon_running=False))[0] == "cadenza daemon run"
    # … and a hold that ends by itself ends only for somebody who looks.
    held = told(daemon_running=False, holds=[DEFAULT_WHY[Hold.NETWORK]])
    assert "cadenza daemon run" in held.next


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "in 1 seconds"),
        (119, "in 119 seconds"),
        (120, "in 2 minutes"),
        (3600, "in 60 minutes"),
        (7200, "in 2 hours"),
        (86_400, "in 24 hours"),
    ],
)
def test_the_next_try_is_named_in_the_unit_people_use(seconds: int, words: str) -> None:
    delayed = replace(
        TAKE, due_at=NOW + timedelta(seconds=seconds), last_error="The server is busy."
    )
    explanation = told(delayed)
    assert explanation.next == f"It is tried again {words}."
    assert explanation.because == "The last try did not succeed. The server is busy."


def test_a_failed_take_whose_time_has_come_is_tried_now() -> None:
    failed = replace(TAKE, status=Status.FAILED, fail_code=FailCode.POISON, due_at=NOW)
    assert "tried again now" in told(failed).next
    assert "tried again now" in told(replace(failed, due_at=None)).next


def test_a_setback_without_a_sentence_is_not_called_none() -> None:
    crashed = replace(TAKE, due_at=NOW + timedelta(seconds=30), last_error=None)
    assert told(crashed).because == "The last try did not succeed."


def test_a_free_take_waits_for_its_turn() -> None:
    assert told().because == "It waits for its turn."
    assert told(replace(TAKE, due_at=NOW)).because == "It waits for its turn."


@pytest.mark.parametrize(
    ("owner", "signed_in", "reason"),
    [
        (ADA, Account(URL, 9), "another account"),
        (ADA, Account("https://studio.example", 7), "recorded for http://127.0.0.1:8000"),
        (ADA, ADA, None),
        (ADA, Account(URL, None), None),
        (Account(URL, None), Account(URL, 9), None),
        (ADA, None, None),
    ],
)
def test_the_take_of_somebody_else_does_not_wait_for_its_turn(
    owner: Account, signed_in: Account | None, reason: str | None
) -> None:
    explanation = told(replace(TAKE, account=owner), account=signed_in)
    if reason is None:
        assert explanation.because == "It waits for its turn."
    else:
        assert reason in explanation.because
        assert commands(explanation)[0] == "cadenza login"


@pytest.mark.parametrize("stage", Stage)
def test_the_headline_says_how_far_it_has_come(stage: Stage) -> None:
    status = Status.UPLOADED if stage >= Stage.CONFIRMED else Status.PENDING
    headline = told(replace(TAKE, status=status, stage=stage)).headline
    assert headline.startswith(f"Take 6f0c1a2b is {status.value}. ")
    assert headline != told(replace(TAKE, stage=Stage((stage + 1) % 5), status=status)).headline


def test_a_local_copy_that_cannot_go_does_not_look_like_a_failed_upload() -> None:
    kept = replace(
        TAKE, status=Status.UPLOADED, stage=Stage.CONFIRMED, server_id="s-1",
        last_error="The local copy cannot be removed: Operation not permitted.",
    )  # fmt: skip
    explanation = told(kept)
    assert explanation.because == "The teacher can see it."
    assert "cannot be removed" in explanation.next
    assert "the upload itself is done" in explanation.next
    assert commands(explanation) == ["cadenza submissions show s-1"]
    assert told(replace(kept, stage=Stage.CLEANED)).next == "Nothing more needs to happen."


def test_a_try_tells_status_code_bytes_time_request_and_cost() -> None:
    line = told(
        attempts=[
            attempt(
                0, code="SlowDown", status_code=503, request_id="r-9", bytes_sent=1_000_000,
                counted=True,
            )
        ]
    ).tried[0]  # fmt: skip
    assert line == (
        "2026-11-20 12:00:00 UTC video: retry (503 SlowDown), 1,000,000 bytes in 2.5 s, "
        "request r-9, counted as an attempt"
    )
    assert told(attempts=[attempt(0, outcome="ok")]).tried[0].endswith("video: ok")
    assert told(attempts=[attempt(0, code="offline")]).tried[0].endswith("retry (offline)")


def test_what_was_never_tried_says_since_when_it_waits() -> None:
    assert told().tried == ("Nothing was tried yet; it was queued at 2026-11-20 12:00 UTC.",)
    assert told(events=()).tried == ("Nothing was tried yet.",)


def test_a_long_history_is_told_from_its_end() -> None:
    tried = told(attempts=[attempt(n, code=f"c{n}") for n in range(25)]).tried
    assert tried[0] == "5 earlier tries are left out."
    assert len(tried) == 21
    assert tried[-1].endswith("(c24)")
    assert len(told(attempts=[attempt(n) for n in range(20)]).tried) == 20
