"""What is measured in each kind of clip (85-media §2), in this very process."""

import errno
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cadenza_uploader._media import (
    DamagedMediaError,
    MediaError,
    MediaFacts,
    NotAVideoError,
    NotFinalisedError,
    UnreadableFileError,
    UnsupportedMediaError,
    check_limits,
    probe_in_process,
)
from cadenza_uploader._media._limits import advice
from cadenza_uploader._media._measure import _note, _Scan
from cadenza_uploader._media._source import opened, read_at
from tests.media.boxes import find
from tests.media.cases import OTHER_THINGS, Clips

# name → milliseconds, shown size, codes of the limits it breaks
MEASURED: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "take.mp4": (3008, "1280x720", ()),
    "moov_at_end.mp4": (10005, "320x180", ()),
    # AAC ends up to 21 ms after the picture: a correct recording of 180 s must pass.
    "dur_180_000.mp4": (180_010, "320x180", ()),
    "dur_180_000_no_audio.mp4": (180_000, "320x180", ()),
    "dur_180_013_2997.mp4": (180_032, "320x180", ()),
    "dur_180_040_25fps.mp4": (180_040, "320x180", ()),
    "dur_180_4.mp4": (180_416, "320x180", ()),
    "dur_180_6.mp4": (180_600, "320x180", ("duration_exceeded",)),
    "dur_181.mp4": (181_013, "320x180", ("duration_exceeded",)),
    "portrait_720x1280.mp4": (2005, "720x1280", ()),
    "h1080p.mp4": (2005, "1920x1080", ("resolution_exceeded",)),
    "h1080p_portrait_rotated.mp4": (2005, "1080x1920", ("resolution_exceeded",)),
    "wide_1680x720.mp4": (2005, "1680x720", ("resolution_exceeded",)),
    "tall_1280x960.mp4": (2005, "1280x960", ("resolution_exceeded",)),
    "fps_5994.mp4": (2005, "320x180", ()),
    "fps_60.mp4": (2005, "320x180", ()),
    "fps_120.mp4": (1002, "320x180", ("fps_exceeded",)),
    "one_frame.mp4": (33, "320x180", ()),
    "one_key_frame_20s.mp4": (20_000, "320x180", ()),
    "rot90.mp4": (2005, "360x640", ()),
    "rot180.mp4": (2005, "640x360", ()),
    "anamorphic_960x720.mp4": (2005, "1280x720", ()),
    "anamorphic_rot90.mp4": (2005, "720x1280", ()),
    "aspect_absurd.mp4": (2005, "640x360", ()),
    "odd_444.mp4": (2005, "641x361", ()),
    "interlaced_576i.mp4": (2005, "1024x576", ()),
    "variable_rate.mp4": (6267, "320x180", ()),
    "fragmented.mp4": (10_027, "320x180", ()),
    "fragmented_pipe.mp4": (4032, "320x180", ()),
    "quicktime.mov": (2005, "320x180", ()),
    "mp4_named.webm": (2005, "320x180", ()),
    "no_audio.mp4": (2000, "320x180", ()),
    "cover_art_video.mp4": (2005, "320x180", ()),
    "two_video.mp4": (2005, "640x360", ()),
    "empty_sound_track.mp4": (2000, "320x180", ()),
    "two_video_small_first.mp4": (2005, "1920x1080", ("resolution_exceeded",)),
    "late_video_1s.mp4": (3008, "320x180", ()),
    "no_edit_list_b_frames.mp4": (5080, "320x180", ()),
    "edit_trim.mp4": (5000, "320x180", ()),
    "edit_trim_5fps.mp4": (3050, "320x180", ()),
    "edit_trim_long.mp4": (20_000, "320x180", ()),
    "lie_short.mp4": (200_021, "320x180", ("duration_exceeded",)),
    "lie_movie_header.mp4": (200_021, "320x180", ("duration_exceeded",)),
    "lie_long.mp4": (5035, "320x180", ()),
    "giant_track_header.mp4": (1000, "320x180", ()),
    "latin1_title.mp4": (2005, "320x180", ()),
    "padded.mp4": (2005, "320x180", ()),
    # Refused, and `fit` can help.
    "hevc.mp4": (1002, "320x180", ("codec_unsupported",)),
    "iphone_hevc_hlg.mov": (1514, "720x1280", ("codec_unsupported",)),
    "av1.mp4": (1002, "320x180", ("codec_unsupported",)),
    "mp3_in_mp4.mp4": (2016, "320x180", ("codec_unsupported",)),
    "matroska.mkv": (180_010, "320x180", ("container_unsupported",)),
    "matroska_live.mkv": (10_005, "320x180", ("container_unsupported",)),
    "flash.flv": (2026, "320x180", ("container_unsupported",)),
    "stream.ts": (3029, "320x180", ("container_unsupported",)),
    "avi.avi": (2040, "320x180", ("container_unsupported", *["codec_unsupported"] * 2)),
    "mpeg2.mpg": (2040, "320x180", ("container_unsupported", *["codec_unsupported"] * 2)),
    "vp9.webm": (2013, "320x180", ("container_unsupported", *["codec_unsupported"] * 2)),
    "webm_named.mp4": (2013, "320x180", ("container_unsupported", *["codec_unsupported"] * 2)),
    "odd_641x361.webm": (2000, "641x361", ("container_unsupported", "codec_unsupported")),
    "mediarecorder_vp8.webm": (
        10_013,
        "320x180",
        ("container_unsupported", *["codec_unsupported"] * 2),
    ),
    "mediarecorder_190s.webm": (
        190_013,
        "320x180",
        ("duration_exceeded", "container_unsupported", *["codec_unsupported"] * 2),
    ),
    "lie_short.webm": (
        200_000,
        "320x180",
        ("duration_exceeded", "container_unsupported", "codec_unsupported"),
    ),
}

REFUSED: dict[str, tuple[type[MediaError], str]] = {
    "zero_bytes.mp4": (NotAVideoError, "empty_file"),
    "all_zeros.mp4": (DamagedMediaError, "zero_filled"),
    "zeroed_tail.mp4": (DamagedMediaError, "zero_filled"),
    "not_finalised.mp4": (NotFinalisedError, "not_finalised"),
    "index_cut_off.mp4": (NotFinalisedError, "not_finalised"),
    "cut_in_half.mp4": (DamagedMediaError, "truncated"),
    "cut_tail.mp4": (DamagedMediaError, "truncated"),
    "cut_fragmented.mp4": (DamagedMediaError, "truncated"),
    "cut_between_fragments.mp4": (DamagedMediaError, "truncated"),
    "init_only.mp4": (DamagedMediaError, "no_samples"),
    "undecodable.mp4": (DamagedMediaError, "undecodable"),
    "audio_only.m4a": (NotAVideoError, "no_video_track"),
    "cover_art_audio.m4a": (NotAVideoError, "no_video_track"),
    "gif.mp4": (NotAVideoError, "not_a_video"),
    "bomb_sps.mp4": (UnsupportedMediaError, "too_many_pixels"),
    "bomb_vp8.webm": (DamagedMediaError, "undecodable"),
    "encrypted.mp4": (UnsupportedMediaError, "encrypted"),
    "no_decoder.mp4": (UnsupportedMediaError, "no_decoder"),
}


@pytest.mark.parametrize("name", MEASURED)
def test_measures_length_and_shown_size_and_finds_the_limits_broken(
    clips: Clips, name: str
) -> None:
    duration_ms, size, codes = MEASURED[name]

    facts = probe_in_process(clips[name])

    # One millisecond for rounding; encoders of other PyAV versions place their first sample alike.
    assert facts.duration_ms == pytest.approx(duration_ms, abs=1)
    assert f"{facts.width}x{facts.height}" == size
    assert tuple(each.code for each in check_limits(facts)) == codes
    assert facts.size_bytes == clips[name].stat().st_size


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_cannot_be_a_take(clips: Clips, name: str) -> None:
    kind, code = REFUSED[name]

    with pytest.raises(MediaError) as caught:
        probe_in_process(clips[name])

    assert type(caught.value) is kind
    assert caught.value.code == code
    assert str(clips.folder) not in str(caught.value)


@pytest.mark.parametrize("name", OTHER_THINGS)
def test_names_what_the_file_is_instead_of_a_video(clips: Clips, name: str) -> None:
    with pytest.raises(NotAVideoError, match=OTHER_THINGS[name][1]) as caught:
        probe_in_process(clips[name])

    assert caught.value.code == "not_a_video"


@pytest.mark.parametrize(
    ("name", "rotation", "mirrored"),
    [
        ("take.mp4", 0, False),
        # set_display_rotation counts counter-clockwise, the facts clockwise.
        ("rot90.mp4", 270, False),
        ("rot180.mp4", 180, False),
        ("rot270.mp4", 90, False),
        ("mirrored.mp4", 0, True),
        ("rot90_mirrored.mp4", 90, True),
        ("rot10.mp4", 0, False),
        ("iphone_hevc_hlg.mov", 90, False),
    ],
)
def test_tells_how_the_picture_is_turned(
    clips: Clips, name: str, rotation: int, mirrored: bool
) -> None:
    facts = probe_in_process(clips[name])

    assert (facts.rotation, facts.mirrored) == (rotation, mirrored)


@pytest.mark.parametrize(
    ("name", "video", "audio", "container"),
    [
        ("take.mp4", "h264", "aac", "mp4"),
        ("quicktime.mov", "h264", "aac", "quicktime"),
        ("no_audio.mp4", "h264", None, "mp4"),
        ("hevc.mp4", "hevc", "aac", "mp4"),
        ("av1.mp4", "av1", "aac", "mp4"),
        ("vp9.webm", "vp9", "opus", "webm"),
        ("avi.avi", "mpeg4", "mp3", "avi"),
        ("mpeg2.mpg", "mpeg2video", "mp2", "mpeg"),
        ("stream.ts", "h264", "aac", "mpegts"),
        ("matroska.mkv", "h264", "aac", "matroska"),
        ("mp4_named.webm", "h264", "aac", "mp4"),
        ("webm_named.mp4", "vp8", "opus", "webm"),
    ],
)
def test_names_codecs_and_container_by_content(
    clips: Clips, name: str, video: str, audio: str | None, container: str
) -> None:
    facts = probe_in_process(clips[name])

    assert (facts.video_codec, facts.audio_codec, facts.container) == (video, audio, container)


def test_knows_interlacing_hdr_frame_rate_and_the_place_of_the_index(clips: Clips) -> None:
    assert probe_in_process(clips["interlaced_576i.mp4"]).interlaced
    assert not probe_in_process(clips["take.mp4"]).interlaced
    assert probe_in_process(clips["iphone_hevc_hlg.mov"]).hdr == "hlg"
    assert probe_in_process(clips["hdr_pq.mp4"]).hdr == "pq"
    assert probe_in_process(clips["take.mp4"]).hdr is None
    assert probe_in_process(clips["dur_180_013_2997.mp4"]).fps == pytest.approx(29.97, abs=0.01)
    assert probe_in_process(clips["mediarecorder_vp8.webm"]).fps == pytest.approx(30, abs=0.1)
    assert probe_in_process(clips["take.mp4"]).faststart
    assert not probe_in_process(clips["moov_at_end.mp4"]).faststart
    assert probe_in_process(clips["fragmented.mp4"]).faststart


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("take.mp4", set()),
        ("two_video.mp4", {"several_video_streams"}),
        ("lie_short.mp4", {"header_lies"}),
        ("lie_short.webm", {"header_lies"}),
        ("rot10.mp4", {"odd_rotation"}),
        ("aspect_absurd.mp4", {"odd_pixel_shape"}),
        ("iphone_hevc_hlg.mov", {"location_inside"}),
        ("gaps.ts", {"damaged_parts"}),
    ],
)
def test_warns_of_what_the_file_itself_shows(clips: Clips, name: str, codes: set[str]) -> None:
    assert _codes(probe_in_process(clips[name])) == codes


def test_place_in_the_file_is_told_of_and_never_repeated(clips: Clips) -> None:
    facts = probe_in_process(clips["iphone_hevc_hlg.mov"])

    assert "48.2082" not in repr(facts)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no_audio.mp4", "no_audio"),
        ("short_1s.mp4", "very_short"),
        ("odd_444.mp4", "rare_pixel_format"),
    ],
)
def test_advice_follows_from_the_facts(clips: Clips, name: str, code: str) -> None:
    assert code in {each.code for each in advice(probe_in_process(clips[name]))}


def test_index_that_points_before_the_file_is_survived(clips: Clips, tmp_path: Path) -> None:
    """Found by fuzzing: 64-bit offsets with the highest bit set."""
    path = tmp_path / "take.mp4"
    content = bytearray(clips["no_audio.mp4"].read_bytes())
    ((at, header, _),) = find(content, b"stco")
    # A 64-bit table over the same bytes: its second entry is what follows, whatever it says.
    content[at + 4 : at + 8] = b"co64"
    entries = (1).to_bytes(4, "big") + (1 << 63).to_bytes(8, "big")
    content[at + header + 4 : at + header + 16] = entries
    path.write_bytes(content)

    with pytest.raises(MediaError):
        probe_in_process(path)


def test_failing_disk_is_told_apart_from_a_damaged_file(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips["small.mp4"]

    def fail(*args: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.pread", fail)

    with pytest.raises(UnreadableFileError, match="Input/output error") as caught:
        probe_in_process(path)
    assert caught.value.code == "file_unreadable"


def test_nothing_is_read_from_before_the_file(clips: Clips) -> None:
    with opened(clips["small.mp4"]) as fd:
        assert read_at(fd, 64, -1) == b""
        assert read_at(fd, -1, 0) == b""
        assert read_at(fd, 8, 0)[4:] == b"ftyp"


def test_packets_without_time_or_length_are_placed_as_well_as_can_be() -> None:
    """Some demuxers leave one of the two out; the last picture still lasts its frame."""
    video = SimpleNamespace(index=0, type="video", average_rate=Fraction(25), base_rate=None)
    media: Any = SimpleNamespace(video=video)
    scan = _Scan()

    for stream, pts, dts, duration in (
        (0, None, None, 40),  # nowhere: left out
        (0, None, 960, 40),
        (0, 1000, 990, None),  # 1/25 s is added
        (1, 1010, 1010, None),  # sound: nothing is added
    ):
        packet: Any = SimpleNamespace(
            stream_index=stream, pts=pts, dts=dts, duration=duration, time_base=Fraction(1, 1000)
        )
        _note(packet, scan, media)

    assert (scan.spans[0].start, scan.spans[0].end) == pytest.approx((0.96, 1.04))
    assert scan.spans[0].packets == 2
    assert (scan.spans[1].start, scan.spans[1].end) == pytest.approx((1.01, 1.01))


def test_scratched_recording_keeps_its_length(clips: Clips) -> None:
    """5 % of the bytes are noise: players freeze and go on, so the take is not refused."""
    assert probe_in_process(clips["scratched.mp4"]).duration_ms == 5013


def _codes(facts: MediaFacts) -> set[str]:
    return {each.code for each in facts.warnings}
