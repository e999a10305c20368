"""Which derivatives a video gets, what there is of them, and where they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select

from cadenza_server.database import Session
from cadenza_server.keys import is_webm
from cadenza_server.tables import MediaAsset, metadata

_TABLE = metadata.tables["derivatives"]
_FORGET = delete(_TABLE).where(_TABLE.c.asset_id == bindparam("of_asset"))
_READY = select(_TABLE.c.kind, _TABLE.c.facts).where(
    _TABLE.c.asset_id == bindparam("of_asset"), _TABLE.c.state == "ready"
)
KINDS = ("storyboard", "waveform", "loudness")


@dataclass(frozen=True)
class Made:
    """What is ready of one asset: facts by kind."""

    facts: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def wire(self, asset: MediaAsset) -> dict[str, Any]:
        """What a player needs, beside the URLs."""
        known = {kind: self.facts[kind] for kind in KINDS if kind in self.facts}
        return {**known, "fps": asset.fps, "duration_ms": asset.duration_ms}


def want(session: Session, asset: MediaAsset, at: datetime) -> None:
    """Ask for all that this asset gets; bytes that replaced others get them anew."""
    session.core.execute(_FORGET, {"of_asset": asset.id})
    kinds = [*KINDS, "normalise"] if is_webm(asset.content_type) else list(KINDS)
    session.core.execute(
        insert(_TABLE),
        [
            {
                "asset_id": asset.id,
                "kind": kind,
                "state": "pending",
                "attempts": 0,
                "facts": {},
                "created_at": at,
            }
            for kind in kinds
        ],
    )


def load_made(session: Session, asset_id: UUID) -> Made:
    """What is ready."""
    rows = session.core.execute(_READY, {"of_asset": asset_id}).all()
    return Made({row.kind: row.facts for row in rows})


def forget(session: Session, asset_id: UUID) -> None:
    """The asset is deleted: nothing is to be made of it any more."""
    session.core.execute(_FORGET, {"of_asset": asset_id})
