"""Which request is which operation: names outlive paths, so the paths are a binding (§3.1.2).

`binding.json` maps every operation to a method, a path template and the role of the host that
answers it. Nothing else in the kit knows a route.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import Literal

Role = Literal["api", "storage", "other"]


@dataclass(frozen=True)
class Operation:
    """One operation of the contract.

    Attributes:
        name: what scenarios call it.
        method: HTTP method.
        template: path below the role's base URL; `{id}` is a submission, `{key}` an object.
        role: which host answers.
        is_open: needs no sign-in.
    """

    name: str
    method: str
    template: str
    role: Role
    is_open: bool

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = re.escape(self.template)
        pattern = pattern.replace(r"\{id\}", r"(?P<subject>[^/]+)")
        pattern = pattern.replace(r"\{key\}", r"(?P<subject>.+)")
        return re.compile(pattern)

    def match(self, method: str, path: str) -> tuple[bool, str | None]:
        """Whether a request is this operation, and the id or key it names."""
        if method != self.method:
            return False, None
        found = self._pattern.fullmatch(path)
        if found is None:
            return False, None
        return True, found.groupdict().get("subject")


@functools.cache
def operations() -> dict[str, Operation]:
    """Every operation by name, in the order in which they are tried."""
    text = resources.files("cadenza_conformance").joinpath("binding.json").read_text("utf-8")
    return {
        name: Operation(
            name, entry["method"], entry["path"], entry["role"], bool(entry.get("open"))
        )
        for name, entry in json.loads(text)["operations"].items()
    }


def identify(role: Role, method: str, path: str) -> tuple[str, str | None]:
    """The operation a request is, with its subject; `unknown` when it is none."""
    for operation in operations().values():
        if operation.role != role:
            continue
        matches, subject = operation.match(method, path)
        if matches:
            return operation.name, subject
    return "unknown", None
