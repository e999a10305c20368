"""Compare the queue with what the server knows, and let what it already has come home (T12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadenza_client.errors import GoneError, NotFoundError, PermissionDeniedError
from cadenza_uploader._desk import desk_for
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._states import Status

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient

_ARRIVED = frozenset({"uploaded", "ready"})


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What the server says of this device's takes.

    Attributes:
        arrived: unsent takes that the server has: their receipt is fetched at the next pass.
        expected: unsent takes the server waits for.
        unknown: unsent takes the server has never heard of.
        deleted: unsent takes that were deleted at the server.
        waiting_elsewhere: submissions the server waits for and this queue does not have.
    """

    arrived: tuple[str, ...]
    expected: tuple[str, ...]
    unknown: tuple[str, ...]
    deleted: tuple[str, ...]
    waiting_elsewhere: tuple[str, ...]


def reconcile(queue: TakeQueue, client: CadenzaClient) -> Reconciliation:
    """Ask the server about every unsent take. Nothing is deleted, here or there.

    A take that failed here although the server has it is put back to pending: the worker then
    asks for the receipt, and only that makes it `uploaded`.

    Raises:
        CadenzaError: the server cannot be asked.
    """
    found: dict[str, list[str]] = {"arrived": [], "expected": [], "unknown": [], "deleted": []}
    ours: set[str] = set()
    for take in queue.list(unsent_only=True, limit=None):
        server_id = take.server_id or take.id
        ours.add(server_id)
        try:
            state = desk_for(client, take).state(server_id)
        except (NotFoundError, PermissionDeniedError):
            found["unknown"].append(take.id)
            continue
        except GoneError:
            found["deleted"].append(take.id)
            continue
        if state == "deleted":
            found["deleted"].append(take.id)
            continue
        if state not in _ARRIVED:
            found["expected"].append(take.id)
            continue
        found["arrived"].append(take.id)
        if take.status is Status.FAILED:
            queue.retry(take.id)
    waiting = client.submissions.list(media_state="awaiting_upload")
    elsewhere = [str(s.id) for s in waiting if str(s.id) not in ours]
    return Reconciliation(
        **{name: tuple(ids) for name, ids in found.items()}, waiting_elsewhere=tuple(elsewhere)
    )
