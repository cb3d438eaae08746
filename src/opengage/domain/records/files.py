"""What came as bytes: uploads, and the files that they become once something refers to them."""

from opengage.clock import Instant
from opengage.domain.records.base import Authored
from opengage.ids import Id


class Upload(Authored, frozen=True, kw_only=True):
    """A promise to take one file until `expires_at`; `blob` names its bytes once they are here."""

    name: str
    content_type: str
    """As announced, until the bytes are here and say it themselves."""
    key: str
    """32 hexadecimal digits: what the form's `key` holds."""
    expires_at: Instant
    blob: str | None = None
    size_in_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    used_at: Instant | None = None
    """When something first referred to it; its bytes are final from then on."""
    file_id: Id | None = None


class File(Authored, frozen=True, kw_only=True):
    """Bytes that are kept and shown to whoever knows the address."""

    name: str
    content_type: str
    blob: str
    token: str
    """The part of its address that nobody can guess."""
    size_in_bytes: int
    width: int | None = None
    height: int | None = None
