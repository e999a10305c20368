"""The limits as decisions: every border from both sides (B-14, B-15, B-16, B-17, B-29, B-52)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._media import LimitViolation, MediaFacts, MediaLimits, check_limits
from cadenza_uploader._media._limits import advice, display_name

GOOD = MediaFacts(
    container="mp4",
    size_bytes=10_000_000,
    duration_ms=60_000,
    width=1280,
    height=720,
    rotation=0,
    mirrored=False,
    fps=30.0,
    video_codec="h264",
    audio_codec="aac",
    hdr=None,
    interlaced=False,
    faststart=True,
    pixel_format="yuv420p",
)


def only(**changes: object) -> LimitViolation:
    (violation,) = check_limits(replace(GOOD, **changes))  # type: ignore[arg-type]
    return violation


def codes(**changes: object) -> list[str]:
    return [each.code for each in check_limits(replace(GOOD, **changes))]  # type: ignore[arg-type]


def advised(**changes: object) -> list[str]:
    return [each.code for each in advice(replace(GOOD, **changes))]  # type: ignore[arg-type]


def test_ordinary_take_breaks_nothing_and_needs_no_advice() -> None:
    assert check_limits(GOOD) == ()
    assert advice(GOOD) == ()


@pytest.mark.parametrize("duration_ms", [1, 33, 180_000, 180_010, 180_040, 180_400, 180_499])
def test_three_minutes_with_half_a_second_of_grace_pass(duration_ms: int) -> None:
    assert codes(duration_ms=duration_ms) == []


@pytest.mark.parametrize("duration_ms", [180_500, 180_600, 181_000, 600_000])
def test_longer_takes_are_refused_and_never_cut(duration_ms: int) -> None:
    violation = only(duration_ms=duration_ms)

    assert violation.code == "duration_exceeded"
    assert violation.measured == duration_ms / 1000
    assert violation.limit == 180
    assert not violation.fixable_by_fit


def test_length_is_told_as_people_read_it() -> None:
    assert "lasts 3:00.6; the limit is 3:00." in only(duration_ms=180_600).sentence
    assert "lasts 10:00; the limit is 3:00." in only(duration_ms=600_000).sentence


@given(st.integers(min_value=0, max_value=400_000))
def test_accepted_take_never_rounds_beyond_the_servers_limit(duration_ms: int) -> None:
    """B-14 with B-29: the server refuses a `duration_seconds` of 181."""
    facts = replace(GOOD, duration_ms=duration_ms)

    if not check_limits(facts):
        assert 1 <= facts.duration_seconds <= 180


@pytest.mark.parametrize(
    "size", [(1280, 720), (720, 1280), (960, 720), (1280, 534), (2, 2), (720, 720)]
)
def test_pictures_within_1280_by_720_either_way_up_pass(size: tuple[int, int]) -> None:
    assert codes(width=size[0], height=size[1]) == []


@pytest.mark.parametrize(
    "size", [(1281, 720), (1280, 721), (721, 1280), (1680, 720), (1280, 960), (1920, 1080)]
)
def test_larger_pictures_are_refused_with_their_size(size: tuple[int, int]) -> None:
    violation = only(width=size[0], height=size[1])

    assert violation.code == "resolution_exceeded"
    assert violation.measured == f"{size[0]}x{size[1]}"
    assert violation.limit == "1280x720"
    assert f"{size[0]}×{size[1]}" in violation.sentence
    assert violation.fixable_by_fit


@pytest.mark.parametrize("fps", [None, 1.0, 59.94, 60.0, 60.03, 60.5])
def test_cameras_that_say_sixty_frames_pass(fps: float | None) -> None:
    assert codes(fps=fps) == []


@pytest.mark.parametrize("fps", [60.6, 120.0, 240.0])
def test_faster_pictures_are_refused(fps: float) -> None:
    violation = only(fps=fps)

    assert (violation.code, violation.measured, violation.limit) == ("fps_exceeded", fps, 60)
    assert violation.fixable_by_fit


@pytest.mark.parametrize("container", ["mp4", "quicktime"])
def test_containers_that_play_everywhere_pass(container: str) -> None:
    assert codes(container=container) == []


@pytest.mark.parametrize("container", ["webm", "matroska", "avi", "mpegts", "mpeg", "flv"])
def test_other_containers_are_refused_and_can_be_fitted(container: str) -> None:
    violation = only(container=container)

    assert violation.code == "container_unsupported"
    assert violation.measured == container
    assert display_name(container) in violation.sentence
    assert violation.fixable_by_fit


@pytest.mark.parametrize("codec", ["hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg2video", "theora"])
def test_other_pictures_are_refused_and_can_be_fitted(codec: str) -> None:
    """B-52: MPEG-4 Part 2 is not "H.264 compatible"; a browser shows nothing and says nothing."""
    violation = only(video_codec=codec)

    assert violation.code == "codec_unsupported"
    assert violation.measured == codec
    assert violation.fixable_by_fit


@pytest.mark.parametrize("codec", ["mp3", "opus", "vorbis", "pcm_s16le", "ac3"])
def test_other_sounds_are_refused_and_can_be_fitted(codec: str) -> None:
    violation = only(audio_codec=codec)

    assert (violation.code, violation.measured, violation.limit) == (
        "codec_unsupported",
        codec,
        "aac",
    )
    assert violation.fixable_by_fit


def test_no_sound_is_allowed_with_a_warning() -> None:
    assert codes(audio_codec=None) == []
    assert advised(audio_codec=None) == ["no_audio"]


def test_size_up_to_the_hard_cap_passes_with_a_warning_above_the_target() -> None:
    assert codes(size_bytes=50_000_000) == []
    assert advised(size_bytes=50_000_000) == []
    assert codes(size_bytes=250_000_000) == []
    assert advised(size_bytes=50_000_001) == ["over_target_size"]


def test_one_byte_above_the_hard_cap_is_refused_and_reads_as_more() -> None:
    violation = only(size_bytes=250_000_001)

    assert (violation.code, violation.measured) == ("too_large", 250_000_001)
    assert "250.1 MB" in violation.sentence
    assert "250 MB" in violation.sentence
    assert violation.fixable_by_fit
    assert advised(size_bytes=250_000_001) == []


def test_takes_under_two_seconds_are_told() -> None:
    assert advised(duration_ms=1999) == ["very_short"]
    assert advised(duration_ms=2000) == []


@pytest.mark.parametrize("pixels", ["yuv444p", "yuv420p10le", "yuv422p"])
def test_rare_kinds_of_h264_are_told(pixels: str) -> None:
    assert advised(pixel_format=pixels) == ["rare_pixel_format"]


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p", None])
def test_ordinary_kinds_of_h264_are_not(pixels: str | None) -> None:
    assert advised(pixel_format=pixels) == []


def test_every_violation_is_told_at_once_length_first() -> None:
    found = codes(
        duration_ms=200_000,
        width=1920,
        height=1080,
        fps=120.0,
        container="matroska",
        video_codec="hevc",
        audio_codec="opus",
        size_bytes=300_000_000,
    )

    assert found == [
        "duration_exceeded",
        "resolution_exceeded",
        "fps_exceeded",
        "container_unsupported",
        "codec_unsupported",
        "codec_unsupported",
        "too_large",
    ]


def test_limits_can_be_set() -> None:
    limits = MediaLimits(max_seconds=10, max_bytes=1000, long_side=640, short_side=360, max_fps=25)

    found = [each.code for each in check_limits(GOOD, limits)]

    assert found == ["duration_exceeded", "resolution_exceeded", "fps_exceeded", "too_large"]
    assert [each.code for each in advice(GOOD, MediaLimits(target_bytes=5))] == ["over_target_size"]


@given(
    st.builds(
        MediaFacts,
        container=st.sampled_from(["mp4", "quicktime", "webm", "avi"]),
        size_bytes=st.integers(0, 400_000_000),
        duration_ms=st.integers(0, 400_000),
        width=st.integers(1, 4096),
        height=st.integers(1, 4096),
        rotation=st.sampled_from([0, 90, 180, 270]),
        mirrored=st.booleans(),
        fps=st.none() | st.floats(0.1, 500),
        video_codec=st.sampled_from(["h264", "hevc", "vp9"]),
        audio_codec=st.sampled_from([None, "aac", "opus"]),
        hdr=st.none(),
        interlaced=st.booleans(),
        faststart=st.booleans(),
        pixel_format=st.sampled_from(["yuv420p", "yuv444p", None]),
    )
)
def test_accepted_means_within_every_single_limit(facts: MediaFacts) -> None:
    accepted = not check_limits(facts)

    assert accepted == (
        facts.duration_ms < 180_500
        and max(facts.width, facts.height) <= 1280
        and min(facts.width, facts.height) <= 720
        and (facts.fps is None or facts.fps <= 60.5)
        and facts.container in ("mp4", "quicktime")
        and facts.video_codec == "h264"
        and facts.audio_codec in ("aac", None)
        and facts.size_bytes <= 250_000_000
    )


def test_unknown_names_are_shown_as_they_are() -> None:
    assert display_name("prores") == "prores"
    assert display_name("hevc") == "HEVC (H.265)"
