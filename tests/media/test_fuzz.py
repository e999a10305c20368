"""Mutated files against the real probe process: no crash of ours, no hang, no false acceptance.

The dice are seeded, so a failure names the number that repeats it.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cadenza_uploader._media import (
    Inspection,
    MediaError,
    MediaFacts,
    ProbeTimeoutError,
    check_limits,
    inspect_many,
)
from cadenza_uploader._media._isolation import Budget, Child
from tests.media.cases import Clips

SEEDS = (
    "small.mp4",
    "moov_at_end.mp4",
    "fragmented.mp4",
    "quicktime.mov",
    "hevc.mp4",
    "webm_named.mp4",
    "matroska_live.mkv",
    "avi.avi",
    "stream.ts",
    "edit_trim.mp4",
    "dur_181.mp4",
)
# Numbers that overflow, underflow or mean "to the end".
INTERESTING = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HEADER_BYTES = 4000
CPU_SECONDS = 2

Mutation = Callable[[bytearray, random.Random], None]


def flip_bits(content: bytearray, dice: random.Random) -> None:
    for _ in range(dice.randint(1, 8)):
        content[_somewhere(content, dice)] ^= 1 << dice.randrange(8)


def random_bytes(content: bytearray, dice: random.Random) -> None:
    at = _somewhere(content, dice)
    length = dice.randint(1, 16)
    content[at : at + length] = dice.randbytes(length)


def interesting_number(content: bytearray, dice: random.Random) -> None:
    at = _somewhere(content, dice)
    content[at : at + 4] = dice.choice(INTERESTING).to_bytes(4, "big")


def cut_end(content: bytearray, dice: random.Random) -> None:
    del content[dice.randrange(len(content)) :]


def cut_out(content: bytearray, dice: random.Random) -> None:
    at = _somewhere(content, dice)
    del content[at : at + dice.randint(1, 64)]


def double(content: bytearray, dice: random.Random) -> None:
    at = _somewhere(content, dice)
    content[at:at] = content[at : at + dice.randint(1, 64)]


def zero_page(content: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(content)) & ~0xFFF
    length = len(content[at : at + 4096])
    content[at : at + length] = bytes(length)


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    random_bytes,
    interesting_number,
    interesting_number,
    cut_end,
    cut_out,
    double,
    zero_page,
)


def _somewhere(content: bytearray, dice: random.Random) -> int:
    """Mostly in a header: at the beginning, or where the index lies at the end."""
    size = len(content)
    if dice.random() < 0.7:
        return dice.randrange(min(size, HEADER_BYTES))
    if dice.random() < 0.5:
        return size - 1 - dice.randrange(min(size, HEADER_BYTES))
    return dice.randrange(size)


def mutated(original: bytes, number: int) -> bytes:
    dice = random.Random(number)
    content = bytearray(original)
    for _ in range(dice.randint(1, 3)):
        if content:
            dice.choice(MUTATIONS)(content, dice)
    return bytes(content)


def start(*args: Any, **kwargs: Any) -> Child:
    return Child(*args, **{**kwargs, "budget": Budget(cpu_seconds=CPU_SECONDS)})


def run(clips: Clips, folder: Path, numbers: range) -> Counter[str]:
    originals = [clips[name].read_bytes() for name in SEEDS]
    found: Counter[str] = Counter()
    for first in range(numbers.start, numbers.stop, 32):
        batch = range(first, min(first + 32, numbers.stop))
        paths = []
        for number in batch:
            path = folder / f"{number}.mp4"
            path.write_bytes(mutated(originals[number % len(SEEDS)], number))
            paths.append(path)
        began = time.monotonic()
        answers = inspect_many(paths, start=start, timeout_seconds=10)
        # Every file of the batch may use its processor seconds and no more.
        assert time.monotonic() - began < len(batch) * (CPU_SECONDS + 8)
        for number, path, answer in zip(batch, paths, answers, strict=True):
            if isinstance(answer, Inspection):
                assert_sound(answer.facts, number)
                found["accepted" if not check_limits(answer.facts) else "outside"] += 1
            else:
                assert isinstance(answer, MediaError), number
                found[type(answer).__name__] += 1
            path.unlink()
    return found


def assert_sound(facts: MediaFacts, number: int) -> None:
    assert facts.width > 0, number
    assert facts.height > 0, number
    assert facts.duration_ms >= 0, number
    assert facts.size_bytes > 0, number
    assert facts.rotation in (0, 90, 180, 270), number
    if not check_limits(facts):
        assert facts.duration_seconds <= 180, number
        assert max(facts.width, facts.height) <= 1280, number


def test_hundreds_of_mutations(clips: Clips, tmp_path: Path) -> None:
    found = run(clips, tmp_path, range(330))

    assert found.total() == 330
    # The mutations bite, and not every one of them.
    assert found["accepted"] > 20
    assert found["DamagedMediaError"] > 20
    assert found[ProbeTimeoutError.__name__] < 10


@pytest.mark.full
def test_thousands_of_mutations(clips: Clips, tmp_path: Path) -> None:
    found = run(clips, tmp_path, range(10_000, 16_000))

    print(dict(found))
    assert found.total() == 6_000
    assert found["ProbeUnavailableError"] == 0
