"""The contract as data: client, uploader and server say the same words as the files."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any
from uuid import UUID

from cadenza_client.errors import error_codes
from cadenza_conformance._binding import operations
from cadenza_conformance.protocol import RecordingStatus
from cadenza_server import ServerSettings, create_app
from cadenza_server.codes import ERROR_CODES
from cadenza_server.keys import thumbnail_key, video_key
from cadenza_server.schemas import MAX_NOTES, MAX_SECONDS, SubmissionOut
from cadenza_server.uploads import LONG_SIDE, SHORT_SIDE
from cadenza_uploader._media import MediaLimits
from cadenza_uploader._states import FailCode, Hold, Stage, Status

CONTRACT: dict[str, Any] = json.loads(
    resources.files("cadenza_conformance").joinpath("contract.json").read_text("utf-8")
)


def test_the_uploaders_words_are_the_contracts() -> None:
    assert CONTRACT["states"] == [status.value for status in Status]
    assert CONTRACT["stages"] == [stage.word for stage in Stage]
    assert CONTRACT["holds"] == [hold.value for hold in Hold]
    assert {entry["code"]: entry["needs_user"] for entry in CONTRACT["fail_codes"]} == {
        code.value: code.needs_user for code in FailCode
    }


def test_the_protocol_speaks_the_same_words() -> None:
    schema = RecordingStatus.model_json_schema()["properties"]
    assert schema["state"]["enum"] == CONTRACT["states"]
    assert schema["stage"]["anyOf"][0]["enum"] == CONTRACT["stages"]
    assert schema["hold"]["anyOf"][0]["enum"] == CONTRACT["holds"]


def test_the_servers_error_codes_are_the_contracts() -> None:
    assert {entry["code"]: entry["status"] for entry in CONTRACT["error_codes"]} == {
        code: entry.status for code, entry in ERROR_CODES.items()
    }


def test_the_clients_error_codes_are_the_contracts() -> None:
    assert {
        entry["code"]: (entry["status"], entry["retryable"]) for entry in CONTRACT["error_codes"]
    } == {code: (entry.status, entry.retryable) for code, entry in error_codes().items()}


def test_object_keys_are_made_by_the_contracts_patterns() -> None:
    name = UUID("6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11")
    facts = {"prefix": "dev/", "user_id": 7, "submission_id": name}
    assert video_key("dev/", 7, name) == CONTRACT["object_keys"]["video"].format(**facts)
    assert thumbnail_key("dev/", 7, name) == CONTRACT["object_keys"]["thumbnail"].format(**facts)


def test_limits_agree_everywhere() -> None:
    limits, media, server = CONTRACT["limits"], MediaLimits(), ServerSettings()
    assert limits["max_seconds"] == media.max_seconds == MAX_SECONDS
    assert limits["grace_seconds"] == media.grace_seconds
    assert limits["long_side"] == media.long_side == LONG_SIDE
    assert limits["short_side"] == media.short_side == SHORT_SIDE
    assert limits["max_fps"] == media.max_fps
    assert limits["target_bytes"] == media.target_bytes
    assert limits["max_bytes"] == media.max_bytes == server.max_upload_bytes
    assert limits["notes_characters"] == MAX_NOTES
    assert limits["url_expires_seconds"] == server.upload_url_expires_seconds


def test_media_states_agree() -> None:
    states = SubmissionOut.model_json_schema()["properties"]["media_state"]["enum"]
    assert sorted(states) == sorted(CONTRACT["media_states"])


def test_every_operation_is_a_route_of_the_server() -> None:
    paths: dict[str, Any] = create_app(ServerSettings()).openapi()["paths"]
    for operation in operations().values():
        if operation.role == "api":
            path = operation.template.replace("{id}", "{submission_id}")
            assert operation.method.lower() in paths[path], operation.name
