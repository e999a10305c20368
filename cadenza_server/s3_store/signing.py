"""Signed URLs, by botocore's own signer but without the client around it.

`generate_presigned_url` looks the endpoint up and validates the parameters again for every URL,
which is most of its time (`python dev.py bench --only presign`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from cadenza_server.s3_store.client import s3_errors

if TYPE_CHECKING:
    from botocore.credentials import Credentials


@dataclass(frozen=True)
class UrlSigner:
    """Signs URLs of one bucket.

    Args:
        bucket_url: where the bucket is for clients, without a trailing slash.
        region: as the store knows it.
        credentials: asked at every signature, because those of a role are renewed.
    """

    bucket_url: str
    region: str
    credentials: Credentials

    def sign(
        self,
        method: str,
        key: str,
        *,
        expires_in: int,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> str:
        """A URL for one method and key; `headers` are bound with their values (SEC-07)."""
        url = f"{self.bucket_url}/{quote(key)}"
        if parameters:
            url += "?" + urlencode(parameters, quote_via=quote)
        request = AWSRequest(method=method, url=url, headers=dict(headers or {}))
        with s3_errors("credentials"):
            frozen = self.credentials.get_frozen_credentials()
        S3SigV4QueryAuth(frozen, "s3", self.region, expires=expires_in).add_auth(request)
        return str(request.url)

    @property
    def origin(self) -> str:
        """Scheme and host of the URLs, for a page's content security policy."""
        parts = urlsplit(self.bucket_url)
        return f"{parts.scheme}://{parts.netloc}"
