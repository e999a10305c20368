"""Recording: what is written, where it stops, and what is left when something goes wrong."""

import errno
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from cadenza_uploader._media import CameraError, check_limits, probe_in_process, record
from cadenza_uploader._media._camera import split_device
from cadenza_uploader._media._inspect_job import answers
from cadenza_uploader._media._recorder import Recorder
from cadenza_uploader._media._scene import scene
from cadenza_uploader._media._source import opened
from cadenza_uploader._media._tone import Tone


def test_synthetic_take_keeps_every_limit_and_has_a_picture_and_a_sound(tmp_path: Path) -> None:
    path = tmp_path / "take.mp4"

    facts = record(path, seconds=2.5)

    assert facts == probe_in_process(path)
    assert (facts.duration_ms, facts.width, facts.height) == (2500, 1280, 720)
    assert (facts.video_codec, facts.audio_codec, facts.faststart) == ("h264", "aac", True)
    assert facts.fps == pytest.approx(30)
    assert check_limits(facts) == ()
    assert _warnings_of(path) == []
    assert [each.name for each in tmp_path.iterdir()] == ["take.mp4"]


def test_recording_stops_at_the_limit_sound_included(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cadenza_uploader._media._record.MAX_SECONDS", 2)

    assert record(tmp_path / "take.mp4", seconds=500, pattern="black").duration_ms == 2000


@pytest.mark.full
def test_recording_stops_at_three_minutes(tmp_path: Path) -> None:
    facts = record(tmp_path / "take.mp4", seconds=500)

    assert facts.duration_ms == 180_000
    assert facts.size_bytes < 50_000_000
    assert check_limits(facts) == ()


def test_takes_without_sound_and_in_every_pattern(tmp_path: Path) -> None:
    for pattern in ("bars", "noise", "black"):
        facts = record(tmp_path / f"{pattern}.mp4", seconds=0.5, pattern=pattern, audio=False)
        assert (facts.duration_ms, facts.audio_codec) == (500, None)
        assert {each.code for each in facts.warnings} == {"no_audio", "very_short"}


def test_shortest_take_is_one_frame(tmp_path: Path) -> None:
    assert record(tmp_path / "take.mp4", seconds=0.001, audio=False).duration_ms == 33


def test_progress_tells_recorded_seconds_about_five_times_a_second(tmp_path: Path) -> None:
    told: list[float] = []

    record(tmp_path / "take.mp4", seconds=1, pattern="black", progress=told.append)

    assert told == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_stop_ends_the_take_and_keeps_it(tmp_path: Path) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 14

    facts = record(tmp_path / "take.mp4", seconds=60, pattern="black", stop=stop)

    assert facts.duration_ms == 500


def test_realtime_waits_for_each_frame(tmp_path: Path) -> None:
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    record(
        tmp_path / "take.mp4",
        seconds=1,
        pattern="black",
        realtime=True,
        sleep=sleep,
        monotonic=lambda: now,
    )

    assert len(slept) == 29  # the first frame does not wait
    assert now == pytest.approx(100 + 29 / 30)


def test_existing_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "take.mp4"
    path.write_bytes(b"precious")

    with pytest.raises(FileExistsError):
        record(path, seconds=1)

    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0}, {"seconds": -1}, {"pattern": "snow"}, {"tone_hz": 30_000.0}]
)
def test_impossible_wishes_leave_nothing_behind(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"recording|pattern|tone"):
        record(tmp_path / "take.mp4", **{"seconds": 1, **wrong})

    assert list(tmp_path.iterdir()) == []


def test_failure_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    def progress(seconds: float) -> None:
        raise RuntimeError("the terminal is gone")

    with pytest.raises(RuntimeError):
        record(tmp_path / "take.mp4", seconds=2, pattern="black", progress=progress)

    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_an_oserror_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(OSError, match="No space") as caught:
        record(tmp_path / "take.mp4", seconds=0.2, pattern="black")

    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_disk_that_fills_while_recording_is_an_oserror() -> None:
    frame = av.VideoFrame(320, 180, "yuv420p")

    with (
        pytest.raises(OSError, match="No space"),
        Recorder(Path("/dev/full"), limit_seconds=Fraction(2), sound=False) as recorder,
    ):
        recorder.add_picture(frame, Fraction(0))


def test_sound_that_runs_ahead_of_the_picture_is_left_out(tmp_path: Path) -> None:
    sound = av.AudioFrame(format="s16", layout="mono", samples=48_000)
    sound.sample_rate = 48_000
    path = tmp_path / "take.mp4"
    with Recorder(path, limit_seconds=Fraction(9), sound=True) as recorder:
        recorder.add_picture(av.VideoFrame(320, 180, "yuv420p"), Fraction(0))
        recorder.add_sound(sound, Fraction(0))
        recorder.add_picture(av.VideoFrame(320, 180, "yuv420p"), Fraction(1, 2))

    assert probe_in_process(path).duration_ms == 533


def test_sound_that_has_no_place_is_left_out(tmp_path: Path) -> None:
    sound = av.AudioFrame(format="s16", layout="mono", samples=1600)
    sound.sample_rate = 48_000
    for has_sound, at_seconds in ((False, Fraction(0)), (True, Fraction(-1))):
        path = tmp_path / f"{has_sound}.mp4"
        with Recorder(path, limit_seconds=Fraction(2), sound=has_sound) as recorder:
            recorder.add_picture(av.VideoFrame(320, 180, "yuv420p"), Fraction(0))
            recorder.add_sound(sound, at_seconds)

        assert probe_in_process(path).duration_ms == 33


def test_missing_folder_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        record(tmp_path / "nowhere" / "take.mp4", seconds=0.2)


# ── a camera: FFmpeg's own test sources stand in for the device ────────────────────────────────


def test_camera_and_microphone_become_one_take(tmp_path: Path) -> None:
    facts = record(
        tmp_path / "take.mp4",
        seconds=1,
        camera="lavfi:testsrc2=size=640x480:rate=30",
        microphone="lavfi:sine=frequency=440:sample_rate=44100",
    )

    assert (facts.width, facts.height, facts.audio_codec) == (640, 480, "aac")
    assert 900 <= facts.duration_ms <= 1000


def test_large_camera_picture_is_made_to_fit_and_fast_one_thinned(tmp_path: Path) -> None:
    facts = record(
        tmp_path / "take.mp4",
        seconds=0.5,
        camera="lavfi:testsrc2=size=1200x1000:rate=120",
        audio=False,
    )

    assert check_limits(facts) == ()
    assert (facts.width, facts.height) == (864, 720)
    assert facts.fps == pytest.approx(59, abs=2)  # of 120


def test_device_that_ends_ends_the_take(tmp_path: Path) -> None:
    source = "lavfi:testsrc2=size=320x180:rate=30:duration=0.5"

    facts = record(tmp_path / "take.mp4", seconds=60, camera=source, audio=False)

    assert facts.duration_ms == 500


def test_device_that_shows_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(CameraError) as caught:
        record(tmp_path / "take.mp4", seconds=1, camera="lavfi:sine=duration=0.2", audio=False)

    assert caught.value.code == "no_picture"
    assert list(tmp_path.iterdir()) == []


def test_device_that_breaks_is_told_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def unplugged(*args: object) -> Iterator[Any]:
        with av.open("testsrc2=size=320x180:rate=30", format="lavfi") as real:
            yield Unplugged(real)

    class Unplugged:
        def __init__(self, real: Any) -> None:
            self.real, self.streams = real, real.streams

        def decode(self, **kinds: int) -> Iterator[Any]:
            yield from itertools.islice(self.real.decode(**kinds), 10)
            raise av.error.OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr("cadenza_uploader._media._camera._device", unplugged)

    with pytest.raises(CameraError, match="stopped answering") as caught:
        record(tmp_path / "take.mp4", seconds=1, camera="default", audio=False)

    assert caught.value.code == "camera_lost"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("camera", "microphone", "code"),
    [
        ("v4l2:/dev/zero", "default", "no_camera"),
        ("/dev/video77", "default", "no_camera"),
        ("https://camera.example/", "default", "no_camera"),
        ("lavfi:testsrc2", "alsa:nothing-of-that-name", "no_microphone"),
        ("lavfi:testsrc2", "lavfi:", "no_microphone"),
    ],
)
def test_missing_device_is_told_clearly(
    tmp_path: Path, camera: str, microphone: str, code: str
) -> None:
    with pytest.raises(CameraError) as caught:
        record(tmp_path / "take.mp4", seconds=1, camera=camera, microphone=microphone)

    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_threads_of_the_devices_end_with_the_recording(tmp_path: Path) -> None:
    before = threading.active_count()

    record(
        tmp_path / "take.mp4",
        seconds=0.2,
        camera="lavfi:testsrc2=size=320x180:rate=30",
        microphone="lavfi:sine",
    )

    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("name", "what", "platform", "expected"),
    [
        ("default", "camera", "linux", ("v4l2", "/dev/video0")),
        ("default", "microphone", "linux", ("alsa", "default")),
        ("default", "camera", "darwin", ("avfoundation", "default:none")),
        ("default", "microphone", "darwin", ("avfoundation", "none:default")),
        ("/dev/video2", "camera", "linux", ("v4l2", "/dev/video2")),
        ("x11grab::0.0", "camera", "linux", ("x11grab", ":0.0")),
    ],
)
def test_device_names(name: str, what: str, platform: str, expected: tuple[str, str]) -> None:
    assert split_device(name, what, platform) == expected


@pytest.mark.parametrize("name", ["default", "file:/etc/passwd", "v4l2", ":x", ""])
def test_device_names_that_are_none(name: str) -> None:
    with pytest.raises(CameraError):
        split_device(name, "camera", "plan9")


# ── the picture and the sound themselves ───────────────────────────────────────────────────────


def test_timer_and_pendulum_move_and_the_staff_does_not() -> None:
    paint = scene("clock")
    first, later = (Image.frombytes("RGB", (1280, 720), paint(number)) for number in (0, 47))

    timer, pendulum, clef = (550, 120, 1100, 310), (90, 60, 450, 430), (60, 500, 140, 640)
    assert first.crop(timer).tobytes() != later.crop(timer).tobytes()
    assert first.crop(pendulum).tobytes() != later.crop(pendulum).tobytes()
    assert first.crop(clef).tobytes() == later.crop(clef).tobytes()


def test_scene_is_a_function_of_the_frame_number() -> None:
    once, again = scene("clock"), scene("clock")
    for number in (0, 100, 31):
        again(number)

    assert once(200) == again(200)


@pytest.mark.parametrize("pattern", ["clock", "bars", "noise", "black"])
def test_every_pattern_paints_whole_frames(pattern: str) -> None:
    assert len(scene(pattern)(5400)) == 1280 * 720 * 3


def test_tone_is_seamless_wherever_it_is_asked_from() -> None:
    tone = Tone(440)

    whole = tone.samples(0, 5 * 48_000)
    pieces = b"".join(tone.samples(start, 1000) for start in range(0, 5 * 48_000, 1000))

    assert whole == pieces


def test_beat_is_louder_than_the_tone_and_nothing_clips() -> None:
    samples = memoryview(Tone(440).samples(0, 4 * 48_000)).cast("h")

    on_the_beat = max(samples[48_000:50_000])
    between = max(samples[72_000:74_000])
    assert 3 * between < on_the_beat < 32_000
    assert between > 1000


def _warnings_of(path: Path) -> list[str]:
    """What an inspection warns of: silence, black, distortion."""
    with opened(path) as fd:
        records = [record for record, _ in answers(fd, thumbnail=True, sound_check=True)]
    return [code for code, _ in records[1]["warnings"]]
