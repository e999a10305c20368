"""Where this client goes, and where it refuses to go (SEC-05, SEC-09, O14, O17)."""

from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadenza_client._urls import (
    Origin,
    check_names_object,
    check_signed_url,
    is_storage_host,
    parse_base_url,
)
from cadenza_client.errors import ConfigError, ResponseError, UnsafeUploadUrlError

PUBLIC = parse_base_url("https://api.example.com").origin
LOCAL = parse_base_url("http://127.0.0.1:8000").origin
BARE = parse_base_url("https://198.51.100.7:8443").origin
ID = UUID("6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11")
OTHER_ID = UUID("11111111-2222-4333-8444-555555555555")


# ── the configured address ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.example.com", "https://api.example.com/x"),
        (" https://API.example.com/ ", "https://api.example.com/x"),
        ("https://api.example.com:8443/v1/", "https://api.example.com:8443/v1/x"),
        ("https://api.example.com:443", "https://api.example.com/x"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/x"),
        ("http://localhost", "http://localhost/x"),
        ("http://cadenza.localhost:1", "http://cadenza.localhost:1/x"),
        ("http://[::1]:8000", "http://[::1]:8000/x"),
        ("http://[::ffff:127.0.0.1]:8000", "http://[::ffff:127.0.0.1]:8000/x"),
    ],
)
def test_an_address_becomes_origin_and_path(text: str, url: str) -> None:
    assert parse_base_url(text).url("/x") == url


@pytest.mark.parametrize(
    "text",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://api.example.com?x=1",
        "https://api.example.com/#x",
        "https://user@api.example.com",
        "https://user:pw@api.example.com",
        "https://api.example.com:0",
        "https://api.example.com:http",
        "https://api exam.com",
        "https://exämple.com",
        "http://api.example.com",
        "http://192.168.1.7:8000",
        "http://0.0.0.0:8000",
        "http://127.1",
        "http://localhost.example.com",
        "http://[::2]",
        "https://[fe80::1%25eth0]",
        "https://[",
    ],
)
def test_an_unusable_address_is_refused_before_anything_is_sent(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_base_url(text)
    assert "pw" not in str(caught.value)


# ── pages ──────────────────────────────────────────────────────────────────────────────────────


def test_a_next_link_is_taken_within_the_api() -> None:
    api = parse_base_url("https://api.example.com/v1")
    assert api.route("https://api.example.com/v1/x?cursor=a%2Bb") == ("/x", "cursor=a%2Bb")
    assert api.route("/v1/x?cursor=1") == ("/x", "cursor=1")
    assert api.route("x?cursor=1") == ("/x", "cursor=1")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example.com/v1/x",
        "http://api.example.com/v1/x",
        "https://api.example.com:8443/v1/x",
        "https://user@api.example.com/v1/x",
        "//evil.example.com/v1/x",
        "https://api.example.com/other/x",
        "/v1",
        "https://[",
        "https://api.example.com/v1/a b",
    ],
)
def test_a_next_link_elsewhere_does_not_get_the_token(link: str) -> None:
    with pytest.raises(ResponseError):
        parse_base_url("https://api.example.com/v1").route(link)


# ── signed URLs ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "api", "hosts"),
    [
        ("https://bucket.s3.eu-west-1.amazonaws.com/k?X-Amz-Signature=1", PUBLIC, ()),
        ("https://my_bucket.example.com/k", PUBLIC, ()),
        ("https://api.example.com/storage/k", PUBLIC, ()),
        ("https://cdn.example.com:9000/k", PUBLIC, ("cdn.example.com:9000",)),
        ("https://a.b.example.com/k", PUBLIC, (".example.com",)),
        ("https://b.example.com/k", PUBLIC, ("B.Example.COM",)),
        ("https://api.example.com/k", PUBLIC, ("b.example.com",)),
        ("https://192.0.2.1/k", PUBLIC, ("192.0.2.1",)),
        ("https://[2001:db8::1]:9000/k", PUBLIC, ("[2001:db8::1]:9000",)),
        ("https://[2001:db8::1]/k", PUBLIC, ("2001:db8::1",)),
        ("https://198.51.100.7:8443/storage/k", BARE, ()),
        ("https://198.51.100.7/storage/k", BARE, ()),
        ("http://127.0.0.1:8000/storage/k", LOCAL, ()),
        ("http://localhost:8000/storage/k", LOCAL, ()),
        ("http://127.0.0.1:9000/k", LOCAL, ("127.0.0.1:9000",)),
        ("https://bucket.s3.amazonaws.com/k", LOCAL, ()),
    ],
)
def test_an_honest_upload_url_is_used(url: str, api: Origin, hosts: tuple[str, ...]) -> None:
    check_signed_url(url, api=api, storage_hosts=hosts)


HOSTILE = [
    "http://bucket.example.com/k",
    "HTTP://bucket.example.com/k",
    "file:///etc/passwd",
    "ftp://bucket.example.com/k",
    "gopher://bucket.example.com/k",
    "javascript:alert(1)",
    "data:text/plain,x",
    "//bucket.example.com/k",
    "/k",
    "",
    "https://",
    "https:///k",
    "https://user@bucket.example.com/k",
    "https://user:pw@bucket.example.com/k",
    "https://bucket.example.com@evil.example.org/k",
    "https://bucket.example.com\\@evil.example.org/k",
    "https://bucket.example.com:8080/k",
    "https://bucket.example.com:22/k",
    "https://bucket.example.com:0/k",
    "https://bucket.example.com:99999/k",
    "https://bucket.example.com:٤٤٣/k",
    "https://bucket.example.com/k#fragment",
    "https://bucket.example.com./k",
    "https://bucket.example.com/k\r\nHost: evil.example.org",
    "https://bucket.example.com/\tk",
    " https://bucket.example.com/k",
    "https://bucket.example.com /k",
    "https://bücket.example.com/k",
    "https://bucket%2eexample.com/k",
    "https://127.0.0.1/k",
    "https://127.1/k",
    "https://2130706433/k",
    "https://0x7f000001/k",
    "https://0x7f.1/k",
    "https://0177.0.0.1/k",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/k",
    "https://192.0.2.1/k",
    "https://[::1]/k",
    "https://[::ffff:10.0.0.1]/k",
    "https://[fd00::1]/k",
    "https://[fe80::1%25eth0]/k",
    "https://[v1.x]/k",
    "https://[1:2]/k",
    "https://localhost/k",
    "https://LOCALHOST/k",
    "https://a.localhost/k",
    "http://localhost:8000/k",
    "https://-bucket.example.com/k",
    "https://" + "a" * 64 + ".example.com/k",
    "https://" + ".".join(["a" * 60] * 5) + "/k",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_upload_url_is_refused(url: str) -> None:
    with pytest.raises(UnsafeUploadUrlError) as caught:
        check_signed_url(url, api=PUBLIC)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://evil.example.org/k", ("bucket.example.com",)),
        ("https://evil-example.com/k", (".example.com",)),
        ("https://bucket.example.com:9000/k", ("bucket.example.com",)),
        ("https://bucket.example.com/k", ("bucket.example.com:9000",)),
        ("http://bucket.example.com/k", ("bucket.example.com",)),
    ],
)
def test_a_list_of_storage_hosts_leaves_only_these(url: str, hosts: tuple[str, ...]) -> None:
    with pytest.raises(UnsafeUploadUrlError):
        check_signed_url(url, api=PUBLIC, storage_hosts=hosts)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/k", "http://bucket.example.com/k", "https://10.0.0.1/k"]
)
def test_a_local_api_may_not_send_us_anywhere_either(url: str) -> None:
    with pytest.raises(UnsafeUploadUrlError):
        check_signed_url(url, api=LOCAL)


@given(st.text("ab.-_019xX:@%[]\\/?#&=+ \t", max_size=24))
@settings(max_examples=500)
def test_what_is_let_through_is_read_the_same_by_the_http_library(text: str) -> None:
    url = f"https://{text}"
    try:
        origin = check_signed_url(url, api=PUBLIC)
    except UnsafeUploadUrlError:
        return
    parsed = httpx.URL(url)
    assert (parsed.scheme, parsed.host) == (origin.scheme, origin.host)
    assert (parsed.port or 443) == origin.port


def test_a_redirect_may_lead_to_a_listed_host_only() -> None:
    listed = (".example.com", "store.example.org:9000")
    assert is_storage_host(Origin("https", "eu.example.com", 443), listed)
    assert is_storage_host(Origin("https", "store.example.org", 9000), listed)
    assert not is_storage_host(Origin("https", "eu.example.com", 9000), listed)
    assert not is_storage_host(Origin("https", "eu.example.com", 443), ())


# ── the right object ───────────────────────────────────────────────────────────────────────────


def test_a_url_must_be_for_the_submissions_own_key() -> None:
    key = f"dev/cadenza/videos/7/{ID}.mp4"
    check_names_object(f"https://b.example.com/{key}?s=1", s3_key=key, submission_id=ID)
    check_names_object(f"https://h/bucket/{key}", s3_key=f"/{key}", submission_id=ID)
    check_names_object(f"https://h/dev%2Fcadenza/videos/7/{ID}.mp4", s3_key=key, submission_id=ID)
    with pytest.raises(UnsafeUploadUrlError):
        check_names_object(f"https://h/{OTHER_ID}.mp4", s3_key=key, submission_id=ID)


def test_without_a_key_a_url_must_not_name_another_submission() -> None:
    check_names_object(f"https://h/videos/{str(ID).upper()}.mp4", s3_key=None, submission_id=ID)
    check_names_object("https://h/opaque", s3_key=None, submission_id=ID)
    check_names_object(f"https://h/{OTHER_ID}.mp4", s3_key=None, submission_id=None)
    with pytest.raises(UnsafeUploadUrlError):
        check_names_object(f"https://h/{OTHER_ID}.mp4", s3_key=None, submission_id=ID)
