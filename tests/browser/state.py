"""What a state of a page is, for the lists of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.browser.recital import Recital
from tests.browser.studio import Visit

Arrange = Callable[[Visit, Recital], None]


@dataclass(frozen=True)
class State:
    """One page, as somebody sees it.

    Attributes:
        name: of the picture.
        who: signed in; None for nobody.
        arrange: brings the browser there.
        caption: for the gallery and the picture's alternative text.
        expected: parts of console lines that belong to this state.
        again: what a window of another size undoes, done once more.
    """

    name: str
    who: str | None
    arrange: Arrange
    caption: str
    expected: tuple[str, ...] = ()
    again: Callable[[Visit], None] | None = None


def at(path: str) -> Arrange:
    """Just go there; `{question}` is that take's id, `{student}` the student's."""

    def go(visit: Visit, recital: Recital) -> None:
        names = {**recital.ids, "student_id": str(recital.studio.ids["student"])}
        visit.go(path.format(**names))

    return go
