"""Import arrows and the purity of the rules, read from the source (docs/architecture.md)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Zone by path prefix, longest first: what a file belongs to and what an import names.
ZONES = {
    "disputes.rulebook": "rulebook",
    "disputes.gateway": "gateway",
    "disputes.store": "store",
    "disputes": "core",
    "activities": "activities",
    "workflows": "workflows",
    "starter": "starter",
    "sandbox": "sandbox",
    "worker": "worker",
}

#: What each zone may import of ours; a dotted name allows that module only.
ARROWS: dict[str, frozenset[str]] = {
    "core": frozenset({"core"}),
    "rulebook": frozenset({"core", "rulebook"}),
    "gateway": frozenset({"core", "gateway"}),
    "store": frozenset({"core", "store"}),
    "activities": frozenset({"core", "rulebook", "activities"}),
    "workflows": frozenset({"core", "activities", "workflows"}),
    "starter": frozenset(
        {"core", "rulebook", "store", "workflows", "starter", "disputes.gateway.webhooks"}
    ),
    "sandbox": frozenset({"core", "sandbox", "disputes.gateway.wire"}),
    "worker": frozenset(
        {"core", "rulebook", "gateway", "store", "activities", "workflows", "worker"}
    ),
}

MAY_USE_TEMPORAL = frozenset({"activities", "workflows", "starter", "worker"})
PURE_THIRD_PARTY = frozenset({"pydantic", "pydantic_core"})

#: Standard modules that know no clock, no chance and no world outside.
PURE_STDLIB = frozenset(
    "abc base64 bisect collections copy dataclasses datetime decimal difflib enum fractions"
    " functools hashlib heapq hmac ipaddress itertools json math operator re string textwrap"
    " tomllib types typing unicodedata urllib.parse".split()
)
IMPURE_CALLS = frozenset({"open", "print", "input", "eval", "exec", "breakpoint", "__import__"})
CLOCKS = frozenset({"now", "utcnow", "today"})


def _sources() -> list[Path]:
    folders = ("disputes", "activities", "workflows", "starter", "sandbox")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted([*found, *ROOT.glob("worker.py")])


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _zone(module: str) -> str | None:
    for prefix, zone in ZONES.items():
        if module == prefix or module.startswith(f"{prefix}."):
            return zone
    return None


def _imports(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports; ``from a import b`` may mean module a.b or a name in a."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}"
                parts = ROOT.joinpath(*dotted.split("."))
                is_module = dotted in ZONES or parts.is_dir() or parts.with_suffix(".py").is_file()
                yield dotted if is_module else node.module


def arrow_breaches(module: str, source: str) -> list[str]:
    """The imports in ``source`` that ``module`` may not have."""
    zone = _zone(module)
    assert zone is not None, f"{module} belongs to no zone: add it to ZONES"
    breaches = []
    for name in _imports(ast.parse(source)):
        target = _zone(name)
        if target is not None:
            if target not in ARROWS[zone] and name not in ARROWS[zone]:
                breaches.append(name)
        elif name.split(".")[0] == "temporalio":
            if zone not in MAY_USE_TEMPORAL:
                breaches.append(name)
        elif zone in {"core", "rulebook"}:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names | PURE_THIRD_PARTY:
                breaches.append(name)
    return breaches


def impurities(source: str) -> list[str]:
    """Clocks, chance and input or output in ``source``, each as it is written there."""
    tree = ast.parse(source)
    found = []
    for name in _imports(tree):
        top = name.split(".")[0]
        pure = {name, top} & (PURE_STDLIB | PURE_THIRD_PARTY)
        if _zone(name) is None and not pure:
            found.append(f"import {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            owner = ast.unparse(node.value).split(".")[-1]
            if owner in {"datetime", "date"}:
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Name) and node.id in IMPURE_CALLS:
            found.append(node.id)
    return found


@pytest.mark.parametrize("path", _sources(), ids=_module)
def test_imports_follow_the_arrows(path: Path) -> None:
    assert arrow_breaches(_module(path), path.read_text()) == []


@pytest.mark.parametrize("path", sorted((ROOT / "disputes").glob("*.py")), ids=_module)
def test_the_rules_know_no_clock_no_chance_and_no_world(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("disputes.money", "import httpx"),
        ("disputes.money", "from disputes import store"),
        ("disputes.rulebook.load", "import temporalio.workflow"),
        ("disputes.gateway.client", "from disputes.store import ledger"),
        ("disputes.store.ledger", "import temporalio"),
        ("activities.open", "import disputes.store"),
        ("workflows.dispute", "from disputes import rulebook"),
        ("workflows.dispute", "from starter import cli"),
        ("starter.cli", "import worker"),
        ("starter.cli", "import activities"),
        ("starter.cli", "from disputes.gateway import client"),
        ("starter.cli", "from sandbox import bank"),
        ("worker", "import sandbox.bank"),
    ],
)
def test_a_forbidden_import_would_be_found(module: str, line: str) -> None:
    assert arrow_breaches(module, line)


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import time",
        "from random import choice",
        "import datetime; datetime.datetime.now()",
        "from datetime import date\nclock = date.today",
        "open('x')",
        "from pathlib import Path",
        "from uuid import uuid4",
        "import urllib.request",
    ],
)
def test_an_impure_line_would_be_found(line: str) -> None:
    assert impurities(line)
