"""What a service manager is given, and what it is told."""

import configparser
import plistlib
import socket
from pathlib import Path

import pytest

from cadenza_uploader._service import manager_of, service
from cadenza_uploader._service_notify import ServiceNotify
from tests.uploader.world import Clock

COMMAND = ["/opt/my tools/cadenza", "daemon", "run"]


def unit(**changes: object) -> str:
    values = {"command": COMMAND, "home": Path("/home/ada"), "queue_home": Path("/q/100%"),
              "url": "https://studio.example", **changes}  # fmt: skip
    return service("systemd", **values).text  # type: ignore[arg-type]  # a test's shorthand


def test_the_unit_runs_the_daemon_and_restarts_it() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    parser.read_string(unit())
    run = parser["Service"]
    assert run["ExecStart"] == '"/opt/my tools/cadenza" "daemon" "run"'
    assert (run["Type"], run["Restart"]) == ("notify", "on-failure")
    assert '"CADENZA_HOME=/q/100%%"' in unit()  # % is special in a unit
    assert parser["Install"]["WantedBy"] == "default.target"


def test_the_agent_is_a_plist_that_macos_can_read() -> None:
    agent = service(
        "launchd",
        command=COMMAND,
        home=Path("/Users/ada"),
        queue_home=Path("/q/<&>"),
        url="https://studio.example",
    )
    read = plistlib.loads(agent.text.encode())
    assert read["ProgramArguments"] == COMMAND
    assert read["EnvironmentVariables"]["CADENZA_HOME"] == "/q/<&>"
    assert agent.path == Path("/Users/ada/Library/LaunchAgents/org.cadenza.uploader.plist")
    assert agent.enable
    assert agent.disable


def test_no_secret_is_ever_in_the_file() -> None:
    assert "TOKEN" not in unit().upper()


def test_a_system_we_do_not_know_has_no_manager() -> None:
    assert manager_of("linux") == "systemd"
    assert manager_of("darwin") == "launchd"
    assert manager_of("win32") is None


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_hears_ready_alive_and_stopping(tmp_path: Path, abstract: bool) -> None:
    name = f"@cadenza-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(5)
        clock = Clock()
        environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "10000000"}
        notify = ServiceNotify(environ, monotonic=clock)
        notify.ready("sending")
        notify.alive()
        notify.alive()  # not before half of its ten seconds
        clock.advance(5)
        notify.alive()
        notify.status("3 unsent")
        notify.stopping()
        heard = [manager.recv(1000).decode() for _ in range(5)]
    assert heard == ["READY=1\nSTATUS=sending", "WATCHDOG=1", "WATCHDOG=1", "STATUS=3 unsent",
                     "STOPPING=1"]  # fmt: skip


def test_nobody_listening_is_no_trouble(tmp_path: Path) -> None:
    ServiceNotify({}, monotonic=Clock()).ready("x")
    gone = ServiceNotify({"NOTIFY_SOCKET": str(tmp_path / "gone")}, monotonic=Clock())
    gone.ready("x")
    gone.alive()
