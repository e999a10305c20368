"""What the probe process cannot do, shown by trying (SEC-22, M04)."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cadenza_uploader._media import _child as child_module
from cadenza_uploader._media import _inspect_job as job_module
from cadenza_uploader._media._isolation import CHILD, import_paths
from tests.media.cases import Clips

ORDER: dict[str, Any] = {
    "job": "inspect",
    "thumbnail": False,
    "sound_check": False,
    "seal": True,
    "memory_bytes": 1 << 30,
    "file_bytes": 0,
    "cpu_seconds": 5,
    "cpu_seconds_at_most": 7,
}

# Does as the probe process does, and then what hostile code would.
ATTEMPTS = """
import errno, json, sys
sys.path.insert(0, {folder!r})
import _child
order = json.loads(sys.argv[1])
_child.set_limits(order)
_child.become_package(order["import_paths"])
from cadenza_uploader._media import _inspect_job
import os, socket, subprocess
_inspect_job.import_all(thumbnail=True, sound_check=True)
_inspect_job.seal()
held = os.dup(0)  # the one descriptor libav has

def attempt(what):
    try:
        what()
    except OSError as error:
        return errno.errorcode[error.errno]
    except MemoryError:
        return "MemoryError"
    return "done"

print(json.dumps({{
    "open": attempt(lambda: os.open("/etc/passwd", os.O_RDONLY)),
    "write": attempt(lambda: os.open("/tmp/cadenza-probe", os.O_WRONLY | os.O_CREAT)),
    "connect": attempt(lambda: socket.create_connection(("127.0.0.1", 9), 1)),
    "run": attempt(lambda: subprocess.run(["/bin/true"])),
    "memory": attempt(lambda: bytearray(2 << 30)),
}}))
"""


def test_sealed_process_can_open_connect_start_and_allocate_nothing() -> None:
    program = ATTEMPTS.format(folder=str(CHILD.parent))
    order = json.dumps({**ORDER, "import_paths": import_paths()})

    told = subprocess.run(
        [sys.executable, "-I", "-c", program, order], capture_output=True, text=True, check=True
    )

    assert json.loads(told.stdout) == {
        "open": "EMFILE",
        "write": "EMFILE",
        "connect": "EMFILE",
        "run": "EMFILE",
        "memory": "MemoryError",
    }


def test_no_byte_can_be_written_to_any_file(tmp_path: Path) -> None:
    target = tmp_path / "grows"
    program = (
        f"import sys; sys.path.insert(0, {str(CHILD.parent)!r})\n"
        "import json, errno, _child\n"
        "_child.set_limits(json.loads(sys.argv[1]))\n"
        f"try: open({str(target)!r}, 'wb', buffering=0).write(b'x')\n"
        "except OSError as error: print(errno.errorcode[error.errno])\n"
    )

    told = subprocess.run(
        [sys.executable, "-I", "-c", program, json.dumps(ORDER)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == errno.errorcode[errno.EFBIG]
    assert target.stat().st_size == 0


def test_process_answers_for_descriptors_in_its_own_words(clips: Clips) -> None:
    """The real command line, and nothing but it."""
    with clips["small.mp4"].open("rb") as video, clips["cut_in_half.mp4"].open("rb") as cut:
        fds = [video.fileno(), cut.fileno()]
        order = {**ORDER, "fds": fds, "import_paths": import_paths()}
        told = subprocess.run(
            [sys.executable, "-I", "-S", str(CHILD), json.dumps(order)],
            capture_output=True,
            check=True,
            pass_fds=fds,
            env={},
        )

    facts, more, error = map(json.loads, told.stdout.splitlines())
    assert facts["facts"]["duration_ms"] == 2005
    assert more == {"warnings": [], "jpeg_bytes": 0}
    assert (error["error"], error["code"]) == ("DamagedMediaError", "truncated")
    assert told.stderr == b""


@pytest.mark.real("strace")
def test_system_calls_show_no_file_opened_after_the_seal_and_no_socket(clips: Clips) -> None:
    strace = shutil.which("strace")
    assert strace is not None
    with clips["take.mp4"].open("rb") as video:
        fd = video.fileno()
        order = {**ORDER, "thumbnail": True, "fds": [fd], "import_paths": import_paths()}
        calls = "trace=open,openat,socket,connect,prlimit64,execve,unlink,rename,mkdir"
        told = subprocess.run(
            [strace, "-f", "-e", calls, sys.executable, "-I", "-S", str(CHILD), json.dumps(order)],
            capture_output=True,
            check=True,
            pass_fds=[fd],
        )

    seen = told.stderr.decode().splitlines()
    sealed = max(number for number, line in enumerate(seen) if "RLIMIT_NOFILE" in line)
    assert not [line for line in seen if "socket(" in line or "connect(" in line]
    assert not [line for line in seen[sealed + 1 :] if "open" in line or "execve" in line]


# ── the same code in this process, with the limits only noted ──────────────────────────────────


@pytest.fixture
def noted_limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, tuple[int, int]]]:
    noted: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda which, pair: noted.append((which, pair)))
    return noted


class Pipe:
    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> int:
        self.written += data
        return len(data)

    def flush(self) -> None:
        pass


def test_limits_come_before_libav_and_the_seal_before_the_first_byte(
    clips: Clips,
    noted_limits: list[tuple[int, tuple[int, int]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child_module, "become_package", lambda paths: None)
    out: Any = Pipe()
    fd = os.open(clips["black.mp4"], os.O_RDONLY)
    try:
        order = {**ORDER, "fds": [fd], "import_paths": [], "thumbnail": True, "sound_check": True}
        assert child_module.main(order, out) == 0
    finally:
        os.close(fd)

    kinds = [which for which, _ in noted_limits]
    assert set(kinds[:4]) == {
        resource.RLIMIT_CORE,
        resource.RLIMIT_FSIZE,
        resource.RLIMIT_AS,
        resource.RLIMIT_CPU,
    }
    assert kinds[4:] == [resource.RLIMIT_NOFILE, resource.RLIMIT_CPU]
    assert b'"black"' in out.written


def test_memory_limit_is_left_out_where_the_system_refuses_it(
    noted_limits: list[tuple[int, tuple[int, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    child_module.set_limits(ORDER)

    assert [which for which, _ in noted_limits] == [
        resource.RLIMIT_CORE,
        resource.RLIMIT_FSIZE,
        resource.RLIMIT_CPU,
    ]


def test_fit_is_the_other_job(
    clips: Clips,
    tmp_path: Path,
    noted_limits: list[tuple[int, tuple[int, int]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child_module, "become_package", lambda paths: None)
    monkeypatch.setattr("os.nice", lambda step: 0)
    out: Any = Pipe()
    with clips["small.mp4"].open("rb") as video:
        order = {
            **ORDER,
            "job": "fit",
            "fd": video.fileno(),
            "part": str(tmp_path / "copy.mp4"),
            "limits": {},
            "import_paths": [],
        }
        assert child_module.main(order, out) == 0

    assert b'"duration_ms"' in out.written
    assert (resource.RLIMIT_NOFILE, (32, 32)) in noted_limits


def test_folder_becomes_the_package_without_running_its_init(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("cadenza_uploader", "cadenza_uploader._media"):
        monkeypatch.setitem(sys.modules, name, sys.modules[name])

    child_module.become_package(["/somewhere"])

    package = sys.modules["cadenza_uploader._media"]
    assert list(package.__path__) == [str(CHILD.parent)]
    assert not hasattr(package, "inspect")
    assert sys.path[-1] == "/somewhere"


def test_refused_file_is_answered_and_the_next_one_measured(
    clips: Clips, noted_limits: list[tuple[int, tuple[int, int]]]
) -> None:
    out: Any = Pipe()
    with clips["encrypted.mp4"].open("rb") as first, clips["small.mp4"].open("rb") as second:
        order = {**ORDER, "seal": False, "fds": [first.fileno(), second.fileno()]}
        assert job_module.inspect_for(order, out) == 0

    refused, facts, _ = map(json.loads, out.written.splitlines())
    assert refused["code"] == "encrypted"
    assert facts["facts"]["duration_ms"] == 2005
    assert resource.RLIMIT_NOFILE not in [which for which, _ in noted_limits]


def test_each_file_of_a_batch_has_its_own_processor_seconds(
    noted_limits: list[tuple[int, tuple[int, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (5, 30))
    used = iter([0.2, 4.1, 28.0])
    monkeypatch.setattr("time.process_time", lambda: next(used))

    for _ in range(3):
        job_module.allow_cpu(5)

    assert [pair for _, pair in noted_limits] == [(6, 30), (10, 30), (30, 30)]
