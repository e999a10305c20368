"""`dev.py`: old Pythons get a sentence, the second run installs nothing, failures are shown."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "dev.py"

PYPROJECT = """
[project]
name = "thing"
dependencies = ["httpx"]
[tool.ruff]
line-length = 100
[tool.cadenza]
pure_modules = ["pure.py"]
"""


class Commands:
    """Stands for every process `dev.py` starts: notes it, and answers as told."""

    def __init__(self, dev: ModuleType) -> None:
        self.seen: list[list[str]] = []
        self.fail: dict[str, str] = {}
        self._dev = dev

    def capture(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in command]
        self.seen.append(words)
        if "venv" in words:
            self._dev.PYTHON.parent.mkdir(parents=True)
            self._dev.PYTHON.touch()
        for part, output in self.fail.items():
            if part in words:
                return subprocess.CompletedProcess(words, 1, output)
        return subprocess.CompletedProcess(words, 0, "fine")

    def run(self, *arguments: str) -> int:
        return self.capture(list(arguments)).returncode


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev_under_test", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "pure.py").touch()
    return module


@pytest.fixture
def commands(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Commands:
    stand_in = Commands(dev)
    monkeypatch.setattr(dev, "capture", stand_in.capture)
    monkeypatch.setattr(dev, "run", stand_in.run)
    return stand_in


def test_an_old_python_is_told_so_in_a_sentence() -> None:
    pretend = (
        "import sys; sys.version_info = (3, 8, 18, 'final', 0); "
        f"exec(compile(open({str(SOURCE)!r}).read(), 'dev.py', 'exec'))"
    )
    told = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert told.returncode == 2
    assert "needs Python 3.11 or newer" in told.stdout
    assert told.stderr == ""


def test_an_old_python_can_parse_it() -> None:
    ast.parse(SOURCE.read_text("utf-8"), feature_version=(3, 6))


def test_it_stays_one_short_file_of_the_standard_library() -> None:
    text = SOURCE.read_text("utf-8")
    assert len(text.splitlines()) < 200
    imported = {
        name.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("where", [ROOT, ROOT / "docs", Path("/")])
def test_it_runs_from_any_directory(where: Path) -> None:
    helped = subprocess.run(
        [sys.executable, str(SOURCE), "--help"], cwd=where, capture_output=True, text=True
    )
    assert helped.returncode == 0
    for command in ("demo", "serve", "test", "check", "fix", "bench", "docs"):
        assert command in helped.stdout


def test_the_second_run_starts_nothing(dev: ModuleType, commands: Commands) -> None:
    dev.install("dev")
    assert any("venv" in words for words in commands.seen)
    commands.seen.clear()
    dev.install("dev")
    dev.install("runtime")
    assert commands.seen == []


def test_the_demo_installs_no_development_packages(dev: ModuleType, commands: Commands) -> None:
    dev.install("runtime")
    assert not any("--group" in words for words in commands.seen)
    commands.seen.clear()
    dev.install("dev")
    assert any("--group" in words for words in commands.seen)


def test_a_new_dependency_is_installed_and_a_lint_rule_is_not(
    dev: ModuleType, commands: Commands
) -> None:
    dev.install("dev")
    commands.seen.clear()
    pyproject = dev.ROOT / "pyproject.toml"
    pyproject.write_text(PYPROJECT.replace("100", "99"))
    dev.install("dev")
    assert commands.seen == []
    pyproject.write_text(PYPROJECT.replace('"httpx"', '"httpx", "rich"'))
    dev.install("dev")
    assert any("install" in words for words in commands.seen)


def test_an_interrupted_installation_is_taken_up_again(dev: ModuleType, commands: Commands) -> None:
    commands.fail = {"--editable": "boom"}
    with pytest.raises(SystemExit):
        dev.install("runtime")
    commands.fail = {}
    commands.seen.clear()
    dev.install("runtime")
    assert any("--editable" in words for words in commands.seen)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("WARNING: Retrying after connection broken by NewConnectionError", "could not be reached"),
        ("The virtual environment was not created: ensurepip is not available", "python3-venv"),
        ("ERROR: some wheel does not build", "Could not install the packages"),
    ],
)
def test_a_failed_installation_says_what_failed(
    output: str,
    sentence: str,
    dev: ModuleType,
    commands: Commands,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands.fail = {"--editable": output}
    with pytest.raises(SystemExit) as stopped:
        dev.install("dev")
    assert stopped.value.code == 1
    shown = capsys.readouterr().out
    assert sentence in shown
    assert output in shown
    assert (dev.VENV / "install.log").read_text() == output


def test_a_whole_run_must_pass_both_gates(dev: ModuleType, commands: Commands) -> None:
    assert dev.test([], server_only=False, full=False) == 0
    pytest_run, gate = commands.seen
    assert "--cov" in pytest_run
    assert gate[-2:] == ["--fail-under=100", "--include=pure.py"]
    commands.fail = {"coverage": "98 %"}
    assert dev.test([], server_only=False, full=False) == 1


def test_a_pure_module_that_was_renamed_fails_the_gate(dev: ModuleType, commands: Commands) -> None:
    (dev.ROOT / "pure.py").unlink()
    with pytest.raises(SystemExit, match=r"pure\.py"):
        dev.test([], server_only=False, full=False)


@pytest.mark.parametrize(
    ("rest", "server_only", "full", "expected"),
    [
        (["tests/cli", "-x"], False, False, ["-m", "pytest", "tests/cli", "-x"]),
        ([], True, False, ["-m", "pytest", "tests/server"]),
        # A sweep takes longer than the five minutes after which a test counts as hanging.
        (
            ["-x"],
            False,
            True,
            ["-m", "pytest", "--full", "-ofaulthandler_timeout=0", "-x"],
        ),
    ],
)
def test_a_part_of_the_tests_runs_without_the_gates(
    rest: list[str],
    server_only: bool,
    full: bool,
    expected: list[str],
    dev: ModuleType,
    commands: Commands,
) -> None:
    dev.test(rest, server_only=server_only, full=full)
    assert commands.seen == [expected]


def test_check_shows_the_output_of_failures_only(
    dev: ModuleType, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.fail = {"mypy": "thing.py:1: error: wrong"}
    assert dev.check() == 1
    shown = capsys.readouterr().out
    assert "FAIL mypy" in shown
    assert "thing.py:1: error: wrong" in shown
    assert "fine" not in shown
    commands.fail = {}
    assert dev.check() == 0
