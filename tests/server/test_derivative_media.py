"""What is made of real clips: moments stay, portrait stays upright, damage is survived."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from cadenza_server.derivatives import child
from cadenza_server.derivatives.normalise import normalise, target_size
from cadenza_server.derivatives.opening import UnusableError, opened, picture_of, read_facts
from cadenza_server.derivatives.running import run_child
from cadenza_server.derivatives.sound import make_sound
from cadenza_server.derivatives.storyboard import MAX_TILES, make_storyboard, tile_size
from tests.media.cases import LIVE
from tests.media.clips import make_take, write


def _webm(path: Path, **options: Any) -> Path:
    given = {
        "width": 320,
        "height": 180,
        "frames": 90,
        "codec": "libvpx",
        "audio": "libopus",
        "unseekable": True,
        "muxer": LIVE,
        **options,
    }
    write(path, "webm", **given)
    return path


def _moments(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sorted(
            float(packet.pts * packet.time_base)
            for packet in container.demux(stream)
            if packet.pts is not None and packet.time_base is not None
        )


def _normalised(tmp_path: Path, source: Path) -> Path:
    made = tmp_path / "made.mp4"
    normalise(source, made, read_facts(source))
    return made


# ── facts ──────────────────────────────────────────────────────────────────────


def test_a_live_recording_has_its_duration_counted(tmp_path: Path) -> None:
    facts = read_facts(_webm(tmp_path / "a.webm"))

    assert 2990 <= facts.duration_ms <= 3030
    assert (facts.video_codec, facts.audio_codec) == ("vp8", "opus")
    assert facts.fps == pytest.approx(30, abs=1)


def test_size_is_as_shown(tmp_path: Path) -> None:
    write(tmp_path / "turned.mp4", width=320, height=180, rotate=90)
    write(tmp_path / "wide.mp4", width=240, height=180, aspect="4/3")

    turned, wide = read_facts(tmp_path / "turned.mp4"), read_facts(tmp_path / "wide.mp4")
    assert (turned.width, turned.height, turned.rotation) == (180, 320, 90)
    assert (wide.width, wide.height) == (320, 180)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\0\0\0\x18ftypmp42" + b"x" * 500, "not_a_video"), (b"ffconcat version 1.0", "not_a_video")],
)
def test_what_is_no_video(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(data)

    with pytest.raises(UnusableError, match=code):
        read_facts(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    write(tmp_path / "a.m4a", "ipod", codec=None)
    with pytest.raises(UnusableError, match="no_picture"):
        read_facts(tmp_path / "a.m4a")


def test_a_picture_nobody_can_decode(tmp_path: Path) -> None:
    path = make_take(tmp_path / "a.mp4", 1.0, width=320, height=180)
    data = path.read_bytes()
    at = data.index(b"mdat") + 4
    path.write_bytes(data[:at] + bytes(len(data) - at))

    with pytest.raises(UnusableError, match="damaged"):
        read_facts(path)


# ── the MP4 of a WebM ──────────────────────────────────────────────────────────


def test_every_picture_keeps_its_moment(tmp_path: Path) -> None:
    source = _webm(tmp_path / "a.webm")
    made = _normalised(tmp_path, source)

    before, after = _moments(source), _moments(made)
    assert len(before) == len(after) == 90
    assert max(abs(b - a) for b, a in zip(before, after, strict=True)) < 0.001


def test_a_recording_that_begins_late_begins_at_once(tmp_path: Path) -> None:
    source = _webm(tmp_path / "a.webm", audio=None)
    with av.open(str(source)) as given, av.open(str(tmp_path / "late.webm"), "w") as late:
        stream = late.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts + 5000, packet.dts + 5000, stream
                late.mux(packet)
    made = _normalised(tmp_path, tmp_path / "late.webm")

    assert _moments(made)[0] == pytest.approx(0, abs=0.001)
    assert 2900 <= read_facts(made).duration_ms <= 3100


def test_sound_stays_in_step_over_a_gap(tmp_path: Path) -> None:
    source = _webm(tmp_path / "a.webm", frames=150, silence=(1.0, 3.0), unseekable=False, muxer={})
    made = _normalised(tmp_path, source)
    facts = read_facts(made)
    make_sound(made, tmp_path / "wave.json", facts)

    wave = json.loads((tmp_path / "wave.json").read_text())
    per_second = 1000 // wave["interval_ms"]
    seconds = [
        max(wave["peaks"][at : at + per_second])
        for at in range(0, len(wave["peaks"]) - per_second, per_second)
    ]
    assert seconds[0] > 0.05
    assert max(wave["peaks"][int(1.2 * per_second) : int(2.8 * per_second)]) < 0.01
    assert seconds[4] > 0.05
    assert 4950 <= facts.duration_ms <= 5100


def test_it_is_h264_and_aac_with_its_index_first(tmp_path: Path) -> None:
    made = _normalised(tmp_path, _webm(tmp_path / "a.webm", width=641, height=361, frames=30))
    facts = read_facts(made)

    assert (facts.video_codec, facts.audio_codec) == ("h264", "aac")
    assert (facts.width, facts.height) == (640, 360)
    data = made.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_at_most_thirty_pictures_a_second(tmp_path: Path) -> None:
    made = _normalised(tmp_path, _webm(tmp_path / "a.webm", fps=60, frames=120, audio=None))

    moments = _moments(made)
    assert len(moments) == pytest.approx(60, abs=2)
    assert min(after - before for before, after in pairwise(moments)) > 0.025


def test_a_key_frame_each_second_for_quick_seeking(tmp_path: Path) -> None:
    made = read_facts(_normalised(tmp_path, _webm(tmp_path / "a.webm", audio=None)))

    assert len(made.keyframes) == 3


def test_a_recording_cut_off_is_as_long_as_it_is(tmp_path: Path) -> None:
    source = _webm(tmp_path / "a.webm")
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])

    facts = read_facts(_normalised(tmp_path, source))
    assert 1000 < facts.duration_ms < 2900


def test_one_bad_packet_is_left_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    source = _webm(tmp_path / "a.webm", frames=150, unseekable=False, muxer={})
    with av.open(str(source)) as given, av.open(str(tmp_path / "bad.webm"), "w") as bad:
        streams = {one.index: bad.add_stream_from_template(one) for one in given.streams}
        for packet in given.demux():
            if packet.pts is None or packet.dts is None:
                continue
            moment, index = float(packet.pts * packet.time_base), packet.stream_index
            if 2.0 <= moment < 2.2:
                hurt = av.Packet(b"\xff" * 40)
                hurt.pts, hurt.dts, hurt.time_base = packet.pts, packet.dts, packet.time_base
                packet = hurt
            packet.stream = streams[index]
            bad.mux(packet)
    made = _normalised(tmp_path, tmp_path / "bad.webm")

    assert 4900 <= read_facts(made).duration_ms <= 5100
    assert len(_moments(made)) > 100


def test_nothing_to_decode_is_damage(tmp_path: Path) -> None:
    source = _webm(tmp_path / "a.webm", frames=30)
    facts = read_facts(source)
    with av.open(str(source)) as given, av.open(str(tmp_path / "bad.webm"), "w") as bad:
        streams = {one.index: bad.add_stream_from_template(one) for one in given.streams}
        for packet in given.demux():
            if packet.pts is None or packet.dts is None:
                continue
            hurt = av.Packet(b"\xff" * 40)
            hurt.pts, hurt.dts, hurt.time_base = packet.pts, packet.dts, packet.time_base
            hurt.stream = streams[packet.stream_index]
            bad.mux(hurt)

    with pytest.raises(UnusableError, match="damaged"):
        read_facts(tmp_path / "bad.webm")
    with pytest.raises(UnusableError, match="damaged"):
        normalise(tmp_path / "bad.webm", tmp_path / "made.mp4", facts)
    with pytest.raises(UnusableError, match="damaged"):
        make_storyboard(tmp_path / "bad.webm", tmp_path / "board.jpg", facts)


def test_longer_than_three_minutes_is_refused(tmp_path: Path) -> None:
    source = _webm(tmp_path / "a.webm", frames=190, fps=1, audio=None)

    with pytest.raises(UnusableError, match="too_long"):
        _normalised(tmp_path, source)


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((641, 361), (640, 360)),
        ((640, 480), (640, 480)),
        ((1440, 1080), (960, 720)),
        ((3, 1), (4, 2)),
    ],
)
def test_the_size_of_the_mp4(size: tuple[int, int], made: tuple[int, int]) -> None:
    assert target_size(*size) == made


# ── the storyboard ─────────────────────────────────────────────────────────────


def test_each_tile_shows_its_moment(tmp_path: Path) -> None:
    # Four seconds: black, white, black, white, with one key frame only: all must be decoded.
    def picture(at: int) -> av.VideoFrame:
        frame = av.VideoFrame(320, 180, "yuv420p")
        level = 235 if at // 10 % 2 else 16
        for plane, value in zip(frame.planes, (level, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = at, Fraction(1, 10)
        return frame

    path = tmp_path / "a.mp4"
    write(path, fps=10, frames=40, gop=40, pictures=[picture(at) for at in range(40)], audio=None)
    facts = read_facts(path)
    board = make_storyboard(path, tmp_path / "board.jpg", facts)

    assert board == {
        "columns": 4,
        "rows": 1,
        "count": 4,
        "tile_width": 160,
        "tile_height": 90,
        "interval_ms": 1000,
    }
    with Image.open(tmp_path / "board.jpg") as sheet:
        assert sheet.size == (640, 90)
        greys = [sheet.convert("L").getpixel((80 + 160 * at, 45)) for at in range(4)]
    assert [isinstance(grey, int) and grey > 128 for grey in greys] == [False, True, False, True]


def test_key_frames_are_enough_when_they_are_close(tmp_path: Path) -> None:
    path = make_take(tmp_path / "a.mp4", 12.0, width=320, height=180)
    board = make_storyboard(path, tmp_path / "board.jpg", read_facts(path))

    assert (board["columns"], board["rows"], board["count"]) == (10, 2, 13)


def test_three_minutes_are_at_most_a_hundred_tiles(tmp_path: Path) -> None:
    path = make_take(tmp_path / "a.mp4", 180.0, width=320, height=180)
    board = make_storyboard(path, tmp_path / "board.jpg", read_facts(path))

    assert 90 <= board["count"] <= MAX_TILES
    assert (tmp_path / "board.jpg").stat().st_size < 500_000


def test_portrait_and_turned_stand_upright(tmp_path: Path) -> None:
    write(tmp_path / "turned.mp4", width=320, height=180, rotate=90)
    facts = read_facts(tmp_path / "turned.mp4")
    board = make_storyboard(tmp_path / "turned.mp4", tmp_path / "board.jpg", facts)
    assert (board["tile_width"], board["tile_height"]) == (90, 160)
    with opened(tmp_path / "turned.mp4") as container:
        frame = next(container.decode(picture_of(container)))
        upright: Image.Image = frame.to_image().rotate(90, expand=True).resize((90, 160))  # type: ignore[no-untyped-call]
    with Image.open(tmp_path / "board.jpg") as sheet:
        tile = sheet.crop((0, 0, 90, 160)).convert("L")
    ours, theirs = (list(one.convert("L").resize((9, 16)).tobytes()) for one in (tile, upright))
    assert sum(abs(a - b) for a, b in zip(ours, theirs, strict=True)) / len(ours) < 12
    assert tile_size(720, 1280) == (90, 160)
    assert tile_size(4000, 2) == (160, 2)


def test_a_picture_that_ends_before_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write(path, frames=30, seconds=5.0)
    facts = read_facts(path)
    board = make_storyboard(path, tmp_path / "board.jpg", facts)

    assert board["count"] == 6 if facts.duration_ms > 5000 else 5
    with Image.open(tmp_path / "board.jpg") as sheet:
        last = sheet.convert("L").crop(((board["count"] - 1) * 160, 0, board["count"] * 160, 90))
    assert max(last.tobytes()) > 0


def test_damage_in_the_middle_still_gives_a_storyboard(tmp_path: Path) -> None:
    path = make_take(tmp_path / "a.mp4", 6.0, width=320, height=180)
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + len(data) // 2
    data[at : at + 3000] = b"\xff" * 3000
    path.write_bytes(bytes(data))

    board = make_storyboard(path, tmp_path / "board.jpg", read_facts(path))
    assert board["count"] >= 6


# ── sound ──────────────────────────────────────────────────────────────────────


def test_without_sound_both_say_so(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", audio=None)
    wave, loudness = make_sound(
        tmp_path / "a.mp4", tmp_path / "wave.json", read_facts(tmp_path / "a.mp4")
    )

    assert wave == loudness == {"has_audio": False}
    assert not (tmp_path / "wave.json").exists()


def test_loudness_is_measured(tmp_path: Path) -> None:
    facts = {}
    for name, sound in (("loud", "sine=frequency=440"), ("quiet", "sine=frequency=440,volume=0.1")):
        write(tmp_path / f"{name}.mp4", frames=150, sound=sound)
        path = tmp_path / f"{name}.mp4"
        _, facts[name] = make_sound(path, tmp_path / "wave.json", read_facts(path))

    difference = facts["loud"]["integrated_lufs"] - facts["quiet"]["integrated_lufs"]
    assert difference == pytest.approx(20, abs=1)
    assert facts["loud"]["peak_db"] - facts["quiet"]["peak_db"] == pytest.approx(20, abs=1.5)


def test_silence_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write(path, frames=90, sound="sine=frequency=440,volume=0")
    _, loudness = make_sound(path, tmp_path / "wave.json", read_facts(path))

    assert loudness["silent_share"] == 1.0
    assert loudness["peak_db"] is None or loudness["peak_db"] < -80


# ── the child ──────────────────────────────────────────────────────────────────


def _work(
    tmp_path: Path, source: Path, kinds: list[str], capsys: pytest.CaptureFixture[str]
) -> list[Any]:
    child.work(source, tmp_path, kinds)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_mp4_comes_first_and_the_rest_is_made_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ["loudness", "normalise", "storyboard", "waveform"]
    said = _work(tmp_path, _webm(tmp_path / "a.webm"), kinds, capsys)

    assert [one.get("kind", "probe") for one in said] == [
        "normalise",
        "probe",
        "waveform",
        "loudness",
        "storyboard",
    ]
    assert said[1]["probe"]["video_codec"] == "h264"
    for one in said:
        if one.get("file"):
            assert (tmp_path / one["file"]).stat().st_size > 0


def test_only_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_take(tmp_path / "a.mp4", 1.0, width=320, height=180)

    assert [one.get("kind") for one in _work(tmp_path, source, ["waveform"], capsys)] == [
        None,
        "waveform",
    ]
    assert [one.get("kind") for one in _work(tmp_path, source, ["storyboard"], capsys)] == [
        None,
        "storyboard",
    ]


def test_what_can_not_be_made_is_said_of_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_bytes(b"nothing")
    said = _work(tmp_path, tmp_path / "x", ["storyboard", "waveform"], capsys)

    assert said == [
        {"kind": "storyboard", "error": "not_a_video"},
        {"kind": "waveform", "error": "not_a_video"},
    ]


def test_the_child_has_no_network_no_memory_for_bombs_and_no_server() -> None:
    # The limits, taken for real in a process of their own.
    program = """
import sys, types, json
package = types.ModuleType("cadenza_server"); package.__path__ = [sys.argv[1]]
sys.modules["cadenza_server"] = package
from cadenza_server.derivatives.child import limit
limit()
import os, socket
try:
    bytearray(4 << 30); memory = "given"
except MemoryError:
    memory = "refused"
try:
    socket.create_connection(("127.0.0.1", int(json.loads(sys.argv[2])["port"])), 2)
    network = "reached"
except OSError:
    network = "refused"
print(json.dumps({"memory": memory, "network": network, "nice": os.nice(0),
    "server": [name for name in sys.modules if name.startswith(("fastapi", "sqlmodel"))]}))
"""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        order = {"port": server.getsockname()[1]}
        (said,) = run_child(order, on_tick=lambda: None, program=program)

    assert said["memory"] == "refused"
    assert said["nice"] >= 10
    assert said["server"] == []
    if sys.platform == "linux" and _may_unshare():
        assert said["network"] == "refused"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_killed_server_takes_its_child_along() -> None:
    in_child = (
        "import os, sys, types, time; package = types.ModuleType('cadenza_server');"
        "package.__path__ = [sys.argv[1]]; sys.modules['cadenza_server'] = package;"
        "from cadenza_server.derivatives.child import limit; limit();"
        "print('{\\\"pid\\\": ' + str(os.getpid()) + '}', flush=True); time.sleep(60)"
    )
    server = (
        "from cadenza_server.derivatives.running import run_child;"
        f'heard = run_child({{}}, on_tick=int, program="{in_child}");'
        "[print(one['pid'], flush=True) for one in heard]"
    )
    with subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        pid = int(started.stdout.readline())
        started.kill()
    deadline = time.monotonic() + 10
    while _is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _may_unshare() -> bool:
    program = (
        "import ctypes; libc = ctypes.CDLL(None);"
        "raise SystemExit(libc.unshare(0x40000000) and libc.unshare(0x50000000))"
    )
    return subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_limits_apply_to_what_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken: list[str] = []
    monkeypatch.setattr(child, "limit", lambda: taken.append("limits"))
    monkeypatch.setattr(child, "work", lambda *given: taken.append(str(given)))
    child.main(json.dumps({"source": "a", "directory": "b", "kinds": ["waveform"]}))

    assert taken[0] == "limits"
    assert "waveform" in taken[1]
