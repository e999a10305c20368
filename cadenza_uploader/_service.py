"""The daemon as a service of the user's own session: what to install, as text (pure).

No root, no forking, no pid file: the manager keeps one foreground process running, restarts it
after a crash, and gives up loudly when it keeps dying (P11).
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

Manager = Literal["systemd", "launchd"]
LABEL = "org.cadenza.uploader"
UNIT = "cadenza-uploader.service"


@dataclass(frozen=True, slots=True)
class Service:
    """A file to write, and the commands that switch it on and off.

    Attributes:
        manager: whose it is.
        path: where the file belongs.
        text: its content; holds no secret.
        enable: commands that start it now and at each sign-in.
        disable: commands that stop it and keep it stopped.
        logs: the command that shows what it says.
    """

    manager: Manager
    path: Path
    text: str
    enable: tuple[tuple[str, ...], ...]
    disable: tuple[tuple[str, ...], ...]
    logs: str


def manager_of(platform: str = sys.platform) -> Manager | None:
    """The service manager of this system, where we know one."""
    if platform == "darwin":
        return "launchd"
    return "systemd" if platform.startswith("linux") else None


def service(
    manager: Manager, *, command: Sequence[str], home: Path, queue_home: Path, url: str
) -> Service:
    """Describe the service.

    Args:
        manager: systemd (Linux) or launchd (macOS).
        command: the program that runs the daemon in the foreground.
        home: the user's home directory.
        queue_home: directory of the queue.
        url: the server. The sign-in is read from the store, never written here (SEC-03).
    """
    if manager == "systemd":
        return _systemd(command, home, queue_home, url)
    return _launchd(command, home, queue_home, url)


def _systemd(command: Sequence[str], home: Path, queue_home: Path, url: str) -> Service:
    quoted = " ".join(_systemd_word(word) for word in command)
    text = f"""[Unit]
Description=Cadenza: sends recorded takes to the teacher
Documentation=man:cadenza(1)
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
ExecStart={quoted}
Environment={_systemd_word(f"CADENZA_HOME={queue_home}")}
Environment={_systemd_word(f"CADENZA_URL={url}")}
Restart=on-failure
RestartSec=2
RestartSteps=5
RestartMaxDelaySec=60
WatchdogSec=120
TimeoutStopSec=10
NoNewPrivileges=yes
UMask=0077
Nice=10

[Install]
WantedBy=default.target
"""
    return Service(
        manager="systemd",
        path=home / ".config" / "systemd" / "user" / UNIT,
        text=text,
        enable=(
            ("systemctl", "--user", "daemon-reload"),
            ("systemctl", "--user", "enable", "--now", UNIT),
        ),
        disable=(("systemctl", "--user", "disable", "--now", UNIT),),
        logs=f"journalctl --user -u {UNIT}",
    )


def _launchd(command: Sequence[str], home: Path, queue_home: Path, url: str) -> Service:
    path = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    log = home / "Library" / "Logs" / "cadenza-uploader.log"
    words = "\n".join(f"        <string>{escape(word)}</string>" for word in command)
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{LABEL}</string>
    <key>ProgramArguments</key>
    <array>
{words}
    </array>
    <key>EnvironmentVariables</key>
    <dict>
        <key>CADENZA_HOME</key>
        <string>{escape(str(queue_home))}</string>
        <key>CADENZA_URL</key>
        <string>{escape(url)}</string>
    </dict>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key>
        <false/>
    </dict>
    <key>ThrottleInterval</key>
    <integer>10</integer>
    <key>Umask</key>
    <integer>63</integer>
    <key>StandardErrorPath</key>
    <string>{escape(str(log))}</string>
    <key>StandardOutPath</key>
    <string>{escape(str(log))}</string>
</dict>
</plist>
"""
    return Service(
        manager="launchd",
        path=path,
        text=text,
        enable=(("launchctl", "load", "-w", str(path)),),
        disable=(("launchctl", "unload", "-w", str(path)),),
        logs=f"tail -f {shlex.quote(str(log))}",
    )


def _systemd_word(word: str) -> str:
    """Quote for a unit file: its own rules, where % and $ mean something too."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
