"""From an exception to the `Answer` the classification table reads. Nothing is decided here."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass

from cadenza_client import errors
from cadenza_uploader._classify import Answer, Party, Step
from cadenza_uploader._spool import ChangedFileError, UnsafePathError

#: This process or this device is short of something for the moment; the file is fine (P14).
_SHORT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR})

#: What a code looks like; a server's other words do not get into the history (I10).
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

#: Everything a step may raise that is about the world and not about our own code.
WORLD = (errors.CadenzaError, OSError, UnsafePathError, ChangedFileError)


@dataclass(frozen=True, slots=True)
class Fault:
    """One step's failure, ready for the table, the history and a person.

    Attributes:
        answer: what the table reads.
        sentence: for people; holds no URL, token or header (SEC-02).
        request_id: of the server or the store, when it gave one.
        retry_after_seconds: the server's wish.
        may_have_arrived: whether the request may have taken effect although no answer came.
        is_transport: whether the network, rather than a server, is in doubt.
    """

    answer: Answer
    sentence: str
    request_id: str | None = None
    retry_after_seconds: float | None = None
    may_have_arrived: bool = False
    is_transport: bool = False


def fault_from(error: BaseException, step: Step, party: Party) -> Fault:
    """Describe what one step raised.

    Args:
        error: one of `WORLD`.
        step: the step that raised it.
        party: who was asked in this step.
    """
    sentence = str(error)
    match error:
        case errors.CertificateError():
            return _silent(step, party, "certificate", sentence)
        case errors.ConnectFailedError():
            code = "offline" if party == "api" else "unreachable"
            return _silent(step, party, code, sentence)
        case errors.TransportError():
            code = "timeout" if isinstance(error, errors.RequestTimeoutError) else "lost"
            return Fault(
                Answer(party, step, code=code),
                sentence,
                may_have_arrived=error.sent != "nothing",
                is_transport=True,
            )
        case errors.ResponseError():
            code = "portal" if error.captive_portal else "malformed"
            return Fault(Answer(party, step, code=code), sentence, may_have_arrived=True)
        case errors.APIError():
            return Fault(
                Answer("api", step, status=error.status_code, code=_word(error.code)),
                sentence,
                request_id=error.request_id,
                retry_after_seconds=error.retry_after_seconds,
                # A gateway that gave up says nothing of what the server did (S03).
                may_have_arrived=error.status_code >= 500,
            )
        case errors.StorageError():
            return Fault(
                Answer("storage", step, status=error.status_code, code=_word(error.s3_code)),
                sentence,
                request_id=error.request_id,
                retry_after_seconds=error.retry_after_seconds,
            )
        case errors.FileChangedError() | ChangedFileError():
            return Fault(Answer("local", step, code="local_file_changed"), sentence)
        case errors.UnsafeUploadUrlError():
            return Fault(Answer("local", step, code="unsafe_upload_url"), sentence)
        case UnsafePathError():
            return Fault(Answer("local", step, code="unsafe_path"), sentence)
        case FileNotFoundError():
            lost = "The recording is no longer where the queue put it."
            return Fault(Answer("local", step, code="local_file_missing"), lost)
        case OSError():
            # Without the name: it says nothing to a person, and it is in every OSError's text.
            reason = error.strerror or type(error).__name__
            code = "device_busy" if error.errno in _SHORT_OF else "file_unreadable"
            return Fault(
                Answer("local", step, code=code), f"The recording cannot be read ({reason})."
            )
        case errors.ConfigError():
            return Fault(Answer("local", step, code="unusable_sign_in"), sentence)
        case _:
            return Fault(Answer(party, step, code="malformed"), sentence)


def _word(code: str | None) -> str | None:
    return code if code is not None and _CODE.fullmatch(code) else None


def _silent(step: Step, party: Party, code: str, sentence: str) -> Fault:
    return Fault(Answer(party, step, code=code), sentence, is_transport=True)
