"""The security requirements of this device's half, and the test that holds each.

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
    "SEC-09": ("upload URLs lead only where bytes may go", "client/test_urls::test_a_hostile_upload_url_is_refused"),
    "SEC-10": ("certificates are checked, whatever the environment says", "client/test_tls::test_nothing_in_the_environment_switches_the_checks_off"),
    "SEC-11": ("the token at rest is its owner's alone", "uploader/test_credentials::test_the_file_is_born_closed_and_never_narrowed"),
    "SEC-12": ("one refresh at a time; takes are bound to their account", "uploader/test_session::test_a_take_under_way_is_not_sent_on_as_whoever_signs_in_meanwhile"),
    "SEC-13": ("nothing of the queue is open to others", "sweeps/test_secrets_on_disk::test_nothing_of_the_queue_is_open_to_others_under_any_umask"),
    "SEC-17": ("no name makes a path", "uploader/test_spool::test_a_stored_name_cannot_point_out_of_the_spool"),
    "SEC-18": ("races of links bring no foreign bytes", "uploader/test_spool::test_a_race_of_links_never_lets_foreign_bytes_through"),
    "SEC-22": ("probing is sealed off", "media/test_isolation::test_sealed_process_can_open_connect_start_and_allocate_nothing"),
    "SEC-23": ("the probe takes a name for a name", "media/test_inspect::test_file_names_are_never_read_as_anything_but_names"),
    "SEC-24": ("SQL has parameters", "uploader/test_queue::test_a_unique_beginning_names_a_take"),
    "SEC-25": ("no shell, and an environment that was chosen", "media/test_inspect::test_environment_is_not_handed_on"),
}  # fmt: skip
