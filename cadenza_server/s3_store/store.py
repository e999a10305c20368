"""`Storage` on a bucket."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from cadenza_server.downloading import whole_file
from cadenza_server.s3_store.client import (
    make_client,
    make_session,
    refusal_code,
    s3_errors,
)
from cadenza_server.s3_store.signing import UrlSigner
from cadenza_server.storage import (
    Listed,
    ObjectMissingError,
    PutPromise,
    SignedPut,
    StorageSetupError,
    StorageUnavailableError,
    StoredObject,
    as_attachment,
)
from cadenza_server.storage_settings import StorageSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MULTIPART_BYTES = 100_000_000
_PART_BYTES = 16 * 1024 * 1024
_PARTS_AT_ONCE = 4
_BLOCK_BYTES = 1024 * 1024
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


class S3Store:
    """`Storage` on a bucket.

    What the store verifies and what the server does is in `docs/storage.md`.

    Args:
        client: for the server's own requests.
        bucket: its name.
        signer: for the clients' requests.
        encryption: asked of the store for every new object; off leaves it to the bucket.
        multipart_bytes: a file longer than this is sent in parts.
        part_bytes: how long a part is; S3 wants 5 MiB at least.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        signer: UrlSigner,
        *,
        encryption: Literal["AES256", "off"] = "off",
        multipart_bytes: int = MULTIPART_BYTES,
        part_bytes: int = _PART_BYTES,
    ) -> None:
        self.client = client
        self.bucket = bucket
        self.signer = signer
        self.encryption: dict[str, Any] = (
            {} if encryption == "off" else {"ServerSideEncryption": encryption}
        )
        self._encryption_headers = (
            {} if encryption == "off" else {"x-amz-server-side-encryption": encryption}
        )
        self._transfer = TransferConfig(
            multipart_threshold=multipart_bytes,
            multipart_chunksize=part_bytes,
            max_concurrency=_PARTS_AT_ONCE,
        )
        self._multipart_bytes = multipart_bytes

    @classmethod
    def from_settings(cls, settings: StorageSettings) -> S3Store:
        """The store the settings name; no request is made.

        Raises:
            StorageSetupError: boto3 finds no credentials, or does not understand the endpoint.
        """
        assert settings.s3_bucket is not None
        endpoint, public_endpoint = settings.s3_endpoint, settings.s3_public_endpoint
        try:
            session = make_session(settings)
            client = public = make_client(session, settings, endpoint=endpoint)
            if public_endpoint not in (None, endpoint):
                public = make_client(session, settings, endpoint=public_endpoint)
            # boto3 knows where a bucket is, with every rule of regions and addressing; that part
            # of the URL is the same for all keys, so it is asked once.
            sample = public.generate_presigned_url(
                "get_object", Params={"Bucket": settings.s3_bucket, "Key": "k"}
            )
            credentials = session.get_credentials()
        except (BotoCoreError, ValueError) as error:
            raise StorageSetupError(f"The S3 storage cannot be used: {error}") from None
        assert credentials is not None, "there was a signature"
        bucket_url = sample.partition("?")[0].removesuffix("/k")
        signer = UrlSigner(bucket_url, settings.region, credentials)
        return cls(client, settings.s3_bucket, signer, encryption=settings.encryption)

    @property
    def origin(self) -> str:
        """Scheme and host of the signed URLs, for a page's content security policy."""
        return self.signer.origin

    def presign_put(self, key: str, promise: PutPromise, *, expires_in: int) -> SignedPut:
        """See `Storage`; binds everything that was promised.

        For a client that promised nothing (v1) only the content type is bound: it sends no other
        header, so one that was signed would make its upload fail (W7, B-13). Its objects are
        encrypted by the bucket's default (B-50).
        """
        headers = {"Content-Type": promise.content_type}
        if promise.size_bytes is not None:
            headers["Content-Length"] = str(promise.size_bytes)
        if promise.sha256 is not None:
            headers["x-amz-checksum-sha256"] = _base64_of(promise.sha256)
        if promise.if_none_match:
            headers["If-None-Match"] = "*"
        if len(headers) > 1:
            headers.update(self._encryption_headers)
        url = self.signer.sign("PUT", key, expires_in=expires_in, headers=headers)
        return SignedPut(url, headers)

    def presign_get(self, key: str, *, expires_in: int, download_name: str | None = None) -> str:
        """See `Storage`; ranges need no signature."""
        parameters = {}
        if download_name:
            parameters["response-content-disposition"] = as_attachment(download_name)
        return self.signer.sign("GET", key, expires_in=expires_in, parameters=parameters)

    def head(self, key: str) -> StoredObject | None:
        """See `Storage`; `sha256` is None where the store tells no checksum of the whole object."""
        with s3_errors("HeadObject"):
            try:
                found = self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
            except ClientError as error:
                if refusal_code(error) in _ABSENT:
                    return None
                raise
        return StoredObject(
            key=key,
            size_bytes=found["ContentLength"],
            etag=found["ETag"],
            sha256=_hex_of(found.get("ChecksumSHA256")),
            content_type=found.get("ContentType", "binary/octet-stream"),
            modified_at=found["LastModified"],
        )

    def read_start(self, key: str, length: int) -> bytes:
        """See `Storage`."""
        with s3_errors("GetObject"):
            try:
                found = self.client.get_object(
                    Bucket=self.bucket, Key=key, Range=f"bytes=0-{length - 1}"
                )
            except ClientError as error:
                if refusal_code(error) in {*_ABSENT, "InvalidRange", "416"}:  # empty: no range fits
                    return b""
                raise
            with closing(found["Body"]) as body:
                # Read to its end, its length is checked; who ignores ranges would send it all.
                return bytes(body.read() if found["ContentLength"] <= length else body.read(length))

    def digest(self, key: str, etag: str) -> str | None:
        """See `Storage`."""
        sha256 = hashlib.sha256()
        with s3_errors("GetObject"):
            try:
                found = self.client.get_object(Bucket=self.bucket, Key=key, IfMatch=etag)
            except ClientError as error:
                if refusal_code(error) in {*_ABSENT, "PreconditionFailed", "412"}:
                    return None
                raise
            with closing(found["Body"]) as body:
                for block in body.iter_chunks(_BLOCK_BYTES):
                    sha256.update(block)
        return sha256.hexdigest()

    def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
        """See `Storage`; the store checks the bytes against our checksum if it can."""
        self._put(key, data, hashlib.sha256(data).digest(), content_type)
        return self._stored(key, len(data))

    def put_file(self, key: str, source: Path, content_type: str) -> StoredObject:
        """See `Storage`; in parts when long, which are removed again when one of them fails."""
        size_bytes = source.stat().st_size
        if size_bytes <= self._multipart_bytes:
            with source.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
                file.seek(0)
                self._put(key, file, digest, content_type)
        else:
            options = {"ContentType": content_type, **self.encryption}
            with s3_errors("UploadPart"):
                self.client.upload_file(
                    str(source), self.bucket, key, ExtraArgs=options, Config=self._transfer
                )
        return self._stored(key, size_bytes)

    def fetch(self, key: str, destination: Path) -> None:
        """See `Storage`."""
        with s3_errors("GetObject"):
            try:
                found = self.client.get_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if refusal_code(error) in _ABSENT:
                    raise ObjectMissingError(key) from None
                raise
            with closing(found["Body"]) as body, whole_file(destination) as file:
                shutil.copyfileobj(body, file, _BLOCK_BYTES)

    def listing(self, prefix: str) -> Iterator[Listed]:
        """See `Storage`; a thousand keys a request."""
        pages = iter(
            self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        )
        while True:
            with s3_errors("ListObjectsV2"):
                page = next(pages, None)
            if page is None:
                return
            for found in page.get("Contents", ()):
                yield Listed(found["Key"], found["Size"])

    def delete(self, key: str) -> None:
        """See `Storage`."""
        with s3_errors("DeleteObject"):
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def _put(self, key: str, body: bytes | BinaryIO, sha256: bytes, content_type: str) -> None:
        with s3_errors("PutObject"):
            self.client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumSHA256=base64.b64encode(sha256).decode(),
                **self.encryption,
            )

    def _stored(self, key: str, size_bytes: int) -> StoredObject:
        """What the store says it has now; anything but the whole of it is a failure."""
        stored = self.head(key)
        if stored is None or stored.size_bytes != size_bytes:
            raise StorageUnavailableError(
                f"S3 stored {stored and stored.size_bytes} bytes of {key}"
            )
        return stored


def _base64_of(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _hex_of(checksum: str | None) -> str | None:
    """The digest of the whole object; one made of its parts' digests (`…-3`) is another thing."""
    if checksum is None or "-" in checksum:
        return None
    return base64.b64decode(checksum).hex()
