"""The matrix of odd, damaged and hostile clips (85-media §2), one builder each."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from tests.media.boxes import find, patched, replace_sps, state_duration, trim_by_edit_list
from tests.media.clips import (
    FASTSTART,
    FRAGMENTED,
    encoded,
    frames_of,
    make_take,
    repeated,
    write,
)

Build = Callable[[Path], object]
BUILDERS: dict[str, Build] = {}

INDEX_LAST: dict[str, str] = {}
HLG = (9, 18, 9, 1)
PQ = (9, 16, 9, 1)
LIVE = {"live": "1"}


class Clips:
    """Clips by name, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            part = path.with_name(f"making-{name}")
            BUILDERS[name](part)
            part.rename(path)
        return path


def clip(name: str) -> Callable[[Build], Build]:
    """Register a builder under the name of its file."""

    def register(build: Build) -> Build:
        BUILDERS[name] = build
        return build

    return register


def _simple(name: str, container: str = "mp4", **how: Any) -> None:
    BUILDERS[name] = lambda path: write(path, container, **how)


# ── ordinary, and around the limits ────────────────────────────────────────────────────────────

BUILDERS["take.mp4"] = lambda path: make_take(path)
_simple("small.mp4")
_simple("moov_at_end.mp4", frames=300, muxer=INDEX_LAST, codec_options={"bf": "2"})
_simple("dur_180_000.mp4", frames=5400)
_simple("dur_180_000_no_audio.mp4", frames=5400, audio=None)
_simple("dur_180_013_2997.mp4", frames=5395, fps=Fraction(30000, 1001))
_simple("dur_180_040_25fps.mp4", frames=4501, fps=25, gop=25, audio=None)
_simple("dur_180_4.mp4", frames=5412)
_simple("dur_180_6.mp4", frames=5418, audio=None)
_simple("dur_181.mp4", frames=5430)
_simple("portrait_720x1280.mp4", width=720, height=1280)
_simple("h1080p.mp4", width=1920, height=1080)
_simple("h1080p_portrait_rotated.mp4", width=1920, height=1080, rotate=270)
_simple("wide_1680x720.mp4", width=1680, height=720)
_simple("tall_1280x960.mp4", width=1280, height=960)
_simple("fps_5994.mp4", fps=Fraction(60000, 1001), frames=120)
_simple("fps_60.mp4", fps=60, frames=120)
_simple("fps_120.mp4", fps=120, frames=120)
_simple("one_frame.mp4", frames=1, gop=1, audio=None)
_simple("short_1s.mp4", frames=30)
_simple("one_key_frame_20s.mp4", frames=600, gop=600, audio=None)

for _degrees in (90, 180, 270):
    _simple(f"rot{_degrees}.mp4", width=640, height=360, rotate=_degrees)
_simple("rot90_mirrored.mp4", width=640, height=360, rotate=90, mirror=True)
_simple("mirrored.mp4", width=640, height=360, rotate=0, mirror=True)
_simple("rot10.mp4", rotate=10)
_simple("anamorphic_960x720.mp4", width=960, height=720, aspect="4/3")
_simple("anamorphic_rot90.mp4", width=960, height=720, aspect="4/3", rotate=90)
_simple("aspect_absurd.mp4", width=640, height=360, aspect="1/255")
_simple("odd_444.mp4", width=641, height=361, pixels="yuv444p")
_simple(
    "interlaced_576i.mp4",
    width=720,
    height=576,
    fps=25,
    gop=25,
    frames=50,
    aspect="64/45",
    codec_options={"preset": "veryfast", "x264-params": "tff=1:interlaced=1"},
)


@clip("variable_rate.mp4")
def _(path: Path) -> None:
    frames, at = frames_of("testsrc2=size=320x180:rate=30", 150), 0
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = at, Fraction(1, 90_000)
        at += (3000, 6000, 1500)[(number // 30) % 3] if number % 7 else 3001
    clock = Fraction(1, 90_000)
    write(path, frames=150, gop=30, pictures=frames, clock=clock, audio=None)


# red green      Corners that tell which way up a picture is shown.
# blue white
CORNERS = {"red": (254, 0, 0), "green": (0, 254, 0), "blue": (0, 0, 254), "white": (254,) * 3}


def _corners(
    path: Path,
    degrees: int = 0,
    mirror: bool = False,
    aspect: str | None = None,
    width: int = 640,
    tagged: bool = True,
) -> None:
    height = width * 9 // 16
    rows = [
        bytes(CORNERS[left]) * (width // 2) + bytes(CORNERS[right]) * (width // 2)
        for left, right in (("red", "green"), ("blue", "white"))
    ]
    frames = []
    for number in range(10):
        frame = av.VideoFrame(width, height, "rgb24")
        frame.planes[0].update(rows[0] * (height // 2) + rows[1] * (height // 2))
        plain = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
        plain.pts, plain.time_base, plain.pict_type = number, Fraction(1, 30), 0
        frames.append(plain)
    write(
        path,
        width=width,
        height=height,
        frames=30,
        pictures=frames,
        rotate=degrees,
        mirror=mirror,
        aspect=aspect,
        colour=(1, 1, 1, 1) if tagged else None,
        codec_options={"crf": "20"},
    )


for _degrees in (0, 90, 180, 270):
    for _mirror in (False, True):
        BUILDERS[f"corners_{_degrees}{'m' if _mirror else ''}.mp4"] = partial(
            _corners, degrees=_degrees, mirror=_mirror
        )
BUILDERS["corners_untagged_hd.mp4"] = partial(_corners, width=1280, tagged=False)
BUILDERS["corners_wide_pixels_90.mp4"] = partial(_corners, degrees=90, aspect="3/2")


@clip("combed.mp4")
def _(path: Path) -> None:
    """Interlaced: a bar that is 40 pixels further right in every second row."""
    rows = [
        b"\x10" * 100 + b"\xeb" * 80 + b"\x10" * 540,
        b"\x10" * 140 + b"\xeb" * 80 + b"\x10" * 500,
    ]
    frames = []
    for number in range(25):
        frame = av.VideoFrame(720, 576, "yuv420p")
        for plane, content in zip(
            frame.planes, (b"".join(rows) * 288, *[b"\x80" * 360 * 288] * 2), strict=True
        ):
            step = plane.line_size
            width = len(content) // plane.height
            plane.update(
                b"".join(
                    content[row * width : (row + 1) * width].ljust(step, b"\0")
                    for row in range(plane.height)
                )
            )
        frame.pts, frame.time_base = number, Fraction(1, 25)
        frames.append(frame)
    options = {"preset": "veryfast", "x264-params": "tff=1:interlaced=1", "crf": "18"}
    write(path, width=720, height=576, fps=25, frames=25, pictures=frames, codec_options=options)


@clip("jitter_58fps.mp4")
def _(path: Path) -> None:
    """Fewer than 60 frames a second, and now and then two that are close together."""
    frames, at = frames_of("testsrc2=size=320x180:rate=30", 58), 0
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = at, Fraction(1, 90_000)
        at += (1200, 1900)[number % 2]
    clock = Fraction(1, 90_000)
    write(path, fps=60, frames=58, pictures=frames, clock=clock, audio=None)


# ── containers and codecs ──────────────────────────────────────────────────────────────────────

_simple("fragmented.mp4", frames=300, muxer=FRAGMENTED)
_simple("fragmented_pipe.mp4", frames=120, muxer=FRAGMENTED, unseekable=True)
_simple("quicktime.mov", "mov")
_simple("hevc.mp4", codec="libx265", tag="hvc1", gop=15, frames=30)
_simple(
    "iphone_hevc_hlg.mov",
    "mov",
    width=1280,
    codec="libx265",
    tag="hvc1",
    height=720,
    gop=15,
    frames=45,
    pixels="yuv420p10le",
    colour=HLG,
    rotate=270,
    muxer={"movflags": "+use_metadata_tags"},
    metadata={"com.apple.quicktime.location.ISO6709": "+48.2082+016.3738/"},
)
_simple(
    "hdr_pq.mp4", codec="libx265", tag="hvc1", gop=15, frames=30, pixels="yuv420p10le", colour=PQ
)
_simple("av1.mp4", codec="libsvtav1", frames=30)
_simple("mp3_in_mp4.mp4", audio="libmp3lame")
_simple("avi.avi", "avi", codec="mpeg4", audio="libmp3lame", muxer={})
_simple("sound_gap.mkv", "matroska", frames=90, audio="libopus", silence=(1.0, 2.0), muxer={})
_simple("b_frames.avi", "avi", codec_options={"bf": "2"}, audio="libmp3lame", muxer={})
_simple("mpeg2.mpg", "mpeg", codec="mpeg2video", audio="mp2", muxer={})
_simple("stream.ts", "mpegts", frames=90, muxer={})
_simple("flash.flv", "flv", muxer={})
_simple("matroska.mkv", "matroska", frames=5400, muxer={})
_simple("matroska_live.mkv", "matroska", frames=300, unseekable=True, muxer=LIVE)
_simple("vp9.webm", "webm", codec="libvpx-vp9", audio="libopus", muxer={})
_simple("webm_named.mp4", "webm", codec="libvpx", audio="libopus", muxer={})
_simple("mp4_named.webm")
_simple("odd_641x361.webm", "webm", width=641, height=361, codec="libvpx", audio=None, muxer={})
_simple(
    "mediarecorder_vp8.webm",
    "webm",
    frames=300,
    codec="libvpx",
    audio="libopus",
    unseekable=True,
    muxer=LIVE,
)
_simple(
    "mediarecorder_190s.webm",
    "webm",
    frames=5700,
    codec="libvpx",
    audio="libopus",
    unseekable=True,
    muxer=LIVE,
)
_simple("audio_only.m4a", "ipod", codec=None, frames=150)
_simple("no_audio.mp4", audio=None)
_simple(
    "gif.mp4", "gif", width=160, height=90, fps=10, codec="gif", pixels="bgr8", audio=None, muxer={}
)


def _cover(out: Any) -> list[Iterator[Any]]:
    stream = out.add_stream("png", rate=1, width=64, height=64)
    stream.pix_fmt = "rgb24"
    stream.disposition = Disposition.attached_pic
    packet = av.Packet(png(64, 64))
    packet.stream, packet.time_base = stream, Fraction(1, 90_000)
    packet.pts = packet.dts = 0
    packet.is_keyframe = True
    return [iter([(Fraction(0), stream.index, packet)])]


def _second_track(width: int, height: int) -> Callable[[Any], list[Iterator[Any]]]:
    def add(out: Any) -> list[Iterator[Any]]:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        pictures = frames_of(f"testsrc2=size={width}x{height}:rate=30", 30)
        for each in pictures:
            each.time_base = Fraction(1, 30)
        return [repeated(stream, encoded(stream, pictures), 30, 60)]

    return add


def _empty_sound(out: Any) -> list[Iterator[Any]]:
    out.add_stream("aac", rate=48_000)
    return []


_simple("empty_sound_track.mp4", audio=None, extra=_empty_sound)
_simple("cover_art_video.mp4", extra=_cover)
_simple("cover_art_audio.m4a", codec=None, extra=_cover)
_simple("two_video.mp4", width=640, height=360, extra=_second_track(320, 180))
_simple("two_video_small_first.mp4", extra=_second_track(1920, 1080))


# ── what can be seen and heard ─────────────────────────────────────────────────────────────────

_BLACK = "color=c=black:size=320x180:rate=30"
_simple("black.mp4", frames=150, picture=_BLACK)
_simple("silent.mp4", frames=150, sound="anullsrc=channel_layout=mono:sample_rate=48000")
_simple("quiet.mp4", frames=150, sound="sine=frequency=440:sample_rate=48000,volume=-30dB")
_simple("clipped.mp4", frames=150, sound="sine=frequency=440:sample_rate=48000,volume=40dB")


@clip("black_start.mp4")
def _(path: Path) -> None:
    # One second of black, three of picture; the only key frame is the first.
    frames = frames_of(_BLACK, 30) + frames_of("testsrc2=size=320x180:rate=30", 90)
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1, 30)
    write(path, frames=120, gop=120, pictures=frames)


@clip("fade_in.mp4")
def _(path: Path) -> None:
    frames = frames_of("testsrc2=size=320x180:rate=30,fade=in:0:45", 60)
    for frame in frames:
        frame.time_base = Fraction(1, 30)
    write(path, frames=60, pictures=frames)


_simple("dim.mp4", frames=90, picture="color=c=0x303030:size=320x180:rate=30")


@clip("black_three_quarters.mp4")
def _(path: Path) -> None:
    frames = frames_of(_BLACK, 135) + frames_of("testsrc2=size=320x180:rate=30", 45)
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1, 30)
    write(path, frames=180, gop=15, pictures=frames)


@clip("sound_begins_late.mp4")
def _(path: Path) -> None:
    # 24 s of silence with one second of tone between two of the places that are listened to.
    sound = "aevalsrc=exprs='if(between(t,1.05,1.2),sin(2*PI*440*t)*0.5,0)':sample_rate=48000:d=2"
    write(path, frames=60, sound=sound)


# ── headers that lie ───────────────────────────────────────────────────────────────────────────

_NO_EDITS = {**FASTSTART, "use_editlist": "0"}


@clip("lie_short.mp4")
def _(path: Path) -> None:
    write(path, frames=6000, muxer=_NO_EDITS)
    patched(path, lambda content: state_duration(content, 10))


@clip("lie_movie_header.mp4")
def _(path: Path) -> None:
    write(path, frames=6000, muxer=_NO_EDITS)
    patched(path, lambda content: state_duration(content, 10, (b"mvhd",)))


@clip("lie_long.mp4")
def _(path: Path) -> None:
    write(path, frames=150, muxer=_NO_EDITS)
    patched(path, lambda content: state_duration(content, 1000))


@clip("lie_short.webm")
def _(path: Path) -> None:
    write(path, "webm", frames=6000, codec="libvpx", audio=None, muxer={})

    def shorten(content: bytearray) -> None:
        struct.pack_into(">d", content, content.find(b"\x44\x89\x88") + 3, 10_000.0)

    patched(path, shorten)


@clip("edit_trim.mp4")
def _(path: Path) -> None:
    write(path, frames=300, muxer=INDEX_LAST)
    patched(path, lambda content: trim_by_edit_list(content, 3, 5))


@clip("edit_trim_long.mp4")
def _(path: Path) -> None:
    write(path, frames=6000, muxer=INDEX_LAST)
    patched(path, lambda content: trim_by_edit_list(content, 30, 20))


@clip("edit_trim_5fps.mp4")
def _(path: Path) -> None:
    """The edit ends 0.05 s into a frame of 0.2 s."""
    write(path, fps=5, gop=5, frames=50, audio=None, muxer=INDEX_LAST)
    patched(path, lambda content: trim_by_edit_list(content, 3, 3.05))


_simple(
    "no_edit_list_b_frames.mp4", frames=150, codec_options={"bf": "2"}, muxer={"use_editlist": "0"}
)


@clip("late_video_1s.mp4")
def _(path: Path) -> None:
    frames = frames_of("testsrc2=size=320x180:rate=30", 60)
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number + 30, Fraction(1, 30)
    write(path, frames=60, gop=30, pictures=frames, seconds=3)


@clip("giant_track_header.mp4")
def _(path: Path) -> None:
    write(path, frames=30, audio=None, muxer=INDEX_LAST)

    def enlarge(content: bytearray) -> None:
        at, header, _ = find(content, b"tkhd")[0]
        struct.pack_into(">II", content, at + header + 76, 65535 << 16, 65535 << 16)
        entry = content.find(b"avc1", find(content, b"stsd")[0][0])
        struct.pack_into(">HH", content, entry + 4 + 24, 65535, 65535)

    patched(path, enlarge)


# ── damaged ────────────────────────────────────────────────────────────────────────────────────

BUILDERS["zero_bytes.mp4"] = lambda path: path.write_bytes(b"")
BUILDERS["all_zeros.mp4"] = lambda path: path.write_bytes(bytes(20_000))


@clip("not_finalised.mp4")
def _(path: Path) -> None:
    write(path, frames=150, muxer=INDEX_LAST)
    patched(path, lambda content: content[: len(content) * 6 // 10])


@clip("index_cut_off.mp4")
def _(path: Path) -> None:
    write(path, frames=150, muxer=INDEX_LAST)
    patched(path, lambda content: content[:-100])


@clip("cut_in_half.mp4")
def _(path: Path) -> None:
    write(path, frames=150)
    patched(path, lambda content: content[: len(content) // 2])


@clip("cut_tail.mp4")
def _(path: Path) -> None:
    write(path, frames=300)
    patched(path, lambda content: content[: len(content) * 99 // 100])


@clip("cut_fragmented.mp4")
def _(path: Path) -> None:
    write(path, frames=300, muxer=FRAGMENTED)
    patched(path, lambda content: content[: len(content) // 2])


@clip("cut_between_fragments.mp4")
def _(path: Path) -> None:
    """Every sample that the index knows is there; the next fragment has just begun."""
    write(path, frames=300, muxer=FRAGMENTED)
    patched(path, lambda content: content[: find(content, b"moof")[5][0] + 20])


@clip("init_only.mp4")
def _(path: Path) -> None:
    """The beginning of a fragmented recording, and no fragment."""
    write(path, frames=60, muxer=FRAGMENTED)
    patched(path, lambda content: content[: find(content, b"moof")[0][0]])


@clip("gaps.ts")
def _(path: Path) -> None:
    """A broadcast with lost packets."""
    write(path, "mpegts", frames=90, muxer={})

    def lose(content: bytearray) -> bytearray:
        rows = [content[at : at + 188] for at in range(0, len(content), 188)]
        return bytearray(b"".join(row for number, row in enumerate(rows) if number % 40 != 20))

    patched(path, lose)


@clip("zeroed_tail.mp4")
def _(path: Path) -> None:
    write(path, frames=150)
    patched(path, lambda content: content[: len(content) * 3 // 4] + bytes(len(content) // 4 + 1))


@clip("padded.mp4")
def _(path: Path) -> None:
    write(path)
    patched(path, lambda content: content + bytes(5000))


@clip("undecodable.mp4")
def _(path: Path) -> None:
    write(path, frames=60, audio=None)

    def scramble(content: bytearray) -> None:
        at, header, size = find(content, b"mdat")[0]
        content[at + header : at + size] = random.Random(5).randbytes(size - header)

    patched(path, scramble)


@clip("scratched.mp4")
def _(path: Path) -> None:
    write(path, frames=150)

    def scratch(content: bytearray) -> None:
        at, header, size = find(content, b"mdat")[0]
        dice = random.Random(12345)
        for _ in range(size // 20):
            content[at + header + dice.randrange(size - header)] = dice.randrange(256)

    patched(path, scratch)


# ── something else under the name of a video ───────────────────────────────────────────────────


def png(width: int, height: int) -> bytes:
    """A red picture, without any library."""
    raw = (b"\0" + b"\xc8\x1e\x1e" * width) * height

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def _store(content: bytes, path: Path) -> None:
    path.write_bytes(content)


OTHER_THINGS: dict[str, tuple[bytes, str]] = {
    "png.mp4": (png(64, 64), "PNG"),
    "jpeg.mp4": (b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(100), "JPEG"),
    "heic.mp4": (b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
    "bmp.mp4": (b"BM" + bytes(100), "BMP"),
    "webp.mp4": (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(100), "WebP"),
    "wav.mp4": (b"RIFF\x10\0\0\0WAVEfmt " + bytes(100), "WAV"),
    "mp3.mp4": (b"\xff\xfb\x90\x64" + bytes(100), "sound"),
    "id3.mp4": (b"ID3\x04" + bytes(100), "MP3"),
    "pdf.mp4": (b"%PDF-1.7\n" + bytes(100), "PDF"),
    "zip.mp4": (b"PK\x03\x04" + bytes(100), "ZIP"),
    "text.mp4": (b"this is not a video\n" * 50, "text"),
    "cyrillic.mp4": (("Не видео. " * 500).encode(), "text"),
    "page.mp4": (b"\n<!DOCTYPE html><html><body>Not found</body></html>\n", "web page"),
    "json.mp4": (b'{"detail": "Not found"}', "text"),
    "hls.mp4": (
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\ntake.mp4\n#EXTINF:10,\n"
        b"http://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        "playlist",
    ),
    "ffconcat.mp4": (b"ffconcat version 1.0\nfile take.mp4\n", "playlist"),
    "apple_double.mp4": (b"\0\x05\x16\x07\0\x02\0\0Mac OS X" + bytes(100), "Mac"),
    "icloud.mp4": (b"bplist00" + bytes(100), "iCloud"),
    "windows_media.mp4": (b"0&\xb2u\x8ef\xcf\x11" + bytes(100), "Windows Media"),
    "noise.mp4": (random.Random(3).randbytes(4096), "not a video Cadenza knows"),
}
for _name, _thing in OTHER_THINGS.items():
    BUILDERS[_name] = partial(_store, _thing[0])


# ── hostile ────────────────────────────────────────────────────────────────────────────────────


@clip("bomb_sps.mp4")
def _(path: Path) -> None:
    write(
        path,
        height=176,
        frames=30,
        audio=None,
        muxer=INDEX_LAST,
        codec_options={"profile": "baseline"},
    )
    patched(path, lambda content: replace_sps(content, 16240, 16240))


@clip("bomb_vp8.webm")
def _(path: Path) -> None:
    write(path, "webm", width=64, height=64, frames=30, codec="libvpx", audio=None, muxer={})

    def enlarge(content: bytearray) -> None:
        at = 0
        while (at := content.find(b"\x9d\x01\x2a", at)) > 0:
            struct.pack_into("<HH", content, at + 3, 16200, 16200)
            at += 3

    patched(path, enlarge)


@clip("bomb_entries.mp4")
def _(path: Path) -> None:
    """A sample table that claims four thousand million entries (M03)."""
    write(path, frames=30, audio=None)

    def claim(content: bytearray) -> None:
        for kind in (b"stsz", b"stts", b"stco"):
            at, header, _ = find(content, kind)[0]
            where = at + header + (8 if kind == b"stsz" else 4)
            struct.pack_into(">I", content, where, 0xFFFFFFF0)

    patched(path, claim)


@clip("slow_track_id.mp4")
def _(path: Path) -> None:
    """One byte makes libav spend 0.6 s on each fragment (85-media §0.2)."""
    write(path, frames=450, muxer=FRAGMENTED)

    def spoil(content: bytearray) -> None:
        content[find(content, b"tkhd")[1][0] + 20] = 0x8A

    patched(path, spoil)


_simple(
    "encrypted.mp4",
    audio=None,
    muxer={
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    },
)


@clip("latin1_title.mp4")
def _(path: Path) -> None:
    write(path, metadata={"title": "XXXXXXXX"})
    patched(path, lambda content: content.replace(b"XXXXXXXX", b"\xc9tude n\xb0"))


@clip("no_decoder.mp4")
def _(path: Path) -> None:
    write(path, audio=None, muxer=INDEX_LAST)

    def rename(content: bytearray) -> None:
        at = content.find(b"avc1", find(content, b"stsd")[0][0])
        content[at : at + 4] = b"\xa9vc1"

    patched(path, rename)
