"""Small rules without any I/O: ranges, signatures, receipts, sniffing, cursors, limits, times."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_server.builtin_store.ranges import UnsatisfiableRangeError, parse_range
from cadenza_server.builtin_store.signing import (
    ExpiredError,
    MissingSignatureError,
    SignatureMismatchError,
    Signer,
)
from cadenza_server.clock import utc_now, wire_time
from cadenza_server.errors import ApiError
from cadenza_server.keyring import Keyring
from cadenza_server.keys import page_key, thumbnail_key, thumbnail_key_beside, video_key
from cadenza_server.limits import RateLimiter
from cadenza_server.pagination import read_cursor, write_cursor
from cadenza_server.receipts import Receipt, issue_receipt, verify_receipt
from cadenza_server.sniff import image_size, is_jpeg, is_video
from cadenza_server.storage import SignedPut
from tests.server.world import START, FakeClock

RING = Keyring("k1", {"k1": b"secret one", "k0": b"secret zero"})


# ── time on the wire (W2) ──────────────────────────────────────────────────────


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1000))
def test_times_have_no_fraction_and_end_in_z(moment: datetime) -> None:
    text = wire_time(moment)

    assert len(text) == 20
    assert datetime.fromisoformat(text) == moment.replace(microsecond=0)


def test_other_zones_are_converted_and_the_clock_is_aware() -> None:
    vienna = timezone(timedelta(hours=1))

    assert wire_time(datetime(2026, 11, 20, 18, 0, tzinfo=vienna)) == "2026-11-20T17:00:00Z"
    assert utc_now().tzinfo is UTC


# ── ranges ─────────────────────────────────────────────────────────────────────


@given(size=st.integers(0, 50), first=st.integers(0, 60), last=st.integers(0, 60))
def test_a_range_is_what_slicing_gives(size: int, first: int, last: int) -> None:
    data = bytes(range(size))
    try:
        span = parse_range(f"bytes={first}-{last}", size)
    except UnsatisfiableRangeError:
        assert first >= size
        return
    if last < first:
        assert span is None
    else:
        assert span is not None
        assert data[span[0] : span[1] + 1] == data[first : last + 1]


@given(st.text(), st.integers(0, 100))
def test_no_header_breaks_the_parser(header: str, size: int) -> None:
    try:
        span = parse_range(header, size)
    except UnsatisfiableRangeError:
        return
    assert span is None or 0 <= span[0] <= span[1] < size


# ── signatures ─────────────────────────────────────────────────────────────────


def _query(path: str) -> dict[str, str]:
    from urllib.parse import parse_qsl, urlsplit

    return dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))


_names = st.sampled_from(["content-type", "content-length", "if-none-match"])


@given(
    key=st.from_regex(r"\A[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}\Z"),
    headers=st.dictionaries(_names, st.text(st.characters(codec="ascii", categories=["L", "N"]))),
    parameters=st.dictionaries(st.sampled_from(["response-content-disposition", "x"]), st.text()),
    moment=st.integers(0, 10**9),
)
def test_what_was_signed_verifies_and_one_change_does_not(
    key: str, headers: dict[str, str], parameters: dict[str, str], moment: int
) -> None:
    signer = Signer(RING)
    path = signer.sign("PUT", key, expires_at=moment + 1, headers=headers, parameters=parameters)
    query = _query(path)
    signer.verify("PUT", key, query=query, headers=headers, now=moment)

    for method, other_key in (("GET", key), ("PUT", key + "x")):
        with pytest.raises(SignatureMismatchError):
            signer.verify(method, other_key, query=query, headers=headers, now=moment)
    for name in headers:
        with pytest.raises(SignatureMismatchError):
            signer.verify("PUT", key, query=query, headers=headers | {name: "other!"}, now=moment)
    for name in parameters:
        changed = query | {name: parameters[name] + "!"}
        with pytest.raises(SignatureMismatchError):
            signer.verify("PUT", key, query=changed, headers=headers, now=moment)
    with pytest.raises(ExpiredError):
        signer.verify("PUT", key, query=query, headers=headers, now=moment + 1)
    with pytest.raises(MissingSignatureError):
        signer.verify("PUT", key, query={}, headers=headers, now=moment)


def test_one_header_can_not_be_smuggled_in_as_two() -> None:
    # `a: 1\nb:2` as one value must not sign the same message as two headers.
    signer = Signer(RING)
    path = signer.sign("PUT", "k", expires_at=9, headers={"a": "1", "b": "2"})

    with pytest.raises(SignatureMismatchError):
        signer.verify("PUT", "k", query=_query(path), headers={"a": "1\nb:2"}, now=1)


def test_a_purpose_has_a_key_of_its_own() -> None:
    keys = {RING.key(purpose) for purpose in ("token", "receipt", "storage")}

    assert len(keys) == 3
    assert RING.key("token", "k0") not in keys
    assert RING.key("token", "k9") is None
    assert not RING.verify("token", "k9", b"x", b"x")
    assert "secret" not in repr(RING)


def test_signed_urls_stay_out_of_representations() -> None:
    assert "secret" not in repr(SignedPut("http://x/y?sig=secret", {"a": "secret"}))


# ── receipts ───────────────────────────────────────────────────────────────────


def _receipt(sha256: str | None = "ab" * 32) -> Receipt:
    return issue_receipt(
        RING,
        asset_id=UUID(int=7),
        s3_key="k.mp4",
        size_bytes=5,
        sha256=sha256,
        etag='"e"',
        confirmed_at=START + timedelta(microseconds=5),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"asset_id": str(uuid4())},
        {"s3_key": "other.mp4"},
        {"size_bytes": 6},
        {"sha256": None},
        {"etag": '"f"'},
        {"verified": "size"},
        {"confirmed_at": "2026-11-20T17:00:01Z"},
        {"key_id": "k0"},
        {"key_id": "k9"},
        {"signature": ""},
        {"signature": "*"},
    ],
)
def test_a_receipt_is_good_only_unchanged(change: dict[str, object]) -> None:
    told = _receipt().model_dump(mode="json")

    assert verify_receipt(RING, Receipt.model_validate(told))
    assert not verify_receipt(RING, Receipt.model_validate(told | change))


def test_a_receipt_says_what_was_compared() -> None:
    assert (_receipt().verified, _receipt(None).verified) == ("sha256", "size")


def test_a_receipt_outlives_the_key_that_signed_it() -> None:
    rotated = Keyring("k2", {"k2": b"new", "k1": b"secret one"})

    assert verify_receipt(rotated, _receipt())


# ── keys ───────────────────────────────────────────────────────────────────────


def test_keys_are_those_of_the_first_document() -> None:
    submission_id = UUID(int=1)
    video = video_key("dev/", 7, submission_id)

    assert video == f"dev/cadenza/videos/7/{submission_id}.mp4"
    assert thumbnail_key_beside(video) == thumbnail_key("dev/", 7, submission_id)
    assert thumbnail_key("", 7, submission_id) == f"cadenza/videos/7/{submission_id}_thumb.jpg"
    assert page_key("", submission_id, 3, "png").endswith("/page-3.png")


# ── sniffing (M01) ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "video"),
    [
        (b"\0\0\0\x18ftypmp42", True),
        (b"\0\0\0\x14ftypqt  ", True),
        (b"\0\0\x02\x9bmoov", True),
        (b"\0\0\0\x08wide\0\0\0\0mdat", True),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01", True),
        (b"", False),
        (b"\0\0\0\x18ft", False),
        (b"<!doctype html><html>", False),
        (b"#EXTM3U\n#EXT-X-VERSION:3", False),
        (b"ffconcat version 1.0", False),
        (b"RIFF\0\0\0\0AVI LIST", False),
        (b"\xff\xd8\xff\xe0", False),
        (b"PK\x03\x04", False),
        (b"\0" * 64, False),
    ],
)
def test_what_begins_like_a_video(start: bytes, video: bool) -> None:
    assert is_video(start) is video


@given(st.binary(max_size=80))
def test_pictures_are_measured_or_not_pictures(data: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"):
        facts = image_size(start + data)
        assert facts is None or (facts[1] > 0 and facts[2] > 0)


def test_a_jpeg_behind_its_metadata_is_found() -> None:
    frame = b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", 30, 40) + b"\x03"
    tables = b"\xff\xc4\x00\x03\x00" + b"\xff\xdb\x00\x04\x00\x00"

    assert image_size(b"\xff\xd8" + b"\xff\xe0\x00\x04xx" + tables + frame) == (
        "image/jpeg",
        40,
        30,
    )
    assert image_size(b"\xff\xd8\xff\xe0\x00\x01" + frame) is None, "a marker shorter than itself"
    assert is_jpeg(b"\xff\xd8\xff\xdb")


# ── cursors (W4) ───────────────────────────────────────────────────────────────


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
    st.text(),
)
def test_a_cursor_is_read_as_it_was_written(moment: datetime, ident: UUID, text: str) -> None:
    kinds = (datetime, UUID, str)

    assert read_cursor(write_cursor((moment, ident, text)), kinds) == [moment, ident, text]


@given(st.text(max_size=60))
def test_no_cursor_is_an_internal_error(cursor: str) -> None:
    with pytest.raises(ApiError) as refusal:
        read_cursor(cursor, (datetime, UUID))
    assert refusal.value.code == "invalid"


@pytest.mark.parametrize(
    "values",
    [("2026-11-20T17:00:00", str(uuid4())), (5, str(uuid4())), ("2026-11-20T17:00:00Z",), "ab"],
)
def test_a_cursor_of_other_types_is_refused(values: tuple[object, ...]) -> None:
    with pytest.raises(ApiError):
        read_cursor(write_cursor(values), (datetime, UUID))


def test_a_cursor_with_a_number_for_a_text_is_refused() -> None:
    with pytest.raises(ApiError):
        read_cursor(write_cursor((5, str(uuid4()))), (str, UUID))


# ── rate limits ────────────────────────────────────────────────────────────────


def test_a_burst_of_a_minute_and_then_the_steady_rate() -> None:
    clock = FakeClock()
    limiter = RateLimiter({"auth": 1, "write": 30, "read": 100}, clock.monotonic)
    for _ in range(30):
        limiter.check("write", "user:1")

    with pytest.raises(ApiError) as refusal:
        limiter.check("write", "user:1")

    assert (refusal.value.code, refusal.value.retry_after_seconds) == ("rate_limited", 2)
    limiter.check("write", "user:2")
    limiter.check("read", "user:1")
    clock.advance(seconds=1.9)
    with pytest.raises(ApiError):
        limiter.check("write", "user:1")
    clock.advance(seconds=0.2)
    limiter.check("write", "user:1")
    clock.advance(days=1)
    for _ in range(30):
        limiter.check("write", "user:1")
    with pytest.raises(ApiError):
        limiter.check("write", "user:1")


def test_waiting_as_told_is_enough() -> None:
    clock = FakeClock()
    limiter = RateLimiter({"auth": 7, "write": 7, "read": 7}, clock.monotonic)
    for _ in range(7):
        limiter.check("auth", "address:::1")
    for _ in range(20):
        with pytest.raises(ApiError) as refusal:
            limiter.check("auth", "address:::1")
        assert refusal.value.retry_after_seconds is not None
        clock.advance(seconds=refusal.value.retry_after_seconds)
        limiter.check("auth", "address:::1")


def test_a_flood_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cadenza_server.limits._MAX_BUCKETS", 100)
    clock = FakeClock()
    limiter = RateLimiter({"auth": 10, "write": 1, "read": 1}, clock.monotonic)
    for number in range(1000):
        clock.advance(seconds=1)
        limiter.check("auth", f"address:{number}")

    assert len(limiter._buckets) <= 100
