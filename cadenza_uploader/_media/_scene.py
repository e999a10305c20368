"""The picture of a synthetic take: a metronome, a staff with a moving note, and a timer.

Drawn with Pillow, because PyAV's FFmpeg has no `drawtext`. What does not move is drawn once;
each frame pastes a pendulum, a few digits and one note over it, which costs under a millisecond.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# (the stubs of PyAV and Pillow are partial)
from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from ._picture import FPS, HEIGHT, WIDTH

BEATS_PER_SECOND = 1

_PAPER = (247, 242, 230)
_INK = (43, 38, 52)
_ACCENT = (196, 72, 54)
_WOOD = (140, 88, 52)
_FAINT = (201, 193, 176)
_QUIET = (140, 130, 116)
_SCALE = 2  # everything is drawn twice as large and reduced: smooth edges

# Left, upper, right, lower of what moves.
_PENDULUM_BOX = (90, 60, 450, 430)
_TIMER_AT = (560, 130)
_DIGIT = (92, 170)
_STAFF_TOP, _STAFF_STEP = 520, 26
_NOTES_FROM, _NOTES_STEP = 190, 130
_NOTE_BOX = (-48, -110, 48, 34)
# One octave up and back to the fifth, as steps above the lowest line.
_MELODY = (-2, -1, 0, 1, 2, 3, 4, 5)
_SWING_DEGREES = 26

Scene = Callable[[int], bytes]
"""(frame number) → 1280×720 packed RGB."""


def scene(pattern: str) -> Scene:
    """The painter of one pattern.

    Args:
        pattern: ``clock`` (metronome, staff, timer), ``bars`` (colour bars and timer), ``noise``
            (incompressible, for takes near the size limit, with a timer) or ``black``.

    Raises:
        ValueError: There is no such pattern.
    """
    if pattern == "clock":
        return Clock().paint
    if pattern == "bars":
        return _timed(_bars())
    if pattern == "noise":
        return _noise()
    if pattern == "black":
        black = bytes(3 * WIDTH * HEIGHT)
        return lambda _number: black
    raise ValueError(f"unknown pattern {pattern!r}: clock, bars, noise or black")


class Clock:
    """The metronome scene. Frames are asked for in any order."""

    def __init__(self) -> None:
        self._still = _draw_still()
        self._canvas = self._still.copy()
        self._last_note: int | None = None
        self._pendulums: dict[int, Image.Image] = {}

    def paint(self, number: int) -> bytes:
        """The picture of frame `number`."""
        seconds = number / FPS
        self._canvas.paste(self._pendulum(number), _PENDULUM_BOX[:2])
        self._paint_note(int(seconds * BEATS_PER_SECOND) % len(_MELODY))
        paint_timer(self._canvas, seconds)
        return self._canvas.tobytes()

    def _pendulum(self, number: int) -> Image.Image:
        # To the left and back takes two beats; both halves pass the same places.
        phase = (number * BEATS_PER_SECOND / FPS) % 2
        degrees = round(_SWING_DEGREES * math.cos(math.pi * phase) * 4)
        if degrees not in self._pendulums:
            self._pendulums[degrees] = _draw_pendulum(self._still, degrees / 4)
        return self._pendulums[degrees]

    def _paint_note(self, note: int) -> None:
        if note == self._last_note:
            return
        if self._last_note is not None:
            left, upper, right, lower = _note_box(self._last_note)
            self._canvas.paste(self._still.crop((left, upper, right, lower)), (left, upper))
        left, upper, right, lower = _note_box(note)
        played = self._still.crop((left, upper, right, lower))
        _draw_note(played, note, _ACCENT, (left, upper))
        self._canvas.paste(played, (left, upper))
        self._last_note = note


def paint_timer(canvas: Image.Image, seconds: float) -> None:
    """Write minutes, seconds and tenths, each digit in its own place."""
    tenths = int(seconds * 10 + 1e-6)
    text = f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
    left, upper = _TIMER_AT
    for character in text:
        glyph = _glyph(character)
        canvas.paste(glyph, (left, upper))
        left += glyph.width


@lru_cache(maxsize=16)
def _glyph(character: str) -> Image.Image:
    width, height = _DIGIT
    if character in ":.":
        width = width // 2
    glyph = Image.new("RGB", (width, height), _PAPER)
    font = ImageFont.load_default(size=150)
    ImageDraw.Draw(glyph).text(
        (width / 2, height / 2 + 4), character, font=font, fill=_INK, anchor="mm"
    )
    return glyph


def _draw_still() -> Image.Image:
    large = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _PAPER)
    draw = ImageDraw.Draw(large)

    def points(*pairs: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * _SCALE, y * _SCALE) for x, y in pairs]

    # The metronome's body, behind its pendulum.
    draw.polygon(points((215, 90), (325, 90), (390, 440), (150, 440)), fill=_WOOD)
    draw.polygon(points((232, 110), (308, 110), (352, 385), (188, 385)), fill=(236, 214, 178))
    draw.rectangle(points((140, 436), (400, 452)), fill=_INK)
    for tick in range(7):
        y = 150 + tick * 30
        draw.line(points((258, y), (282, y)), fill=_INK, width=2 * _SCALE)
    # The staff, with a bar line every four notes.
    for line in range(5):
        y = _STAFF_TOP + line * _STAFF_STEP
        draw.line(points((90, y), (1190, y)), fill=_INK, width=2 * _SCALE)
    for x in (90, 90 + 45 + 4 * _NOTES_STEP, 1190):
        draw.line(
            points((x, _STAFF_TOP), (x, _STAFF_TOP + 4 * _STAFF_STEP)), fill=_INK, width=3 * _SCALE
        )
    small = large.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    for note in range(len(_MELODY)):
        _draw_note(small, note, _FAINT, (0, 0))
    writing = ImageDraw.Draw(small)
    font = ImageFont.load_default(size=34)
    writing.text((564, 76), "Cadenza synthetic take", font=font, fill=_WOOD)
    writing.text((564, 312), "one beat each second, no camera involved", font=font, fill=_QUIET)
    return small


def _draw_pendulum(still: Image.Image, degrees: float) -> Image.Image:
    left, upper, right, lower = _PENDULUM_BOX
    size = ((right - left) * _SCALE, (lower - upper) * _SCALE)
    large = still.crop(_PENDULUM_BOX).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    foot = ((270 - left) * _SCALE, (375 - upper) * _SCALE)
    angle = math.radians(degrees)
    length = 300 * _SCALE

    def along(part: float) -> tuple[float, float]:
        return (
            foot[0] + math.sin(angle) * length * part,
            foot[1] - math.cos(angle) * length * part,
        )

    draw.line([foot, along(1.0)], fill=_INK, width=6 * _SCALE)
    x, y = along(0.72)
    radius = 24 * _SCALE
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_ACCENT)
    draw.ellipse((foot[0] - 20, foot[1] - 20, foot[0] + 20, foot[1] + 20), fill=_INK)
    return large.resize((right - left, lower - upper), Image.Resampling.LANCZOS)


def _note_centre(note: int) -> tuple[int, int]:
    lowest_line = _STAFF_TOP + 4 * _STAFF_STEP
    x = _NOTES_FROM + note * _NOTES_STEP
    return x, lowest_line - _MELODY[note] * _STAFF_STEP // 2


def _note_box(note: int) -> tuple[int, int, int, int]:
    x, y = _note_centre(note)
    return x + _NOTE_BOX[0], y + _NOTE_BOX[1], x + _NOTE_BOX[2], min(HEIGHT, y + _NOTE_BOX[3])


def _draw_note(
    canvas: Image.Image, note: int, colour: tuple[int, int, int], origin: tuple[int, int]
) -> None:
    """A quarter note with its ledger line, on a canvas whose corner is at `origin`."""
    x, y = _note_centre(note)
    x, y = x - origin[0], y - origin[1]
    left, upper, right, lower = x + _NOTE_BOX[0], y + _NOTE_BOX[1], x + _NOTE_BOX[2], y + 34
    box = (max(0, left), max(0, upper), min(canvas.width, right), min(canvas.height, lower))
    size = ((box[2] - box[0]) * _SCALE, (box[3] - box[1]) * _SCALE)
    large = canvas.crop(box).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    cx, cy = (x - box[0]) * _SCALE, (y - box[1]) * _SCALE
    if _MELODY[note] == -2:
        draw.line([(cx - 56, cy), (cx + 56, cy)], fill=_INK, width=2 * _SCALE)
    draw.line([(cx + 29, cy - 4), (cx + 29, cy - 168)], fill=colour, width=3 * _SCALE)
    draw.ellipse((cx - 33, cy - 24, cx + 33, cy + 24), fill=colour)
    canvas.paste(large.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.LANCZOS), box)


def _bars() -> Image.Image:
    colours = ("white", "yellow", "cyan", "lime", "magenta", "red", "blue", "black")
    picture = Image.new("RGB", (WIDTH, HEIGHT), "black")
    draw = ImageDraw.Draw(picture)
    step = WIDTH / len(colours)
    for number, colour in enumerate(colours):
        draw.rectangle((number * step, 0, (number + 1) * step, HEIGHT), fill=colour)
    return picture


def _timed(picture: Image.Image) -> Scene:
    def paint(number: int) -> bytes:
        paint_timer(picture, number / FPS)
        return picture.tobytes()

    return paint


def _noise() -> Scene:
    size = 3 * WIDTH * HEIGHT
    grains = random.Random(7).randbytes(size + 65536)  # noqa: S311 - a picture, not a secret

    def paint(number: int) -> bytes:
        start = (number * 7919) % 65536
        picture = Image.frombytes("RGB", (WIDTH, HEIGHT), grains[start : start + size])
        paint_timer(picture, number / FPS)
        return picture.tobytes()

    return paint
