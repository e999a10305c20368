"""The sound of a synthetic take: a soft tone with an audible beat. Plain arithmetic."""

from __future__ import annotations

import math
from array import array

SAMPLE_RATE = 48_000
BEATS_PER_BAR = 4
_BEAT_SAMPLES = SAMPLE_RATE
_TONE_LEVEL = 0.16
_CLICK_LEVEL = 0.55
_CLICK_SECONDS = 0.06
_CLICK_HZ = (1_760.0, 1_174.7)  # the first beat of a bar, the others
_FADE_SECONDS = 0.02
_FULL = 32_767


class Tone:
    """Sixteen-bit mono samples: a tone that swells with each beat, and a click on it.

    Args:
        tone_hz: Pitch of the tone; 0 leaves only the click.
    """

    def __init__(self, tone_hz: float) -> None:
        if not 0 <= tone_hz < SAMPLE_RATE / 2:
            raise ValueError(f"a tone of {tone_hz:g} Hz cannot be recorded")
        # A whole number of periods per second makes each beat alike, so one bar is computed once.
        self._tone_hz = round(tone_hz)
        self._bar = self._compute_bar()

    def samples(self, start: int, count: int) -> bytes:
        """`count` samples from sample `start` on."""
        out = bytearray()
        bar = self._bar
        while count > 0:
            begin = start % (len(bar) // 2)
            piece = bar[2 * begin : 2 * (begin + count)]
            out += piece
            start += len(piece) // 2
            count -= len(piece) // 2
        return bytes(out)

    def _compute_bar(self) -> bytes:
        tone = [self._tone_at(number / SAMPLE_RATE) for number in range(_BEAT_SAMPLES)]
        bar = array("h")
        for beat in range(BEATS_PER_BAR):
            click_hz = _CLICK_HZ[0] if beat == 0 else _CLICK_HZ[1]
            clicks = int(_CLICK_SECONDS * SAMPLE_RATE)
            samples = [
                level + _click_at(number / SAMPLE_RATE, click_hz)
                for number, level in enumerate(tone[:clicks])
            ]
            bar.extend(round(_FULL * level) for level in samples)
            bar.extend(round(_FULL * level) for level in tone[clicks:])
        return bar.tobytes()

    def _tone_at(self, seconds: float) -> float:
        fade = min(1.0, seconds / _FADE_SECONDS, (1.0 - seconds) / _FADE_SECONDS)
        swell = 0.45 + 0.55 * math.exp(-3.0 * seconds)
        return _TONE_LEVEL * fade * swell * math.sin(2 * math.pi * self._tone_hz * seconds)


def _click_at(seconds: float, hertz: float) -> float:
    return _CLICK_LEVEL * math.exp(-seconds * 70) * math.sin(2 * math.pi * hertz * seconds)
