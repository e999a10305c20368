"""The reference client's adapter: `python -m cadenza_conformance.adapters.python`.

One JSON object a line on standard input, one on standard output; everything else the client says
goes to standard error, where the driver looks for secrets. Uses only what `cadenza_uploader`
offers to everybody.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from cadenza_client import CadenzaClient
from cadenza_uploader import (
    Credential,
    CredentialStore,
    Daemon,
    Home,
    PreparedFacts,
    Settings,
    Stop,
    TakeQueue,
    connect,
    current_account,
    enqueue_prepared,
    wake_daemon,
)
from cadenza_uploader.errors import UploaderError
from cadenza_uploader.events import Event, UploaderStarted
from cadenza_uploader.take import Take, TakeContext

CAPABILITIES = (
    "enqueue",
    "status",
    "start_stop",
    "kill",
    "local_file",
    "relocate_state",
    "second_instance",
    "sign_in",
    "set_env",
    "logs",
    "state_dir",
    "process",
    "wall_clock",
    "suspend",
    "thumbnail",
    "tls",
    "v1_server",
)
_START_SECONDS = 20.0
_NOTE = "recording "


class _RefusedError(Exception):
    """The client says no; the reason is for people."""


class PythonAdapter:
    """One client of the driver's."""

    def __init__(self) -> None:
        self._clock_offset = 0.0
        self._network = "wifi"
        self._stop: Stop | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._started = threading.Event()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command."""
        command = str(request.pop("cmd", ""))
        handler: Callable[..., dict[str, Any] | None] | None = getattr(self, f"on_{command}", None)
        if handler is None:
            return {"ok": False, "error": f"unknown command {command}"}
        try:
            return {"ok": True, **(handler(**request) or {})}
        except (UploaderError, OSError, _RefusedError) as error:
            return {"ok": False, "error": str(error)}

    # ── commands ───────────────────────────────────────────────────────────────────────────

    def on_hello(self, schema: str) -> dict[str, Any]:
        """Who this is, and what it can do."""
        if not schema.startswith("cadenza-conformance/1."):
            raise _RefusedError(f"{schema} is not a version this adapter speaks")
        return {
            "client": "cadenza-python",
            "version": version("cadenza"),
            "capabilities": list(CAPABILITIES),
        }

    def on_configure(
        self,
        *,
        api: str,
        storage_hosts: list[str],
        token: str,
        account: dict[str, Any],
        state_dir: str,
        profile: str,
        env: dict[str, Any],
        ca_file: str | None = None,
    ) -> None:
        """Where everything is."""
        if ca_file is not None:
            os.environ["SSL_CERT_FILE"] = ca_file
        home = Home(Path(state_dir)).prepare()
        self._settings = Settings.load(
            {},
            home=home.path,
            url=api,
            timings=profile,
            storage_hosts=tuple(storage_hosts),
            allow_metered=False,
            **env,
        )
        self._store = CredentialStore(home)
        self.on_sign_in(token=token, account=account)
        self._queue = TakeQueue.open(home, clock=self._clock)

    def on_sign_in(self, *, token: str, account: dict[str, Any]) -> None:
        """Somebody signs in on this device."""
        self._store.save(
            Credential(
                server_url=self._settings.url,
                user_id=int(account["user_id"]),
                email=str(account["email"]),
                full_name="",
                user_type="student",
                token=token,
            )
        )
        wake_daemon(Home(self._settings.home))

    def on_sign_out(self) -> None:
        """The user leaves; takes stay."""
        self._store.forget(self._settings.url)

    def on_enqueue(
        self,
        *,
        recording: str,
        path: str,
        piece_id: str,
        duration_seconds: int,
        width: int,
        height: int,
        captured_at: str,
        thumbnail_path: str | None = None,
        **_unused: Any,
    ) -> dict[str, Any]:
        """A recording that is durable when this answers."""
        take = enqueue_prepared(
            self._queue,
            Path(path),
            Path(thumbnail_path) if thumbnail_path else None,
            TakeContext(piece_id=piece_id, notes=f"{_NOTE}{recording}"),
            account=current_account(self._settings, self._store),
            facts=PreparedFacts(
                duration_ms=duration_seconds * 1000,
                width=width,
                height=height,
                captured_at=datetime.fromisoformat(captured_at),
            ),
        )
        wake_daemon(self._queue.home)
        return {"local_id": take.id, "local_path": str(self._local(take))}

    def on_start(self) -> None:
        """Begin to upload, in the background."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stop, self._error = Stop(), None
        self._started.clear()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), daemon=True)
        self._thread.start()
        self._started.wait(_START_SECONDS)
        if self._error is not None:
            raise _RefusedError(str(self._error))

    def on_stop(self, mode: str = "graceful") -> None:
        """Stop, and put back what is in hand."""
        if self._stop is not None and self._thread is not None:
            self._stop.request(mode)
            self._thread.join()

    def on_status(self) -> dict[str, Any]:
        """Every recording, as the queue knows it."""
        holds = self._queue.holds()
        shown: dict[str, Any] = {}
        for take in self._queue.list(limit=None):
            hold = take.hold or (holds[0].hold if holds and take.status == "pending" else None)
            shown[(take.context.notes or "").removeprefix(_NOTE)] = {
                "state": take.status.value,
                "stage": take.stage.word,
                "attempt": take.attempts,
                "hold": hold.value if hold else None,
                "fail_code": take.fail_code.value if take.fail_code else None,
                "local_file": "present" if self._exists(take) else "absent",
            }
        return {"recordings": shown}

    def on_set_env(self, network: str | None = None, **_unused: Any) -> None:
        """The world changes: here, which kind of line there is."""
        if network is not None:
            self._network = network
        wake_daemon(self._queue.home)

    def on_move_clock(self, seconds: float) -> None:
        """The wall clock jumps."""
        self._clock_offset += seconds

    def on_logs(self) -> dict[str, Any]:
        """The log is on standard error."""
        return {"text": ""}

    # ── inside ─────────────────────────────────────────────────────────────────────────────

    def connect(self) -> CadenzaClient:
        """A client for the daemon."""
        return connect(self._settings, self._store)

    def _run(self, stop: Stop) -> None:
        daemon = Daemon(
            self._queue,
            connect=self.connect,
            settings=self._settings,
            store=self._store,
            observer=self._observe,
            clock=self._clock,
            metered=lambda: self._network != "wifi",
        )
        try:
            daemon.run(stop)
        except Exception as error:
            self._error = error
            logging.getLogger("adapter").exception("the daemon ended")
        finally:
            self._started.set()

    def _observe(self, event: Event) -> None:
        if isinstance(event, UploaderStarted):
            self._started.set()

    def _clock(self) -> float:
        return time.time() + self._clock_offset

    def _local(self, take: Take) -> Path:
        """The client's copy, relative to the state directory."""
        home = self._queue.home
        return (home.spool / take.video.name).relative_to(home.path)

    def _exists(self, take: Take) -> bool:
        return (self._queue.home.path / self._local(take)).exists()


def serve(adapter: PythonAdapter, source: IO[str], sink: IO[str]) -> None:
    """Answer until the driver closes its end."""
    for line in source:
        reply = adapter.answer(json.loads(line))
        sink.write(json.dumps(reply) + "\n")
        sink.flush()
    adapter.on_stop()


def main() -> None:
    """Serve standard input and output."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    serve(PythonAdapter(), sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
