"""What an account says of itself: its name, its quiet hours, how often it may text one person, how it answers.

Step 3 of a text's path, before it: the dispatcher asks for these at each batch.
"""

from typing import Any, Final

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Code, Problem
from opengage.domain.records import Account
from opengage.domain.segments import MAX_SEGMENTS, TooManySegments, check
from opengage.ids import Id, NewId
from opengage.operations import audit, fields
from opengage.operations.actors import Actor, require_owner
from opengage.operations.reading import load
from opengage.store import rows
from opengage.store.contract import Store

TYPE: Final = "accounts"
NOUN: Final = "account"
AUTO: Final = "auto"
QUIET_HOURS: Final = ("on", "off", AUTO)
MOST_HOURS: Final = 24 * 366
MOST_DAYS: Final = 36_500
_REPLIES: Final = ("stop_reply", "start_reply", "help_reply")
_UNSET: Final = msgspec.UNSET


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client writes; what is left unset stays as it is. None goes back to the default."""

    name: str | msgspec.UnsetType = _UNSET
    quiet_hours: str | msgspec.UnsetType | None = _UNSET
    """`on`, `off`, or `auto`: off in the sandbox, on with every real carrier."""
    frequency_cap: int | msgspec.UnsetType | None = _UNSET
    frequency_hours: int | msgspec.UnsetType | None = _UNSET
    stop_reply: str | msgspec.UnsetType | None = _UNSET
    start_reply: str | msgspec.UnsetType | None = _UNSET
    help_reply: str | msgspec.UnsetType | None = _UNSET
    retention_days_bodies: int | msgspec.UnsetType | None = _UNSET
    retention_days_numbers: int | msgspec.UnsetType | None = _UNSET


async def update(store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None, changes: Changes) -> Account:
    """Change the account. Raises NotFound, Invalid with every problem, Forbidden."""
    require_owner(actor)
    async with store.writing() as tx:
        account = await load(tx, actor, Account, id_, NOUN)
        problems: list[Problem] = []
        values = _values(changes, problems)
        fields.refuse(problems)
        values = {name: value for name, value in values.items() if value != getattr(account, name)}
        if not values:
            return account
        now = clock.now()
        await audit.note(tx, now, new_id, actor, "update", TYPE, account, changed=sorted(values))
        return await rows.change(tx, account, **values, updated_at=now)


def _values(changes: Changes, problems: list[Problem]) -> dict[str, Any]:
    values = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not _UNSET}
    if "name" in values:
        fields.name(values["name"], problems)
        fields.label("name", values["name"], problems)
    if values.get("quiet_hours") is not None:
        fields.word("quiet-hours", values["quiet_hours"], QUIET_HOURS, problems)
        values["quiet_hours"] = None if values["quiet_hours"] == AUTO else values["quiet_hours"]
    _whole("frequency_cap", values, 1, 1_000_000, problems)
    _whole("frequency_hours", values, 1, MOST_HOURS, problems)
    _whole("retention_days_bodies", values, 0, MOST_DAYS, problems)
    _whole("retention_days_numbers", values, 0, MOST_DAYS, problems)
    for name in _REPLIES:
        _reply(name, values.get(name), problems)
    return values


def _whole(name: str, values: dict[str, Any], least: int, most: int, problems: list[Problem]) -> None:
    value = values.get(name)
    if value is not None and not least <= value <= most:
        shown = name.replace("_", "-")
        detail = f"“{shown}” is a whole number from {least} to {most}, or null for the default. Send such a number."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, f"/data/attributes/{shown}"))


def _reply(name: str, text: str | None, problems: list[Problem]) -> None:
    """An answer to a STOP, START or HELP: none at all, or a text that can be sent."""
    pointer = f"/data/attributes/{name.replace('_', '-')}"
    if text and not text.strip():
        detail = "Only spaces cannot be sent. Write something, leave it empty for no answer, or null for the usual one."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, pointer))
    try:
        check(text or "", MAX_SEGMENTS)
    except TooManySegments as error:
        problems.append(Problem(Code.TOO_LONG, f"{str(error)[:1].upper()}{str(error)[1:]}.", pointer))
