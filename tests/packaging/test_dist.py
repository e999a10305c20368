"""What is shipped: the names in the wheel, its data files, and a command that runs without us."""

import email
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = {
    "cadenza_client": ROOT / "cadenza_client",
    "cadenza_uploader": ROOT / "cadenza_uploader",
    "cadenza_server": ROOT / "cadenza_server",
    "cadenza_conformance": ROOT / "cadenza_conformance",
    "cadenza_cli": ROOT / "cli" / "cadenza_cli",
}


def build(target: str, source: Path, destination: Path) -> Path:
    """Build with the project's own backend, offline, outside the checkout."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory",
         str(destination)],
        cwd=source, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (built,) = destination.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_puts_only_our_packages_into_site_packages(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert tops == {*PACKAGES, f"cadenza-{PROJECT['version']}.dist-info"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_is_shipped(package: str, names: set[str]) -> None:
    folder = PACKAGES[package]
    here = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {name for name in names if name.startswith(f"{package}/")}
    assert shipped == here
    assert f"{package}/py.typed" in shipped


def test_the_server_brings_its_migrations(names: set[str]) -> None:
    assert "cadenza_server/migrations/env.py" in names
    assert any(name.startswith("cadenza_server/migrations/versions/0001") for name in names)


def test_the_metadata_says_what_pyproject_says(metadata: Message) -> None:
    assert metadata["Name"] == "cadenza"
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    assert metadata["License-Expression"] == "MIT"


def test_the_licence_travels_with_the_wheel(names: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_source_distribution_builds_the_same_wheel(tmp_path: Path, names: set[str]) -> None:
    archive = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(archive) as tar:
        # Debian 12's Python 3.11.2 has no extraction filters yet; 3.12 and newer warn without one.
        filters: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        tar.extractall(tmp_path / "source", **filters)
    (source,) = (tmp_path / "source").iterdir()
    rebuilt = build("wheel", source, tmp_path / "rebuilt")
    with zipfile.ZipFile(rebuilt) as again:
        assert set(again.namelist()) == names


@pytest.mark.real("registry")
def test_the_command_runs_from_the_wheel_without_development_packages(
    wheel: Path, tmp_path: Path, outside_environ: dict[str, str]
) -> None:
    environ = {
        name: value
        for name, value in outside_environ.items()
        if not name.startswith(("COV_", "COVERAGE_", "PYTHON", "PYTEST_", "CADENZA_"))
    }

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    run(sys.executable, "-m", "venv", tmp_path / "venv")
    bin_folder = tmp_path / "venv" / "bin"
    run(bin_folder / "python", "-m", "pip", "install", "--quiet", wheel)

    assert "upload" in run(bin_folder / "cadenza", "--help")
    assert PROJECT["version"] in run(bin_folder / "cadenza", "--version")
    assert "upload" in run(bin_folder / "python", "-m", "cadenza_cli", "--help")
    # `cli/` is a folder of the checkout, not a package of the user's.
    run(
        bin_folder / "python", "-c",
        "import importlib.util as u; assert u.find_spec('cli') is None",
    )  # fmt: skip
    # The server is an extra: without it the other packages must still import.
    run(
        bin_folder / "python", "-c",
        "import cadenza_client, cadenza_uploader, cadenza_conformance;"
        "from cadenza_cli.main import every_command; every_command()",
    )  # fmt: skip
