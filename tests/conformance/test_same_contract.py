"""The fault server and `cadenza_server` answer one recorded list of requests alike.

Status, the shape of the JSON (names and types, all the way down) and the headers a client reads.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from cadenza_conformance import FaultServer
from cadenza_conformance._server._world import World
from cadenza_server import ServerSettings, admin, create_app
from cadenza_server.serving import run_in_thread
from tests.conformance.wire import a_scenario

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "recorded-requests.json").read_text("utf-8")
)
#: A real MP4 begins like this: the reference server looks.
VIDEO = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"a practice take " * 625
WRONG = VIDEO[:-1] + b"!"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"thumbnail" * 40 + b"\xff\xd9"
FACTS = {
    "$size": len(VIDEO),
    "$sha256": hashlib.sha256(VIDEO).hexdigest(),
    "$thumbnail_size": len(JPEG),
    "$short_size": len(VIDEO) - 5,
    "$other_sha256": hashlib.sha256(WRONG).hexdigest(),
}
BODIES = {"$video": VIDEO, "$wrong_video": WRONG, "$thumbnail": JPEG, "$short": VIDEO[:-5]}
READ = ("content-type", "x-total-count", "www-authenticate", "content-range", "accept-ranges")


def _filled(value: Any, known: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, known) for inner in value]
    if isinstance(value, str):
        if value in known:
            return known[value]
        for name, fact in known.items():
            value = value.replace("{" + name + "}", str(fact))
    return value


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


def _play(base: str, token: str, piece: str) -> list[dict[str, Any]]:
    """Play the list on one server; what a client would notice of each answer."""
    known: dict[str, Any] = {**FACTS, "$piece": piece}
    seen: list[dict[str, Any]] = []
    with httpx.Client(trust_env=False) as client:
        for step in RECORDED:
            url = _filled(step["path"], known)
            headers = {n: str(v) for n, v in _filled(step.get("headers", {}), known).items()}
            content: bytes | None = None
            if "json" in step:
                content = json.dumps(_filled(step["json"], known)).encode()
                headers.setdefault("Content-Type", "application/json")
            elif "body" in step:
                content = BODIES[step["body"]]
            elif "text" in step:
                content = step["text"].encode()
                headers.setdefault("Content-Type", "application/json")
            if not url.startswith("http"):
                url = base + url
                if not step.get("anonymous"):
                    headers["Authorization"] = f"Bearer {token}"
            headers.update(known.get(step.get("use_headers", ""), {}))
            headers.update({n: str(v) for n, v in _filled(step.get("override", {}), known).items()})
            reply = client.request(step["method"], url, content=content, headers=headers)
            is_json = "json" in reply.headers.get("content-type", "") and reply.content
            document = reply.json() if is_json else None
            for name, path in step.get("keep", {}).items():
                value: Any = document
                for part in path.split("."):
                    value = value[part]
                known[f"${name}"] = value
            seen.append(
                {
                    "step": step["name"],
                    "status": reply.status_code,
                    "shape": _shape({k: v for k, v in document.items() if k != "fields"})
                    if isinstance(document, dict)
                    else _shape(document),
                    "code": document.get("code") if isinstance(document, dict) else None,
                    "s3": _s3_code(reply),
                    "headers": {
                        name: reply.headers[name] if name == "content-range" else
                        reply.headers[name].partition(";")[0]
                        for name in READ
                        if name in reply.headers
                    },
                    "etag": reply.headers.get("etag"),
                }
            )  # fmt: skip
    return seen


def _s3_code(reply: httpx.Response) -> str | None:
    if b"<Code>" not in reply.content:
        return None
    return reply.text.partition("<Code>")[2].partition("</Code>")[0]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    settings = ServerSettings(data_dir=tmp_path_factory.mktemp("server"), derivatives="off")
    admin.init(settings)
    demo = admin.seed_demo(settings)
    with ExitStack() as stack:
        server = stack.enter_context(run_in_thread(create_app(settings)))
        client = stack.enter_context(httpx.Client(base_url=server.url, trust_env=False))
        signed = client.post("/auth/dev-login", params={"email": demo.student_email}).json()
        headers = {"Authorization": f"Bearer {signed['access_token']}"}
        piece = client.post("/pieces", json={"title": "Étude"}, headers=headers).json()["id"]
        yield _play(server.url, signed["access_token"], piece)


@pytest.fixture(scope="module")
def kit() -> list[dict[str, Any]]:
    async def play() -> list[dict[str, Any]]:
        scenario = a_scenario()
        async with FaultServer() as server:
            world = World(scenario.id, scenario)
            server.add(world)
            api = server.addresses(world.run).api
            piece = "0b1a2c3d-0000-4000-8000-000000000001"
            return await asyncio.to_thread(_play, api, world.token, piece)

    return asyncio.run(play())


@pytest.mark.parametrize("index", range(len(RECORDED)), ids=[step["name"] for step in RECORDED])
def test_both_servers_answer_alike(
    index: int, reference: list[dict[str, Any]], kit: list[dict[str, Any]]
) -> None:
    assert kit[index] == reference[index]


def test_the_list_is_worth_its_name() -> None:
    codes = {step.get("expect") for step in RECORDED}
    assert {"id_conflict", "not_uploaded_yet", "checksum_mismatch", "size_mismatch"} <= codes
    assert len(RECORDED) >= 30


def test_the_answers_are_those_that_were_recorded(reference: list[dict[str, Any]]) -> None:
    expected = [(s["name"], s["status"], s.get("expect")) for s in RECORDED]
    assert [(a["step"], a["status"], a["code"] or a["s3"]) for a in reference] == expected
