"""Look at files safely: the public face of the probe process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from ._errors import MediaError, ProbeCrashedError, ProbeTimeoutError
from ._facts import Inspection, MediaFacts, MediaWarning, facts_from_wire
from ._isolation import Budget, Child, nonsense
from ._limits import MediaLimits, advice
from ._source import examine, opened

# So many files share a process; then a fresh one takes over (85-media §5.1: heaps grow).
FILES_PER_PROCESS = 32

StartChild = Callable[..., Child]


def inspect(
    path: str | os.PathLike[str],
    *,
    thumbnail: bool = True,
    sound_check: bool = True,
    timeout_seconds: float = 15.0,
    limits: MediaLimits | None = None,
) -> Inspection:
    """Measure one file in a process of its own (SEC-22).

    The limits only colour the warnings here; `check_limits` decides.

    Args:
        path: Any file name; it is opened, never parsed.
        thumbnail: Also make a JPEG of at most 480 pixels, and look for an all-black picture.
        sound_check: Also listen for silence and distortion.
        timeout_seconds: Wall time, after which the process is killed.
        limits: What the warnings compare with.

    Raises:
        MediaError: It cannot become a take; the class and `code` say why.
    """
    (answer,) = inspect_many(
        [path],
        thumbnail=thumbnail,
        sound_check=sound_check,
        timeout_seconds=timeout_seconds,
        limits=limits,
    )
    if isinstance(answer, MediaError):
        raise answer
    return answer


def inspect_many(
    paths: Iterable[str | os.PathLike[str]],
    *,
    thumbnail: bool = True,
    sound_check: bool = True,
    timeout_seconds: float = 15.0,
    limits: MediaLimits | None = None,
    start: StartChild = Child,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[Inspection | MediaError]:
    """Measure many files, sharing processes among them.

    Each file has the time and processor budget of `inspect` for itself. One that kills its
    process costs only itself: the rest go to a fresh one.

    Returns:
        One answer for each path, in the same order.
    """
    everything = list(paths)
    batch = _Batch(thumbnail, sound_check, timeout_seconds, start, monotonic)
    answers: list[Inspection | MediaError] = []
    for first in range(0, len(everything), FILES_PER_PROCESS):
        answers += batch.run(everything[first : first + FILES_PER_PROCESS])
    limits = limits or MediaLimits()
    return [each if isinstance(each, MediaError) else _advised(each, limits) for each in answers]


def _advised(inspection: Inspection, limits: MediaLimits) -> Inspection:
    facts = inspection.facts
    return replace(inspection, facts=facts.warned(*advice(facts, limits)))


class _Batch:
    """One run over some files, with as many processes as it takes."""

    def __init__(
        self,
        thumbnail: bool,
        sound_check: bool,
        timeout_seconds: float,
        start: StartChild,
        monotonic: Callable[[], float],
    ) -> None:
        self._order = {"job": "inspect", "thumbnail": thumbnail, "sound_check": sound_check}
        self._thumbnail = thumbnail
        self._timeout_seconds = timeout_seconds
        self._start = start
        self._monotonic = monotonic

    def run(self, paths: Sequence[str | os.PathLike[str]]) -> list[Inspection | MediaError]:
        answers: list[Inspection | MediaError | None] = [None] * len(paths)
        with ExitStack() as stack:
            waiting: list[tuple[int, int]] = []  # (which path, its descriptor)
            for number, path in enumerate(paths):
                try:
                    fd = stack.enter_context(opened(path))
                    # What is no video at all is told without a process.
                    examine(fd)
                except MediaError as error:
                    answers[number] = error
                else:
                    waiting.append((number, fd))
            while waiting:
                waiting = self._one_process(waiting, answers)
        return [each for each in answers if each is not None]

    def _one_process(
        self, waiting: list[tuple[int, int]], answers: list[Inspection | MediaError | None]
    ) -> list[tuple[int, int]]:
        """Fill in what one process answers; returns what is left when it had to be ended."""
        fds = [fd for _, fd in waiting]
        order = {**self._order, "fds": fds, "seal": True}
        try:
            child = self._start(order, fds=fds, budget=Budget(), jobs=len(fds))
        except MediaError as error:
            for number, _ in waiting:
                answers[number] = error
            return []
        with child:
            for done, (number, _) in enumerate(waiting, start=1):
                answers[number], alive = self._one_file(child)
                if not alive:
                    return waiting[done:]
        return []

    def _one_file(self, child: Child) -> tuple[Inspection | MediaError, bool]:
        """The answer about one file, and whether the process can go on."""
        deadline = self._monotonic() + self._timeout_seconds
        try:
            facts = _facts_of(child.record(deadline))
        except MediaError as error:
            return error, not _is_fatal(error)
        try:
            more = child.record(deadline)
            jpeg = child.data(int(more["jpeg_bytes"]), deadline)
            facts = facts.warned(*(MediaWarning(*each) for each in more["warnings"]))
        except (MediaError, KeyError, TypeError, ValueError):
            # The facts stand; a thumbnail never fails a take (M07).
            lost = MediaWarning("no_thumbnail", "No preview picture could be made.")
            return Inspection(facts.warned(lost) if self._thumbnail else facts), False
        return Inspection(facts, jpeg or None), True


def _facts_of(record: dict[str, Any]) -> MediaFacts:
    try:
        return facts_from_wire(record["facts"])
    except (KeyError, TypeError) as error:
        raise nonsense() from error


def _is_fatal(error: MediaError) -> bool:
    """Whether the process itself is lost, and not just the file refused."""
    return isinstance(error, ProbeTimeoutError | ProbeCrashedError)
