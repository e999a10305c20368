"""Running a suite: scenarios on one client, judged, with known failures taken into account."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cadenza_conformance._driver import Drive, kit_version
from cadenza_conformance._judge import Judgement, judge
from cadenza_conformance._transport import AdapterError, AdapterFactory
from cadenza_conformance.clauses import uncovered
from cadenza_conformance.report import Report, Result, result_of, summary_of
from cadenza_conformance.scenario import Profile, Scenario
from cadenza_conformance.trace import Trace

__all__ = ["KnownFailingError", "Options", "read_known_failing", "run_suite"]


class KnownFailingError(Exception):
    """The list of known failures cannot be read."""


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        profile: `fast`, or `real` for a client that cannot change its timings.
        patience: what every waiting time of a scenario is multiplied by.
        parallel: scenarios at a time, where the transport can.
        known_failing: scenario id → why; these are run, and must fail (connect's rule).
        trace_dir: where every trace is written, or None.
        on_result: told of each result as it comes.
    """

    profile: Profile = "fast"
    patience: float = 1.0
    parallel: int = 4
    known_failing: Mapping[str, str] = field(default_factory=dict[str, str])
    trace_dir: Path | None = None
    on_result: Callable[[Result], None] | None = None


async def run_suite(
    factory: AdapterFactory, scenarios: Sequence[Scenario], options: Options | None = None
) -> Report:
    """Run scenarios on one client.

    Args:
        factory: makes an adapter for each scenario.
        scenarios: in the order of the report.
        options: how.

    Raises:
        AdapterError: the transport itself cannot be set up.
    """
    options = options or Options()
    begin = time.monotonic()
    runner = _Runner(factory, options)
    await factory.open()
    try:
        gate = asyncio.Semaphore(options.parallel if factory.is_parallel else 1)
        results = await asyncio.gather(*(runner.run(s, gate) for s in scenarios))
    finally:
        await factory.close()
    return Report(
        kit=kit_version(),
        client=runner.client,
        version=runner.version,
        capabilities=runner.capabilities,
        profile=options.profile,
        results=tuple(results),
        summary=summary_of(tuple(results)),
        seconds=round(time.monotonic() - begin, 2),
        uncovered_clauses=uncovered(scenarios),
    )


class _Runner:
    def __init__(self, factory: AdapterFactory, options: Options) -> None:
        self._factory = factory
        self._options = options
        self.client = "unknown"
        self.version = ""
        self.capabilities: tuple[str, ...] = ()

    async def run(self, scenario: Scenario, gate: asyncio.Semaphore) -> Result:
        async with gate:
            result = await self._run(scenario)
        if self._options.on_result is not None:
            self._options.on_result(result)
        return result

    async def _run(self, scenario: Scenario) -> Result:
        if self._options.profile == "real" and not scenario.profile_any:
            reason = "it needs the timings of the fast profile"
            return result_of(scenario, Judgement("SKIP", reason=reason), None)
        # Long directory names break socket paths and tools; the scenario's name is in the trace.
        work = Path(tempfile.mkdtemp(prefix="cadenza-kit-"))
        try:
            trace = await self._drive(scenario, work)
        except AdapterError as error:
            return result_of(scenario, Judgement("INCONCLUSIVE", reason=str(error)), None)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        if trace.client != "unknown":
            self.client, self.version = trace.client, trace.version
            self.capabilities = trace.capabilities
        if self._options.trace_dir is not None:
            path = self._options.trace_dir / f"{scenario.id}.trace.json"
            await asyncio.to_thread(path.write_text, trace.model_dump_json(indent=1), "utf-8")
        judgement = self._known(scenario, judge(scenario, trace))
        return result_of(scenario, judgement, trace)

    async def _drive(self, scenario: Scenario, work: Path) -> Trace:
        factory = self._factory

        drive = Drive(
            scenario,
            factory.make(scenario.id),
            second=(lambda: factory.make(f"{scenario.id}-second")) if factory.is_parallel else None,
            work=work,
            profile=self._options.profile,
            patience=self._options.patience,
        )
        return await drive.run()

    def _known(self, scenario: Scenario, judgement: Judgement) -> Judgement:
        why = self._options.known_failing.get(scenario.id)
        if why is None or judgement.verdict not in ("PASS", "FAIL"):
            return judgement
        if judgement.verdict == "FAIL":
            return Judgement("XFAIL", judgement.failures, reason=why)
        return Judgement(
            "XPASS", reason="it is listed as failing, and passes: take it off the list"
        )


def read_known_failing(text: str, known: Sequence[str]) -> dict[str, str]:
    """Read a list of known failures: an id a line, `#` and a reason after it.

    Raises:
        KnownFailingError: it names a scenario that does not exist.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, why = line.partition("#")
        name = name.strip()
        if not name:
            continue
        if name not in known:
            raise KnownFailingError(f"{name} is not a scenario of this kit")
        found[name] = why.strip() or "known to fail"
    return found
