"""Every fault of the catalogue, and the test that injects it or the reason why none can.

`docs/reliability.md` prints this table; `tests/test_fault_catalogue.py` holds the two together and
checks that every test and scenario named here exists. Write the table anew with

    python -m tests.fault_catalogue
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"

#: id → (the fault, where it is injected). `suite/file::test` is a test below tests/, `scenario:ID`
#: a scenario of the conformance kit, and `cannot: …` the reason why it cannot be injected here.
FAULTS: dict[str, tuple[str, str]] = {
    "N01": ("no route from the start", "sweeps/test_network::test_a_broken_line_costs_no_take_and_no_attempt"),
    "N02": ("a name that cannot be looked up", "client/test_sockets::test_a_name_that_is_not_known"),
    "N03": ("connection refused", "sweeps/test_network::test_a_broken_line_costs_no_take_and_no_attempt"),
    "N04": ("packets vanish before a connection", "sweeps/test_network::test_a_broken_line_costs_no_take_and_no_attempt"),
    "N05": ("the line goes dead during a PUT", "sweeps/test_network::test_a_broken_line_costs_no_take_and_no_attempt"),
    "N06": ("the line blinks", "sweeps/test_network::test_a_broken_line_costs_no_take_and_no_attempt"),
    "N07": ("packets vanish after n bytes", "sweeps/test_network::test_a_broken_line_costs_no_take_and_no_attempt"),
    "N08": ("reset in the middle of the body", "scenario:put-reset-mid-body"),
    "N09": ("reset after the last byte, object stored", "scenario:put-stored-response-lost"),
    "N10": ("closed without an answer", "client/test_upload::test_a_cut_after_the_last_byte_leaves_the_outcome_unknown"),
    "N11": ("a thin line", "sweeps/test_network::test_a_broken_line_costs_no_take_and_no_attempt"),
    "N12": ("three packets in ten are lost", "sweeps/test_network::test_a_broken_line_costs_no_take_and_no_attempt"),
    "N13": ("the store thinks long after the body", "client/test_upload::test_the_time_to_answer_starts_when_the_last_byte_has_left_the_machine"),
    "N14": ("an answer that dribbles", "client/test_upload::test_an_answer_that_dribbles_in_is_cut_off"),
    "N15": ("a login page for an answer", "scenario:html-200-not-success"),
    "N16": ("a kept connection is closed as we use it", "scenario:keepalive-closed"),
    "N17": ("IPv6 is broken, IPv4 is not", "cannot: the test machine's namespaces have one loopback; the choice of address is the socket library's"),
    "N18": ("bad certificates", "client/test_tls::test_a_bad_certificate_stops_everything_before_a_byte_is_sent"),
    "N19": ("the line becomes a metered one", "uploader/test_daemon::test_a_permission_lost_during_a_transfer_puts_the_take_back"),
    "N20": ("the allowed line is lost during a PUT", "scenario:constraint-lost-mid-put"),
    "S01": ("5xx on create", "scenario:s5xx-backoff-growth"),
    "S02": ("429 with every kind of Retry-After", "scenario:retry-after-garbage"),
    "S03": ("create done, answer lost", "scenario:create-response-lost"),
    "S04": ("the server forgets the id it was given", "client/test_flows::test_a_server_that_forgets_the_id_it_was_given_is_not_believed"),
    "S05": ("one 401", "scenario:token-401-refresh-once"),
    "S06": ("401 for ever", "scenario:token-401-forever-hold"),
    "S07": ("the submission is forgotten", "scenario:submission-forgotten"),
    "S08": ("confirm finds no object", "scenario:confirm-object-missing"),
    "S09": ("confirm finds other bytes", "scenario:confirm-checksum-mismatch"),
    "S10": ("confirm done, answer lost", "scenario:confirm-response-lost"),
    "S11": ("confirm is not ready yet", "cannot: the API has no such answer; a confirm is answered when it is done"),
    "S12": ("malformed, oversized, surprising answers", "scenario:malformed-answers"),
    "S13": ("the server's clock is off", "scenario:server-clock-skewed"),
    "S14": ("a day of maintenance", "uploader/test_worker::test_eight_setbacks_make_a_take_failed_and_it_comes_back"),
    "S15": ("everybody comes back at once", "scenario:happy-many-50"),
    "S16": ("the API redirects elsewhere", "scenario:redirect-other-host-refused"),
    "S17": ("hints, chunks and trailers", "client/test_sockets::test_hints_chunks_and_trailers_are_read"),
    "S18": ("426: this client is too old", "uploader/test_classify::test_an_example_worked_out_by_hand"),
    "O01": ("the URL expired before the PUT", "scenario:url-expired-once"),
    "O02": ("the URL expires during the PUT", "scenario:url-expired-during-put"),
    "O03": ("403 at once, body unread, closed", "scenario:url-expired-early-close"),
    "O04": ("fresh URLs are refused too", "scenario:url-fresh-but-403"),
    "O05": ("SlowDown", "scenario:slowdown-halves-concurrency"),
    "O06": ("RequestTimeout", "scenario:storage-request-timeout"),
    "O07": ("too large for the store", "scenario:storage-too-large"),
    "O08": ("bytes damaged on the way", "scenario:bad-digest-at-the-store"),
    "O09": ("other bytes are stored silently", "scenario:confirm-checksum-mismatch"),
    "O10": ("the object is gone after a 200", "scenario:confirm-object-missing"),
    "O11": ("412: it is there already", "scenario:put-answer-412"),
    "O12": ("307 to another endpoint", "client/test_upload::test_a_redirect_to_a_listed_host_is_followed_once_without_the_token"),
    "O13": ("200 with an error inside", "scenario:storage-200-with-error"),
    "O14": ("an upload URL that leads elsewhere", "scenario:upload-url-other-host"),
    "O15": ("signed headers", "client/test_upload::test_exactly_the_servers_headers_leave_and_never_the_token"),
    "O16": ("the thumbnail is refused", "scenario:thumb-fails-video-ok"),
    "O17": ("the URL of another submission", "scenario:upload-url-of-another-submission"),
    "K01": ("the clock jumps ahead", "sweeps/test_processes::test_a_jumping_clock_neither_freezes_nor_repeats_anything"),
    "K02": ("the clock jumps back during a wait", "uploader/test_queue::test_a_clock_set_back_stretches_no_wait"),
    "K03": ("the clock is years off", "uploader/test_queue::test_a_clock_that_was_wrong_cannot_freeze_a_take"),
    "K04": ("the time zone changes", "uploader/test_queue::test_times_are_utc_whatever_the_zone"),
    "K05": ("sleep in the middle of a PUT", "sweeps/test_processes::test_a_daemon_that_slept_goes_on_without_a_second_upload"),
    "K06": ("two daemons", "sweeps/test_processes::test_a_daemon_that_slept_goes_on_without_a_second_upload"),
    "K07": ("the machine starts anew", "uploader/test_daemon::test_a_killed_uploaders_takes_go_on"),
    "K08": ("the clocks differ by more than signatures bear", "cli/test_rescue::test_doctor_names_the_problem_and_what_mends_it"),
    "P01": ("killed at every durable call", "sweeps/test_killed::test_killed_before_every_durable_call"),
    "P02": ("killed during recovery", "sweeps/test_killed::test_killed_during_recovery"),
    "P03": ("the plug is pulled", "sweeps/test_power_cut::test_what_was_acknowledged_survives_the_cut"),
    "P04": ("SIGTERM during a PUT", "sweeps/test_processes::test_sigterm_in_the_middle_of_an_upload_puts_the_take_back"),
    "P05": ("SIGINT twice", "sweeps/test_processes::test_a_second_interrupt_leaves_at_once_and_loses_nothing"),
    "P06": ("stopped and continued", "sweeps/test_processes::test_a_daemon_that_slept_goes_on_without_a_second_upload"),
    "P07": ("out of memory", "scenario:big-file-streaming-rss"),
    "P08": ("a second daemon", "cli/test_daemon::test_a_second_daemon_leaves_with_75"),
    "P09": ("a stale lock file", "sweeps/test_processes::test_a_killed_daemon_leaves_a_file_that_means_nothing"),
    "P10": ("one take crashes the worker", "uploader/test_daemon::test_a_take_that_crashes_every_time_is_called_poison"),
    "P11": ("the daemon dies again and again", "uploader/test_service::test_the_unit_runs_the_daemon_and_restarts_it"),
    "P12": ("fork with an open connection", "cannot: nothing here forks; children are started by spawning a new program"),
    "P13": ("an upgrade beside a running daemon", "uploader/test_rebuild::test_an_upgrade_waits_for_the_running_uploader"),
    "P14": ("no more file descriptors", "sweeps/test_killed::test_an_errno_at_the_nth_call_loses_nothing"),
    "P15": ("standard output is closed", "sweeps/test_processes::test_a_daemon_nobody_listens_to_goes_on"),
    "D01": ("full disk at intake", "sweeps/test_disks::test_a_full_disk_at_intake_leaves_nothing_half_done"),
    "D02": ("full disk while uploading", "sweeps/test_disks::test_a_full_disk_does_not_stop_what_frees_it"),
    "D03": ("a sync fails", "sweeps/test_killed::test_an_errno_at_the_nth_call_loses_nothing"),
    "D04": ("the recording cannot be read", "uploader/test_worker::test_an_unreadable_recording_is_tried_again_then_given_to_the_user"),
    "D05": ("the disk turns read-only", "sweeps/test_disks::test_a_read_only_disk_loses_nothing_and_is_said_to_be_one"),
    "D06": ("another program locks the queue", "uploader/test_disk::test_a_queue_that_is_locked_by_another_program_is_waited_for"),
    "D07": ("the database is damaged", "uploader/test_rebuild::test_a_damaged_queue_is_set_aside_and_every_take_comes_back"),
    "D08": ("the log of the database is gone", "uploader/test_rebuild::test_a_damaged_queue_is_set_aside_and_every_take_comes_back"),
    "D09": ("the database vanishes while in use", "uploader/test_rebuild::test_a_database_that_vanishes_under_the_daemon_is_noticed"),
    "D10": ("a file system that cannot do WAL", "uploader/test_rebuild::test_where_there_is_no_wal_the_journal_is_synced_twice"),
    "D11": ("a torn end of the log", "uploader/test_rebuild::test_a_torn_log_loses_no_take"),
    "D12": ("100,000 rows", "benchmarks"),
    "D13": ("the log grows", "uploader/test_rebuild::test_the_log_is_folded_in_when_the_uploader_leaves"),
    "D14": ("files that others can read", "uploader/test_credentials::test_a_file_others_can_read_is_refused_with_the_command_that_mends_it"),
    "F01": ("the recording is gone", "scenario:file-missing-server-confirmed"),
    "F02": ("the recording was cut or grew", "scenario:file-truncate-after-enqueue"),
    "F03": ("the recording is replaced during the PUT", "client/test_upload::test_a_file_replaced_under_its_name_is_still_the_one_we_opened"),
    "F04": ("an empty file", "uploader/test_intake_prepared::test_an_empty_file_leaves_nothing_behind"),
    "F05": ("the copy cannot be removed", "sweeps/test_disks::test_a_copy_that_cannot_be_removed_never_troubles_the_upload"),
    "F06": ("a link in place of the recording", "uploader/test_spool::test_a_race_of_links_never_lets_foreign_bytes_through"),
    "F07": ("a link in place of its directory", "uploader/test_spool::test_a_link_in_place_of_the_directory_is_not_followed"),
    "F08": ("a hard link elsewhere", "uploader/test_spool::test_a_hard_link_elsewhere_keeps_its_file"),
    "F09": ("a FIFO, device or directory as source", "uploader/test_spool::test_only_a_regular_file_is_a_source"),
    "F10": ("strange file names", "media/test_inspect::test_file_names_are_never_read_as_anything_but_names"),
    "F11": ("the state directory moved", "scenario:state-dir-relocated"),
    "F12": ("source and queue on different disks", "sweeps/test_disks::test_a_full_disk_at_intake_leaves_nothing_half_done"),
    "F13": ("larger than a single PUT allows", "media/test_inspect::test_warns_above_the_target_size_of_the_limits_given"),
    "F14": ("the recorder is still writing", "uploader/test_spool::test_a_recorder_that_holds_a_lock_is_noticed"),
    "F15": ("files without a row", "uploader/test_daemon::test_a_take_whose_row_was_lost_is_adopted_and_sent"),
    "F16": ("the original is to stay", "uploader/test_worker::test_a_source_that_changed_meanwhile_stays"),
    "A01": ("the token expired at the start", "scenario:token-401-refresh-once"),
    "A02": ("the refresh fails", "client/test_engine::test_a_token_that_cannot_be_refreshed_is_not_sent_again"),
    "A03": ("two refreshes at once", "client/test_config::test_a_refresh_that_somebody_else_has_done_is_not_done_again"),
    "A04": ("the keyring is locked", "uploader/test_credentials::test_a_locked_keyring_is_named_and_never_replaced_by_a_file"),
    "A05": ("signing out with waiting takes", "cli/test_auth::test_logout_forgets_the_token_and_keeps_the_takes"),
    "A06": ("another user signs in", "scenario:other-user-signs-in"),
    "A07": ("another host is configured", "uploader/test_session::test_another_address_is_another_account"),
    "M01": ("not a video at all", "media/test_probe::test_refuses_what_cannot_be_a_take"),
    "M02": ("the index is missing", "media/test_boxes::test_index_that_is_missing_or_cut_off_is_none"),
    "M03": ("absurd numbers in the header", "media/test_inspect::test_bombs_are_refused_under_the_memory_limit"),
    "M04": ("a playlist in disguise", "media/test_isolation::test_system_calls_show_no_file_opened_after_the_seal_and_no_socket"),
    "M05": ("the probe crashes", "media/test_inspect::test_crashing_process_means_unreadable_never_accepted"),
    "M06": ("the probe hangs", "media/test_inspect::test_hanging_process_is_killed_with_all_it_started"),
    "M07": ("no thumbnail can be made", "media/test_inspect::test_process_lost_over_the_thumbnail_takes_only_the_thumbnail"),
    "M08": ("places and devices in the metadata", "media/test_fit::test_place_and_device_are_left_out"),
}  # fmt: skip


def injected() -> list[str]:
    """Ids of the faults that a test injects."""
    return [fault for fault, (_, where) in FAULTS.items() if not where.startswith("cannot:")]


def table() -> str:
    """The catalogue as the page prints it."""
    share = 100 * len(injected()) / len(FAULTS)
    lines = [
        f"{len(injected())} of {len(FAULTS)} faults ({share:.0f} %) are injected by a test.",
        "",
        "| id | fault | injected by |",
        "|---|---|---|",
    ]
    for fault, (words, where) in FAULTS.items():
        if where.startswith("cannot:"):
            how = f"not here: {where.removeprefix('cannot:').strip()}"
        elif where.startswith("scenario:"):
            how = f"scenario `{where.removeprefix('scenario:')}`"
        elif where == "benchmarks":
            how = "`benchmarks/`, as ratios"
        else:
            file, name = where.split("::")
            how = f"`{file}` `{name}`"
        lines.append(f"| {fault} | {words} | {how} |")
    return "\n".join(lines)


def page_with_table() -> str:
    """The page with the table of today."""
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(), "utf-8")
