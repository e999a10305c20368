"""Every error somebody may meet has a row: an exit code and a next step."""

import inspect
from pathlib import Path

import pytest

import cadenza_client.errors
import cadenza_uploader.errors
from cadenza_cli._errors import TABLE, CommandError, ExitCode, explain_error
from cadenza_client.errors import (
    APIError,
    AuthenticationError,
    CertificateError,
    ConnectFailedError,
    NotFoundError,
    PermissionDeniedError,
    ResponseError,
    ServerError,
    TooLargeError,
    ValidationError,
)
from cadenza_uploader.errors import (
    NotFinishedError,
    QueueBusyError,
    SpoolFullError,
    TakeNotFoundError,
    TakeRefusedError,
)


def _errors_of(module: object) -> list[type[Exception]]:
    return [
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Exception) and value.__module__ == module.__name__  # type: ignore[attr-defined]  # a module
    ]


@pytest.mark.parametrize(
    "kind",
    [*_errors_of(cadenza_client.errors), *_errors_of(cadenza_uploader.errors)],
    ids=lambda kind: kind.__name__,
)
def test_every_error_class_has_a_row_of_its_own(kind: type[Exception]) -> None:
    assert kind.__name__ in TABLE, f"{kind.__name__} has no row in cadenza_cli._errors.TABLE"


def test_every_row_is_of_an_error_class() -> None:
    from cadenza_uploader import _media
    from cadenza_uploader._settings import SettingsError

    known = {kind.__name__ for kind in _errors_of(cadenza_client.errors)}
    known |= {kind.__name__ for kind in _errors_of(cadenza_uploader.errors)}
    known |= {SettingsError.__name__, _media.MediaError.__name__, _media.CameraError.__name__}
    assert set(TABLE) == known


def test_every_next_step_is_a_sentence() -> None:
    for name, advice in TABLE.items():
        assert advice.next_step, name
        assert advice.next_step.endswith((".", "`", "--fit`.")), name


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (ConnectFailedError(kind="refused"), ExitCode.OFFLINE),
        (CertificateError(), ExitCode.FAILURE),
        (ResponseError(captive_portal=True), ExitCode.OFFLINE),
        (ResponseError(), ExitCode.SERVER),
        (AuthenticationError(), ExitCode.SIGN_IN),
        (PermissionDeniedError(), ExitCode.SERVER),
        (NotFoundError(), ExitCode.SERVER),
        (TooLargeError(), ExitCode.LIMITS),
        (ServerError(), ExitCode.SERVER),
        (ValidationError("no title", code="invalid"), ExitCode.SERVER),
        (ValidationError("too long", code="duration_out_of_range"), ExitCode.LIMITS),
        (
            TakeRefusedError(
                Path("a.mp4"), ["200 s, limit 180 s."], ["duration_exceeded"], fixable_by_fit=False
            ),
            ExitCode.LIMITS,
        ),
        (NotFinishedError("still open"), ExitCode.FAILURE),
        (SpoolFullError("full"), ExitCode.FAILURE),
        (TakeNotFoundError("none"), ExitCode.FAILURE),
        (QueueBusyError(17), ExitCode.BUSY),
        (CommandError("no", exit_code=ExitCode.USAGE), ExitCode.USAGE),
        (FileNotFoundError(2, "No such file or directory", "a.mp4"), ExitCode.FAILURE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_becomes_its_exit_code(error: Exception, exit_code: ExitCode) -> None:
    known = explain_error(error)
    assert known is not None
    assert known.exit_code is exit_code
    assert known.sentence
    assert known.document()["exit_code"] == int(exit_code)


def test_exit_codes_are_those_of_the_contract() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "SIGN_IN": 3,
        "LIMITS": 4,
        "OFFLINE": 5,
        "SERVER": 6,
        "BUSY": 75,
        "INTERRUPTED": 130,
    }


def test_a_subclass_of_tomorrow_takes_the_row_of_its_parent() -> None:
    class TeapotError(APIError):
        """Not in the table."""

    TeapotError.__module__ = "cadenza_client.errors"
    known = explain_error(TeapotError("short and stout", status_code=418, request_id="r1"))
    assert known is not None
    assert known.exit_code is ExitCode.SERVER
    assert known.code == "teapot"
    assert known.request_id == "r1"


def test_a_stranger_with_a_known_name_is_not_taken_for_ours() -> None:
    class ServerError(Exception):
        """Another library's."""

    assert explain_error(ServerError("boom")) is None
    assert explain_error(KeyError("bug")) is None


def test_a_system_error_names_its_file_once() -> None:
    known = explain_error(PermissionError(13, "Permission denied", "/spool/x"))
    assert known is not None
    assert known.sentence == "/spool/x: Permission denied."
    nameless = explain_error(OSError("odd"))
    assert nameless is not None
    assert nameless.sentence == "odd."
