"""Logs: structured lines on stderr that never hold a phone number, a message or a secret.

Beside the text's path, at the bottom: every part may log. Lines of the standard library's loggers (the web
server, the database driver) take the same way. Masking looks at values, withholding at keys; what is neither
a plain value nor a container of them is shown by its type alone, because its `repr` may hold a message.

What no filter can know is a message inside a sentence: never put one into an event or an exception's text.
"""

import logging
import logging.config
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any, TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

WITHHELD = "[withheld]"
"""What stands in place of a value whose key names a message or a secret."""

_SECRETS = ("secret", "password", "passwd", "token", "api_key", "private_key", "signature")
_HEADERS = ("authorization", "proxy_authorization", "cookie", "set_cookie")
_MESSAGES = ("body", "text", "message", "content", "rendered", "meta", "variables", "short_message")
_SECRET_KEYS = frozenset(("payload", *_SECRETS, *_HEADERS, *_MESSAGES))
_SECRET_ENDINGS = ("_secret", "_password", "_token", "_body", "_payload")
_COUNT_ENDINGS = ("_bytes", "_us", "_ns", "_ms")
"""Keys of large whole numbers that are no phone numbers."""

_NUMBER = re.compile(
    r"(?:\+|%2[Bb])[\s(]*\d(?:[\s().\-/]*\d){6,14}"  # international, written in any way, or quoted in a URL
    r"|(?<!\d)\d{9,15}(?!\d)"  # bare digits, as SMPP carries addresses
    r"|(?<![\w-])(?!\d{4}-\d\d-\d\d)\(?\d{2,5}\)?[ \-]\d{3,4}[ \-]?\d{3,4}(?![\w-])"  # national, in groups
)
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@|(?<=\bBasic )\S+|(?<=\bBearer )\S+", re.IGNORECASE)
_LARGEST_NUMBER = 10**15
_SMALLEST_NUMBER = 10**9


def mask(text: str) -> str:
    """The text with each phone number cut to its last two digits, and without credentials."""
    return _NUMBER.sub(_masked, _CREDENTIALS.sub("***@", text))


def _masked(match: re.Match[str]) -> str:
    return "***" + match[0][-2:]


def withhold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The structlog processor that masks values and withholds messages and secrets, at any depth."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    """One value, safe to write."""
    if _is_secret(key):
        return WITHHELD
    if isinstance(value, Mapping):
        return {mask(str(inner)): _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(key, item) for item in value]
    return _clean_plain(key, value)


def _clean_plain(key: str, value: Any) -> Any:
    """One value that is no container."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, int):
        is_number = _SMALLEST_NUMBER <= value < _LARGEST_NUMBER and not key.endswith(_COUNT_ENDINGS)
        return mask(str(value)) if is_number else value
    if isinstance(value, Enum):
        return _clean_plain(key, value.value)
    if isinstance(value, BaseException | PurePath | UUID):
        return mask(str(value))
    if isinstance(value, date):  # a datetime too; its digits are no phone number
        return value.isoformat()
    return f"<{type(value).__name__}>"


def _is_secret(key: str) -> bool:
    """Whether a key names a message or a secret, however it is written."""
    name = key.lower().replace("-", "_")
    return name in _SECRET_KEYS or name.endswith(_SECRET_ENDINGS)


@contextmanager
def bind_request(request_id: str) -> Iterator[None]:
    """Put `request_id` on every line of this context, across awaits, until the block ends."""
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        yield


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module (`logs.get(__name__)`). Until `configure` was called its lines go to stdout."""
    return structlog.stdlib.get_logger(name)


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Set up this process's logs. `level` and `style` are the settings `log_level` and `log_format`."""
    logging.config.dictConfig(stdlib_config(level, style, stream))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def stdlib_config(level: str, style: str, stream: TextIO | None = None) -> dict[str, Any]:
    """The same for `logging.config.dictConfig`, to hand to a server that configures logging itself."""
    target = stream or sys.stderr
    ours = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _common(),
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            withhold,
            _stamp,
            _renderer(style, target),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"opengage": ours},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": target, "formatter": "opengage"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        # The web server's own loggers, which would otherwise write to stdout in a format of theirs.
        "loggers": {
            **{name: {"handlers": [], "propagate": True} for name in ("_granian", "granian.access")},
            # what these say in passing is of use to their makers; their warnings and errors are of use to us
            **{name: {"level": max(level.upper(), "WARNING", key=logging.getLevelName)} for name in _CHATTY},
        },
    }


_CHATTY = ("alembic", "httpx", "httpcore")


def _common() -> list[Processor]:
    """What every line goes through before it is cleaned, wherever it comes from."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
"""Runs after cleaning, which would take a time for a number."""


def _renderer(style: str, stream: TextIO) -> Processor:
    """JSON for machines; for people plain lines, in colour where a terminal shows them."""
    if style == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    colors = stream.isatty() and not os.environ.get("NO_COLOR")
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
