"""Thumbnails: upright, in shape, in colour, not black; and never the reason to lose a take."""

from typing import Any

import av
import pytest
from PIL import Image, ImageStat

from cadenza_uploader._media import _thumbnail as thumbnail_module
from cadenza_uploader._media._inspect_job import answers
from cadenza_uploader._media._source import opened
from tests.media.cases import Clips
from tests.media.pictures import corners_of, opened_jpeg, thumbnail_of


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("take.mp4", (480, 270)),
        ("portrait_720x1280.mp4", (270, 480)),
        ("rot90.mp4", (270, 480)),
        ("h1080p_portrait_rotated.mp4", (270, 480)),
        ("anamorphic_960x720.mp4", (480, 270)),
        ("anamorphic_rot90.mp4", (270, 480)),
        ("interlaced_576i.mp4", (480, 270)),
        ("small.mp4", (320, 180)),
        ("odd_444.mp4", (480, 270)),
        ("iphone_hevc_hlg.mov", (270, 480)),
        ("webm_named.mp4", (320, 180)),
    ],
)
def test_long_side_is_480_at_most_and_the_shape_is_what_a_player_shows(
    clips: Clips, name: str, size: tuple[int, int]
) -> None:
    assert opened_jpeg(thumbnail_of(clips[name])).size == size


@pytest.mark.parametrize(
    ("name", "corners"),
    [
        ("corners_0.mp4", "red green blue white"),
        # set_display_rotation turns counter-clockwise and mirrors what comes out.
        ("corners_90.mp4", "green white red blue"),
        ("corners_180.mp4", "white blue green red"),
        ("corners_270.mp4", "blue red white green"),
        ("corners_0m.mp4", "green red white blue"),
        ("corners_90m.mp4", "white green blue red"),
        ("corners_180m.mp4", "blue white red green"),
        ("corners_270m.mp4", "red blue green white"),
        ("corners_untagged_hd.mp4", "red green blue white"),
        ("corners_wide_pixels_90.mp4", "green white red blue"),
    ],
)
def test_picture_is_upright_and_in_its_colours(clips: Clips, name: str, corners: str) -> None:
    assert corners_of(opened_jpeg(thumbnail_of(clips[name]))) == corners


def test_first_frame_that_is_not_black_is_taken(clips: Clips) -> None:
    """The only key frame is black; the frames after one second are not."""
    assert _brightness(clips, "black_start.mp4") > 60


def test_long_black_beginning_is_skipped_by_key_frames(clips: Clips) -> None:
    assert _brightness(clips, "black_three_quarters.mp4") > 60


def test_all_black_take_has_a_black_thumbnail_and_a_warning(clips: Clips) -> None:
    records, jpeg = _answers(clips, "black.mp4")

    assert max(opened_jpeg(jpeg).tobytes()) < 40
    assert [code for code, _ in records[1]["warnings"]] == ["black"]


def test_fade_in_is_not_shown_at_its_dim_start(clips: Clips) -> None:
    assert _brightness(clips, "fade_in.mp4") > 30


def test_dim_take_shows_its_brightest_frame_and_is_not_called_black(clips: Clips) -> None:
    records, jpeg = _answers(clips, "dim.mp4")

    assert records[1]["warnings"] == []
    assert 40 <= max(opened_jpeg(jpeg).tobytes()) < 100


def test_damaged_first_frames_are_passed_over(clips: Clips) -> None:
    assert opened_jpeg(thumbnail_of(clips["scratched.mp4"])).size == (320, 180)


@pytest.mark.parametrize(
    "failure", [OSError("disk"), ValueError("size"), MemoryError(), av.error.BugError(1, "bug")]
)
def test_failing_thumbnail_leaves_the_facts_and_a_warning(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    """M07, O16: its failure never fails a take."""

    def fail(*args: Any) -> bytes:
        raise failure

    monkeypatch.setattr(thumbnail_module, "_jpeg", fail)

    records, jpeg = _answers(clips, "take.mp4")

    assert records[0]["facts"]["duration_ms"] == 3008
    assert [code for code, _ in records[1]["warnings"]] == ["no_thumbnail"]
    assert jpeg == b""


def test_picture_that_cannot_be_sought_in_still_gives_its_first_frame(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnail_module, "brightness", lambda frame: 0)

    for name in ("scratched.mp4", "stream.ts", "mediarecorder_vp8.webm", "one_frame.mp4"):
        assert opened_jpeg(thumbnail_of(clips[name])).size == (320, 180)


def test_thumbnail_carries_no_metadata(clips: Clips) -> None:
    jpeg = thumbnail_of(clips["iphone_hevc_hlg.mov"])

    assert b"Exif" not in jpeg
    assert b"48.2082" not in jpeg
    assert len(jpeg) < 60_000


def _brightness(clips: Clips, name: str) -> float:
    picture: Image.Image = opened_jpeg(thumbnail_of(clips[name])).convert("L")
    return ImageStat.Stat(picture).mean[0]


def _answers(clips: Clips, name: str) -> tuple[list[dict[str, Any]], bytes]:
    with opened(clips[name]) as fd:
        both = list(answers(fd, thumbnail=True, sound_check=False))
    return [record for record, _ in both], both[1][1]
