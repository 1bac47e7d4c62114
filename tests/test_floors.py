"""The floors of the house: each module imports only from floors below its own, or from its own floor.

Imports are read from the source, those inside functions and those for type hints too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"function_app", "cli", "web", "sandbox", "bench"}),
    frozenset({"functions", "schedule"}),
    frozenset({"wiring", "settings"}),
    frozenset({"service", "queries", "walker", "sweep", "routing", "pace", "drain", "handling"})
    | frozenset({"reconcile", "census", "take", "runs", "listing", "check", "gaps", "enacting", "audit"}),
    frozenset({"arm", "graph", "store", "channels"}),
    frozenset({"rest"}),
    frozenset({"detectors"}),
    frozenset({"core"}),
    frozenset({"errors", "blindspots", "version"}),
)
"""From the top to the ground. `version` is `lami/__init__.py`, which holds nothing else."""
STRANGERS = frozenset({"arm", "graph", "store", "channels", "sandbox"})
"""Parts that know no other part of their own floor, nor are known by one."""
KNOWN_TO_THE_SANDBOX = frozenset({"sandbox", "errors", "version"})
"""The sandbox stands in for Azure: it knows nothing of lami, so that it cannot agree with it by accident."""
PLAYED_BY = frozenset({"cli", "bench"})
"""Who may start the sandbox."""
MEASURED_BY = frozenset({"cli", "bench"})
"""Who may know the benchmarks: nothing that handles an event."""
IMPURE = frozenset({"logging", "random", "secrets", "time", "os", "pathlib", "socket", "threading", "uuid"})
NOT_CALLED = frozenset({"open", "print", "input", "now", "utcnow", "today"})


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


SOURCES = [*sorted(ROOT.glob("lami/**/*.py")), ROOT / "function_app.py"]
CORE = sorted(ROOT.glob("lami/core/**/*.py"))


def test_every_part_has_a_floor() -> None:
    """A new module or package stands on a floor before anything may import it."""
    parts = {_part(_module(path)) for path in SOURCES}
    assert parts <= frozenset().union(*FLOORS)


@pytest.mark.parametrize("path", SOURCES, ids=[_module(path) for path in SOURCES])
def test_a_module_imports_from_below_only(path: Path) -> None:
    """Whatever a module imports of lami stands on a lower floor, or on its own and is no stranger."""
    here = _part(_module(path))
    for name in _imports(path):
        if not name.startswith("lami"):
            continue
        there = _part(name)
        assert _allowed(here, there), f"{path.relative_to(ROOT)} imports {name}: {here} may not know {there}"


@pytest.mark.parametrize("path", CORE, ids=[_module(path) for path in CORE])
def test_the_core_is_pure(path: Path) -> None:
    """The core imports itself, the standard library, msgspec; it asks no clock, chance or file, nor logs."""
    for name in _imports(path):
        top = name.split(".")[0]
        assert top in ("lami", "msgspec") or (top in sys.stdlib_module_names and top not in IMPURE), name
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in NOT_CALLED, f"{path.name}:{node.lineno} calls {called}"


def _allowed(here: str, there: str) -> bool:
    if here == "sandbox":
        return there in KNOWN_TO_THE_SANDBOX
    if there == "sandbox":
        return here in PLAYED_BY
    if there == "bench":
        return here in MEASURED_BY
    if here == there:
        return True
    return _floor(there) > _floor(here) or (_floor(there) == _floor(here) and not {here, there} & STRANGERS)


def _floor(part: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if part in floor)


def _part(module: str) -> str:
    """`lami.core.model` is in `core`; `lami` itself only says the version."""
    if module == "function_app":
        return module
    return module.split(".")[1] if "." in module else "version"


def _imports(path: Path) -> Iterator[str]:
    """The modules that a file imports; what is taken from a package may be a module of it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: imports are absolute"
            module = node.module or ""
            if module != "lami":
                yield module
                continue
            for alias in node.names:
                found = ROOT / "lami" / alias.name
                is_module = found.is_dir() or found.with_suffix(".py").exists()
                yield f"lami.{alias.name}" if is_module else "lami"
