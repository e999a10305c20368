"""One table: the code's rows, the data file for other implementations, and the examples agree."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_conformance import decisions
from cadenza_uploader._classify import (
    RULES,
    Action,
    Answer,
    Decision,
    Party,
    Rule,
    Step,
    classify,
)
from cadenza_uploader._states import Hold, Stage

TABLE = decisions.classification()
PARTIES: tuple[Party, ...] = get_args(Party)
STEPS: tuple[Step, ...] = get_args(Step)
RETRY = Decision(Action.RETRY)
#: Codes of our own, for what no server says.
OURS = sorted({c for r in RULES if r.unanswered or r.party == "local" for c in r.codes})

words = sorted(
    {code for rule in RULES for code in rule.codes}
    | {"SlowDown", "internal", "rate_limited", "forbidden", "offline", "x"}
)
answers = st.builds(
    Answer,
    party=st.sampled_from(PARTIES),
    step=st.sampled_from(STEPS),
    status=st.none() | st.integers(400, 599),
    code=st.none() | st.sampled_from(words),
    seen=st.integers(0, 10),
)


def as_data(decision: Decision) -> decisions.Decision:
    return decisions.Decision(
        action=decision.action.value,
        hold=decision.hold.value if decision.hold else None,
        fail=decision.fail.value if decision.fail else None,
        stage=decision.stage.word if decision.stage is not None else None,
    )


def rule_as_data(rule: Rule) -> decisions.Rule:
    repeated = None
    if rule.limit is not None:
        assert rule.then is not None
        repeated = decisions.Repeated(seen=rule.limit, then=as_data(rule.then))
    return decisions.Rule(
        why=rule.why,
        when=decisions.When(
            party=rule.party,
            answered=False if rule.unanswered else None,
            steps=rule.steps or None,
            statuses=rule.statuses or None,
            codes=rule.codes or None,
        ),
        then=as_data(rule.decision),
        repeated=repeated,
    )


def answer_as_data(answer: Answer) -> decisions.Answer:
    return decisions.Answer(
        party=answer.party,
        step=answer.step,
        status=answer.status,
        code=answer.code,
        seen=answer.seen,
    )


def from_data(answer: decisions.Answer) -> Answer:
    assert answer.party in PARTIES
    assert answer.step in STEPS
    return Answer(
        party=answer.party,
        step=answer.step,
        status=answer.status,
        code=answer.code,
        seen=answer.seen,
    )


def test_the_code_and_the_data_file_are_the_same_table() -> None:
    assert tuple(rule_as_data(rule) for rule in RULES) == TABLE.rules
    assert as_data(classify(Answer("api", "create", status=499))) == TABLE.otherwise


@given(answers)
def test_read_as_another_implementation_would_it_decides_the_same(answer: Answer) -> None:
    assert TABLE.decide(answer_as_data(answer)) == as_data(classify(answer))


@pytest.mark.parametrize("example", TABLE.examples, ids=[e.about for e in TABLE.examples])
def test_an_example_worked_out_by_hand(example: decisions.Example) -> None:
    assert as_data(classify(from_data(example.answer))) == example.decision


@pytest.mark.parametrize("rule", RULES, ids=[rule.why for rule in RULES])
def test_every_row_has_an_example_that_only_it_decides(rule: Rule) -> None:
    deciding = [
        e for e in TABLE.examples if next_match(from_data(e.answer)) is rule
    ]  # the first match is the one that counts
    assert deciding
    assert {e.decision for e in deciding} >= {as_data(rule.decision)}
    if rule.then is not None:
        assert {e.decision for e in deciding} >= {as_data(rule.then)}


def next_match(answer: Answer) -> Rule | None:
    return next((rule for rule in RULES if rule.matches(answer)), None)


def test_the_vocabulary_explains_every_word_of_the_table() -> None:
    vocabulary = TABLE.vocabulary
    assert set(vocabulary["party"]) == set(PARTIES)
    assert set(vocabulary["step"]) == set(STEPS)
    assert set(vocabulary["action"]) == {action.value for action in Action}
    outcomes = [d for r in TABLE.rules for d in (r.then, r.repeated and r.repeated.then) if d]
    assert set(vocabulary["hold"]) == {d.hold for d in outcomes if d.hold}
    assert set(vocabulary["stage"]) == {d.stage for d in outcomes if d.stage}
    assert set(vocabulary["code"]) == {*OURS, "*"}


@given(answers)
def test_a_decision_carries_exactly_what_its_action_needs(answer: Answer) -> None:
    decision = classify(answer)
    assert (decision.hold is not None) == (decision.action is Action.HOLD)
    assert (decision.fail is not None) == (decision.action is Action.FAIL)
    assert (decision.stage is not None) == (decision.action is Action.REDO)


@given(
    st.sampled_from([p for p in PARTIES if p != "local"]),
    st.sampled_from(STEPS),
    st.integers(500, 599).filter(lambda status: status != 501),
    st.sampled_from([None, "internal", "storage_unavailable", "SlowDown", "InternalError", *OURS]),
    st.integers(0, 99),
)
def test_a_server_that_is_down_fails_no_take(
    party: Party, step: Step, status: int, code: str | None, seen: int
) -> None:
    assert classify(Answer(party, step, status, code, seen)) == RETRY


@given(
    st.sampled_from(OURS),
    st.sampled_from([p for p in PARTIES if p != "local"]),
    st.sampled_from(STEPS),
    st.sampled_from([418, 429, 500, 503]),
)
def test_a_server_cannot_speak_for_this_device(
    code: str, party: Party, step: Step, status: int
) -> None:
    assert classify(Answer(party, step, status, code, seen=99)) == RETRY


@given(answers, st.integers(0, 50))
def test_losing_the_network_never_counts_and_never_fails(answer: Answer, seen: int) -> None:
    decision = classify(Answer(answer.party, answer.step, None, "offline", seen))
    assert decision == Decision(Action.HOLD, hold=Hold.NETWORK)


@given(st.sampled_from(PARTIES), st.sampled_from(STEPS), st.integers(0, 50))
def test_silence_is_retried_for_ever(party: Party, step: Step, seen: int) -> None:
    for code in ("lost", "timeout", "malformed", None):
        assert classify(Answer(party, step, None, code, seen)) == RETRY


@given(st.sampled_from(("video", "thumbnail")), st.integers(0, 4))
def test_a_refused_url_is_refreshed_before_anything_is_given_up(step: Step, seen: int) -> None:
    assert classify(Answer("storage", step, 403, "AccessDenied", seen)).action is Action.REFRESH


@given(answers)
def test_no_take_fails_because_nobody_is_signed_in(answer: Answer) -> None:
    refused = Answer("api", answer.step, 401, answer.code, answer.seen)
    assert classify(refused).hold is Hold.AUTH


def test_a_stage_goes_back_by_the_api_alone() -> None:
    redone = [rule for rule in RULES if rule.decision.action is Action.REDO]
    assert {rule.party for rule in redone} == {"api"}
    assert {rule.decision.stage for rule in redone} == {Stage.RECORDED, Stage.REGISTERED}
    # … and not without end: each gives up after a few.
    assert all(rule.then is not None and rule.then.fail is not None for rule in redone)


def test_a_limit_and_what_follows_it_come_together() -> None:
    assert all((rule.limit is None) == (rule.then is None) for rule in RULES)
