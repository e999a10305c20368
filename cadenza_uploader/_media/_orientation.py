"""From coded pixels to what a player shows: pixel shape, mirror, quarter turns."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

# Shapes outside this range are typing errors of a muxer, not lenses (seen: 1:255).
_MIN_ASPECT, _MAX_ASPECT = Fraction(1, 4), Fraction(4)
_ONE_DEGREE = 1.0


@dataclass(frozen=True, slots=True)
class Orientation:
    """Mirror left to right first, then turn clockwise by quarters."""

    quarter_turns: int = 0
    mirrored: bool = False
    exact: bool = True

    @property
    def rotation(self) -> int:
        """Degrees clockwise."""
        return self.quarter_turns * 90

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.quarter_turns % 2 == 1


_UPRIGHT = Orientation()


def orientation_of(display_matrix: bytes | None) -> Orientation:
    """Read a display matrix (nine native 32-bit numbers), or none at all.

    An angle that is no quarter turn is rounded to the nearest one, with `exact` False.
    """
    if display_matrix is None or len(display_matrix) < 36:
        return _UPRIGHT
    # Row vectors: (x, y) becomes (a·x + c·y, b·x + d·y), with y pointing down.
    a, b, _, c, d = struct.unpack_from("=5i", display_matrix)
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    clockwise_degrees = math.degrees(math.atan2(b, a))
    quarters = round(clockwise_degrees / 90)
    return Orientation(
        quarter_turns=quarters % 4,
        mirrored=mirrored,
        exact=abs(clockwise_degrees - 90 * quarters) <= _ONE_DEGREE,
    )


def usable_aspect(aspect: Fraction | None) -> Fraction | None:
    """A sample aspect ratio to apply (1 when unset), or None when it is absurd."""
    if not aspect:
        return Fraction(1)
    return aspect if _MIN_ASPECT <= aspect <= _MAX_ASPECT else None


def display_size(
    width: int, height: int, aspect: Fraction, orientation: Orientation
) -> tuple[int, int]:
    """Width and height as a player shows them."""
    shown = (max(1, round(width * aspect)), height)
    return (shown[1], shown[0]) if orientation.swaps_sides else shown


def fit_inside(size: Sequence[int], long_side: int, short_side: int) -> tuple[int, int]:
    """The largest size of the same shape within the limits; never enlarged."""
    width, height = size
    scale = min(1.0, long_side / max(size), short_side / min(size))
    return max(1, round(width * scale)), max(1, round(height * scale))
