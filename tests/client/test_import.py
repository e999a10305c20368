"""Importing the package is cheap; its public face is complete."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cadenza_client


def _modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import cadenza_client",
        "from cadenza_client import CadenzaError, UploadUrlExpiredError",
        "import cadenza_client.errors; cadenza_client.errors.error_codes()",
    ],
)
def test_neither_the_package_nor_its_errors_import_a_library(statement: str) -> None:
    heavy = {"httpx", "httpcore", "pydantic", "tenacity", "anyio", "ssl"}
    assert not heavy & _modules_after(statement)


def test_models_do_without_an_http_library() -> None:
    loaded = _modules_after("from cadenza_client import Submission")
    assert "pydantic" in loaded
    assert not {"httpx", "httpcore"} & loaded


def test_every_public_name_is_there() -> None:
    for name in cadenza_client.__all__:
        assert getattr(cadenza_client, name) is not None
    assert set(cadenza_client.__all__) <= set(dir(cadenza_client))
    assert cadenza_client.__version__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Client"):
        cadenza_client.Client  # noqa: B018 - that is the point
