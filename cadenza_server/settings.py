"""Settings of the server: arguments, then `CADENZA_*` of the environment, then these defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from cadenza_server.operations_settings import OperationsSettings
from cadenza_server.storage_settings import StorageSettings

DEV_SECRET = "cadenza-dev-secret-never-use-outside-dev"  # noqa: S105 - refused outside dev
MIN_SECRET_LENGTH = 32
# Requests a minute. A queue that comes back from a week offline sends hundreds of takes at once,
# so dev limits exist only to be there: 60,000 a minute throttles no benchmark and no demo.
_RATES: dict[str, dict[str, int]] = {
    "dev": {"auth": 6_000, "write": 60_000, "read": 60_000},
    "other": {"auth": 10, "write": 30, "read": 100},
}


def _check_secret(name: str, secret: SecretStr) -> None:
    if secret.get_secret_value() == DEV_SECRET:
        raise ValueError(f"{name} must be set to a secret of your own outside dev")
    if len(secret.get_secret_value()) < MIN_SECRET_LENGTH:
        raise ValueError(f"{name} needs at least {MIN_SECRET_LENGTH} characters outside dev")


class ServerSettings(StorageSettings, OperationsSettings):
    """Everything the server can be told. Names in the environment carry the prefix `CADENZA_`.

    Raises:
        pydantic.ValidationError: outside `dev`, when the secret is the default one or shorter
            than 32 characters, or a rule below is broken.
    """

    model_config = SettingsConfigDict(
        env_prefix="CADENZA_",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,
    )

    env: Literal["dev", "staging", "prod"] = "dev"
    data_dir: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("cadenza-server"),
        validation_alias=AliasChoices("CADENZA_SERVER_DIR", "data_dir"),
        description="where the embedded database and the built-in object store live",
    )
    db: str = Field(default="", description="SQLAlchemy URL or a path; default: in data_dir")
    secret: SecretStr = SecretStr(DEV_SECRET)
    secret_id: str = Field(default="k1", pattern=r"^[A-Za-z0-9_-]{1,16}$")
    previous_secrets: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="id → secret; still accepted, never used to sign (rotation)",
    )
    token_days: int = Field(default=30, ge=1, le=365)

    public_url: str = Field(
        default="", description="where clients reach the server; default: what they asked for"
    )
    upload_url_expires_seconds: int = Field(
        default=3600,
        ge=60,
        le=604_800,
        validation_alias=AliasChoices(
            "CADENZA_UPLOAD_URL_EXPIRES_SECONDS",
            "S3_UPLOAD_URL_EXPIRES_SECONDS",
            "upload_url_expires_seconds",
        ),
    )
    max_upload_bytes: int = Field(default=250_000_000, ge=1)
    upload_idle_seconds: float = Field(default=30.0, gt=0)
    takes_per_day: int | None = Field(
        default=None, ge=1, description="quota of new takes for one student in 24 h; None: no quota"
    )

    derivatives: Literal["on", "off"] = Field(
        default="on",
        description="make storyboards, waveforms and loudness facts, and an MP4 of a WebM",
    )

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    rate_auth_per_minute: int | None = Field(default=None, ge=1)
    rate_write_per_minute: int | None = Field(default=None, ge=1)
    rate_read_per_minute: int | None = Field(default=None, ge=1)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @model_validator(mode="after")
    def _refuse_default_secrets(self) -> Self:
        if self.env == "dev":
            return self
        _check_secret("CADENZA_SECRET", self.secret)
        for secret in self.previous_secrets.values():
            _check_secret("CADENZA_PREVIOUS_SECRETS", secret)
        return self

    @property
    def is_dev(self) -> bool:
        """True where dev tokens, dev sign-in and the default secret are accepted."""
        return self.env == "dev"

    @property
    def key_prefix(self) -> str:
        """What every object key starts with: empty in prod, `dev/` or `staging/` (F000-49)."""
        return "" if self.env == "prod" else f"{self.env}/"

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database."""
        if not self.db:
            return f"sqlite:///{self.data_dir / 'cadenza.db'}"
        return self.db if "://" in self.db else f"sqlite:///{self.db}"

    @property
    def objects_dir(self) -> Path:
        """The root of the built-in object store."""
        return self.storage_dir or self.data_dir / "objects"

    def rate_per_minute(self, kind: Literal["auth", "write", "read"]) -> int:
        """Requests a minute for one kind: what was set, else the environment's default."""
        chosen: int | None = getattr(self, f"rate_{kind}_per_minute")
        return chosen or _RATES["dev" if self.is_dev else "other"][kind]
