"""Silence and distortion, found in a few seconds of a take."""

import struct
from typing import Any

import av
import pytest

from cadenza_uploader._media import _sound as sound_module
from cadenza_uploader._media._inspect_job import answers
from cadenza_uploader._media._sound import Heard
from cadenza_uploader._media._source import opened
from tests.media.cases import Clips


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("take.mp4", []),
        ("quiet.mp4", []),
        ("silent.mp4", ["silent"]),
        ("clipped.mp4", ["clipped"]),
        ("no_audio.mp4", []),
        ("short_1s.mp4", []),
        ("vp9.webm", []),
        ("mp3_in_mp4.mp4", []),
        ("one_frame.mp4", []),
    ],
)
def test_silent_and_overdriven_takes_are_told(clips: Clips, name: str, codes: list[str]) -> None:
    assert warned(clips, name) == codes


def test_sound_between_the_places_listened_to_is_found_all_the_same(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Windows of 0.05 s around 1/12, 3/12 … of 2 s: none touches 1.05 to 1.2 s.
    monkeypatch.setattr(sound_module, "WINDOW_SECONDS", 0.05)
    monkeypatch.setattr(sound_module, "WINDOWS", 2)

    assert warned(clips, "sound_begins_late.mp4") == []


def test_listening_to_all_of_it_has_a_budget(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_module, "FULL_LISTEN_SECONDS", -1.0)

    assert warned(clips, "silent.mp4") == ["silent"]


def test_damaged_sound_is_not_judged(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf:
        def __init__(self, **how: object) -> None:
            pass

        def resample(self, frame: object) -> list[Any]:
            raise av.error.InvalidDataError(1, "damaged")

    monkeypatch.setattr(av, "AudioResampler", Deaf)

    assert warned(clips, "take.mp4") == []


def test_scratches_in_the_sound_are_skipped(clips: Clips) -> None:
    assert "silent" not in warned(clips, "scratched.mp4")


def test_failure_while_listening_is_no_reason_to_refuse(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> object:
        raise MemoryError

    monkeypatch.setattr(sound_module, "Heard", fail)

    assert warned(clips, "take.mp4") == []


def channel(*samples: int) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


@pytest.mark.parametrize(
    ("samples", "silent"),
    [
        ([], True),
        ([0] * 100, True),
        ([32, -32] * 50, True),
        ([33, 0], False),
        ([0, -33], False),
        ([255, -256], False),
        ([257, 0], False),
        ([-32_768, 0], False),
    ],
)
def test_silence_ends_at_sixty_decibels_below_full(samples: list[int], silent: bool) -> None:
    heard = Heard()
    heard.add(channel(*samples))

    assert heard.silent == silent


def test_one_loud_moment_ends_the_silence_for_good() -> None:
    heard = Heard()
    for samples in ([0] * 10, [5000], [0] * 10):
        heard.add(channel(*samples))

    assert not heard.silent
    assert heard.samples == 21


@pytest.mark.parametrize(
    ("samples", "clipped"),
    [
        ([32_767] * 3 + [0] * 997, True),
        ([-32_768] * 3 + [0] * 997, True),
        # Full scale without a flat top: loud, and fine.
        ([32_767, 0, -32_768, 0] * 250, False),
        ([32_767, 32_767, 0] * 300, False),
        # One flat top in four seconds is a door, not distortion.
        ([32_767] * 3 + [0] * 192_000, False),
        # Bytes that look like full scale when read one off.
        ([-1] * 1000, False),
        ([], False),
    ],
)
def test_flat_tops_are_distortion(samples: list[int], clipped: bool) -> None:
    heard = Heard()
    heard.add(channel(*samples))

    assert heard.clipped == clipped


def warned(clips: Clips, name: str) -> list[str]:
    with opened(clips[name]) as fd:
        records = [record for record, _ in answers(fd, thumbnail=False, sound_check=True)]
    return [code for code, _ in records[1]["warnings"]]
