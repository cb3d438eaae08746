"""Which files are taken, and how their first bytes prove it: a name or a header says anything.

Beside a text's path: pictures and cards that texts carry, lists of people that are imported.
"""

import struct
import unicodedata
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec

HEAD: Final = 4096
"""How many bytes at the start of a file tell its kind."""

_LONGEST_NAME: Final = 200
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV: Final = "text/csv"

INLINE: Final = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp"))
"""What a browser may show in place; everything else is offered for saving."""

_TEXTS: Final = frozenset(
    (CSV, "text/plain", "text/vcard", "text/x-vcard", "text/calendar", "text/tab-separated-values")
)
_ANY_TEXT: Final = frozenset((*_TEXTS, "application/csv", "application/vnd.ms-excel", "application/octet-stream", ""))
_MAGIC: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("image/gif", lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
    ("image/webp", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ("application/pdf", lambda head: head.startswith(b"%PDF-")),
    (XLSX, lambda head: head.startswith(b"PK\x03\x04")),
    ("audio/mpeg", lambda head: head.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"))),
    ("audio/ogg", lambda head: head.startswith(b"OggS")),
    ("video/mp4", lambda head: head[4:8] == b"ftyp" and head[8:11] != b"3gp"),
    ("video/3gpp", lambda head: head[4:11] == b"ftyp3gp"),
)
KINDS: Final = tuple(dict.fromkeys((*(kind for kind, _ in _MAGIC), *sorted(_TEXTS))))
"""Content types that are taken."""

_ALIASES: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "audio/mp3": "audio/mpeg"}


class Refused(Exception):
    """Bytes that are not taken; the words say why, and what to send instead."""


def plain(content_type: str) -> str:
    """A content type without parameters, in lower case, by its usual name."""
    bare = content_type.partition(";")[0].strip().lower()
    return _ALIASES.get(bare, bare)


def may_be_taken(content_type: str) -> bool:
    """Whether a file that is announced like this is worth sending; its bytes decide in the end."""
    return content_type in KINDS or content_type in _ANY_TEXT


def may_hold_rows(content_type: str) -> bool:
    """Whether a list of people can come in a file of this kind."""
    return content_type in (XLSX, CSV, "text/plain", "text/tab-separated-values")


def kind_of(head: bytes, announced: str) -> str:
    """The content type of a file by its first bytes; among texts, the announced one. Raises Refused."""
    if not head:
        raise Refused("The file is empty. Send one that holds something.")
    wanted = plain(announced)
    found = next((kind for kind, matches in _MAGIC if matches(head)), None)
    if found is not None:
        if wanted not in (found, "application/octet-stream", "application/zip", "multipart/form-data", ""):
            raise Refused(
                f"The file was announced as {wanted[:80]}, but its first bytes are those of {found}. "
                f"Announce it as {found}, or send the right file."
            )
        return found
    if _is_text(head) and wanted in _ANY_TEXT:
        return wanted if wanted in _TEXTS else CSV
    raise Refused(
        f"The bytes are not those of {wanted[:80] or 'any kind'} that is taken here. Send one of: {', '.join(KINDS)}."
    )


def _is_text(head: bytes) -> bool:
    """Whether bytes may be a text: no controls but white space; UTF-16 has NULs in every other place."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or utf16_without_mark(head):
        return True
    markup = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
    return not markup and not any(byte < 9 or 13 < byte < 32 or byte == 127 for byte in head)


def utf16_without_mark(head: bytes) -> str | None:
    """The byte order of UTF-16 text without a byte order mark: mostly Latin letters have their NULs on one side."""
    even, odd = head[0:400:2], head[1:400:2]
    if len(odd) < 2:
        return None
    if odd.count(0) > 0.7 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > 0.7 * len(even) and odd.count(0) < 0.1 * len(odd) else None


def safe_name(name: str) -> str:
    """A file's name without folders, controls and the marks that turn text around; “file” when nothing is left."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(each for each in last if unicodedata.category(each)[0] != "C" and each not in '<>:"|?*')
    return kept.strip(" .")[:_LONGEST_NAME] or "file"


class Size(msgspec.Struct, frozen=True):
    """A picture's, in pixels."""

    width: int
    height: int


def picture_size(file: BinaryIO, kind: str) -> Size | None:
    """The size of a picture, out of its header; None for what is none, or is broken. Leaves the file anywhere."""
    read = {"image/png": _png, "image/gif": _gif, "image/webp": _webp, "image/jpeg": _jpeg}.get(kind)
    if read is None:
        return None
    file.seek(0)
    try:
        return read(file)
    except struct.error:
        return None


def _png(file: BinaryIO) -> Size:
    return Size(*struct.unpack(">16x2I", file.read(24)))


def _gif(file: BinaryIO) -> Size:
    return Size(*struct.unpack("<6x2H", file.read(10)))


def _webp(file: BinaryIO) -> Size | None:
    head = file.read(30)
    form = head[12:16]
    if form == b"VP8X":
        width, height = (int.from_bytes(head[start : start + 3], "little") + 1 for start in (24, 27))
        return Size(width, height) if len(head) == 30 else None
    if form == b"VP8L":
        (bits,) = struct.unpack("<21xI", head[:25])
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if form == b"VP8 ":
        width, height = struct.unpack("<26x2H", head)
        return Size(width & 0x3FFF, height & 0x3FFF)
    return None


_MOST_SEGMENTS: Final = 1000


def _jpeg(file: BinaryIO) -> Size | None:
    file.seek(2)
    for _ in range(_MOST_SEGMENTS):
        mark, kind, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">x2H", file.read(5))
            return Size(width, height)
        file.seek(length - 2, 1)
    return None
