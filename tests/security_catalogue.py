"""The security requirements of both halves, and the test that holds each.

`tests/test_security_catalogue.py` checks that every test named here exists.
"""

from __future__ import annotations

#: id → (the requirement, the test below tests/).
REQUIREMENTS: dict[str, tuple[str, str]] = {
    "SEC-01": ("no signed URL or token in any log, at any level", "client/test_secrets::test_uploads_and_downloads"),
    "SEC-02": ("nor in exceptions that are stored or shown", "uploader/test_faults::test_nothing_a_server_says_carries_a_secret_into_the_history"),
    "SEC-03": ("nor in arguments, children's environment or the state directory", "sweeps/test_secrets_on_disk::test_no_secret_on_disk_in_arguments_or_in_a_childs_environment"),
    "SEC-04": ("redaction keeps what is allowed, and nothing else", "client/test_redact::test_no_query_survives_wherever_the_url_stands"),
    "SEC-05": ("no token or cookie to the store", "client/test_upload::test_exactly_the_servers_headers_leave_and_never_the_token"),
    "SEC-06": ("no redirect to another host", "client/test_upload::test_a_redirect_anywhere_else_is_not_followed"),
    "SEC-07": ("an upload address binds what was announced", "server/test_security::test_an_upload_address_is_for_what_was_announced_and_nothing_else"),
    "SEC-08": ("no address outlives what settles the bytes", "server/test_security::test_no_address_outlives_what_settles_the_bytes"),
    "SEC-09": ("upload URLs lead only where bytes may go", "client/test_urls::test_a_hostile_upload_url_is_refused"),
    "SEC-10": ("certificates are checked, whatever the environment says", "client/test_tls::test_nothing_in_the_environment_switches_the_checks_off"),
    "SEC-11": ("the token at rest is its owner's alone", "uploader/test_credentials::test_the_file_is_born_closed_and_never_narrowed"),
    "SEC-12": ("one refresh at a time; takes are bound to their account", "uploader/test_session::test_a_take_under_way_is_not_sent_on_as_whoever_signs_in_meanwhile"),
    "SEC-13": ("nothing of the queue is open to others", "sweeps/test_secrets_on_disk::test_nothing_of_the_queue_is_open_to_others_under_any_umask"),
    "SEC-14": ("nobody reaches what is not theirs", "server/test_authorisation::test_who_may_call_it"),
    "SEC-15": ("fields nobody asked for set nothing", "server/test_authorisation_cases::test_fields_nobody_asked_for_set_nothing"),
    "SEC-16": ("bodies, pages and callers have limits", "server/test_security::test_bodies_lists_and_callers_have_limits"),
    "SEC-17": ("no name makes a path", "uploader/test_spool::test_a_stored_name_cannot_point_out_of_the_spool"),
    "SEC-18": ("races of links bring no foreign bytes", "uploader/test_spool::test_a_race_of_links_never_lets_foreign_bytes_through"),
    "SEC-19": ("no request into the server's own network", "server/test_webhooks::test_a_name_that_leads_home_is_not_connected_to"),
    "SEC-20": ("no answer is read without end", "server/test_webhooks::test_an_endless_answer_is_not_read"),
    "SEC-21": ("no archive is opened", "server/test_security::test_the_server_opens_no_archive"),
    "SEC-22": ("probing is sealed off", "media/test_isolation::test_sealed_process_can_open_connect_start_and_allocate_nothing"),
    "SEC-23": ("the probe takes a name for a name", "media/test_inspect::test_file_names_are_never_read_as_anything_but_names"),
    "SEC-24": ("SQL has parameters", "server/test_security::test_no_text_of_a_request_becomes_sql"),
    "SEC-25": ("no shell, and an environment that was chosen", "media/test_inspect::test_environment_is_not_handed_on"),
    "SEC-26": ("what the API says is data: unknown fields are ignored", "client/test_models::test_a_v2_submission_is_read_unknown_fields_are_ignored_and_null_lists_are_empty"),
    "SEC-27": ("deleted is deleted", "server/test_security::test_a_deleted_take_leaves_no_word_and_no_byte"),
    "SEC-28": ("dependencies are audited, and installed by hash", "packaging/test_audit::test_a_known_vulnerability_fails_and_is_named"),
    "SEC-29": ("the kit's servers listen on this machine", "conformance/test_faultserver::test_its_doors_are_on_this_machine_only"),
    "SEC-30": ("secrets are compared in constant time", "server/test_security::test_signatures_are_compared_in_constant_time"),
    "SEC-31": ("reports mask secrets", "conformance/test_reports::test_no_form_of_the_report_holds_a_secret"),
}  # fmt: skip
