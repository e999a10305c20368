"""The root of the command. Commands hang themselves onto it; `main.py` imports them all."""

from __future__ import annotations

from cadenza_cli._command import group

__all__ = ["app"]

app = group(
    summary="Your takes reach your teacher, whatever dies on the way.",
    examples=[
        "cadenza login",
        "cadenza pieces ls",
        'cadenza upload take.mp4 --piece PIECE --notes "bar 17"',
        "cadenza queue ls",
        "cadenza daemon run",
    ],
    add_completion=True,
)
