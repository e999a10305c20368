"""The durable half of Cadenza: an offline queue, media intake and the daemon that empties it.

Names are loaded on first use, so that importing the package costs nothing at a terminal.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cadenza_uploader._credentials import Credential as Credential
    from cadenza_uploader._credentials import CredentialStore as CredentialStore
    from cadenza_uploader._credentials import credential_store as credential_store
    from cadenza_uploader._daemon import Daemon as Daemon
    from cadenza_uploader._daemon import DrainReport as DrainReport
    from cadenza_uploader._doctor import Finding as Finding
    from cadenza_uploader._doctor import examine as examine
    from cadenza_uploader._explain import Explanation as Explanation
    from cadenza_uploader._explain import explain as explain
    from cadenza_uploader._home import Home as Home
    from cadenza_uploader._housekeeping import GarbageReport as GarbageReport
    from cadenza_uploader._housekeeping import cancel as cancel
    from cadenza_uploader._housekeeping import collect_garbage as collect_garbage
    from cadenza_uploader._instance import DaemonStatus as DaemonStatus
    from cadenza_uploader._instance import daemon_status as daemon_status
    from cadenza_uploader._instance import stop_daemon as stop_daemon
    from cadenza_uploader._instance import wake_daemon as wake_daemon
    from cadenza_uploader._intake import enqueue as enqueue
    from cadenza_uploader._intake_prepared import PreparedFacts as PreparedFacts
    from cadenza_uploader._intake_prepared import enqueue_prepared as enqueue_prepared
    from cadenza_uploader._queue import TakeQueue as TakeQueue
    from cadenza_uploader._rebuild import Rebuilt as Rebuilt
    from cadenza_uploader._rebuild import open_rebuilt as open_rebuilt
    from cadenza_uploader._reconcile import Reconciliation as Reconciliation
    from cadenza_uploader._reconcile import reconcile as reconcile
    from cadenza_uploader._salvage import Remnant as Remnant
    from cadenza_uploader._salvage import remnants as remnants
    from cadenza_uploader._salvage import salvage as salvage
    from cadenza_uploader._service import Service as Service
    from cadenza_uploader._service import manager_of as manager_of
    from cadenza_uploader._service import service as service
    from cadenza_uploader._session import connect as connect
    from cadenza_uploader._session import current_account as current_account
    from cadenza_uploader._settings import Settings as Settings
    from cadenza_uploader._signals import Stop as Stop
    from cadenza_uploader._signals import stop_on_signals as stop_on_signals
    from cadenza_uploader._studio import record_take as record_take
    from cadenza_uploader._watch import FileSeen as FileSeen
    from cadenza_uploader._watch import FolderWatch as FolderWatch

_HOME_OF = {
    "Credential": "_credentials",
    "CredentialStore": "_credentials",
    "Daemon": "_daemon",
    "DaemonStatus": "_instance",
    "DrainReport": "_daemon",
    "Explanation": "_explain",
    "FileSeen": "_watch",
    "Finding": "_doctor",
    "FolderWatch": "_watch",
    "GarbageReport": "_housekeeping",
    "Home": "_home",
    "PreparedFacts": "_intake_prepared",
    "Rebuilt": "_rebuild",
    "Reconciliation": "_reconcile",
    "Remnant": "_salvage",
    "Service": "_service",
    "Settings": "_settings",
    "Stop": "_signals",
    "TakeQueue": "_queue",
    "cancel": "_housekeeping",
    "collect_garbage": "_housekeeping",
    "connect": "_session",
    "credential_store": "_credentials",
    "current_account": "_session",
    "daemon_status": "_instance",
    "enqueue": "_intake",
    "enqueue_prepared": "_intake_prepared",
    "examine": "_doctor",
    "explain": "_explain",
    "manager_of": "_service",
    "open_rebuilt": "_rebuild",
    "reconcile": "_reconcile",
    "record_take": "_studio",
    "remnants": "_salvage",
    "salvage": "_salvage",
    "service": "_service",
    "stop_daemon": "_instance",
    "stop_on_signals": "_signals",
    "wake_daemon": "_instance",
}

__all__ = [
    "Credential",
    "CredentialStore",
    "Daemon",
    "DaemonStatus",
    "DrainReport",
    "Explanation",
    "FileSeen",
    "Finding",
    "FolderWatch",
    "GarbageReport",
    "Home",
    "PreparedFacts",
    "Rebuilt",
    "Reconciliation",
    "Remnant",
    "Service",
    "Settings",
    "Stop",
    "TakeQueue",
    "cancel",
    "collect_garbage",
    "connect",
    "credential_store",
    "current_account",
    "daemon_status",
    "enqueue",
    "enqueue_prepared",
    "examine",
    "explain",
    "manager_of",
    "open_rebuilt",
    "reconcile",
    "record_take",
    "remnants",
    "salvage",
    "service",
    "stop_daemon",
    "stop_on_signals",
    "wake_daemon",
]


def __getattr__(name: str) -> Any:
    """Import the module that defines a public name when it is first used (PEP 562)."""
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
