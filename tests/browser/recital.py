"""A studio in the middle of its week: what the screenshots show and the audits walk through."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import func, select, update
from sqlmodel import col

from cadenza_server.tables import (
    Derivative,
    Exercise,
    MediaAsset,
    Notification,
    Piece,
    Routine,
    RoutineAssignment,
    VideoSubmission,
)
from tests.browser.scenes import SCENES, make_take, thumbnail
from tests.browser.studio import Studio

HOUR = 1.0
DAY = 24.0


@dataclass(frozen=True)
class Played:
    """One take of the week.

    Attributes:
        who: a name of `studio.PEOPLE`.
        scene: how it looks.
        piece: what it is of.
        hours: since it arrived.
        note: what the student wrote with it.
        place: page, first and last measure.
        seconds: how long the list says it is.
    """

    who: str
    scene: str
    piece: str
    hours: float
    note: str = ""
    place: tuple[int | None, int | None, int | None] = (None, None, None)
    seconds: int = 8
    state: str = "arrived"


WEEK = {
    "question": Played(
        "student",
        "cello",
        "Bach, Cello Suite No. 3: Bourrée I",
        5.3,
        "Bars 17 to 20 still rush, I think. Is it the string crossing?",
        (2, 17, 20),
        96,
    ),
    "late": Played("second", "violin", "Seitz, Concerto No. 2: I", 49.4, "", (1, 1, 32), 171),
    "soon": Played(
        "third",
        "piano",
        "Satie, Gymnopédie No. 1",
        43.2,
        "Pedalling as we tried it.",
        (1, None, None),
        148,
    ),
    "fresh": Played(
        "student",
        "cello-evening",
        "Popper, Étude Op. 76 No. 4",
        20.1,
        "Slow, with the metronome at 60",
        (4, 9, 24),
        64,
    ),
    "bourree": Played(
        "second",
        "violin-morning",
        "Kreutzer, Étude No. 2",
        9.6,
        "Three bowings, one after another",
        (3, 1, 8),
        122,
    ),
    "short": Played("third", "piano", "Scales in thirds", 0.4, "", (None, None, None), 38),
    "sending": Played(
        "student",
        "cello",
        "Bach, Cello Suite No. 3: Bourrée I",
        0.2,
        "From the practice room",
        (2, 1, 28),
        104,
        "sending",
    ),
    "done": Played(
        "student",
        "cello",
        "Bach, Cello Suite No. 3: Bourrée I",
        3 * DAY,
        "First try of the whole page",
        (2, 1, 28),
        133,
        "reviewed",
    ),
    "older": Played(
        "student",
        "cello-evening",
        "Popper, Étude Op. 76 No. 4",
        6 * DAY,
        "",
        (4, 1, 16),
        58,
        "reviewed",
    ),
    "deleted": Played("student", "violin", "Scales in thirds", 30.0, state="deleted"),
    "master": Played(
        "student", "cello", "Scales in thirds", 12 * DAY, "", (None, None, None), 41, "mastered"
    ),
}


@dataclass
class Recital:
    """The studio and the ids of its takes."""

    studio: Studio
    ids: dict[str, str] = field(default_factory=dict)


def make_recital(studio: Studio, folder: Path, *, whole: int = 8) -> Recital:
    """Fill a studio; takes are real videos with drawn pictures.

    Args:
        studio: whose.
        folder: for the clips.
        whole: how many seconds the first scene's clip lasts; the others are short.
    """
    clips = {
        name: make_take(folder / f"{name}.mp4", scene, seconds=seconds).read_bytes()
        for (name, scene), seconds in zip(SCENES.items(), (whole, 8, 8, 8, 8), strict=True)
    }
    recital = Recital(studio)
    pieces: dict[tuple[str, str], str] = {}
    for name, played in WEEK.items():
        key = (played.who, played.piece)
        if key not in pieces:
            pieces[key] = _piece(studio, played)
        recital.ids[name] = _take(studio, played, pieces[key], clips[played.scene])
    _talk(recital, whole, folder)
    _routine(studio)
    for name, played in WEEK.items():
        _shift(studio, recital.ids[name], played)
    return recital


def _piece(studio: Studio, played: Played) -> str:
    now = datetime.now(UTC)
    with studio.services.db.writing() as session:
        piece = Piece(
            owner_id=studio.ids[played.who], title=played.piece, created_at=now, updated_at=now
        )
        session.add(piece)
        session.flush()
        return str(piece.id)


def _take(studio: Studio, played: Played, piece_id: str, data: bytes) -> str:
    picture = thumbnail(SCENES[played.scene], (played.hours * 1.7) % 6)
    page, first, last = played.place
    body: dict[str, Any] = {
        "id": str(uuid4()),
        "piece_id": piece_id,
        "duration_seconds": played.seconds,
        "size_bytes": len(data),
        "sha256": sha256(data).hexdigest(),
        "thumbnail_size_bytes": len(picture),
        "page_number": page,
        "measure_number": first,
        "measure_end": last,
        "notes": played.note or None,
        "captured_at": (datetime.now(UTC) - timedelta(hours=played.hours)).isoformat(),
    }
    sent = {name: value for name, value in body.items() if value is not None}
    created = studio.ask(played.who, "POST", "/video-submissions", sent)
    take = str(body["id"])
    if played.state == "sending":
        return take
    for kind, content in (("", data), ("thumbnail_", picture)):
        headers = created[f"{kind}upload_headers"]
        put = httpx.put(created[f"{kind}upload_url"], headers=headers, content=content)
        put.raise_for_status()
    studio.ask(played.who, "POST", f"/video-submissions/{take}/confirm", {"thumbnail": True})
    if played.state == "deleted":
        studio.ask(played.who, "DELETE", f"/video-submissions/{take}")
    if played.state in ("reviewed", "mastered"):
        studio.ask("teacher", "PATCH", f"/video-submissions/{take}/reviewed")
    return take


def _talk(recital: Recital, whole: int, folder: Path) -> None:
    studio, ids = recital.studio, recital.ids
    question = ids["question"]
    studio.mark("student", question, 550 * whole, "Is this too early?", marker_type="question")
    studio.mark("teacher", question, 180 * whole, "Lovely, light bow", marker_type="praise")
    studio.mark("teacher", question, 340 * whole, "You speed up here", end_ms=430 * whole)
    studio.say("student", ids["question"], "At 60 it holds. At 80 it runs away.")
    studio.mark("teacher", ids["done"], 2_000, "Much steadier than last week", marker_type="praise")
    studio.mark("teacher", ids["done"], 5_000, "Lift before the string crossing")
    studio.say(
        "teacher",
        ids["done"],
        "Good work. Take bars 17 to 20 alone and send me those.",
    )
    ids["reply"] = studio.reply(
        "teacher",
        ids["done"],
        "This is how I would bow it.",
        clip=folder / "cello-evening.mp4",
        picture=thumbnail(SCENES["cello-evening"], 3.0),
        video_duration_seconds=8,
    )
    studio.mark_reply("teacher", ids["reply"], 1_600, "Weight into the string", end_ms=3_000)
    ids["reply-marker"] = studio.mark_reply(
        "student", ids["reply"], 5_000, "Is this still the same bow?"
    )


def _routine(studio: Studio) -> None:
    teacher, student, now = studio.ids["teacher"], studio.ids["student"], datetime.now(UTC)
    with studio.services.db.writing() as session:
        routines = [
            Routine(owner_id=teacher, title=title, created_at=now)
            for title in ("Daily half hour", "Before the recital")
        ]
        session.add_all(routines)
        session.flush()
        for place, (title, minutes, why) in enumerate(
            [
                ("Scales in thirds", 5, "Listen to the second finger."),
                ("Bourrée I, bars 17 to 20", 15, "Bow only, then slowly together."),
                ("Popper No. 4", 10, None),
            ]
        ):
            session.add(
                Exercise(
                    routine_id=routines[0].id,
                    title=title,
                    order_index=place,
                    recommended_time_seconds=minutes * 60,
                    intentions=why,
                )
            )
        session.add(
            RoutineAssignment(
                student_id=student,
                routine_id=routines[0].id,
                assigned_by_id=teacher,
                assigned_at=now,
            )
        )


def _shift(studio: Studio, take: str, played: Played) -> None:
    """Let it have happened when the week says; an API can't be told to lie about that."""
    back = datetime.now(UTC) - timedelta(hours=played.hours)
    one = UUID(take)
    with studio.services.db.writing() as session:
        values: dict[str, Any] = {"created_at": back, "captured_at": back - timedelta(minutes=4)}
        if played.state in ("reviewed", "mastered"):
            values["reviewed_at"] = back + timedelta(hours=11)
        if played.state == "mastered":
            values |= {"is_mastered": True, "mastered_at": values["reviewed_at"]}
        session.core.execute(
            update(VideoSubmission).where(col(VideoSubmission.id) == one).values(values)
        )
        if played.state != "sending":
            session.core.execute(
                update(MediaAsset).where(col(MediaAsset.id) == one).values(confirmed_at=back)
            )
        told = update(Notification).where(col(Notification.submission_id) == one)
        session.core.execute(told.values(created_at=back))
        if played.hours > DAY:
            session.core.execute(told.values(read_at=back))


def wait_for_derivatives(studio: Studio, *, seconds: float = 60.0) -> None:
    """Until the server has made its storyboards and waveforms, or given up."""
    query = select(func.count()).where(col(Derivative.state).in_(("pending", "running")))
    deadline = time.monotonic() + seconds
    while True:
        with studio.services.db.reading() as session:
            left = session.core.execute(query).scalar_one()
        if not left:
            return
        assert time.monotonic() < deadline, f"{left} derivatives are still under way"
        time.sleep(0.2)
