"""The kernel's hint that the network changed."""

import subprocess
import sys

import pytest

from cadenza_uploader._network_changes import NetworkChanges


def test_without_netlink_there_is_nothing_to_wait_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cadenza_uploader._network_changes.sys.platform", "darwin")
    changes = NetworkChanges()
    assert changes.descriptors == []
    changes.drain()
    changes.close()


def test_a_refused_socket_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("cadenza_uploader._network_changes.socket.socket", refuse)
    assert NetworkChanges().descriptors == []


@pytest.mark.real("netns")
def test_an_address_that_comes_wakes_the_waiter() -> None:
    script = (
        "import select, subprocess, sys\n"
        "from cadenza_uploader._network_changes import NetworkChanges\n"
        "changes = NetworkChanges()\n"
        "changes.drain()\n"
        "subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n"
        "ready, _, _ = select.select(changes.descriptors, [], [], 5)\n"
        "changes.drain(); again, _, _ = select.select(changes.descriptors, [], [], 0)\n"
        "sys.exit(0 if ready and not again else 1)\n"
    )
    subprocess.run(["unshare", "-n", sys.executable, "-c", script], check=True, timeout=30)
