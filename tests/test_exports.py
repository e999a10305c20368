"""The public names: declared, sorted, complete, documented, and importable one by one."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

PACKAGES = (
    "cadenza_client",
    "cadenza_uploader",
    "cadenza_server",
    "cadenza_conformance",
    "cadenza_cli",
)


def _public_modules() -> list[str]:
    """Every package, and every module of the two libraries that has no leading underscore."""
    found = list(PACKAGES)
    for package in ("cadenza_client", "cadenza_uploader"):
        folder = importlib.import_module(package).__path__
        found += [
            f"{package}.{module.name}"
            for module in pkgutil.iter_modules(folder)
            if not module.name.startswith("_")
        ]
    return found


def _declared(name: str) -> list[str]:
    """`__all__`; a package with nothing to import, such as the command, may leave it out."""
    return list(getattr(importlib.import_module(name), "__all__", []))


def _public_names(module: ModuleType) -> set[str]:
    """What a reader of `dir()` takes for public: in a package all of ours, in a module its own."""
    ours = module.__name__.partition(".")[0] if hasattr(module, "__path__") else module.__name__
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and str(getattr(value, "__module__", "")).startswith(ours)
    }


@pytest.mark.parametrize("name", _public_modules())
def test_all_lists_each_public_name_once(name: str) -> None:
    module = importlib.import_module(name)
    declared = _declared(name)
    assert declared or name in {"cadenza_cli", "cadenza_conformance"}
    assert len(declared) == len(set(declared))
    for one in declared:
        getattr(module, one)  # also loads what is lazy
    undeclared = _public_names(module) - set(declared)
    assert not undeclared, f"{name} shows names that __all__ does not list"


@pytest.mark.parametrize("name", _public_modules())
def test_all_is_sorted(name: str) -> None:
    declared = _declared(name)
    constants = sorted(one for one in declared if one.isupper())
    classes = sorted(one for one in declared if one[0].isupper() and not one.isupper())
    others = sorted(one for one in declared if not one[0].isupper())
    assert declared == constants + classes + others


@pytest.mark.parametrize("name", _public_modules())
def test_public_classes_and_functions_say_what_they_are(name: str) -> None:
    module = importlib.import_module(name)
    values = {one: getattr(module, one) for one in _declared(name)}
    silent = [
        one
        for one, value in values.items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value)
    ]
    assert not silent
