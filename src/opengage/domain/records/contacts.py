"""Who may be texted: contacts, the lists that they are on, and the files that they came in."""

from opengage.clock import Instant
from opengage.domain.imports import ImportStatus
from opengage.domain.records.base import Authored, Record
from opengage.ids import Id


class Contact(Authored, frozen=True, kw_only=True):
    """A person. `phone_number` is the primary one, and the first of `phone_numbers`."""

    first_name: str | None = None
    last_name: str | None = None
    phone_number: str
    phone_numbers: str
    """JSON list of E.164 numbers, never empty."""
    emails: str = "[]"
    """JSON list."""
    notes: str | None = None
    meta: str = "{}"
    """JSON object of merge values."""


class ContactList(Authored, frozen=True, kw_only=True):
    """A named set of contacts; a contact may be on any number of them."""

    title: str


class ContactImport(Authored, frozen=True, kw_only=True):
    """A file of contacts on its way in; `count_rows` is how far it has come, and where it goes on after a crash."""

    status: ImportStatus = ImportStatus.QUEUED
    unique_primary_phone: bool
    upload_id: Id
    list_id: Id | None = None
    mapping: str | None = None
    """JSON object: a column's name to what it holds; None for what the names themselves say."""
    default_region: str | None = None
    """ISO 3166 code of the country that numbers without a country code belong to."""
    owner: str | None = None
    """The worker that has it in hand, under which epoch, and until when."""
    epoch: int = 0
    expires_at: Instant | None = None
    stalls: int = 0
    """How often it was taken up since a batch of it was last committed."""
    count_rows: int = 0
    count_created: int = 0
    count_updated: int = 0
    count_unchanged: int = 0
    count_failed: int = 0
    count_errors: int = 0
    """Faults found, of which the first thousand are kept."""
    error: str | None = None
    """Why it failed as a whole, and what to do."""
    started_at: Instant | None = None
    completed_at: Instant | None = None


class ContactImportError(Record, frozen=True, kw_only=True):
    """What is wrong with one cell of a file."""

    import_id: Id
    line: int
    """As a spreadsheet counts: the header is row 1."""
    field: str | None
    value: str
    detail: str
    fix: str
