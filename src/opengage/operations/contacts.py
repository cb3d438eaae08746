"""Contacts: people made, changed and deleted, and kept to one for each number where that is asked for.

Before a text's path begins.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, NotFound, Problem
from opengage.domain.imports import LONGEST_NOTES, LONGEST_VALUE
from opengage.domain.phone_numbers import InvalidNumber, parse
from opengage.domain.records import Contact, ContactList
from opengage.ids import Id, NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer
from opengage.operations.reading import load
from opengage.store import contacts as stored
from opengage.store import rows, tables
from opengage.store.contract import Store, Transaction, Turn

NOUN: Final = "contact"
MOST_NUMBERS: Final = 10
"""Phone numbers, or e-mail addresses, of one contact."""
_LONGEST_META: Final = 16_000
_LONGEST_EMAIL: Final = 320
_UNSET = msgspec.UNSET

MergeValue = str | int | float | bool
_encode: Final = msgspec.json.Encoder().encode
_decode_list: Final = msgspec.json.Decoder(list[str]).decode


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says of a contact; what is left unset stays as it is, or empty in a new one.

    `phone_number` is the primary one; given alone it takes the first place among the others.
    """

    first_name: str | msgspec.UnsetType | None = _UNSET
    last_name: str | msgspec.UnsetType | None = _UNSET
    phone_number: str | msgspec.UnsetType = _UNSET
    phone_numbers: Sequence[str] | msgspec.UnsetType = _UNSET
    emails: Sequence[str] | msgspec.UnsetType | None = _UNSET
    notes: str | msgspec.UnsetType | None = _UNSET
    meta: Mapping[str, MergeValue] | msgspec.UnsetType | None = _UNSET

    @property
    def gives_numbers(self) -> bool:
        """Whether the primary number may be another one then."""
        return self.phone_number is not _UNSET or self.phone_numbers is not _UNSET


class New(msgspec.Struct, frozen=True):
    """One contact of a request: what it holds, and the lists that it joins."""

    changes: Changes
    list_ids: Sequence[Id] = ()


class Shown(msgspec.Struct, frozen=True):
    """A contact, and the lists that it is on."""

    contact: Contact
    list_ids: Sequence[Id]


async def create(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    new: Sequence[New],
    place: Callable[[int], str],
    *,
    unique: bool = False,
) -> list[Shown]:
    """Make contacts, all or none, in the order given. `place` gives the JSON pointer of the n-th.

    With `unique`, one whose primary number a contact has already changes that one instead of making another.
    Raises Invalid with every problem, Forbidden.
    """
    require_writer(actor)
    problems: list[Problem] = []
    values = [_values(each.changes, {}, problems, place(number)) for number, each in enumerate(new)]
    fields.refuse(problems)
    now = clock.now()
    async with store.writing() as tx:
        if unique or any(each.list_ids for each in new):
            await tx.take_turn(Turn.PEOPLE, (actor.account_id,), shared=True)
        await _check_lists(tx, actor, new, place)
        saved = await save(tx, new_id, (actor.account_id, actor.membership_id), now, values, unique=unique)
        joins: dict[Id, list[Id]] = {}
        for contact, each in zip(saved.contacts, new, strict=True):
            for list_id in each.list_ids:
                joins.setdefault(list_id, []).append(contact.id)
        for list_id in sorted(joins):
            await stored.add_members(tx, actor.account_id, list_id, joins[list_id])
        return await show(tx, actor.account_id, saved.contacts)


class Saved(msgspec.Struct, frozen=True):
    """What became of a batch: the contact of each item in order, and how many there were of each kind."""

    contacts: list[Contact]
    created: int
    updated: int

    @property
    def unchanged(self) -> int:
        """Items whose contact was as they say already, or was made or changed by an item before them."""
        return len(self.contacts) - self.created - self.updated


Combine = Callable[[Contact, dict[str, Any]], dict[str, Any]]
"""From a contact that is there and the columns of one with its number, to the columns that it shall have."""


def keep_numbers(before: Contact, values: dict[str, Any]) -> dict[str, Any]:
    """What is given wins, but no number that is known gets lost."""
    numbers = list(dict.fromkeys([*_decode_list(values["phone_numbers"]), *_decode_list(before.phone_numbers)]))
    return values | {"phone_numbers": _encode(numbers[:MOST_NUMBERS]).decode()}


async def save(
    tx: Transaction,
    new_id: NewId,
    author: tuple[int, Id],
    now: Instant,
    values: Sequence[dict[str, Any]],
    *,
    unique: bool,
    combine: Combine = keep_numbers,
) -> Saved:
    """Write contacts of these columns. `author` is (account, membership).

    With `unique`, one whose primary number is known changes that contact; no other transaction adds any meanwhile.
    """
    known: dict[str, Contact] = {}
    if unique:
        await stored.lock_account(tx, author[0])
        known = await stored.by_numbers(tx, author[0], [each["phone_number"] for each in values])
    old = {contact.id: contact for contact in known.values()}
    ids: list[Id] = []
    latest: dict[Id, Contact] = {}
    for each in values:
        before = known.get(each["phone_number"])
        contact = (
            _new(author, new_id(), now, each)
            if before is None
            else _changed(before, combine(before, each), author, now)
        )
        if unique:
            known[contact.phone_number] = contact
        ids.append(contact.id)
        latest[contact.id] = contact
    fresh = [contact for contact in latest.values() if contact.id not in old]
    touched = [contact for contact in latest.values() if contact.id in old and contact != old[contact.id]]
    await rows.insert_many(tx, fresh)
    for contact in touched:
        await rows.change(tx, old[contact.id], **_differing(old[contact.id], contact))
    return Saved([latest[id_] for id_ in ids], len(fresh), len(touched))


def _changed(before: Contact, values: dict[str, Any], author: tuple[int, Id], now: Instant) -> Contact:
    if all(getattr(before, name) == value for name, value in values.items()):
        return before
    return msgspec.structs.replace(before, **values, updated_at=now, updated_by=author[1])


def _differing(before: Contact, after: Contact) -> dict[str, Any]:
    names = Contact.__struct_fields__
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def _new(author: tuple[int, Id], id_: Id, now: Instant, values: Mapping[str, Any]) -> Contact:
    return Contact(
        account_id=author[0],
        id=id_,
        created_at=now,
        updated_at=now,
        created_by=author[1],
        updated_by=author[1],
        **values,
    )


async def _check_lists(tx: Transaction, actor: Actor, new: Sequence[New], place: Callable[[int], str]) -> None:
    wanted = [list_id for each in new for list_id in each.list_ids]
    found = await rows.find_many(tx, ContactList, actor.account_id, wanted)
    fields.refuse(
        [
            Problem(Code.UNKNOWN_TARGET, fields.missing("list"), f"{place(number)}/relationships/lists/data/{which}")
            for number, each in enumerate(new)
            for which, list_id in enumerate(each.list_ids)
            if list_id not in found
        ]
    )


async def update(
    store: Store, clock: Clock, actor: Actor, id_: Id | None, changes: Changes, add_to: Sequence[Id] = ()
) -> Shown:
    """Change a contact, and put it on some more lists. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        if changes.gives_numbers or add_to:
            await tx.take_turn(Turn.PEOPLE, (actor.account_id,), shared=not changes.gives_numbers)
        await load(tx, actor, Contact, id_, NOUN)
        assert id_ is not None
        contact = await rows.find_locked(tx, Contact, actor.account_id, id_)
        if contact is None:
            raise NotFound(fields.missing(NOUN))
        problems: list[Problem] = []
        before = {"phone_number": contact.phone_number, "phone_numbers": contact.phone_numbers}
        values = _values(changes, before, problems, "/data")
        fields.refuse(problems)
        await _check_lists(tx, actor, [New(changes, add_to)], lambda _: "/data")
        for list_id in sorted(add_to):
            await stored.add_members(tx, actor.account_id, list_id, [contact.id])
        after = await rows.change(tx, contact, **values, updated_at=clock.now(), updated_by=actor.membership_id)
        return (await show(tx, actor.account_id, [after]))[0]


async def delete(store: Store, actor: Actor, ids: Sequence[Id | None], place: Callable[[int], str] | None) -> None:
    """Delete contacts, all or none; they leave their lists, while envelopes that were made of them stay.

    Without `place` there is one, named by the address. Raises NotFound then, Invalid otherwise; Forbidden.
    """
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,))
        wanted = [id_ for id_ in ids if id_ is not None]
        found = await rows.find_many(tx, Contact, actor.account_id, wanted)
        absent = [number for number, id_ in enumerate(ids) if id_ not in found]
        if absent and place is None:
            raise NotFound(fields.missing(NOUN))
        if place is not None:
            fields.refuse(
                [Problem(Code.UNKNOWN_TARGET, fields.missing(NOUN), f"{place(number)}/id") for number in absent]
            )
        await stored.remove(tx, actor.account_id, wanted)


async def show(tx: Transaction, account_id: int, some: Sequence[Contact]) -> list[Shown]:
    """Contacts with their lists, in a number of statements that does not grow with them."""
    ids = [contact.id for contact in some]
    joined = await stored.links(tx, tables.list_contacts, "contact_id", "list_id", account_id, ids)
    return [Shown(contact, joined[contact.id]) for contact in some]


def numbers_of(contact: Contact) -> list[str]:
    """A contact's phone numbers, the primary one first."""
    return _decode_list(contact.phone_numbers)


def merge_values(first_name: str | None, last_name: str | None, meta: str) -> str:
    """What a text to a contact may name, as JSON: its merge values, and its names where those do not say otherwise."""
    names = {"first-name": first_name, "last-name": last_name}
    given = {name: value for name, value in names.items() if value}
    if not given:
        return meta
    return _encode(given | msgspec.json.decode(meta)).decode()


def _values(changes: Changes, before: Mapping[str, str], problems: list[Problem], at: str) -> dict[str, Any]:
    """The columns that this writes; what is wrong is added to `problems`."""
    values: dict[str, Any] = {}
    for name, longest in (("first_name", LONGEST_VALUE), ("last_name", LONGEST_VALUE), ("notes", LONGEST_NOTES)):
        value = getattr(changes, name)
        if value is not _UNSET:
            values[name] = value or None
            if value and len(value) > longest:
                detail = f"“{name.replace('_', '-')}” has {len(value)} characters. Use at most {longest}."
                problems.append(_problem(at, name, detail))
    values |= _numbers(changes, before, problems, at)
    if changes.emails is not _UNSET:
        emails = list(dict.fromkeys(changes.emails or ()))
        _check_emails(emails, problems, at)
        values["emails"] = _encode(emails).decode()
    if changes.meta is not _UNSET:
        meta = _encode(dict(changes.meta or {})).decode()
        if len(meta) > _LONGEST_META:
            detail = f"“meta” has {len(meta)} characters as JSON. Use at most {_LONGEST_META}."
            problems.append(_problem(at, "meta", detail))
        values["meta"] = meta
    return values


def _numbers(changes: Changes, before: Mapping[str, str], problems: list[Problem], at: str) -> dict[str, str]:
    given: list[str] = []
    if changes.phone_number is not _UNSET:
        _take(changes.phone_number, f"{at}/attributes/phone-number", given, problems)
    if changes.phone_numbers is not _UNSET:
        for place, each in enumerate(changes.phone_numbers[: MOST_NUMBERS + 1]):
            _take(each, f"{at}/attributes/phone-numbers/{place}", given, problems)
    elif given and before:
        given += [each for each in _decode_list(before["phone_numbers"]) if each != before["phone_number"]]
    numbers = list(dict.fromkeys(given))
    if not numbers and (changes.gives_numbers or not before):
        if not any(problem.code is Code.INVALID_NUMBER for problem in problems):
            detail = (
                "A contact needs a phone number. Send “phone-number”, or “phone-numbers” with the primary one first."
            )
            problems.append(Problem(Code.REQUIRED, detail, f"{at}/attributes/phone-number"))
        return {}
    if len(numbers) > MOST_NUMBERS:
        problems.append(_problem(at, "phone_numbers", f"A contact has at most {MOST_NUMBERS} numbers. Leave some out."))
    return {"phone_number": numbers[0], "phone_numbers": _encode(numbers).decode()} if numbers else {}


def _take(text: str, pointer: str, numbers: list[str], problems: list[Problem]) -> None:
    try:
        numbers.append(parse(text))
    except InvalidNumber as error:
        detail = f"{error.reason[:1].upper()}{error.reason[1:]}: {error.fix}."
        problems.append(Problem(Code.INVALID_NUMBER, detail, pointer))


def _check_emails(emails: Sequence[str], problems: list[Problem], at: str) -> None:
    if len(emails) > MOST_NUMBERS:
        problems.append(_problem(at, "emails", f"A contact has at most {MOST_NUMBERS} addresses. Leave some out."))
    for place, each in enumerate(emails[:MOST_NUMBERS]):
        name, _, host = each.partition("@")
        if not name or not host or "@" in host or len(each) > _LONGEST_EMAIL or any(map(str.isspace, each)):
            detail = "This is no e-mail address. Write one, as in ann@example.org."
            problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, f"{at}/attributes/emails/{place}"))


def _problem(at: str, name: str, detail: str) -> Problem:
    return Problem(Code.NOT_ALLOWED_VALUE, detail, f"{at}/attributes/{name.replace('_', '-')}")
