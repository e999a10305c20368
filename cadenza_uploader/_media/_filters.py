"""FFmpeg filter chains that make a picture upright and ordinary, and sound gapless."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# (the stubs of PyAV are partial)
from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from av.error import BlockingIOError as NothingReady
from av.error import EOFError as NothingLeft
from av.filter.graph import Graph

from ._facts import MediaFacts
from ._fit_plan import FitPlan

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.filter.context import FilterContext
    from av.frame import Frame
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_AAC_FRAME = 1024
_UNSPECIFIED = 2
_KEPT_RATES = (44_100, 48_000)


class _Chain:
    """A straight line of filters."""

    def __init__(self, graph: Graph, source: FilterContext) -> None:
        self._graph = graph
        self._source = source
        self._end = source
        self._sink: FilterContext | None = None

    def then(self, name: str, arguments: str = "") -> None:
        node = self._graph.add(name, arguments)
        self._end.link_to(node)
        self._end = node

    def close(self, sink: str) -> None:
        self.then(sink)
        self._sink = self._end
        self._graph.configure()

    def pushed(self, frame: Frame | None) -> Iterator[Frame]:
        assert self._sink is not None
        self._source.push(frame)
        while True:
            try:
                yield self._sink.pull()
            except (NothingReady, NothingLeft):
                return


class PictureFilter:
    """Deinterlaces, scales, mirrors and turns frames as the plan says."""

    def __init__(self, video: VideoStream, facts: MediaFacts, plan: FitPlan) -> None:
        graph = Graph()
        chain = _Chain(graph, graph.add_buffer(template=video))
        if facts.interlaced:
            chain.then("yadif")
        upright = facts.rotation % 180 == 0
        width, height = (plan.width, plan.height) if upright else (plan.height, plan.width)
        colours = "out_color_matrix=bt709:out_range=tv"
        if video.codec_context.colorspace == _UNSPECIFIED and _is_hd(facts):
            colours += ":in_color_matrix=bt709"  # as players take untagged HD
        if facts.hdr:
            colours += ":out_primaries=bt709:out_transfer=bt709"
        chain.then("scale", f"{width}:{height}:flags=bicubic:{colours}")
        if facts.mirrored:
            chain.then("hflip")
        if facts.rotation == 180:
            chain.then("hflip")
            chain.then("vflip")
        elif not upright:
            chain.then("transpose", "clock" if facts.rotation == 90 else "cclock")
        chain.then("format", "yuv420p")
        chain.then("setsar", "1")
        chain.close("buffersink")
        self._chain = chain

    def pushed(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """The frames that are ready after this one."""
        return cast("Iterator[VideoFrame]", self._chain.pushed(frame))

    def flushed(self) -> Iterator[VideoFrame]:
        """The frames still held back."""
        return cast("Iterator[VideoFrame]", self._chain.pushed(None))


def _is_hd(facts: MediaFacts) -> bool:
    return max(facts.width, facts.height) >= 1024


class SoundFilter:
    """Resamples to what AAC encodes, and fills gaps with silence so that nothing drifts."""

    def __init__(self, audio: AudioStream, begin: Fraction) -> None:
        context = audio.codec_context
        self.rate = context.sample_rate if context.sample_rate in _KEPT_RATES else 48_000
        self.layout = "mono" if context.channels == 1 else "stereo"
        graph = Graph()
        chain = _Chain(graph, graph.add_abuffer(template=audio))
        chain.then("asetpts", f"PTS-{float(begin):.6f}/TB")
        chain.then("aresample", f"{self.rate}:async=1000:first_pts=0")
        chain.then("aformat", f"sample_fmts=fltp:channel_layouts={self.layout}")
        chain.then("asetnsamples", f"n={_AAC_FRAME}:p=0")
        chain.close("abuffersink")
        self._chain = chain

    def pushed(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """The frames that are ready after this one."""
        return cast("Iterator[AudioFrame]", self._chain.pushed(frame))

    def flushed(self) -> Iterator[AudioFrame]:
        """The frames still held back."""
        return cast("Iterator[AudioFrame]", self._chain.pushed(None))
