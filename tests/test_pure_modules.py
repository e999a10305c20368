"""Modules that only describe or decide stay that way: nothing to wait for, read or roll."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PURE: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["cadenza"][
    "pure_modules"
]
# `now`, randomness and answers come in as arguments (a type or a constant of httpx is fine).
IMPURE = {
    "anyio", "asyncio", "av", "fcntl", "httpcore", "io", "keyring", "logging", "multiprocessing",
    "os", "PIL", "platformdirs", "random", "secrets", "select", "shutil", "signal", "socket",
    "sqlite3", "sqlite_utils", "ssl", "subprocess", "sys", "tempfile", "tenacity", "threading",
    "time",
}  # fmt: skip


@pytest.mark.parametrize("path", PURE)
def test_it_imports_nothing_that_touches_the_world(path: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module.partition(".")[0])
    assert not imported & IMPURE


def test_the_list_is_sorted_and_names_no_module_twice() -> None:
    assert sorted(set(PURE)) == PURE
