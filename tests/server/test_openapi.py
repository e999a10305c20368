"""The API's description: complete, checked, and a change of it is seen in review.

After a deliberate change: `python -m tests.server.test_openapi` writes the snapshot anew.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cadenza_server import ServerSettings, create_app
from cadenza_server.codes import ERROR_CODES
from tests.server.world import World

SNAPSHOT = Path(__file__).with_name("openapi.json")


def _document(app: Any) -> dict[str, Any]:
    document: dict[str, Any] = app.openapi()
    document["info"]["version"] = "any"  # a release is not a change of the API
    return document


def _as_text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    return _document(world.app)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "put", "post", "patch", "delete", "head"):
                yield f"{method.upper()} {path}", operation


def test_the_description_is_the_committed_one(document: dict[str, Any]) -> None:
    assert _as_text(document) == SNAPSHOT.read_text(encoding="utf-8"), (
        "the API has changed; if that is meant: python -m tests.server.test_openapi"
    )


def test_every_operation_says_what_it_is_for(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        assert operation.get("summary"), name
        assert operation.get("tags"), name
        if "storage" not in operation["tags"]:
            assert operation.get("description"), name


def test_every_refusal_is_a_problem_with_an_example_of_each_code(
    document: dict[str, Any],
) -> None:
    documented = set()
    for name, operation in _operations(document):
        if "storage" in operation["tags"]:
            continue
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            content = response["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, (name, status)
            assert content["examples"], (name, status)
            for code, example in content["examples"].items():
                documented.add(code)
                assert ERROR_CODES[code].status == int(status), (name, code)
                assert example["value"]["code"] == code
                assert isinstance(example["value"]["detail"], str)
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert documented >= {"not_uploaded_yet", "size_mismatch", "id_conflict", "held", "internal"}


def test_signed_in_operations_say_so(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        open_routes = ("/health", "/ready", "/login", "/dev-login")
        is_open = name.endswith(open_routes) or "/storage/" in name
        assert bool(operation.get("security")) is not is_open, name
        assert ("401" in operation["responses"]) is (not is_open or name.endswith("/login")), name


def test_examples_are_valid(document: dict[str, Any]) -> None:
    from cadenza_server.schemas import NewSubmission
    from cadenza_server.schemas_thread import NewMarker, NewMessage

    for model in (NewSubmission, NewMessage, NewMarker):
        examples = document["components"]["schemas"][model.__name__]["examples"]
        assert examples
        for example in examples:
            assert model.model_validate(example).model_dump(exclude_unset=True).keys() == (
                example.keys()
            )


def test_it_can_be_fetched(world: World) -> None:
    first, second = (world.http.get("/openapi.json").json() for _ in range(2))

    assert first == second
    assert first["info"]["title"] == "Cadenza"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        application = create_app(ServerSettings(data_dir=Path(directory), env="dev"))
        SNAPSHOT.write_text(_as_text(_document(application)), encoding="utf-8")
