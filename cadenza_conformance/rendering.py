"""Reports for CI and for people."""

from __future__ import annotations

from cadenza_conformance._report._html import html
from cadenza_conformance._report._junit import junit

__all__ = ["html", "junit"]
