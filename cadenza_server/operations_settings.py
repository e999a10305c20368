"""How the server is run: workers, connections, logs, metrics. A part of the settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class OperationsSettings(BaseSettings):
    """The defaults serve a studio from one process."""

    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="server processes that share this database; `server run --workers` sets it",
    )
    db_pool_size: int = Field(
        default=10,
        ge=1,
        le=500,
        description="PostgreSQL: connections a worker keeps; twice as many under load",
    )
    db_statement_timeout_seconds: float = Field(
        default=30.0, gt=0, description="PostgreSQL: a longer statement is cancelled (503)"
    )
    db_lock_timeout_seconds: float = Field(
        default=10.0, gt=0, description="PostgreSQL: how long a write waits for its turn (503)"
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="one JSON object a line, or lines for people"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics: Literal["off", "on"] = Field(
        default="off", description="Prometheus metrics at /metrics"
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="a bearer token that /metrics asks for; without it anybody may read them",
    )
