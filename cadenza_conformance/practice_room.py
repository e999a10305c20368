"""A server as one meets it from a practice room: drops, storms, expired URLs, lost answers.

For harnesses that want to know how a client fares over days of bad network in a minute. Chance
comes from a seed; what arrived is audited against what was announced.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType

from cadenza_conformance._server._world import USER_ID, World, piece_of
from cadenza_conformance.faultserver import FaultServer
from cadenza_conformance.scenario import Scenario

__all__ = ["Audit", "PracticeRoom"]

_RUN = "practice-room"
_RECORDING = "ANY"
#: name → (operation, chance, what happens). The first that strikes is played.
_FAULTS: dict[str, tuple[str, float, dict[str, object]]] = {
    "503 storm on create": ("create_submission", 0.12, {"respond": 503}),
    "create done, answer lost": ("create_submission", 0.08, {"store": True, "then": "reset"}),
    "expired URL": ("put_video", 0.15, {"respond": 403, "body": "s3:expired"}),
    "dropped in the body": ("put_video", 0.12, {"at": "after_bytes:20000", "then": "reset"}),
    "stored, answer lost": ("put_video", 0.08, {"store": True, "then": "reset"}),
    "store says SlowDown": ("put_video", 0.05, {"respond": 503, "body": "s3:SlowDown"}),
    "thumbnail refused": ("put_thumbnail", 0.15, {"respond": 500}),
    "500 for fresh URLs": ("get_upload_url", 0.15, {"respond": 500}),
    "429, wait a second": ("confirm", 0.05, {"respond": 429, "headers": {"Retry-After": "1"}}),
    "confirm done, answer lost": ("confirm", 0.12, {"store": True, "then": "reset"}),
}


@dataclass(frozen=True, slots=True)
class Audit:
    """What the server holds at the end.

    Attributes:
        confirmed: announced sha256 → how many confirmed submissions have it.
        stored: sha256 of every video in the store.
        submissions: how many there are.
        requests: how many requests came.
        faults: name of the fault → how often it was played.
    """

    confirmed: Counter[str]
    stored: frozenset[str]
    submissions: int
    requests: int
    faults: Counter[str] = field(default_factory=Counter[str])


class PracticeRoom:
    """The server, in a thread of its own, on loopback, until the block ends.

    Args:
        seed: decides which requests fail.
    """

    user_id = USER_ID
    piece_id = piece_of(_RECORDING)

    def __init__(self, *, seed: int) -> None:
        self._world = World(_RUN, _scenario(seed))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server = FaultServer()

    def __enter__(self) -> PracticeRoom:
        self._thread.start()
        self._call(self._server.__aenter__())
        self._server.add(self._world)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._call(self._server.__aexit__(exc_type, exc, traceback))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Address of the API."""
        return self._server.addresses(_RUN).api

    @property
    def token(self) -> str:
        """A token it accepts."""
        return self._world.token

    @property
    def storage_hosts(self) -> tuple[str, ...]:
        """Hosts it may send bytes to."""
        return tuple(self._server.storage_hosts())

    def audit(self) -> Audit:
        """Count what arrived."""
        world = self._world
        confirmed = Counter(
            str(submission.body.get("sha256"))
            for submission in world.submissions.values()
            if submission.confirmed_at is not None
        )
        names = list(_FAULTS)
        return Audit(
            confirmed=confirmed,
            stored=frozenset(o.sha256 for k, o in world.objects.items() if k.endswith(".mp4")),
            submissions=len(world.submissions),
            requests=len(world.events),
            faults=Counter({names[i]: uses for i, uses in world.rule_uses.items()}),
        )

    def _call(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


def _scenario(seed: int) -> Scenario:
    return Scenario.model_validate(
        {
            "schema": "cadenza-conformance/1.0",
            "id": _RUN,
            "title": "A week of practice rooms",
            "level": "may",
            "requirements": ["RETRY-5"],
            "requires": [],
            "given": {"recordings": [{"id": _RECORDING, "size": 1, "content": "prng:1"}]},
            "script": [
                {
                    "on": {"op": op, "probability": chance, "seed": seed * 100 + number},
                    "do": do,
                    "optional": True,
                }
                for number, (op, chance, do) in enumerate(_FAULTS.values())
            ],
            "steps": [{"start": {}}],
        }
    )
