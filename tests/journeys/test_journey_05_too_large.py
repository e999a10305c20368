"""Journey 5: outside the limits is refused with the values; `--fit` shrinks, never cuts."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from tests.journeys.conftest import Person


def _film(path: Path, *, width: int, height: int, seconds: int, fps: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(seconds * fps):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([50 + number % 150]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.real("clips")
def test_too_long_is_refused_and_never_cut(student: Person, tmp_path: Path) -> None:
    film = _film(tmp_path / "long.mp4", width=320, height=240, seconds=200, fps=1)
    for words in ([], ["--fit"]):
        ended = student("upload", film, "--piece", "bach", *words)
        assert ended.exit_code == 4
        assert ended.stdout == ""
        assert "The take lasts 3:20; the limit is 3:00." in ended.stderr
    refused = student("upload", film, "--piece", "bach", "--json").document["refused"]
    assert refused[0]["codes"] == ["duration_exceeded"]
    assert refused[0]["fixable_by_fit"] is False
    assert student("queue", "ls", "-q").lines == []
    assert student.spool() == []


@pytest.mark.real("clips")
def test_too_large_a_picture_is_refused_and_fit_makes_it_720p(
    student: Person, tmp_path: Path
) -> None:
    film = _film(tmp_path / "large.mp4", width=1920, height=1080, seconds=3, fps=10)
    before = film.read_bytes()
    ended = student("upload", film, "--piece", "bach")
    assert ended.exit_code == 4
    for words in ("1920", "1080", "1280", "720", "--fit"):
        assert words in ended.stderr
    assert student("queue", "ls", "-q").lines == []

    fitted = student("upload", film, "--piece", "bach", "--fit", "--json")

    assert fitted.exit_code == 0
    (take,) = fitted.document["takes"]
    assert (take["fitted"], take["outcome"]) == (True, "uploaded")
    assert (take["width"], take["height"]) == (1280, 720)
    assert abs(take["duration_ms"] - 3000) <= 100
    (submission,) = student("submissions", "ls", "--json").document["submissions"]
    assert (submission["width"], submission["height"]) == (1280, 720)
    assert film.read_bytes() == before
