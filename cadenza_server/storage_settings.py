"""Where the objects live: the part of the settings that speaks of storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

Sse = Literal["AES256", "off"]
_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
_DEFAULT_REGION = "us-east-1"


def _from(field: str, *names: str, **options: Any) -> Any:
    """An optional field that is read from the first of these names that is set."""
    return Field(default=None, validation_alias=AliasChoices(*names, field), **options)


class StorageSettings(BaseSettings):
    """The built-in store by default; a bucket when `CADENZA_STORAGE` is `s3` (B-51).

    The names of the documents that came before are accepted beside `CADENZA_S3_BUCKET` and
    `AWS_REGION`. Credentials that are not set here are looked for where AWS's own tools look:
    the role of the machine, a profile, a file.
    """

    storage: Literal["local", "s3"] = Field(
        default="local", description="the built-in object store, or a bucket"
    )
    storage_dir: Path | None = Field(default=None, description="default: objects/ in data_dir")

    s3_bucket: str | None = _from(
        "s3_bucket",
        "CADENZA_S3_BUCKET",
        "AWS_S3_BUCKET",
        "S3_BUCKET_NAME",
        "S3_COACH_VIDEOS_BUCKET",
        pattern=_BUCKET,
        description="the bucket; needed with s3",
    )
    s3_region: str | None = _from(
        "s3_region",
        "CADENZA_S3_REGION",
        "AWS_REGION",
        "S3_REGION",
        "AWS_DEFAULT_REGION",
        description="the bucket's region; needed at AWS",
    )
    s3_endpoint: str | None = _from(
        "s3_endpoint",
        "CADENZA_S3_ENDPOINT",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",
        description="of a store other than AWS, as this server reaches it",
    )
    s3_public_endpoint: str | None = Field(
        default=None, description="the same store as clients reach it; default: s3_endpoint"
    )
    s3_addressing: Literal["auto", "path", "virtual"] = Field(
        default="auto",
        description="bucket in the path or in the host; auto: host at AWS, path elsewhere",
    )
    s3_access_key_id: str | None = _from(
        "s3_access_key_id",
        "AWS_ACCESS_KEY_ID",
        description="default: what AWS's own tools would use, such as the machine's role",
    )
    s3_secret_access_key: SecretStr | None = _from(
        "s3_secret_access_key", "AWS_SECRET_ACCESS_KEY", description="belongs to the key's id"
    )
    s3_session_token: SecretStr | None = _from(
        "s3_session_token", "AWS_SESSION_TOKEN", description="of temporary credentials"
    )
    s3_read_back: bool = Field(
        default=True,
        description="hash what is stored at the confirm where the store tells no checksum",
    )
    sse: Sse | None = Field(
        default=None,
        description="encryption asked of the store; default: AES256 at AWS, off elsewhere",
    )

    @model_validator(mode="after")
    def _check_bucket(self) -> Self:
        if self.storage != "s3":
            return self
        if self.s3_bucket is None:
            raise ValueError("CADENZA_STORAGE=s3 needs the bucket's name in CADENZA_S3_BUCKET")
        if self.s3_region is None and self.s3_endpoint is None:
            raise ValueError("CADENZA_STORAGE=s3 needs the bucket's region in AWS_REGION")
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together")
        for endpoint in (self.s3_endpoint, self.s3_public_endpoint):
            if endpoint is not None and not endpoint.startswith(("https://", "http://")):
                raise ValueError("CADENZA_S3_ENDPOINT must begin with https:// or http://")
        return self

    @property
    def region(self) -> str:
        """The region requests are signed for."""
        return self.s3_region or _DEFAULT_REGION

    @property
    def encryption(self) -> Sse:
        """What is asked of the store for new objects (B-50)."""
        return self.sse or ("off" if self.s3_endpoint else "AES256")

    @property
    def addressing(self) -> Literal["path", "virtual"]:
        """How the bucket is named in a URL.

        A name with dots in it does not fit the certificate of `*.s3.<region>.amazonaws.com`.
        """
        if self.s3_addressing != "auto":
            return self.s3_addressing
        return "path" if self.s3_endpoint or "." in (self.s3_bucket or "") else "virtual"
