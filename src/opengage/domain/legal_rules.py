"""The rules of the legal clock as records, and how they are read from a file that people keep.

The file is TOML; its head says how it is written. Reading is strict: every fault is named, and a file with a fault is
not used at all, since a rule that was misread would be a rule that is not kept.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from typing import Literal, TypeVar

import msgspec
from msgspec.structs import fields

from opengage.domain.holidays import WEEKDAYS, Holidays, Observed, is_rule
from opengage.domain.places import STATES

FORMAT = 1
"""The version of the file's form; `version` in the file is that of its content."""

MINUTES = 24 * 60
"""Minutes in a day."""

Window = tuple[int, int]
"""Minutes after midnight: from the first, until before the second."""

Basis = Literal["statute", "regulation", "operators", "secondary", "single source: check"]
"""Where a rule was read: the law itself, a regulation, the networks' terms, two or more summaries, or one."""

_ALL_DAY: tuple[Window, ...] = ((0, MINUTES),)
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}\Z", re.ASCII)
_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)\Z", re.ASCII)


class InvalidRules(ValueError):
    """The text is no file of rules; `faults` names every one of its faults, with the rule or calendar it is in."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most `count` texts to one person in `hours` hours, counted at any moment."""

    count: int
    hours: int


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When texts are allowed in some countries or states, and who says so."""

    id: str
    title: str
    countries: tuple[str, ...]
    states: tuple[str, ...] = ()
    """Codes of `places.STATES`; none is the whole country."""
    hours: tuple[tuple[Window, ...], ...] = (_ALL_DAY,) * 7
    """For each weekday from Monday the windows in which texts are allowed."""
    calendar: Holidays | None = None
    holiday_hours: tuple[Window, ...] = _ALL_DAY
    cap: Cap | None = None
    source: str
    checked_on: date
    basis: Basis
    notes: str = ""
    enabled: bool = True

    def windows(self, day: date) -> tuple[Window, ...]:
        """When texts are allowed on a day; on a holiday both the weekday's hours and the holiday's must allow them."""
        hours = self.hours[day.weekday()]
        if self.calendar is None or self.calendar.name(day) is None:
            return hours
        both = ((max(a, c), min(b, d)) for a, b in hours for c, d in self.holiday_hours)
        return tuple(window for window in both if window[0] < window[1])


class Rules(msgspec.Struct, frozen=True):
    """A file of rules, read."""

    version: str
    rules: tuple[Rule, ...]


class _Written(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """A rule as the file has it, each member on its own."""

    id: str
    title: str
    countries: list[str]
    states: list[str] = []
    hours: dict[str, str] = {}
    calendar: str = ""
    holiday_hours: str = ""
    cap: Cap | None = None
    source: str
    checked_on: date
    basis: Basis
    notes: str = ""
    enabled: bool = True


class _Calendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    days: dict[str, str]
    observed: Observed = "same"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    version: str
    rules: list[dict[str, object]]
    calendars: dict[str, dict[str, object]] = {}


def parse(text: str) -> Rules:
    """The rules of a file. Raises InvalidRules."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRules([f"the file is no TOML: {error}"]) from error
    except msgspec.ValidationError as error:
        raise InvalidRules(
            [f"the file lacks its form ({error}): compare it with the one that Opengage brings"]
        ) from error
    faults = [] if file.format == FORMAT else [f"format is {file.format}: this Opengage reads {FORMAT}"]
    calendars = {name: _calendar(name, table, faults.append) for name, table in file.calendars.items()}
    rules = [_rule(place, table, calendars, faults.append) for place, table in enumerate(file.rules, 1)]
    read = [rule for rule in rules if rule is not None]
    names = [rule.id for rule in read]
    faults += [
        f"{name}: two rules have this id: give each its own" for name in sorted({*names}) if names.count(name) > 1
    ]
    if faults:
        raise InvalidRules(faults)
    return Rules(file.version, tuple(read))


_Report = Callable[[str], None]
_Kind = TypeVar("_Kind", bound=msgspec.Struct)


def _calendar(name: str, table: Mapping[str, object], report: _Report) -> Holidays | None:
    written = _converted(f"calendar {name}", table, _Calendar, report)
    if written is None:
        return None
    for holiday, rule in written.days.items():
        if not is_rule(rule):
            report(f"calendar {name}: “{rule}” ({holiday}) is no rule for a day: write 07-04, 3 mon 01 or easter+1")
    return Holidays(tuple(written.days.items()), written.observed)


def _rule(
    place: int, table: Mapping[str, object], calendars: Mapping[str, Holidays | None], report: _Report
) -> Rule | None:
    name = str(table.get("id", f"rule {place}"))
    written = _converted(name, table, _Written, report)
    if written is None:
        return None
    told: list[str] = []
    hours = _week(written.hours, told.append)
    holiday_hours = _windows(written.holiday_hours, told.append) if written.holiday_hours else _ALL_DAY
    _check_place(written, told.append)
    _check_rest(written, calendars, told.append)
    for fault in told:
        report(f"{name}: {fault}")
    return Rule(
        id=written.id,
        title=written.title,
        countries=tuple(written.countries),
        states=tuple(written.states),
        hours=hours,
        calendar=calendars.get(written.calendar),
        holiday_hours=holiday_hours,
        cap=written.cap,
        source=written.source,
        checked_on=written.checked_on,
        basis=written.basis,
        notes=written.notes,
        enabled=written.enabled,
    )


def _check_place(written: _Written, report: _Report) -> None:
    if not _ID.match(written.id):
        report("the id is not of small letters, digits and single dashes: write one like us-fl-quiet-hours")
    if not written.countries:
        report("it names no country: give at least one")
    for country in written.countries:
        if not _COUNTRY.match(country):
            report(f"“{country}” is no country: write two capital letters (ISO 3166), as in US")
    for state in written.states:
        if state not in STATES:
            report(f"“{state}” is no state of the United States or province of Canada: write its two letters, as in FL")
        elif STATES[state].country not in written.countries:
            report(f"the state {state} is not in its countries: add {STATES[state].country}")


def _check_rest(written: _Written, calendars: Mapping[str, Holidays | None], report: _Report) -> None:
    if bool(written.calendar) != bool(written.holiday_hours):
        report("calendar and holiday-hours belong together: give both or neither")
    if written.calendar and written.calendar not in calendars:
        report(f"there is no calendar “{written.calendar}”: add one, or name one of {', '.join(calendars) or 'none'}")
    if not written.hours and written.cap is None:
        report("it limits nothing: give hours, or a cap")
    if written.cap is not None and (written.cap.count < 1 or written.cap.hours < 1):
        report("a cap counts from 1: give a count and hours above zero")
    if not written.title.strip() or not written.source.strip():
        report("it does not say what it is or who says so: fill in title and source")


def _week(written: Mapping[str, str], report: _Report) -> tuple[tuple[Window, ...], ...]:
    """Hours for each weekday; the keys cover the week once."""
    if not written:
        return (_ALL_DAY,) * 7
    week: dict[str, tuple[Window, ...]] = {}
    for days, hours in written.items():
        windows = _windows(hours, report)
        for day in _days(days, report):
            if day in week:
                report(f"{day} has hours twice: name each day once")
            week[day] = windows
    if missing := [day for day in WEEKDAYS if day not in week]:
        report(f"{', '.join(missing)} without hours: name every day, with “none” for a day without texts")
    if week and not any(week.values()):
        report("no day has an hour in which texts are allowed: disable the rule, or refuse the country elsewhere")
    return tuple(week.get(day, ()) for day in WEEKDAYS)


def _days(text: str, report: _Report) -> tuple[str, ...]:
    """The days of “daily”, “mon” or “mon-sat”."""
    first, _, last = ("mon-sun" if text == "daily" else text).partition("-")
    ends = (first, last or first)
    if any(day not in WEEKDAYS for day in ends) or WEEKDAYS.index(first) > WEEKDAYS.index(ends[1]):
        report(f"“{text}” are no days: write daily, mon or mon-sat, with the week beginning on mon")
        return ()
    return WEEKDAYS[WEEKDAYS.index(first) : WEEKDAYS.index(ends[1]) + 1]


def _windows(text: str, report: _Report) -> tuple[Window, ...]:
    """The windows of “none”, or of “09:00-12:00, 14:00-20:00”."""
    if text == "none":
        return ()
    found: list[Window] = []
    for part in text.split(", "):
        match = _SPAN.match(part)
        start, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
        real = match and int(match[2]) < 60 and int(match[4]) < 60 and start < end <= MINUTES
        if not real or (found and start <= found[-1][1]):
            report(f"“{text}” are no hours: write none or 08:00-20:00, several in order, the last until 24:00 at most")
            return ()
        found.append((start, end))
    return tuple(found)


def _converted(name: str, table: Mapping[str, object], kind: type[_Kind], report: _Report) -> _Kind | None:
    """The table as a struct of this kind; every member with a fault is told, not the first alone."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as whole:
        known = {field.encode_name: field for field in fields(kind)}
        told = [
            f"“{key}” means nothing here: take it out, or write one of {', '.join(known)}"
            for key in table.keys() - known
        ]
        told += [f"{key} is missing" for key, field in known.items() if field.required and key not in table]
        for key in known.keys() & table.keys():
            try:
                msgspec.convert(table[key], known[key].type)
            except msgspec.ValidationError as error:
                told.append(f"{key}: {error}")
        for fault in sorted(told) or [str(whole)]:
            report(f"{name}: {fault}")
        return None
