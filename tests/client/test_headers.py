"""What header values mean, and that garbage means nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_client._headers import (
    http_date,
    is_json,
    looks_like_html,
    lowered,
    next_link,
    retry_after_seconds,
    whole_number,
)

NOW = datetime(2026, 11, 20, 17, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("1000000000", 3600.0),
        ("9" * 5000, 3600.0),
        ("Fri, 20 Nov 2026 17:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 16:00:00 GMT", 0.0),
        ("Fri, 20 Nov 2099 16:00:00 GMT", 3600.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("nan", None),
        ("1e9", None),
        ("٣", None),
        ("Fri, 99 Nov 2026 17:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_a_date_or_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


@given(st.text(max_size=60))
def test_no_text_breaks_a_header_reader(text: str) -> None:
    found = retry_after_seconds(text, now=NOW)
    assert found is None or 0 <= found <= 3600
    assert http_date(text) is None or http_date(text).tzinfo is UTC  # type: ignore[union-attr] # checked
    assert next_link(text) is None or isinstance(next_link(text), str)
    assert whole_number(text) is None or text.isascii()


def test_a_date_without_a_zone_is_utc() -> None:
    assert http_date("Fri, 20 Nov 2026 17:00:00 -0000") == NOW
    assert http_date("Fri, 20 Nov 2026 18:00:00 +0100") == NOW
    assert http_date(None) is None
    assert http_date("Fri, 20 Nov 2026 17:00:00 +9999999") is None
    assert http_date("Fri, 31 Dec 9999 23:59:59 -0100") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("50000000", 50_000_000), ("9" * 16, None), ("-1", None), ("٣", None), ("", None)],
)
def test_counts_are_plain_digits_of_a_sane_length(text: str, number: int | None) -> None:
    assert whole_number(text) == number
    assert whole_number(None) is None


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a/x?cursor=1>; rel="next"', "https://a/x?cursor=1"),
        ("</x?cursor=1>; rel=next", "/x?cursor=1"),
        ('<https://a/1>; rel="prev", <https://a/2>; rel="next"; title="a, b"', "https://a/2"),
        ('<https://a/1>; title="rel=next"; rel="last next"', "https://a/1"),
        ('<https://a/1>; rel="prev"', None),
        ("<https://a/1>", None),
        ("garbage", None),
        ("", None),
    ],
)
def test_the_next_page_is_the_link_that_says_next(header: str, target: str | None) -> None:
    assert next_link(header) == target


def test_no_link_is_no_next_page() -> None:
    assert next_link(None) is None


def test_header_names_are_lowered_and_repeated_ones_joined() -> None:
    given_headers = [("ETag", "a"), ("Link", "<1>"), ("link", "<2>")]
    assert lowered(given_headers) == {"etag": "a", "link": "<1>, <2>"}


@pytest.mark.parametrize(
    ("content_type", "body", "html"),
    [
        ("text/html; charset=utf-8", b"", True),
        ("application/xhtml+xml", b"", True),
        ("application/json", b"  <!DOCTYPE html><title>Wi-Fi</title>", True),
        ("", b"<html>", True),
        ("", b"<!-- login --> <HEAD>", True),
        ("application/xml", b"<?xml version='1.0'?><Error/>", False),
        ("application/json", b"{}", False),
        ("", b"", False),
    ],
)
def test_a_page_for_people_is_recognised(content_type: str, body: bytes, html: bool) -> None:
    assert looks_like_html({"content-type": content_type}, body) is html


def test_json_says_so() -> None:
    assert is_json({"content-type": "application/json; charset=utf-8"})
    assert is_json({"content-type": "application/problem+json"})
    assert not is_json({"content-type": "text/plain"})
    assert not is_json({})


def test_a_moment_gone_by_a_wrong_device_clock_uses_the_servers_date() -> None:
    server = NOW + timedelta(hours=5)
    wanted = "Fri, 20 Nov 2026 22:00:10 GMT"
    assert retry_after_seconds(wanted, now=server) == 10
