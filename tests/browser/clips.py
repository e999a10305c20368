"""Clips whose frames carry their number, so that a test can see which frame is on the screen."""

from __future__ import annotations

import math
from array import array
from fractions import Fraction
from pathlib import Path

import av

WIDTH, HEIGHT = 480, 270
BITS = 12
CELL = 40
_RATE = 48_000


def make_clip(path: Path, *, seconds: float = 12.0, fps: int = 30, codec: str = "libx264") -> Path:
    """Write an MP4 with sound in which frame n shows n in a row of light and dark cells.

    Args:
        path: where to.
        seconds: how long.
        fps: frames a second.
        codec: of the picture; `mpeg4` makes what browsers play without a picture.
    """
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream(codec, rate=fps)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if codec == "libx264":
            video.options = {"preset": "ultrafast", "crf": "20", "g": str(fps)}
        audio = container.add_stream("aac", rate=_RATE)
        for number in range(round(seconds * fps)):
            frame = _picture(number)
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(video.encode(frame))
        for start in range(0, round(seconds * _RATE), 1024):
            container.mux(audio.encode(_tone(start)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def _picture(number: int) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    luma, *chroma = frame.planes
    at = number * 4 % (WIDTH - CELL)  # something that moves, for the eye and for the encoder
    cells = b"".join(bytes([235 if number >> bit & 1 else 20]) * CELL for bit in range(BITS))
    block = bytearray([90]) * WIDTH
    block[at : at + CELL] = bytes([200]) * CELL
    plain = bytes([90]) * WIDTH
    pad = bytes(luma.line_size - WIDTH)
    rows = [cells] * CELL + [plain] * 80 + [bytes(block)] * 100 + [plain] * (HEIGHT - CELL - 180)
    luma.update(b"".join(row + pad for row in rows))
    for plane in chroma:
        plane.update(bytes([128]) * plane.buffer_size)
    return frame


def _tone(start: int) -> av.AudioFrame:
    frame = av.AudioFrame("s16", "mono", 1024)
    samples = array("h", (_sample(start + at) for at in range(1024)))
    frame.planes[0].update(samples.tobytes())
    frame.sample_rate, frame.pts, frame.time_base = _RATE, start, Fraction(1, _RATE)
    return frame


def _sample(at: int) -> int:
    """A tone of 250 Hz, every other half second loud: the waveform has a shape."""
    return round(math.sin(at / _RATE * 2 * math.pi * 250) * (6_000 + 10_000 * (at // 24_000 % 2)))


#: Reads the number of the frame a video element shows.
READ_FRAME = f"""video => {{
  const canvas = document.createElement("canvas");
  canvas.width = {WIDTH}; canvas.height = {HEIGHT};
  const context = canvas.getContext("2d", {{willReadFrequently: true}});
  context.drawImage(video, 0, 0, {WIDTH}, {HEIGHT});
  let number = 0;
  for (let bit = 0; bit < {BITS}; bit += 1) {{
    const [value] = context.getImageData(bit * {CELL} + {CELL // 2}, {CELL // 2}, 1, 1).data;
    if (value > 127) number += 2 ** bit;
  }}
  return number;
}}"""
