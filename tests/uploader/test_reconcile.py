"""What the server has is not sent again, and nothing is deleted by comparing."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from cadenza_client import CadenzaClient
from cadenza_client import errors as e
from cadenza_uploader import reconcile
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader.take import FailCode, Status
from tests.uploader.world import add_take, claimed


def server(states: dict[str, object], waiting: tuple[str, ...] = ()) -> CadenzaClient:
    def get(submission_id: str) -> Any:
        state = states.get(submission_id)
        if isinstance(state, Exception):
            raise state
        return SimpleNamespace(media_state=state)

    def listed(**_filters: object) -> Any:
        return iter(SimpleNamespace(id=UUID(name)) for name in waiting)

    return cast("CadenzaClient", SimpleNamespace(submissions=SimpleNamespace(get=get, list=listed)))


def test_every_unsent_take_is_asked_about(queue: TakeQueue) -> None:
    arrived, expected, unknown, deleted = (add_take(queue, seed=seed) for seed in (1, 2, 3, 4))
    stranger = "00000000-0000-4000-8000-0000000000ff"
    answer = reconcile(
        queue,
        server(
            {
                arrived.id: "ready",
                expected.id: "awaiting_upload",
                unknown.id: e.NotFoundError("no", status_code=404),
                deleted.id: e.GoneError("gone", status_code=410),
            },
            waiting=(expected.id, stranger),
        ),
    )
    assert answer.arrived == (arrived.id,)
    assert answer.expected == (expected.id,)
    assert answer.unknown == (unknown.id,)
    assert answer.deleted == (deleted.id,)
    assert answer.waiting_elsewhere == (stranger,)
    assert len(queue.list()) == 4


def test_a_failed_take_that_arrived_is_put_back_for_its_receipt(queue: TakeQueue) -> None:
    take = add_take(queue)
    setback = Setback("local_file_missing", "Gone.")
    queue.failed(claimed(queue), FailCode.LOCAL_FILE_MISSING, setback, 2**41, attempts=[])
    reconcile(queue, server({take.id: "uploaded"}))
    assert queue.get(take.id).status is Status.PENDING
