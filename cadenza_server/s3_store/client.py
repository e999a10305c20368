"""boto3's client for the settings' bucket, and one error for all that can go wrong with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cadenza_server.storage import StorageUnavailableError
from cadenza_server.storage_settings import StorageSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A route's thread waits for these: at worst attempts x (connect + read), about a minute.
_CONNECT_SECONDS = 5
_READ_SECONDS = 15
_ATTEMPTS = 3
# As many as there are threads for routes: none of them waits for a connection.
_CONNECTIONS = 40

_log = logging.getLogger("cadenza.server")


def refusal_code(error: ClientError) -> str:
    """S3's name for the refusal, or the bare status where the answer had no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def s3_errors(operation: str) -> Iterator[None]:
    """Whatever boto3 or the network raise inside becomes `StorageUnavailableError`."""
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        code = refusal_code(error) if isinstance(error, ClientError) else type(error).__name__
        _log.warning("storage_failed", extra={"operation": operation, "code": code})
        raise StorageUnavailableError(f"S3 {operation}: {code}") from error


def make_session(settings: StorageSettings) -> boto3.session.Session:
    """A session with the settings' credentials, or with those AWS's own tools would find."""
    secret, token = settings.s3_secret_access_key, settings.s3_session_token
    return boto3.session.Session(
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        aws_session_token=token.get_secret_value() if token else None,
        region_name=settings.region,
    )


def make_client(
    session: boto3.session.Session, settings: StorageSettings, *, endpoint: str | None
) -> S3Client:
    """A client of the settings' bucket; safe to share between threads.

    Args:
        session: has the credentials.
        settings: region, addressing.
        endpoint: of the store; None for AWS.
    """
    client: S3Client = session.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            signature_version="s3v4",
            # Said outright, because left to itself boto3 signs for the global host, and a bucket
            # of another region answers that with a redirect that no upload follows (O12).
            s3={"addressing_style": settings.addressing},
            # Stores other than AWS refuse the checksums boto3 adds on its own.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=_CONNECTIONS,
            tcp_keepalive=True,
        ),
    )
    return client
