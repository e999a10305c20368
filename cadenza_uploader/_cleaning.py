"""After the receipt: remove the spool copies, and the source where the user asked for it (T6)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cadenza_uploader import _spool
from cadenza_uploader._delete_gate import Evidence, refusal
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader.events import Observer, TakeCleaned
from cadenza_uploader.take import Take


def clean(
    queue: TakeQueue,
    take: Take,
    *,
    observer: Observer,
    now_ms: int,
    retry_seconds: float,
    failpoint: Callable[[str], None],
) -> bool:
    """Remove what a confirmed take left behind; whether it is all gone.

    A file that cannot be removed, or that must not be, never troubles the upload itself: the take
    stays `uploaded` at stage `confirmed` and this is tried again later (F05).
    """
    try:
        kept = _why_kept(queue, take)
        if kept is None:
            if take.delete_source and take.source_path:
                _remove_source(take)
            failpoint("before_unlink")
            _spool.remove_take(queue.home.spool, take.id)
            failpoint("after_unlink")
            queue.cleaned(take)
            observer(TakeCleaned(take.id))
            return True
        setback = Setback("kept", f"The local copy is kept: {kept}.")
    except _spool.UnsafePathError as error:
        # It was swapped between the look and the removal (F07).
        setback = Setback("kept", f"The local copy is kept: {error}")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        setback = Setback("cleanup_pending", f"The local copy cannot be removed: {reason}.")
    queue.cleanup_delayed(take, setback, now_ms + round(retry_seconds * 1000))
    return False


def _why_kept(queue: TakeQueue, take: Take) -> str | None:
    try:
        unchanged: bool | None = _spool.is_unchanged(queue.home.spool, take.video)
    except FileNotFoundError:
        unchanged = None
    except _spool.UnsafePathError:
        unchanged = False
    return refusal(Evidence(take.stage, take.receipt, take.video, unchanged, owned=True))


def _remove_source(take: Take) -> None:
    """Remove the user's original: asked for, and still the very bytes the server confirmed."""
    assert take.source_path is not None
    source = Path(take.source_path)
    try:
        with _spool.open_source(source) as file:
            before = _spool.identity(file)
            unchanged = _spool.digest(file) == take.video.sha256
            # Hashing takes a while, and a new recording may have taken the name meanwhile.
            unchanged = unchanged and _spool.identity_at(source) == before
            evidence = Evidence(
                take.stage, take.receipt, take.video, unchanged, owned=False, asked=True
            )
            if refusal(evidence) is not None:
                return
            source.unlink()
    except (FileNotFoundError, _spool.UnsafePathError):
        return
    _spool.sync_directory(source.parent)
