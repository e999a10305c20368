"""Clients to judge: the reference in Python and the one in Node."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from cadenza_conformance.transports import AdapterFactory, exec_adapter

ROOT = Path(__file__).resolve().parents[2]
NODE_CLIENT = ROOT / "examples" / "node-client" / "adapter.mjs"


def adapter_environ() -> dict[str, str]:
    """Where an adapter's process finds the packages, whatever directory pytest runs in."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def reference() -> AdapterFactory:
    """The reference client."""
    command = [sys.executable, "-m", "cadenza_conformance.adapters.python"]
    return exec_adapter(command, env=adapter_environ())


@pytest.fixture
def node() -> AdapterFactory:
    """The client in Node, where there is a Node."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no node on this machine")
    return exec_adapter([program, str(NODE_CLIENT)])
