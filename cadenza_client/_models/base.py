"""What every record of the API has in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

__all__ = ["Derivative", "Derivatives", "Model", "Timestamp", "null_as_empty"]


def _as_utc(value: datetime) -> datetime:
    # A v1 server writes naive times and means UTC.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def null_as_empty(value: Any) -> Any:
    """A list the server has nothing for may be null."""
    return () if value is None else value


Timestamp = Annotated[datetime, AfterValidator(_as_utc)]


class Model(BaseModel):
    """Frozen, tolerant of unknown fields, and silent about rejected input in its errors."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Derivative(Model):
    """Something the server makes of a video, and how far it is."""

    kind: str
    state: str


Derivatives = Annotated[tuple[Derivative, ...], BeforeValidator(null_as_empty)]
