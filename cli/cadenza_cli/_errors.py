"""What each known error means at a terminal: an exit code and the next step.

One table, looked up by the class's name along its line of descent, so that nothing of the
client or the uploader is imported before it is needed. The sentence is the error's own: it
carries the measured value and the limit, and never a token or a signed address (SEC-02).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

__all__ = ["TABLE", "Advice", "CommandError", "ExitCode", "Explained", "explain_error"]


class ExitCode(IntEnum):
    """The command's exit codes (20-product-and-api §2.9), the same for every command."""

    #: Done.
    OK = 0
    #: It did not work; the sentence says why.
    FAILURE = 1
    #: The command line or a setting cannot be used; nothing was done.
    USAGE = 2
    #: `cadenza login` first; whatever was queued is safe.
    SIGN_IN = 3
    #: The file is outside the limits; nothing of it was queued.
    LIMITS = 4
    #: No network; what was queued is safe and is sent later.
    OFFLINE = 5
    #: The server said no, or cannot answer.
    SERVER = 6
    #: Another uploader owns the queue (EX_TEMPFAIL, so that service managers retry).
    BUSY = 75
    #: Ctrl-C.
    INTERRUPTED = 130


class CommandError(Exception):
    """A failure the command found by itself.

    Attributes:
        code: stable machine-readable word.
        exit_code: what the process ends with.
        next_step: what the user can do, as a sentence.
    """

    def __init__(
        self,
        sentence: str,
        *,
        code: str = "failed",
        exit_code: ExitCode = ExitCode.FAILURE,
        next_step: str | None = None,
    ) -> None:
        self.code = code
        self.exit_code = exit_code
        self.next_step = next_step
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Advice:
    """One row of the table: how the process ends and what the user does next."""

    exit_code: ExitCode
    next_step: str | None = None


_LOGIN = "Sign in with `cadenza login`."
_DOCTOR = "`cadenza doctor` looks for the cause."
_LATER = "Try again in a minute; `cadenza doctor` looks for the cause."
_LIST_TAKES = "`cadenza queue ls` lists the takes and their ids."
_REPORT = "This is a bug in Cadenza or in the server. Run it again with --debug and report it."

#: class name → advice. The nearest name along the class's line of descent decides.
TABLE: Mapping[str, Advice] = {
    # cadenza_client.errors: no answer
    "CadenzaError": Advice(ExitCode.FAILURE, _DOCTOR),
    "ConfigError": Advice(ExitCode.USAGE, "Check --url and CADENZA_URL."),
    "TransportError": Advice(ExitCode.OFFLINE, f"Check the network. {_DOCTOR}"),
    "ConnectFailedError": Advice(ExitCode.OFFLINE, f"Check the network and --url. {_DOCTOR}"),
    "CertificateError": Advice(
        ExitCode.FAILURE,
        "Check this machine's date and any proxy in between; certificates are always verified.",
    ),
    "RequestTimeoutError": Advice(ExitCode.OFFLINE, _LATER),
    "ConnectionLostError": Advice(ExitCode.OFFLINE, _LATER),
    "ResponseError": Advice(
        ExitCode.SERVER, "Check that --url is a Cadenza server and not a Wi-Fi sign-in page."
    ),
    "CancelledUploadError": Advice(ExitCode.FAILURE, "Start it again when you are ready."),
    # cadenza_client.errors: the API answered
    "APIError": Advice(ExitCode.SERVER, _LATER),
    "AuthenticationError": Advice(ExitCode.SIGN_IN, _LOGIN),
    "PermissionDeniedError": Advice(
        ExitCode.SERVER, "`cadenza whoami` shows which account is signed in."
    ),
    "FeatureDisabledError": Advice(ExitCode.SERVER, "Ask whoever runs the server to enable it."),
    "QuotaExceededError": Advice(
        ExitCode.SERVER, "Ask whoever runs the server for room, or delete old submissions."
    ),
    "NotFoundError": Advice(ExitCode.SERVER, "`cadenza submissions ls` lists what is there."),
    "ContextNotFoundError": Advice(ExitCode.SERVER, "`cadenza pieces ls` lists the pieces."),
    "GoneError": Advice(ExitCode.SERVER, "It was deleted; it cannot be brought back from here."),
    "ConflictError": Advice(ExitCode.SERVER, "Look at its state with `cadenza submissions show`."),
    "IdConflictError": Advice(ExitCode.SERVER, _REPORT),
    "AlreadyUploadedError": Advice(ExitCode.SERVER, "Nothing more is needed."),
    "NotUploadedYetError": Advice(
        ExitCode.SERVER, "The video is still on its way from the student's device."
    ),
    "SizeMismatchError": Advice(ExitCode.SERVER, "It will be sent again."),
    "ChecksumMismatchError": Advice(ExitCode.SERVER, "It will be sent again."),
    "AlreadyReviewedError": Advice(
        ExitCode.SERVER, "Ask the teacher to reopen it: `cadenza review ID --undo`."
    ),
    "TooLargeError": Advice(ExitCode.LIMITS, "Make a smaller copy with `cadenza upload --fit`."),
    "UnsupportedMediaError": Advice(
        ExitCode.LIMITS, "Make an H.264 copy with `cadenza upload --fit`."
    ),
    "ValidationError": Advice(ExitCode.SERVER, "Correct the value and run the command again."),
    "HeldError": Advice(ExitCode.SERVER, "It is on hold; whoever set the hold can release it."),
    "RateLimitError": Advice(ExitCode.SERVER, "Wait, then run the command again."),
    "ServerError": Advice(ExitCode.SERVER, _LATER),
    "StorageUnavailableError": Advice(ExitCode.SERVER, _LATER),
    # cadenza_client.errors: the object store answered
    "StorageError": Advice(ExitCode.SERVER, _LATER),
    "UploadUrlExpiredError": Advice(ExitCode.SERVER, "Run the command again for a fresh address."),
    "ObjectExistsError": Advice(ExitCode.SERVER, "Nothing more is needed."),
    "ChecksumRefusedError": Advice(ExitCode.SERVER, "It will be sent again."),
    "StorageRejectedError": Advice(ExitCode.SERVER, _REPORT),
    "StorageBusyError": Advice(ExitCode.SERVER, _LATER),
    # cadenza_client.errors: found before anything was sent
    "FileChangedError": Advice(ExitCode.FAILURE, "Send it again once nothing writes to it."),
    "UnsafeUploadUrlError": Advice(
        ExitCode.SERVER,
        "If the host is yours, name it in CADENZA_STORAGE_HOSTS; otherwise tell whoever runs it.",
    ),
    "WebhookVerificationError": Advice(ExitCode.FAILURE, "Believe nothing of that post."),
    # cadenza_uploader.errors
    "UploaderError": Advice(ExitCode.FAILURE, _DOCTOR),
    "TakeRefusedError": Advice(ExitCode.LIMITS, "`cadenza upload --help` lists the limits."),
    "NotATakeError": Advice(ExitCode.LIMITS, "Send an MP4 or QuickTime video."),
    "NotFinishedError": Advice(ExitCode.FAILURE, "Wait until the recorder has closed the file."),
    "SpoolFullError": Advice(
        ExitCode.FAILURE, "Free some disk space; `cadenza queue gc` shows what Cadenza can give up."
    ),
    "SourceChangedError": Advice(ExitCode.FAILURE, "Send it again once nothing writes to it."),
    "TakeNotFoundError": Advice(ExitCode.FAILURE, _LIST_TAKES),
    "AmbiguousTakeError": Advice(ExitCode.FAILURE, f"Give more of the id. {_LIST_TAKES}"),
    "IllegalStepError": Advice(ExitCode.FAILURE, "`cadenza explain TAKE` says where it stands."),
    "StaleLeaseError": Advice(ExitCode.FAILURE, "`cadenza explain TAKE` says where it stands."),
    "QueueBusyError": Advice(
        ExitCode.BUSY, "`cadenza daemon status` shows it, `cadenza daemon stop` ends it."
    ),
    "QueueDamagedError": Advice(
        ExitCode.FAILURE,
        "`cadenza queue rebuild` writes it anew from the recordings; none is lost.",
    ),
    "QueueUnavailableError": Advice(
        ExitCode.FAILURE, "Free some disk space or make the directory writable, then try again."
    ),
    "QueueTooNewError": Advice(ExitCode.FAILURE, "Update Cadenza on this machine."),
    "CredentialsError": Advice(ExitCode.SIGN_IN, _LOGIN),
    "FitFailedError": Advice(
        ExitCode.FAILURE, "The original is untouched; make the copy with another program."
    ),
    # recording, and settings
    "MediaError": Advice(ExitCode.FAILURE, _DOCTOR),
    "CameraError": Advice(
        ExitCode.FAILURE, "Name another --camera, or leave it out for a made recording."
    ),
    "SettingsError": Advice(
        ExitCode.USAGE, "Correct the CADENZA_* variable or the line in config.toml."
    ),
}

#: API codes whose 422 means "outside the limits" rather than "malformed".
_LIMIT_CODES = frozenset({"duration_out_of_range", "resolution_exceeded", "too_large"})


@dataclass(frozen=True, slots=True)
class Explained:
    """A known error, ready to be shown."""

    code: str
    sentence: str
    next_step: str | None
    exit_code: ExitCode
    request_id: str | None = None

    def document(self) -> dict[str, Any]:
        """What `--json` shows: code, sentence, next, exit_code, request_id."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            "next": self.next_step,
            "exit_code": int(self.exit_code),
            "request_id": self.request_id,
        }


def explain_error(error: BaseException) -> Explained | None:
    """Look the error up; None when it is not one we know, and so a bug."""
    if isinstance(error, CommandError):
        return Explained(error.code, str(error), error.next_step, error.exit_code)
    if isinstance(error, OSError):
        return _explain_system(error)
    advice = _advice(type(error))
    if advice is None:
        return None
    code = str(getattr(error, "code", None) or _snake(type(error).__name__))
    exit_code = ExitCode.LIMITS if code in _LIMIT_CODES else advice.exit_code
    if getattr(error, "captive_portal", False):
        exit_code = ExitCode.OFFLINE
    request_id: str | None = getattr(error, "request_id", None)
    return Explained(code, str(error), advice.next_step, exit_code, request_id)


def _advice(kind: type[BaseException]) -> Advice | None:
    for ancestor in kind.__mro__:
        if ancestor.__module__.startswith("cadenza_") and ancestor.__name__ in TABLE:
            return TABLE[ancestor.__name__]
    return None


def _explain_system(error: OSError) -> Explained:
    # An OSError without a file name has nothing but its errno to say.
    where = f"{error.filename}: " if error.filename else ""
    return Explained(
        "system_error",
        f"{where}{error.strerror or error}.",
        "Check the path, its permissions and the disk space.",
        ExitCode.FAILURE,
    )


def _snake(name: str) -> str:
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in name.removesuffix("Error"))
    return words.lstrip("_")
