"""A camera and a microphone through FFmpeg's device formats.

Each device is read by a thread of its own into one queue, so that a slow camera never makes the
sound stutter. ``lavfi:`` sources are accepted too: that is how this is tested without a camera.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.error import FFmpegError

from ._errors import CameraError

if TYPE_CHECKING:
    from collections.abc import Generator

    from av.audio.frame import AudioFrame
    from av.container import InputContainer
    from av.video.frame import VideoFrame

# format:device of the camera and of the microphone, by platform.
_DEFAULTS = {
    "linux": ("v4l2:/dev/video0", "alsa:default"),
    "darwin": ("avfoundation:default:none", "avfoundation:none:default"),
}
DEVICE_FORMATS = ("v4l2", "alsa", "avfoundation", "x11grab", "lavfi")
# Asked for first; a camera that cannot is opened as it is.
_WISHES = {
    "v4l2": {"video_size": "1280x720", "framerate": "30"},
    "avfoundation": {"video_size": "1280x720", "framerate": "30"},
}
_ALSA_CONFIG = Path("/usr/share/alsa/alsa.conf")
_OPEN_SECONDS, _READ_SECONDS = 10.0, 5.0
_QUEUED_FRAMES = 120

Captured = tuple["VideoFrame | AudioFrame", Fraction]
"""A frame and its time in seconds since the recording began."""


@contextmanager
def captured(
    camera: str,
    microphone: str | None,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> Generator[Iterator[Captured]]:
    """Frames of a camera, and of a microphone unless None, in order of arrival.

    Args:
        camera: ``default``, a device such as ``/dev/video2``, or ``format:device``.
        microphone: The same for sound.
        monotonic: The clock the two are aligned by.

    Raises:
        CameraError: There is no such device, or it is busy or not allowed.
    """
    with ExitStack() as stack:
        devices = [stack.enter_context(_device(camera, "camera"))]
        if microphone is not None:
            devices.append(stack.enter_context(_device(microphone, "microphone")))
        arrivals: queue.Queue[Captured | BaseException | None] = queue.Queue(_QUEUED_FRAMES)
        stopped = threading.Event()
        began = monotonic()
        threads = [
            threading.Thread(
                target=_pump, args=(device, arrivals, stopped, began, monotonic), daemon=True
            )
            for device in devices
        ]
        for thread in threads:
            thread.start()
        try:
            yield _drain(arrivals)
        finally:
            stopped.set()
            for thread in threads:
                thread.join()


def _drain(arrivals: queue.Queue[Captured | BaseException | None]) -> Iterator[Captured]:
    while True:
        arrived = arrivals.get()
        if arrived is None:
            return
        if isinstance(arrived, BaseException):
            raise arrived
        yield arrived


def _pump(
    device: InputContainer,
    arrivals: queue.Queue[Captured | BaseException | None],
    stopped: threading.Event,
    began: float,
    monotonic: Callable[[], float],
) -> None:
    last: Captured | BaseException | None = None
    # A device has one stream.
    kind = {"video": 0} if device.streams.video else {"audio": 0}
    offset: Fraction | None = None
    try:
        frames = cast("Iterator[VideoFrame | AudioFrame]", device.decode(**kind))
        for frame in frames:
            stamp = Fraction(frame.pts or 0) * (frame.time_base or Fraction(1))
            if offset is None:
                # The first frame of each device is placed when it came; the rest by its clock.
                offset = Fraction(max(0.0, monotonic() - began)).limit_denominator(10**6) - stamp
            if not _put(arrivals, (frame, stamp + offset), stopped):
                return
    except FFmpegError as error:
        last = CameraError(
            "camera_lost", "The camera or microphone stopped answering.", measured=error.strerror
        )
    _put(arrivals, last, stopped)


def _put(
    arrivals: queue.Queue[Captured | BaseException | None],
    item: Captured | BaseException | None,
    stopped: threading.Event,
) -> bool:
    while not stopped.is_set():
        try:
            arrivals.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


@contextmanager
def _device(name: str, what: str) -> Generator[InputContainer]:
    fmt, device = split_device(name, what)
    if fmt == "alsa" and _ALSA_CONFIG.exists():
        # The wheel's libasound looks into world-writable /tmp otherwise (85-media §1).
        os.environ.setdefault("ALSA_CONFIG_PATH", str(_ALSA_CONFIG))
    with _open_device(fmt, device, what) as container:
        yield container


def _open_device(fmt: str, device: str, what: str) -> InputContainer:
    wishes = _WISHES.get(fmt, {}) if what == "camera" else {}
    problem: FFmpegError | ValueError
    try:
        return _open(fmt, device, wishes)
    except (FFmpegError, ValueError):
        try:
            return _open(fmt, device, {})
        except (FFmpegError, ValueError) as error:
            problem = error
    help_with_sound = " Or record without sound." if what == "microphone" else ""
    raise CameraError(
        f"no_{what}",
        f"The {what} {device!r} cannot be opened: is it plugged in, not used by another program, "
        f"and allowed?{help_with_sound}",
        measured=getattr(problem, "strerror", None) or type(problem).__name__,
    ) from problem


def _open(fmt: str, device: str, wishes: dict[str, str]) -> InputContainer:
    timeout = (_OPEN_SECONDS, _READ_SECONDS)
    return av.open(device, "r", format=fmt, options=wishes, timeout=timeout)


def split_device(name: str, what: str, platform: str = sys.platform) -> tuple[str, str]:
    """The FFmpeg format and the device of a name such as ``v4l2:/dev/video0``.

    Raises:
        CameraError: This platform has no default, or the format is no device format.
    """
    if name == "default":
        if platform not in _DEFAULTS:
            raise CameraError(f"no_{what}", f"There is no default {what} on this system: name one.")
        name = _DEFAULTS[platform][0 if what == "camera" else 1]
    if name.startswith("/dev/video"):
        return "v4l2", name
    fmt, colon, device = name.partition(":")
    if not colon or not device or fmt not in DEVICE_FORMATS:
        raise CameraError(
            f"no_{what}",
            f"{name!r} is no {what}: write default, /dev/video0 or format:device "
            f"({', '.join(DEVICE_FORMATS)}).",
        )
    return fmt, device
