"""The kit's storage, the built-in one and a real S3-compatible server answer alike.

One list of requests is put to all three.

What a client must act on: status, S3's code, and the headers it reads. Where the two differ it
says so here, by name and with the reason; a difference that is not listed fails, and so does one
that is listed and no longer there. The table is printed in `docs/storage.md`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import time_machine

from benchmarks.s3server import S3Server, s3_server
from cadenza_conformance._server import _storage
from cadenza_server import ServerSettings, create_app
from cadenza_server.builtin_store import Signer
from cadenza_server.s3_store.store import S3Store
from cadenza_server.serving import run_in_thread
from cadenza_server.storage_settings import StorageSettings
from cadenza_server.stores import open_s3
from tests.conformance.wire import Bench, a_bench
from tests.storage.world import s3_settings

pytestmark = pytest.mark.real("swift")
DATA = b"a practice take " * 64
OTHER = DATA[:-1] + b"!"
KEY = "dev/cadenza/videos/7/take.mp4"
V1 = {"Content-Type": "video/mp4"}
V2 = {
    **V1,
    "Content-Length": str(len(DATA)),
    "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(DATA).digest()).decode(),
    "If-None-Match": "*",
}
SIZED = {**V1, "Content-Length": str(len(DATA))}


class Store(Protocol):
    """Any of the three."""

    def url(self, method: str, headers: dict[str, str] | None = None, *, old: bool = False) -> str:
        """A signed URL of `KEY`; an old one has expired."""
        ...

    def bare_url(self) -> str:
        """Where the object is, without any signature."""
        ...


@dataclass(frozen=True)
class _Kit:
    bench: Bench

    def url(self, method: str, headers: dict[str, str] | None = None, *, old: bool = False) -> str:
        world = self.bench.world
        base = self.bench.server.addresses(world.run).storage
        url = _storage.issue(world, method, KEY, headers or {}, base).url
        if old:
            signature = parse_qs(urlsplit(url).query)["X-Amz-Signature"][0]
            world.grants[signature].ttl_seconds = -1
        return url

    def bare_url(self) -> str:
        return self.url("GET").partition("?")[0]


@dataclass(frozen=True)
class _BuiltIn:
    url_base: str
    signer: Signer

    def url(self, method: str, headers: dict[str, str] | None = None, *, old: bool = False) -> str:
        signed = {name.lower(): value for name, value in (headers or {}).items()}
        ends = int(time.time()) + (-3600 if old else 60)
        return self.url_base + self.signer.sign(method, KEY, expires_at=ends, headers=signed)

    def bare_url(self) -> str:
        return self.url("GET").partition("?")[0]


@dataclass(frozen=True)
class _Real:
    store: S3Store

    def url(self, method: str, headers: dict[str, str] | None = None, *, old: bool = False) -> str:
        when = datetime.now(UTC) - timedelta(hours=2 if old else 0)
        with time_machine.travel(when):
            return self.store.signer.sign(method, KEY, expires_in=60, headers=headers)

    def bare_url(self) -> str:
        return self.url("GET").partition("?")[0]


# ── the requests ───────────────────────────────────────────────────────────────────────────────


def _put(store: Store, signed: dict[str, str], data: bytes = DATA, **sent: str) -> httpx.Response:
    url = store.url("PUT", signed)
    return httpx.put(url, content=data, headers={**signed, **sent}, trust_env=False)


def _put_without(store: Store, name: str) -> httpx.Response:
    headers = {key: value for key, value in V2.items() if key != name}
    return httpx.put(store.url("PUT", V2), content=DATA, headers=headers, trust_env=False)


def _put_then(store: Store, then: Callable[[], httpx.Response]) -> httpx.Response:
    assert _put(store, V2).status_code == 200
    return then()


def _get(store: Store, *, change: tuple[str, str] = ("", ""), **headers: str) -> httpx.Response:
    url = store.url("GET").replace(*change) if change[0] else store.url("GET")
    return httpx.get(url, headers=headers, trust_env=False)


def _get_stored(store: Store, **options: Any) -> httpx.Response:
    return _put_then(store, lambda: _get(store, **options))


def _put_changed(store: Store, pattern: str, text: str) -> httpx.Response:
    url = re.sub(pattern, text, store.url("PUT", V2))
    return httpx.put(url, content=DATA, headers=V2, trust_env=False)


REQUESTS: dict[str, Callable[[Store], httpx.Response]] = {
    "put, all declared": lambda store: _put(store, V2),
    "put, a v1 client": lambda store: _put(store, V1),
    "put, a v1 client again": lambda store: _put_then(store, lambda: _put(store, V1)),
    "put, only the size declared": lambda store: _put(store, SIZED),
    "put again, If-None-Match": lambda store: _put_then(store, lambda: _put(store, V2)),
    "put, expired": lambda store: httpx.put(
        store.url("PUT", V2, old=True), content=DATA, headers=V2, trust_env=False
    ),
    "put, wrong bytes": lambda store: _put(store, V2, OTHER),
    "put, too short": lambda store: httpx.put(
        store.url("PUT", V2),
        content=DATA[:-1],
        headers={**V2, "Content-Length": str(len(DATA) - 1)},
        trust_env=False,
    ),
    "put, another type": lambda store: httpx.put(
        store.url("PUT", V2), content=DATA, headers={**V2, "Content-Type": "text/html"}
    ),
    "put, another checksum header": lambda store: httpx.put(
        store.url("PUT", V2),
        content=DATA,
        headers={**V2, "x-amz-checksum-sha256": "A" * 43 + "="},
        trust_env=False,
    ),
    "put, checksum header left out": lambda store: _put_without(store, "x-amz-checksum-sha256"),
    "put, condition left out": lambda store: _put_without(store, "If-None-Match"),
    "put, type left out": lambda store: _put_without(store, "Content-Type"),
    "put, another key": lambda store: _put_changed(store, "take[.]mp4", "other.mp4"),
    "put, another signature": lambda store: _put_changed(store, "(Signature|sig)=.{4}", r"\1=0000"),
    "put, a longer life": lambda store: _put_changed(store, "(Expires|exp)=", r"\1=9"),
    "put, one more parameter": lambda store: _put_changed(
        store, "$", "&response-content-type=text%2Fhtml"
    ),
    "put, with the URL of a get": lambda store: httpx.put(
        store.url("GET"), content=DATA, headers=V1, trust_env=False
    ),
    "put, in chunks": lambda store: httpx.put(
        store.url("PUT", V1), content=iter([DATA]), headers=V1, trust_env=False
    ),
    "get": _get_stored,
    "get, first byte": lambda store: _get_stored(store, Range="bytes=0-0"),
    "get, a range": lambda store: _get_stored(store, Range="bytes=100-199"),
    "get, from a byte on": lambda store: _get_stored(store, Range="bytes=1000-"),
    "get, the last bytes": lambda store: _get_stored(store, Range="bytes=-5"),
    "get, beyond the end": lambda store: _get_stored(store, Range="bytes=9999-"),
    "get, not there": _get,
    "get, expired": lambda store: _put_then(
        store, lambda: httpx.get(store.url("GET", old=True), trust_env=False)
    ),
    "get, with the URL of a put": lambda store: _put_then(
        store, lambda: httpx.get(store.url("PUT", V1), trust_env=False)
    ),
    "get, no signature": lambda store: _put_then(
        store, lambda: httpx.get(store.bare_url(), trust_env=False)
    ),
    "delete, with the URL of a put": lambda store: _put_then(
        store, lambda: httpx.delete(store.url("PUT", V1), trust_env=False)
    ),
}

# ── what is noticed, and where the two differ ──────────────────────────────────────────────────


def notice(answer: httpx.Response) -> dict[str, object]:
    """What a client can act on."""
    seen: dict[str, object] = {"status": answer.status_code}
    if answer.status_code >= 400:
        code = re.search("<Code>(.*?)</Code>", answer.text)
        message = re.search("<Message>(.*?)</Message>", answer.text)
        seen["code"] = code and code[1]
        seen["expired"] = bool(message and "expired" in message[1])
        seen["xml"] = answer.headers.get("content-type", "").startswith("application/xml")
    else:
        for name in ("etag", "content-range", "accept-ranges"):
            seen[name] = answer.headers.get(name)
        if answer.request.method == "GET":
            seen["type"] = answer.headers.get("content-type")
            seen["body"] = hashlib.sha256(answer.content).hexdigest()[:8]
    names = ("x-amz-request-id", "x-request-id")
    seen["request id"] = any(name in answer.headers for name in names)
    return seen


class Difference(NamedTuple):
    """What one of ours answers otherwise than the real one."""

    ours: str
    what: tuple[str, ...]
    why: str


_BOTH = "the kit, the built-in store"
#: By request. `docs/storage.md` prints it.
DIFFERENCES: dict[str, Difference] = {
    "put, in chunks": Difference(
        _BOTH,
        ("code", "etag", "expired", "status", "xml"),
        "S3 and Ceph want a length and answer 411, as we do; Swift takes the chunks",
    ),
    "get, no signature": Difference(
        _BOTH,
        ("code", "request id", "status", "xml"),
        "S3 answers 403, as we do; Swift takes it for a request of its own protocol: 400",
    ),
    "delete, with the URL of a put": Difference(
        "the built-in store",
        ("code", "status"),
        "it deletes nothing for anybody and says 405 to the method; S3 says 403 to the signature",
    ),
}


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(folder=tmp_path_factory.mktemp("swift"), install=False) as server:
        yield server


@pytest.fixture(scope="module")
def settings(swift: S3Server, tmp_path_factory: pytest.TempPathFactory) -> StorageSettings:
    chosen = s3_settings(swift, tmp_path_factory.mktemp("settings"))
    open_s3(chosen).client.create_bucket(Bucket=chosen.s3_bucket or "")
    return chosen


async def _ask_kit(request: Callable[[Store], httpx.Response]) -> dict[str, object]:
    async with a_bench() as bench:
        return notice(await asyncio.to_thread(request, _Kit(bench)))


def _ask_built_in(request: Callable[[Store], httpx.Response], folder: Path) -> dict[str, object]:
    app = create_app(ServerSettings(data_dir=folder))
    try:
        with run_in_thread(app) as server:
            signer = Signer(app.state.services.keyring)
            return notice(request(_BuiltIn(server.url, signer)))
    finally:
        app.state.services.db.close()


@pytest.mark.parametrize("name", list(REQUESTS))
def test_all_answer_alike(name: str, settings: StorageSettings, tmp_path: Path) -> None:
    real = open_s3(settings)  # type: ignore[arg-type]
    real.delete(KEY)

    swift = notice(REQUESTS[name](_Real(real)))
    ours = {
        "the kit": asyncio.run(_ask_kit(REQUESTS[name])),
        "the built-in store": _ask_built_in(REQUESTS[name], tmp_path),
    }

    listed = DIFFERENCES.get(name, Difference("", (), ""))
    for whose, seen in ours.items():
        differ = {what for what in seen | swift if seen.get(what) != swift.get(what)}
        assert differ == (set(listed.what) if whose in listed.ours else set()), (whose, seen, swift)


def test_every_listed_difference_is_of_a_request_and_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "storage.md").read_text("utf-8")
    for name, (ours, what, why) in DIFFERENCES.items():
        assert name in REQUESTS
        assert f"| {name} | {ours} | {', '.join(what)} | {why} |" in page
