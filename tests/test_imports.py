"""Who may import whom, beside the layers that import-linter checks: what each package may see."""

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from source import imports, module_name, parsed, python_files, shown

BASE = ("opengage.clock", "opengage.ids", "opengage.logs", "opengage.metrics")


@dataclass(frozen=True)
class Sight:
    """What a package may see: modules of ours beside itself, and third parties (None: any)."""

    ours: tuple[str, ...]
    others: tuple[str, ...] | None = None


SIGHT = {
    "opengage.smpp": Sight((), ("msgspec",)),
    "opengage.jsonapi": Sight((), ("msgspec",)),
    "opengage.domain": Sight(("opengage.smpp", *BASE), ("phonenumbers", "liquid", "msgspec", "tzdata")),
    "opengage.store": Sight(("opengage.domain", "opengage.sealing", *BASE)),
    "opengage.carriers": Sight(("opengage.domain", "opengage.smpp", *BASE)),
    "opengage.simulator": Sight(("opengage.smpp", "opengage.domain.segments", *BASE)),
    "opengage.client": Sight(("opengage.jsonapi", *BASE)),
}

CONCRETE = (
    "opengage.store.sqlite",
    "opengage.store.postgres",
    "opengage.carriers.smpp",
    "opengage.carriers.twilio",
    "opengage.carriers.http",
    "opengage.carriers.sandbox",
)
"""Implementations behind a contract: whoever names one is bound to it, so only `assembly` does."""


def within(name: str, *packages: str) -> bool:
    """Whether a dotted name lies in one of these packages."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def refusal(module: str, imported: str) -> str | None:
    """Why `module` may not import `imported`, or None if it may."""
    concrete = [package for package in CONCRETE if within(imported, package)]
    if concrete and not within(module, "opengage.assembly", *_siblings(concrete[0])):
        return "only opengage.assembly names concrete stores and carriers"
    for package, sight in SIGHT.items():
        if not within(module, package):
            continue
        if within(imported, "opengage"):
            allowed = imported == "opengage" or within(imported, package, *sight.ours)
            return None if allowed else f"{package} may not see it"
        top = imported.split(".", maxsplit=1)[0]
        if sight.others is not None and top not in sys.stdlib_module_names and top not in sight.others:
            return f"{package} may not see this third party"
    return None


def _siblings(concrete: str) -> list[str]:
    """The implementations beside this one, which may share code; the contract may not name them."""
    return [package for package in CONCRETE if package.rpartition(".")[0] == concrete.rpartition(".")[0]]


def test_every_import_is_allowed() -> None:
    """No file sees more than its package may."""
    found = [
        f"{shown(path, line)} imports {name}: {why}"
        for path in python_files("src")
        for name, line in imports(path)
        if (why := refusal(module_name(path), name))
    ]
    assert not found


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("opengage.smpp.pdu", "opengage.clock.Clock"),
        ("opengage.smpp.pdu", "smpplib"),
        ("opengage.jsonapi", "opengage.domain.states"),
        ("opengage.domain.ledger", "sqlalchemy"),
        ("opengage.domain.ledger", "opengage.store.contract"),
        ("opengage.simulator.smsc", "opengage.domain.states"),
        ("opengage.simulator.smsc", "opengage.carriers"),
        ("opengage.carriers.smpp", "opengage.store"),
        ("opengage.api.texts", "opengage.store.sqlite.texts"),
        ("opengage.cli", "opengage.carriers.smpp.Carrier"),
        ("opengage.carriers", "opengage.carriers.smpp"),
    ],
)
def test_forbidden_imports_are_refused(module: str, imported: str) -> None:
    """The table bites: each kind of forbidden import is told."""
    assert refusal(module, imported)


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("opengage.smpp.session", "opengage.smpp.pdu"),
        ("opengage.smpp.session", "asyncio"),
        ("opengage.domain.numbers", "phonenumbers.data"),
        ("opengage.simulator.smsc", "opengage.domain.segments.count"),
        ("opengage.assembly", "opengage.store.sqlite"),
        ("opengage.carriers.sandbox", "opengage.carriers.smpp"),
        ("opengage.api.app", "opengage.__version__"),
        ("opengage.api.app", "litestar"),
    ],
)
def test_needed_imports_are_allowed(module: str, imported: str) -> None:
    """The table leaves room for the design."""
    assert refusal(module, imported) is None


def local_imports(tree: ast.Module) -> list[int]:
    """The lines of imports inside functions."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {node for function in functions for node in ast.walk(function)}
    return sorted(node.lineno for node in inside if isinstance(node, ast.Import | ast.ImportFrom))


LATE = {
    "src/opengage/assembly/store.py": "PostgreSQL's driver, which no process on an embedded database should hold",
    "src/opengage/dispatch/importer.py": "openpyxl, which a worker needs for a kind of file that few send",
}
"""What is imported inside a function for the memory that it takes, once each; the layers hold for it all the same."""


def test_no_function_imports() -> None:
    """An import inside a function would dodge the layers, but for those that are listed with their reason."""
    found = [shown(path, line) for path in python_files("src") for line in local_imports(parsed(path))]
    assert sorted(place.partition(":")[0] for place in found) == sorted(LATE)


def test_function_imports_are_seen() -> None:
    """The rule sees imports at any depth of a function, and only there."""
    tree = ast.parse("import a\nasync def f():\n    if f:\n        from b import c\n")
    assert local_imports(tree) == [4]


def test_relative_imports_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`from . import x` is held to the table like any other."""
    package = tmp_path / "opengage" / "api"
    package.mkdir(parents=True)
    file = package / "texts.py"
    file.write_text("from ..store.sqlite import Store\nfrom . import errors\n", "utf-8")
    monkeypatch.setattr("source.SRC", tmp_path)
    assert [name for name, _ in imports(file)] == ["opengage.store.sqlite.Store", "opengage.api.errors"]
