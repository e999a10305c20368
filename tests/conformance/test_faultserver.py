"""Every fault is real on the wire: resets, cut bodies, early answers, silence, lies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import ssl
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from cadenza_conformance.faultserver import FaultServer, ca_file
from tests.conformance.wire import VIDEO, Bench, a_bench, play

DECLARED: dict[str, Any] = {"size_bytes": len(VIDEO), "sha256": hashlib.sha256(VIDEO).hexdigest()}
ID = "6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11"


def rule(op: str, times: int | None = None, nth: int | None = None, **do: Any) -> dict[str, Any]:
    on: dict[str, Any] = {"op": op}
    if nth is not None:
        on["nth"] = nth
    return {"on": on, "do": do, **({"times": times} if times else {})}


async def _stored(bench: Bench) -> dict[str, Any]:
    created = await bench.create(id=ID, **DECLARED)
    assert created.status == 201
    assert (await bench.put(created.document)).status == 200
    answer: dict[str, Any] = created.document
    return answer


async def _confirm(bench: Bench, **said: Any) -> Any:
    body = json.dumps(said or DECLARED).encode()
    return await bench.send("POST", f"/video-submissions/{ID}/confirm", body)


# ── without a fault ────────────────────────────────────────────────────────────────────────────


def test_a_recording_goes_through() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            await _stored(bench)
            confirmed = await _confirm(bench)
            assert confirmed.document["receipt"]["sha256"] == DECLARED["sha256"]
            assert bench.world.has_confirmed("A")
            ops = [(e.op, e.n, e.recording, e.effect) for e in bench.world.events]
            assert ops == [
                ("create_submission", 1, "A", True),
                ("put_video", 1, "A", True),
                ("confirm", 1, "A", True),
            ]
            assert bench.world.events[0].headers["authorization"] == "…"
            assert bench.world.token not in bench.world.events[0].model_dump_json()

    play(test)


def test_a_create_is_repeated_by_its_id_and_refused_for_other_data() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            first = await bench.create(id=ID, **DECLARED)
            again = await bench.create(id=ID, **DECLARED)
            other = await bench.create(id=ID, size_bytes=1)
            assert (first.status, again.status, other.status) == (201, 200, 409)
            assert other.document["code"] == "id_conflict"
            assert len(bench.world.submissions) == 1

    play(test)


def test_a_signed_url_binds_what_it_was_signed_for() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            ticket = (await bench.create(id=ID, **DECLARED)).document
            other_type = {**ticket, "upload_headers": {**ticket["upload_headers"]}}
            other_type["upload_headers"]["Content-Type"] = "text/plain"
            assert (await bench.put(other_type)).status == 403
            assert (await bench.put(ticket, VIDEO[:-1] + b"x")).status == 400  # BadDigest
            tampered = {**ticket, "upload_url": ticket["upload_url"].replace("videos", "other")}
            assert (await bench.put(tampered)).status == 403
            bare = {**ticket, "upload_url": ticket["upload_url"].partition("?")[0]}
            assert (await bench.put(bare)).status == 403
            assert (await bench.put(ticket)).status == 200
            assert (await bench.put(ticket)).status == 412

    play(test)


def test_a_url_expires_and_a_chunked_body_is_refused() -> None:
    async def test() -> None:
        async with a_bench(url_ttl_seconds=0.2) as bench:
            ticket = (await bench.create()).document
            chunked = {"Content-Type": "video/mp4", "Transfer-Encoding": "chunked"}
            refused = await bench.send("PUT", ticket["upload_url"], b"", chunked)
            assert refused.status == 411
            await asyncio.sleep(0.25)
            late = await bench.put(ticket)
            assert late.status == 403
            assert b"Request has expired" in late.body

    play(test)


def test_mismatches_are_found_at_the_confirm_and_may_be_mended() -> None:
    async def test() -> None:
        async with a_bench(rule("put_video", nth=1, store_corrupt="flip@5")) as bench:
            await bench.create(id=ID, **DECLARED)
            assert (await _confirm(bench)).document["code"] == "not_uploaded_yet"
            await _stored_again(bench)
            wrong = await _confirm(bench)
            assert wrong.document["code"] == "checksum_mismatch"
            fresh = await bench.send("GET", f"/video-submissions/{ID}/upload-url")
            assert "If-None-Match" not in fresh.document["upload_headers"]
            assert (await bench.put(fresh.document)).status == 200
            assert (await _confirm(bench)).status == 200
            frozen = await bench.send("GET", f"/video-submissions/{ID}/upload-url")
            assert frozen.document["code"] == "already_uploaded"

    play(test)


async def _stored_again(bench: Bench) -> None:
    urls = await bench.send("GET", f"/video-submissions/{ID}/upload-url")
    assert (await bench.put(urls.document)).status == 200


def test_objects_are_read_in_ranges() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            await _stored(bench)
            playback = await bench.send("GET", f"/video-submissions/{ID}/video-url")
            url = playback.document["video_url"]
            part = await bench.send("GET", url, headers={"Range": "bytes=0-0"})
            assert (part.status, part.body) == (206, VIDEO[:1])
            assert part.headers["content-range"] == f"bytes 0-0/{len(VIDEO)}"
            whole = await bench.send("GET", url)
            assert whole.body == VIDEO

    play(test)


def test_nobody_without_a_token_is_let_in() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            reply = await bench.send("GET", "/auth/me", token=False)
            assert reply.status == 401
            assert (await bench.send("GET", "/health", token=False)).status == 200
            signed = await bench.send("POST", "/auth/dev-login?email=a@b.c", token=False)
            assert signed.document["user"]["id"] == 7

    play(test)


# ── faults ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("then", "seen"), [("reset", "reset"), ("close", "closed")])
def test_an_answer_is_lost_after_the_effect(then: str, seen: str) -> None:
    async def test() -> None:
        async with a_bench(rule("create_submission", nth=1, store=True, then=then)) as bench:
            lost = await bench.create(id=ID)
            assert (lost.status, lost.ended) == (None, seen)
            assert list(bench.world.submissions) == [ID]
            assert (await bench.create(id=ID)).status == 200

    play(test)


def test_without_store_a_lost_answer_is_a_lost_request() -> None:
    async def test() -> None:
        async with a_bench(rule("create_submission", nth=1, then="reset")) as bench:
            await bench.create(id=ID)
            assert bench.world.submissions == {}

    play(test)


def test_a_hang_is_silence() -> None:
    async def test() -> None:
        async with a_bench(rule("health", then="hang")) as bench:
            reply = await bench.send("GET", "/health", seconds=0.3)
            assert (reply.status, reply.ended) == (None, "silent")

    play(test)


def test_a_body_is_cut_at_a_byte() -> None:
    async def test() -> None:
        async with a_bench(rule("put_video", nth=1, at="after_bytes:4000", then="reset")) as bench:
            ticket = (await bench.create()).document
            reply = await bench.put(ticket, VIDEO * 200)
            assert reply.status is None
            event = bench.world.events[-1]
            assert 4000 <= event.received < len(VIDEO) * 200
            assert bench.world.objects == {}

    play(test)


def test_an_early_403_comes_before_the_body_is_read() -> None:
    async def test() -> None:
        fault = rule("put_video", nth=1, respond=403, body="s3:expired", early=True)
        async with a_bench(fault) as bench:
            ticket = (await bench.create()).document
            headers = {"Content-Type": "video/mp4", "Content-Length": "100000000"}
            # Not a byte of the body is sent, and the answer is there all the same.
            reply = await bench.send("PUT", ticket["upload_url"], b"", headers)
            assert reply.status == 403
            assert reply.headers["connection"] == "close"
            assert b"Request has expired" in reply.body

    play(test)


def test_who_asks_first_is_refused_before_the_body_or_told_to_continue() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            ticket = (await bench.create()).document
            headers = {
                "Content-Type": "video/mp4",
                "Content-Length": str(len(VIDEO)),
                "Expect": "100-continue",
            }
            reply = await bench.send("PUT", ticket["upload_url"], b"", headers, limit=0)
            assert reply.status == 100
            bench.world.expire_urls()
            assert (await bench.send("PUT", ticket["upload_url"], b"", headers)).status == 403

    play(test)


def test_an_answer_is_cut_short_dribbled_or_raw() -> None:
    async def test() -> None:
        raw = base64.b64encode(b"HTTP/1.1 TWO HUNDRED\r\n\r\n???").decode()
        async with a_bench(
            rule("health", nth=1, store=True, reply_partial=40, then="close"),
            rule("health", nth=2, slice={"size": 10, "delay_ms": 5}),
            rule("health", nth=3, raw=raw),
        ) as bench:
            cut = await bench.send("GET", "/health")
            assert (len(cut.body), cut.ended) == (40, "closed")
            begin = time.monotonic()
            slow = await bench.send("GET", "/health")
            assert slow.document["status"] == "ok"
            assert time.monotonic() - begin > 0.1
            broken = await bench.send("GET", "/health")
            assert broken.status is None

    play(test)


def test_a_connection_ends_after_its_answer_without_a_word() -> None:
    async def test() -> None:
        async with a_bench(rule("health", then="reply_close")) as bench:
            reply = await bench.send("GET", "/health", limit=100_000)
            assert (reply.status, reply.ended) == (200, "closed")
            assert "connection" not in reply.headers

    play(test)


def test_bodies_are_throttled_and_answers_stalled() -> None:
    async def test() -> None:
        async with a_bench(
            rule("put_video", throttle_bps=50_000), rule("health", stall_ms=200)
        ) as bench:
            ticket = (await bench.create()).document
            begin = time.monotonic()
            assert (await bench.put(ticket)).status == 200
            assert time.monotonic() - begin >= 0.19
            begin = time.monotonic()
            await bench.send("GET", "/health")
            assert time.monotonic() - begin >= 0.19

    play(test)


def test_retry_after_comes_in_every_form() -> None:
    async def test() -> None:
        script = [
            rule("health", nth=1, respond=429, retry_after=3, body="json:rate_limited"),
            rule("health", nth=2, respond=503, retry_after="date+90"),
            rule("health", nth=3, respond=503, retry_after="soon"),
        ]
        async with a_bench(*script, clock_skew_seconds=3600) as bench:
            seconds = await bench.send("GET", "/health")
            assert (seconds.headers["retry-after"], seconds.document["code"]) == (
                "3",
                "rate_limited",
            )
            dated = await bench.send("GET", "/health")
            at, told = (parsedate_to_datetime(dated.headers[n]) for n in ("retry-after", "date"))
            assert 88 <= (at - told).total_seconds() <= 91
            assert (await bench.send("GET", "/health")).headers["retry-after"] == "soon"

    play(test)


def test_redirects_lead_to_the_stranger_who_notes_what_comes() -> None:
    async def test() -> None:
        async with a_bench(rule("health", redirect="other_host", status_of_redirect=302)) as bench:
            reply = await bench.send("GET", "/health")
            assert reply.status == 302
            await bench.send(
                "GET", reply.headers["location"], headers={"Authorization": "Bearer x"}
            )
            stranger = bench.world.events[-1]
            assert (stranger.role, stranger.credential) == ("other", "foreign")

    play(test)


def test_answers_are_altered_field_by_field() -> None:
    async def test() -> None:
        async with a_bench(
            rule("create_submission", nth=1, merge={"submission": {"mood": "good"}, "extra": 1}),
            rule("create_submission", nth=2, omit=["upload_url"]),
            recordings=2,
        ) as bench:
            merged = (await bench.create("A")).document
            assert (merged["submission"]["mood"], merged["extra"]) == ("good", 1)
            assert merged["submission"]["media_state"] == "awaiting_upload"
            assert "upload_url" not in (await bench.create("B")).document

    play(test)


@pytest.mark.parametrize("kind", ["other_host", "userinfo", "file", "other_submission"])
def test_hostile_upload_urls(kind: str) -> None:
    async def test() -> None:
        async with a_bench(rule("create_submission", upload_url=kind)) as bench:
            made = (await bench.create(id=ID)).document
            others = bench.server.addresses("bench")
            expected = {
                "other_host": made["upload_url"].startswith(others.other),
                "userinfo": "user:secret@" in made["upload_url"],
                "file": made["upload_url"].startswith("file:"),
                "other_submission": ID not in made["upload_url"],
            }
            assert expected[kind]

    play(test)


def test_objects_are_forgotten_or_cut() -> None:
    async def test() -> None:
        async with a_bench(
            rule("put_video", nth=1, forget_object=True),
            rule("put_video", nth=2, store_corrupt="truncate@100"),
        ) as bench:
            ticket = (await bench.create(id=ID, **DECLARED)).document
            assert (await bench.put(ticket)).status == 200
            assert (await _confirm(bench)).document["code"] == "not_uploaded_yet"
            assert (await bench.put(ticket)).status == 200
            assert (await _confirm(bench)).document["code"] == "size_mismatch"

    play(test)


def test_tokens_are_revoked_but_the_newest() -> None:
    async def test() -> None:
        async with a_bench(rule("health", nth=1, revoke_token=True)) as bench:
            old = bench.world.token
            await bench.send("GET", "/health")
            assert bench.world.user_of(old) is None
            fresh = bench.world.new_token()
            bench.world.revoke_tokens()
            assert bench.world.user_of(fresh) == 7

    play(test)


def test_a_held_answer_waits_for_its_release_and_signals_are_given() -> None:
    async def test() -> None:
        async with a_bench(rule("health", hold="gate", signal_driver="here")) as bench:
            asked = asyncio.ensure_future(bench.send("GET", "/health"))
            await asyncio.wait_for(bench.world.signal("here").wait(), 5)
            await asyncio.sleep(0.05)
            assert not asked.done()
            bench.world.gate("gate").set()
            assert (await asked).status == 200

    play(test)


def test_rules_count_their_uses_and_unused_ones_are_told() -> None:
    async def test() -> None:
        every = {"on": {"op": "health", "every": 2}, "do": {"respond": 500}, "times": 1}
        async with a_bench(every, rule("confirm", respond=500)) as bench:
            seen = [(await bench.send("GET", "/health")).status for _ in range(4)]
            assert seen == [200, 500, 200, 200]
            assert bench.world.unused_rules() == [1]

    play(test)


def test_chance_is_the_same_in_every_run() -> None:
    async def test() -> None:
        chance = {"on": {"op": "health", "probability": 0.5, "seed": 7}, "do": {"respond": 500}}
        runs = []
        for _ in range(2):
            async with a_bench(chance) as bench:
                runs.append([(await bench.send("GET", "/health")).status for _ in range(12)])
        assert runs[0] == runs[1]
        assert {200, 500} == set(runs[0])

    play(test)


def test_a_rule_may_be_about_one_recording() -> None:
    async def test() -> None:
        only_b = {"on": {"op": "create_submission", "recording": "B"}, "do": {"respond": 500}}
        async with a_bench(only_b, recordings=2) as bench:
            assert (await bench.create("A")).status == 201
            assert (await bench.create("B")).status == 500

    play(test)


def test_a_create_has_begun_once_its_fault_is_chosen() -> None:
    """A step that waits for it may kill the client next, and the fault must have been reached."""

    async def test() -> None:
        async with a_bench(rule("create_submission", respond=503)) as bench:
            world, body = bench.world, b'{"piece_id": "x"}'

            async def until(condition: Callable[[], bool]) -> None:
                async with asyncio.timeout(10), world.changed:
                    await world.changed.wait_for(condition)

            _, writer = await asyncio.open_connection("127.0.0.1", bench.server.port)
            target = f"{urlsplit(bench.api).path}/video-submissions"
            head = f"POST {target} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body[:5])
            await until(lambda: world.counts["create_submission"] == 1)
            assert world.begun["create_submission"] == 0
            assert world.unused_rules() == [0]
            writer.write(body[5:])
            await until(lambda: world.begun["create_submission"] == 1)
            assert world.unused_rules() == []
            writer.close()

    play(test)


def test_a_closed_port_refuses_and_opens_again_at_the_same_place() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            reader, writer = await asyncio.open_connection("127.0.0.1", bench.server.port)
            await asyncio.sleep(0.02)
            await bench.server.down("api")
            with pytest.raises(ConnectionRefusedError):
                await bench.send("GET", "/health")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""  # open connections are cut as well
            writer.close()
            await bench.server.up("api")
            assert (await bench.send("GET", "/health")).status == 200

    play(test)


@pytest.mark.parametrize("kind", ["self_signed", "expired", "wrong_host", "good"])
def test_certificates_are_wrong_in_the_way_they_say(kind: Any) -> None:
    async def test() -> None:
        async with FaultServer(tls=kind) as server:
            context = ssl.create_default_context(cafile=ca_file())
            asked = asyncio.open_connection(
                "127.0.0.1", server.port, ssl=context, server_hostname="localhost"
            )
            if kind == "good":
                _, writer = await asked
                writer.close()
                return
            with pytest.raises(ssl.SSLCertVerificationError) as refused:
                await asked
            words = {"self_signed": "self", "expired": "expired", "wrong_host": "mismatch"}
            assert words[kind] in str(refused.value).lower()

    play(test)


def test_what_is_not_http_is_told_so_and_unknown_runs_are_404() -> None:
    async def test() -> None:
        async with a_bench() as bench:
            reader, writer = await asyncio.open_connection("127.0.0.1", bench.server.port)
            writer.write(b"hello there\r\n\r\n")
            assert b"400" in await reader.read()
            writer.close()
            base = bench.api.replace("/r/bench", "/r/nobody")
            assert (await bench.send("GET", f"{base}/health")).status == 404
            assert (await bench.send("GET", "/telemetry")).status == 404
            assert bench.world.events[-1].op == "unknown"

    play(test)


def test_profile_v1_knows_no_ids_and_no_confirm() -> None:
    async def test() -> None:
        async with a_bench(speaks="v1") as bench:
            made = (await bench.create(id=ID)).document
            assert made["submission"]["id"] != ID
            assert "media_state" not in made["submission"]
            assert "upload_headers" not in made
            name = made["submission"]["id"]
            confirm = await bench.send("POST", f"/video-submissions/{name}/confirm", b"{}")
            assert (confirm.status, "code" in confirm.document) == (404, False)
            assert "profiles" not in (await bench.send("GET", "/health")).document

    play(test)


# ── where it listens (SEC-29) ──────────────────────────────────────────────────────────────────


def test_its_doors_are_on_this_machine_only() -> None:
    async def test() -> None:
        async with FaultServer() as server:
            sockets = [one for each in server._servers.values() for one in each.sockets]
            assert len(sockets) == 3
            assert {one.getsockname()[0] for one in sockets} == {"127.0.0.1"}
            assert server.is_loopback
        assert not FaultServer(host="0.0.0.0").is_loopback, "and who asks for more is told"

    play(test)
