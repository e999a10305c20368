"""The size and pace of a take that is made here: within every limit."""

from __future__ import annotations

WIDTH, HEIGHT, FPS = 1280, 720, 30
