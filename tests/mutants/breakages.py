"""Small breakages of the real code that would lose, leak or repeat something.

Each is one replacement in one file. A breakage that no test notices is a hole in the suite, so
every one must turn it red (`python dev.py test --mutants`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Breakage:
    """One replacement: `old` must occur in `file`; `suites` are the tests that should notice."""

    name: str
    file: str
    old: str
    new: str
    suites: tuple[str, ...] = ("tests/uploader",)


BREAKAGES = (
    Breakage(
        "delete before confirm",
        "cadenza_uploader/_delete_gate.py",
        "if evidence.stage < Stage.CONFIRMED:",
        "if evidence.stage < Stage.RECORDED:",
    ),
    Breakage(
        "delete without a receipt",
        "cadenza_uploader/_delete_gate.py",
        'return "there is no receipt"',
        "return None",
    ),
    Breakage(
        "delete on another hash",
        "cadenza_uploader/_delete_gate.py",
        'told is not None or receipt["verified"] == "sha256"):',
        "False):",
    ),
    Breakage(
        "delete a changed file",
        "cadenza_uploader/_delete_gate.py",
        "if evidence.unchanged is False:",
        "if False:",
    ),
    Breakage(
        "no fsync of the recording",
        "cadenza_uploader/_spool.py",
        "        os.fsync(target.fileno())\n        kept = os.fstat(target.fileno())\n    after",
        "        kept = os.fstat(target.fileno())\n    after",
    ),
    Breakage(
        "no fsync of the directory",
        "cadenza_uploader/_spool.py",
        "    directory.rename(spool / take_id)\n    sync_directory(spool)",
        "    directory.rename(spool / take_id)",
    ),
    Breakage(
        "synchronous=NORMAL",
        "cadenza_uploader/_schema.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = NORMAL",
    ),
    Breakage(
        "an attempt is counted when offline",
        "cadenza_uploader/_queue/_leases.py",
        "\"status = 'pending', lease_owner = NULL, claims = 0, hold = :hold, \"",
        "\"status = 'pending', lease_owner = NULL, claims = 0, hold = :hold, "
        'attempts = attempts + 1, "',
    ),
    Breakage(
        "offline is an ordinary failure",
        "cadenza_uploader/_faults.py",
        'code = "offline" if party == "api" else "unreachable"',
        'code = "lost"',
    ),
    Breakage(
        "a stale epoch is accepted",
        "cadenza_uploader/_queue/_store.py",
        "AND lease_epoch = :epoch",
        "AND :epoch = :epoch",
    ),
    Breakage(
        "a claim of two statements' worth: others' takes too",
        "cadenza_uploader/_queue/_leases.py",
        "AND (account_user_id IS NULL OR account_user_id = :user)",
        "AND (account_user_id IS NULL OR :user = :user)",
    ),
    Breakage(
        "403 of the store is fatal",
        "cadenza_uploader/_worker.py",
        "if stuck.decision.action is not Action.REFRESH:",
        "if True:",
    ),
    Breakage(
        "the URL is not refreshed",
        "cadenza_uploader/_worker.py",
        "                journey.ticket = None\n                journey.refreshes += 1",
        "                journey.refreshes += 1",
        ("tests/uploader", "tests/journeys"),
    ),
    Breakage(
        "a new id for every create",
        "cadenza_uploader/_desk.py",
        "    return NewSubmission(\n        id=UUID(take.id),",
        "    return NewSubmission(\n        id=__import__('uuid').uuid4(),",
    ),
    Breakage(
        "a new id for every reply",
        "cadenza_uploader/_desk.py",
        "    return NewMessage(\n        id=UUID(take.id),",
        "    return NewMessage(\n        id=__import__('uuid').uuid4(),",
    ),
    Breakage(
        "uploaded without asking the server",
        "cadenza_uploader/_journey.py",
        'code = "checksum_mismatch"\n    else:',
        "return None\n    else:",
    ),
    Breakage(
        "newest first",
        "cadenza_uploader/_queue/_leases.py",
        "ORDER BY due_ms, captured_ms, id LIMIT 1",
        "ORDER BY due_ms, captured_ms DESC, id LIMIT 1",
    ),
    Breakage(
        "a thumbnail fails the take",
        "cadenza_uploader/_worker.py",
        "            journey.thumbnail_refused = True\n",
        "            raise\n",
    ),
    Breakage(
        "no recovery of leased takes",
        "cadenza_uploader/_recovery.py",
        "        queue.reclaim(take, poison_claims=POISON_CLAIMS, slow_due_ms=slow_due_ms)\n",
        "        continue\n",
    ),
    Breakage(
        "no adoption of files without rows",
        "cadenza_uploader/_recovery.py",
        "            queue.add(new, may_be_known=True)\n",
        "            continue\n",
    ),
    Breakage(
        "the server's wish is ignored",
        "cadenza_uploader/_backoff.py",
        "if hint_seconds is None or hint_seconds < 0:",
        "if True:",
    ),
    Breakage(
        "a symbolic link is followed",
        "cadenza_uploader/_spool.py",
        "flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC",
        "flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC",
    ),
    Breakage(
        "a second uploader may start",
        "cadenza_uploader/_instance.py",
        "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
    ),
    Breakage(
        "a pause is ignored",
        "cadenza_uploader/_readiness.py",
        "        if Hold.USER in holds:\n            return None\n",
        "",
    ),
    Breakage(
        "the sign-in file is laid open",
        "cadenza_uploader/_credentials.py",
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)",
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)",
    ),
    Breakage(
        "the token goes to the store",
        "cadenza_client/_storage.py",
        "            headers = _headers_for(step, opened.size_bytes)\n",
        "            headers = {**_headers_for(step, opened.size_bytes), "
        '"Authorization": "Bearer t"}\n',
        ("tests/client",),
    ),
    Breakage(
        "a redirect to another host is followed",
        "cadenza_client/_wire/_signed.py",
        "if not same_host and not is_storage_host(found, self._config.storage_hosts):",
        "if False:",
        ("tests/client",),
    ),
    Breakage(
        "bytes go to plain http",
        "cadenza_client/_urls.py",
        'if origin.scheme == "http" and not (api.is_loopback and origin.is_loopback):',
        "if False:",
        ("tests/client",),
    ),
    Breakage(
        "a file that changes while it is sent is believed",
        "cadenza_client/_storage.py",
        "            opened.check_unchanged()\n",
        "",
        ("tests/client",),
    ),
)
