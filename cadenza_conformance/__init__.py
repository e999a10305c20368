"""The behaviour of Cadenza's clients as data that any implementation can read and be held to.

This package imports nothing of the client or the uploader: what is written here was worked out
from the requirements, and the reference implementation is tested against it like any other.
"""

from __future__ import annotations

__all__: list[str] = []
