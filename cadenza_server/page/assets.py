"""Stylesheets, scripts and drawings: read once, named by their content, kept by browsers for ever.

All of them share one address that holds the hash of everything (`/static/<hash>/js/api.js`), so
that modules import one another by relative paths and no release ever mixes with another.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).with_name("static")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "public, no-cache"


@dataclass(frozen=True)
class Asset:
    """One static file."""

    content_type: str
    data: bytes
    etag: str

    @cached_property
    def compressed(self) -> bytes:
        """Made at first use; the same bytes every time."""
        return gzip.compress(self.data, 9, mtime=0)


@dataclass(frozen=True)
class Assets:
    """All static files, and the hash that stands for them."""

    files: Mapping[str, Asset]
    release: str

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Assets:
        """Read the folder; files of other kinds are not served."""
        files = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in _TYPES and path.is_file():
                data = path.read_bytes()
                digest = hashlib.sha256(data).hexdigest()[:20]
                name = path.relative_to(folder).as_posix()
                files[name] = Asset(_TYPES[path.suffix], data, f'"{digest}"')
        together = "".join(f"{name}{asset.etag}" for name, asset in files.items())
        return cls(files, hashlib.sha256(together.encode()).hexdigest()[:12])

    def url(self, name: str) -> str:
        """The address of one file.

        Raises:
            KeyError: there is no such file: a misspelt name fails the first test of its page.
        """
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.release}/{name}"

    async def serve(self, request: Request) -> Response:
        """Answer `GET /static/{release}/{name}`.

        A page that was opened before an update asks for the old release: it gets the file of
        today, and is told not to keep it.
        """
        asset = self.files.get(request.path_params["name"])
        if asset is None:
            return PlainTextResponse("There is no such file.", 404)
        is_current = request.path_params["release"] == self.release
        headers = {
            "ETag": asset.etag,
            "Cache-Control": _FOR_EVER if is_current else _ASK_AGAIN,
            "Vary": "Accept-Encoding",
        }
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        data = asset.data
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            data = asset.compressed
        return Response(data, media_type=asset.content_type, headers=headers)
