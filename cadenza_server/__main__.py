"""`python -m cadenza_server`: serve, with the settings of the environment."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from cadenza_server.serving import serve
from cadenza_server.settings import ServerSettings


def main() -> int:
    """Serve until stopped; 2 when the settings are not acceptable."""
    try:
        settings = ServerSettings()
    except ValidationError as error:
        # The values may be secrets: only names and reasons are shown.
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]) or "settings"
            sys.stderr.write(f"{name}: {problem['msg']}\n")
        return 2
    serve(settings, on_ready=_announce)
    return 0


def _announce(url: str) -> None:
    sys.stderr.write(f"Cadenza is at {url}\n")


if __name__ == "__main__":
    sys.exit(main())
