"""From coded pixels to what a player shows."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._media._orientation import (
    Orientation,
    display_size,
    fit_inside,
    orientation_of,
    usable_aspect,
)


def matrix(a: float, b: float, c: float, d: float) -> bytes:
    one = 1 << 16
    return struct.pack(
        "=9i", round(a * one), round(b * one), 0, round(c * one), round(d * one), 0, 0, 0, 1 << 30
    )


@pytest.mark.parametrize(
    ("signs", "turns", "mirrored"),
    [
        ((1, 0, 0, 1), 0, False),
        ((0, 1, -1, 0), 1, False),
        ((-1, 0, 0, -1), 2, False),
        ((0, -1, 1, 0), 3, False),
        ((-1, 0, 0, 1), 0, True),
        ((0, 1, 1, 0), 3, True),
        ((1, 0, 0, -1), 2, True),
        ((0, -1, -1, 0), 1, True),
    ],
)
def test_the_eight_ways_to_hold_a_phone(
    signs: tuple[int, int, int, int], turns: int, mirrored: bool
) -> None:
    orientation = orientation_of(matrix(*signs))

    assert orientation == Orientation(turns, mirrored, exact=True)
    assert orientation.rotation == turns * 90
    assert orientation.swaps_sides == (turns in (1, 3))


@given(st.integers(-360, 360), st.booleans(), st.floats(0.3, 30))
def test_other_angles_go_to_the_nearest_quarter(degrees: int, mirrored: bool, scale: float) -> None:
    angle = math.radians(degrees)
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    values = (-a, -b, -b, a) if mirrored else (a, b, -b, a)

    orientation = orientation_of(matrix(*values))

    away = abs((degrees - orientation.rotation + 180) % 360 - 180)
    assert away <= 45
    assert orientation.mirrored == mirrored
    if away != 1:  # the border of "exact" itself depends on rounding
        assert orientation.exact == (away < 1)


@pytest.mark.parametrize("data", [None, b"", bytes(20), bytes(36)])
def test_missing_short_or_empty_matrix_means_upright(data: bytes | None) -> None:
    assert orientation_of(data) == Orientation()


@pytest.mark.parametrize(
    ("stated", "usable"),
    [
        (None, Fraction(1)),
        (Fraction(0), Fraction(1)),
        (Fraction(64, 45), Fraction(64, 45)),
        (Fraction(4), Fraction(4)),
        (Fraction(1, 255), None),
        (Fraction(5), None),
    ],
)
def test_impossible_pixel_shapes_are_ignored(
    stated: Fraction | None, usable: Fraction | None
) -> None:
    assert usable_aspect(stated) == usable


def test_shown_size_has_pixel_shape_first_and_rotation_last() -> None:
    upright, quarter = Orientation(), Orientation(1)

    assert display_size(960, 720, Fraction(4, 3), upright) == (1280, 720)
    assert display_size(960, 720, Fraction(4, 3), quarter) == (720, 1280)
    assert display_size(1, 1, Fraction(1, 4), upright) == (1, 1)


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((1280, 720), (1280, 720)),
        ((640, 360), (640, 360)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((1280, 960), (960, 720)),
        ((1680, 720), (1280, 549)),
        ((10_000, 1), (1280, 1)),
    ],
)
def test_fitting_keeps_the_shape_and_never_enlarges(
    size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert fit_inside(size, 1280, 720) == fitted


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_fitted_size_is_within_the_limits(width: int, height: int) -> None:
    fitted = fit_inside((width, height), 1280, 720)

    assert max(fitted) <= 1280
    assert 1 <= min(fitted) <= 720
