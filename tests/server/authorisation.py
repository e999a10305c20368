"""Who may call what: one row for each route, tested by `test_authorisation.py`, printed as a page.

To add a route, add one line to `TABLE`:

    "PATCH /messages/{message_id}/read": Row(PARTICIPANTS),

- The first word says who may: one of the sets below, or a set of names out of `PEOPLE`. Everybody
  else gets 403, a stranger without a token 401.
- `ok` is the status of a call that may be made (200), `body` its JSON, `query` its query string.
- Placeholders of path, body and query are made by the function of that name in
  `makers.MAKERS`, so a row needs an entry there only for a new kind of thing.
- `but` names people with another status than the rule gives; `why` is the remark on the page.
- `stream=True` for an answer that does not end; `page=True` for HTML: strangers are led to the
  sign-in page.

`python -m tests.server.authorisation` writes `docs/authorisation.md` anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

from tests.server.makers import MAKERS
from tests.server.world import MP4, World, facts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "authorisation.md"

#: Everybody who might ask, as the page's columns. The owner is a student; the thing asked about is
#: hers unless the row says otherwise, and was made while the former teacher taught her.
PEOPLE = (
    "anonymous",
    "owner",
    "teacher",
    "former_teacher",
    "other_teacher",
    "other_student",
    "admin",
)

ANYBODY = frozenset(PEOPLE)
SIGNED_IN = ANYBODY - {"anonymous"}
OWNER = frozenset({"owner"})
TEACHER = frozenset({"teacher"})
PARTICIPANTS = OWNER | TEACHER
SEE = PARTICIPANTS | {"admin"}
TEACHERS = frozenset({"teacher", "former_teacher", "other_teacher", "admin"})

UNAUTHORIZED, FORBIDDEN, TO_SIGN_IN = 401, 403, 303


class Row(NamedTuple):
    """One route: who may call it, with what, and what exists before."""

    may: Collection[str]
    ok: int = 200
    body: dict[str, Any] | None = None
    query: str = ""
    given: str = "uploaded"
    but: Mapping[str, int] = {}
    why: str = ""
    image: bool = False
    stream: bool = False
    page: bool = False

    def status(self, who: str) -> int:
        """What one of `PEOPLE` gets."""
        if who in self.but:
            return self.but[who]
        if who in self.may:
            return self.ok
        if who == "anonymous":
            return TO_SIGN_IN if self.page else UNAUTHORIZED
        return FORBIDDEN


_ELSEWHERE_TEACHERS = dict.fromkeys(TEACHERS, 303)
_ELSEWHERE_STUDENTS = dict.fromkeys(("owner", "other_student"), 303)

TABLE: dict[str, Row] = {
    "GET /health": Row(ANYBODY),
    "GET /ready": Row(ANYBODY),
    "POST /auth/login": Row(
        (),
        body={"email": "x@example.org", "password": "x"},
        but=dict.fromkeys(PEOPLE, UNAUTHORIZED),
        why="401 to whoever gives a wrong password",
    ),
    "POST /auth/dev-login": Row(
        ANYBODY, query="?email=student@studio.example", why="only where `CADENZA_ENV` is `dev`"
    ),
    "GET /auth/me": Row(SIGNED_IN),
    "POST /users/set-teacher": Row(
        SIGNED_IN,
        query="?teacher_email=teacher@studio.example",
        but={"teacher": 422},
        why="nobody becomes their own teacher",
    ),
    "DELETE /users/remove-teacher": Row(SIGNED_IN, 204),
    "GET /users/my-teacher": Row(SIGNED_IN),
    "GET /users/my-students": Row(TEACHERS),
    "GET /pieces": Row(SIGNED_IN, why="one's own and those one was given"),
    "POST /pieces": Row(SIGNED_IN, 201, {"title": "Air"}),
    "GET /pieces/{piece_id}": Row(SEE),
    "PUT /pieces/{piece_id}/pages/{page_number}": Row(OWNER, image=True),
    "GET /routines": Row(SIGNED_IN, why="one's own"),
    "POST /routines": Row(SIGNED_IN, 201, {"title": "Week 3"}),
    "POST /routines/{routine_id}/exercises": Row(
        TEACHER, 201, {"title": "x"}, why="the routine is the teacher's"
    ),
    "POST /students/{student_id}/assign-routine": Row(TEACHER, body={"routine_id": "{routine_id}"}),
    "GET /my-current-routine": Row(SIGNED_IN),
    "POST /sessions": Row(
        SEE, 201, {"routine_id": "{routine_id}"}, why="with a routine one may see"
    ),
    "PUT /sessions/{session_id}/complete": Row(OWNER, body={}),
    "POST /video-submissions": Row(
        OWNER,
        201,
        {"piece_id": "{piece_id}", "duration_seconds": 5},
        but={"other_student": 404},
        why="students only, and only of what is theirs or was given to them",
    ),
    "GET /video-submissions": Row(SIGNED_IN, why="one's own"),
    "GET /video-submissions/{submission_id}": Row(SEE),
    "GET /video-submissions/{submission_id}/upload-url": Row(OWNER, given="created"),
    "POST /video-submissions/{submission_id}/confirm": Row(OWNER, body=facts(MP4)),
    "GET /video-submissions/{submission_id}/video-url": Row(SEE),
    "DELETE /video-submissions/{submission_id}": Row(OWNER, 204),
    "GET /video-submissions/{submission_id}/events": Row(SEE),
    "GET /students/{student_id}/video-submissions": Row(TEACHER),
    "GET /review-queue": Row(SIGNED_IN, why="of one's own students"),
    "PATCH /video-submissions/{submission_id}/reviewed": Row(TEACHER),
    "DELETE /video-submissions/{submission_id}/reviewed": Row(TEACHER),
    "GET /video-submissions/{submission_id}/messages": Row(SEE),
    "POST /video-submissions/{submission_id}/messages": Row(PARTICIPANTS, 201, {"text": "Hm."}),
    "GET /messages/{message_id}": Row(SEE),
    "GET /messages/{message_id}/upload-url": Row(OWNER, given="created", why="the sender"),
    "POST /messages/{message_id}/confirm": Row(OWNER, body=facts(MP4), why="the sender"),
    "GET /messages/{message_id}/video-url": Row(SEE),
    "PATCH /messages/{message_id}/read": Row(PARTICIPANTS),
    "PATCH /messages/{message_id}": Row(
        OWNER, body={"text": "Other words."}, why="the sender, for 15 minutes"
    ),
    "DELETE /messages/{message_id}": Row(OWNER, 204, why="the sender"),
    "GET /unread": Row(SIGNED_IN, why="one's own"),
    "GET /video-submissions/{submission_id}/markers": Row(SEE),
    "POST /video-submissions/{submission_id}/markers": Row(
        PARTICIPANTS,
        201,
        {"timestamp_ms": 1000, "text": "Here?", "marker_type": "question"},
        why="students ask questions only",
    ),
    "GET /messages/{message_id}/markers": Row(SEE),
    "POST /messages/{message_id}/markers": Row(
        PARTICIPANTS, 201, {"timestamp_ms": 1000, "text": "Here?", "marker_type": "question"}
    ),
    "PATCH /markers/{marker_id}": Row(
        OWNER,
        body={"text": "Here!"},
        why="words and place: the author; the status also the other side",
    ),
    "DELETE /markers/{marker_id}": Row(OWNER, 204, why="the author"),
    "GET /video-submissions/{submission_id}/markers.vtt": Row(SEE),
    "GET /video-submissions/{submission_id}/markers.csv": Row(SEE),
    "GET /video-submissions/{submission_id}/markers.json": Row(SEE),
    "GET /notifications": Row(SIGNED_IN, why="one's own"),
    "PATCH /notifications/{notification_id}/read": Row(OWNER, why="whose it is"),
    "POST /notifications/read-all": Row(SIGNED_IN, 204, why="one's own"),
    "GET /events/stream": Row(SIGNED_IN, stream=True, why="what one may hear of"),
    "GET /webhooks": Row(SIGNED_IN, why="one's own"),
    "POST /webhooks": Row(SIGNED_IN, 201, {"url": "https://hooks.example.org/"}),
    "DELETE /webhooks/{webhook_id}": Row(OWNER, 204),
    "POST /webhooks/{webhook_id}/test": Row(OWNER, 202),
    "GET /webhooks/{webhook_id}/deliveries": Row(OWNER),
    "POST /webhooks/deliveries/{delivery_id}/replay": Row(OWNER, 202),
    # ── pages ──
    "GET /": Row(SIGNED_IN, but=_ELSEWHERE_TEACHERS, page=True, why="teachers: their inbox"),
    "GET /inbox": Row(SIGNED_IN, but=_ELSEWHERE_STUDENTS, page=True, why="students: their takes"),
    "GET /students": Row(SIGNED_IN, but=_ELSEWHERE_STUDENTS, page=True),
    "GET /students/{student_id}": Row(TEACHER, page=True),
    "GET /v/{submission_id}": Row(SEE, page=True),
    "GET /v/{submission_id}/download": Row(SEE, 303, page=True, why="led on to the object"),
    "GET /v/{submission_id}/replies/{message_id}/download": Row(
        SEE, 303, page=True, why="led on to the object"
    ),
    "GET /record": Row(SIGNED_IN, page=True),
    "GET /settings": Row(SIGNED_IN, page=True),
    "GET /help": Row(SIGNED_IN, page=True),
    "GET /login": Row(ANYBODY, page=True),
    "POST /login": Row(
        (), page=True, but=dict.fromkeys(PEOPLE, UNAUTHORIZED), why="401 without a password"
    ),
    "POST /logout": Row((), page=True, why="from our own form only"),
}


# ── what the rows need ─────────────────────────────────────────────────────────────────────────


def placeholders(text: str) -> list[str]:
    """The names in braces."""
    return [name for _, name, _, _ in Formatter().parse(text) if name]


def strings_of(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings_of(part)


def prepare(world: World, route: str) -> dict[str, str]:
    """Make what the row needs while the former teacher teaches the owner; then she changes.

    She shares her history with the new teacher, so only being the teacher of now decides.
    """
    row = TABLE[route]
    _choose(world, "former_teacher")
    needed = {
        name
        for text in (route, row.query, *strings_of(row.body or {}))
        for name in placeholders(text)
    }
    ids = {name: MAKERS[name](world, row.given) for name in sorted(needed)}
    if {"message_id", "submission_id"} <= needed:  # a path that names both names one thread
        message = world.ask("student", "GET", f"/messages/{ids['message_id']}").json()
        ids["submission_id"] = message["submission_id"]
    world.clock.advance(minutes=1)
    _choose(world, "teacher")
    return ids


def _choose(world: World, teacher: str) -> None:
    query = f"?teacher_email={teacher}@studio.example&share_history=true"
    assert world.ask("student", "POST", f"/users/set-teacher{query}").status_code == 200


# ── the page ───────────────────────────────────────────────────────────────────────────────────

_INTRODUCTION = """\
# Who may do what

Every route of the server and everybody who might call it. This page is written from the table
that the tests run: each cell is a request that was made and answered so. A route that is not in
the table fails the tests.

- **owner** is the student whose take (piece, session, message …) it is, **teacher** her teacher
  of now, **former teacher** one she had when the thing was made.
- **admin** is the admin of the owner's studio: may look, and changes nothing of hers.
- Access follows the student's choice of teacher. A new teacher sees earlier takes only when the
  student shares them; a former teacher sees nothing any more.
- `yes` is an answer with 2xx; a number is the status of the refusal. Without a token it is 401
  before anything else is looked at. Who is refused learns nothing and changes nothing.
- Objects are read and written by signed addresses instead: each is for one object, one method and
  a limited time, and is given only to those with a `yes` here.
"""


def as_page() -> str:
    """The table as Markdown."""
    heads = [name.replace("_", " ") for name in PEOPLE]
    lines = [
        _INTRODUCTION,
        f"| route | {' | '.join(heads)} | |",
        f"|---|{'---|' * len(heads)}---|",
    ]
    for route, row in TABLE.items():
        cells = [_cell(row, who) for who in PEOPLE]
        lines.append(f"| `{route}` | {' | '.join(cells)} | {row.why} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, who: str) -> str:
    status = row.status(who)
    if status < 300 or (who in row.may and status == row.ok):
        return "yes"
    if status == TO_SIGN_IN:
        return "sign-in page" if who == "anonymous" else "elsewhere"
    return str(status)


if __name__ == "__main__":
    PAGE.write_text(as_page(), encoding="utf-8")
