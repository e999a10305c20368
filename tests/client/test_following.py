"""When a stream is opened again, after what, and how soon."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cadenza_client import (
    AuthenticationError,
    CadenzaError,
    CertificateError,
    ConnectFailedError,
    ConnectionLostError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    RetryPolicy,
    ServerError,
)
from cadenza_client._following import Following
from cadenza_client._retry import Wait
from tests.client.wire import ID


def event(seq: int, kind: str = "message.created", **data: Any) -> bytes:
    document = {
        "id": f"evt_{seq}",
        "type": kind,
        "timestamp": "2026-11-20T17:10:11Z",
        "data": {"submission_id": str(ID), "user_id": 7, **data},
    }
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(document)}\n\n".encode()


def following(**options: Any) -> Following:
    chosen = {"after": None, "types": (), "reconnect": True, "policy": RetryPolicy(attempts=2)}
    return Following(**{**chosen, **options})


def test_an_event_says_what_it_is_about_and_where_it_stood() -> None:
    (found,) = following().read(event(41, message_id=str(ID)))
    assert (found.seq, found.id, found.type) == (41, "evt_41", "message.created")
    assert found.submission_id == found.message_id == ID
    assert found.marker_id is None


def test_it_begins_where_the_caller_says_and_goes_on_after_the_last_event() -> None:
    assert following().call().headers == ()
    stream = following(after=40)
    assert stream.call().headers == (("Last-Event-ID", "40"),)
    stream.read(event(41) + event(42)[:20])
    assert stream.call().headers == (("Last-Event-ID", "41"),)
    assert [one.seq for one in stream.read(event(42))] == [42], "half an event was left over"


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ((), ["message.created", "marker.created", "submission.reviewed"]),
        (("message.created",), ["message.created"]),
        (("marker.*", "submission.reviewed"), ["marker.created", "submission.reviewed"]),
        (("marker",), []),
    ],
)
def test_only_what_is_wanted_comes_out(types: tuple[str, ...], wanted: list[str]) -> None:
    stream = following(types=types)
    kinds = ("message.created", "marker.created", "submission.reviewed")
    found = stream.read(b"".join(event(n, kind) for n, kind in enumerate(kinds, 1)))
    assert [one.type for one in found] == wanted
    assert stream.call().headers == (("Last-Event-ID", "3"),), "what is unwanted is past as well"


def test_an_event_without_a_number_or_with_its_own_is_left_so() -> None:
    bare = event(1).replace(b"id: 1\n", b"")
    (found,) = following().read(bare)
    assert found.seq is None
    worded = event(1).replace(b"id: 1\n", b"id: x\n")
    (found,) = following().read(worded)
    assert found.seq is None


def test_what_is_no_event_ends_it_without_telling_what_it_was() -> None:
    with pytest.raises(ResponseError, match="cannot be read") as caught:
        following().read(b"data: SECRET\n\n")
    assert caught.value.__context__ is None
    assert "SECRET" not in str(caught.value)


# ── again ──────────────────────────────────────────────────────────────────────────────────────

LOST = ConnectionLostError("cut", sent="all")


def test_the_first_connection_is_given_up_like_any_other_request() -> None:
    refused = ConnectFailedError("nothing listens there", kind="refused")
    stream = following()
    assert stream.lost(refused) == Wait(0.0, 0.5)
    assert stream.lost(refused) is None


def test_a_later_one_is_tried_for_ever_with_growing_pauses() -> None:
    stream = following()
    stream.read(b": hello\n\n")
    waits = [stream.lost(LOST) for _ in range(40)]
    assert waits[:4] == [Wait(2.0, 1.0), Wait(2.0, 2.0), Wait(2.0, 4.0), Wait(2.0, 8.0)]
    assert waits[-1] == Wait(2.0, 30.0)
    stream.read(b": back\n\n")
    assert stream.lost(LOST) == Wait(2.0, 1.0)


def test_the_server_says_how_soon() -> None:
    stream = following()
    stream.read(b"retry: 500\n\n")
    assert stream.ended() == Wait(0.5, 0.25)
    stream.call()
    stream.read(b": still\n\n")
    assert stream.ended() == Wait(0.5, 0.25), "said once, it holds for the connections to come"
    asked = RateLimitError("slowly", retry_after_seconds=7.0)
    assert stream.lost(asked) == Wait(7.0, 0.5)


@pytest.mark.parametrize("error", [ServerError("busy"), LOST, ResponseError("portal")])
def test_what_may_pass_is_waited_for(error: CadenzaError) -> None:
    stream = following()
    stream.read(b": hello\n\n")
    assert stream.lost(error) is not None


@pytest.mark.parametrize(
    "error",
    [AuthenticationError("who?"), PermissionDeniedError("no"), CertificateError("not valid")],
)
def test_what_does_not_pass_by_itself_is_handed_out(error: CadenzaError) -> None:
    stream = following()
    stream.read(b": hello\n\n")
    assert stream.lost(error) is None


def test_one_connection_may_be_enough() -> None:
    stream = following(reconnect=False)
    stream.read(b": hello\n\n")
    assert stream.ended() is None
    assert stream.lost(LOST) is None
