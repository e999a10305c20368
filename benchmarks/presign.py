"""Signing an upload URL: against boto3's own way to one."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks.figure import Pairs, Run, SkippedError, in_turn, seconds
from cadenza_server import ServerSettings
from cadenza_server.builtin_store import BuiltinStore, FileStore, Signer
from cadenza_server.keyring import Keyring
from cadenza_server.storage import PutPromise, Storage, StorageSetupError
from cadenza_server.stores import open_s3

_KEY = "dev/cadenza/videos/7/6f0c0c2e-6a52-4a3c-9a5e-2f6a4f3b9a10.mp4"
_SHA256 = hashlib.sha256(b"a take").hexdigest()
_PROMISE = PutPromise("video/mp4", size_bytes=8_123_456, sha256=_SHA256, if_none_match=True)
_URLS = 500


def against_boto3(run: Run) -> Pairs:
    """Microseconds for a presigned PUT with everything declared, and for `boto3`'s the same."""
    try:
        store = open_s3(_settings(run))
    except StorageSetupError as error:
        raise SkippedError(str(error)) from None
    parameters = {
        "Bucket": store.bucket,
        "Key": _KEY,
        "ContentType": _PROMISE.content_type,
        "ContentLength": _PROMISE.size_bytes,
        "ChecksumSHA256": _SHA256[:44],
        "IfNoneMatch": "*",
        "ServerSideEncryption": "AES256",
    }
    return _compare(
        run,
        lambda: store.presign_put(_KEY, _PROMISE, expires_in=3600),
        lambda: store.client.generate_presigned_url(
            "put_object", Params=parameters, ExpiresIn=3600
        ),
    )


def built_in(run: Run) -> Pairs:
    """Microseconds for the same at the built-in store, and in a bucket."""
    keyring = Keyring.from_settings(_settings(run))
    files = FileStore(run.folder / "objects")
    ours: Storage = BuiltinStore(
        files, Signer(keyring), lambda: datetime.now(UTC), "https://cadenza.example"
    )
    s3 = open_s3(_settings(run))
    return _compare(
        run,
        lambda: ours.presign_put(_KEY, _PROMISE, expires_in=3600),
        lambda: s3.presign_put(_KEY, _PROMISE, expires_in=3600),
    )


def _settings(run: Run) -> ServerSettings:
    return ServerSettings(
        data_dir=run.folder,
        storage="s3",
        s3_bucket="takes",
        s3_region="eu-west-1",
        s3_access_key_id="AKIDEXAMPLE",
        s3_secret_access_key="a secret of forty characters, as they are",
    )


def _compare(run: Run, ours: Callable[[], object], peer: Callable[[], object]) -> Pairs:
    count = run.size(_URLS)

    def each(sign: Callable[[], object]) -> Callable[[], float]:
        def measure() -> float:
            return seconds(lambda: [sign() for _ in range(count)])

        return measure

    pairs = in_turn(each(ours), each(peer), pairs=run.many_pairs, warm_up=2)
    return pairs.scaled(ours=1e6 / count, peer=1e6 / count)
