"""The table of legal steps, and that the database enforces the very same one."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._states import (
    LEGAL_DEMOTION,
    LEGAL_STATUS,
    FailCode,
    Hold,
    Stage,
    Status,
    is_legal,
)

State = tuple[Status, Stage]
ALL = tuple(itertools.product(Status, Stage))
#: `uploaded` and the stages from `confirmed` on belong together.
POSSIBLE = tuple(s for s in ALL if (s[0] is Status.UPLOADED) == (s[1] >= Stage.CONFIRMED))
TAKE_ID = "0" * 36

P, U, D, F = Status.PENDING, Status.UPLOADING, Status.UPLOADED, Status.FAILED
R0, R1, R2, R3, R4 = Stage

TRANSITIONS: dict[str, list[tuple[State, State]]] = {
    "T1 claim": [((P, s), (U, s)) for s in (R0, R1, R2)],
    "T2 registered": [((U, R0), (U, R1))],
    "T4 stored": [((U, R1), (U, R2))],
    "T5 confirmed": [((U, R2), (D, R3))],
    "T6 cleaned": [((D, R3), (D, R4))],
    "T7, T8, T11 put back": [((U, s), (P, s)) for s in (R0, R1, R2)],
    "T9 failed": [((U, s), (F, s)) for s in (R0, R1, R2)],
    "T10 retry": [((F, s), (P, s)) for s in (R0, R1, R2)],
    "T12 the server had it all along": [((s, t), (D, R3)) for s in (P, U) for t in (R0, R1, R2)],
    "T13 demoted": [((U, R2), (U, R1)), ((U, R2), (U, R0)), ((U, R1), (U, R0))],
}


@pytest.fixture
def shell(home: Home) -> Iterator[sqlite3.Connection]:
    TakeQueue.open(home).close()
    with closing(sqlite3.connect(home.database, isolation_level=None)) as connection:
        yield connection


def columns(state: State) -> dict[str, object]:
    """What the rest of the row has to be in a state, by the table's own CHECKs."""
    status, stage = state
    return {
        "status": status.value,
        "stage": int(stage),
        "lease_owner": "w" if status is U else None,
        "fail_code": "poison" if status is F else None,
        "server_id": "s" if stage >= R1 else None,
        "receipt": "{}" if stage >= R3 else None,
    }


def put(shell: sqlite3.Connection, state: State) -> None:
    """A row in this state, however it came there."""
    shell.execute("UPDATE takes SET hold = 'user' WHERE stage < 4 AND status <> 'uploading'")
    # Only here: the trigger that keeps unfinished takes is not what is tested.
    shell.execute("DROP TRIGGER IF EXISTS takes_kept")
    shell.execute("DELETE FROM takes")
    row: dict[str, object] = dict.fromkeys(
        ("captured_ms", "duration_ms", "duration_seconds", "width", "height", "created_ms",
         "updated_ms"), 1,
    ) | {"id": TAKE_ID, "account_url": "u", **columns(state)}  # fmt: skip
    marks = ", ".join("?" for _ in row)
    shell.execute(f"INSERT INTO takes ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def accepts(shell: sqlite3.Connection, after: State) -> bool:
    """Whether the database lets the row go to a state, with the columns that belong to it."""
    changes = columns(after)
    if changes["receipt"] is None:
        del changes["receipt"]  # a receipt is kept; another trigger guards that
    assignments = ", ".join(f"{name} = ?" for name in changes)
    try:
        shell.execute(
            f"UPDATE takes SET {assignments}, lease_epoch = lease_epoch + 1", list(changes.values())
        )
    except sqlite3.IntegrityError:
        return False
    return True


def test_the_database_accepts_exactly_the_legal_steps(shell: sqlite3.Connection) -> None:
    wrong = []
    for before, after in itertools.product(POSSIBLE, ALL):
        put(shell, before)
        if accepts(shell, after) != is_legal(before, after):
            wrong.append((before, after))
    assert not wrong


def test_the_database_holds_no_other_states(shell: sqlite3.Connection) -> None:
    for state in ALL:
        if state in POSSIBLE:
            put(shell, state)
        else:
            with pytest.raises(sqlite3.IntegrityError):
                put(shell, state)


@given(st.lists(st.sampled_from(ALL), max_size=40))
def test_no_walk_leaves_uploaded_or_loses_a_stage_without_evidence(walk: list[State]) -> None:
    state: State = (Status.PENDING, Stage.RECORDED)
    for wish in walk:
        if not is_legal(state, wish):
            continue
        (status, stage), (next_status, next_stage) = state, wish
        assert wish in POSSIBLE
        if status is Status.UPLOADED:
            assert next_status is Status.UPLOADED
            assert next_stage >= stage
        if next_stage < stage:
            assert (stage, next_stage) in LEGAL_DEMOTION
        if next_status is Status.UPLOADED:
            assert next_stage >= Stage.CONFIRMED
        state = wish


@pytest.mark.parametrize("steps", TRANSITIONS.values(), ids=TRANSITIONS.keys())
def test_every_transition_of_the_design_is_legal(steps: list[tuple[State, State]]) -> None:
    assert all(is_legal(before, after) for before, after in steps)


def test_failed_goes_nowhere_but_back_to_pending() -> None:
    # Not even the server's word skips the claim: a revived take asks again by itself.
    assert LEGAL_STATUS[Status.FAILED] == {Status.PENDING}
    assert not is_legal((F, R2), (D, R3))


def test_a_confirmed_take_never_goes_back() -> None:
    assert LEGAL_STATUS[Status.UPLOADED] == frozenset()
    assert all(
        not is_legal((D, stage), after)
        for stage in (R3, R4)
        for after in POSSIBLE
        if after[0] is not D or after[1] < stage
    )


def test_there_are_four_words_and_five_stages() -> None:
    assert [status.value for status in Status] == ["pending", "uploading", "uploaded", "failed"]
    assert [stage.word for stage in Stage] == [
        "recorded", "registered", "stored", "confirmed", "cleaned",
    ]  # fmt: skip
    assert {hold.value for hold in Hold} == {"auth", "network", "constraint", "disk", "user"}


def test_only_what_may_heal_by_itself_does_not_need_the_user() -> None:
    assert {code for code in FailCode if not code.needs_user} == {
        FailCode.ATTEMPTS_EXHAUSTED,
        FailCode.STORAGE_FORBIDDEN,
        FailCode.STORAGE_REJECTS,
    }
