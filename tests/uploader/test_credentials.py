"""The sign-in at rest: readable by its owner only, whatever the umask, and wiped on sign-out."""

import json
import os
import stat
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._credentials import Credential, CredentialStore, origin, system_keyring
from cadenza_uploader._home import Home
from cadenza_uploader.errors import CredentialsError

URL = "https://studio.example"
ADA = Credential(URL, 7, "ada@example.org", "Ada", "student", "canary-token")
BOB = Credential("https://other.example", 9, "bob@example.org", "Bob", None, "canary-other")


class Ring:
    """A keyring in memory; `locked` makes every use of it fail."""

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], str] = {}
        self.locked = False

    def _open(self) -> None:
        if self.locked:
            raise RuntimeError("org.freedesktop.Secret: the collection is locked, canary-token")

    def get_password(self, service: str, username: str, /) -> str | None:
        self._open()
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        self._open()
        self.secrets[service, username] = password

    def delete_password(self, service: str, username: str, /) -> None:
        self._open()
        del self.secrets[service, username]


@pytest.fixture
def store(home: Home) -> CredentialStore:
    return CredentialStore(home)


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ── the file ───────────────────────────────────────────────────────────────────────────────────


def test_a_sign_in_comes_back_as_it_was_kept(store: CredentialStore) -> None:
    assert store.load(URL) is None
    store.save(ADA)
    store.save(BOB)
    assert store.load(URL) == ADA
    assert store.load("https://other.example/api/") == BOB
    assert store.load("http://studio.example") is None  # another scheme, another server


def test_signing_in_again_replaces_the_first(store: CredentialStore) -> None:
    store.save(ADA)
    again = Credential(URL, 8, "eve@example.org", "Eve", None, "t2")
    store.save(again)
    assert store.load(URL) == again


def test_nobody_else_can_read_it_whatever_the_umask(open_umask: None, tmp_path: Path) -> None:
    home = Home(tmp_path / "new" / "home")
    CredentialStore(home).save(ADA)
    assert mode(home.credentials) == 0o600
    assert mode(home.path) == 0o700


def test_the_file_is_born_closed_and_never_narrowed(
    open_umask: None, home: Home, store: CredentialStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int, int]] = []
    real = os.open

    def recorded(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if flags & os.O_CREAT:
            calls.append((Path(path).name, flags, mode))
        return real(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", recorded)
    monkeypatch.setattr(os, "chmod", pytest.fail)
    monkeypatch.setattr(os, "fchmod", pytest.fail)
    store.save(ADA)
    ((name, flags, created_mode),) = calls
    assert flags & os.O_EXCL
    assert created_mode == 0o600
    assert name.startswith(".credentials.json.")


def test_a_left_over_of_a_crash_is_no_obstacle_and_no_trap(
    home: Home, store: CredentialStore, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    home.credentials.with_name(f".credentials.json.{os.getpid()}").symlink_to(victim)
    store.save(ADA)
    assert victim.read_text() == "precious"
    assert store.load(URL) == ADA


def test_a_save_that_fails_keeps_the_old_and_leaves_no_token_behind(
    home: Home, store: CredentialStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(ADA)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.save(BOB)
    assert store.load(URL) == ADA
    assert "canary-other" not in "".join(
        path.read_text() for path in home.path.iterdir() if path.is_file()
    )


@pytest.mark.parametrize("lax", [0o644, 0o640, 0o604, 0o660, 0o666, 0o601])
def test_a_file_others_can_read_is_refused_with_the_command_that_mends_it(
    home: Home, store: CredentialStore, lax: int
) -> None:
    store.save(ADA)
    home.credentials.chmod(lax)
    for use in (lambda: store.load(URL), lambda: store.save(BOB), lambda: store.forget(URL)):
        with pytest.raises(CredentialsError, match=rf"mode {lax:04o}.*chmod 600 .*credentials"):
            use()
    home.credentials.chmod(0o600)
    assert store.load(URL) == ADA


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"text"', b"5", b"null", b"\xff\xfe", b'{"https://studio.example": 5'],
)
def test_a_damaged_file_is_named_and_kept(
    home: Home, store: CredentialStore, content: bytes
) -> None:
    home.credentials.write_bytes(content)
    home.credentials.chmod(0o600)
    for use in (lambda: store.load(URL), lambda: store.save(ADA), lambda: store.forget(URL)):
        with pytest.raises(CredentialsError, match=r"is damaged\. Remove it and sign in again"):
            use()
    assert home.credentials.read_bytes() == content


ENTRIES: list[Any] = [
    5, "text", [], {}, {"token": "canary-token"},
    {"server_url": URL, "user_id": "seven", "email": "", "full_name": "", "user_type": None,
     "token": "canary-token"},
    {"server_url": URL, "user_id": 7, "email": "", "full_name": "", "user_type": None,
     "token": ["canary-token"]},
]  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_damaged_entry_asks_for_a_new_sign_in_and_repeats_nothing(
    home: Home, store: CredentialStore, entry: Any
) -> None:
    home.credentials.write_text(json.dumps({URL: entry}))
    home.credentials.chmod(0o600)
    if entry in (5, "text") or entry:
        with pytest.raises(CredentialsError, match="Run: cadenza login") as caught:
            store.load(URL)
        assert "canary" not in str(caught.value)
        assert caught.value.__cause__ is None
    else:
        assert store.load(URL) is None
    store.save(ADA)  # … and that mends it
    assert store.load(URL) == ADA


@pytest.mark.parametrize("make", ["symlink", "directory", "fifo"])
def test_something_else_in_its_place_is_refused_without_waiting(
    home: Home, store: CredentialStore, tmp_path: Path, make: str
) -> None:
    if make == "symlink":
        store.save(ADA)
        home.credentials.rename(tmp_path / "elsewhere.json")
        home.credentials.symlink_to(tmp_path / "elsewhere.json")
    elif make == "directory":
        home.credentials.mkdir(mode=0o700)
    else:
        os.mkfifo(home.credentials, 0o600)
    with pytest.raises(CredentialsError):
        store.load(URL)


def test_a_file_that_belongs_to_somebody_else_is_named(
    home: Home, store: CredentialStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(CredentialsError, match=r"cannot be used \(Permission denied\)"):
        store.load(URL)


def test_signing_out_wipes_the_token_and_keeps_the_others(
    home: Home, store: CredentialStore
) -> None:
    store.save(ADA)
    store.save(BOB)
    assert store.forget(URL)
    assert not store.forget(URL)
    assert store.load(URL) is None
    assert store.load(BOB.server_url) == BOB
    assert "canary-token" not in home.credentials.read_text()


def test_the_token_is_in_no_repr() -> None:
    assert "canary" not in repr(ADA)
    assert "ada@example.org" in repr(ADA)


# ── the keyring ────────────────────────────────────────────────────────────────────────────────


def test_where_there_is_a_keyring_nothing_is_written_to_disk(home: Home) -> None:
    ring = Ring()
    store = CredentialStore(home, keyring=ring)
    store.save(ADA)
    assert store.load(URL) == ADA
    assert not home.credentials.exists()
    assert list(ring.secrets) == [("cadenza", URL)]
    assert store.forget(URL)
    assert ring.secrets == {}
    assert not store.forget(URL)


def test_a_sign_in_from_before_the_keyring_still_counts_until_the_next(home: Home) -> None:
    CredentialStore(home).save(ADA)
    store = CredentialStore(home, keyring=Ring())
    assert store.load(URL) == ADA
    newer = Credential(URL, 7, "ada@example.org", "Ada", "student", "t2")
    store.save(newer)
    assert store.load(URL) == newer
    assert "canary" not in home.credentials.read_text()  # the old token went with it


def test_signing_out_wipes_keyring_and_file(home: Home) -> None:
    CredentialStore(home).save(ADA)
    ring = Ring()
    store = CredentialStore(home, keyring=ring)
    ring.set_password("cadenza", URL, json.dumps({"token": "x"}))
    assert store.forget(URL)
    assert (ring.secrets, store.load(URL)) == ({}, None)


def test_a_locked_keyring_is_named_and_never_replaced_by_a_file(home: Home) -> None:
    ring = Ring()
    store = CredentialStore(home, keyring=ring)
    ring.locked = True
    for use in (lambda: store.load(URL), lambda: store.save(ADA), lambda: store.forget(URL)):
        with pytest.raises(CredentialsError, match=r"RuntimeError\). Unlock it") as caught:
            use()
        assert "canary" not in str(caught.value)
    assert not home.credentials.exists()


@pytest.mark.parametrize("secret", ["", "{", "5", "[]", '{"token": "canary"}'])
def test_a_damaged_secret_asks_for_a_new_sign_in(home: Home, secret: str) -> None:
    ring = Ring()
    ring.set_password("cadenza", URL, secret)
    with pytest.raises(CredentialsError, match="Run: cadenza login"):
        CredentialStore(home, keyring=ring).load(URL)


def keyring_module(priority: float) -> types.ModuleType:
    return keyring_of(types.SimpleNamespace(priority=priority))


def keyring_of(backend: object) -> types.ModuleType:
    module = types.ModuleType("keyring")
    vars(module)["get_keyring"] = lambda: backend
    return module


@pytest.mark.parametrize(("priority", "usable"), [(5.0, True), (0, False), (-1, False)])
def test_only_a_keyring_that_can_keep_something_is_used(
    monkeypatch: pytest.MonkeyPatch, priority: float, usable: bool
) -> None:
    module = keyring_module(priority)
    monkeypatch.setitem(sys.modules, "keyring", module)
    assert system_keyring() is (module if usable else None)


def test_a_keyring_without_a_priority_or_without_a_desktop_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", keyring_of(object()))
    assert system_keyring() is None


def test_without_the_extra_there_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert system_keyring() is None


def test_the_sign_in_does_not_import_a_keyring_by_itself() -> None:
    code = "import sys, cadenza_uploader._credentials; sys.exit('keyring' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


# ── whose token it is (A07) ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://studio.example", "https://studio.example"),
        ("HTTPS://Studio.Example/api/v2?x=1", "https://studio.example"),
        ("https://studio.example:443/", "https://studio.example"),
        ("http://studio.example:80", "http://studio.example"),
        ("http://studio.example:443", "http://studio.example:443"),
        ("https://studio.example:8443", "https://studio.example:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://ada:canary@studio.example", "https://studio.example"),
    ],
)
def test_one_server_is_written_in_one_way(url: str, written: str) -> None:
    assert origin(url) == written


@given(st.sampled_from(["http", "https"]), st.from_regex(r"[a-z]{1,9}\.[a-z]{2}", fullmatch=True))
def test_an_origin_is_its_own_origin(scheme: str, host: str) -> None:
    for port in ("", ":80", ":443", ":8000"):
        once = origin(f"{scheme}://{host}{port}/p")
        assert origin(once) == once
