"""Real clips to measure with: H.264 and AAC at 720p, made once and kept in ``.cache/clips``."""

import os
import random
import struct
from fractions import Fraction
from pathlib import Path

import av

from benchmarks.figure import Run

_WIDTH, _HEIGHT, _FRAMES_PER_SECOND = 1280, 720, 30
_SAMPLES_PER_SECOND = 44_100
_FREE_BOX_HEAD_BYTES = 8


def full_take(run: Run) -> Path:
    """The largest take that is usual: 180 s, exactly 50 MB."""
    return _kept(run, seconds=180, size_bytes=50_000_000)


def short_take(run: Run) -> Path:
    """A take of 4 s and exactly 1 MB."""
    return _kept(run, seconds=4, size_bytes=1_000_000)


def variant(clip: Path, destination: Path, number: int) -> Path:
    """A copy that differs in its last bytes only: the same video, another sha256."""
    data = bytearray(clip.read_bytes())
    data[-8:] = struct.pack(">Q", number)  # inside the padding box
    destination.write_bytes(data)
    return destination


def _kept(run: Run, *, seconds: int, size_bytes: int) -> Path:
    clip = run.cache / "clips" / f"{seconds}s-{size_bytes}.mp4"
    if not clip.exists():
        clip.parent.mkdir(parents=True, exist_ok=True)
        part = clip.with_suffix(f".{os.getpid()}")
        _encode(part, seconds, bits_per_second=int(size_bytes * 8 * 0.93 / seconds))
        _pad(part, size_bytes)
        part.rename(clip)
    return clip


def _encode(path: Path, seconds: int, *, bits_per_second: int) -> None:
    """Grainy pictures that move: the encoder must spend its bits, as on a real practice room."""
    grain = random.Random(1)
    pictures = [_picture(grain, shift) for shift in range(8)]
    options = {"preset": "ultrafast", "maxrate": str(bits_per_second), "bufsize": "4000000"}
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=_FRAMES_PER_SECOND, options=options)
        video.width, video.height, video.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        video.bit_rate = bits_per_second - 64_000
        audio = container.add_stream("aac", rate=_SAMPLES_PER_SECOND, layout="mono")
        audio.bit_rate = 64_000
        for number in range(seconds * _FRAMES_PER_SECOND):
            picture = pictures[number % len(pictures)]
            picture.pts, picture.time_base = number, Fraction(1, _FRAMES_PER_SECOND)
            container.mux(video.encode(picture))
            if number % _FRAMES_PER_SECOND == 0:
                container.mux(audio.encode(_sound(grain, number // _FRAMES_PER_SECOND)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _picture(grain: random.Random, shift: int) -> av.VideoFrame:
    frame = av.VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
    noise = grain.randbytes(frame.planes[0].buffer_size)
    stripes = bytes((column // 40 + shift) % 2 * 96 + 64 for column in range(256))
    frame.planes[0].update(noise.translate(bytes(value // 12 + 100 for value in range(256))))
    for plane, colour in zip(frame.planes[1:], (0, 128), strict=True):
        line = stripes[colour:] + stripes[:colour]
        plane.update((line * (plane.buffer_size // len(line) + 1))[: plane.buffer_size])
    return frame


def _sound(grain: random.Random, second: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=_SAMPLES_PER_SECOND)
    frame.sample_rate = _SAMPLES_PER_SECOND
    frame.pts, frame.time_base = second * _SAMPLES_PER_SECOND, Fraction(1, _SAMPLES_PER_SECOND)
    quiet = [grain.randrange(-3000, 3000) for _ in range(_SAMPLES_PER_SECOND)]
    data = struct.pack(f"<{len(quiet)}h", *quiet)
    plane = frame.planes[0]
    plane.update(data + bytes(plane.buffer_size - len(data)))
    return frame


def _pad(path: Path, size_bytes: int) -> None:
    """Bring an MP4 to an exact size with a ``free`` box, which every reader passes over."""
    missing = size_bytes - path.stat().st_size
    if missing < 2 * _FREE_BOX_HEAD_BYTES:
        raise RuntimeError(f"the clip came out {-missing} bytes too large to be padded")
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", missing, b"free") + bytes(missing - _FREE_BOX_HEAD_BYTES))
