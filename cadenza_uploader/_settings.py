"""Settings of the uploader: keyword > environment > config.toml > default.

Nothing is read at import time; `Settings.load` takes the environment as an argument.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from cadenza_uploader._backoff import BackoffPolicy
from cadenza_uploader._home import Home
from cadenza_uploader._policy import Policy, Window
from cadenza_uploader.errors import UploaderError


class SettingsError(UploaderError):
    """A setting has a value that cannot be used."""

    code = "invalid_settings"


@dataclass(frozen=True, slots=True)
class Timings:
    """Every duration of the uploader, in seconds (60-reliability §4.6)."""

    backoff: BackoffPolicy
    probe_first_seconds: float
    probe_cap_seconds: float
    poll_seconds: float
    stop_grace_seconds: float
    cleanup_retry_seconds: float
    inactivity_seconds: float
    reply_seconds: float
    connect_seconds: float
    quick_tries: int = 3
    quick_base_seconds: float = 0.5
    quick_cap_seconds: float = 8.0

    @classmethod
    def real(cls) -> Timings:
        """What people get."""
        return cls(BackoffPolicy(), 5.0, 60.0, 30.0, 4.0, 3600.0, 30.0, 60.0, 10.0)

    @classmethod
    def fast(cls) -> Timings:
        """The same proportions in fractions of a second, for tests and the conformance kit."""
        backoff = BackoffPolicy(
            base_seconds=0.05,
            cap_seconds=1.0,
            slow_seconds=2.0,
            exhausted_seconds=1.0,
            hint_cap_seconds=10.0,
        )
        return cls(backoff, 0.1, 0.5, 0.5, 4.0, 1.0, 1.0, 2.0, 1.0, 2, 0.02, 0.1)


class Settings(BaseModel):
    """What a user may set, by `CADENZA_*`, `config.toml` or keyword.

    Attributes:
        home: directory of the queue.
        url: base URL of the API.
        token: bearer token; overrides the stored sign-in.
        max_seconds: longest take in seconds (F000-20).
        max_upload_bytes: hard cap in bytes (B-17).
        fit: `auto` makes a 720p copy of what is too large instead of refusing it.
        max_attempts: counted attempts before a take is `failed` and slows down.
        rate_limit: bytes per second, None for no limit.
        concurrency: takes sent at once at most; a second only where the line is fast.
        storage_hosts: hosts, beside the API's own, that may receive bytes (SEC-09).
        allow_metered: False sends only over connections that cost nothing extra.
        hours: local hours in which to send, such as `22:00-06:30`; None for always.
    """

    # Not pydantic-settings: `load` merges the sources itself, and importing that library would
    # cost every command a tenth of a second.
    model_config = ConfigDict(frozen=True, extra="ignore")

    home: Path
    url: str = "http://127.0.0.1:8000"
    token: SecretStr | None = None
    max_seconds: int = Field(default=180, ge=1, le=180)
    max_upload_bytes: int = Field(default=250_000_000, ge=1)
    fit: Literal["off", "auto"] = "off"
    max_attempts: int = Field(default=8, ge=1)
    rate_limit: int | None = Field(default=None, ge=1)
    concurrency: int = Field(default=1, ge=1, le=2)
    log: str = "WARNING"
    timings: Literal["real", "fast"] = "real"
    storage_hosts: tuple[str, ...] = ()
    allow_metered: bool = True
    hours: str | None = None

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Read the settings; `overrides` that are None count as not given.

        Raises:
            SettingsError: a value is malformed, or `config.toml` cannot be used.
        """
        env = os.environ if env is None else env
        given = {name: value for name, value in overrides.items() if value is not None}
        from_env = {
            name: env[key] for name in cls.model_fields if env.get(key := f"CADENZA_{name.upper()}")
        }
        home = Path(
            given.get("home") or from_env.get("home") or platformdirs.user_data_path("cadenza")
        ).expanduser()
        merged: dict[str, Any] = {**_read_config(Home(home).config), **from_env, **given}
        hosts = merged.get("storage_hosts")
        if isinstance(hosts, str):
            merged["storage_hosts"] = tuple(h.strip() for h in hosts.split(",") if h.strip())
        try:
            merged["home"] = home
            return cls(**merged)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            reason = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"The setting {name} cannot be used: {reason}.") from None

    @field_validator("url")
    @classmethod
    def _url_names_a_server(cls, url: str) -> str:
        # The client judges the rest (SEC-05); this is what queued takes are bound to.
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address looks like https://studio.example")
        return url

    @field_validator("hours")
    @classmethod
    def _hours_are_readable(cls, hours: str | None) -> str | None:
        if hours is not None:
            Window.parse(hours)
        return hours

    @property
    def policy(self) -> Policy:
        """When the user allows sending."""
        window = Window.parse(self.hours) if self.hours else None
        return Policy(allow_metered=self.allow_metered, window=window)

    @property
    def durations(self) -> Timings:
        """The timings profile in seconds."""
        return Timings.fast() if self.timings == "fast" else Timings.real()


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        # Not TOML, or not even text.
        raise SettingsError(f"{path} is not valid TOML: {error}.") from None
