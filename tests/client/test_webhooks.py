"""A posted event is believed only if the server signed it, and lately."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cadenza_client import WebhookVerificationError, verify_webhook
from tests.client.wire import ID

NOW = datetime(2026, 11, 20, 17, 10, 11, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = json.dumps(
    {
        "id": "evt_1",
        "type": "submission.uploaded",
        "timestamp": "2026-11-20T17:10:11Z",
        "data": {"submission_id": str(ID), "user_id": 7},
    }
).encode()


def posted(
    body: bytes = BODY,
    *,
    key: bytes = KEY,
    at: datetime = NOW,
    changes: dict[str, str] | None = None,
) -> Any:
    """The headers of a post, signed as Standard Webhooks says."""
    stamp = str(int(at.timestamp()))
    signature = hmac.new(key, b"evt_1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    return {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": stamp,
        "Webhook-Signature": f"v1,{base64.b64encode(signature).decode()}",
        **(changes or {}),
    }


def test_a_signed_post_is_the_event() -> None:
    event = verify_webhook(SECRET, posted(), BODY, now=NOW)
    assert (event.id, event.type, event.submission_id) == ("evt_1", "submission.uploaded", ID)
    assert event.seq is None


def test_the_standards_own_example_holds() -> None:
    # From the specification's test vectors: the secret, id, time, body and signature are theirs.
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    at = datetime.fromtimestamp(1614265330, UTC)
    with pytest.raises(WebhookVerificationError, match="not an event"):
        verify_webhook(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", headers, b'{"test": 2432232314}', now=at
        )


def test_headers_may_have_any_case_and_several_signatures() -> None:
    headers = {name.upper(): value for name, value in posted().items()}
    headers["WEBHOOK-SIGNATURE"] = f"v1a,xyz v1,AAAA {headers['WEBHOOK-SIGNATURE']}"
    assert verify_webhook(SECRET, headers, BODY, now=NOW).id == "evt_1"


def test_while_a_secret_is_exchanged_both_are_good() -> None:
    other = base64.b64encode(b"another").decode()
    assert verify_webhook([other, SECRET], posted(), BODY, now=NOW).id == "evt_1"
    assert verify_webhook([SECRET], posted(), BODY, now=NOW).id == "evt_1"


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
@pytest.mark.parametrize("value", [None, "  "])
def test_a_missing_header_is_named(name: str, value: str | None) -> None:
    headers = posted()
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    with pytest.raises(WebhookVerificationError, match=name.lower()):
        verify_webhook(SECRET, headers, BODY, now=NOW)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (posted(key=b"somebody else's"), BODY),
        (posted(), BODY + b" "),
        (posted(changes={"Webhook-Id": "evt_2"}), BODY),
        (posted(changes={"Webhook-Timestamp": str(int(NOW.timestamp()) + 1)}), BODY),
        (posted(changes={"Webhook-Signature": "v1,"}), BODY),
        (posted(changes={"Webhook-Signature": "v1,é"}), BODY),
        (posted(changes={"Webhook-Signature": "nonsense"}), BODY),
        (
            posted(
                changes={"Webhook-Signature": posted()["Webhook-Signature"].replace("v1", "v2")}
            ),
            BODY,
        ),
        (posted(changes={"Webhook-Signature": "v1,A " * 20 + posted()["Webhook-Signature"]}), BODY),
    ],
)
def test_what_is_not_signed_so_is_not_believed(headers: Any, body: bytes) -> None:
    with pytest.raises(WebhookVerificationError, match="no signature fits"):
        verify_webhook(SECRET, headers, body, now=NOW)


@pytest.mark.parametrize("stamp", ["soon", "-1", "1.5", "9" * 13, "١٢"])
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(WebhookVerificationError, match="number of seconds"):
        verify_webhook(SECRET, posted(changes={"Webhook-Timestamp": stamp}), BODY, now=NOW)


@pytest.mark.parametrize(
    ("seconds", "words"), [(301, "too old: 301"), (-301, "from the future: 301")]
)
def test_a_post_of_another_time_is_refused(seconds: int, words: str) -> None:
    at = NOW - timedelta(seconds=seconds)
    with pytest.raises(WebhookVerificationError, match=words):
        verify_webhook(SECRET, posted(at=at), BODY, now=NOW)
    assert verify_webhook(SECRET, posted(at=at), BODY, now=NOW, tolerance_seconds=302).id


def test_without_a_time_it_is_now() -> None:
    assert verify_webhook(SECRET, posted(at=datetime.now(UTC)), BODY).id == "evt_1"
    with pytest.raises(WebhookVerificationError, match="too old"):
        verify_webhook(SECRET, posted(at=datetime.now(UTC) - timedelta(hours=1)), BODY)


def test_a_signed_body_that_is_no_event_is_refused_without_repeating_it() -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        verify_webhook(SECRET, posted(b'{"id": "CANARY"}'), b'{"id": "CANARY"}', now=NOW)
    assert "CANARY" not in f"{caught.value!r}{caught.value.__context__!r}"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64 é", "abc", []])
def test_a_secret_that_is_none_is_a_mistake_of_the_caller(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        verify_webhook(secret, posted(), BODY, now=NOW)
    assert "not base64 é" not in str(caught.value)
