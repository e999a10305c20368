"""One network fault, in a namespace whose only interface is its own loopback.

Run as `unshare -n python -m tests.sweeps.netcase CASE FOLDER`: the server, the uploader and the
fault are all inside, nothing can leave it, and rules on `lo` break the line for real. Prints what
it saw as one JSON object; the test outside judges it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cadenza_server import ServerSettings, admin, create_app
from cadenza_server.serving import run_in_thread
from cadenza_uploader import (
    Credential,
    CredentialStore,
    Daemon,
    Home,
    Settings,
    Stop,
    TakeQueue,
    connect,
)
from cadenza_uploader.events import BytesSent, Event
from cadenza_uploader.take import Account, Status
from tests.sweeps.takes import PIECE, queue_take, recording, take_id_of

SIZE_BYTES = 3_000_000
SECONDS = 40.0


def sh(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True, timeout=20)


def rules(*lines: str) -> None:
    """Replace every packet rule by these, for packets that come in on `lo`."""
    table = "\n".join(["flush ruleset", "table inet t {", "chain c {",
                       "type filter hook input priority 0;", *lines, "}", "}"])  # fmt: skip
    subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True, timeout=20)


class Case:
    """A server, a queue with one take, and a daemon, all in this namespace."""

    def __init__(self, folder: Path) -> None:
        sh("ip link set lo up")
        settings = ServerSettings(env="dev", data_dir=folder / "server")
        accounts = admin.seed_demo(settings)
        self.server = run_in_thread(create_app(settings))
        self.port = self.server.url.rsplit(":", 1)[1]
        self.objects = folder / "server" / "objects"
        self.home = Home(folder / "home").prepare()
        PIECE.leave(self.home.path, str(accounts.piece_id))
        self.settings = Settings.load({}, home=self.home.path, url=self.server.url, timings="fast")
        self.store = CredentialStore(self.home)
        token = f"dev_token_user_{accounts.student_id}"
        self.store.save(
            Credential(self.server.url, accounts.student_id, "s@x", "Sam", "student", token)
        )
        self.account = Account(self.server.url, accounts.student_id)
        self.queue = TakeQueue.open(self.home)
        self.seen: list[Event] = []
        self.stop = Stop()
        self.on_half: Callable[[], None] | None = None
        self.facts: dict[str, Any] = {}

    def observe(self, event: Event) -> None:
        self.seen.append(event)
        if isinstance(event, BytesSent) and self.on_half and event.sent_bytes > SIZE_BYTES // 3:
            act, self.on_half = self.on_half, None
            act()

    def start(self) -> None:
        daemon = Daemon(
            self.queue,
            connect=lambda: connect(self.settings, self.store),
            settings=self.settings,
            observer=self.observe,
            store=self.store,
        )
        self.thread = threading.Thread(target=daemon.run, args=[self.stop])
        self.thread.start()

    def add(self) -> None:
        began = time.monotonic()
        queue_take(self.queue, 1, self.account, size_bytes=SIZE_BYTES)
        self.facts["intake_seconds"] = time.monotonic() - began

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > deadline:
                self.facts["waited_in_vain"] = what
                return
            time.sleep(0.02)

    def held(self) -> bool:
        return any(hold.hold.value == "network" for hold in self.queue.holds())

    def uploaded(self) -> bool:
        return self.queue.get(take_id_of(1)).status is Status.UPLOADED

    def finish(self) -> None:
        self.until("uploaded", self.uploaded)
        take = self.queue.get(take_id_of(1))
        self.stop.request("done")
        self.thread.join(20)
        found = list(self.objects.rglob(f"{take.id}.mp4"))
        attempts = self.queue.attempts(take.id)
        self.facts |= {
            "status": take.status.value,
            "attempts": take.attempts,
            "intact": bool(found) and found[0].read_bytes() == recording(1, SIZE_BYTES),
            "puts": sum(a.step == "video" for a in attempts),
            "creates": sum(a.step == "create" for a in attempts),
            "held": any(type(e).__name__ == "QueueHeld" for e in self.seen),
            "spool": [p.name for p in self.home.spool.iterdir()],
        }
        self.server.stop()


def no_route(case: Case) -> None:
    """N01: nothing can be reached from the start; the address coming back wakes the daemon."""
    sh("ip link set lo down")
    case.add()
    case.start()
    case.until("held", case.held)
    sh("ip link set lo up")


def refused(case: Case) -> None:
    """N03: the port is closed for a while."""
    rules(f"tcp dport {case.port} reject with tcp reset")
    case.add()
    case.start()
    case.until("held", case.held)
    rules()


def swallowed(case: Case) -> None:
    """N04: packets vanish before a connection is made."""
    rules(f"tcp dport {case.port} drop")
    case.add()
    case.start()
    case.until("held", case.held)
    rules()


def blackhole(case: Case) -> None:
    """N05, N07: after a third of the body, packets vanish; later the line is back."""
    case.on_half = lambda: rules(f"tcp dport {case.port} drop")
    case.add()
    case.start()
    case.until("held", case.held)
    rules()


def reset(case: Case) -> None:
    """N08: the connection is reset in the middle of the body."""
    case.on_half = lambda: rules(f"tcp dport {case.port} reject with tcp reset")
    case.add()
    case.start()
    case.until("held", case.held)
    rules()


def flap(case: Case) -> None:
    """N06: the line is gone for a moment; TCP survives it and nothing is sent twice."""

    def blink() -> None:
        rules(f"tcp dport {case.port} drop")
        threading.Timer(0.4, rules).start()

    case.on_half = blink
    case.add()
    case.start()


def loss(case: Case) -> None:
    """N12: three packets in ten are lost."""
    rules(f"tcp dport {case.port} numgen random mod 100 < 30 drop")
    case.settings = case.settings.model_copy(update={"timings": "real"})
    case.add()
    case.start()


def slow(case: Case) -> None:
    """N11: a thin line, slower than every fixed timeout would allow."""
    # A packet larger than the bucket would never pass.
    sh("ip link set lo mtu 1500")
    sh("tc qdisc add dev lo root tbf rate 6mbit burst 32kb latency 400ms")
    case.add()
    case.start()


CASES = {f.__name__: f for f in (no_route, refused, swallowed, blackhole, reset, flap, loss, slow)}


def main(name: str, folder: str) -> None:
    case = Case(Path(folder))
    CASES[name](case)
    case.finish()
    sys.stdout.write(json.dumps(case.facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
