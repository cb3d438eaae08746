"""Request documents: bytes to typed resources, and every fault with its place.

Step 2 of a text's path. A body is cut into raw items first and each is decoded by itself, so that a bulk of ten
thousand costs about a microsecond an item and still tells every item's faults. Request `included`, unknown members
and empty to-many arrays are ignored (wire contract 2.3).
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from types import UnionType
from typing import Any, Final, Generic, Protocol, TypeVar, Union, get_args, get_origin

import msgspec

from opengage.jsonapi.faults import DocumentError, Fault, FaultKind

A_co = TypeVar("A_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


class Identifier(msgspec.Struct, gc=False, frozen=True):
    """What a relationship points at."""

    type: str
    id: str


class ToOne(msgspec.Struct, gc=False, frozen=True):
    """A to-one relationship as a client writes it."""

    data: Identifier | None = None


class ToMany(msgspec.Struct, gc=False, frozen=True):
    """A to-many relationship as a client writes it."""

    data: tuple[Identifier, ...] = ()


class NoRelationships(msgspec.Struct, gc=False, frozen=True):
    """For resources that take none: whatever is sent is ignored."""


class Resource(Protocol[A_co, R_co]):
    """A resource object of a request."""

    @property
    def type(self) -> str:
        """The type that the client gave it."""
        ...

    @property
    def id(self) -> str | None:
        """The id that the client gave it, if any."""
        ...

    @property
    def attributes(self) -> A_co:
        """Its attributes, typed; empty when it was sent without and none is required."""
        ...

    @property
    def relationships(self) -> R_co:
        """Its relationships, typed; empty when it was sent without and none is required."""
        ...


class _Document(msgspec.Struct, gc=False):
    data: msgspec.Raw


class _Typed(msgspec.Struct):
    type: str | None = None


MOST_FAULTS: Final = 100
"""Faults that one resource is told: it may have a million, and each costs time and memory."""

_DOCUMENT: Final = msgspec.json.Decoder(_Document)
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_IDENTIFIER: Final = msgspec.json.Decoder(Identifier)
_EMPTY: Final = msgspec.Raw(b"{}")
_BOM: Final = b"\xef\xbb\xbf"
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_HALF: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})")
"""A first half of a pair without its second; to msgspec it looks as if the body had ended there."""

_JSON_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON; a type that does not fit is a ValidationError, a DecodeError too."""

_NAMES: Final = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "a boolean",
    "object": "an object",
    "array": "an array",
    "null": "null",
}
_EXPECTED: Final = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")


def split(body: bytes) -> msgspec.Raw | list[msgspec.Raw]:
    """The document's primary data: one raw item, or the items of an array.

    Raises DocumentError when the body is no JSON document with `data`.
    """
    data = _data(body)
    first = bytes(memoryview(data)[:1])
    if first == b"[":
        return _ITEMS.decode(data)
    if first != b"{":
        raise DocumentError(
            Fault(
                FaultKind.WRONG_TYPE,
                "“data” must be a resource object, or an array of them for a bulk request.",
                "/data",
            )
        )
    return data


def _data(body: bytes) -> msgspec.Raw:
    if not body.strip():
        raise DocumentError(
            Fault(FaultKind.MALFORMED, 'The body is empty. Send a JSON:API document: {"data": {"type": …}}.')
        )
    try:
        str(body, "utf-8")
        document = _DOCUMENT.decode(body.removeprefix(_BOM))
    except msgspec.ValidationError as error:
        raise DocumentError(_no_document(error)) from error
    except _JSON_ERRORS as error:
        raise DocumentError(Fault(FaultKind.MALFORMED, _no_json(error, body))) from error
    if b"\\u0000" in body and _NUL.search(body):
        detail = "The body holds a NUL character (\\u0000), which no text can carry. Remove it."
        raise DocumentError(Fault(FaultKind.MALFORMED, detail))
    return document.data


def _no_document(error: msgspec.ValidationError) -> Fault:
    if "missing required field" in str(error):
        return Fault(FaultKind.REQUIRED, "The document has no “data”. Put the resource object there.", "")
    return Fault(FaultKind.WRONG_TYPE, 'The body must be a JSON object with the member “data”: {"data": …}.', "")


def _no_json(error: Exception, body: bytes | msgspec.Raw) -> str:
    if isinstance(error, RecursionError):
        return "The JSON is nested too deeply. A JSON:API document needs fewer than ten levels."
    if isinstance(error, UnicodeDecodeError):
        return f"The body is not UTF-8 (byte {error.start}). Send the JSON in UTF-8."
    if half := _HALF.search(memoryview(body)):
        escape = bytes(half[0]).decode()
        return (
            f"“{escape}” is half of a surrogate pair, which is no character. Send both halves, or the character itself."
        )
    return f"The body is not valid JSON: {error}. Check quotes, commas, brackets and \\u escapes."


def identifiers(items: msgspec.Raw | list[msgspec.Raw]) -> list[Identifier]:
    """The resource identifiers in primary data, as `split` found it. Raises DocumentError when it is no array."""
    if not isinstance(items, list):
        detail = 'A relationship to many is an array: send {"data": [{"type": …, "id": …}]}.'
        raise DocumentError(Fault(FaultKind.WRONG_TYPE, detail, "/data"))
    found: list[Identifier] = []
    faults: list[Fault] = []
    for place, raw in enumerate(items):
        try:
            found.append(_IDENTIFIER.decode(raw))
        except _JSON_ERRORS as error:
            some = list(islice(_explain(raw, Identifier, f"/data/{place}"), MOST_FAULTS))
            faults += some or [Fault(FaultKind.MALFORMED, _no_json(error, raw), f"/data/{place}")]
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise DocumentError(faults)
    return found


class Reader(Generic[A_co, R_co]):
    """Reads the resources of one type."""

    def __init__(self, resource_type: str, attributes: type[A_co], relationships: type[R_co]) -> None:
        self._type = resource_type
        self._model: Any = msgspec.defstruct(
            "Resource",
            [
                ("type", str),
                ("attributes", attributes, _default(attributes)),
                ("relationships", relationships, _default(relationships)),
                ("id", str | None, None),
            ],
            gc=False,
            kw_only=True,
        )
        self._decode: Callable[[msgspec.Raw], Any] = msgspec.json.Decoder(self._model).decode

    @property
    def resource_type(self) -> str:
        """The type of resources that it reads."""
        return self._type

    @property
    def model(self) -> Any:
        """The struct that a resource object is read into: its schema is that of a request."""
        return self._model

    def one(self, body: bytes, *, addressed: str | None = None) -> Resource[A_co, R_co]:
        """The single resource of a document; for an update, `addressed` is the id of its URL.

        Raises DocumentError with every fault.
        """
        item = split(body)
        if isinstance(item, list):
            raise DocumentError(Fault(FaultKind.WRONG_TYPE, "Send one resource object here, not an array.", "/data"))
        resource = self.read(item, addressed)
        if resource is None:
            raise DocumentError(self.faults(item, "/data", addressed))
        return resource

    def read(self, raw: msgspec.Raw, addressed: str | None = None) -> Resource[A_co, R_co] | None:
        """One resource, or None when something is wrong with it: `faults` then says what."""
        try:
            resource: Resource[A_co, R_co] = self._decode(raw)
        except _JSON_ERRORS:
            return None
        return resource if resource.type == self._type and (resource.id or None) in (None, addressed) else None

    def faults(self, raw: msgspec.Raw, at: str, addressed: str | None = None) -> list[Fault]:
        """What is wrong with a resource that cannot be read; `at` is its JSON pointer."""
        try:
            resource: Resource[A_co, R_co] = self._decode(raw)
        except _JSON_ERRORS as error:
            return self._explain(raw, at, error)
        return [self._misfit(resource, at, addressed)]

    def _misfit(self, resource: Resource[A_co, R_co], at: str, addressed: str | None) -> Fault:
        if resource.type != self._type:
            return self._mistyped(resource.type, at)
        if addressed is None:
            return Fault(FaultKind.CLIENT_ID, "Ids are given by the server. Leave “id” out.", f"{at}/id")
        detail = f"The id is “{str(resource.id)[:40]}”, but the address names “{addressed}”. Send the same, or none."
        return Fault(FaultKind.CONFLICT, detail, f"{at}/id")

    def _mistyped(self, sent: str, at: str) -> Fault:
        detail = f"The type is “{sent[:40]}”, but this address takes “{self._type}”. Change the type or the address."
        return Fault(FaultKind.CONFLICT, detail, f"{at}/type")

    def _explain(self, raw: msgspec.Raw, at: str, error: Exception) -> list[Fault]:
        """Every fault of an item that does not decode; the decoder itself stops at the first."""
        try:
            sent = _sent_type(raw)
            if sent not in (None, self._type):
                return [self._mistyped(str(sent), at)]
            found = list(islice(_explain(raw, self._model, at), MOST_FAULTS))
        except _JSON_ERRORS as again:
            error, found = again, []
        return found or [Fault(FaultKind.MALFORMED, _no_json(error, raw), at)]


def _sent_type(raw: msgspec.Raw) -> str | None:
    """The type that a resource gives itself, if it is a resource and gives one."""
    try:
        return msgspec.json.decode(raw, type=_Typed).type
    except msgspec.ValidationError:
        return None


def _default(members: Any) -> Any:
    """Attributes or relationships may be left out when none of them is required."""
    needed = any(field.required for field in msgspec.structs.fields(members))
    return msgspec.NODEFAULT if needed else members()


def _explain(raw: msgspec.Raw, kind: Any, at: str) -> Iterator[Fault]:
    """Every fault below one member."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _explain_members(raw, kind, at)
        return
    options = _options(kind)
    structure = next((option for option in options if isinstance(option, type) and _is_struct(option)), None)
    if structure is not None and bytes(memoryview(raw)[:1]) == b"{":
        yield from _explain_members(raw, structure, at)
        return
    mapping = next((option for option in options if get_origin(option) is dict), None)
    if mapping is not None and bytes(memoryview(raw)[:1]) == b"{":
        for name, value in _MEMBERS.decode(raw).items():
            yield from _explain(value, get_args(mapping)[1], f"{at}/{_escaped(name)}")
        return
    fault = _fault(raw, options, at)
    if fault is not None:
        yield fault


def _explain_members(raw: msgspec.Raw, structure: type[msgspec.Struct], at: str) -> Iterator[Fault]:
    try:
        members = _MEMBERS.decode(raw)
    except msgspec.ValidationError as error:
        yield Fault(FaultKind.WRONG_TYPE, _wrong(at, error), at)
        return
    for field in msgspec.structs.fields(structure):
        place = f"{at}/{field.encode_name}"
        if field.encode_name in members:
            yield from _explain(members[field.encode_name], field.type, place)
        elif field.required:
            yield from _missing(field, at, place)


def _missing(field: msgspec.structs.FieldInfo, at: str, place: str) -> Iterator[Fault]:
    """A member that is not there: when it would hold required ones, those are what is missing."""
    below = isinstance(field.type, type) and _is_struct(field.type)
    within = list(_explain_members(_EMPTY, field.type, place)) if below else []
    detail = f"“{field.encode_name}” is missing. Add it to {at}."
    yield from within or [Fault(FaultKind.REQUIRED, detail, place)]


def _is_struct(option: type) -> bool:
    return issubclass(option, msgspec.Struct)


def _options(kind: Any) -> tuple[Any, ...]:
    """The types that a member may have, but for those that only say that it may be left out."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return tuple(option for option in options if option is not msgspec.UnsetType)


def _fault(raw: msgspec.Raw, options: tuple[Any, ...], at: str) -> Fault | None:
    try:
        msgspec.json.decode(raw, type=Union[options])  # noqa: UP007 - built at run time
    except msgspec.ValidationError as error:
        return Fault(FaultKind.WRONG_TYPE, _wrong(at, error), at)
    return None


def _wrong(at: str, error: msgspec.ValidationError) -> str:
    """The decoder's words in those of JSON."""
    said = str(error).partition(" - at ")[0]
    name = at.rpartition("/")[2]
    match = _EXPECTED.match(said)
    if match:
        return f"“{name}” must be {_plain(match[1])}, not {_plain(match[2])}."
    return f"“{name}” is refused: {said[0].lower()}{said[1:]}. Send a value that fits.".replace("`", "")


def _plain(kinds: str) -> str:
    *most, last = (_NAMES.get(kind, kind) for kind in kinds.split(" | "))
    return f"{', '.join(most)} or {last}" if most else last


def _escaped(name: str) -> str:
    """A member's name as a token of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
