"""A server as seed 000 describes it: ids of its own, no sizes, no checksums, no confirm (W10)."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.client.wire import v1

Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class V1Server:
    """The API and its bucket in one handler; `requests` is what was asked, in order.

    Attributes:
        public_url: where upload and playback URLs point to.
        lose_next: how many answers to creates are lost after the submission was made.
        kms: whether ETags are opaque, as under a customer's key.
    """

    public_url: str = "https://api.example.com"
    lose_next: int = 0
    kms: bool = False
    forbid_reading: bool = False
    submissions: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        request.read()
        with self.lock:
            self.requests.append(f"{request.method} {request.url.path}")
            if request.url.path.startswith("/bucket/"):
                assert "authorization" not in request.headers
                return self._bucket(request)
            if request.url.path != "/health":
                assert request.headers["authorization"] == "Bearer t0ken"
            return self._api(request)

    def add(self, **facts: Any) -> UUID:
        """A submission made earlier."""
        submission_id = uuid4()
        key = f"dev/cadenza/videos/7/{submission_id}.mp4"
        self.submissions[submission_id] = v1(id=str(submission_id), s3_key=key, **facts)
        return submission_id

    def _api(self, request: httpx.Request) -> httpx.Response:
        path, method = request.url.path, request.method
        if path == "/video-submissions" and method == "POST":
            known = {"exercise_id", "piece_id", "session_id", "duration_seconds", "notes"}
            said = {k: v for k, v in json.loads(request.content).items() if k in known}
            submission_id = self.add(**said)
            if self.lose_next:
                self.lose_next -= 1
                raise httpx.ReadError("the answer was lost")
            answer = {"submission": self.submissions[submission_id], **self._urls(submission_id)}
            return httpx.Response(201, json=answer)
        if path == "/video-submissions":
            found = list(reversed(self.submissions.values()))
            wanted = dict(request.url.params)
            for name in ("exercise_id", "piece_id"):
                if name in wanted:
                    found = [one for one in found if one[name] == wanted[name]]
            return httpx.Response(200, json=found)
        one = re.fullmatch(r"/video-submissions/([0-9a-f-]{36})/(upload-url|video-url)", path)
        if one is None or method != "GET":
            return httpx.Response(404, json={"detail": "Not Found"})
        submission_id = UUID(one[1])
        if submission_id not in self.submissions:
            return httpx.Response(404, json={"detail": "Submission not found"})
        if one[2] == "upload-url":
            return httpx.Response(200, json=self._urls(submission_id))
        url = f"{self.public_url}/bucket/{self.submissions[submission_id]['s3_key']}?sig=canary"
        return httpx.Response(200, json={"video_url": url, "thumbnail_url": None})

    def _urls(self, submission_id: UUID) -> dict[str, Any]:
        url = f"{self.public_url}/bucket/{self.submissions[submission_id]['s3_key']}"
        return {"upload_url": f"{url}?sig=canary", "thumbnail_upload_url": f"{url}_t?sig=canary"}

    def _bucket(self, request: httpx.Request) -> httpx.Response:
        key = request.url.path.removeprefix("/bucket/")
        if request.method == "PUT":
            self.objects[key] = request.content
            return httpx.Response(200, headers={"ETag": self._etag(request.content)})
        if self.forbid_reading:
            return httpx.Response(403, text="<Error><Code>AccessDenied</Code></Error>")
        found = self.objects.get(key)
        if found is None:
            return httpx.Response(404, text="<Error><Code>NoSuchKey</Code></Error>")
        headers = {"ETag": self._etag(found), "Content-Range": f"bytes 0-0/{len(found)}"}
        if self.kms:
            headers["x-amz-server-side-encryption"] = "aws:kms"
        return httpx.Response(206, headers=headers, content=found[:1])

    def _etag(self, data: bytes) -> str:
        salt = b"kms" if self.kms else b""
        return f'"{hashlib.md5(data + salt, usedforsecurity=False).hexdigest()}"'


def as_asgi(handler: Handler) -> Callable[..., Awaitable[None]]:
    """A handler as an application for a real server; a lost answer closes the connection."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"].decode()
        url = f"http://server{scope['path']}" + (f"?{query}" if query else "")
        answer = handler(
            httpx.Request(scope["method"], url, headers=scope["headers"], content=body)
        )
        await send(
            {
                "type": "http.response.start",
                "status": answer.status_code,
                "headers": [(k.lower(), v) for k, v in answer.headers.raw],
            }
        )
        await send({"type": "http.response.body", "body": answer.content})

    return app
