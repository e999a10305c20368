"""Why a take is where it is: one paragraph for the person whose recording it is (I5).

Pure: rows in, sentences out, so that the command, the page and a support mail say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cadenza_uploader.take import (
    Account,
    Attempt,
    FailCode,
    Hold,
    QueueHold,
    Stage,
    Status,
    Take,
    TakeEvent,
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to tell a person about one take.

    Attributes:
        headline: where it is, in one sentence.
        because: why it is there.
        tried: what was tried, newest last, with times and request ids.
        next: what happens next, and when.
        you_can: commands that change something, with their effect.
    """

    headline: str
    because: str
    tried: tuple[str, ...]
    next: str
    you_can: tuple[str, ...]


_STAGES = {
    Stage.RECORDED: "It is safe on this device; the server does not know of it yet.",
    Stage.REGISTERED: "The server expects it; the video has not arrived there yet.",
    Stage.STORED: "The video is in the store; the server has not confirmed it yet.",
    Stage.CONFIRMED: "The server has it and said so with a receipt.",
    Stage.CLEANED: "The server has it and said so with a receipt; the local copy is gone.",
}

_HOLDS = {
    Hold.AUTH: ("It waits for you to sign in.", "It goes on by itself once you are signed in."),
    Hold.NETWORK: (
        "It waits for the network.",
        "It goes on by itself when the server can be reached; waiting costs nothing.",
    ),
    Hold.CONSTRAINT: (
        "It waits for a connection that your settings allow.",
        "It goes on by itself on such a connection.",
    ),
    Hold.DISK: (
        "It waits for free disk space.",
        "It goes on by itself when there is room.",
    ),
    Hold.USER: ("The queue is paused.", "Nothing happens until you resume."),
}

#: Which hold to speak of when there are several: the one that must end first.
_RANK = (Hold.USER, Hold.DISK, Hold.CONSTRAINT, Hold.AUTH, Hold.NETWORK)

_UNLOCK = {
    Hold.AUTH: ("cadenza login",),
    Hold.USER: ("cadenza queue resume",),
    Hold.NETWORK: ("cadenza doctor  (check what cannot be reached)",),
    Hold.CONSTRAINT: ("cadenza doctor",),
    Hold.DISK: ("cadenza queue gc  (show what Cadenza can give up)",),
}

_RUN = "cadenza daemon run  (send now and keep sending)"
#: A take that is probed daily for a year has a long history; its end is what matters.
_MOST_TRIED = 20

_FAILURES = {
    FailCode.ATTEMPTS_EXHAUSTED: "It failed too often in a row to be tried at the quick pace.",
    FailCode.BAD_REQUEST: "The server refuses its description.",
    FailCode.BAD_UPLOAD_URL: "The server gave an upload address that is not safe to send to.",
    FailCode.CLIENT_TOO_OLD: "This version of Cadenza is too old for the server.",
    FailCode.FILE_UNREADABLE: "The local file cannot be read.",
    FailCode.FORBIDDEN: "The server does not allow you to send it.",
    FailCode.ID_CONFLICT: "The server has something else under its id.",
    FailCode.LEGAL: "The server withholds it for legal reasons.",
    FailCode.LIMIT_EXCEEDED: "It is outside the server's limits.",
    FailCode.LOCAL_FILE_CHANGED: "The local file is not the one that was queued.",
    FailCode.LOCAL_FILE_MISSING: "The local file is gone.",
    FailCode.POISON: "Sending it stopped the uploader several times.",
    FailCode.QUOTA_EXCEEDED: "Your quota at the server is used up.",
    FailCode.STORAGE_FORBIDDEN: "The store refuses every upload address the server gives.",
    FailCode.STORAGE_REJECTS: "The store does not accept the upload.",
    FailCode.SUBMISSION_DELETED: "It was deleted at the server.",
    FailCode.SUBMISSION_GONE: "The server no longer knows of it.",
    FailCode.TOO_LARGE: "It is larger than the server accepts.",
    FailCode.UNSAFE_PATH: "Its file in the spool was replaced by something else.",
    FailCode.UNSUPPORTED_MEDIA: "The server does not take it for a video.",
}

#: Where a reply fails for another reason than a take would.
_FAILURES_OF_REPLIES = {
    FailCode.CLIENT_TOO_OLD: "The server finds no take to answer there, or takes no replies.",
    FailCode.FORBIDDEN: "Only the student and the present teacher may write in that thread.",
    FailCode.SUBMISSION_DELETED: "The take it answers was deleted, or the reply itself.",
}


def explain(
    take: Take,
    *,
    attempts: Sequence[Attempt],
    events: Sequence[TakeEvent],
    holds: Sequence[QueueHold],
    now: datetime,
    daemon_running: bool,
    account: Account | None = None,
) -> Explanation:
    """Say where a take is, why, what was tried, what comes next and what the user can do.

    Args:
        take: the take.
        attempts: its tries, oldest first.
        events: its history, oldest first.
        holds: what holds the whole queue.
        now: the time, aware.
        daemon_running: whether an uploader owns the queue.
        account: who is signed in now; None when that is not known.
    """
    noun = "Reply" if take.kind == "message" else "Take"
    headline = f"{noun} {take.short_id} is {take.status.value}. {_STAGES[take.stage]}"
    because, following, you_can = _situation(take, holds, now, daemon_running, account)
    return Explanation(headline, because, _tried(attempts, events), following, you_can)


def _situation(
    take: Take,
    holds: Sequence[QueueHold],
    now: datetime,
    daemon_running: bool,
    account: Account | None,
) -> tuple[str, str, tuple[str, ...]]:
    retry = f"cadenza queue retry {take.short_id}  (try again at once)"
    cancel = f"cadenza queue cancel {take.short_id}  (give it up and remove the local copy)"
    if take.status is Status.UPLOADED:
        following = "Nothing more needs to happen."
        if take.stage is Stage.CONFIRMED and take.last_error:
            following = f"{take.last_error} It is tried again later; the upload itself is done."
        if take.kind == "message":
            thread = f"cadenza messages {take.context.parent_submission_id}"
            return "It stands in the thread of the take it answers.", following, (thread,)
        return "The teacher can see it.", following, (f"cadenza submissions show {take.server_id}",)
    if take.status is Status.UPLOADING:
        if daemon_running:
            return "It is being sent now.", "Watch it with: cadenza queue ls", ()
        because = "The uploader stopped while it was being sent."
        return because, "It goes on where it was as soon as an uploader runs.", (_RUN,)
    if take.status is Status.FAILED:
        assert take.fail_code is not None
        reasons = {**_FAILURES, **(_FAILURES_OF_REPLIES if take.kind == "message" else {})}
        because = f"{reasons[take.fail_code]} {take.last_error or ''}".strip()
        if take.fail_code.needs_user:
            following = f"It needs you; it is also tried again {_when(take.due_at, now)}."
        else:
            following = f"It is tried again by itself {_when(take.due_at, now)}."
        following = _if_running(f"{following} Its files are kept.", daemon_running)
        return because, following, (retry, cancel)
    if take.hold is Hold.USER:
        # Marked by `cancel`, which then could not tell the server (T14). Only the server can end
        # it, so what works now stands first.
        because = "You cancelled it, and the server could not be told."
        following = "It is not sent. Its files are kept until the server knows."
        keep = f"cadenza queue retry {take.short_id}  (keep it after all, and send it)"
        again = f"cadenza queue cancel {take.short_id}  (once the server can be reached)"
        return because, following, (keep, "cadenza doctor  (check what cannot be reached)", again)
    held = {hold.hold: hold.why for hold in holds}
    hold: Hold | None = take.hold or next((hold for hold in _RANK if hold in held), None)
    if hold is not None:
        why, following = _HOLDS[hold]
        detail = held.get(hold) or take.last_error or ""
        return (
            f"{why} {detail}".strip(),
            _if_running(following, daemon_running),
            (*_UNLOCK[hold], cancel),
        )
    stranger = _stranger(take.account, account)
    if stranger is not None:
        following = "It is sent once that account is signed in on this device again."
        return stranger, following, ("cadenza login  (as the one who recorded it)", cancel)
    if not daemon_running:
        return "No uploader is running.", "It is sent as soon as one runs.", (_RUN, cancel)
    if take.due_at is not None and take.due_at > now:
        because = f"The last try did not succeed. {take.last_error or ''}".strip()
        return because, f"It is tried again {_when(take.due_at, now)}.", (retry, cancel)
    return "It waits for its turn.", "It is sent after the takes recorded before it.", (cancel,)


def _if_running(following: str, daemon_running: bool) -> str:
    return following if daemon_running else f"{following} Start an uploader: cadenza daemon run"


def _stranger(owner: Account, signed_in: Account | None) -> str | None:
    """Why the takes of somebody else wait (A05, A06)."""
    if signed_in is None:
        return None
    if owner.server_url != signed_in.server_url:
        return f"It was recorded for {owner.server_url}; you are using {signed_in.server_url}."
    if owner.user_id is None or signed_in.user_id in (None, owner.user_id):
        return None
    return "It belongs to another account than the one that is signed in."


def _tried(attempts: Sequence[Attempt], events: Sequence[TakeEvent]) -> tuple[str, ...]:
    if not attempts:
        since = f"; it was queued at {events[0].at:%Y-%m-%d %H:%M} UTC" if events else ""
        return (f"Nothing was tried yet{since}.",)
    lines = [_line(attempt) for attempt in attempts[-_MOST_TRIED:]]
    earlier = len(attempts) - len(lines)
    return (f"{earlier} earlier tries are left out.", *lines) if earlier else tuple(lines)


def _when(at: datetime | None, now: datetime) -> str:
    if at is None or at <= now:
        return "now"
    left = at - now
    if left < timedelta(minutes=2):
        return f"in {max(1, round(left.total_seconds()))} seconds"
    if left < timedelta(hours=2):
        return f"in {round(left.total_seconds() / 60)} minutes"
    return f"in {round(left.total_seconds() / 3600)} hours"


def _line(attempt: Attempt) -> str:
    seconds = (attempt.ended_at - attempt.started_at).total_seconds()
    parts = [f"{attempt.started_at:%Y-%m-%d %H:%M:%S} UTC {attempt.step}: {attempt.outcome}"]
    if attempt.code or attempt.status_code:
        parts.append(f"({' '.join(str(p) for p in (attempt.status_code, attempt.code) if p)})")
    if attempt.bytes_sent:
        parts.append(f"{attempt.bytes_sent:,} bytes in {seconds:.1f} s")
    if attempt.request_id:
        parts.append(f"request {attempt.request_id}")
    if attempt.counted:
        parts.append("counted as an attempt")
    return ", ".join(parts).replace(", (", " (")
