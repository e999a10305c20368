"""What docs/events.md tells its readers is so."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from cadenza_server.announcements import EVENT_TYPES
from cadenza_server.derivatives.child import CPU_SECONDS, MEMORY_BYTES
from cadenza_server.event_stream import HEARTBEAT_SECONDS, LIFE_SECONDS, RETRY_MS
from cadenza_server.feed import MAX_PER_USER, POLL_SECONDS
from cadenza_server.keyring import Keyring
from cadenza_server.outbox import KEPT_DAYS
from cadenza_server.webhooks.delivering import RETRY_SECONDS
from cadenza_server.webhooks.posting import DEADLINE_SECONDS
from cadenza_server.webhooks.signing import new_seed, secret_of, signed_headers

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text("utf-8")


def test_the_example_verifies_what_we_sign_and_nothing_else() -> None:
    (code,) = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/events.md", "exec"), names)
    keyring = Keyring("k1", {"k1": b"secret"})
    secret = secret_of(keyring, new_seed(keyring))
    body = json.dumps({"type": "x"}).encode()
    headers = signed_headers(secret, "evt_1", int(time.time()), body)

    assert names["verified"](secret, headers, body) == {"type": "x"}
    with pytest.raises(ValueError, match="not signed"):
        names["verified"](secret, headers, body + b" ")
    with pytest.raises(ValueError, match="too old"):
        names["verified"](secret, signed_headers(secret, "evt_1", 1, body), body)


def test_every_type_is_on_the_page() -> None:
    missing = [kind for kind in EVENT_TYPES if f"`{kind}`" not in PAGE]

    assert missing == []


def test_the_numbers_are_ours() -> None:
    assert f"kept for {KEPT_DAYS} days" in PAGE
    assert f"every {HEARTBEAT_SECONDS:.0f} seconds" in PAGE
    assert f"retry: {RETRY_MS}" in PAGE
    assert f"{MAX_PER_USER} streams" in PAGE
    assert (LIFE_SECONDS, POLL_SECONDS) == (3600, 0.2)
    assert f"within {DEADLINE_SECONDS:.0f} seconds" in PAGE
    assert RETRY_SECONDS == (30, 120, 600, 3600, 14_400, 43_200, 86_400, 86_400)
    assert (MEMORY_BYTES, CPU_SECONDS) == (3 << 30, 1200)
