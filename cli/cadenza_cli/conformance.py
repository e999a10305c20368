"""`cadenza conformance …`: judge a client, in any language, by the behaviour specification."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cadenza_cli._command import command, group
from cadenza_cli._errors import CommandError, ExitCode
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_cli._output import Paint
    from cadenza_conformance import Report, Result, Scenario
    from cadenza_conformance.scenario import Level
    from cadenza_conformance.transports import AdapterFactory

app = group(
    summary="Judge an upload client, in any language, by its behaviour.",
    examples=[
        "cadenza conformance run --suite must -- python -m cadenza_conformance.adapters.python",
        "cadenza conformance explain DEL-1",
    ],
)
_PAINTS: dict[str, Paint] = {
    "PASS": "green",
    "FAIL": "red",
    "XPASS": "red",
    "INCONCLUSIVE": "yellow",
    "SKIP": "dim",
    "XFAIL": "dim",
}
_INCONCLUSIVE = 2
_TRACE_LINES = 40
_MORE = """
Exit codes: 0 when everything that must pass passed, 1 on failures, 2 when something was
inconclusive: a fault was not reached, so nothing is proven.
"""


class Suite(StrEnum):
    """Which scenarios, by requirement level."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"
    ALL = "all"


class Transport(StrEnum):
    """How the driver talks to the client."""

    EXEC = "exec"
    HTTP = "http"
    PULL = "pull"


class TimingsProfile(StrEnum):
    """Which timings the client runs with."""

    FAST = "fast"
    REAL = "real"


SuiteOption = Annotated[Suite, typer.Option("--suite", help="Requirement level.")]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", help="Scenario id, or clause; * for anything. May be repeated."),
]


@command(app, "list", examples=["cadenza conformance list --suite must"])
def list_scenarios(run: Run, suite: SuiteOption = Suite.ALL, only: OnlyOption = None) -> None:
    """List the scenarios, with the clauses they are about."""
    scenarios = _scenarios(suite, only)
    run.out.answer(
        [
            {
                "id": scenario.id,
                "level": scenario.level,
                "title": scenario.title,
                "requirements": list(scenario.requirements),
                "requires": list(scenario.requires),
            }
            for scenario in scenarios
        ],
        ids=[scenario.id for scenario in scenarios],
        human=lambda: run.out.table(
            ("LEVEL", "SCENARIO", "CLAUSES", "TITLE"),
            [(s.level, s.id, " ".join(s.requirements), s.title) for s in scenarios],
        ),
    )


@command(
    app,
    "run",
    examples=[
        "cadenza conformance run --suite must -- python -m cadenza_conformance.adapters.python",
        "cadenza conformance run --junit out.xml -- .build/release/CadenzaConformanceAdapter",
        "cadenza conformance run --transport http --adapter-url http://127.0.0.1:9000/",
    ],
    more=_MORE,
)
def run_client(
    run: Run,
    adapter: Annotated[
        list[str] | None, typer.Argument(help="After --: the adapter's command line.")
    ] = None,
    suite: SuiteOption = Suite.MUST,
    only: OnlyOption = None,
    transport: Annotated[
        Transport, typer.Option("--transport", help="How the adapter is talked to.")
    ] = Transport.EXEC,
    adapter_url: Annotated[
        str | None, typer.Option("--adapter-url", help="http: where commands are posted.")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="pull: the port to listen on.")] = 8943,
    kill_cmd: Annotated[
        str | None, typer.Option("--kill-cmd", help="http, pull: how to kill the client.")
    ] = None,
    start_cmd: Annotated[
        str | None, typer.Option("--start-cmd", help="http, pull: how to start it again.")
    ] = None,
    profile: Annotated[
        TimingsProfile, typer.Option("--profile", help="Waiting times: shortened, or as in use.")
    ] = TimingsProfile.FAST,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, max=32, help="Scenarios at a time.")
    ] = 4,
    patience: Annotated[
        float, typer.Option("--patience", min=0.1, help="Multiplies every waiting time.")
    ] = 1.0,
    known_failing: Annotated[
        Path | None,
        typer.Option("--known-failing", help="File of ids that are run and must fail."),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option("--require", help="A capability whose absence is a failure."),
    ] = None,
    report_file: Annotated[Path | None, typer.Option("--report", help="Write JSON here.")] = None,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write an HTML page.")] = None,
    traces: Annotated[
        Path | None, typer.Option("--traces", help="Directory for every run's trace.")
    ] = None,
) -> None:
    """Play scenarios on a client and judge it."""
    import asyncio

    from cadenza_conformance import Options, read_known_failing, run_suite
    from cadenza_conformance.rendering import html, junit
    from cadenza_conformance.suite import KnownFailingError
    from cadenza_conformance.transports import AdapterError

    scenarios = _scenarios(suite, only)
    if traces is not None:
        traces.mkdir(parents=True, exist_ok=True)
    try:
        known = (
            {}
            if known_failing is None
            else read_known_failing(
                known_failing.read_text("utf-8"),
                [scenario.id for scenario in _scenarios(Suite.ALL)],
            )
        )
        options = Options(
            profile=profile.value,
            parallel=parallel,
            patience=patience,
            known_failing=known,
            trace_dir=traces,
            on_result=lambda result: _tell(run, result),
        )
        factory = _factory(transport, adapter, adapter_url, port, kill_cmd, start_cmd)
        report = asyncio.run(run_suite(factory, scenarios, options))
    except BrokenPipeError:
        raise
    except (OSError, AdapterError, KnownFailingError) as error:
        raise CommandError(
            f"The run cannot begin: {error}.", code="adapter", exit_code=ExitCode.USAGE
        ) from None
    for path, text in (
        (report_file, report.model_dump_json(indent=1)),
        (junit_file, junit(report)),
        (html_file, html([report])),
    ):
        if path is not None:
            path.write_text(text, "utf-8")
    missing = sorted(set(require or ()) - set(report.capabilities))
    _conclude(run, report, missing)
    if missing or report.exit_code:
        raise typer.Exit(ExitCode.FAILURE if missing else report.exit_code)


@command(
    app,
    "serve",
    examples=["cadenza conformance serve --port 8943"],
    more="""
    For a client without an adapter: point it at one of the base URLs, sign in, make one
    recording, and read the verdict from the page. It listens on this machine unless told
    otherwise; anyone who reaches the port can send to it.
    """,
)
def serve(
    run: Run,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 for any.")
    ] = 8943,
    only: OnlyOption = None,
) -> None:
    """Serve the fault server for a person or a UI test, until Ctrl-C."""
    import asyncio

    from cadenza_conformance.blackbox import BlackBox

    box = BlackBox(host=host, port=port, scenarios=_scenarios(Suite.ALL, only))

    def ready() -> None:
        run.out.answer(
            {"url": box.url},
            ids=[box.url],
            human=lambda: run.out.line(f"Open {box.url} for the base URLs and the verdicts."),
        )
        if not box.is_loopback:
            run.out.warn(f"Everybody who reaches {host} can use this server.")
        run.out.note("Ctrl-C stops it.")

    async def until_interrupted() -> None:
        await box.serve(asyncio.Event(), on_ready=ready)

    try:
        asyncio.run(until_interrupted())
    except KeyboardInterrupt:
        raise typer.Exit from None
    except OSError as error:
        raise CommandError(
            f"{host} port {port} cannot be used: {error.strerror}.",
            code="port_unusable",
            next_step="Give --port 0 for a free one.",
        ) from None


@command(app, "verify", examples=["cadenza conformance verify traces/url-expired-once.trace.json"])
def verify(
    run: Run,
    trace_file: Annotated[
        Path, typer.Argument(metavar="TRACE", exists=True, help="A trace, from run --traces.")
    ],
) -> None:
    """Judge a stored trace again."""
    from cadenza_conformance import judge, load_scenarios
    from cadenza_conformance.report import result_of
    from cadenza_conformance.trace import Trace

    trace = _read(trace_file, Trace)
    scenario = next((s for s in load_scenarios() if s.id == trace.scenario), None)
    if scenario is None:
        raise CommandError(f"There is no scenario {trace.scenario}.", exit_code=ExitCode.USAGE)
    result: Result = result_of(scenario, judge(scenario, trace), trace)
    run.out.answer(
        result.model_dump(mode="json"),
        ids=[result.verdict],
        human=lambda: _tell(run, result, in_full=True),
    )
    if result.verdict not in ("PASS", "SKIP"):
        raise typer.Exit(_INCONCLUSIVE if result.verdict == "INCONCLUSIVE" else ExitCode.FAILURE)


@command(app, "diff", examples=["cadenza conformance diff python.json ios.json --html both.html"])
def diff(
    run: Run,
    first_file: Annotated[
        Path, typer.Argument(metavar="A", exists=True, help="A report, from run --report.")
    ],
    second_file: Annotated[Path, typer.Argument(metavar="B", exists=True, help="Another report.")],
    html_file: Annotated[Path | None, typer.Option("--html", help="Write both on a page.")] = None,
) -> None:
    """Name the behaviours in which two clients differ."""
    from cadenza_conformance import Report, differences
    from cadenza_conformance.rendering import html

    first, second = _read(first_file, Report), _read(second_file, Report)
    found = differences(first, second)
    if html_file is not None:
        html_file.write_text(html([first, second]), "utf-8")

    def human() -> None:
        if not found:
            run.out.line(f"{first.client} and {second.client} behave alike.")
            return
        run.out.table(("SCENARIO", first.client.upper(), second.client.upper()), found)

    run.out.answer(
        [{"scenario": name, "a": one, "b": other} for name, one, other in found],
        ids=[name for name, _, _ in found],
        human=human,
    )
    if found:
        raise typer.Exit(ExitCode.FAILURE)


@command(app, "explain", examples=["cadenza conformance explain DEL-1"])
def explain(
    run: Run,
    clause_id: Annotated[str, typer.Argument(metavar="CLAUSE", help="A clause, such as DEL-1.")],
) -> None:
    """Say what a clause asks for, why, and which scenarios check it."""
    from cadenza_conformance import load_scenarios
    from cadenza_conformance.clauses import clause

    found = clause(clause_id)
    if found is None:
        raise CommandError(
            f"There is no clause {clause_id}.",
            code="no_such_clause",
            exit_code=ExitCode.USAGE,
            next_step="`cadenza conformance list` names the clauses beside the scenarios.",
        )
    checked_by = [s.id for s in load_scenarios() if found.id in s.requirements]

    def human() -> None:
        run.out.line(run.out.paint(f"{found.id} ({found.level})", "bold"))
        run.out.line(found.text)
        run.out.fields(
            (
                ("why", found.why),
                ("sources", ", ".join(found.sources)),
                ("on iOS", found.ios),
                ("checked by", ", ".join(checked_by) or "every run"),
            )
        )

    run.out.answer(
        {**found.model_dump(mode="json"), "checked_by": checked_by}, ids=checked_by, human=human
    )


# ── shared ─────────────────────────────────────────────────────────────────────────────────────


def _scenarios(suite: Suite, only: Sequence[str] | None = None) -> list[Scenario]:
    from cadenza_conformance import ScenarioError, load_scenarios, select
    from cadenza_conformance.catalogue import LEVELS

    levels: list[Level] = [level for level in LEVELS if suite in (Suite.ALL, level)]
    try:
        return select(load_scenarios(levels), only or ())
    except ScenarioError as error:
        raise CommandError(
            f"{error}.".replace("..", "."),
            code="no_such_scenario",
            exit_code=ExitCode.USAGE,
            next_step="`cadenza conformance list` names them.",
        ) from None


def _factory(
    transport: Transport,
    adapter: Sequence[str] | None,
    adapter_url: str | None,
    port: int,
    kill_cmd: str | None,
    start_cmd: str | None,
) -> AdapterFactory:
    from cadenza_conformance.transports import exec_adapter, http_adapter, pull_adapter

    if transport is Transport.EXEC:
        if not adapter:
            raise CommandError(
                "There is no client to judge.",
                code="no_adapter",
                exit_code=ExitCode.USAGE,
                next_step="Give the adapter's command line after --.",
            )
        return exec_adapter(adapter)
    if transport is Transport.PULL:
        return pull_adapter(port=port, kill_command=kill_cmd, start_command=start_cmd)
    if adapter_url is None:
        raise CommandError(
            "--transport http needs --adapter-url.", code="no_adapter", exit_code=ExitCode.USAGE
        )
    return http_adapter(adapter_url, kill_command=kill_cmd, start_command=start_cmd)


def _read(path: Path, model: Any) -> Any:
    from pydantic import ValidationError

    try:
        return model.model_validate_json(path.read_text("utf-8"))
    except (ValidationError, UnicodeDecodeError):
        raise CommandError(
            f"{path} is not a {model.__name__.lower()} of this kit.",
            code="unreadable",
            exit_code=ExitCode.USAGE,
        ) from None


def _tell(run: Run, result: Result, *, in_full: bool = False) -> None:
    """One result as it comes; a bad one with its reasons and the trace."""
    verdict = run.out.paint(f"{result.verdict:<12}", _PAINTS[result.verdict])
    run.out.line(f"{verdict}  {result.level}/{result.scenario}  {result.reason}".rstrip())
    if result.verdict in ("PASS", "SKIP", "XFAIL") and not in_full:
        return
    told: dict[tuple[str, str], list[str]] = {}
    for finding in result.findings:
        told.setdefault((finding.clause, finding.expected), []).append(finding.seen)
    for (clause, expected), seen in told.items():
        more = f" (and {len(seen) - 1} more)" if len(seen) > 1 else ""
        run.out.line(f"    {clause}: expected {expected}; seen: {seen[0]}{more}")
    for line in result.trace[:_TRACE_LINES]:
        run.out.line(run.out.paint(f"      {line}", "dim"))
    if len(result.trace) > _TRACE_LINES:
        left = len(result.trace) - _TRACE_LINES
        run.out.line(run.out.paint(f"      … {left} more lines; --report keeps them", "dim"))


def _conclude(run: Run, report: Report, missing: Sequence[str]) -> None:
    summary = report.summary

    def human() -> None:
        run.out.line()
        run.out.line(
            f"{report.client} {report.version}: {summary.passed} passed, {summary.failed} failed, "
            f"{summary.inconclusive} inconclusive, {summary.skipped} skipped, "
            f"{summary.expected_failures} known to fail, "
            f"{summary.unexpected_passes} passed unexpectedly, in {report.seconds:.0f} s."
        )
        if missing:
            run.out.line(f"Required, but missing: {', '.join(missing)}.")

    bad = [r.scenario for r in report.results if r.verdict not in ("PASS", "SKIP", "XFAIL")]
    run.out.answer(report.model_dump(mode="json"), ids=bad, human=human)
