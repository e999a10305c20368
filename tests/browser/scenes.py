"""Drawn takes for the screenshots: somebody plays in a room. No face, no foreign picture."""

from __future__ import annotations

import io
import math
from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFilter

_W, _H = 1280, 720
_RATE = 48_000
_FPS = 10
_LOOP = 8  # seconds that are drawn

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """A room and who plays in it.

    Attributes:
        instrument: cello, violin or piano.
        wall: the wall's colour, at the top and where it meets the floor.
        floor: the floor's colour.
        shirt: what the player wears.
        hair: the player's hair.
        skin: the player's skin.
    """

    instrument: str
    wall: tuple[Colour, Colour]
    floor: Colour
    shirt: Colour
    hair: Colour
    skin: Colour


SCENES = {
    "cello": Scene(
        "cello", ((214, 203, 184), (188, 172, 150)), (136, 104, 78),
        (58, 84, 104), (52, 36, 28), (172, 120, 86),
    ),
    "violin": Scene(
        "violin", ((150, 168, 172), (116, 138, 146)), (92, 78, 70),
        (168, 74, 52), (30, 26, 28), (228, 190, 160),
    ),
    "piano": Scene(
        "piano", ((84, 78, 96), (58, 54, 72)), (48, 38, 40),
        (206, 176, 98), (120, 84, 50), (240, 206, 178),
    ),
    "cello-evening": Scene(
        "cello", ((74, 62, 70), (52, 44, 54)), (60, 44, 38),
        (120, 136, 104), (190, 158, 110), (226, 184, 152),
    ),
    "violin-morning": Scene(
        "violin", ((232, 222, 204), (214, 198, 172)), (164, 132, 100),
        (92, 116, 92), (84, 50, 34), (134, 90, 62),
    ),
}  # fmt: skip


def picture(scene: Scene, seconds: float, *, width: int = _W) -> Image.Image:
    """The scene at a moment: the bow goes, the player sways."""
    image = Image.new("RGB", (_W, _H))
    draw = ImageDraw.Draw(image)
    _room(image, draw, scene)
    sway = math.sin(seconds * 1.9) * 9
    {"cello": _cello, "violin": _violin, "piano": _piano}[scene.instrument](
        draw, scene, sway, math.sin(seconds * 3.1)
    )
    image = image.filter(ImageFilter.SMOOTH)
    return (
        image if width == _W else image.resize((width, width * _H // _W), Image.Resampling.LANCZOS)
    )


def thumbnail(scene: Scene, seconds: float = 0.7) -> bytes:
    """The picture of a list: a JPEG 480 wide, as the uploader makes it."""
    buffer = io.BytesIO()
    picture(scene, seconds, width=480).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def make_take(path: Path, scene: Scene, *, seconds: float = 8.0) -> Path:
    """An MP4 of the scene with sound, H.264 and AAC; what is played comes again every 8 s."""
    loop = [_frame(picture(scene, at / _FPS)) for at in range(_LOOP * _FPS)]
    tune = array("h", (_sample(at) for at in range(_LOOP * _RATE)))
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=_FPS)
        video.width, video.height, video.pix_fmt = _W, _H, "yuv420p"
        video.options = {"preset": "veryfast", "crf": "26"}
        audio = container.add_stream("aac", rate=_RATE)
        for number in range(round(seconds * _FPS)):
            frame = loop[number % len(loop)]
            frame.pts, frame.time_base = number, Fraction(1, _FPS)
            container.mux(video.encode(frame))
        for start in range(0, round(seconds * _RATE), 1024):
            container.mux(audio.encode(_sound(tune, start)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def _frame(image: Image.Image) -> av.VideoFrame:
    """RGB, row by row."""
    frame = av.VideoFrame(_W, _H, "rgb24")
    pad = bytes(frame.planes[0].line_size - 3 * _W)
    data = image.tobytes()
    rows = (data[at : at + 3 * _W] + pad for at in range(0, len(data), 3 * _W))
    frame.planes[0].update(b"".join(rows))
    return frame.reformat(format="yuv420p")


# Degrees of a bourrée's beginning, a quarter of a second each.
_TUNE = (0, 2, 4, 4, 5, 4, 2, 4, 0, 0, 7, 7, 5, 4, 2, 2)


def _sound(tune: array[int], start: int) -> av.AudioFrame:
    """The tune from here on, now louder, now softer."""
    at = start % len(tune)
    swell = 0.35 + 0.65 * math.sin(start / _RATE * 0.21) ** 2
    samples = array(
        "h", (int(value * swell) for value in (tune[at : at + 1024] + tune[:1024])[:1024])
    )
    frame = av.AudioFrame("s16", "mono", 1024)
    frame.planes[0].update(samples.tobytes())
    frame.sample_rate, frame.pts, frame.time_base = _RATE, start, Fraction(1, _RATE)
    return frame


def _sample(at: int) -> int:
    note, within = divmod(at / _RATE, 0.25)
    pitch = 130.8 * 2 ** (_TUNE[int(note) % len(_TUNE)] / 12)
    envelope = min(1.0, within * 30) * math.exp(-within * 3.2)
    phase = at / _RATE * 2 * math.pi * pitch
    return round(15_000 * envelope * (math.sin(phase) + 0.4 * math.sin(2 * phase)) / 1.4)


def _room(image: Image.Image, draw: ImageDraw.ImageDraw, scene: Scene) -> None:
    top, bottom = scene.wall
    for y in range(540):
        share = y / 540
        draw.line([(0, y), (_W, y)], fill=_mix(top, bottom, share))
    draw.rectangle([0, 540, _W, _H], fill=scene.floor)
    for y in (576, 622, 676):
        draw.line([(0, y), (_W, y)], fill=_mix(scene.floor, (0, 0, 0), 0.12), width=3)
    draw.rectangle([0, 528, _W, 541], fill=_mix(bottom, (255, 255, 255), 0.25))
    light = _mix(top, (255, 250, 235), 0.55)
    frame = _mix(bottom, (255, 255, 255), 0.5)
    draw.rectangle([880, 70, 1150, 360], fill=frame)
    for x in (894, 1022):
        for y in (84, 222):
            draw.rectangle([x, y, x + 114, y + 124], fill=light)
    beam = Image.new("L", (_W, _H), 0)
    ImageDraw.Draw(beam).polygon([(880, 84), (1150, 84), (820, 720), (380, 720)], fill=26)
    image.paste((255, 246, 224), mask=beam.filter(ImageFilter.GaussianBlur(26)))
    _stand(draw, _mix(scene.floor, (20, 16, 14), 0.62))


def _stand(draw: ImageDraw.ImageDraw, ink: Colour) -> None:
    draw.line([(250, 420), (250, 640)], fill=ink, width=9)
    for x in (196, 304):
        draw.line([(250, 612), (x, 664)], fill=ink, width=8)
    draw.polygon([(142, 316), (352, 296), (364, 426), (154, 446)], fill=ink)
    draw.polygon([(158, 302), (248, 294), (258, 424), (168, 432)], fill=(244, 238, 226))
    draw.polygon([(252, 293), (342, 285), (352, 415), (262, 423)], fill=(236, 229, 214))
    for page, slope in ((168, 0), (262, 0)):
        for line in range(5):
            y = 322 + line * 20 - (8 if page > 200 else 0) + slope
            draw.line([(page + 4, y), (page + 78, y - 7)], fill=(150, 140, 126), width=2)


def _person(draw: ImageDraw.ImageDraw, scene: Scene, x: float, y: float) -> None:
    """Head, neck and shoulders, seen from the front; x, y is the middle of the head."""
    dark = _mix(scene.shirt, (0, 0, 0), 0.25)
    draw.rounded_rectangle([x - 96, y + 98, x + 96, y + 380], 74, fill=scene.shirt)
    draw.polygon([(x - 30, y + 98), (x + 30, y + 98), (x, y + 136)], fill=dark)
    draw.rounded_rectangle(
        [x - 24, y + 50, x + 24, y + 112], 18, fill=_mix(scene.skin, (0, 0, 0), 0.1)
    )
    draw.ellipse([x - 56, y - 66, x + 56, y + 76], fill=scene.skin)
    draw.chord([x - 62, y - 80, x + 62, y + 62], 180, 360, fill=scene.hair)
    draw.ellipse([x - 64, y - 26, x - 42, y + 34], fill=scene.hair)
    draw.ellipse([x + 42, y - 26, x + 64, y + 34], fill=scene.hair)


def _limb(
    draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], ink: Colour, width: int
) -> None:
    draw.line(points, fill=ink, width=width, joint="curve")
    for x, y in points:
        draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=ink)


def _cello(draw: ImageDraw.ImageDraw, scene: Scene, sway: float, bow: float) -> None:
    x, y = 716 + sway, 232.0
    trousers = _mix(scene.floor, (18, 18, 24), 0.72)
    draw.rectangle([600, 560, 830, 584], fill=_mix(scene.floor, (0, 0, 0), 0.45))
    _person(draw, scene, x, y)
    _limb(draw, [(x - 60, 566), (548, 590), (536, 690)], trousers, 62)
    _limb(draw, [(x + 60, 566), (826, 590), (836, 690)], trousers, 62)
    varnish, edge = (158, 78, 34), (92, 42, 20)
    cx = 662 + sway * 0.6
    for box in ([-92, 396, 92, 530], [-116, 500, 116, 690]):
        draw.ellipse(
            [cx + box[0], box[1], cx + box[2], box[3]], fill=varnish, outline=edge, width=5
        )
    draw.rectangle([cx - 70, 480, cx + 70, 560], fill=varnish)
    draw.line([(cx, 688), (cx, 716)], fill=edge, width=6)
    draw.polygon(
        [(cx - 27, 236), (cx - 11, 236), (cx + 15, 540), (cx - 15, 540)], fill=(44, 30, 24)
    )
    draw.ellipse([cx - 36, 206, cx - 6, 242], fill=edge)
    for string in (-6, -2, 2, 6):
        draw.line(
            [(cx - 19 + string * 0.6, 240), (cx + string, 632)], fill=(220, 206, 178), width=1
        )
    draw.rectangle([cx - 34, 566, cx + 34, 574], fill=(226, 190, 138))
    for side in (-1, 1):
        draw.arc([cx + side * 52 - 12, 520, cx + side * 52 + 12, 590], 0, 360, fill=edge, width=4)
    hand = cx + 230 + bow * 70
    _limb(draw, [(x + 84, y + 140), (x + 190, y + 238), (hand, 538)], scene.shirt, 46)
    draw.ellipse([hand - 22, 520, hand + 22, 562], fill=scene.skin)
    draw.line([(hand - 372, 566), (hand + 6, 538)], fill=(88, 48, 26), width=6)
    draw.line([(hand - 366, 574), (hand + 2, 547)], fill=(238, 230, 214), width=3)
    _limb(draw, [(x - 84, y + 140), (x - 148, y + 204), (cx - 20, 326)], scene.shirt, 44)
    draw.ellipse([cx - 36, 306, cx + 4, 348], fill=scene.skin)


def _violin(draw: ImageDraw.ImageDraw, scene: Scene, sway: float, bow: float) -> None:
    x, y = 650 + sway, 216.0
    trousers = _mix(scene.floor, (16, 16, 24), 0.75)
    _limb(draw, [(x - 44, 570), (x - 50, 716)], trousers, 72)
    _limb(draw, [(x + 44, 570), (x + 50, 716)], trousers, 72)
    _person(draw, scene, x, y)
    varnish, edge = (172, 90, 40), (98, 46, 22)
    body = [(x + 40, y + 92), (x + 214, y + 66)]
    for at, radius in ((0.0, 46), (0.62, 38)):
        px = body[0][0] + (body[1][0] - body[0][0]) * at + 34
        py = body[0][1] + (body[1][1] - body[0][1]) * at
        draw.ellipse([px - radius - 12, py - radius, px + radius + 12, py + radius],
                     fill=varnish, outline=edge, width=4)  # fmt: skip
    draw.line([(x + 120, y + 80), (x + 330, y + 44)], fill=(44, 30, 24), width=14)
    draw.ellipse([x + 318, y + 28, x + 346, y + 58], fill=edge)
    _limb(draw, [(x + 84, y + 144), (x + 204, y + 216), (x + 300, y + 62)], scene.shirt, 42)
    draw.ellipse([x + 282, y + 38, x + 322, y + 80], fill=scene.skin)
    hx, hy = x - 96 + bow * 46, y + 196 + bow * 62
    _limb(draw, [(x - 84, y + 146), (x - 176, y + 232), (hx, hy)], scene.shirt, 44)
    draw.ellipse([hx - 20, hy - 20, hx + 20, hy + 20], fill=scene.skin)
    tip = (hx + 330, hy - 352)
    draw.line([(hx, hy), tip], fill=(88, 48, 26), width=6)
    draw.line([(hx + 10, hy + 4), (tip[0] + 8, tip[1] + 4)], fill=(238, 230, 214), width=3)


def _piano(draw: ImageDraw.ImageDraw, scene: Scene, sway: float, bow: float) -> None:
    black, gloss = (24, 22, 28), (58, 54, 66)
    draw.rounded_rectangle([560, 236, 1180, 640], 14, fill=black)
    draw.rectangle([560, 236, 1180, 252], fill=gloss)
    draw.polygon([(770, 262), (980, 262), (990, 382), (760, 382)], fill=(240, 234, 222))
    for line in range(5):
        draw.line([(782, 286 + line * 18), (968, 286 + line * 18)], fill=(168, 158, 146), width=2)
    draw.rectangle([540, 430, 1200, 478], fill=(238, 234, 226))
    for key in range(30):
        left = 540 + key * 22
        draw.line([(left, 430), (left, 478)], fill=(180, 174, 164), width=2)
        if key % 7 not in (2, 6):
            draw.rectangle([left + 15, 430, left + 28, 460], fill=black)
    draw.rectangle([530, 478, 1210, 500], fill=gloss)
    x, y = 800 + sway * 1.4, 330.0
    _person(draw, scene, x, y)
    draw.ellipse([x - 64, y - 80, x + 64, y + 70], fill=scene.hair)  # seen from behind
    for side in (-1, 1):
        reach = 96 * side + bow * 26 * side
        _limb(
            draw,
            [(x + side * 84, y + 150), (x + side * 132, y + 214), (x + reach + side * 40, 486)],
            scene.shirt,
            40,
        )
        draw.ellipse(
            [x + reach + side * 40 - 20, 456, x + reach + side * 40 + 20, 494], fill=scene.skin
        )
    draw.rectangle([690, 640, 920, 690], fill=_mix(scene.floor, (0, 0, 0), 0.5))


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
