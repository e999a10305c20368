"""What the user waits for before anything happens: against importing typer alone."""

import sys
from functools import partial
from pathlib import Path

from benchmarks.figure import Pairs, Run, SkippedError, in_turn, seconds
from benchmarks.peers import output


def help_text(run: Run) -> Pairs:
    """Milliseconds of `cadenza --help`, and of a Python that imports typer and ends."""
    command = Path(sys.executable).with_name("cadenza")
    if not command.exists():
        raise SkippedError("the command `cadenza` is not installed beside this Python")
    pairs = in_turn(
        lambda: seconds(partial(output, [command, "--help"])),
        lambda: seconds(partial(output, [sys.executable, "-c", "import typer"])),
        pairs=run.many_pairs,
        warm_up=2,
    )
    return pairs.scaled(ours=1000, peer=1000)
