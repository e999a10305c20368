"""Which fault is played on which request: the first live match wins, every use is counted."""

from __future__ import annotations

import random

from cadenza_conformance._binding import operations
from cadenza_conformance._server._world import World
from cadenza_conformance.scenario import Do, On

NO_FAULT = Do()


def choose(
    world: World, op: str, n: int, nth_of_recording: int, recording: str | None
) -> int | None:
    """The index of the rule to play on this request, or None; its use is counted."""
    for index, rule in enumerate(world.scenario.script):
        if rule.times is not None and world.rule_uses[index] >= rule.times:
            continue
        if _matches(rule.on, op, n, nth_of_recording, recording):
            world.rule_uses[index] += 1
            return index
    return None


def _matches(on: On, op: str, n: int, nth_of_recording: int, recording: str | None) -> bool:
    if not _is_about(on.op, op):
        return False
    if on.recording is not None and on.recording != recording:
        return False
    count = n if on.recording is None else nth_of_recording
    if on.nth is not None and count != on.nth:
        return False
    if on.after is not None and count <= on.after:
        return False
    if on.every is not None and count % on.every:
        return False
    if on.probability is not None:
        # Chance that is the same in every run, whatever the order of arrival.
        draw = random.Random(f"{on.seed}:{op}:{n}").random()  # noqa: S311 - a repeatable fault
        return draw < on.probability
    return True


def _is_about(pattern: str, op: str) -> bool:
    if pattern == "any" or pattern == op:
        return True
    operation = operations().get(op)
    if operation is None:
        return False
    return (pattern, operation.role) in {("any_api", "api"), ("any_storage", "storage")}
