"""The driver: plays a scenario's steps on one client, and writes down what it sees."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from cadenza_conformance._binding import Role
from cadenza_conformance._search import search_argv, search_files, search_text
from cadenza_conformance._server._world import OTHER_USER_ID, USER_ID, World, piece_of, take_of
from cadenza_conformance._transport import Adapter, AdapterError, AdapterGoneError
from cadenza_conformance._transport._exec import ExecAdapter
from cadenza_conformance.faultserver import FaultServer, ca_file
from cadenza_conformance.scenario import SCHEMA, Await, Profile, Scenario, Step
from cadenza_conformance.trace import ClientView, DriverNote, LocalFile, Sighting, Trace

_CALL_SECONDS = 30.0
_POLL_SECONDS = 0.04
_GLANCE_SECONDS = 0.15
#: `real` timings are minutes where `fast` ones are seconds.
_SCALE: dict[Profile, float] = {"fast": 1.0, "real": 20.0}
_FIRST_CAPTURE = datetime(2026, 1, 20, 17, 4, 5, tzinfo=UTC)


class _StepFailedError(Exception):
    """A step did not end as it should; says what was expected and what was seen."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.seen = seen


class Drive:
    """One scenario on one client.

    Args:
        scenario: what to play.
        adapter: the client.
        second: makes another instance of it, for the step that asks for one.
        work: an empty directory of our own.
        profile: the client's timings.
        patience: what every waiting time is multiplied by.
    """

    def __init__(
        self,
        scenario: Scenario,
        adapter: Adapter,
        *,
        second: Callable[[], Adapter] | None,
        work: Path,
        profile: Profile,
        patience: float = 1.0,
    ) -> None:
        self._scenario = scenario
        self._adapter = adapter
        self._second = second
        self._profile: Profile = profile
        self._scale = _SCALE[profile] * patience
        self._sources = work / "recordings"
        self._state = work / "state"
        self._work = work
        self._world = World(scenario.id, scenario)
        self._world.barrier = self._barrier
        self._paths: dict[str, Path] = {}
        self._adopted: set[str] = set()
        self._ready = self._suspended = False
        self._trace = Trace(
            scenario=scenario.id,
            client="unknown",
            version="",
            capabilities=scenario.requires,
            profile=profile,
        )
        self._token = self._world.token
        self._user_id = USER_ID
        self._logs: list[str] = []
        self._argv: list[bytes] = []
        self._in_adapter = asyncio.Lock()

    async def run(self) -> Trace:
        """Play it from the first step to the last look."""
        given = self._scenario.given
        async with FaultServer(tls=given.server.tls) as server:
            self._server = server
            server.add(self._world)
            try:
                await asyncio.to_thread(self._prepare)
                if await self._greet():
                    await self._play()
                    await self._settle()
            finally:
                await self._end()
        return self._trace

    # ── before and after ───────────────────────────────────────────────────────────────────

    def _prepare(self) -> None:
        self._sources.mkdir()
        self._state.mkdir(mode=0o700)
        for recording in self._scenario.given.recordings:
            recording.video.write(self._sources / f"{recording.id}.mp4")
            self._trace.sha256[recording.id] = recording.video.sha256
            if recording.thumbnail is not None:
                recording.thumbnail.write(self._sources / f"{recording.id}.jpg")
                self._trace.thumbnail_sha256[recording.id] = recording.thumbnail.sha256

    async def _greet(self) -> bool:
        """Meet the client; False when there is nothing to play with it."""
        try:
            await self._adapter.up()
            hello = await self._call("hello", schema=SCHEMA)
        except AdapterError as error:
            self._note(-1, "hello", ok=False, seen=str(error))
            return False
        capabilities = {str(name) for name in cast("list[Any]", hello.get("capabilities", []))}
        if not self._adapter.can_kill:
            capabilities -= {"kill"}
        self._trace.client = str(hello.get("client", "unnamed"))
        self._trace.version = str(hello.get("version", ""))
        self._trace.capabilities = tuple(sorted(capabilities))
        return set(self._scenario.requires) <= capabilities

    async def _play(self) -> None:
        for index, step in enumerate(self._scenario.steps):
            try:
                await self._take(step)
            except _StepFailedError as failed:
                self._note(index, step.name, ok=False, expected=failed.expected, seen=failed.seen)
                # What follows would only repeat the same finding in other words.
                return
            except AdapterGoneError as gone:
                self._note(index, step.name, ok=False, expected="a running client", seen=str(gone))
                return
            except AdapterError as error:
                self._note(index, step.name, ok=False, expected="an answer", seen=str(error))
                return
            self._note(index, step.name, ok=True)

    async def _settle(self) -> None:
        """Faults are over: give the client its time to reach what is expected, then look."""
        expect = self._scenario.expect_for(frozenset(self._trace.capabilities))
        failed = any(not note.ok for note in self._trace.notes)
        seconds = 0.2 if failed else self._scenario.liveness_ms / 1000 * self._scale
        deadline = self._world.monotonic() + seconds
        with contextlib.suppress(AdapterError):
            while True:
                views = await self._look()
                settled = all(
                    (view := views.get(recording)) is not None
                    and view.state in _words(facts.state)
                    and (
                        facts.local_file == "any"
                        or view.local_file in (facts.local_file, "unknown")
                    )
                    and (
                        view.state != "uploaded"
                        or view.local_file != "present"
                        or facts.local_file == "present"
                    )
                    for recording, facts in expect.client.items()
                )
                if settled or self._world.monotonic() > deadline:
                    break
                await asyncio.sleep(_POLL_SECONDS)
            self._trace.final = views
            logs = await self._call("logs") if self._has("logs") else {}
            self._logs.append(str(logs.get("text", "")))

    async def _end(self) -> None:
        self._world.is_over = True
        for gate in self._world.gates.values():
            gate.set()
        self._remember_argv()
        if self._adapter.is_up:
            with contextlib.suppress(AdapterError):
                if isinstance(self._adapter, ExecAdapter):
                    self._adapter.signal(signal.SIGCONT)
                if self._has("start_stop"):
                    await self._call("stop", mode="graceful")
        self._logs.append(self._adapter.log_text())
        await self._adapter.close()
        trace, world = self._trace, self._world
        trace.events = world.events
        trace.submissions = world.final_submissions()
        trace.objects = world.final_objects()
        trace.unused_rules = world.unused_rules()
        trace.seconds = round(world.now, 3)
        await asyncio.to_thread(self._look_at_files)

    def _look_at_files(self) -> None:
        trace = self._trace
        for recording in self._scenario.given.recordings:
            source = self._sources / f"{recording.id}.mp4"
            if recording.id in self._paths and recording.id not in self._adopted:
                trace.sources_untouched[recording.id] = (
                    source.exists() and source.stat().st_size == recording.size
                )
        searched: list[str] = []
        if self._has("logs"):
            trace.leaks += search_text("".join(self._logs), "logs", "the client's log")
            searched.append("logs")
        if self._has("state_dir"):
            trace.leaks += search_files(self._state)
            searched.append("state_dir")
        if self._argv:
            trace.leaks += search_argv(self._argv)
            searched.append("argv")
        trace.searched = tuple(searched)

    # ── the adapter ────────────────────────────────────────────────────────────────────────

    async def _call(self, cmd: str, **fields: Any) -> dict[str, Any]:
        reply = await self._adapter.call(cmd, timeout_seconds=_CALL_SECONDS, **fields)
        if reply.get("ok") is False and not fields.get("_may_refuse"):
            raise AdapterError(f"{cmd} was refused: {reply.get('error', 'no reason given')}")
        return reply

    async def _configured(self) -> None:
        """Start the client if it is down, and tell it where everything is."""
        if self._ready and self._adapter.is_up:
            return
        await self._adapter.up()
        await self._call("hello", schema=SCHEMA)
        await self._call("configure", **self._configuration())
        self._ready = True
        self._remember_argv()

    def _configuration(self) -> dict[str, Any]:
        addresses = self._server.addresses(self._world.run)
        configuration: dict[str, Any] = {
            "api": addresses.api,
            "storage_hosts": self._server.storage_hosts(),
            "token": self._token,
            "account": {"user_id": self._user_id, "email": f"user{self._user_id}@example.org"},
            "state_dir": str(self._state),
            "profile": self._profile,
            "env": self._scenario.given.env,
        }
        if self._scenario.given.server.tls == "good":
            configuration["ca_file"] = ca_file()
        return configuration

    def _has(self, capability: str) -> bool:
        return capability in self._trace.capabilities

    def _remember_argv(self) -> None:
        pid = self._adapter.pid
        if pid is not None:
            with contextlib.suppress(OSError):
                self._argv.append(Path(f"/proc/{pid}/cmdline").read_bytes())

    async def _look(self) -> dict[str, ClientView]:
        """Ask the client for its states, and note what changed."""
        reply = await self._call("status")
        said = cast("dict[str, dict[str, Any]]", reply.get("recordings", {}))
        views: dict[str, ClientView] = {}
        for recording, facts in said.items():
            known = {k: v for k, v in facts.items() if k in ClientView.model_fields}
            view = ClientView.model_validate(known)
            on_disk = self._on_disk(recording)
            if on_disk != "unknown":
                view.local_file = on_disk
            views[recording] = view
            last = next(
                (s for s in reversed(self._trace.sightings) if s.recording == recording), None
            )
            if last is None or last.view != view:
                self._trace.sightings.append(
                    Sighting(
                        t=self._world.now,
                        recording=recording,
                        view=view,
                        confirmed=self._world.has_confirmed(recording),
                    )
                )
        return views

    def _on_disk(self, recording: str) -> LocalFile:
        path = self._paths.get(recording)
        if path is None:
            return "unknown"
        return "present" if path.exists() else "absent"

    async def _barrier(self, recording: str) -> LocalFile:
        """The client's copy at the moment a request arrives (§3.6)."""
        on_disk = self._on_disk(recording)
        if on_disk != "unknown" or not self._has("local_file") or self._in_adapter.locked():
            return on_disk
        async with self._in_adapter:
            try:
                reply = await self._adapter.call("status", timeout_seconds=2.0)
            except AdapterError:
                return "unknown"
        said = cast("dict[str, dict[str, Any]]", reply.get("recordings", {}))
        told = said.get(recording, {}).get("local_file")
        return told if told in ("present", "absent") else "unknown"

    def _note(
        self,
        step: int,
        name: str,
        *,
        ok: bool,
        expected: str = "",
        seen: str = "",
    ) -> None:
        self._trace.notes.append(
            DriverNote(
                t=round(self._world.now, 3),
                step=step,
                name=name,
                ok=ok,
                expected=expected,
                seen=seen,
            )
        )

    # ── steps ──────────────────────────────────────────────────────────────────────────────

    async def _take(self, step: Step) -> None:
        name = "await_" if step.name == "await" else step.name
        handler: Callable[[Step], Coroutine[Any, Any, None]] = getattr(self, f"_step_{name}")
        await handler(step)

    async def _step_enqueue(self, step: Step) -> None:
        assert step.enqueue is not None
        recording = self._world.recording(step.enqueue)
        assert recording is not None
        await self._configured()
        path = self._sources / f"{recording.id}.mp4"
        fields: dict[str, Any] = {
            "recording": recording.id,
            "path": str(path),
            "content_type": recording.content_type,
            "take_id": take_of(self._world.run, recording.id),
            "piece_id": piece_of(recording.id),
            "notes": f"recording {recording.id}",
            "duration_seconds": recording.duration_seconds,
            "width": 1280,
            "height": 720,
            "captured_at": self._captured_at(recording.id),
        }
        if recording.thumbnail is not None:
            fields["thumbnail_path"] = str(self._sources / f"{recording.id}.jpg")
        reply = await self._adapter.call("enqueue", timeout_seconds=_CALL_SECONDS, **fields)
        if reply.get("ok") is False:
            if not step.may_refuse:
                raise _StepFailedError("the recording is accepted", str(reply.get("error")))
            return
        if local := reply.get("local_path"):
            kept = self._state / str(local)
            self._paths[recording.id] = kept
            if kept == path:
                self._adopted.add(recording.id)

    def _captured_at(self, recording: str) -> str:
        """One after the other, in the order in which they are given."""
        ids = [given.id for given in self._scenario.given.recordings]
        moment = _FIRST_CAPTURE + timedelta(minutes=ids.index(recording))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _step_start(self, _step: Step) -> None:
        await self._configured()
        await self._call("start")

    async def _step_stop(self, _step: Step) -> None:
        begin = self._world.monotonic()
        await self._call("stop", mode="graceful")
        seconds = self._world.monotonic() - begin
        if seconds > 10.0:
            raise _StepFailedError("a stop within 10 s", f"{seconds:.1f} s")

    async def _step_kill(self, _step: Step) -> None:
        self._logs.append(self._adapter.log_text())
        self._remember_argv()
        await self._adapter.kill()
        self._ready = False

    async def _step_suspend(self, _step: Step) -> None:
        self._suspended = True
        self._signal(signal.SIGSTOP)

    async def _step_resume(self, _step: Step) -> None:
        self._signal(signal.SIGCONT)
        self._suspended = False

    def _signal(self, number: int) -> None:
        if not isinstance(self._adapter, ExecAdapter):
            raise AdapterError("only a client the driver started can be suspended")
        self._adapter.signal(number)

    async def _step_relocate_state(self, _step: Step) -> None:
        """Move the client's directory, as iOS does with an app's container on every update."""
        if self._adapter.is_up:
            await self._adapter.kill()
        self._ready = False
        moved = self._state.with_name("moved-state")
        await asyncio.to_thread(shutil.move, self._state, moved)
        for recording, path in self._paths.items():
            if path.is_relative_to(self._state):
                self._paths[recording] = moved / path.relative_to(self._state)
        self._state = moved

    async def _step_second_instance(self, _step: Step) -> None:
        if self._second is None:
            raise AdapterError("this transport has no second instance")
        other = self._second()
        try:
            await other.up()
            await other.call("hello", timeout_seconds=_CALL_SECONDS, schema=SCHEMA)
            try:
                await other.call(
                    "configure", timeout_seconds=_CALL_SECONDS, **self._configuration()
                )
                reply = await other.call("start", timeout_seconds=_CALL_SECONDS)
            except AdapterGoneError:
                return  # it left, which is a refusal as well
            if reply.get("ok") is not False:
                raise _StepFailedError("a second uploader of the same state is refused", "it began")
        finally:
            await other.close()

    async def _step_sign_in(self, step: Step) -> None:
        self._user_id = OTHER_USER_ID if step.sign_in == "other_user" else USER_ID
        self._token = self._world.new_token(self._user_id)
        configuration = self._configuration()
        await self._call("sign_in", token=self._token, account=configuration["account"])

    async def _step_sign_out(self, _step: Step) -> None:
        await self._call("sign_out")

    async def _step_set_env(self, step: Step) -> None:
        assert step.set_env is not None
        await self._call("set_env", **step.set_env)

    async def _step_move_clock_s(self, step: Step) -> None:
        await self._configured()
        await self._call("move_clock", seconds=step.move_clock_s)

    async def _step_corrupt(self, step: Step) -> None:
        assert step.corrupt is not None
        path = self._paths.get(step.corrupt.recording)
        if path is None:
            raise AdapterError("the client did not say where its copy is")
        await asyncio.to_thread(_corrupt, path, step.corrupt.how)

    async def _step_outage(self, step: Step) -> None:
        assert step.outage is not None
        both: tuple[Role, ...] = ("api", "storage")
        roles: tuple[Role, ...] = both if step.outage.role == "all" else (step.outage.role,)
        for role in roles:
            await (self._server.down if step.outage.state == "down" else self._server.up)(role)

    async def _step_await_(self, step: Step) -> None:
        wanted = step.await_
        assert wanted is not None
        deadline = self._deadline(wanted.within_ms)
        while True:
            view = (await self._look()).get(wanted.recording)
            if view is not None and _is_awaited(wanted, view):
                return
            if self._world.monotonic() > deadline:
                seen = "unknown to it" if view is None else _described(view)
                told = f"{wanted.recording} {_described_wish(wanted)}"
                raise _StepFailedError(f"{told} within {wanted.within_ms} ms", seen)
            await asyncio.sleep(_POLL_SECONDS)

    async def _step_await_signal(self, step: Step) -> None:
        assert step.await_signal is not None
        seconds = step.await_signal.within_ms / 1000 * self._scale
        try:
            async with asyncio.timeout(seconds):
                await self._world.signal(step.await_signal.name).wait()
        except TimeoutError:
            told = f"the point {step.await_signal.name} within {step.await_signal.within_ms} ms"
            raise _StepFailedError(told, self._last_requests()) from None

    async def _step_await_requests(self, step: Step) -> None:
        wanted = step.await_requests
        assert wanted is not None
        try:
            async with asyncio.timeout(wanted.within_ms / 1000 * self._scale):
                async with self._world.changed:
                    await self._world.changed.wait_for(
                        lambda: self._count(wanted.op) >= wanted.count
                    )
        except TimeoutError:
            told = f"{wanted.count} {wanted.op} requests within {wanted.within_ms} ms"
            raise _StepFailedError(told, f"{self._count(wanted.op)}") from None

    def _count(self, op: str) -> int:
        if op == "any":
            return sum(self._world.begun.values())
        return self._world.begun[op]

    async def _step_wait_quiet(self, step: Step) -> None:
        wanted = step.wait_quiet
        assert wanted is not None
        deadline = self._deadline(wanted.within_ms)
        while True:
            events = self._world.events
            last = max((max(event.t, event.ended) for event in events), default=0.0)
            if not self._world.active and (self._world.now - last) * 1000 >= wanted.ms:
                return
            if self._world.monotonic() > deadline:
                raise _StepFailedError(f"{wanted.ms} ms without a request", self._last_requests())
            await asyncio.sleep(_POLL_SECONDS)

    async def _step_sleep_ms(self, step: Step) -> None:
        assert step.sleep_ms is not None
        deadline = self._world.monotonic() + step.sleep_ms / 1000
        while (left := deadline - self._world.monotonic()) > 0:
            if self._ready and not self._suspended:
                # What the client says meanwhile counts as well.
                await self._look()
            await asyncio.sleep(min(left, _GLANCE_SECONDS))

    async def _step_check(self, step: Step) -> None:
        wanted = step.check
        assert wanted is not None
        if wanted.local_file is not None:
            on_disk = self._on_disk(wanted.recording)
            if on_disk not in (wanted.local_file, "unknown"):
                told = f"the file of {wanted.recording} {wanted.local_file}"
                raise _StepFailedError(told, on_disk)
        if wanted.state is not None:
            view = (await self._look()).get(wanted.recording)
            if view is None or view.state not in _words(wanted.state):
                seen = "unknown to it" if view is None else _described(view)
                told = f"{wanted.recording} {' or '.join(_words(wanted.state))}"
                raise _StepFailedError(told, seen)

    async def _step_check_memory(self, step: Step) -> None:
        assert step.check_memory is not None
        most = step.check_memory.max_mb
        used = None if self._adapter.pid is None else _peak_mb(self._adapter.pid)
        if used is None:
            raise AdapterError("the client's memory cannot be measured here")
        if used > most:
            raise _StepFailedError(f"at most {most} MB of memory", f"{used} MB")

    async def _step_release(self, step: Step) -> None:
        assert step.release is not None
        self._world.gate(step.release).set()

    def _deadline(self, within_ms: int) -> float:
        return self._world.monotonic() + within_ms / 1000 * self._scale

    def _last_requests(self) -> str:
        names = [f"{event.op} #{event.n}" for event in self._world.events[-3:]]
        return f"last seen: {', '.join(names)}" if names else "no request at all"


def kit_version() -> str:
    """The kit's own version."""
    try:
        return version("cadenza")
    except PackageNotFoundError:
        return "unknown"


def _words(state: str | tuple[str, ...]) -> tuple[str, ...]:
    return state if isinstance(state, tuple) else (state,)


def _is_awaited(wanted: Await, view: ClientView) -> bool:
    if view.state not in _words(wanted.state):
        return False
    if wanted.hold is not None and view.hold != wanted.hold:
        return False
    return wanted.fail_code is None or view.fail_code in _words(wanted.fail_code)


def _described(view: ClientView) -> str:
    parts = [view.state, view.stage, view.hold and f"held for {view.hold}", view.fail_code]
    return ", ".join(str(part) for part in parts if part)


def _described_wish(wanted: Await) -> str:
    told = " or ".join(_words(wanted.state))
    if wanted.hold:
        told += f", held for {wanted.hold}"
    if wanted.fail_code:
        told += f", as {' or '.join(_words(wanted.fail_code))}"
    return told


def _corrupt(path: Path, how: str) -> None:
    if how == "unlink":
        path.unlink()
        return
    size = path.stat().st_size
    if how == "truncate":
        os.truncate(path, size // 2)
    elif how == "grow":
        with path.open("ab") as file:
            file.write(b"more")
    else:
        # Another file in its place, of the same size: only its bytes tell (F03).
        fresh = path.with_name(f"{path.name}.other")
        fresh.write_bytes(b"\xff" * size)
        fresh.replace(path)


def _peak_mb(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
    return None if line is None else int(line.split()[1]) // 1024
