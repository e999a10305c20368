"""Looking into a take: against ffprobe."""

from collections.abc import Callable
from functools import partial

from benchmarks.clips import full_take
from benchmarks.figure import Pairs, Run, in_turn, seconds
from benchmarks.peers import output, program

_BATCH = 20


def in_process(run: Run) -> Pairs:
    """Milliseconds of a probe in this process, and of an ffprobe process."""
    from cadenza_uploader._media import probe_in_process

    clip = full_take(run)
    return _against_ffprobe(run, lambda: seconds(lambda: probe_in_process(clip)))


def isolated(run: Run) -> Pairs:
    """Milliseconds of a probe in a fresh child with limits, and of an ffprobe process."""
    from cadenza_uploader._media import inspect

    clip = full_take(run)
    look = partial(inspect, clip, thumbnail=False, sound_check=False)
    return _against_ffprobe(run, lambda: seconds(look))


def batch(run: Run) -> Pairs:
    """Milliseconds a file when one child with limits probes many, and of an ffprobe process."""
    from cadenza_uploader._media import inspect_many

    clips = [full_take(run)] * _BATCH
    look = partial(inspect_many, clips, thumbnail=False, sound_check=False)
    return _against_ffprobe(run, lambda: seconds(look) / _BATCH)


def _against_ffprobe(run: Run, ours: Callable[[], float]) -> Pairs:
    ffprobe = program("ffprobe", package="ffmpeg")
    command = [ffprobe, "-v", "error", "-of", "json", "-show_format", "-show_streams"]
    ask = partial(output, [*command, full_take(run)])
    pairs = in_turn(ours, lambda: seconds(ask), pairs=run.many_pairs, warm_up=2)
    return pairs.scaled(ours=1000, peer=1000)
