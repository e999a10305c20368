"""The child process: takes its limits, makes what it is asked for, tells each thing when done.

Its answer is lines of JSON: `{"kind", "facts", "file"?}` for what is made, `{"kind", "error"}` for
what can't be, `{"probe": …}` for the facts of the video.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

#: More than any video of ours needs (measured: 250 MB for encoding 720p); a bomb needs more.
MEMORY_BYTES = 3 << 30
CPU_SECONDS = 1200
FILE_BYTES = 512 << 20
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_DIE_WITH_PARENT = 1


def main(order: str) -> None:
    """Do what the order says.

    Args:
        order: JSON: `source`, `directory`, `kinds`.
    """
    limit()
    given = json.loads(order)
    work(Path(given["source"]), Path(given["directory"]), given["kinds"])


def limit() -> None:
    """Give up memory, time, files and the network, and step back behind whoever serves."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS does not take all of them
            resource.setrlimit(what, (most, most))
    with suppress(OSError):
        os.nice(10)
    with suppress(OSError, AttributeError):  # Linux: a server that is killed takes it along
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, int(signal.SIGKILL))
    # A network of its own, with nothing in it. Where the kernel does not allow it, FFmpeg's
    # protocol whitelist is what keeps it from the network.
    with suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None).unshare
        if unshare(_NEW_NET) != 0:
            unshare(_NEW_USER | _NEW_NET)


def work(source: Path, directory: Path, kinds: list[str]) -> None:
    """Make the kinds, the MP4 first: the others are made of it."""
    from cadenza_server.derivatives.normalise import normalise
    from cadenza_server.derivatives.opening import UnusableError, read_facts
    from cadenza_server.derivatives.sound import make_sound
    from cadenza_server.derivatives.storyboard import make_storyboard

    left = list(kinds)
    try:
        facts = read_facts(source)
        if "normalise" in left:
            made = directory / "normalised.mp4"
            normalise(source, made, facts)
            source, facts = made, read_facts(made)
            left.remove("normalise")
            _tell(kind="normalise", facts={"size_bytes": made.stat().st_size}, file=made.name)
        _tell(probe=facts.wire)
        if "waveform" in left or "loudness" in left:
            wave, loudness = make_sound(source, directory / "waveform.json", facts)
            file = "waveform.json" if wave["has_audio"] else None
            for kind, found, name in (("waveform", wave, file), ("loudness", loudness, None)):
                if kind in left:
                    left.remove(kind)
                    _tell(kind=kind, facts=found, file=name)
        if "storyboard" in left:
            board = make_storyboard(source, directory / "storyboard.jpg", facts)
            left.remove("storyboard")
            _tell(kind="storyboard", facts=board, file="storyboard.jpg")
    except UnusableError as error:
        for kind in left:
            _tell(kind=kind, error=str(error))


def _tell(**record: Any) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()
