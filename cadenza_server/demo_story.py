"""What happened in the demo studio this week: people, takes, words. Data only."""

from __future__ import annotations

from dataclasses import dataclass

TEACHER = "teacher@demo.example"
STUDENTS = {
    "sam": ("student@demo.example", "Sam Okafor"),
    "mira": ("mira@demo.example", "Mira Lindqvist"),
    "jonas": ("jonas@demo.example", "Jonas Weber"),
    "aiko": ("aiko@demo.example", "Aiko Tanaka"),
}


@dataclass(frozen=True)
class Word:
    """Something said in a thread, so many hours ago; with a moment it is a marker."""

    who: str
    hours_ago: float
    text: str
    at: float | None = None
    until: float | None = None
    kind: str | None = None
    measures: tuple[int, int] | None = None
    with_video: bool = False
    tried: bool = False


@dataclass(frozen=True)
class Take:
    """One take of the story, and what was said about it."""

    who: str
    title: str
    hours_ago: float
    notes: str | None = None
    page: int | None = None
    measures: tuple[int, int] | None = None
    words: tuple[Word, ...] = ()
    reviewed_hours_ago: float | None = None


STORY: dict[str, Take] = {
    "first-try": Take(
        "sam",
        "Bach, Cello Suite No. 3: Bourrée I",
        74.0,
        "The whole page, first try.",
        2,
        (1, 28),
        (
            Word("teacher", 70.0, "A light bow, lovely.", 0.6, kind="praise"),
            Word("teacher", 69.9, "You speed up through the slur.", 1.4, 2.6, measures=(17, 18)),
            Word("teacher", 69.8, "Lift before the string crossing.", 3.1, tried=True),
            Word("teacher", 69.5, "This is how I would bow bar 17.", with_video=True),
            Word("sam", 60.0, "Thank you! I will take it slower."),
        ),
        reviewed_hours_ago=69.4,
    ),
    "slower": Take(
        "sam",
        "Bach, Cello Suite No. 3: Bourrée I",
        5.3,
        "Bars 17 to 20, at 60.",
        2,
        (17, 20),
        (
            Word("sam", 5.2, "Is this shift too early?", 1.2, measures=(18, 18)),
            Word("sam", 5.1, "At 60 it holds. At 80 it still runs away from me."),
        ),
    ),
    "concerto": Take("mira", "Seitz, Student Concerto No. 2: I", 46.5, None, 1, (1, 32)),
    "etude": Take(
        "mira",
        "Kreutzer, Étude No. 2",
        9.6,
        "Three bowings, one after another.",
        3,
        (1, 8),
        (Word("teacher", 8.0, "Even from tip to frog. The second bowing next!", 2.0),),
    ),
    "gymnopedie": Take(
        "jonas",
        "Satie, Gymnopédie No. 1",
        26.2,
        "Pedalling as we tried it.",
        1,
        None,
        (Word("jonas", 26.0, "Should the bass ring into the second bar?", 0.8, 1.9),),
    ),
    "scales": Take("jonas", "Scales in thirds", 0.4, None),
    "popper": Take(
        "aiko",
        "Popper, Étude Op. 76 No. 4",
        20.1,
        "Slow, with the metronome.",
        4,
        (9, 24),
        (
            Word("teacher", 18.0, "Where does the thumb go after bar 12?", 1.5, kind="question"),
            Word("aiko", 3.0, "On the octave. I will show you on Friday."),
        ),
    ),
}
