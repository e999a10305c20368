"""The behaviour of a Cadenza upload client, executable: any client in any language can be judged.

A fault server plays scenarios, a driver moves the client under test, a judge reads the trace.
Scenarios, clauses and decision tables are data files in this package. Names are loaded on first
use, so that an adapter which lives beside them starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cadenza_conformance._judge import Failure as Failure
    from cadenza_conformance._judge import Judgement as Judgement
    from cadenza_conformance._judge import judge as judge
    from cadenza_conformance.catalogue import ScenarioError as ScenarioError
    from cadenza_conformance.catalogue import load_scenarios as load_scenarios
    from cadenza_conformance.catalogue import read_scenario as read_scenario
    from cadenza_conformance.catalogue import select as select
    from cadenza_conformance.clauses import Clause as Clause
    from cadenza_conformance.faultserver import FaultServer as FaultServer
    from cadenza_conformance.report import Report as Report
    from cadenza_conformance.report import Result as Result
    from cadenza_conformance.report import differences as differences
    from cadenza_conformance.scenario import Scenario as Scenario
    from cadenza_conformance.suite import Options as Options
    from cadenza_conformance.suite import read_known_failing as read_known_failing
    from cadenza_conformance.suite import run_suite as run_suite
    from cadenza_conformance.trace import Trace as Trace

_HOME_OF = {
    "Clause": "clauses",
    "Failure": "_judge",
    "FaultServer": "faultserver",
    "Judgement": "_judge",
    "Options": "suite",
    "Report": "report",
    "Result": "report",
    "Scenario": "scenario",
    "ScenarioError": "catalogue",
    "Trace": "trace",
    "differences": "report",
    "judge": "_judge",
    "load_scenarios": "catalogue",
    "read_known_failing": "suite",
    "read_scenario": "catalogue",
    "run_suite": "suite",
    "select": "catalogue",
}

__all__ = [
    "Clause",
    "Failure",
    "FaultServer",
    "Judgement",
    "Options",
    "Report",
    "Result",
    "Scenario",
    "ScenarioError",
    "Trace",
    "differences",
    "judge",
    "load_scenarios",
    "read_known_failing",
    "read_scenario",
    "run_suite",
    "select",
]


def __getattr__(name: str) -> Any:
    """Import the module that defines a public name when it is first used (PEP 562)."""
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
