"""Server-sent events, read as the standard says, however the network cuts them up."""

from __future__ import annotations

import pytest

from cadenza_client import ResponseError
from cadenza_client._sse import Frame, SseParser


def parsed(*parts: bytes) -> list[Frame]:
    parser = SseParser()
    return [frame for part in parts for frame in parser.feed(part)]


def test_an_event_has_a_type_data_and_the_id_to_go_on_after() -> None:
    assert parsed(b"id: 7\nevent: message.created\ndata: {}\n\n") == [
        Frame("message.created", "{}", "7")
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_may_end_in_three_ways(end: bytes) -> None:
    stream = end.join([b"data: one", b"data: two", b"", b"data: three", b"", b""])
    assert [frame.data for frame in parsed(stream)] == ["one\ntwo", "three"]


@pytest.mark.parametrize("cut", range(1, 34))
def test_it_does_not_matter_where_the_network_cuts(cut: int) -> None:
    stream = "id: 9\r\nevent: a.b\r\ndata: é\r\n\r\n".encode()
    assert parsed(stream[:cut], stream[cut:]) == [Frame("a.b", "é", "9")]


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_the_first_line() -> None:
    assert parsed("\ufeffdata: x\n\n".encode()) == [Frame("message", "x", None)]


def test_comments_and_unknown_fields_say_nothing() -> None:
    assert parsed(b": heartbeat\n\ncolour: red\ndata\n\n") == [Frame("message", "", None)]
    assert parsed(b": heartbeat\n\n" * 3) == []


def test_an_event_without_data_is_none_but_its_id_stays() -> None:
    assert parsed(b"id: 4\nevent: x\n\ndata: y\n\n") == [Frame("message", "y", "4")]


def test_an_id_stays_until_another_comes_and_is_taken_away_by_an_empty_one() -> None:
    stream = b"id: 4\ndata: a\n\ndata: b\n\nid: 5\0\ndata: c\n\nid\ndata: d\n\n"
    assert [frame.last_id for frame in parsed(stream)] == ["4", "4", "4", None]


def test_only_one_space_belongs_to_the_form() -> None:
    assert parsed(b"data:  two\ndata:none\n\n")[0].data == " two\nnone"


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"retry: 2000", 2.0),
        (b"retry: 0", 0.0),
        (b"retry: 99999999999999", 60.0),
        (b"retry: soon", None),
        (b"retry: -5", None),
        ("retry: ٣".encode(), None),
    ],
)
def test_the_servers_wish_is_kept_within_reason(line: bytes, seconds: float | None) -> None:
    parser = SseParser()
    parser.feed(line + b"\n")
    assert parser.retry_seconds == seconds


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    parser = SseParser(max_line_bytes=100)
    parser.feed(b"data: " + b"x" * 90)
    with pytest.raises(ResponseError, match="longer than 100 bytes"):
        parser.feed(b"x" * 90)


def test_many_lines_without_an_end_are_refused_as_well() -> None:
    parser = SseParser(max_event_bytes=100)
    with pytest.raises(ResponseError, match="longer than 100 bytes"):
        parser.feed(b"data: 0123456789\n" * 11)


def test_the_bound_is_for_one_event_not_for_all() -> None:
    parser = SseParser(max_event_bytes=15)
    assert len(parser.feed(b"data: 0123456789\n\n" * 50)) == 50


def test_bytes_that_are_no_text_do_not_end_the_stream() -> None:
    assert parsed(b"data: \xff\n\n")[0].data == "\ufffd"
