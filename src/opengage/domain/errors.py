"""The one tree of refusals. Every one says what was wrong and how to fix it, and loses nothing.

OpengageError
├── Invalid          the request cannot be carried out as written; carries one Problem per fault
├── Unauthorized     no credentials, or wrong ones
├── Forbidden        known, but the role does not allow it
├── NotFound         no such thing in this account
├── Conflict         type or id contradict the address
│   └── KeyInUse         a request with this Idempotency-Key is under way, or its answer was not kept
├── Changed          the resource is no longer as If-Match says
├── Unprocessable    an Idempotency-Key that stands for another request
├── TooMany          more requests than the limits allow: wait
├── TooLarge         the body is over the limit
├── Unsupported      a media type we do not speak
└── Unavailable      the store cannot be reached or written: nothing was done, try again
    ├── Overloaded   too much is under way: nothing was done, try again
    └── Fenced       the lease has moved to another owner: whoever holds an older epoch must stop

`api.errors` alone knows which HTTP status each becomes.
"""

from collections.abc import Sequence
from enum import IntEnum

import msgspec


class Code(IntEnum):
    """The integer that a client can switch on; documented one by one in docs/reference/errors.md."""

    NOT_READY = 100
    """The engagement lacks what it needs to be scheduled (the one code on the public record)."""
    MALFORMED = 101
    WRONG_TYPE = 102
    REQUIRED = 103
    NOT_ALLOWED_VALUE = 104
    INVALID_NUMBER = 105
    INVALID_TEMPLATE = 106
    UNKNOWN_TARGET = 107
    UNSUPPORTED_KIND = 108
    ILLEGAL_STATE = 109
    TOO_MANY = 110
    BAD_PARAMETER = 111
    BAD_KEY = 112
    CREDENTIALS = 120
    ROLE = 121
    MISSING = 122
    CONFLICT = 123
    BODY_TOO_LARGE = 124
    MEDIA_TYPE = 125
    METHOD = 126
    UPLOAD_FORM = 160
    NOT_ACCEPTABLE = 127
    UNAVAILABLE = 130
    INTERNAL = 131
    OVERLOADED = 132
    KEY_REUSED = 140
    KEY_IN_USE = 141
    ANSWER_NOT_KEPT = 142
    CHANGED = 143
    TOO_MANY_REQUESTS = 144
    TOO_LONG = 150
    SUPPRESSED = 151
    SENDER_OFF = 152
    MISSING_VARIABLE = 153


class Problem(msgspec.Struct, frozen=True):
    """One fault: what is wrong and how to mend it (`detail`), and where it stands."""

    code: Code
    detail: str
    pointer: str | None = None
    """JSON pointer into the request body, such as /data/17/attributes/phone-number."""
    parameter: str | None = None
    """The query parameter at fault."""


class OpengageError(Exception):
    """The root. `problems` is never empty."""

    code = Code.INTERNAL

    def __init__(self, problems: str | Sequence[Problem]) -> None:
        self.problems = [Problem(self.code, problems)] if isinstance(problems, str) else list(problems)
        super().__init__(self.problems[0].detail)


class Invalid(OpengageError):
    """The request cannot be carried out as written."""

    code = Code.MALFORMED


class Unauthorized(OpengageError):
    """Credentials are absent or wrong; which of the two is not told."""

    code = Code.CREDENTIALS


class Forbidden(OpengageError):
    """The membership's role does not allow this."""

    code = Code.ROLE


class NotFound(OpengageError):
    """No such thing in this account; another account's thing looks the same."""

    code = Code.MISSING


class Conflict(OpengageError):
    """The document's type or id contradicts its address."""

    code = Code.CONFLICT


class KeyInUse(Conflict):
    """A request with this Idempotency-Key is under way."""

    code = Code.KEY_IN_USE


class Changed(OpengageError):
    """The resource was changed since the client saw it."""

    code = Code.CHANGED


class Unprocessable(OpengageError):
    """The Idempotency-Key stands for another request than this one."""

    code = Code.KEY_REUSED


class TooMany(OpengageError):
    """More than the limits allow; `seconds` from now it is worth trying again."""

    code = Code.TOO_MANY_REQUESTS

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(detail)
        self.seconds = seconds


class TooLarge(OpengageError):
    """The body is over the limit."""

    code = Code.BODY_TOO_LARGE


class Unsupported(OpengageError):
    """A media type that is not spoken here."""

    code = Code.MEDIA_TYPE


class NotAcceptable(OpengageError):
    """An answer is asked for in a form that is not spoken here."""

    code = Code.NOT_ACCEPTABLE


class Unavailable(OpengageError):
    """The store cannot be reached or written: nothing was changed, and the request may be sent again."""

    code = Code.UNAVAILABLE


class Overloaded(Unavailable):
    """More is under way than can be served well; nothing was done, and the request may be sent again."""

    code = Code.OVERLOADED


class Fenced(Unavailable):
    """The lane's lease has passed to another owner; nothing was written and nothing may be sent."""
