"""Measure and print: ``python -m benchmarks [--json PATH] [--only NAME…] [--quick]``."""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from benchmarks.figure import Benchmark, Figure, Run, SkippedError
from benchmarks.suite import BENCHMARKS

CACHE = Path(__file__).resolve().parent.parent / ".cache"
_HEADINGS = ("figure", "ours", "peer", "unit", "ratio", "aim", "holds", "note")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks asked for.

    Returns:
        0 when every figure that could be measured holds, 1 when one misses its aim or breaks.
    """
    names = ", ".join(each.name for each in BENCHMARKS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Cadenza's speed as ratios against peers, both measured in turn.",
        epilog=f"figures: {names}",
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="also keep the figures here")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these, or NAME-* of them")
    parser.add_argument("--quick", action="store_true", help="one small pair each: does it run?")
    options = parser.parse_args(arguments)
    chosen = [each for each in BENCHMARKS if _wanted(each.name, options.only)]
    if not chosen:
        parser.error(f"no figure has such a name; there are {names}")

    load = os.getloadavg()[0]  # before we add to it
    # Servers are stopped by leaving their contexts; a plain SIGTERM would leave no context at all.
    signal.signal(signal.SIGTERM, _leave)
    # A program that is installed has its bytecode; without it a start would measure the compiler.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures = []
    # Not in the system's folder for temporary files: in memory, nothing that is synced costs time.
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=CACHE) as folder:
        for number, each in enumerate(chosen, 1):
            print(f"[{number}/{len(chosen)}] {each.name} ... ", end="", file=sys.stderr, flush=True)
            own = Path(folder) / each.name
            own.mkdir()
            figures.append(measure(each, Run(folder=own, cache=CACHE, quick=options.quick)))
            print(progress(figures[-1]), file=sys.stderr, flush=True)
    print(table(figures))
    print(summary(figures, quick=options.quick, load=load))
    if options.json:
        report = {**_circumstances(options.quick, load), "figures": _as_json(figures)}
        options.json.write_text(json.dumps(report, indent=2))
    return 1 if any(figure.holds is False for figure in figures) else 0


def measure(benchmark: Benchmark, run: Run) -> Figure:
    """Measure one figure. A missing peer is a skip; anything else that goes wrong is a miss."""
    try:
        return benchmark.figure(benchmark.measure(run))
    except SkippedError as reason:
        return benchmark.missing(f"skipped: {reason}", holds=None)
    except Exception as error:  # noqa: BLE001 - one broken figure must not lose the other ones
        traceback.print_exc()
        return benchmark.missing(f"broken: {type(error).__name__}: {error}"[:160], holds=False)


def progress(figure: Figure) -> str:
    """What is told at once of a figure, so that a run that is cut short was not for nothing."""
    if figure.ratio is None or figure.spread is None:
        return figure.note
    low, high = figure.spread
    return f"{figure.ratio:.2f} ({low:.2f} to {high:.2f}), aim {figure.benchmark.aim}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table that reads well in a terminal and is Markdown as it stands."""
    rows = [_HEADINGS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def summary(figures: Sequence[Figure], *, quick: bool, load: float) -> str:
    """One line that counts, and says what the counts are worth.

    Args:
        figures: what was measured.
        quick: whether it was only tried.
        load: how many processes wanted to run before the first measurement.
    """
    outcomes = [figure.holds for figure in figures]
    text = (
        f"{outcomes.count(True)} hold, {outcomes.count(False)} do not, "
        f"{outcomes.count(None)} skipped."
    )
    if quick:
        text += " A quick run only shows that they can be measured."
    elif load > (os.cpu_count() or 1) / 2:
        text += f" Other work was running (load {load:.1f}): measure again when it is quiet."
    return text


def _row(figure: Figure) -> tuple[str, ...]:
    benchmark = figure.benchmark
    return (
        benchmark.name,
        f"{_number(figure.ours)} {benchmark.ours}".strip(),
        f"{_number(figure.peer)} {benchmark.peer}".strip(),
        benchmark.unit,
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        str(benchmark.aim),
        {True: "yes", False: "NO", None: "skipped"}[figure.holds],
        figure.note.replace("|", "/").replace("\n", " "),
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _as_json(figures: Sequence[Figure]) -> list[dict[str, object]]:
    return [figure.as_json() for figure in figures]


def _wanted(name: str, only: Sequence[str] | None) -> bool:
    return not only or any(name == each or name.startswith(f"{each}-") for each in only)


def _circumstances(quick: bool, load: float) -> dict[str, object]:
    return {
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "quick": quick,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load_before": round(load, 2),
    }


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
