"""Requests and tests for the refusals that are one route's own; see `test_documented_errors`."""

from __future__ import annotations

from typing import Any

_TAKE = {"piece_id": "6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11", "duration_seconds": 5}
_VIDEO = {"include_video": True, "video_duration_seconds": 5}
_MARK = {"timestamp_ms": 1000, "text": "Here?", "marker_type": "question"}

#: route → further requests as its owner.
EXTRA: dict[str, list[dict[str, Any]]] = {
    "POST /video-submissions": [
        {"json": {"duration_seconds": 5}},
        {"json": {**_TAKE, "duration_seconds": None}},
        {"json": {**_TAKE, "duration_seconds": 999}},
        {"json": {**_TAKE, "width": 4000, "height": 4000}},
        {"json": {**_TAKE, "size_bytes": 10**12}},
        {"json": {**_TAKE, "id": "x"}},
        {"json": {**_TAKE, "content_type": "video/webm"}},
        {"json": _TAKE},
    ],
    "POST /video-submissions/{submission_id}/messages": [
        {"json": {}},
        {"json": {"include_video": True}},
        {"json": {"include_video": True, "video_duration_seconds": 999}},
        {"json": {**_VIDEO, "size_bytes": 10**12}},
        {"json": {**_VIDEO, "content_type": "video/webm"}},
        {
            "json": {
                "include_video": True,
                "video_duration_seconds": 5,
                "width": 4000,
                "height": 4000,
            }
        },
    ],
    "PATCH /messages/{message_id}": [{"json": {"text": " "}}, {"json": {"text": ""}}],
    "POST /video-submissions/{submission_id}/markers": [
        {"json": {**_MARK, "timestamp_ms": 10**8}},
    ],
    "POST /messages/{message_id}/markers": [{"json": {**_MARK, "timestamp_ms": 10**8}}],
    "PATCH /markers/{marker_id}": [{"json": {"timestamp_ms": 10**8}}],
    "POST /routines/{routine_id}/exercises": [{"json": {"piece_id": "x"}}],
    "POST /pieces": [
        {"json": {"title": "x", "shared_from_piece_id": "x"}},
        {"json": {"title": "x", "shared_from_piece_id": "{foreign_piece_id}"}},
        {"json": {"title": "x", "shared_from_piece_id": "6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11"}},
    ],
    "POST /sessions": [
        {"json": {"routine_id": "x"}},
        {"json": {"routine_id": "6f0c3f5e-9f4e-4a4f-8a53-2d7c8f0e9a11"}},
    ],
    "PUT /pieces/{piece_id}/pages/{page_number}": [
        {"content": b"no picture"},
        {"content": b"x" * 11_000_000},
    ],
    "POST /webhooks": [{"json": {"url": "http://10.0.0.1/"}}, {"json": {"url": "ftp://x"}}],
}

#: (operation, code) → the test that gets it.
REACHED_BY: dict[tuple[str, str], str] = {
    ("POST /video-submissions", "feature_disabled"): (
        "test_create::test_a_feature_can_be_switched_off_for_a_student"
    ),
    ("POST /video-submissions", "id_conflict"): (
        "test_create::test_the_same_id_for_another_take_is_a_conflict"
    ),
    ("POST /video-submissions", "quota_exceeded"): (
        "test_create::test_the_daily_quota_frees_itself_after_a_day"
    ),
    ("POST /video-submissions", "submission_deleted"): (
        "test_create::test_repeating_the_create_of_a_deleted_submission_says_so"
    ),
    ("GET /video-submissions/{submission_id}/upload-url", "already_uploaded"): (
        "test_upload_urls::test_no_url_after_the_confirm_and_none_of_the_old_ones_overwrites"
    ),
    ("POST /video-submissions/{submission_id}/confirm", "not_uploaded_yet"): (
        "test_confirm::test_nothing_stored_is_not_uploaded_yet"
    ),
    ("POST /video-submissions/{submission_id}/confirm", "size_mismatch"): (
        "test_confirm::test_other_bytes_than_announced_are_refused_and_may_be_replaced"
    ),
    ("POST /video-submissions/{submission_id}/confirm", "checksum_mismatch"): (
        "test_confirm::test_other_bytes_than_announced_are_refused_and_may_be_replaced"
    ),
    ("POST /video-submissions/{submission_id}/confirm", "too_large"): (
        "test_confirm::test_more_bytes_than_the_cap_are_refused"
    ),
    ("POST /video-submissions/{submission_id}/confirm", "unsupported_media"): (
        "test_confirm::test_bytes_that_are_no_video_are_refused"
    ),
    ("GET /video-submissions/{submission_id}/video-url", "media_expired"): (
        "test_after_upload::test_a_video_that_is_no_longer_kept"
    ),
    ("GET /video-submissions/{submission_id}/video-url", "not_uploaded_yet"): (
        "test_after_upload::test_nothing_to_watch_yet"
    ),
    ("GET /video-submissions/{submission_id}/video-url", "unsupported_media"): (
        "test_confirm::test_a_page_uploaded_by_a_captive_portal_is_marked_and_can_be_replaced"
    ),
    ("DELETE /video-submissions/{submission_id}", "already_reviewed"): (
        "test_after_upload::test_what_was_reviewed_stays"
    ),
    ("DELETE /video-submissions/{submission_id}", "held"): (
        "test_after_upload::test_what_is_held_stays"
    ),
    ("PATCH /video-submissions/{submission_id}/reviewed", "submission_deleted"): (
        "test_authorisation_cases::test_what_is_deleted_is_gone_for_those_who_knew_it_and_closed_to_others"
    ),
    ("POST /video-submissions/{submission_id}/messages", "feature_disabled"): (
        "test_messages::test_a_feature_that_is_off_stops_videos_and_no_words"
    ),
    ("POST /video-submissions/{submission_id}/messages", "id_conflict"): (
        "test_messages::test_an_id_is_one_thing_for_ever"
    ),
    ("GET /messages/{message_id}/upload-url", "already_uploaded"): (
        "test_messages::test_confirm_is_repeatable_and_seals_the_object"
    ),
    ("GET /messages/{message_id}/upload-url", "no_video"): (
        "test_messages::test_a_message_without_video_has_none"
    ),
    ("POST /messages/{message_id}/confirm", "unsupported_media"): (
        "test_messages::test_what_is_no_video_is_refused_and_can_be_replaced"
    ),
    ("POST /messages/{message_id}/confirm", "not_uploaded_yet"): (
        "test_messages::test_confirm_is_repeatable_and_seals_the_object"
    ),
    ("POST /messages/{message_id}/confirm", "no_video"): (
        "test_messages::test_a_message_without_video_has_none"
    ),
    ("POST /messages/{message_id}/confirm", "size_mismatch"): (
        "test_messages::test_the_thread_has_the_messages_audit_trail"
    ),
    ("POST /messages/{message_id}/confirm", "checksum_mismatch"): (
        "test_messages::test_the_thread_has_the_messages_audit_trail"
    ),
    ("POST /messages/{message_id}/confirm", "too_large"): (
        "test_confirm::test_more_bytes_than_the_cap_are_refused"
    ),
    ("GET /messages/{message_id}/video-url", "media_expired"): (
        "test_after_upload::test_a_video_that_is_no_longer_kept"
    ),
    ("GET /messages/{message_id}/video-url", "no_video"): (
        "test_messages::test_a_message_without_video_has_none"
    ),
    ("GET /messages/{message_id}/video-url", "not_uploaded_yet"): (
        "test_messages::test_words_do_not_wait_for_their_video"
    ),
    ("GET /messages/{message_id}/video-url", "unsupported_media"): (
        "test_messages::test_what_is_no_video_is_refused_and_can_be_replaced"
    ),
    ("PATCH /messages/{message_id}", "content_required"): (
        "test_messages::test_an_edit_leaves_something_to_read"
    ),
    ("DELETE /messages/{message_id}", "held"): ("test_messages::test_a_video_on_hold_stays"),
    ("POST /video-submissions/{submission_id}/markers", "id_conflict"): (
        "test_markers::test_a_client_id_is_for_one_marker"
    ),
    ("POST /video-submissions/{submission_id}/markers", "quota_exceeded"): (
        "test_markers::test_one_video_holds_500"
    ),
    ("GET /messages/{message_id}/markers", "no_video"): (
        "test_markers::test_a_text_has_no_moments"
    ),
    ("POST /messages/{message_id}/markers", "id_conflict"): (
        "test_markers::test_a_client_id_is_for_one_marker"
    ),
    ("POST /messages/{message_id}/markers", "quota_exceeded"): (
        "test_markers::test_one_video_holds_500"
    ),
    ("POST /messages/{message_id}/markers", "no_video"): (
        "test_markers::test_a_text_has_no_moments"
    ),
    ("POST /webhooks", "quota_exceeded"): ("test_webhooks::test_ten_are_enough"),
    ("PUT /pieces/{piece_id}/pages/{page_number}", "unsupported_media"): (
        "test_reference::test_what_is_no_page_is_refused"
    ),
}
