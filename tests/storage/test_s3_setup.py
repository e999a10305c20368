"""Making a bucket ready where the store can do more than Swift: answers as AWS documents them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from cadenza_server.s3_store.setup import Step, set_up
from cadenza_server.s3_store.store import S3Store
from cadenza_server.storage import StorageSetupError, StorageUnavailableError
from cadenza_server.stores import open_s3
from tests.storage.test_s3_settings import s3

ORIGINS = ("https://cadenza.example",)
LIFECYCLE = {
    "ID": "cadenza-abort-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
}
CORS = {
    "ID": "cadenza-pages",
    "AllowedOrigins": list(ORIGINS),
    "AllowedMethods": ["GET", "HEAD", "PUT"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag", "Accept-Ranges", "Content-Range", "Content-Length"],
    "MaxAgeSeconds": 3600,
}
THEIRS = {
    "ID": "archive",
    "Status": "Enabled",
    "Filter": {"Prefix": "x/"},
    "Expiration": {"Days": 9},
}
THEIR_CORS = {"AllowedOrigins": ["https://other.example"], "AllowedMethods": ["GET"]}


class Script:
    """What the bucket will be asked, and what it answers."""

    def __init__(self) -> None:
        self.store: S3Store = open_s3(s3())
        self.stub = Stubber(self.store.client)

    def answer(self, operation: str, parameters: dict[str, Any] | None, **answer: Any) -> None:
        expected = None if parameters is None else {"Bucket": "takes", **parameters}
        self.stub.add_response(operation, answer, expected)

    def refuse(self, operation: str, code: str, status: int = 400) -> None:
        self.stub.add_client_error(operation, code, http_status_code=status)

    def there(self) -> None:
        self.answer("head_bucket", {})

    def rules(self, lifecycle: list[Any], cors: list[Any]) -> None:
        """All rules are as they should be already."""
        self.answer("get_bucket_lifecycle_configuration", {}, Rules=lifecycle)
        self.answer("get_bucket_cors", {}, CORSRules=cors)

    def promises(self, *, good: bool) -> None:
        """Four small objects: plain, with a wrong checksum, over another, encrypted, right."""
        put = {"Key": ANY, "Body": b"right", "ServerSideEncryption": "AES256"}
        self.answer("put_object", put)
        for more, code in (
            ({"ChecksumSHA256": ANY}, "BadDigest"),
            ({"IfNoneMatch": "*"}, "PreconditionFailed"),
        ):
            if good:
                self.refuse("put_object", code)
            else:
                self.answer("put_object", {**put, **more})
        if good:
            self.answer("put_object", put)
        else:
            self.refuse("put_object", "NotImplemented", 501)
        self.answer("put_object", {**put, "ChecksumSHA256": ANY})
        told = {"ChecksumSHA256": "A" * 43 + "="} if good else {}
        self.answer(
            "head_object",
            {"Key": ANY, "ChecksumMode": "ENABLED"},
            ContentLength=5,
            ETag='"e"',
            LastModified=0,
            **told,
        )
        self.answer("delete_object", {"Key": ANY})

    def run(self, **changes: Any) -> dict[str, Step]:
        options: dict[str, Any] = {
            "region": "eu-west-1",
            "is_aws": True,
            "origins": ORIGINS,
            "prefix": "dev/",
            **changes,
        }
        with self.stub:
            steps = {step.name: step for step in set_up(self.store, **options)}
            self.stub.assert_no_pending_responses()
        return steps


@pytest.fixture
def script() -> Script:
    return Script()


def test_a_store_with_everything_is_set_up_whole(script: Script) -> None:
    script.refuse("head_bucket", "404", 404)
    script.answer(
        "create_bucket", {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    )
    script.refuse("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration", 404)
    script.answer(
        "put_bucket_lifecycle_configuration", {"LifecycleConfiguration": {"Rules": [LIFECYCLE]}}
    )
    script.answer("get_bucket_lifecycle_configuration", {}, Rules=[LIFECYCLE])
    script.refuse("get_bucket_cors", "NoSuchCORSConfiguration", 404)
    script.answer("put_bucket_cors", {"CORSConfiguration": {"CORSRules": [CORS]}})
    script.answer("get_bucket_cors", {}, CORSRules=[CORS])
    script.promises(good=True)

    steps = script.run()

    assert {name: step.outcome for name, step in steps.items()} == {
        "bucket": "done",
        "lifecycle": "done",
        "cors": "done",
        "checksum": "kept",
        "checksum_told": "kept",
        "overwrite": "kept",
        "encryption": "kept",
    }


def test_rules_of_others_are_left_alone(script: Script) -> None:
    old = {**LIFECYCLE, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 30}}
    script.there()
    script.answer("get_bucket_lifecycle_configuration", {}, Rules=[THEIRS, old])
    script.answer(
        "put_bucket_lifecycle_configuration",
        {"LifecycleConfiguration": {"Rules": [THEIRS, LIFECYCLE]}},
    )
    script.answer("get_bucket_lifecycle_configuration", {}, Rules=[LIFECYCLE, THEIRS])
    script.answer("get_bucket_cors", {}, CORSRules=[THEIR_CORS])
    script.answer("put_bucket_cors", {"CORSConfiguration": {"CORSRules": [THEIR_CORS, CORS]}})
    script.answer("get_bucket_cors", {}, CORSRules=[THEIR_CORS, CORS])
    script.promises(good=True)

    steps = script.run()

    assert (steps["lifecycle"].outcome, steps["cors"].outcome) == ("done", "done")


def test_what_is_right_already_is_not_written_again(script: Script) -> None:
    script.there()
    script.rules([THEIRS, LIFECYCLE], [CORS])
    script.promises(good=True)

    steps = script.run()

    assert {steps[name].outcome for name in ("bucket", "lifecycle", "cors")} == {"unchanged"}


def test_a_store_that_swallows_rules_is_found_out(script: Script) -> None:
    """It said yes and kept nothing."""
    script.there()
    script.answer("get_bucket_lifecycle_configuration", {}, Rules=[])
    script.answer("put_bucket_lifecycle_configuration", None)
    script.answer("get_bucket_lifecycle_configuration", {}, Rules=[])
    script.refuse("get_bucket_cors", "NotImplemented", 501)
    script.promises(good=False)

    steps = script.run()

    assert (steps["lifecycle"].outcome, steps["cors"].outcome) == ("unsupported", "unsupported")
    assert {
        steps[name].outcome for name in ("checksum", "checksum_told", "overwrite", "encryption")
    } == {"not_kept"}


def test_credentials_that_may_only_store_are_enough(script: Script) -> None:
    """A district's administrator sets the rules by hand; the server gets no right to."""
    script.there()
    script.refuse("get_bucket_lifecycle_configuration", "AccessDenied", 403)
    script.refuse("get_bucket_cors", "AccessDenied", 403)
    script.promises(good=True)

    steps = script.run()

    assert (steps["lifecycle"].outcome, steps["cors"].outcome) == ("not_allowed", "not_allowed")
    assert "ask the store's owner" in steps["cors"].sentence


def test_without_a_page_there_is_no_cross_origin_to_allow(script: Script) -> None:
    script.there()
    script.answer("get_bucket_lifecycle_configuration", {}, Rules=[LIFECYCLE])
    script.promises(good=True)

    assert "CADENZA_PUBLIC_URL" in script.run(origins=())["cors"].sentence


@pytest.mark.parametrize(("region", "is_aws"), [("us-east-1", True), ("eu-west-1", False)])
def test_a_location_is_said_only_where_it_must_be(
    script: Script, region: str, is_aws: bool
) -> None:
    script.refuse("head_bucket", "404", 404)
    script.answer("create_bucket", {})
    script.rules([LIFECYCLE], [CORS])
    script.promises(good=True)

    assert script.run(region=region, is_aws=is_aws)["bucket"].outcome == "done"


def test_made_by_another_in_the_same_moment_is_made(script: Script) -> None:
    script.refuse("head_bucket", "404", 404)
    script.refuse("create_bucket", "BucketAlreadyOwnedByYou", 409)
    script.rules([LIFECYCLE], [CORS])
    script.promises(good=True)

    assert script.run()["bucket"].outcome == "done"


@pytest.mark.parametrize(
    ("looked", "made", "sentence"),
    [
        (("403", 403), None, "may not use it"),
        (("404", 404), ("AccessDenied", 403), "may not make it"),
        (("404", 404), ("BucketAlreadyExists", 409), "may not make it"),
    ],
)
def test_a_bucket_that_cannot_be_had_is_said_plainly(
    script: Script, looked: tuple[str, int], made: tuple[str, int] | None, sentence: str
) -> None:
    script.refuse("head_bucket", *looked)
    if made is not None:
        script.refuse("create_bucket", *made)

    with pytest.raises(StorageSetupError, match=sentence):
        script.run()


def test_a_bucket_nothing_can_be_put_into_is_of_no_use(script: Script) -> None:
    script.there()
    script.rules([LIFECYCLE], [CORS])
    script.refuse("put_object", "AccessDenied", 403)

    with pytest.raises(StorageSetupError, match="Nothing can be stored"):
        script.run()


def test_a_store_that_is_broken_is_not_taken_for_one_that_cannot(script: Script) -> None:
    script.there()
    script.refuse("get_bucket_lifecycle_configuration", "InternalError", 500)

    with pytest.raises(StorageUnavailableError, match="InternalError"):
        script.run()


def test_a_bucket_that_answers_strangely_is_not_taken_for_missing(script: Script) -> None:
    script.refuse("head_bucket", "500", 500)

    with pytest.raises(StorageUnavailableError):
        script.run()
