"""What can be wrong with a file before any limit is looked at.

    MediaError
      UnreadableFileError     it cannot be opened: missing, no permission, not a regular file
      NotAVideoError          empty, a picture, a sound, a text, a playlist, no video track
      NotFinalisedError       the recorder has not written the index yet (or died before it did)
      DamagedMediaError       the media are cut short, zeroed, or cannot be decoded
      UnsupportedMediaError   a video that cannot be looked into: encrypted, no decoder, absurd size
      ProbeTimeoutError       the probe used up its time or processor budget
      ProbeCrashedError       the probe process died; the file is treated as unreadable (M05)
      ProbeUnavailableError   no probe process can be started at all on this machine right now
      CannotFitError          ``fit`` cannot help: too long (nothing is ever cut, B-43)
      FitCancelledError       the caller's ``cancel`` said stop
      CameraError             no camera, or it cannot be opened

`retryable` is a fact of the class: may the same file be accepted later without a change by hand?
"""

from __future__ import annotations

from typing import ClassVar


class MediaError(Exception):
    """A file that cannot become a take, with a sentence for the person who recorded it.

    Args:
        code: A stable word for programs, such as ``damaged``.
        sentence: What is wrong and what helps, in the user's words, without any path.
        measured: What was seen (a size, a kind of file), or None.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, code: str, sentence: str, *, measured: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.measured = measured

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.code, self.sentence, self.measured)


class UnreadableFileError(MediaError):
    """The file is missing, may not be read, fails to be read, or is no regular file."""


class NotAVideoError(MediaError):
    """The first bytes, or the tracks, say that this is something else (M01)."""


class NotFinalisedError(MediaError):
    """An MP4 without its index: it may still be being written (M02)."""

    retryable: ClassVar[bool] = True


class DamagedMediaError(MediaError):
    """A video whose media are cut short, zeroed or undecodable."""


class UnsupportedMediaError(MediaError):
    """A video that nothing here can look into: encrypted, no decoder, absurd dimensions."""


class ProbeTimeoutError(MediaError):
    """The probe used up its wall or processor time (M03, M06); never means accepted.

    Retryable, for a machine that sleeps or is overloaded looks the same as a hostile file.
    """

    retryable: ClassVar[bool] = True


class ProbeCrashedError(MediaError):
    """The probe process was ended by a signal or did not answer properly (M05)."""


class ProbeUnavailableError(MediaError):
    """The probe process could not be started; it says nothing about the file."""

    retryable: ClassVar[bool] = True


class CannotFitError(MediaError):
    """`fit` cannot make an acceptable copy of this file."""


class FitCancelledError(MediaError):
    """`fit` was stopped by its caller; no copy was left behind."""


class CameraError(MediaError):
    """There is no camera of that name, or it could not be opened."""


def _rebuild(kind: type[MediaError], code: str, sentence: str, measured: str | None) -> MediaError:
    return kind(code, sentence, measured=measured)


def error_kinds() -> dict[str, type[MediaError]]:
    """The errors above by class name: the probe process names them on its wire."""
    kinds: list[type[MediaError]] = [MediaError, *MediaError.__subclasses__()]
    return {kind.__name__: kind for kind in kinds}
