"""A figure: two things measured in turn, their ratio, and the aim it is held against."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class SkippedError(Exception):
    """A figure cannot be measured here; the text says which peer or part is missing."""


@dataclass(frozen=True)
class Aim:
    """The bound a ratio (or a difference, or our own value) is held against."""

    sense: Literal["≥", "≤"]
    bound: float
    unit: str = "×"

    def holds(self, value: float) -> bool:
        """Whether the value is on the right side of the bound, the bound itself included."""
        return value >= self.bound if self.sense == "≥" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sense} {self.bound:g}{'' if self.unit == '×' else ' '}{self.unit}"


@dataclass(frozen=True)
class Run:
    """What a measurement may use: a scratch folder, a folder that survives, how often to repeat."""

    folder: Path
    cache: Path
    quick: bool = False

    @property
    def pairs(self) -> int:
        """How many pairs a figure is the median of."""
        return 1 if self.quick else 7

    @property
    def some_pairs(self) -> int:
        """The same for what takes about a second."""
        return 1 if self.quick else 15

    @property
    def many_pairs(self) -> int:
        """The same for what takes milliseconds, where a moment's disturbance weighs more."""
        return 1 if self.quick else 31

    def size(self, full_bytes: int) -> int:
        """The size to measure with: a tenth in a quick run, which only shows that it works."""
        return full_bytes // 10 if self.quick else full_bytes


@dataclass(frozen=True)
class Pairs:
    """Values of ours and of the peer, taken in turn; the same unit throughout."""

    values: tuple[tuple[float, float], ...]

    @property
    def ours(self) -> float:
        """The median of our values."""
        return statistics.median(ours for ours, _ in self.values)

    @property
    def peer(self) -> float:
        """The median of the peer's values."""
        return statistics.median(peer for _, peer in self.values)

    @property
    def ratio(self) -> float:
        """The median of the ratios within the pairs.

        A machine that slows down in mid-run slows both halves of a pair, so this holds still where
        the ratio of the two medians would wander.
        """
        return statistics.median(ours / peer for ours, peer in self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio within a pair."""
        ratios = [ours / peer for ours, peer in self.values]
        return min(ratios), max(ratios)

    def rate(self, amount: float) -> "Pairs":
        """Turn seconds into ``amount`` a second."""
        return Pairs(tuple((amount / ours, amount / peer) for ours, peer in self.values))

    def scaled(self, *, ours: float = 1.0, peer: float = 1.0) -> "Pairs":
        """Multiply each side, to change a unit or to divide by a number of items."""
        return Pairs(tuple((a * ours, b * peer) for a, b in self.values))


Measurement = Callable[[Run], Pairs]


@dataclass(frozen=True)
class Benchmark:
    """One figure to measure: what is compared, in which unit, against which aim."""

    name: str
    ours: str
    peer: str
    unit: str
    aim: Aim
    measure: Measurement
    note: str = ""
    difference: bool = False  # judge ours minus peer, in the unit, instead of the ratio
    absolute: bool = False  # judge ours alone, in the unit: what a person waits for

    def figure(self, pairs: Pairs) -> "Figure":
        """The figure that these values make."""
        value = pairs.ratio
        if self.difference:
            value = pairs.ours - pairs.peer
        elif self.absolute:
            value = pairs.ours
        return Figure(
            benchmark=self,
            ours=pairs.ours,
            peer=pairs.peer,
            ratio=pairs.ratio,
            spread=pairs.spread,
            pairs=len(pairs.values),
            holds=self.aim.holds(value),
            note=f"difference {value:z.1f} {self.unit}" if self.difference else self.note,
        )

    def missing(self, note: str, *, holds: bool | None) -> "Figure":
        """The figure when there are no values: skipped (``holds`` None) or broken (False)."""
        return Figure(benchmark=self, holds=holds, note=note)


@dataclass(frozen=True)
class Figure:
    """A benchmark's outcome. ``holds`` is None when it was skipped: neither a pass nor a miss."""

    benchmark: Benchmark
    holds: bool | None
    note: str
    ours: float | None = None
    peer: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    pairs: int = 0

    def as_json(self) -> dict[str, object]:
        """The figure as one JSON object."""
        return {
            "name": self.benchmark.name,
            "ours": self.ours,
            "ours_is": self.benchmark.ours,
            "peer": self.peer,
            "peer_is": self.benchmark.peer,
            "unit": self.benchmark.unit,
            "ratio": self.ratio,
            "spread": self.spread,
            "pairs": self.pairs,
            "aim": str(self.benchmark.aim),
            "holds": self.holds,
            "note": self.note,
        }


def in_turn(
    ours: Callable[[], float], peer: Callable[[], float], *, pairs: int, warm_up: int = 1
) -> Pairs:
    """Call both in turn (A B A B …) and keep what they return, the warm-up rounds left out."""
    values = [(ours(), peer()) for _ in range(warm_up + pairs)]
    return Pairs(tuple(values[warm_up:]))


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes on the wall clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
