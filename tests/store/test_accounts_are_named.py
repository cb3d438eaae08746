"""Every statement names the account, in each table that it touches: no row of another account is read or changed.

Ids are unique in the whole world, so that no behaviour would show a condition that is missing; until somebody hands in
an id of another account's. What looks at all accounts by intention is listed here.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql import operators, visitors

from opengage.domain.records import Text
from opengage.store import tables

_PACKAGES = ("store", "dispatch", "operations", "api")
_KINDS = (sa.Select, sa.CompoundSelect, sa.Update, sa.Delete)
_ASKED: dict[str, Any] = {
    "count": 1,
    "keys": ("account_id",),
    "table": tables.envelopes,
    "record": Text,
    "column": "id",
    "columns": ("meta",),
    "where": (),
    "singles": False,
    "nulls": (),
    "values": (("meta", None),),
    "owner": "engagement_id",
    "other": "id",
    "fixed": ("engagement_id",),
    "names": ("meta",),
    "changed": ("meta",),
    "filters": (("account_id", False),),
}
"""What factories of statements are asked for, by the names of their parameters."""

_FORMS = "store.list_statements"
"""Composed of what a client asks for; tests/api/test_tenancy.py asks each of them for another account's rows."""

_FOR: dict[str, str] = {
    "a worker that looks for what is due, of whichever account": """
        work._DUE work._PROCESSING work._CANCELED_WITH_WORK work._LAPSED work._WATCHED work._POOLED lanes._FREE
        imports._FREE imports._SPENT imports._EXPIRED deliveries._accounts deliveries._ACCOUNTS erasing._OPEN""",
    "a worker that asks what it owns, by its own name": """
        lanes._HELD lanes._RENEW lanes._RELEASE lanes._SETUPS imports._RELEASE""",
    "workers that share lanes evenly, of whichever account": """
        shares._ASKED shares._CHOOSE shares._HELD shares._MOVING shares._OWN""",
    "accounts that share one login: a receipt comes over the connection of any": "matching._SAME_LOGIN",
    "somebody who has yet to show whose they are": """
        sessions._HELD sessions._HELD_FOR_RENEWAL sessions._LOGINS sessions._END tokens._BY_KEY""",
    "an operator, who asks about the whole installation": """
        gauges._ENVELOPES gauges._ENGAGEMENTS gauges._QUEUE gauges._WRITTEN gauges._LANES gauges._CIRCUITS
        gauges._WEBHOOKS gauges._PARKED checkup._PROFILES checkup._HELD checkup._WITH_PSEUDONYMS
        sealed_secrets._KEYS accounts._NEWEST""",
    "a backup, and whoever restores one": """
        dumps._HOLD dumps._LET_GO dumps._LEASED dumps._ENGAGEMENTS dumps._first dumps._after dumps._one
        backups._MAY_HAVE_LEFT backups._PAUSE backups._UNSCHEDULE backups._NO_POLICY""",
}
"""For whom statements look at every account, and which they are."""

OVER_ALL = {name for names in _FOR.values() for name in names.split()}


def modules() -> Iterator[tuple[str, ModuleType]]:
    """The modules that have statements, by their names below opengage."""
    for package in _PACKAGES:
        root = importlib.import_module(f"opengage.{package}")
        for found in pkgutil.walk_packages(root.__path__, f"opengage.{package}."):
            if ".migrations" not in found.name:
                yield found.name.removeprefix("opengage."), importlib.import_module(found.name)


def statements() -> Iterator[tuple[str, Any]]:
    """(module.name, statement) of all that stand in modules, and of one from each factory."""
    for module_name, module in modules():
        short = module_name.rpartition(".")[2]
        for name, value in vars(module).items():
            if isinstance(value, _KINDS):
                yield f"{short}.{name}", value
            elif hasattr(value, "cache_info") and value.__module__ == module.__name__ and module_name != _FORMS:
                made = _one_of(value)
                if isinstance(made, _KINDS):
                    yield f"{short}.{name}", made


def _one_of(factory: Any) -> Any:
    """A statement from a factory; None of one that makes something else."""
    signature = inspect.signature(factory)
    if not {"count", "table", "record", "names"} & signature.parameters.keys():
        return None
    return factory(*(_ASKED[name] for name in signature.parameters))


def unnamed(statement: Any) -> set[str]:
    """The tables of a statement whose account is not said: neither theirs nor that of a table they are joined by."""
    touched: dict[Any, str] = {}
    named: set[Any] = set()
    joined: list[tuple[Any, Any]] = []
    for node in visitors.iterate(statement):
        if isinstance(node, sa.Table | sa.Alias):
            table = node.element if isinstance(node, sa.Alias) else node
            if isinstance(table, sa.Table) and "account_id" in table.c:
                touched.setdefault(node, table.name)
        if isinstance(node, sa.BinaryExpression) and node.operator in (operators.eq, operators.in_op):
            own = [side.table for side in (node.left, node.right) if getattr(side, "name", "") == "account_id"]
            named.update(own if len(own) == 1 else ())
            joined += [(own[0], own[1])] if len(own) == 2 else []
    for _ in joined:
        for one, two in joined:
            if one in named or two in named:
                named |= {one, two}
    return {name for node, name in touched.items() if node not in named}


FOUND = dict(statements())


def test_statements_are_found() -> None:
    """Those that are listed here, and many more."""
    assert FOUND.keys() >= OVER_ALL
    assert len(FOUND) > len(OVER_ALL) + 100


@pytest.mark.parametrize("name", sorted(FOUND.keys() - OVER_ALL))
def test_a_statement_names_the_account(name: str) -> None:
    """By a value that its caller says, in each table."""
    assert unnamed(FOUND[name]) == set()


def test_a_missing_condition_is_seen() -> None:
    """Where a table is joined to another, one of both must say it."""
    one, two = tables.envelopes.c, tables.texts.c
    joined = sa.select(one.id).join(tables.texts, two.account_id == one.account_id)
    assert unnamed(joined.where(one.id == sa.bindparam("id"))) == {"envelopes", "texts"}
    assert unnamed(joined.where(one.account_id == sa.bindparam("account_id"))) == set()
    assert unnamed(sa.delete(tables.texts).where(two.id == sa.bindparam("id"))) == {"texts"}
