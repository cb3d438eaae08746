"""The reference of the commands names every verb and every flag, and no other."""

import re
from collections.abc import Iterator

import pytest
import rich_click as click

from docs.documents import links, resolve
from opengage.cli import VERBS, cli
from source import ROOT

REFERENCE = ROOT / "docs/reference/cli.md"
_TITLE = re.compile(r"^## opengage ([a-z-]+)$", re.MULTILINE)
_FLAG = re.compile(r"^\| `(--[a-z][a-z-]*)", re.MULTILINE)


def sections() -> dict[str, str]:
    """What the reference says of each verb; with it, the reference that a section hands its flags to."""
    _, *parts = _TITLE.split(REFERENCE.read_text("utf-8"))
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    if "its own reference" in found["smsc"].replace("\n", " ").lower():
        handed = next(target for target in links(REFERENCE) if target == "simulator.md")
        found["smsc"] += resolve(REFERENCE, handed).read_text("utf-8")
    return found


def flags(command: click.Command) -> Iterator[str]:
    """The flags that a verb takes and shows, beside --help."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            yield from (name for name in parameter.opts if name.startswith("--") and name != "--help")


def command(verb: str) -> click.Command:
    """A verb as click knows it."""
    group = cli
    assert isinstance(group, click.Group)
    found = group.get_command(click.Context(group), verb)
    assert found is not None
    return found


def test_every_verb_has_a_section() -> None:
    """Those that exist, and no other."""
    assert set(sections()) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_has_a_row(verb: str) -> None:
    """The tables of a verb's section name what `--help` names, and no other."""
    assert set(_FLAG.findall(sections()[verb])) == set(flags(command(verb)))


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_and_verb_explains_itself(verb: str) -> None:
    """`--help` has words for each."""
    found = command(verb)
    assert found.name == verb
    assert found.help
    assert [one.name for one in found.params if isinstance(one, click.Option) and not one.help and not one.hidden] == []


def test_flags_of_the_program_itself_are_named() -> None:
    """Those before the verb."""
    text = REFERENCE.read_text("utf-8")
    assert all(f"`opengage {flag}`" in text for flag in flags(cli))
