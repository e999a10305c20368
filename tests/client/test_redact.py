"""What may be shown of a URL and of other people's text (SEC-04)."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_client._redact import place, scrub

CANARY = "c4n4ryS1gnature"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://b.example.com/k.mp4?X-Amz-Signature=x", "https://b.example.com/k.mp4"),
        ("https://user:secret@b.example.com:8443/k#f", "https://b.example.com:8443/k"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("https://h/a\nb", "https://h/ab"),
        ("nonsense", "(not a URL)"),
        ("https://[broken", "(not a URL)"),
        ("https://h:99999/", "(not a URL)"),
        ("https:///k?s=1", "(not a URL)"),
    ],
)
def test_a_url_is_shown_without_query_credentials_and_fragment(url: str, shown: str) -> None:
    assert place(url) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"see https://b.example.com/k?X-Amz-Signature={CANARY}&x=1 for more",
        f"GET /storage/k.mp4?sig={CANARY} failed",
        f"GET /storage/k.mp4?opaque={CANARY}&x failed",
        f"Authorization: Bearer {CANARY}",
        f"header basic {CANARY}",
        f"X-Amz-Credential={CANARY}",
        f"x-amz-security-token: {CANARY}",
        f"token={CANARY}",
        f"sig={CANARY};",
        f"Cookie: {CANARY}",
        f"ftp://user:{CANARY}@h/x",
        f"eyJhbGciOiJIUzI1NiJ9.{CANARY}.{CANARY}",
    ],
)
def test_secrets_in_text_are_cut_out(text: str) -> None:
    assert CANARY not in scrub(text)


def test_ordinary_sentences_are_left_alone() -> None:
    said = "The stored video has 4000000 bytes, 8123456 were announced."
    assert scrub(said) == said


def test_text_is_one_line_of_bounded_length() -> None:
    assert scrub("a\x1b[31m\r\nb\u2028c") == "a [31m b c"
    assert len(scrub("long " * 10_000)) == 500
    assert scrub("long " * 10_000).endswith("…")


@given(
    scheme=st.sampled_from(["http", "https", "s3", "HTTPS"]),
    host=st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,5}){1,2}", fullmatch=True),
    path=st.text(st.characters(codec="utf-8", exclude_characters="?#"), max_size=20),
    name=st.from_regex(r"[A-Za-z-]{1,12}", fullmatch=True),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_query_survives_wherever_the_url_stands(
    scheme: str, host: str, path: str, name: str, before: str, after: str
) -> None:
    url = f"{scheme}://{host}/{quote(path)}?{name}={CANARY}"
    assert CANARY not in place(url)
    assert CANARY not in scrub(f"{before} {url} {after}")
