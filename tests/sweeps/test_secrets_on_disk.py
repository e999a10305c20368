"""Canaries: after a full run nothing secret lies on the disk, in arguments or with a child."""

import os
import stat
import subprocess
import time
from pathlib import Path

from tests.sweeps.conftest import ROOT, Studio
from tests.sweeps.takes import PIECE

#: What a signed URL of the built-in store carries, and the token of the sign-in.
SIGNATURE = b"sig="


def test_no_secret_on_disk_in_arguments_or_in_a_childs_environment(
    studio: Studio, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    token = f"dev_token_user_{studio.user_id}".encode()
    PIECE.leave(home, studio.piece_id)
    child = subprocess.Popen(
        studio.command(home, "add:9000000", "add:9000001", "drain"), cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "CADENZA_LOG": "DEBUG"},
    )  # fmt: skip
    looks = 0
    while child.poll() is None:
        for part in ("cmdline", "environ"):
            try:
                seen = Path(f"/proc/{child.pid}/{part}").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            looks += 1
            assert token not in seen
            assert SIGNATURE not in seen
        time.sleep(0.02)
    out, err = child.communicate()
    assert child.returncode == 0
    assert looks
    for said in (out, err):
        assert token not in said
        assert SIGNATURE not in said
    for file in home.rglob("*"):
        if not file.is_file():
            continue
        data = file.read_bytes()  # whole pages: free ones of the database too
        assert SIGNATURE not in data, file
        if file.name != "credentials.json":
            assert token not in data, file


def test_nothing_of_the_queue_is_open_to_others_under_any_umask(
    studio: Studio, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    command = studio.command(home, "add:9000010", "add:9000011", "drain", "add:9000012")
    (home / "piece-id").chmod(0o600)
    home.chmod(0o700)
    subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, preexec_fn=lambda: os.umask(0)
    )
    for path in [home, *home.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode & 0o077 == 0, f"{path} has mode {mode:04o}"
