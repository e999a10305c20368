"""Cadenza's thin reference server: submissions, review, and a place for the bytes.

`create_app(settings)` is the whole of it; `cadenza_server.serving` runs it and
`cadenza_server.admin` sets it up.
"""

from __future__ import annotations

from cadenza_server.app import create_app
from cadenza_server.settings import ServerSettings

__all__ = ["ServerSettings", "create_app"]
