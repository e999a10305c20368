"""The error tree and the shared code list behind it."""

import copy
import json
import pickle
from importlib import resources
from typing import Any

import pytest

from cadenza_client import errors
from cadenza_client.errors import (
    APIError,
    CadenzaError,
    NotUploadedYetError,
    ServerError,
    StorageError,
    ValidationError,
    api_error_class,
    error_codes,
)

SIGNED = "https://bucket.example.com/k.mp4?X-Amz-Signature=canary&X-Amz-Credential=canary"


def _tree() -> list[type[CadenzaError]]:
    found = [CadenzaError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


def test_every_line_of_the_list_names_a_class_that_agrees_on_retrying() -> None:
    for line in error_codes().values():
        assert line.error_class.retryable is line.retryable, line.code
        assert 400 <= line.status < 600
        assert line.sentence.endswith(".")


def test_the_code_decides_before_the_status() -> None:
    assert api_error_class(400, "size_mismatch") is errors.SizeMismatchError
    assert api_error_class(409, "a_code_of_a_later_server") is errors.ConflictError


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "ValidationError"),
        (401, "AuthenticationError"),
        (402, "APIError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (405, "APIError"),
        (408, "ServerError"),
        (409, "ConflictError"),
        (410, "GoneError"),
        (413, "TooLargeError"),
        (415, "UnsupportedMediaError"),
        (418, "APIError"),
        (422, "ValidationError"),
        (423, "HeldError"),
        (425, "ServerError"),
        (426, "APIError"),
        (429, "RateLimitError"),
        (500, "ServerError"),
        (501, "APIError"),
        (503, "ServerError"),
        (505, "APIError"),
        (507, "ServerError"),
        (527, "ServerError"),
    ],
)
def test_a_status_without_a_known_code_still_has_its_class(status: int, name: str) -> None:
    assert api_error_class(status, None).__name__ == name


def test_a_client_that_is_too_old_is_not_told_to_wait() -> None:
    assert not api_error_class(501, None).retryable
    assert api_error_class(502, None).retryable


@pytest.mark.parametrize("kind", _tree(), ids=lambda kind: kind.__name__)
def test_every_error_can_be_made_bare_copied_and_pickled(kind: type[CadenzaError]) -> None:
    error = kind() if kind.__init__ is not Exception.__init__ else kind("why")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_the_drawn_tree_in_the_docstring_names_every_class() -> None:
    missing = [kind.__name__ for kind in _tree() if kind.__name__ not in (errors.__doc__ or "")]
    assert missing == []


def test_every_class_is_exported() -> None:
    assert {kind.__name__ for kind in _tree()} <= set(errors.__all__)


@pytest.mark.parametrize("kind", [APIError, StorageError, ServerError])
def test_what_a_server_says_is_scrubbed_before_it_becomes_text(kind: type[Any]) -> None:
    error = kind(f"cannot reach {SIGNED} with Bearer canary", request_id=f"r {SIGNED}")
    assert "canary" not in str(error) + repr(error) + error.detail + (error.request_id or "")
    assert "bucket.example.com" in str(error)


def test_a_storage_code_is_scrubbed_too() -> None:
    assert "canary" not in str(StorageError("x", s3_code=SIGNED))


def test_the_text_says_status_code_and_request() -> None:
    error = NotUploadedYetError(code="not_uploaded_yet", request_id="r-1")
    assert str(error) == "The video has not arrived yet. (HTTP 409, not_uploaded_yet, request r-1)"
    assert str(ValidationError("no")) == "no (HTTP 422)"
    assert str(StorageError(s3_code="SlowDown", request_id="7")).endswith(
        "(HTTP 400, SlowDown, request 7)"
    )


def test_the_list_is_plain_json_other_languages_can_read() -> None:
    text = resources.files("cadenza_client").joinpath("error_codes.json").read_text("utf-8")
    lines = json.loads(text)["codes"]
    assert len({line["code"] for line in lines}) == len(lines) == 43
