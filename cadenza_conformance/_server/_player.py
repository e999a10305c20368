"""One request: note it, play the fault that is due, or answer as the real servers do."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Literal, cast
from urllib.parse import parse_qs, unquote

from cadenza_conformance._binding import Role, identify, operations
from cadenza_conformance._server import _api, _rules, _storage
from cadenza_conformance._server._bodies import named_body
from cadenza_conformance._server._wire import Answer, Connection, CutError, Head
from cadenza_conformance._server._world import USER_ID, StoredObject, World
from cadenza_conformance.scenario import Do
from cadenza_conformance.trace import Event

_SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization")
_BODY_FIELDS = ("id", "piece_id", "size_bytes", "sha256", "duration_seconds", "thumbnail")
_MAX_API_BODY = 64 * 1024
_LINGER_BYTES = 1024 * 1024
_LINGER_SECONDS = 2.0
_HANG_SECONDS = 120.0
_HOLD_SECONDS = 60.0


class Addresses:
    """Where the roles are; the base path of a run is added by the caller."""

    def __init__(self, api: str, storage: str, other: str) -> None:
        self.api = api
        self.storage = storage
        self.other = other


class Player:
    """Plays one world's script on one role."""

    def __init__(self, world: World, role: Role, addresses: Addresses) -> None:
        self._world = world
        self._role: Role = role
        self._addresses = addresses

    async def play(self, connection: Connection, head: Head, path: str) -> bool:
        """Handle one request; True when the connection may carry another."""
        world = self._world
        op, subject = identify(self._role, head.method, path)
        event = self._note(head, path, op, subject)
        world.active += 1
        await world.note_change()
        try:
            if event.recording is not None:
                event.local_file = await world.barrier(event.recording)
            turn = _Turn(world, self._role, self._addresses, connection, head, op, subject, event)
            return await turn.run()
        except CutError:
            event.ending = "cut"
            event.complete = False
            return False
        finally:
            world.active -= 1
            event.ended = world.now
            await world.note_change()

    def _note(self, head: Head, path: str, op: str, subject: str | None) -> Event:
        world = self._world
        world.counts[op] += 1
        submission_id, recording = self._who(op, subject)
        grant = _storage.grant_of(world, head) if self._role == "storage" else None
        event = Event(
            t=world.now,
            op=op,
            n=world.counts[op],
            id=submission_id,
            recording=recording,
            role=self._role,
            method=head.method,
            path=path,
            credential=self._credential(head),
            headers={
                name: "…" if name in _SECRET_HEADERS else value
                for name, value in head.headers.items()
            },
            signed=dict(grant.headers) if grant else None,
            length=head.length,
            chunked=head.chunked,
        )
        if recording is not None:
            event.nth_of_recording = self._count(op, recording)
        world.events.append(event)
        return event

    def _count(self, op: str, recording: str) -> int:
        earlier = (e for e in self._world.events if e.op == op and e.recording == recording)
        return sum(1 for _ in earlier) + 1

    def _who(self, op: str, subject: str | None) -> tuple[str | None, str | None]:
        world = self._world
        if subject is None:
            return None, None
        if self._role == "storage":
            suffix = {"put_video": ".mp4", "put_thumbnail": "_thumb.jpg"}.get(op, "")
            found = world.submission_of_key(unquote(subject) + suffix)
        else:
            found = world.submissions.get(subject.lower())
        return (found.id, found.recording) if found else (subject.lower()[:64], None)

    def _credential(self, head: Head) -> Literal["current", "void", "storage", "none", "foreign"]:
        world, sent = self._world, head.headers.get("authorization", "")
        token = sent.removeprefix("Bearer ") if sent.startswith("Bearer ") else None
        if self._role != "api":
            leaked = sent or head.headers.get("cookie")
            if leaked:
                return "foreign"
            return "storage" if "X-Amz-Signature" in parse_qs(head.query) else "none"
        if token is None:
            return "none"
        return "current" if world.user_of(token) is not None else "void"


class _Turn:
    """One request under its rule."""

    def __init__(
        self,
        world: World,
        role: Role,
        addresses: Addresses,
        connection: Connection,
        head: Head,
        op: str,
        subject: str | None,
        event: Event,
    ) -> None:
        self._world = world
        self._role: Role = role
        self._addresses = addresses
        self._connection = connection
        self._head = head
        self._op = op
        self._subject = subject
        self._event = event
        self._do = _rules.NO_FAULT
        self._body = bytearray()
        self._unread = bool(head.length) or head.chunked

    async def run(self) -> bool:
        world, event = self._world, self._event
        needs_body = self._op == "create_submission"
        if needs_body:
            # Which recording a create is about stands in its body, and rules may ask for it.
            await self._read_api_body()
        chosen = _rules.choose(world, self._op, event.n, event.nth_of_recording, event.recording)
        if chosen is not None:
            event.rule = chosen
            self._do = world.scenario.script[chosen].do
        # Only now a step may go on: if it kills the client, the fault has been reached.
        world.begun[self._op] += 1
        await world.note_change()
        do = self._do
        event.real = not do.replaces_answer
        if do.at == "headers":
            await self._moment()
        if do.early:
            return await self._answer_early()
        if self._role == "storage":
            return await self._storage_request()
        return await self._api_request()

    # ── the API ────────────────────────────────────────────────────────────────────────────

    async def _api_request(self) -> bool:
        await self._read_api_body()
        if self._do.at != "headers":
            await self._moment()
        answer = self._api_answer()
        return await self._finish(answer)

    async def _read_api_body(self) -> None:
        if not self._unread:
            return
        self._unread = False
        async for part in self._connection.body(self._head):
            self._event.received += len(part)
            if len(self._body) < _MAX_API_BODY:
                self._body += part
        document = _json_object(bytes(self._body))
        self._event.body = {name: document[name] for name in _BODY_FIELDS if name in document}
        if self._op == "create_submission":
            recording = self._world.recording_of_body(document)
            self._event.recording = recording
            if recording is not None:
                earlier = [
                    e
                    for e in self._world.events
                    if e.op == self._op and e.recording == recording and e is not self._event
                ]
                self._event.nth_of_recording = len(earlier) + 1
                self._event.local_file = await self._world.barrier(recording)

    def _api_answer(self) -> Answer:
        world, do = self._world, self._do
        operation = operations().get(self._op)
        user_id: int | None = USER_ID
        if operation is None or not operation.is_open:
            sent = self._head.headers.get("authorization", "")
            user_id = world.user_of(sent.removeprefix("Bearer ").strip() or None)
        if user_id is None:
            return _api.refusal("unauthorized")
        if not do.has_effect:
            return Answer(500, {})
        answer = _api.answer_api(
            world,
            self._op,
            self._subject,
            bytes(self._body),
            storage_url=self._addresses.storage,
            user_id=user_id,
            only=parse_qs(self._head.query).get("only", [None])[0],
        )
        self._event.effect = answer.status < 400
        if self._op == "create_submission" and answer.status < 300:
            self._event.id = _json_object(answer.body)["submission"]["id"]
        return _altered(answer, do, self._hostile_url(answer))

    def _hostile_url(self, answer: Answer) -> str | None:
        kind = self._do.upload_url
        if kind is None or answer.status >= 400:
            return None
        url = str(_json_object(answer.body)["upload_url"])
        below = url.partition("://")[2].partition("/")[2]
        if kind == "other_host":
            return f"{self._addresses.other}/{below}"
        if kind == "userinfo":
            return url.replace("://", "://user:secret@", 1)
        if kind == "file":
            return "file:///etc/hostname"
        other = "00000000-0000-4000-8000-000000000000"
        return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", other, url, count=1)

    # ── the store ──────────────────────────────────────────────────────────────────────────

    async def _storage_request(self) -> bool:
        do, world, head = self._do, self._world, self._head
        key = self._key()
        if head.method != "PUT":
            if do.at != "headers":
                await self._moment()
            answer = _storage.read(world, head, key)
            self._event.effect = answer.status < 400
            if answer.status < 400 and world.scenario.given.server.speaks == "v1":
                self._proven(key)
            return await self._finish(answer)
        refused = _storage.check(world, head, key)
        if refused is not None and not do.replaces_answer:
            return await self._refuse_early(refused)
        receiving = _storage.Receiving(do.store_corrupt)
        ended = await self._receive(receiving)
        if ended is not None:
            return ended
        if do.at == "after_body":
            await self._moment()
        answer = Answer(500, {})
        if do.has_effect and refused is None:
            answer = receiving.finish(world, head, key)
            self._event.effect = answer.status < 400
        if do.forget_object:
            world.objects.pop(unquote(key), None)
        return await self._finish(answer)

    def _key(self) -> str:
        suffix = {"put_video": ".mp4", "put_thumbnail": "_thumb.jpg"}.get(self._op, "")
        return (self._subject or "") + suffix

    def _proven(self, key: str) -> None:
        """With a v1 server the client's own look at the object is the proof."""
        submission = self._world.submission_of_key(unquote(key))
        if submission is not None and submission.confirmed_at is None:
            submission.confirmed_at = self._world.told_time

    async def _receive(self, receiving: _storage.Receiving) -> bool | None:
        """Take the body in; a bool when the rule ended the request in the middle of it."""
        do, event = self._do, self._event
        stop_after = int(do.at.partition(":")[2]) if do.at.startswith("after_bytes") else None
        self._unread = False
        async for part in self._connection.body(self._head):
            event.received += len(part)
            receiving.take(part)
            if do.throttle_bps:
                await asyncio.sleep(len(part) / do.throttle_bps)
            if stop_after is not None and event.received >= stop_after:
                await self._moment()
                stop_after = None
                if do.replaces_answer:
                    event.complete = event.received >= (self._head.length or 0)
                    self._unread = not event.complete
                    return await self._finish(Answer(500, {}))
        return None

    # ── answers ────────────────────────────────────────────────────────────────────────────

    async def _moment(self) -> None:
        """The point the rule names is reached."""
        do, world = self._do, self._world
        if do.expire_urls:
            world.expire_urls()
        if do.revoke_token:
            world.revoke_tokens()
        if do.clock_skew_s is not None:
            world.skew_seconds = do.clock_skew_s
        if do.signal_driver is not None:
            world.signal(do.signal_driver).set()
        if do.stall_ms:
            await asyncio.sleep(do.stall_ms / 1000)

    async def _refuse_early(self, answer: Answer) -> bool:
        """A store refuses before it reads; whoever is still sending gets a moment to notice."""
        self._event.complete = not self._head.length
        await self._send(answer, close=True)
        if not self._head.asks_first:
            dropped = await self._connection.drain_input(_LINGER_BYTES, _LINGER_SECONDS)
            self._event.received += dropped
        return False

    async def _answer_early(self) -> bool:
        self._event.complete = False
        if self._do.at != "headers":
            await self._moment()
        await self._send(self._own_answer(Answer(500, {})), close=True)
        if self._do.drain:
            received = await self._connection.drain_input(self._head.length or 0, 30.0)
            self._event.received += received
            self._event.complete = received >= (self._head.length or 0)
        return False

    async def _finish(self, real: Answer) -> bool:
        do = self._do
        if do.hold is not None:
            try:
                async with asyncio.timeout(_HOLD_SECONDS):
                    await self._world.gate(do.hold).wait()
            except TimeoutError:
                pass
        answer = self._own_answer(real)
        if not do.answers:
            return await self._break_off(answer)
        if do.raw is not None:
            await self._connection.write(base64.b64decode(do.raw))
            self._event.status = None
            self._event.ending = "partial"
            return False
        close = self._unread
        await self._send(answer, close=close)
        return not close and do.then == "reply"

    async def _break_off(self, answer: Answer) -> bool:
        do = self._do
        if do.reply_partial is not None:
            await self._connection.write(self._encode(answer, close=True)[: do.reply_partial])
        self._event.ending = "close"
        if do.then == "reset":
            self._event.ending = "reset"
            self._connection.reset()
        elif do.then == "hang":
            self._event.ending = "hang"
            await self._world.note_change()
            await self._connection.until_gone(_HANG_SECONDS)
        return False

    def _own_answer(self, real: Answer) -> Answer:
        do = self._do
        answer = real
        if do.respond is not None:
            content_type, body = named_body(do.body) if do.body is not None else ("", b"")
            headers = {"Content-Type": content_type} if content_type else {}
            if self._role == "storage":
                headers["x-amz-request-id"] = "kit-request-1"
                if do.respond < 300 and "ETag" in real.headers:
                    headers["ETag"] = real.headers["ETag"]
            answer = Answer(do.respond, headers, body)
        elif do.redirect is not None:
            target = {
                "other_host": self._addresses.other,
                "storage": self._addresses.storage,
                "api": self._addresses.api,
            }[do.redirect]
            location = f"{target}{self._event.path}"
            answer = Answer(do.status_of_redirect, {"Location": location})
        headers = dict(do.headers)
        if do.retry_after is not None:
            headers["Retry-After"] = self._retry_after(do.retry_after)
        return Answer(answer.status, {**answer.headers, **headers}, answer.body)

    def _retry_after(self, wish: int | str) -> str:
        if isinstance(wish, str) and wish.startswith("date+"):
            moment = self._world.told_time + timedelta(seconds=float(wish[5:]))
            return format_datetime(moment, usegmt=True)
        return str(wish)

    def _encode(self, answer: Answer, *, close: bool) -> bytes:
        date = format_datetime(self._world.told_time.replace(microsecond=0), usegmt=True)
        return answer.encode(date=date, close=close, head_only=self._head.method == "HEAD")

    async def _send(self, answer: Answer, *, close: bool) -> None:
        data = self._encode(answer, close=close)
        self._event.status = answer.status
        # The answer counts as given from its first byte: what the client does next may overtake
        # the rest of this function.
        self._event.ended = self._world.now
        piece = self._do.slice
        if piece is None:
            await self._connection.write(data)
            return
        for begin in range(0, len(data), piece.size):
            await self._connection.write(data[begin : begin + piece.size])
            await asyncio.sleep(piece.delay_ms / 1000)


def _altered(answer: Answer, do: Do, upload_url: str | None) -> Answer:
    """The real answer with the fields a rule puts over it or leaves out."""
    if not (do.merge or do.omit or upload_url) or answer.status >= 400:
        return answer
    document = _deep_merge(_json_object(answer.body), do.merge)
    if upload_url is not None:
        document["upload_url"] = upload_url
    for name in do.omit:
        document.pop(name, None)
    return Answer(answer.status, answer.headers, json.dumps(document).encode())


def _deep_merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[name] = _deep_merge(cast("dict[str, Any]", below), cast("dict[str, Any]", value))
        else:
            merged[name] = value
    return merged


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


__all__ = ["Addresses", "Player", "StoredObject"]
