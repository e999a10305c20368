"""What `deploy/` holds fits the server: settings, commands, packages, versions."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from cadenza_cli.main import every_command
from cadenza_server import ServerSettings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::[?-]([^}]*))?\}")


def _read(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def _compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_read("compose.yaml"))
    return document


def _assignments(text: str) -> dict[str, str]:
    """NAME=value lines, also those that wait behind a `#`."""
    return dict(re.findall(r"^#?([A-Z0-9_]+)=(.*)$", text, re.MULTILINE))


def _settings_names() -> set[str]:
    names = set()
    for name, field in ServerSettings.model_fields.items():
        choices = getattr(field.validation_alias, "choices", ())
        names |= {str(choice) for choice in choices} | {f"CADENZA_{name.upper()}"}
    return names


def _exists(words: list[str]) -> None:
    """The command line is one the command takes."""
    command: Any = typer.main.get_command(every_command())
    rest = list(words)
    while rest and hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    options = {one for param in command.params for one in param.opts}
    assert {word for word in rest if word.startswith("--")} <= options, words


# ── the compose file ───────────────────────────────────────────────────────────────────────────


def test_both_servers_run_with_settings_the_server_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    services = _compose()["services"]
    first, second = services["server-1"], services["server-2"]
    given = {"DOMAIN": "cadenza.test", "STORE_DOMAIN": "takes.test", "STORE_KEY": "k"}
    filled = {
        name: _VARIABLE.sub(lambda found: given.get(found[1], "f" * 64), str(value))
        for name, value in first["environment"].items()
        if value is not None and name != "CADENZA_SECRET_ID"
    }

    assert first == second
    known = _settings_names() | {"FORWARDED_ALLOW_IPS"}
    assert first["environment"].keys() <= known
    for name, value in filled.items():
        monkeypatch.setenv(name, value)
    settings = ServerSettings(env="prod")
    assert (settings.storage, settings.s3_bucket) == ("s3", "takes")
    assert settings.s3_public_endpoint == "https://takes.test"
    assert settings.database_url.endswith("@database/cadenza")


def test_every_variable_of_the_compose_file_is_in_its_example() -> None:
    asked = {name for name, default in _VARIABLE.findall(_read("compose.yaml")) if default != "k1"}

    assert asked == _assignments(_read("compose.env.example")).keys()


def test_only_the_proxy_is_reached_from_outside() -> None:
    compose = _compose()
    services = compose["services"]

    assert [name for name, one in services.items() if "ports" in one] == ["proxy"]
    assert compose["networks"]["inside"] == {"internal": True}
    for name in ("database", "store"):
        assert services[name]["networks"] == ["inside"], name
    for name in ("server-1", "server-2"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True


def test_nothing_of_the_compose_file_points_nowhere() -> None:
    compose = _compose()
    services = compose["services"]

    for name, one in services.items():
        assert set(one.get("depends_on", ())) <= services.keys(), name
        assert set(one.get("networks", ())) <= compose["networks"].keys(), name
        for volume in one.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), volume
    script = services["prepare"]["command"][0]
    for step in script.split(" && "):
        program, *words = step.split()
        assert program == "/opt/cadenza/bin/cadenza"
        _exists(words)
    proxy = _read("Caddyfile")
    assert "reverse_proxy server-1:8000 server-2:8000" in proxy
    assert "health_uri /ready" in proxy
    assert "store:7070" in proxy


# ── the container ──────────────────────────────────────────────────────────────────────────────


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", " ", _read("Containerfile"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_container_copies_what_the_wheel_is_built_from() -> None:
    copied = [
        words.split()[0]
        for name, words in _instructions()
        if name == "COPY" and "--from" not in words
    ]
    copied += ["README.md", "LICENSE"]
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    packages = {name.partition("/")[0] for name in wheel["targets"]["wheel"]["packages"]}

    assert all((ROOT / source).exists() for source in copied)
    assert packages <= set(copied)


def test_the_container_runs_the_server_and_not_as_root() -> None:
    instructions = _instructions()
    known = {
        "FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL",
        "HEALTHCHECK", "ENTRYPOINT", "CMD",
    }  # fmt: skip
    said = dict(instructions)

    assert {name for name, _ in instructions} <= known
    assert said["USER"] == "10001"
    assert json.loads(said["ENTRYPOINT"]) == ["/opt/cadenza/bin/cadenza"]
    _exists(json.loads(said["CMD"]))
    health = json.loads(said["HEALTHCHECK"].partition("CMD ")[2])
    compile(health[2], "health", "exec")
    assert f":{said['EXPOSE']}/ready" in health[2]
    assert said["EXPOSE"] in json.loads(said["CMD"])


def test_every_locked_package_has_its_hash_and_is_one_we_can_use() -> None:
    """A bound that was raised in pyproject.toml asks for a new lock."""
    text = re.sub(r"\\\n\s*", " ", _read("requirements.txt"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    locked = {}
    for line in lines:
        assert "--hash=sha256:" in line, line
        name, _, version = line.split()[0].partition("==")
        locked[canonicalize_name(name)] = Version(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["server"], *extras["postgresql"], *extras["s3"]]
    wanted += _read("build.in").splitlines()

    for requirement in map(Requirement, wanted):
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier, requirement


# ── the unit ───────────────────────────────────────────────────────────────────────────────────


def _unit() -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", _read("cadenza.service"), re.MULTILINE))


def test_the_unit_starts_a_command_there_is() -> None:
    program, *words = _unit()["ExecStart"].split()

    assert program == "/opt/cadenza/bin/cadenza"
    _exists(words)
    assert _unit()["KillSignal"] == "SIGTERM"


def test_the_example_settings_of_the_unit_are_settings() -> None:
    assert _assignments(_read("server.env.example")).keys() <= _settings_names()


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine")
    unit = tmp_path / "cadenza.service"
    text = _read("cadenza.service").replace("/opt/cadenza/bin/cadenza", "/bin/true")
    unit.write_text(text.replace("User=cadenza\nGroup=cadenza\n", ""))

    checked = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, timeout=60)

    assert (checked.returncode, checked.stderr) == (0, "")
