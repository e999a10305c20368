"""The version, read once from the installed distribution."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["USER_AGENT", "__version__"]

__version__ = version("cadenza")

USER_AGENT = f"cadenza-client/{__version__}"
