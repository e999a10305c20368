"""Whether this worker can do its work now: what a load balancer asks before it sends requests."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from cadenza_server.context import Services
from cadenza_server.database import Database
from cadenza_server.storage import StorageUnavailableError

_VERSIONS = Path(__file__).with_name("migrations") / "versions"
_NUMBERED = re.compile(r"(\d{4})_\w+\.py")
#: Never written: to hear that there is no such object is the answer of a store that works.
_PROBE_KEY = "cadenza/ready"


def newest_migration() -> str:
    """The number of the last migration this version of the server knows."""
    names = (_NUMBERED.fullmatch(path.name) for path in _VERSIONS.iterdir())
    return max(name[1] for name in names if name)


def find_reasons(services: Services, base_url: str) -> dict[str, str]:
    """What is amiss, by part: `database`, `migrations`, `storage`. Empty when all is well.

    The sentences are for an operator's screen and never repeat what a driver said: its messages
    have addresses and user names in them.

    Args:
        services: of the app.
        base_url: under which the request came.
    """
    reasons = _database_reasons(services.db)
    storage = services.storage_at(base_url)
    try:
        # Read, not only looked at: a HEAD has no body to tell a missing bucket in.
        storage.read_start(_PROBE_KEY, 1)
    except StorageUnavailableError:
        reasons["storage"] = "The store does not answer."
    if services.settings.storage == "local" and not _is_writable(services.settings.objects_dir):
        reasons["storage"] = "The object store's folder can't be written."
    return reasons


def _database_reasons(db: Database) -> dict[str, str]:
    try:
        with db.reading() as session:
            there = session.core.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except (SQLAlchemyError, OSError):
        return {"database": "The database does not answer."}
    # A newer one is another worker's, in the middle of an upgrade: migrations only add, and this
    # worker goes on until it is replaced.
    if there is None or there < newest_migration():
        return {"migrations": "The database is not migrated: run `cadenza server init`."}
    return {}


def _is_writable(folder: Path) -> bool:
    """A folder that is not there yet is made with the first object."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)
