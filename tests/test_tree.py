"""The house rules that a machine can hold: docstrings, sizes, and what no file may name."""

import ast
from collections.abc import Iterator
from pathlib import Path

from source import parsed, python_files, shown, tracked

FILE_LINES = 400
FUNCTION_LINES = 80
REGISTRIES = tuple(
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
)
"""Hosts that a lock file or a document must not pin; written in parts, so that this file names none."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function at any depth."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def public(tree: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """The public classes, functions and methods; an overload or a setter repeats one that was seen."""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not _repeats(node):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def _repeats(node: Function | ast.ClassDef) -> bool:
    """Whether a definition only adds to another one of its name."""
    return any(ast.unparse(mark).endswith(("overload", ".setter")) for mark in node.decorator_list)


def test_every_module_says_what_it_is() -> None:
    """Each file opens with a docstring that places it."""
    missing = [shown(path) for path in python_files() if not ast.get_docstring(parsed(path))]
    assert not missing


def test_every_public_name_is_explained() -> None:
    """Each public class, function and method under src has a docstring."""
    missing = [
        shown(path, node.lineno)
        for path in python_files("src")
        for node in public(parsed(path))
        if not ast.get_docstring(node)
    ]
    assert not missing


def test_every_test_states_its_behaviour() -> None:
    """Each test has a docstring."""
    missing = [
        shown(path, node.lineno)
        for path in python_files("tests")
        for node in functions(parsed(path))
        if node.name.startswith("test_") and path.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert not missing


QUESTIONED = {
    "src/opengage/smpp/session.py": "one state machine: what a connection owes and is owed, kept in one place",
}
"""Longer files that were questioned, and why they stay whole."""


def test_files_stay_short() -> None:
    """A file is one thing that can be read at a sitting."""
    most = {"src": FILE_LINES, "tests": 2 * FILE_LINES}
    long = {
        shown(path, lines)
        for top, limit in most.items()
        for path in python_files(top)
        if (lines := _lines(path)) > limit and "migrations/versions" not in str(path)  # written by Alembic
    }
    assert not {path for path in long if path.partition(":")[0] not in QUESTIONED}


def _lines(path: Path) -> int:
    """How many lines a file has."""
    return path.read_text("utf-8").count("\n")


def test_functions_stay_short() -> None:
    """No function outgrows a screen or two."""
    long = [
        shown(path, node.lineno)
        for path in python_files()
        if "migrations/versions" not in str(path)  # written by Alembic, and never changed again
        for node in functions(parsed(path))
        if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]
    assert not long


def test_no_file_names_a_registry() -> None:
    """Whoever mirrors the registries can use every file as it is."""
    found = [
        f"{shown(path)} names {host}" for path in tracked() for host in REGISTRIES if host.encode() in path.read_bytes()
    ]
    assert not found


def test_public_names_are_found() -> None:
    """The rule sees methods, and passes by private and repeated definitions."""
    tree = ast.parse(
        "class A:\n    def m(self): ...\n    def _p(self): ...\n    @x.setter\n    def x(self, v): ...\n"
        "class _B:\n    def m(self): ...\nasync def f(): ...\n@typing.overload\ndef g(): ...\n"
    )
    assert [node.name for node in public(tree)] == ["A", "m", "f"]
