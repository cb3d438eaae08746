"""/uploads, and the address that their forms go to (wire contract 5.13). Beside a text's path: files arrive.

The request is no JSON:API document, and from the SDK not even JSON: an object literal in single quotes. The form is
that of Amazon's S3, which existing clients speak, and its success is exactly 204. A file is written to disk as it
comes; its size costs no memory.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import post
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from opengage.api import answers
from opengage.api.body import PATIENCE, read_body
from opengage.api.documented import documented
from opengage.api.state import Api, ApiState, Member, WebRequest
from opengage.clock import SECOND
from opengage.domain.errors import Code, Invalid, Problem, TooLarge, Unsupported
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer
from opengage.operations import uploads

TYPE: Final = "uploads"
_LONGEST_REQUEST: Final = 16 * 1024
_LONGEST_FIELD: Final = 16 * 1024
_MOST_FIELDS: Final = 32
_ROOM_FOR_FIELDS: Final = 256 * 1024
"""What a form may hold beside its file, in bytes."""

# a value in single quotes may hold an apostrophe, as names do: it ends where a comma or the brace follows
_MEMBER: Final = (
    r"""["']?(?:name|type|size)["']?\s*:\s*(?:'(?:[^']|'(?!\s*[,}]))*'|"(?:\\.|[^"\\])*"|-?\d{1,18}|null)"""
)
_LITERAL: Final = re.compile(rf"\{{\s*{_MEMBER}(?:\s*,\s*{_MEMBER})*\s*,?\s*\}}\Z")
_PART: Final = re.compile(
    r"""["']?(?P<name>name|type|size)["']?\s*:\s*(?:'(?P<single>(?:[^']|'(?!\s*[,}]))*)'|"""
    r""""(?P<double>(?:\\.|[^"\\])*)"|(?P<bare>-?\d{1,18}|null))"""
)


class Announced(msgspec.Struct, frozen=True):
    """What a client says of a file."""

    name: str | None = None
    type: str | None = None
    size: int | str | None = None


class _Data(msgspec.Struct, frozen=True):
    type: Literal["uploads"]
    attributes: Announced = Announced()


class _Request(msgspec.Struct, frozen=True):
    """The three members by themselves, or as attributes of a JSON:API document."""

    name: str | None = None
    type: str | None = None
    size: int | str | None = None
    data: _Data | None = None


HttpDate = Annotated[
    str, msgspec.Meta(extra_json_schema={"format": "http-date", "examples": ["Tue, 01 Dec 2026 09:00:00 GMT"]})
]
"""As recorded, and nowhere else: RFC 1123."""


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """In recorded order."""

    expires_at: HttpDate
    max_length_in_bytes: int
    request_url: str
    request_method: str
    request_headers: list[dict[str, str]]
    request_form_data: list[dict[str, str]]


def announced(body: bytes) -> Announced:
    """What a body says, in whichever quotes. Raises Invalid."""
    if len(body) > _LONGEST_REQUEST:
        raise TooLarge(f"The request has more than {_LONGEST_REQUEST} bytes. Send name, type and size alone.")
    try:
        found = msgspec.json.decode(body, type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        sent = _literal(body)
    else:
        sent = found.data.attributes if found.data else Announced(found.name, found.type, found.size)
    if not sent.name:
        detail = "“name” is missing. Send the file's name, its type and its size."
        raise Invalid([Problem(Code.REQUIRED, detail, "/name")])
    if "\x00" in sent.name:
        raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, "“name” holds a NUL character. Remove it.", "/name")])
    return sent


def _literal(body: bytes) -> Announced:
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise _unreadable() from error
    if not _LITERAL.match(text):
        raise _unreadable()
    found: dict[str, Any] = {}
    for member in _PART.finditer(text):
        value = next((each for each in member.group("single", "double", "bare") if each is not None), None)
        found[member["name"]] = None if member["bare"] == "null" else value
    return Announced(**found)


def _unreadable() -> Invalid:
    detail = 'The body cannot be read. Send {"name": "people.csv", "type": "text/csv", "size": 1234}.'
    return Invalid([Problem(Code.MALFORMED, detail, "")])


def _size(announced: Announced) -> int | None:
    try:
        return None if announced.size in (None, "") else int(announced.size or 0)
    except ValueError as error:
        detail = "“size” is no whole number. Send the file's size in bytes, or leave it out."
        raise Invalid([Problem(Code.WRONG_TYPE, detail, "/size")]) from error


@post(f"/{TYPE}", status_code=201, opt=documented(takes=Announced, answers=(TYPE, Attributes)))
async def create(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
    """POST /uploads: a form to send one file by."""
    sent = announced(await read_body(request))
    limit = api.settings.upload_limit_bytes
    form = await uploads.create(
        api.store,
        api.clock,
        api.new_id,
        actor,
        name=sent.name or "",
        content_type=sent.type or "",
        size=_size(sent),
        limit=limit,
    )
    attributes = Attributes(
        expires_at=formatdate(form.upload.expires_at / SECOND, usegmt=True),
        max_length_in_bytes=limit,
        request_url=f"{api.settings.public_url.rstrip('/')}/{TYPE}/{form.bucket}",
        request_method="post",
        request_headers=[{"x-amz-server-side-encryption": "AES256"}],
        request_form_data=[{name: value} for name, value in form.fields],
    )
    return answers.one(request, Answer(TYPE, to_wire(form.upload.id), attributes), 201)


@post(f"/{TYPE}/{{bucket:str}}", status_code=204, request_max_body_size=None)
async def receive(request: WebRequest, api: Api, bucket: FromPath[str]) -> None:
    """POST the form: exactly 204 once the file is durable."""
    fields: dict[str, str] = {}
    name, value = "", b""
    _check_length(request, api)
    events = _events(request)
    async for event in events:
        if isinstance(event, MultipartSegment):
            if event.name == "file":
                await _receive_file(api, bucket, fields, events)
                return
            name, value = event.name, b""
        elif event is None:
            fields[name] = value.decode("utf-8", "replace")
        else:
            value += event
            if len(value) > _LONGEST_FIELD or len(fields) >= _MOST_FIELDS:
                raise TooLarge("The form holds more than its fields need. Send those that POST /uploads answered.")
    raise Invalid("The form has no part “file”. Send the file as its last part.")


async def _receive_file(
    api: ApiState, bucket: str, fields: dict[str, str], events: AsyncIterator[MultipartSegment | bytes | None]
) -> None:
    ticket = await uploads.check_form(api.store, api.clock, bucket, fields)
    async with api.blobs.arriving() as arrived:
        async for chunk in events:
            if not isinstance(chunk, bytes | bytearray):
                break
            if arrived.size + len(chunk) > ticket.limit:
                raise TooLarge(f"The file has more than {ticket.limit} bytes. Make it smaller, or split it.")
            await arrived.write(bytes(chunk))
        async for _ in events:
            pass  # what comes after the file means nothing, but the form must be whole
    await uploads.receive(api.store, api.blobs, api.clock, ticket, arrived, fields.get("Content-Type", ""))


def _check_length(request: WebRequest, api: ApiState) -> None:
    """Refuse what is announced as too long before any of it is read."""
    length = request.headers.get("content-length", "")
    limit = api.settings.upload_limit_bytes
    if length.isascii() and length.isdigit() and int(length[:20]) > limit + _ROOM_FOR_FIELDS:
        raise TooLarge(f"The form has {length[:20]} bytes; files of at most {limit} are taken. Make it smaller.")


async def _events(request: WebRequest) -> AsyncIterator[MultipartSegment | bytes | None]:
    """The form as it comes: a segment, its bytes, None at its end. Raises Invalid when it is broken or cut short."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise Unsupported("The file must come in a form: send multipart/form-data with a boundary.")
    try:
        parser = PushMultipartParser(options["boundary"], max_segment_count=_MOST_FIELDS + 2)
        chunks = request.stream()
        while chunk := await _next(chunks):
            for event in parser.parse(chunk):
                yield event
            if parser.closed:
                return
        parser.close()
    except MultipartError as error:
        raise Invalid(f"The form is broken ({error}). Send it again, whole.") from error


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    """The next bytes, b"" at the end. Raises Invalid when the client leaves or dawdles."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (chunk := await anext(chunks, None)):
                if chunk is None:
                    return b""
            return chunk
    except TimeoutError as error:
        raise Invalid(f"Nothing came for {PATIENCE:.0f} seconds. Send the form again.") from error
    except HTTPException as error:
        raise Invalid("The connection ended before the form did. Send it again.") from error


ROUTES: Final = [create]
PUBLIC: Final = [receive]
