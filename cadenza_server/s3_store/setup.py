"""`cadenza server init-storage`: a bucket made ready, and a word on what its store can do."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from botocore.exceptions import ClientError

from cadenza_server.s3_store.client import refusal_code, s3_errors
from cadenza_server.s3_store.store import S3Store
from cadenza_server.storage import StorageSetupError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CORSRuleTypeDef, LifecycleRuleOutputTypeDef

Outcome = Literal["done", "unchanged", "unsupported", "not_allowed", "kept", "not_kept"]

_ABORT_AFTER_DAYS = 2
_OUR_RULES = "cadenza-"
_NO_RULES = frozenset({"NoSuchLifecycleConfiguration", "NoSuchCORSConfiguration"})
# What stores answer to a request they do not know. Swift takes `?lifecycle` for a malformed
# creation of the bucket.
_UNKNOWN_REQUEST = frozenset(
    {"NotImplemented", "501", "MethodNotAllowed", "405", "MalformedXML", "InvalidRequest"}
)
_FORBIDDEN = frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled"})
_MISSING = frozenset({"404", "NoSuchBucket", "NotFound"})
_OWN = frozenset({"BucketAlreadyOwnedByYou"})


@dataclass(frozen=True)
class Step:
    """One thing that was set up or tried.

    Attributes:
        name: bucket, lifecycle, cors, checksum, checksum_told, overwrite or encryption.
        outcome: of a setting: done, unchanged, unsupported or not_allowed; of a promise that was
            tried: kept or not_kept.
        sentence: what it means, for a person.
    """

    name: str
    outcome: Outcome
    sentence: str


def set_up(
    store: S3Store, *, region: str, is_aws: bool, origins: Sequence[str], prefix: str
) -> tuple[Step, ...]:
    """Make the bucket, its lifecycle and its CORS rules, and try what uploads rely on.

    Safe to repeat: rules of others are left as they are.

    Args:
        store: of which bucket.
        region: where a new bucket is made.
        is_aws: AWS wants the region said, except for its first one.
        origins: of the pages whose scripts may read and write objects.
        prefix: what every key begins with; the objects of the try are below it and go again.

    Raises:
        StorageSetupError: there is no bucket that can be used; the sentence says why.
        cadenza_server.storage.StorageUnavailableError: the store does not answer.
    """
    return (
        _make_bucket(store, region if is_aws and region != "us-east-1" else None),
        _set_lifecycle(store),
        _set_cors(store, origins),
        *_try_promises(store, f"{prefix}cadenza/.init-storage/{uuid4().hex}"),
    )


def _make_bucket(store: S3Store, location: str | None) -> Step:
    client, name = store.client, store.bucket
    with s3_errors("HeadBucket"):
        try:
            client.head_bucket(Bucket=name)
        except ClientError as error:
            code = refusal_code(error)
            if code in _FORBIDDEN:
                raise StorageSetupError(
                    f"The bucket {name} is there, but these credentials may not use it, "
                    "or it belongs to somebody else."
                ) from None
            if code not in _MISSING:
                raise
        else:
            return Step("bucket", "unchanged", f"The bucket {name} is there.")
        options: Any = {}
        if location is not None:
            options["CreateBucketConfiguration"] = {"LocationConstraint": location}
        try:
            client.create_bucket(Bucket=name, **options)
        except ClientError as error:
            code = refusal_code(error)
            if code not in _OWN:
                raise StorageSetupError(
                    f"There is no bucket {name}, and these credentials may not make it ({code})."
                ) from None
    return Step("bucket", "done", f"The bucket {name} was made.")


def _set_lifecycle(store: S3Store) -> Step:
    client, bucket = store.client, store.bucket

    def read() -> list[LifecycleRuleOutputTypeDef]:
        return client.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])

    def write(rules: Any) -> None:
        client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": rules}
        )

    ours: list[LifecycleRuleOutputTypeDef] = [
        {
            "ID": f"{_OUR_RULES}abort-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_AFTER_DAYS},
        },
    ]
    outcome = _merge(read, write, ours)
    return Step(
        "lifecycle",
        outcome,
        {
            "unsupported": "The store has no lifecycle rules: remove uploads in parts that never "
            "ended by a job of your own.",
            "not_allowed": "These credentials may not set lifecycle rules; ask the store's owner "
            f"to abort incomplete multipart uploads after {_ABORT_AFTER_DAYS} days.",
        }.get(outcome, f"Parts of broken uploads go after {_ABORT_AFTER_DAYS} days."),
    )


def _set_cors(store: S3Store, origins: Sequence[str]) -> Step:
    if not origins:
        return Step(
            "cors",
            "unchanged",
            "No page was named: set CADENZA_CORS_ORIGINS or CADENZA_PUBLIC_URL to let browsers "
            "upload and play.",
        )
    client, bucket = store.client, store.bucket

    def read() -> list[CORSRuleTypeDef]:
        return client.get_bucket_cors(Bucket=bucket).get("CORSRules", [])  # type: ignore[return-value]

    def write(rules: Any) -> None:
        client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})

    ours: list[CORSRuleTypeDef] = [
        {
            "ID": f"{_OUR_RULES}pages",
            "AllowedOrigins": list(origins),
            "AllowedMethods": ["GET", "HEAD", "PUT"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag", "Accept-Ranges", "Content-Range", "Content-Length"],
            "MaxAgeSeconds": 3600,
        }
    ]
    outcome = _merge(read, write, ours)
    pages = ", ".join(origins)
    return Step(
        "cors",
        outcome,
        {
            "unsupported": "The store has no CORS rules over its S3 interface: allow them in its "
            f"own settings, or in the proxy before it, for {pages}.",
            "not_allowed": "These credentials may not set CORS rules; ask the store's owner to "
            f"allow GET, HEAD and PUT from {pages}.",
        }.get(outcome, f"Pages of {pages} may upload and play."),
    )


def _merge(
    read: Callable[[], Sequence[Any]], write: Callable[[Any], None], ours: Sequence[Any]
) -> Outcome:
    """Put our rules among those that are there, and look whether they were kept."""
    with s3_errors("bucket rules"):
        try:
            present = _present(read)
            others = [rule for rule in present if not rule.get("ID", "").startswith(_OUR_RULES)]
            wanted = [*others, *ours]
            if _same(present, wanted):
                return "unchanged"
            write(wanted)
            return "done" if _same(_present(read), wanted) else "unsupported"
        except ClientError as error:
            if refusal_code(error) in _FORBIDDEN:
                return "not_allowed"
            if refusal_code(error) in _UNKNOWN_REQUEST:
                return "unsupported"
            raise


def _present(read: Callable[[], Sequence[Any]]) -> list[Any]:
    try:
        return list(read())
    except ClientError as error:
        if refusal_code(error) in _NO_RULES:
            return []
        raise


def _same(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Whether the same rules are in both, by their names and what ours say."""
    by_name = [{rule.get("ID"): rule for rule in rules} for rules in (left, right)]
    return by_name[0].keys() == by_name[1].keys() and all(
        _says(by_name[0][name], rule) for name, rule in by_name[1].items()
    )


def _says(rule: Any, wanted: Any) -> bool:
    """Whether a rule says all that is wanted; stores add words of their own."""
    return all(rule.get(name) == value for name, value in wanted.items())


def _try_promises(store: S3Store, key: str) -> tuple[Step, ...]:
    """Put small objects, rightly and wrongly, and tell what the store makes of them."""
    client, bucket = store.client, store.bucket
    right = base64.b64encode(hashlib.sha256(b"right").digest()).decode()

    def put(**options: Any) -> str | None:
        try:
            client.put_object(Bucket=bucket, Key=key, Body=b"right", **store.encryption | options)
        except ClientError as error:
            return refusal_code(error)
        return None

    with s3_errors("PutObject"):
        refused = put()
        if refused is not None:
            raise StorageSetupError(
                f"Nothing can be stored in the bucket {bucket}: the store answers {refused}."
            )
        try:
            wrong = base64.b64encode(hashlib.sha256(b"wrong").digest()).decode()
            checks = put(ChecksumSHA256=wrong) is not None
            keeps = put(IfNoneMatch="*") in {"PreconditionFailed", "412"}
            encrypts = put(ServerSideEncryption="AES256") is None
            tells = put(ChecksumSHA256=right) is None and store_tells(store, key)
        finally:
            client.delete_object(Bucket=bucket, Key=key)
    return (
        _promise(
            "checksum",
            kept=checks,
            yes="The store refuses bytes that are not those of the signed checksum.",
            no="The store ignores checksums; damaged bytes are found at the confirm.",
        ),
        _promise(
            "checksum_told",
            kept=tells,
            yes="The store tells checksums: a confirm reads nothing back.",
            no="The store tells no checksum: each confirm reads the take back and hashes it "
            "(CADENZA_S3_READ_BACK=off leaves it at the size).",
        ),
        _promise(
            "overwrite",
            kept=keeps,
            yes="The store keeps what is there when a URL says so.",
            no="The store overwrites whatever a URL says: a URL can replace a take until it "
            "expires.",
        ),
        _promise(
            "encryption",
            kept=encrypts,
            yes="The store encrypts with AES256 when asked.",
            no="The store does not know server-side encryption: set CADENZA_SSE=off.",
        ),
    )


def store_tells(store: S3Store, key: str) -> bool:
    """Whether the store tells the checksum of an object that was sent with one."""
    stored = store.head(key)
    return stored is not None and stored.sha256 is not None


def _promise(name: str, *, kept: bool, yes: str, no: str) -> Step:
    return Step(name, "kept" if kept else "not_kept", yes if kept else no)
