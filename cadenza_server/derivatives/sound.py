"""The waveform, and how loud it is (EBU R128). One pass over the sound, in the child."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from math import ceil, log10
from pathlib import Path
from typing import Any

from av import AudioFrame, AudioResampler
from av.filter import Graph

from cadenza_server.derivatives.opening import Facts, decoded, opened

MAX_PEAKS = 1000
_MIN_INTERVAL_MS = 20
_RATE = 16_000
_R128_RATE = 48_000
_FULL = 32_768
#: Quieter than this is silence: a room without music is at about -60 dB.
_SILENCE = 10 ** (-50 / 20)
_R128 = "lavfi.r128."


def make_sound(
    path: Path, destination: Path, facts: Facts
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the waveform's JSON.

    Returns:
        The facts of the waveform, and of the loudness. Without sound both say so.
    """
    if facts.audio_codec is None:
        return {"has_audio": False}, {"has_audio": False}
    interval_ms = max(_MIN_INTERVAL_MS, ceil(facts.duration_ms / MAX_PEAKS))
    wave = _Wave(interval_ms, ceil(facts.duration_ms / interval_ms))
    meter = _Meter()
    narrow = AudioResampler(format="s16", layout="mono", rate=_RATE)
    wide = AudioResampler(format="s16", layout="stereo", rate=_R128_RATE)
    for frame, moment in _frames(path, facts):
        wave.at(moment)
        for part in narrow.resample(frame):
            wave.add(_samples(part))
        frame.pts = None
        for part in wide.resample(frame):
            meter.add(part)
    peaks = [round(min(1.0, peak / _FULL), 3) for peak in wave.peaks]
    destination.write_text(json.dumps({"peaks": peaks, "interval_ms": interval_ms}))
    quiet = sum(peak < _SILENCE for peak in peaks) / max(1, len(peaks))
    loudness = {"has_audio": True, **meter.facts(), "silent_share": round(quiet, 3)}
    return {"has_audio": True, "interval_ms": interval_ms, "count": len(peaks)}, loudness


def _frames(path: Path, facts: Facts) -> Iterator[tuple[AudioFrame, float]]:
    """Decoded sound, and when it is heard, in seconds from the start."""
    with opened(path) as container:
        stream = container.streams.audio[0]
        for frame in decoded(container, stream):
            if frame.pts is not None and stream.time_base is not None:
                yield frame, float(frame.pts * stream.time_base) - facts.origin


class _Wave:
    """The highest sample of each interval; where there is no sound, none."""

    def __init__(self, interval_ms: int, count: int) -> None:
        self.peaks = [0] * max(1, count)
        self._per_interval = _RATE * interval_ms // 1000
        self._position = 0

    def at(self, seconds: float) -> None:
        """Skip a gap; small differences are rounding, and followed only by counting."""
        position = round(seconds * _RATE)
        if abs(position - self._position) > _RATE // 20:
            self._position = max(0, position)

    def add(self, samples: array[int]) -> None:
        start = 0
        while start < len(samples):
            index, inside = divmod(self._position, self._per_interval)
            part = samples[start : start + self._per_interval - inside]
            if index < len(self.peaks):
                self.peaks[index] = max(self.peaks[index], max(part), -min(part))
            start += len(part)
            self._position += len(part)


class _Meter:
    """FFmpeg's ebur128 filter."""

    def __init__(self) -> None:
        self._graph = Graph()
        source = self._graph.add_abuffer(
            sample_rate=_R128_RATE, format="s16", layout="stereo", channels=2
        )
        meter = self._graph.add("ebur128", "metadata=1:peak=true")
        self._sink = self._graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(self._sink)
        self._graph.configure()
        self._position = 0
        self._told: dict[str, str] = {}
        self._peak = 0.0

    def add(self, frame: AudioFrame) -> None:
        frame.pts = self._position
        self._position += frame.samples
        self._graph.push(frame)
        self._pull()

    def _pull(self) -> None:
        while True:
            try:
                metadata = self._sink.pull().metadata
            except (BlockingIOError, EOFError):
                return
            self._told = metadata or self._told
            self._peak = max(self._peak, float(self._told.get(f"{_R128}true_peak", 0) or 0))

    def facts(self) -> dict[str, float | None]:
        """Integrated loudness, its range, and the true peak; None for what is too short."""
        self._graph.push(None)
        self._pull()
        integrated = self._told.get(f"{_R128}I")
        spread = self._told.get(f"{_R128}LRA")
        return {
            "integrated_lufs": round(float(integrated), 1) if integrated else None,
            "range_lu": round(float(spread), 1) if spread else None,
            "peak_db": round(20 * log10(self._peak), 1) if self._peak > 0 else None,
        }


def _samples(frame: AudioFrame) -> array[int]:
    samples = array("h")
    samples.frombytes(bytes(frame.planes[0])[: frame.samples * 2])
    return samples
