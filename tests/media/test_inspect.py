"""The probe process seen from outside: what it answers, and what happens when it cannot."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cadenza_uploader._media import (
    DamagedMediaError,
    Inspection,
    MediaError,
    MediaLimits,
    NotAVideoError,
    ProbeCrashedError,
    ProbeTimeoutError,
    ProbeUnavailableError,
    UnreadableFileError,
    check_limits,
    inspect,
    inspect_many,
    probe_in_process,
)
from cadenza_uploader._media._isolation import Budget, Child
from tests.media.cases import Clips
from tests.media.clips import make_take


def test_process_measures_what_this_process_measures(clips: Clips) -> None:
    path = clips["take.mp4"]

    inspection = inspect(path)

    assert inspection.facts == probe_in_process(path)
    assert inspection.thumbnail_jpeg is not None
    with Image.open(io.BytesIO(inspection.thumbnail_jpeg)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (480, 270))


def test_thumbnail_and_sound_check_can_be_left_out(clips: Clips) -> None:
    inspection = inspect(clips["silent.mp4"], thumbnail=False, sound_check=False)

    assert inspection.thumbnail_jpeg is None
    assert inspection.facts.warnings == ()


def test_parent_imports_neither_decoder_nor_pillow(clips: Clips) -> None:
    """SEC-22: hostile bytes meet libav only in the child."""
    program = (
        "import sys\n"
        "from cadenza_uploader._media import inspect\n"
        "print(inspect(sys.argv[1]).facts.duration_ms, 'av' in sys.modules, 'PIL' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(clips["take.mp4"])],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.split() == ["3008", "False", "False"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("silent.mp4", "silent"),
        ("clipped.mp4", "clipped"),
        ("black.mp4", "black"),
        ("no_audio.mp4", "no_audio"),
        ("short_1s.mp4", "very_short"),
    ],
)
def test_warns_before_a_useless_take_is_sent(clips: Clips, name: str, code: str) -> None:
    assert code in {each.code for each in inspect(clips[name]).facts.warnings}


def test_warns_above_the_target_size_of_the_limits_given(clips: Clips) -> None:
    inspection = inspect(clips["take.mp4"], limits=MediaLimits(target_bytes=1000))

    (warning,) = inspection.facts.warnings
    assert warning.code == "over_target_size"
    assert "0.1 MB" in warning.sentence


@pytest.mark.parametrize(
    "name",
    [
        "take:1.mp4",
        "http:x.mp4",
        "-i.mp4",
        ".hidden.mp4",
        "%03d.mp4",
        "été 🎻.mp4",
        "line\nbreak.mp4",
        "concat:a|b.mp4",
        "no suffix",
    ],
)
def test_file_names_are_never_read_as_anything_but_names(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(clips["small.mp4"].read_bytes())
    monkeypatch.chdir(tmp_path)

    assert inspect(name).facts.duration_ms == 2005


def test_file_name_of_bytes_that_are_no_text(clips: Clips, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9tude.mp4")
    Path(path).write_bytes(clips["small.mp4"].read_bytes())

    assert inspect(path).facts.duration_ms == 2005


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "null\0byte"])
def test_what_is_no_readable_file_is_told_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind if "\0" not in kind else kind
    if kind == "folder":
        Path(path).mkdir()
    elif kind == "pipe":
        os.mkfifo(path)

    began = time.monotonic()
    with pytest.raises(UnreadableFileError):
        inspect(path)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("name", ["bomb_sps.mp4", "bomb_vp8.webm", "bomb_entries.mp4"])
def test_bombs_are_refused_under_the_memory_limit(clips: Clips, name: str) -> None:
    with pytest.raises(MediaError) as caught:
        inspect(clips[name])

    assert not isinstance(caught.value, ProbeTimeoutError | ProbeCrashedError)


def test_giant_picture_is_refused_by_its_header_before_memory_is_taken_for_it(
    clips: Clips,
) -> None:
    """88 kB that cost 730 MB in the opening alone, when FFmpeg is not told (85-media §0.6)."""
    program = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from cadenza_uploader._media import MediaError, probe_in_process\n"
        "try: probe_in_process(sys.argv[1])\n"
        "except MediaError as error: print(error.code, error.measured)\n"
        # Not getrusage: its peak is inherited from the process that started this one.
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(clips["bomb_sps.mp4"])],
        capture_output=True,
        text=True,
        check=True,
    )

    code, measured, most_kilobytes = told.stdout.split()
    assert (code, measured) == ("too_many_pixels", "16240x16240")
    assert int(most_kilobytes) < 300_000


def test_file_that_makes_libav_spin_is_stopped_by_the_processor_limit(clips: Clips) -> None:
    """One changed byte, 0.6 s of processor for each fragment (85-media §0.2)."""

    def start(*args: Any, **kwargs: Any) -> Child:
        return Child(*args, **{**kwargs, "budget": Budget(cpu_seconds=1)})

    (answer,) = inspect_many([clips["slow_track_id.mp4"]], timeout_seconds=60, start=start)

    assert isinstance(answer, ProbeTimeoutError)
    assert answer.measured == "processor time"
    assert Budget().cpu_seconds == 5


def test_many_files_answer_in_their_order(clips: Clips, tmp_path: Path) -> None:
    names = ["take.mp4", "png.mp4", "rot90.mp4", "cut_in_half.mp4", "small.mp4"]

    answers = inspect_many([*(clips[name] for name in names), tmp_path / "missing"])

    kinds = [type(answer) for answer in answers]
    assert kinds == [
        Inspection,
        NotAVideoError,
        Inspection,
        DamagedMediaError,
        Inspection,
        UnreadableFileError,
    ]


def test_file_that_kills_its_process_costs_only_itself(clips: Clips) -> None:
    started: list[Child] = []

    def start(*args: Any, **kwargs: Any) -> Child:
        child = Child(*args, **{**kwargs, "budget": Budget(cpu_seconds=1)})
        started.append(child)
        return child

    names = ["small.mp4", "slow_track_id.mp4", "rot90.mp4"]
    first, second, third = inspect_many([clips[name] for name in names], start=start)

    assert isinstance(first, Inspection)
    assert isinstance(second, ProbeTimeoutError)
    assert isinstance(third, Inspection)
    assert len(started) == 2


def test_large_batches_use_fresh_processes(clips: Clips) -> None:
    started: list[int] = []

    def start(*args: Any, **kwargs: Any) -> Child:
        started.append(len(kwargs["fds"]))
        return Child(*args, **kwargs)

    answers = inspect_many(
        [clips["small.mp4"]] * 40, thumbnail=False, sound_check=False, start=start
    )

    assert started == [32, 8]
    assert all(isinstance(answer, Inspection) for answer in answers)


# ── a process that misbehaves (M05, M06, M07): stubs instead of the real one ──────────────────

FACTS = (
    '{"facts": {"container": "mp4", "size_bytes": 1, "duration_ms": 2005, "width": 320,'
    ' "height": 180, "rotation": 0, "mirrored": false, "fps": 30.0, "video_codec": "h264",'
    ' "audio_codec": "aac", "hdr": null, "interlaced": false, "faststart": true,'
    ' "pixel_format": "yuv420p", "warnings": []}}'
)


class Stub:
    """Starts a small program in the place of the probe process."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.children: list[Child] = []

    def __call__(self, order: Any, **kwargs: Any) -> Child:
        command = [sys.executable, "-I", "-S", "-c", self.program]
        child = Child(order, command=command, **kwargs)
        self.children.append(child)
        return child


def one(path: Path, program: str, **how: Any) -> Inspection | MediaError:
    (answer,) = inspect_many([path], start=Stub(program), **how)
    return answer


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL", "SIGBUS"])
def test_crashing_process_means_unreadable_never_accepted(clips: Clips, name: str) -> None:
    number = getattr(signal, name)

    answer = one(clips["small.mp4"], f"import os; os.kill(os.getpid(), {int(number)})")

    assert isinstance(answer, ProbeCrashedError)
    assert answer.measured == f"signal {int(number)}"


def test_process_that_exits_without_a_word_is_a_crash(clips: Clips) -> None:
    answer = one(clips["small.mp4"], "raise SystemExit(3)")

    assert isinstance(answer, ProbeCrashedError)
    assert answer.measured == "exit 3"


def test_hanging_process_is_killed_with_all_it_started(clips: Clips, tmp_path: Path) -> None:
    pid_file = tmp_path / "grandchild"
    program = (
        "import os, subprocess, sys, time\n"
        "sleep = [sys.executable, '-I', '-S', '-c', 'import time; time.sleep(600)']\n"
        "helper = subprocess.Popen(sleep)\n"
        f"open({str(pid_file)!r}, 'w').write(str(helper.pid))\n"
        "time.sleep(600)\n"
    )

    answer = one(clips["small.mp4"], program, timeout_seconds=3)

    assert isinstance(answer, ProbeTimeoutError)
    assert answer.measured == "wall time"
    assert answer.retryable
    assert _is_gone(int(pid_file.read_text()))


@pytest.mark.parametrize(
    "said",
    [
        "not json",
        "[1, 2]",
        '{"other": 1}',
        '{"facts": {"container": "mp4"}}',
        FACTS.replace("2005", '"long"'),
        FACTS.replace('"hdr"', '"colour"'),
        '{"error": "KeyboardInterrupt", "code": "x", "sentence": "x"}',
        "x" * 100_000,
    ],
)
def test_nonsense_is_never_taken_for_facts(clips: Clips, said: str) -> None:
    answer = one(clips["small.mp4"], f"print({said!r}, flush=True)")

    assert isinstance(answer, ProbeCrashedError)


@pytest.mark.parametrize(
    "then",
    [
        "import os; os.kill(os.getpid(), 11)",
        "print('nonsense')",
        """print('{"warnings": [], "jpeg_bytes": 2000000}' + chr(10) + "x" * 2000000)""",
        """print('{"warnings": [], "jpeg_bytes": -1}' + chr(10) + "x" * 20)""",
        """print('{"warnings": [["too", "many", "parts"]], "jpeg_bytes": 0}')""",
        "import time; time.sleep(600)",
    ],
)
def test_process_lost_over_the_thumbnail_takes_only_the_thumbnail(clips: Clips, then: str) -> None:
    """M07: the facts were told first, so they stand."""
    program = f"print({FACTS!r}, flush=True)\n{then}"

    answer = one(clips["small.mp4"], program, timeout_seconds=2)

    assert isinstance(answer, Inspection)
    assert answer.facts.duration_ms == 2005
    assert answer.thumbnail_jpeg is None
    assert [each.code for each in answer.facts.warnings] == ["no_thumbnail"]


def test_no_thumbnail_warning_when_none_was_asked_for(clips: Clips) -> None:
    answer = one(clips["small.mp4"], f"print({FACTS!r}, flush=True)", thumbnail=False)

    assert isinstance(answer, Inspection)
    assert answer.facts.warnings == ()


def test_endless_talk_is_cut_short(clips: Clips) -> None:
    program = "import sys\nwhile True: sys.stdout.write('x' * 1000)"

    answer = one(clips["small.mp4"], program, timeout_seconds=60)

    assert isinstance(answer, ProbeCrashedError)


def test_thumbnail_that_comes_in_pieces_is_put_together(clips: Clips) -> None:
    program = (
        f"print({FACTS!r}, flush=True)\n"
        "import sys, time\n"
        """print('{"warnings": [], "jpeg_bytes": 6}', flush=True)\n"""
        "for piece in (b'ab', b'cd', b'ef'):\n"
        "    sys.stdout.buffer.write(piece); sys.stdout.buffer.flush(); time.sleep(0.05)\n"
    )

    answer = one(clips["small.mp4"], program)

    assert isinstance(answer, Inspection)
    assert answer.thumbnail_jpeg == b"abcdef"


def test_process_that_closes_its_mouth_and_lives_on_is_a_crash(clips: Clips) -> None:
    answer = one(clips["small.mp4"], "import os, time; os.close(1); time.sleep(600)")

    assert isinstance(answer, ProbeCrashedError)
    assert answer.measured == "no proper answer"


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_group_that_is_already_gone_is_reaped_all_the_same(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    def refuse(*args: object) -> None:
        raise error

    monkeypatch.setattr("os.killpg", refuse)
    stub = Stub(f"print({FACTS!r}, flush=True)\nimport time; time.sleep(600)")

    inspect_many([clips["small.mp4"]], start=stub, timeout_seconds=1)

    assert stub.children[0].returncode is not None


def test_error_the_process_tells_arrives_as_its_own_class(clips: Clips) -> None:
    said = '{"error": "DamagedMediaError", "code": "damaged", "sentence": "Broken.", "measured": 5}'

    answer = one(clips["small.mp4"], f"print({said!r})")

    assert isinstance(answer, DamagedMediaError)
    assert (answer.code, answer.sentence, answer.measured) == ("damaged", "Broken.", "5")


def test_process_that_cannot_be_started_says_nothing_about_the_file(clips: Clips) -> None:
    def start(order: Any, **kwargs: Any) -> Child:
        return Child(order, command=["/nowhere/python"], **kwargs)

    first, second = inspect_many([clips["small.mp4"], clips["take.mp4"]], start=start)

    assert isinstance(first, ProbeUnavailableError)
    assert isinstance(second, ProbeUnavailableError)
    assert first.retryable


def test_missing_decoder_package_is_named(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ProbeUnavailableError, match="package av is not installed"):
        inspect(clips["small.mp4"])


def test_environment_is_not_handed_on(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADENZA_TOKEN", "secret")
    program = (
        "import os, json\n"
        "names = ' '.join(sorted(os.environ))\n"
        'print(json.dumps({"error": "MediaError", "code": "env", "sentence": names}))'
    )

    answer = one(clips["small.mp4"], program)

    assert isinstance(answer, MediaError)
    assert "CADENZA" not in answer.sentence
    assert "HOME" not in answer.sentence


def test_other_descriptors_of_the_parent_are_closed_to_it(clips: Clips, tmp_path: Path) -> None:
    with (tmp_path / "queue.db").open("w") as private:
        os.set_inheritable(private.fileno(), True)
        program = (
            "import os, json\n"
            f"try: os.fstat({private.fileno()}); seen = 'open'\n"
            "except OSError: seen = 'closed'\n"
            'print(json.dumps({"error": "MediaError", "code": seen, "sentence": ""}))'
        )
        answer = one(clips["small.mp4"], program)

    assert isinstance(answer, MediaError)
    assert answer.code == "closed"


def test_leaving_the_context_twice_is_harmless(clips: Clips) -> None:
    child = Child({}, budget=Budget(), command=[sys.executable, "-c", "pass"])
    child.end()
    child.end()


def test_fresh_take_of_the_standard_helper_is_acceptable(tmp_path: Path) -> None:
    facts = inspect(make_take(tmp_path / "take.mp4", 1.5)).facts

    assert facts.duration_ms == pytest.approx(1514, abs=1)
    assert check_limits(facts) == ()


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True  # killed; the container's init has not reaped it yet
        time.sleep(0.02)
    return False
