"""Objects in an S3 bucket. Nothing outside this package imports boto3 or botocore."""

from __future__ import annotations

from cadenza_server.s3_store.store import S3Store

__all__ = ["S3Store"]
