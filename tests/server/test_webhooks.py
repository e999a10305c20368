"""Webhooks: made, signed, delivered, retried, and never a way into our own network."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from cadenza_server.announcements import Announcement
from cadenza_server.keyring import Keyring
from cadenza_server.outbox import announce
from cadenza_server.settings import ServerSettings
from cadenza_server.webhooks.addresses import (
    AddressNotAllowedError,
    allowed_addresses,
    check_url,
    is_public,
    resolve_host,
    target_of,
)
from cadenza_server.webhooks.delivering import AT_ONCE, LEASE, RETRY_SECONDS, Deliverer
from cadenza_server.webhooks.posting import Outcome, post
from cadenza_server.webhooks.signing import SecretLostError, new_seed, secret_of, signed_headers
from tests.server.databases import ON_SQLITE
from tests.server.world import World

CERTIFICATES = Path(__file__).parents[1] / "client" / "certificates"
HOOK = "https://hooks.example.org/cadenza"


class Receiver:
    """A stranger's server on this machine, that answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.got.append((headers, body))
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?x=1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


def _add(world: World, who: str = "teacher", url: str = HOOK, **fields: Any) -> dict[str, Any]:
    response = world.ask(who, "POST", "/webhooks", json={"url": url, **fields})
    assert response.status_code == 201, response.text
    return dict(response.json())


def _say(world: World, *people: str, kind: Any = "submission.ready") -> None:
    audience = frozenset(world.people[who] for who in people)
    with world.services.db.writing() as session:
        announce(session, world.clock(), Announcement(kind, None, audience, uuid4(), {"n": 1}))


def _deliveries(world: World, hook: dict[str, Any], who: str = "teacher") -> list[dict[str, Any]]:
    response = world.ask(who, "GET", f"/webhooks/{hook['id']}/deliveries")
    assert response.status_code == 200, response.text
    return list(response.json())


def _deliverer(world: World, outcome: Outcome | Callable[..., Outcome] | None = None) -> Deliverer:
    options: dict[str, Any] = {}
    if isinstance(outcome, Outcome):
        options["post"] = lambda url, headers, body: outcome
    elif outcome is not None:
        options["post"] = outcome
    services = world.services
    return Deliverer(services.db, services.keyring, world.clock, jitter=lambda: 0.5, **options)


ARRIVED, REFUSED = Outcome(200, None), Outcome(500, "refused")


# ── making them ────────────────────────────────────────────────────────────────


def test_the_secret_is_shown_once_and_stored_nowhere(world: World) -> None:
    hook = _add(world, event_types=["message.created", "message.created"])

    assert hook["secret"].startswith("whsec_")
    assert hook["event_types"] == ["message.created"]
    assert hook["active"] is True
    (listed,) = world.ask("teacher", "GET", "/webhooks").json()
    assert listed == {name: value for name, value in hook.items() if name != "secret"}
    with world.services.db.reading() as session:
        stored = session.execute(sa.text("SELECT * FROM webhooks")).one()
    assert hook["secret"].removeprefix("whsec_")[:8] not in str(stored)


def test_everybody_has_his_own(world: World) -> None:
    hook = _add(world)

    assert world.ask("student", "GET", "/webhooks").json() == []
    for method, path in (
        ("DELETE", ""),
        ("POST", "/test"),
        ("GET", "/deliveries"),
    ):
        for who, status in (("student", 403), ("admin", 403)):
            answer = world.ask(who, method, f"/webhooks/{hook['id']}{path}")
            assert answer.status_code == status
        assert world.ask("teacher", method, f"/webhooks/{uuid4()}{path}").status_code == 404
    assert world.ask("teacher", "POST", f"/webhooks/deliveries/{uuid4()}/replay").status_code == 404
    assert world.ask("teacher", "DELETE", f"/webhooks/{hook['id']}").status_code == 204
    assert world.ask("teacher", "GET", "/webhooks").json() == []


def test_ten_are_enough(world: World) -> None:
    for _ in range(10):
        _add(world)

    answer = world.ask("teacher", "POST", "/webhooks", json={"url": HOOK})
    assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")


def test_types_nobody_knows_are_refused(world: World) -> None:
    answer = world.ask("teacher", "POST", "/webhooks", json={"url": HOOK, "event_types": ["x"]})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


# ── addresses (B-47) ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "https://user:pass@hooks.example.org/",
        "https://hooks.example.org/#x",
        "https://localhost/",
        "https://intranet/",
        "https:///x",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://hooks.example.org:99999/",
        "https://[nonsense/",
        "https://hooks.example.org/ x",
        "https://hooks.example.org/\n",
        "https://höoks.example.org/",
        f"https://{'a' * 70}.example.org/",
        "https://hooks.example.org/" + "x" * 2000,
        "not a url",
        "//hooks.example.org/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1.example.org/",
    ],
)
def test_addresses_that_are_not_called(url: str) -> None:
    with pytest.raises(Exception, match="url_not_allowed"):
        check_url(url, dev=True)


@ON_SQLITE
def test_a_refused_address_says_why(world: World) -> None:
    answer = world.ask("teacher", "POST", "/webhooks", json={"url": "http://example.org/"})

    assert (answer.status_code, answer.json()["code"]) == (422, "url_not_allowed")
    assert "https://" in answer.json()["detail"]


def test_this_machine_is_called_in_dev_only() -> None:
    for url in ("http://127.0.0.1:8999/x", "http://localhost/", "http://[::1]:1/"):
        check_url(url, dev=True)
        with pytest.raises(Exception, match="url_not_allowed"):
            check_url(url, dev=False)
    for dev in (True, False):
        check_url("https://hooks.example.org:8443/x?y=1", dev=dev)
        check_url("https://8.8.8.8/", dev=dev)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("2002:808:808::1", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("2001::1", False),
        ("2001:db8::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    import ipaddress

    assert is_public(ipaddress.ip_address(address)) is public


def test_one_private_address_spoils_the_name() -> None:
    def resolve(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(AddressNotAllowedError):
        allowed_addresses("x.example.org", 443, loopback=False, resolve=resolve)
    with pytest.raises(AddressNotAllowedError):  # dev's exception is for this machine only
        allowed_addresses("x", 80, loopback=True, resolve=lambda host, port: ["8.8.8.8"])
    assert allowed_addresses("x", 443, loopback=False, resolve=lambda host, port: ["8.8.8.8"])
    assert "127.0.0.1" in resolve_host("localhost", 80)


def test_a_name_that_leads_home_is_not_connected_to(receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    outcome = post(
        f"https://rebinding.example.org:{port}/",
        {},
        b"{}",
        resolve=lambda host, port: ["127.0.0.1"],
    )

    assert outcome == Outcome(None, "address_not_allowed")
    assert receiver.got == []


def test_the_path_and_the_query_are_kept() -> None:
    assert target_of("https://h.example.org/a/b?c=d") == ("https", "h.example.org", 443, "/a/b?c=d")
    assert target_of("http://[::1]:81").port == 81
    assert target_of("http://localhost").path == "/"


# ── signatures ─────────────────────────────────────────────────────────────────


def test_any_library_of_the_standard_verifies_ours() -> None:
    keyring = Keyring.from_settings(ServerSettings())
    secret = secret_of(keyring, new_seed(keyring))
    body = b'{"type":"x"}'
    headers = signed_headers(secret, "evt_1", int(time.time()), body)

    assert Verifier(secret).verify(body, headers) == {"type": "x"}
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(b'{"type":"y"}', headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body, {**headers, "webhook-id": "evt_2"})
    old = signed_headers(secret, "evt_1", int(time.time()) - 301, body)
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body, old)


def test_rotating_the_servers_secret_changes_no_webhooks() -> None:
    before = Keyring("k1", {"k1": b"old"})
    seed = new_seed(before)
    secret = secret_of(before, seed)

    assert secret_of(Keyring("k2", {"k1": b"old", "k2": b"new"}), seed) == secret
    assert secret_of(before, new_seed(before)) != secret
    with pytest.raises(SecretLostError):
        secret_of(Keyring("k2", {"k2": b"new"}), seed)


# ── delivery ───────────────────────────────────────────────────────────────────


def test_an_event_is_posted_signed_and_once(world: World, receiver: Receiver) -> None:
    hook = _add(world, url=receiver.url)
    submission_id = world.create()["submission"]["id"]
    world.clock.now = world.clock.now.fromtimestamp(int(time.time()), world.clock.now.tzinfo)
    deliverer = _deliverer(world)

    assert deliverer.run_once() == 1
    assert deliverer.run_once() == 0
    ((headers, body),) = receiver.got
    event = Verifier(hook["secret"]).verify(body, headers)
    assert event == {
        "id": headers["webhook-id"],
        "type": "submission.created",
        "timestamp": "2026-11-20T17:00:00Z",
        "data": {"submission_id": submission_id, "user_id": world.people["student"]},
    }
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("Cadenza-Webhooks/")
    (delivery,) = _deliveries(world, hook)
    assert delivery["status"] == "delivered"
    assert delivery["response_code"] == 204
    assert delivery["event_type"] == "submission.created"
    assert delivery["event_id"] == event["id"]
    assert delivery["next_at"] is None


def test_only_ones_own_events_of_the_types_asked_for(world: World) -> None:
    picky = _add(world, event_types=["submission.reviewed"])
    everything = _add(world)
    strangers = _add(world, "other_teacher")
    bell = _add(world, event_types=["notification.created"])
    submission_id = world.uploaded()
    world.ask("teacher", "PATCH", f"/video-submissions/{submission_id}/reviewed")

    def kinds(hook: dict[str, Any], who: str = "teacher") -> list[str]:
        return [one["event_type"] for one in _deliveries(world, hook, who)]

    assert kinds(picky) == ["submission.reviewed"]
    assert kinds(everything) == [
        "submission.reviewed",
        "submission.uploaded",
        "submission.created",
    ]
    assert kinds(strangers, "other_teacher") == []
    assert kinds(bell) == ["notification.created"]


def test_a_failure_is_tried_again_for_three_days(world: World) -> None:
    hook = _add(world)
    _say(world, "teacher")
    deliverer = _deliverer(world, REFUSED)
    waits = []
    for attempt in range(1, len(RETRY_SECONDS) + 1):
        assert deliverer.run_once() == 1
        (delivery,) = _deliveries(world, hook)
        assert (delivery["status"], delivery["attempt"]) == ("pending", attempt)
        assert (delivery["response_code"], delivery["error_code"]) == (500, "refused")
        assert deliverer.run_once() == 0
        waits.append(RETRY_SECONDS[attempt - 1])
        world.clock.advance(seconds=waits[-1] - 1)
        assert deliverer.run_once() == 0
        world.clock.advance(seconds=1)

    assert deliverer.run_once() == 1
    (delivery,) = _deliveries(world, hook)
    assert delivery["status"] == "failed"
    assert (waits[0], max(waits)) == (30, 86_400)
    (listed,) = world.ask("teacher", "GET", "/webhooks").json()
    assert (listed["active"], listed["disabled_reason"]) == (False, "failing")


def test_one_success_in_between_keeps_it_on(world: World) -> None:
    hook = _add(world)
    _say(world, "teacher")
    deliverer = _deliverer(world, REFUSED)
    for wait in RETRY_SECONDS:
        deliverer.run_once()
        world.clock.advance(seconds=wait)
    _say(world, "teacher")
    with world.services.db.writing() as session:
        session.execute(
            sa.text(
                "UPDATE webhook_deliveries SET status = 'delivered', finished_at = next_at "
                "WHERE attempt = 0"
            )
        )
    deliverer.run_once()

    assert [one["status"] for one in _deliveries(world, hook)] == ["delivered", "failed"]
    (listed,) = world.ask("teacher", "GET", "/webhooks").json()
    assert listed["active"] is True


def test_jitter_spreads_the_retries(world: World) -> None:
    hook = _add(world)
    at = []
    for jitter in (0.0, 1.0):
        _say(world, "teacher")
        services = world.services
        Deliverer(
            services.db,
            services.keyring,
            world.clock,
            post=lambda url, headers, body: REFUSED,
            jitter=lambda jitter=jitter: jitter,  # type: ignore[misc]
        ).run_once()
        at.append(_deliveries(world, hook)[0]["next_at"])

    assert at == ["2026-11-20T17:00:24Z", "2026-11-20T17:00:36Z"]


def test_gone_is_gone(world: World) -> None:
    hook = _add(world)
    _say(world, "teacher")
    deliverer = _deliverer(world, Outcome(410, "gone"))
    deliverer.run_once()
    _say(world, "teacher")
    world.clock.advance(days=2)

    assert deliverer.run_once() == 0
    (listed,) = world.ask("teacher", "GET", "/webhooks").json()
    assert (listed["active"], listed["disabled_reason"]) == (False, "gone")
    assert [one["status"] for one in _deliveries(world, hook)] == ["failed"]


def test_a_test_that_arrives_switches_it_on_again(world: World) -> None:
    hook = _add(world)
    _say(world, "teacher")
    _deliverer(world, Outcome(410, "gone")).run_once()

    answer = world.ask("teacher", "POST", f"/webhooks/{hook['id']}/test")
    assert answer.status_code == 202
    assert answer.json()["event_type"] == "webhook.test"
    assert answer.json()["status"] == "pending"
    assert _deliverer(world, ARRIVED).run_once() == 1
    (listed,) = world.ask("teacher", "GET", "/webhooks").json()
    assert (listed["active"], listed["disabled_reason"]) == (True, None)


def test_a_test_is_tried_once(world: World) -> None:
    hook = _add(world)
    world.ask("teacher", "POST", f"/webhooks/{hook['id']}/test")
    _deliverer(world, REFUSED).run_once()

    (delivery,) = _deliveries(world, hook)
    assert delivery["status"] == "failed"
    assert world.ask("teacher", "GET", "/webhooks").json()[0]["active"] is True


def test_a_replay_is_a_new_delivery_of_the_same_event(world: World) -> None:
    hook = _add(world)
    _say(world, "teacher")
    ids = []

    def note(url: str, headers: dict[str, str], body: bytes) -> Outcome:
        ids.append(headers["webhook-id"])
        return ARRIVED

    deliverer = _deliverer(world, note)
    deliverer.run_once()
    (first,) = _deliveries(world, hook)
    stranger = world.ask("student", "POST", f"/webhooks/deliveries/{first['id']}/replay")
    assert stranger.status_code == 403
    again = world.ask("teacher", "POST", f"/webhooks/deliveries/{first['id']}/replay")
    assert again.status_code == 202
    assert again.json()["id"] != first["id"]
    deliverer.run_once()

    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert [one["status"] for one in _deliveries(world, hook)] == ["delivered"] * 2


def test_deliveries_come_in_pages(world: World) -> None:
    hook = _add(world)
    for _ in range(5):
        _say(world, "teacher")

    first = world.ask("teacher", "GET", f"/webhooks/{hook['id']}/deliveries", params={"limit": 3})
    assert first.headers["X-Total-Count"] == "5"
    link = first.headers["Link"].split(">")[0].lstrip("<")
    second = world.ask("teacher", "GET", link)
    assert len(first.json()) == 3
    assert len(second.json()) == 2
    assert "Link" not in second.headers
    seen = {one["event_id"] for one in first.json() + second.json()}
    assert len(seen) == 5


def test_a_slow_receiver_delays_no_other(world: World) -> None:
    slow, fast = _add(world, url=f"{HOOK}/slow"), _add(world, url=f"{HOOK}/fast")
    for _ in range(3):
        _say(world, "teacher")
    posted: list[str] = []

    def note(url: str, headers: dict[str, str], body: bytes) -> Outcome:
        posted.append(url.rpartition("/")[2])
        return ARRIVED

    assert _deliverer(world, note).run_once() == 2  # one each, though six are due
    assert sorted(posted) == ["fast", "slow"]
    assert slow["id"] != fast["id"]
    assert AT_ONCE >= 2


def test_two_workers_do_not_post_the_same_twice(world: World) -> None:
    hook = _add(world)
    for _ in range(20):
        _say(world, "teacher")
    posted: list[str] = []

    def note(url: str, headers: dict[str, str], body: bytes) -> Outcome:
        posted.append(headers["webhook-id"])
        time.sleep(0.002)
        return ARRIVED

    def work(_: int) -> None:
        deliverer = _deliverer(world, note)
        while deliverer.run_once():
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert len(posted) == len(set(posted)) == 20
    assert {one["status"] for one in _deliveries(world, hook)} == {"delivered"}


def test_who_dies_in_the_middle_loses_the_lease(world: World) -> None:
    hook = _add(world)
    _say(world, "teacher")

    def die(url: str, headers: dict[str, str], body: bytes) -> Outcome:
        raise SystemError

    with pytest.raises(SystemError):
        _deliverer(world, die).run_once()
    assert _deliverer(world, ARRIVED).run_once() == 0
    world.clock.advance(seconds=LEASE / timedelta(seconds=1))
    assert _deliverer(world, ARRIVED).run_once() == 1
    (delivery,) = _deliveries(world, hook)
    assert (delivery["status"], delivery["attempt"]) == ("delivered", 2)


def test_a_late_outcome_changes_nothing(world: World) -> None:
    hook = _add(world)
    _say(world, "teacher")

    def lose_the_lease(url: str, headers: dict[str, str], body: bytes) -> Outcome:
        world.clock.advance(minutes=5)
        assert _deliverer(world, ARRIVED).run_once() == 1
        return Outcome(410, "gone")

    _deliverer(world, lose_the_lease).run_once()

    (delivery,) = _deliveries(world, hook)
    assert delivery["status"] == "delivered"
    assert world.ask("teacher", "GET", "/webhooks").json()[0]["active"] is True


def test_a_secret_that_is_lost_is_not_guessed(world: World) -> None:
    _add(world)
    _say(world, "teacher")
    services = world.services
    other = Keyring("k9", {"k9": b"another"})
    Deliverer(services.db, other, world.clock, post=_must_not_post).run_once()

    (listed,) = world.ask("teacher", "GET", "/webhooks").json()
    assert (listed["active"], listed["disabled_reason"]) == (False, "secret_lost")


def _must_not_post(url: str, headers: dict[str, str], body: bytes) -> Outcome:
    raise AssertionError


def test_a_webhook_deleted_meanwhile_leaves_nothing(world: World) -> None:
    hook = _add(world)
    _say(world, "teacher")

    def delete(url: str, headers: dict[str, str], body: bytes) -> Outcome:
        with world.services.db.writing() as session:
            session.execute(sa.text("DELETE FROM webhooks"))
        return ARRIVED

    _deliverer(world, delete).run_once()

    with world.services.db.reading() as session:
        left = session.execute(sa.text("SELECT count(*) FROM webhook_deliveries")).scalar_one()
    assert left == 0
    assert world.ask("teacher", "GET", f"/webhooks/{hook['id']}/deliveries").status_code == 404


# ── what a receiver may do to us ───────────────────────────────────────────────


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": receiver.url}

    assert post(receiver.url, {}, b"{}") == Outcome(302, "redirected")
    assert len(receiver.got) == 1


@pytest.mark.parametrize(("status", "reason"), [(410, "gone"), (404, "refused"), (503, "refused")])
def test_what_an_answer_means(receiver: Receiver, status: int, reason: str) -> None:
    receiver.status = status

    assert post(receiver.url, {}, b"{}") == Outcome(status, reason)


@contextmanager
def _tcp(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join(10)


def test_who_answers_a_byte_at_a_time_does_not_hold_us() -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(100):
            try:
                connection.sendall(b"H")
            except OSError:
                return
            time.sleep(0.05)

    started = time.monotonic()
    with _tcp(drip) as url:
        assert post(url, {}, b"{}", deadline_seconds=0.3) == Outcome(None, "timed_out")
        assert time.monotonic() - started < 3
    with _tcp(lambda connection: None) as url:
        assert post(url, {}, b"{}", deadline_seconds=0.0) == Outcome(None, "timed_out")
        socket.create_connection(("127.0.0.1", int(url.split(":")[2].strip("/")))).close()


def test_an_endless_answer_is_not_read() -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"x" * 65_536)

    with _tcp(flood) as url:
        assert post(url, {}, b"{}") == Outcome(200, None)


def test_nonsense_and_silence_are_no_answer() -> None:
    with _tcp(lambda connection: connection.sendall(b"hello\r\n\r\n")) as url:
        assert post(url, {}, b"{}") == Outcome(None, "no_answer")
    with _tcp(lambda connection: None) as url:
        assert post(url, {}, b"{}") == Outcome(None, "no_answer")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/", {}, b"{}") == Outcome(None, "not_reachable")

    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror

    assert post(HOOK, {}, b"{}", resolve=unknown) == Outcome(None, "not_reachable")
    assert post(HOOK, {}, b"{}", resolve=lambda h, p: []) == Outcome(None, "not_reachable")


def test_a_certificate_nobody_vouches_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from cadenza_server.webhooks import posting

    # TLS to a plain server fails in the handshake: the same path as a bad certificate.
    monkeypatch.setattr(posting, "allowed_addresses", lambda *a, **k: ["127.0.0.1"])
    with _tcp(lambda connection: connection.sendall(b"no TLS here, sorry\r\n")) as url:
        outcome = post(url.replace("http", "https"), {}, b"{}", tls=ssl.create_default_context())
    assert outcome == Outcome(None, "certificate_refused")


@pytest.mark.parametrize(
    ("certificate", "outcome"),
    [
        ("elsewhere", Outcome(204, None)),
        ("localhost", Outcome(None, "certificate_refused")),  # good for the address we connect to
        ("expired", Outcome(None, "certificate_refused")),
    ],
)
def test_the_certificate_is_for_the_name_not_the_address(
    certificate: str, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cadenza_server.webhooks import posting

    monkeypatch.setattr(posting, "allowed_addresses", lambda *a, **k: ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
                asked = b""
                # What is left unread resets the connection, and may take the answer with it.
                while not asked.endswith(b"\r\n\r\n{}") and (more := tls.recv(65_536)):
                    asked += more
                tls.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        trust = ssl.create_default_context(cafile=str(CERTIFICATES / "authority.pem"))
        url = f"https://elsewhere.invalid:{server.getsockname()[1]}/"
        assert post(url, {}, b"{}", tls=trust) == outcome
        thread.join(10)


def test_the_body_is_what_was_signed(receiver: Receiver) -> None:
    assert post(receiver.url, {"webhook-id": "evt_1"}, b'{"a":1}') == Outcome(204, None)
    ((headers, body),) = receiver.got
    assert json.loads(body) == {"a": 1}
    assert headers["webhook-id"] == "evt_1"
    assert headers["host"] == receiver.url.removeprefix("http://").partition("/")[0]
