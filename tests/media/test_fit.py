"""`fit`: what comes out is acceptable, whole, upright, and nothing is left when it fails."""

import errno
import itertools
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from cadenza_uploader._media import (
    CannotFitError,
    DamagedMediaError,
    FitCancelledError,
    MediaError,
    MediaFacts,
    MediaLimits,
    NotAVideoError,
    ProbeCrashedError,
    ProbeTimeoutError,
    check_limits,
    fit,
    probe_in_process,
)
from cadenza_uploader._media import _fit as fit_module
from cadenza_uploader._media import _fit_job as job_module
from cadenza_uploader._media._fit_job import fit_fd, fit_for
from cadenza_uploader._media._fit_plan import FitPlan, plan_fit
from cadenza_uploader._media._inspect_job import answers
from cadenza_uploader._media._isolation import Child
from cadenza_uploader._media._packer import Packer, PackingError
from cadenza_uploader._media._source import examine
from cadenza_uploader._media._transcode import transcode
from tests.media.cases import Clips
from tests.media.clips import make_take, write
from tests.media.pictures import corners_of, opened_jpeg, thumbnail_of
from tests.media.test_limits import GOOD

LIMITS = MediaLimits()


# ── the plan ───────────────────────────────────────────────────────────────────────────────────


def plan(limits: MediaLimits = LIMITS, **changes: Any) -> FitPlan:
    return plan_fit(replace(GOOD, **changes), limits)


@pytest.mark.parametrize(
    ("changes", "picture", "sound"),
    [
        ({}, "copy", "copy"),
        ({"faststart": False}, "copy", "copy"),
        ({"container": "matroska"}, "copy", "copy"),
        ({"container": "matroska", "audio_codec": "opus"}, "copy", "encode"),
        ({"audio_codec": "mp3"}, "copy", "encode"),
        ({"audio_codec": None}, "copy", "none"),
        ({"rotation": 90, "mirrored": True}, "copy", "copy"),
        # Not every byte stream survives repacking.
        ({"container": "mpegts"}, "encode", "encode"),
        ({"container": "avi"}, "encode", "encode"),
        ({"video_codec": "hevc"}, "encode", "copy"),
        ({"pixel_format": "yuv444p"}, "encode", "copy"),
        ({"width": 1920, "height": 1080}, "encode", "copy"),
        ({"fps": 120.0}, "encode", "copy"),
        ({"size_bytes": 50_000_001}, "encode", "copy"),
    ],
)
def test_only_what_is_wrong_is_encoded_again(
    changes: dict[str, Any], picture: str, sound: str
) -> None:
    made = plan(**changes)

    assert (made.picture, made.sound) == (picture, sound)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((641, 361), (640, 360)),
        ((1680, 720), (1280, 548)),
        ((3, 1), (2, 2)),
    ],
)
def test_sizes_are_within_the_limits_and_even(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    made = plan(width=size[0], height=size[1])

    assert (made.width, made.height) == expected


def test_bits_fill_the_target_and_no_more() -> None:
    long = plan(duration_ms=180_000, video_codec="hevc")

    assert 180 * (long.video_bits + long.audio_bits) / 8 == pytest.approx(47_000_000, rel=0.001)
    assert plan(duration_ms=5000).video_bits == 4_000_000
    assert plan(duration_ms=180_000, limits=MediaLimits(target_bytes=1)).video_bits == 300_000
    assert plan(audio_codec=None).audio_bits == 0


def test_nothing_is_ever_cut() -> None:
    """B-43."""
    with pytest.raises(CannotFitError) as caught:
        plan(duration_ms=181_000)

    assert (caught.value.code, caught.value.measured) == ("duration_exceeded", "181.0")


def test_second_attempt_copies_nothing() -> None:
    assert plan().encoded().picture == "encode"
    assert plan().encoded().sound == "encode"
    assert plan(audio_codec=None).encoded().sound == "none"
    assert plan(audio_codec=None).encoded().audio_bits == 0


# ── the copy, made in this process ─────────────────────────────────────────────────────────────

# name → copied without loss?
FITTED = {
    "moov_at_end.mp4": True,
    "matroska_live.mkv": True,
    "flash.flv": True,
    "fragmented.mp4": True,
    "rot90_mirrored.mp4": True,
    "late_video_1s.mp4": True,
    "edit_trim.mp4": True,
    "variable_rate.mp4": True,
    "mp3_in_mp4.mp4": True,
    "cover_art_video.mp4": True,
    "no_edit_list_b_frames.mp4": True,
    "one_frame.mp4": True,
    "no_audio.mp4": True,
    "h1080p_portrait_rotated.mp4": False,
    "two_video_small_first.mp4": False,
    "wide_1680x720.mp4": False,
    "fps_120.mp4": False,
    "odd_444.mp4": False,
    "hevc.mp4": False,
    "iphone_hevc_hlg.mov": False,
    "av1.mp4": False,
    "webm_named.mp4": False,
    "mediarecorder_vp8.webm": False,
    "odd_641x361.webm": False,
    "avi.avi": False,
    "mpeg2.mpg": False,
    "stream.ts": False,
}


@pytest.mark.parametrize("name", FITTED)
def test_copy_is_acceptable_and_as_long_as_its_source(
    clips: Clips, tmp_path: Path, name: str
) -> None:
    source = probe_in_process(clips[name])

    made = fitted(clips, tmp_path, name)

    assert check_limits(made) == ()
    assert made.container == "mp4"
    assert made.faststart
    assert made.duration_ms == pytest.approx(source.duration_ms, abs=60)
    assert (made.audio_codec is None) == (source.audio_codec is None)
    if FITTED[name]:
        assert (made.rotation, made.mirrored) == (source.rotation, source.mirrored)
    else:
        assert (made.rotation, made.mirrored, made.interlaced) == (0, False, False)
        assert made.pixel_format == "yuv420p"
    assert made.width / made.height == pytest.approx(source.width / source.height, rel=0.01)


@pytest.mark.parametrize(
    "turn", ["0", "90", "180", "270", "0m", "90m", "180m", "270m", "untagged_hd"]
)
def test_encoded_copy_shows_what_the_source_shows(clips: Clips, tmp_path: Path, turn: str) -> None:
    """Two ways to the same picture: Pillow turns the thumbnail, FFmpeg's filters the copy."""
    name = f"corners_{turn}.mp4"
    shown = corners_of(opened_jpeg(thumbnail_of(clips[name])))

    made = fitted(clips, tmp_path, name, limits=MediaLimits(target_bytes=1))

    assert (made.rotation, made.mirrored) == (0, False)
    assert corners_of(opened_jpeg(thumbnail_of(tmp_path / "copy.mp4"))) == shown


def test_interlaced_picture_is_made_whole(clips: Clips, tmp_path: Path) -> None:
    assert probe_in_process(clips["combed.mp4"]).interlaced
    assert comb_of(clips["combed.mp4"]) > 50

    with clips["combed.mp4"].open("rb") as file:
        source = probe_in_process(clips["combed.mp4"])
        everything = plan_fit(source, LIMITS).encoded()
        transcode(examine(file.fileno()), tmp_path / "copy.mp4", source, everything, print)

    assert comb_of(tmp_path / "copy.mp4") < 10


def test_gap_in_the_sound_is_filled_with_silence(clips: Clips, tmp_path: Path) -> None:
    """Players disagree on how long a packet of sound may last; nobody minds silence."""
    fitted(clips, tmp_path, "sound_gap.mkv")

    with av.open(str(tmp_path / "copy.mp4")) as container:
        steps = [packet.duration for packet in container.demux(audio=0) if packet.size]
    assert set(steps[:-1]) == {1024}
    assert warned_of(tmp_path / "copy.mp4") == []


def test_pictures_of_an_avi_with_b_frames_all_arrive_in_order(clips: Clips, tmp_path: Path) -> None:
    assert fitted(clips, tmp_path, "b_frames.avi").fps == pytest.approx(30, abs=0.1)


def test_jitter_of_an_ordinary_camera_loses_no_frame(clips: Clips, tmp_path: Path) -> None:
    fitted(clips, tmp_path, "jitter_58fps.mp4", limits=MediaLimits(target_bytes=1))

    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert container.streams.video[0].frames == 58


def test_damaged_sound_is_encoded_over_its_gaps(clips: Clips, tmp_path: Path) -> None:
    source = probe_in_process(clips["scratched.mp4"])
    with clips["scratched.mp4"].open("rb") as file:
        everything = plan_fit(source, LIMITS).encoded()
        transcode(examine(file.fileno()), tmp_path / "copy.mp4", source, everything, print)

    made = probe_in_process(tmp_path / "copy.mp4")
    assert made.duration_ms == pytest.approx(source.duration_ms, abs=500)


def test_trimmed_take_stays_trimmed_when_encoded(clips: Clips, tmp_path: Path) -> None:
    made = fitted(clips, tmp_path, "edit_trim.mp4", limits=MediaLimits(target_bytes=1))

    assert made.duration_ms == pytest.approx(5000, abs=60)


def test_scratched_take_is_encoded_over_its_scratches(clips: Clips, tmp_path: Path) -> None:
    made = fitted(clips, tmp_path, "scratched.mp4", limits=MediaLimits(target_bytes=1))

    assert made.duration_ms == pytest.approx(5013, abs=500)


def test_sound_and_picture_stay_together_when_one_begins_late(clips: Clips, tmp_path: Path) -> None:
    fitted(clips, tmp_path, "late_video_1s.mp4", limits=MediaLimits(target_bytes=1))

    with av.open(str(tmp_path / "copy.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert float((video.start_time or 0) * (video.time_base or 0)) == pytest.approx(1, abs=0.05)
        assert float((audio.start_time or 0) * (audio.time_base or 0)) == pytest.approx(0, abs=0.05)


def test_place_and_device_are_left_out(clips: Clips, tmp_path: Path) -> None:
    """M08."""
    assert b"48.2082" in clips["iphone_hevc_hlg.mov"].read_bytes()

    fitted(clips, tmp_path, "iphone_hevc_hlg.mov")

    assert b"48.2082" not in (tmp_path / "copy.mp4").read_bytes()


def test_repacking_leaves_the_place_out_too(tmp_path: Path) -> None:
    place = {"location": "+48.2082+016.3738/"}
    take = make_take(tmp_path / "take.mp4", 0.5, width=320, height=180, metadata=place)
    assert "location_inside" in {each.code for each in probe_in_process(take).warnings}

    made = fit(take, tmp_path / "copy.mp4")

    assert "location_inside" not in {each.code for each in made.warnings}


def test_large_take_comes_out_near_the_target_and_not_above(tmp_path: Path) -> None:
    noise = "testsrc2=size=640x360:rate=30,noise=alls=60:allf=t+u:all_seed=7"
    take = tmp_path / "take.mp4"
    write(take, width=640, height=360, frames=180, picture=noise, codec_options={"crf": "24"})
    limits = MediaLimits(target_bytes=1_000_000)
    assert take.stat().st_size > 3 * limits.target_bytes

    fd = os.open(take, os.O_RDONLY)
    try:
        made = fit_fd(fd, tmp_path / "copy.mp4", limits, lambda part: None)
    finally:
        os.close(fd)

    assert 600_000 < made.size_bytes <= limits.target_bytes
    assert made.duration_ms == pytest.approx(6000, abs=30)


def test_copy_that_lost_something_is_made_again_by_encoding(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    real = transcode

    def shortening(source: Any, part: Path, facts: Any, plan: FitPlan, tell: Any) -> None:
        tried.append(plan.picture)
        if plan.picture == "copy":
            part.write_bytes(clips["one_frame.mp4"].read_bytes())
        else:
            real(source, part, facts, plan, tell)

    monkeypatch.setattr(job_module, "transcode", shortening)

    assert fitted(clips, tmp_path, "small.mp4").duration_ms == pytest.approx(2005, abs=60)
    assert tried == ["copy", "encode"]


@pytest.mark.parametrize("rubbish", ["one_frame.mp4", "cut_in_half.mp4"])
def test_copy_that_stays_wrong_is_thrown_away(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rubbish: str
) -> None:
    def spoiling(source: Any, part: Path, *rest: Any) -> None:
        part.write_bytes(clips[rubbish].read_bytes())

    monkeypatch.setattr(job_module, "transcode", spoiling)

    with pytest.raises(CannotFitError) as caught:
        fitted(clips, tmp_path, "small.mp4")

    assert caught.value.code == "fit_failed"


def test_packets_an_mp4_does_not_take_are_encoded_instead(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(source: Any, part: Path, facts: Any, plan: FitPlan, tell: Any) -> None:
        if plan.picture == "copy":
            raise PackingError("Invalid argument")
        transcode(source, part, facts, plan, tell)

    monkeypatch.setattr(job_module, "transcode", refusing)

    assert fitted(clips, tmp_path, "small.mp4").duration_ms == pytest.approx(2005, abs=60)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["small.mp4", "hevc.mp4"])
def test_full_disk_is_not_taken_for_damage_of_the_source(clips: Clips, name: str) -> None:
    with clips[name].open("rb") as source, pytest.raises(OSError, match="No space") as caught:
        fit_fd(source.fileno(), Path("/dev/full"), LIMITS, lambda part: None)

    assert caught.value.errno == errno.ENOSPC


def test_time_that_runs_backwards_is_a_packing_error(tmp_path: Path) -> None:
    def packet(stream: Any, at: int) -> Any:
        made = av.Packet(b"data")
        made.stream, made.pts, made.dts = stream, at, at
        return made

    with Packer(tmp_path / "copy.mp4") as out:
        stream = out.container.add_stream("aac", rate=48_000)
        out.mux(packet(stream, 10))
        with pytest.raises(PackingError):
            out.mux(packet(stream, 5))


def test_job_tells_its_progress_in_steps_and_then_the_facts(clips: Clips, tmp_path: Path) -> None:
    records = job(clips["hevc.mp4"], tmp_path / "copy.mp4")

    parts = [record["part"] for record in records[:-1]]
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert 10 < len(parts) <= 101
    assert records[-1]["facts"]["video_codec"] == "h264"


def test_job_tells_what_is_wrong_with_the_source(clips: Clips, tmp_path: Path) -> None:
    (record,) = job(clips["cut_in_half.mp4"], tmp_path / "copy.mp4")

    assert (record["error"], record["code"]) == ("DamagedMediaError", "truncated")


def test_job_tells_what_is_wrong_with_the_disk(clips: Clips, tmp_path: Path) -> None:
    records = job(clips["small.mp4"], tmp_path / "nowhere" / "copy.mp4")

    assert records == [{"part": 0.0}, {"errno": errno.ENOENT}]


# ── the process ────────────────────────────────────────────────────────────────────────────────


def test_process_makes_the_copy_and_tells_how_far_it_is(clips: Clips, tmp_path: Path) -> None:
    told: list[float] = []
    facts = probe_in_process(clips["hevc.mp4"])

    made = fit(clips["hevc.mp4"], tmp_path / "copy.mp4", facts=facts, progress=told.append)

    assert made == probe_in_process(tmp_path / "copy.mp4").warned(*made.warnings)
    assert {each.code for each in made.warnings} == {"very_short"}
    assert told[-1] == 1.0
    assert [each.name for each in tmp_path.iterdir()] == ["copy.mp4"]


def test_older_copy_is_replaced_as_a_whole(clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "copy.mp4").write_bytes(b"from before the power cut")

    fit(clips["moov_at_end.mp4"], tmp_path / "copy.mp4")

    assert probe_in_process(tmp_path / "copy.mp4").duration_ms == pytest.approx(10_005, abs=30)


@pytest.mark.parametrize("name", ["take:1.mp4", "http:x.mp4", "%d.mp4", "été 🎻.mp4", "-y.mp4"])
def test_names_of_copies_are_only_names(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)

    fit(clips["small.mp4"], name)

    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_folder_of_bytes_that_are_no_text(clips: Clips, tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9tudes")
    Path(folder).mkdir()

    fit(clips["small.mp4"], Path(folder) / "copy.mp4")

    assert probe_in_process(Path(folder) / "copy.mp4").duration_ms == pytest.approx(2005, abs=30)


def test_too_long_take_is_refused_before_any_work(clips: Clips, tmp_path: Path) -> None:
    facts = probe_in_process(clips["dur_181.mp4"])

    with pytest.raises(CannotFitError, match="never cuts"):
        fit(tmp_path / "not even there.mp4", tmp_path / "copy.mp4", facts=facts)


def test_too_long_take_without_facts_is_refused_by_the_process(
    clips: Clips, tmp_path: Path
) -> None:
    with pytest.raises(CannotFitError, match="never cuts"):
        fit(clips["dur_181.mp4"], tmp_path / "copy.mp4")


@pytest.mark.parametrize(
    ("name", "kind"), [("cut_in_half.mp4", DamagedMediaError), ("png.mp4", NotAVideoError)]
)
def test_unreadable_source_leaves_nothing(
    clips: Clips, tmp_path: Path, name: str, kind: type[MediaError]
) -> None:
    with pytest.raises(kind):
        fit(clips[name], tmp_path / "copy.mp4")

    assert list(tmp_path.iterdir()) == []


def test_cancelling_stops_the_process_and_leaves_nothing(clips: Clips, tmp_path: Path) -> None:
    take = make_take(tmp_path / "take.mp4", 60, width=1920, height=1080)
    told: list[float] = []

    with pytest.raises(FitCancelledError):
        fit(take, tmp_path / "copy.mp4", progress=told.append, cancel=lambda: len(told) > 1)

    assert [each.name for each in tmp_path.iterdir()] == ["take.mp4"]
    assert told[-1] < 0.9


def test_full_disk_is_an_oserror(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, """print('{"errno": 28}')""")

    with pytest.raises(OSError, match="No space left") as caught:
        fit(clips["small.mp4"], tmp_path / "copy.mp4")

    assert caught.value.errno == errno.ENOSPC


def test_copy_outside_the_limits_is_never_kept(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = json.dumps({"facts": json.loads(_wire(width=1920, height=1080))})
    part = str(tmp_path / "copy.mp4.part")
    answer(monkeypatch, f"open({part!r}, 'w').close()\nprint({wire!r})")

    with pytest.raises(CannotFitError, match="1920×1080") as caught:
        fit(clips["small.mp4"], tmp_path / "copy.mp4")

    assert caught.value.code == "fit_failed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("import os; os.kill(os.getpid(), 11)", ProbeCrashedError),
        ("import time; time.sleep(600)", ProbeTimeoutError),
        ("print('nonsense')", ProbeCrashedError),
        ("""print('{"part": "most"}')""", ProbeCrashedError),
        ("""print('{"facts": {}}')""", ProbeCrashedError),
        ("""print('{"what": 1}')""", ProbeCrashedError),
    ],
)
def test_process_that_misbehaves_leaves_nothing(
    clips: Clips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    kind: type[MediaError],
) -> None:
    answer(monkeypatch, program)

    with pytest.raises(kind):
        fit(clips["small.mp4"], tmp_path / "copy.mp4", stall_seconds=1, progress=lambda part: None)

    assert list(tmp_path.iterdir()) == []


def comb_of(path: Path) -> float:
    """How much neighbouring rows differ where a bar stands, 0 to 255."""
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[10]
    gray = frame.reformat(width=720, height=576, format="gray")
    plane, content = gray.planes[0], bytes(gray.planes[0])
    column = [content[row * plane.line_size + 120] for row in range(200, 300)]
    return sum(abs(a - b) for a, b in itertools.pairwise(column)) / 99


def warned_of(path: Path) -> list[str]:
    with path.open("rb") as file:
        both = list(answers(file.fileno(), thumbnail=False, sound_check=True))
    return [code for code, _ in both[1][0]["warnings"]]


def answer(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Run a small program in the place of the process."""

    def start(order: Any, **kwargs: Any) -> Child:
        return Child(order, command=[sys.executable, "-I", "-S", "-c", program], **kwargs)

    monkeypatch.setattr(fit_module, "Child", start)


def fitted(clips: Clips, folder: Path, name: str, *, limits: MediaLimits = LIMITS) -> MediaFacts:
    with clips[name].open("rb") as source:
        return fit_fd(source.fileno(), folder / "copy.mp4", limits, lambda part: None)


def job(source: Path, part: Path) -> list[dict[str, Any]]:
    class Out:
        written = b""

        def write(self, data: bytes) -> None:
            self.written += data

        def flush(self) -> None:
            pass

    out: Any = Out()
    with source.open("rb") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("resource.setrlimit", lambda which, pair: None)
        patch.setattr("os.nice", lambda step: 0)
        limits = {name: getattr(LIMITS, name) for name in MediaLimits.__slots__}
        assert fit_for({"fd": file.fileno(), "part": str(part), "limits": limits}, out) == 0
    return [json.loads(line) for line in out.written.splitlines()]


def _wire(**changes: Any) -> str:
    from cadenza_uploader._media._facts import facts_to_wire

    return json.dumps(facts_to_wire(replace(GOOD, **changes)))
