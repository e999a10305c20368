"""Without an adapter: a person, or a UI test, and a server that judges alone."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import httpx

from cadenza_conformance import load_scenarios, select
from cadenza_conformance.blackbox import BlackBox, is_playable


def _with_box(names: list[str], test: Callable[[BlackBox], None]) -> None:
    async def play() -> None:
        box = BlackBox(scenarios=select(load_scenarios(), names))
        stop, ready = asyncio.Event(), asyncio.Event()
        serving = asyncio.ensure_future(box.serve(stop, on_ready=ready.set))
        await ready.wait()
        try:
            await asyncio.to_thread(test, box)
        finally:
            stop.set()
            await serving

    asyncio.run(play())


def _entry(box: BlackBox, name: str) -> dict[str, Any]:
    entries = httpx.get(f"{box.url}scenarios", trust_env=False).json()
    return next(entry for entry in entries if entry["scenario"] == name)


def _verdict(box: BlackBox, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{box.url}verdict/{name}", trust_env=False).json()
    return answer


def test_a_client_is_judged_by_what_it_sends() -> None:
    def test(box: BlackBox) -> None:
        entry = _entry(box, "happy-one")
        assert _verdict(box, "happy-one")["verdict"] == "FAIL"  # nothing has come yet
        _send(entry)
        assert _verdict(box, "happy-one")["verdict"] == "PASS"
        again = httpx.get(f"{box.url}again/happy-one", trust_env=False).json()
        assert again["token"] != entry["token"]
        assert _verdict(box, "happy-one")["verdict"] == "FAIL"

    _with_box(["happy-one"], test)


def _send(entry: dict[str, Any]) -> None:
    """By hand, with nothing but an HTTP client."""
    data = b"a recording" * 1000
    declared = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    headers = {"Authorization": f"Bearer {entry['token']}"}
    with httpx.Client(trust_env=False) as client:
        made = client.post(
            f"{entry['api']}/video-submissions",
            json={
                "piece_id": "0b1a2c3d-0000-4000-8000-000000000001",
                "duration_seconds": 5,
                "id": "6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11",
                **declared,
            },
            headers=headers,
        ).json()
        client.put(made["upload_url"], content=data, headers=made["upload_headers"])
        name = made["submission"]["id"]
        client.post(
            f"{entry['api']}/video-submissions/{name}/confirm", json=declared, headers=headers
        )


def test_the_page_names_every_playable_scenario() -> None:
    def test(box: BlackBox) -> None:
        page = httpx.get(box.url, trust_env=False).text
        assert "url-expired-once" in page
        assert "kill-mid-put" not in page
        assert httpx.get(f"{box.url}nonsense", trust_env=False).status_code == 404
        assert httpx.get(f"{box.url}again/nonsense", trust_env=False).status_code == 404
        assert box.is_loopback

    _with_box([], test)


def test_what_needs_more_than_a_person_is_left_out() -> None:
    playable = {scenario.id for scenario in load_scenarios() if is_playable(scenario)}
    assert {"happy-one", "url-expired-once", "create-response-lost"} <= playable
    assert not {"kill-mid-put", "tls-good", "happy-many-50", "with-thumbnail"} & playable
    assert len(playable) >= 30
