"""Which files are taken: their first bytes decide, whatever name or type they come with."""

import io
import struct

import pytest

from opengage.domain import media
from opengage.domain.media import Refused, Size

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s2I", 13, b"IHDR", 640, 480) + bytes(20)
GIF = b"GIF89a" + struct.pack("<2H", 3, 5) + bytes(9)
JPEG = (
    b"\xff\xd8\xff\xe0"
    + struct.pack(">H", 6)
    + b"JFIF"
    + b"\xff\xc0"
    + struct.pack(">HBHH", 11, 8, 200, 300)
    + bytes(20)
)
WEBP_X = b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + (99).to_bytes(3, "little") + (49).to_bytes(3, "little")
WEBP_L = b"RIFF\0\0\0\0WEBPVP8L" + bytes(4) + b"\x2f" + ((9) | (19 << 14)).to_bytes(4, "little") + bytes(10)
WEBP = b"RIFF\0\0\0\0WEBPVP8 " + bytes(4) + bytes(6) + struct.pack("<2H", 64, 32)


@pytest.mark.parametrize(
    ("content", "announced", "kind", "size"),
    [
        (PNG, "image/png", "image/png", Size(640, 480)),
        (PNG, "application/octet-stream", "image/png", Size(640, 480)),
        (GIF, "image/gif", "image/gif", Size(3, 5)),
        (JPEG, "image/jpg", "image/jpeg", Size(300, 200)),
        (WEBP_X, "image/webp", "image/webp", Size(100, 50)),
        (WEBP_L, "image/webp", "image/webp", Size(10, 20)),
        (WEBP, "image/webp", "image/webp", Size(64, 32)),
        (b"%PDF-1.7", "application/pdf; x=y", "application/pdf", None),
        (b"PK\x03\x04", media.XLSX, media.XLSX, None),
        (b"phone\n1\n", "text/csv", "text/csv", None),
        (b"phone\n1\n", "application/vnd.ms-excel", "text/csv", None),
        ("phone\n".encode("utf-16"), "text/csv", "text/csv", None),
        (b"BEGIN:VCARD", "text/vcard", "text/vcard", None),
    ],
)
def test_files_are_what_their_bytes_say(content: bytes, announced: str, kind: str, size: Size | None) -> None:
    """Kind and, for pictures, size."""
    assert media.kind_of(content[: media.HEAD], announced) == kind
    assert media.picture_size(io.BytesIO(content), kind) == size


@pytest.mark.parametrize(
    ("content", "announced"),
    [
        (b"", "text/csv"),
        (PNG, "text/csv"),
        (b"<html><script>", "text/csv"),
        (b"\xef\xbb\xbf \n<svg onload=x>", "text/plain"),
        (b"phone\n1\x00\n", "text/csv"),
        (b"MZ\x90\x00", "image/png"),
        (b"phone\n1\n", "image/png"),
        (b"phone\n1\n", "text/html"),
        (b"\x7fELF", ""),
    ],
)
def test_what_is_something_else_is_refused(content: bytes, announced: str) -> None:
    """No page, program or surprise comes in under another name."""
    with pytest.raises(Refused, match=r"Send|send"):
        media.kind_of(content, announced)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("image/png", PNG[:20]),
        ("image/gif", GIF[:8]),
        ("image/webp", WEBP_X[:20]),
        ("image/webp", b"RIFF\0\0\0\0WEBPICCP" + bytes(20)),
        ("image/jpeg", JPEG[:17]),
        ("image/jpeg", b"\xff\xd8" + b"\xff\xe0\0\0" * 5000),
        ("image/jpeg", b"\xff\xd8" + bytes(5000)),
    ],
)
def test_broken_pictures_have_no_size(kind: str, content: bytes) -> None:
    """And cost no time."""
    assert media.picture_size(io.BytesIO(content), kind) is None


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("people.csv", "people.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\people.csv", "people.csv"),
        ("a\x00b\r\nc\u202egnp.exe", "abcgnp.exe"),
        ("  .. ", "file"),
        ("", "file"),
        ('x"<y>.png', "xy.png"),
        ("z" * 500, "z" * 200),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    """No folder, no control, nothing that turns text around."""
    assert media.safe_name(name) == safe
