"""Typed client for the Cadenza API: a student's takes to the teacher, and the answer back.

::

    from pathlib import Path
    from uuid import uuid4
    from cadenza_client import CadenzaClient, NewSubmission

    with CadenzaClient("https://cadenza.example.org", token=token) as client:
        take = Path("take.mp4")
        facts = client.fingerprint(take)
        new = NewSubmission(
            id=uuid4(), piece_id=piece_id, duration_seconds=45,
            size_bytes=facts.size_bytes, sha256=facts.sha256,
        )
        ticket = client.submissions.create(new)
        done = client.submissions.upload(ticket.submission.id, take, sha256=facts.sha256)
        print(done.receipt.verified)

`AsyncCadenzaClient` has the same names with `await`. Both are thin: what is sent and how answers
are read stands in `_endpoints`, protocols of several requests in `_flows`, the decision to try
again in `_retry`, all of them pure, and the two engines add the waiting.

For takes made offline use `cadenza_uploader`: this package forgets everything when the process
ends, the uploader nothing.

What a caller should know:

- Every error is a `CadenzaError`; see `cadenza_client.errors` for the tree. `TransportError.sent`
  says whether a request without an answer may have been acted on.
- Within a call, a few quick tries hide a dropped connection. Only requests that are safe to repeat
  are repeated; `Retry-After` is obeyed when it is short and handed out as data when it is long.
- Against a v1 server (seed 000 as written: no ids of ours, no sizes, no confirm) the same methods
  work. What it cannot promise, the receipt does not claim: see `Receipt.verified`.
- The token goes to the API's origin and nowhere else. Signed URLs are checked before they are
  used, sent to without any header of ours, and neither they nor the token are in any log record,
  `repr`, or error text.
- Importing this package imports no HTTP library; the first use of a name does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cadenza_client._client import AsyncCadenzaClient, CadenzaClient
    from cadenza_client._config import Timeouts, TokenSource
    from cadenza_client._retry import RetryPolicy
    from cadenza_client._source import MediaSource
    from cadenza_client._version import __version__
    from cadenza_client._webhooks import verify_webhook
    from cadenza_client.errors import (
        AlreadyReviewedError,
        AlreadyUploadedError,
        APIError,
        AuthenticationError,
        CadenzaError,
        CancelledUploadError,
        CertificateError,
        ChecksumMismatchError,
        ChecksumRefusedError,
        ConfigError,
        ConflictError,
        ConnectFailedError,
        ConnectionLostError,
        ContextNotFoundError,
        FeatureDisabledError,
        FileChangedError,
        GoneError,
        HeldError,
        IdConflictError,
        NotFoundError,
        NotUploadedYetError,
        ObjectExistsError,
        PermissionDeniedError,
        QuotaExceededError,
        RateLimitError,
        RequestTimeoutError,
        ResponseError,
        ServerError,
        SizeMismatchError,
        StorageBusyError,
        StorageError,
        StorageRejectedError,
        StorageUnavailableError,
        TooLargeError,
        TransportError,
        UnsafeUploadUrlError,
        UnsupportedMediaError,
        UploadUrlExpiredError,
        ValidationError,
        WebhookVerificationError,
    )
    from cadenza_client.models import (
        Confirmation,
        Derivative,
        Exercise,
        Fingerprint,
        Health,
        LiveEvent,
        Marker,
        MarkerChanges,
        Message,
        MessageConfirmation,
        MessageTicket,
        NewMarker,
        NewMessage,
        NewSubmission,
        Notification,
        Piece,
        PiecePage,
        Playback,
        PracticeSession,
        QueueItem,
        Receipt,
        Routine,
        SignIn,
        StoredObject,
        Submission,
        Unread,
        UploadEvent,
        UploadTarget,
        UploadTicket,
        User,
        Webhook,
        WebhookDelivery,
    )

__all__ = [
    "APIError",
    "AlreadyReviewedError",
    "AlreadyUploadedError",
    "AsyncCadenzaClient",
    "AuthenticationError",
    "CadenzaClient",
    "CadenzaError",
    "CancelledUploadError",
    "CertificateError",
    "ChecksumMismatchError",
    "ChecksumRefusedError",
    "ConfigError",
    "Confirmation",
    "ConflictError",
    "ConnectFailedError",
    "ConnectionLostError",
    "ContextNotFoundError",
    "Derivative",
    "Exercise",
    "FeatureDisabledError",
    "FileChangedError",
    "Fingerprint",
    "GoneError",
    "Health",
    "HeldError",
    "IdConflictError",
    "LiveEvent",
    "Marker",
    "MarkerChanges",
    "MediaSource",
    "Message",
    "MessageConfirmation",
    "MessageTicket",
    "NewMarker",
    "NewMessage",
    "NewSubmission",
    "NotFoundError",
    "NotUploadedYetError",
    "Notification",
    "ObjectExistsError",
    "PermissionDeniedError",
    "Piece",
    "PiecePage",
    "Playback",
    "PracticeSession",
    "QueueItem",
    "QuotaExceededError",
    "RateLimitError",
    "Receipt",
    "RequestTimeoutError",
    "ResponseError",
    "RetryPolicy",
    "Routine",
    "ServerError",
    "SignIn",
    "SizeMismatchError",
    "StorageBusyError",
    "StorageError",
    "StorageRejectedError",
    "StorageUnavailableError",
    "StoredObject",
    "Submission",
    "Timeouts",
    "TokenSource",
    "TooLargeError",
    "TransportError",
    "Unread",
    "UnsafeUploadUrlError",
    "UnsupportedMediaError",
    "UploadEvent",
    "UploadTarget",
    "UploadTicket",
    "UploadUrlExpiredError",
    "User",
    "ValidationError",
    "Webhook",
    "WebhookDelivery",
    "WebhookVerificationError",
    "__version__",
    "verify_webhook",
]

_HOMES = {
    "AsyncCadenzaClient": "_client",
    "CadenzaClient": "_client",
    "MediaSource": "_source",
    "RetryPolicy": "_retry",
    "Timeouts": "_config",
    "TokenSource": "_config",
    "__version__": "_version",
    "verify_webhook": "_webhooks",
}
"""Where the names that are in neither `errors` nor `models` come from."""


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562).

    httpx alone takes a tenth of a second to import, and `cadenza --help` needs none of it.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name) or ("errors" if name.endswith("Error") else "models")
    value: Any = getattr(importlib.import_module(f"cadenza_client.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
