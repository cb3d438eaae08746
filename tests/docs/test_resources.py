"""The reference of resources: every noun, every member, and no others."""

import re

import pytest

from opengage.api.resources.registry import BY_TYPE, RESOURCES
from opengage.api.resources.resource import Resource
from source import ROOT

SECTION = re.compile(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall((ROOT / "docs/reference/resources.md").read_text("utf-8")))
EVERYWHERE = {"created-at", "updated-at", "created-by", "updated-by"}
"""What the page says of all resources together."""

WRITTEN_ONLY = {
    "service-profiles": {"url", "password"},
    "api-tokens": {"secret"},
    "erasures": {"phone-number"},
    "text-templates": {"uploads"},
    "text-messages": {"uploads"},
}
"""What only a request, or only one answer, has."""


def told(section: str) -> set[str]:
    """The members that the rows of a section's table name."""
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}


def test_every_noun_is_listed() -> None:
    """A section for each resource of the registry, and for nothing else."""
    assert set(SECTIONS) == set(BY_TYPE)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.type)
def test_every_member_is_told(resource: Resource) -> None:  # type: ignore[type-arg]
    """Each attribute and relationship, and none that is not there."""
    there = {*resource.members, *resource.relationships}
    found = told(SECTIONS[resource.type])
    assert there - EVERYWHERE <= found
    assert found <= there | WRITTEN_ONLY.get(resource.type, set())
