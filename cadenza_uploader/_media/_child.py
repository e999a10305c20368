"""The probe process: measures files it was handed as descriptors, and can do little else.

Started by path as ``python -I -S _child.py <order>`` (see `_isolation.py`), where the order is
JSON. It answers on standard output: lines of JSON, and behind one that says ``jpeg_bytes`` that
many bytes. The limits are set before libav is loaded (SEC-22): address space, processor
seconds, no file may grow, no core dump, and once everything is imported no descriptor to open a
file or a socket with.
"""

from __future__ import annotations

import json
import resource
import sys
import types
from pathlib import Path
from typing import Any, BinaryIO

# The folder is imported under its own name, without running the packages' __init__: they import
# what a probe does not need (the queue, the SDK), and the parent's 200 ms are not ours to spend.
_HERE = Path(__file__).resolve().parent
_PACKAGE = "cadenza_uploader._media"


def set_limits(order: dict[str, Any]) -> None:
    """Cap what this process may use, for good."""
    limit = resource.setrlimit
    limit(resource.RLIMIT_CORE, (0, 0))
    limit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    if sys.platform != "darwin":  # there it is refused below what every process maps at start
        limit(resource.RLIMIT_AS, (order["memory_bytes"],) * 2)
    soft, hard = order["cpu_seconds"], order["cpu_seconds_at_most"]
    limit(resource.RLIMIT_CPU, (soft, hard))


def become_package(import_paths: list[str]) -> None:
    """Make `cadenza_uploader._media.*` importable, and av and PIL with it."""
    sys.path.extend(import_paths)
    for name, folder in (("cadenza_uploader", _HERE.parent), (_PACKAGE, _HERE)):
        module = types.ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module


def main(order: dict[str, Any], out: BinaryIO) -> int:
    """Do what the order says."""
    set_limits(order)
    become_package(order["import_paths"])
    if order["job"] == "fit":
        from cadenza_uploader._media._fit_job import fit_for

        return fit_for(order, out)
    from cadenza_uploader._media._inspect_job import inspect_for

    return inspect_for(order, out)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.stdout.buffer))
