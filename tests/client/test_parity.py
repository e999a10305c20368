"""The two clients have the same names, signatures and docstrings; what is doubled stays equal."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import cadenza_client
from cadenza_client import AsyncCadenzaClient, CadenzaClient
from cadenza_client._resources import (
    identity,
    library,
    live,
    markers,
    messages,
    submissions,
)

PAIRS: list[tuple[type[Any], type[Any]]] = [(CadenzaClient, AsyncCadenzaClient)] + [
    (getattr(module, name), getattr(module, f"Async{name}"))
    for module in (identity, library, live, markers, messages, submissions)
    for name in module.__all__
    if not name.startswith("Async")
]
_SAME = {"__enter__": "__aenter__", "__exit__": "__aexit__"}


def _public(kind: type[Any]) -> dict[str, Any]:
    kept = {"__enter__", "__exit__", "__aenter__", "__aexit__", "__repr__"}
    return {n: v for n, v in vars(kind).items() if not n.startswith("_") or n in kept}


@pytest.mark.parametrize(("sync", "async_"), PAIRS, ids=lambda kind: kind.__name__)
def test_twins_have_the_same_methods(sync: type[Any], async_: type[Any]) -> None:
    assert {_SAME.get(name, name) for name in _public(sync)} == set(_public(async_))


def _plain(text: str) -> str:
    for long, short in (("AsyncIterator", "Iterator"), ("Awaitable[None]", "None")):
        text = text.replace(long, short)
    return text


@pytest.mark.parametrize(("sync", "async_"), PAIRS, ids=lambda kind: kind.__name__)
def test_twins_take_and_give_the_same(sync: type[Any], async_: type[Any]) -> None:
    for name, method in _public(sync).items():
        twin = _public(async_)[_SAME.get(name, name)]
        if isinstance(method, property):
            method, twin = method.fget, twin.fget
        assert inspect.getdoc(method) == inspect.getdoc(twin), name
        assert _plain(str(inspect.signature(method))) == _plain(str(inspect.signature(twin))), name


def test_the_constructors_differ_only_where_they_must() -> None:
    sync = inspect.signature(CadenzaClient.__init__).parameters
    async_ = inspect.signature(AsyncCadenzaClient.__init__).parameters
    assert list(sync) == list(async_)
    differing = {n for n in sync if _plain(str(sync[n])) != _plain(str(async_[n]))}
    assert differing == {"transport", "sleep"}


def test_a_doubled_method_holds_no_logic() -> None:
    """One statement after the docstring, or plain assignments and a return: nothing to drift."""
    root = Path(cadenza_client.__file__).parent
    allowed = (ast.Return, ast.Assign, ast.Expr, ast.AnnAssign)
    for path in [*(root / "_resources").glob("*.py"), root / "_client.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert all(isinstance(line, allowed) for line in node.body), (path, node.name)
