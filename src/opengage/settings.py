"""Settings: one table of name, type, default and help, checked whole before anything starts.

Above the text's path: the command line reads them once and hands single values down; nothing else imports it.
A value comes from a flag, else the environment (`OPENGAGE_<NAME>`), else a TOML file, else its default.
"""

import difflib
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from opengage import setting_values

PREFIX = "OPENGAGE_"
"""What the name of every setting starts with in the environment."""

CONFIG = PREFIX + "CONFIG"
"""The environment variable that names the TOML file; it is no setting itself."""

Parse = Callable[[object], Any]
"""From what a source holds (text, or a TOML value) to the value; raises ValueError with what is expected."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: where it was found, what is wrong and how to mend it."""

    where: str
    what: str

    def __str__(self) -> str:
        """As one line for people."""
        return f"{self.where}: {self.what}"


class SettingsError(Exception):
    """Settings that cannot be used; `problems` lists every one of them, not just the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected some text")
    return value


def _path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_text(value)).expanduser()


def _whole(low: int, high: int) -> Parse:
    """A whole number from `low` to `high`, both included."""

    def parse(value: object) -> int:
        number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return number

    return parse


def _seconds(low: float, high: float) -> Parse:
    """A duration in seconds from `low` to `high`, both included; fractions are allowed."""

    def parse(value: object) -> float:
        try:
            number = float(value) if isinstance(value, str | int | float) else math.nan
        except ValueError:
            number = math.nan
        if isinstance(value, bool) or not low <= number <= high:
            raise ValueError(f"expected a number of seconds from {low:g} to {high:g}")
        return number

    return parse


def _one_of(*names: str) -> Parse:
    """One of a few names, in any case."""

    def parse(value: object) -> str:
        name = value.lower() if isinstance(value, str) else ""
        if name not in names:
            raise ValueError(f"expected one of {', '.join(names)}")
        return name

    return parse


def _setting(default: Any, parse: Parse, text: str, *, secret: bool = False) -> Any:
    """One row of the table. A secret one stays out of `repr`."""
    return field(default=default, repr=not secret, metadata={"parse": parse, "help": text, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its value. Durations are in seconds, sizes in bytes."""

    data: Path = _setting(Path("data"), _path, "The folder that holds the database and all else that is kept.")
    host: str = _setting("127.0.0.1", _text, "The address on which the API and the console listen.")
    port: int = _setting(8080, _whole(1, 65535), "The port on which the API and the console listen.")
    public_url: str = _setting(
        "",
        setting_values.url("http", "https"),
        "The address that people and callbacks use. Default: `http://HOST:PORT`.",
    )
    database_url: str | None = _setting(
        None,
        setting_values.database,
        "A PostgreSQL database instead of SQLite in the data folder, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.",
        secret=True,
    )
    database_pool_size: int = _setting(
        10, _whole(1, 1000), "PostgreSQL: the most connections of one process; each keeps one more to hear of changes."
    )
    database_statement_timeout_seconds: float = _setting(
        60.0, _seconds(1, 3600), "PostgreSQL: how long one statement may take."
    )
    database_is_pooled: bool = _setting(
        False,
        setting_values.yes_or_no,
        "PostgreSQL: a pooler in transaction mode (PgBouncer) stands between: no LISTEN, no prepared statements.",
    )
    log_level: str = _setting(
        "info", _one_of("debug", "info", "warning", "error"), "The least severe log lines that are written."
    )
    log_format: str = _setting(
        "json", _one_of("json", "console"), "`json`: one object a line; `console`: lines for people."
    )
    files: Path | None = _setting(
        None, _path, "The folder of uploaded files, shared by all machines. Default: `files` in the data folder."
    )
    upload_limit_bytes: int = _setting(512 << 20, _whole(1024, 1 << 40), "The largest file that an upload may have.")
    body_limit_bytes: int = _setting(
        32 * 1024 * 1024,
        _whole(1024, 1 << 30),
        "The largest request body that is read; a larger one gets 413.",
    )
    bulk_limit: int = _setting(10_000, _whole(1, 100_000), "The most resources in one bulk request.")
    page_limit_max: int = _setting(1000, _whole(1, 10_000), "The largest page of a list.")
    page_limit_default: int = _setting(50, _whole(1, 10_000), "The page of a list when the request names none.")
    idempotency_seconds: float = _setting(
        86_400.0,
        _seconds(86_400, 31_536_000),
        "How long a request's `Idempotency-Key` and its answer are kept.",
    )
    access_token_seconds: float = _setting(3600.0, _seconds(1, 86_400), "How long a bearer token is good.")
    refresh_token_seconds: float = _setting(
        2_592_000.0,
        _seconds(60, 31_536_000),
        "How long a session lives without being refreshed.",
    )
    token_rate_limit: int = _setting(
        2000, _whole(0, 1_000_000), "The most requests per second with one API token, per web process; 0: no limit."
    )
    account_rate_limit: int = _setting(
        4000, _whole(0, 1_000_000), "The most requests per second of one account, per web process; 0: no limit."
    )
    bulk_rate_limit: int = _setting(
        100_000,
        _whole(0, 10_000_000),
        "The most resources per second that one account sends in bulk, per web process; 0: no limit.",
    )
    requests_in_flight: int = _setting(
        512, _whole(1, 100_000), "The most requests under way at once in a web process; further ones get 503."
    )
    bytes_in_flight: int = _setting(
        256 * 1024 * 1024,
        _whole(1024, 1 << 40),
        "The most bytes of request bodies under way at once in a web process; further ones get 503.",
    )
    lease_seconds: float = _setting(
        12.0,
        _seconds(0.1, 3600),
        "How long a worker owns a lane without renewing; another one takes over after that.",
    )
    window: int = _setting(
        1000,
        _whole(1, 10_000),
        "Submits without an answer yet, per carrier connection; a crash leaves at most these in doubt.",
    )
    receipt_window_seconds: float = _setting(
        259_200.0,
        _seconds(1, 2_592_000),
        "How long a receipt is waited for; a text without one ends as `sent-unconfirmed`.",
    )
    sandbox_receipt_window_seconds: float = _setting(
        60.0, _seconds(1, 2_592_000), "The same for the sandbox, whose handsets answer at once or never."
    )
    response_timeout_seconds: float = _setting(
        10.0,
        _seconds(0.1, 600),
        "How long a carrier may take to answer a submit; after that the text is `in-doubt`.",
    )
    stop_timeout_seconds: float = _setting(
        30.0, _seconds(0.1, 600), "How long a stop waits for what is in flight before it ends anyway."
    )
    sandbox_smsc: str | None = _setting(
        None,
        setting_values.url("smpp"),
        "The simulator that sandbox profiles send to, `smpp://SYSTEM_ID:PASSWORD@HOST:PORT`; each account binds as "
        "`SYSTEM_ID-ACCOUNT`. `opengage serve` starts one and sets this for its worker.",
        secret=True,
    )
    max_segments: int = _setting(
        10, _whole(1, 255), "The most segments of one text; a longer one is refused as `too-long`."
    )
    secret_key: str | None = _setting(
        None,
        setting_values.keys,
        "The key that seals secrets in the database: 32 bytes in base64; several, parted by commas, while "
        "it is rotated: the first seals, all open. "
        "Default: the file `secret.key` in the data folder, made when there is none.",
        secret=True,
    )
    retention_days_bodies: int | None = _setting(
        None,
        _whole(1, 36_500),
        "Days after which what was said is forgotten, where an account does not say. Default: it is kept.",
    )
    retention_days_numbers: int | None = _setting(
        None,
        _whole(1, 36_500),
        "Days after which recipients' numbers become pseudonyms, where an account does not say. Default: they stay.",
    )
    callback_allow: str = _setting(
        "",
        setting_values.networks,
        "Networks beside the public one that callbacks may reach, on any port: `127.0.0.0/8` to try them out here.",
    )
    callback_ports: str = _setting("80,443,8080,8443", setting_values.ports, "The ports that callbacks may reach.")
    callback_timeout_seconds: float = _setting(
        15.0, _seconds(0.1, 60), "How long a callback's server may take before the attempt has failed."
    )
    undo_seconds: int = _setting(
        0,
        _whole(0, 86_400),
        "How long a scheduled engagement can still be taken back before its first text leaves; an engagement's own "
        "`undo-seconds` comes first.",
    )
    drain_seconds: float = _setting(0.0, _seconds(0, 600), "How long `web` answers on after a SIGTERM, `/readyz` red.")
    disk_reserve_bytes: int = _setting(
        1 << 26, _whole(0, 1 << 50), "SQLite: `/readyz` is red with less room than this on the data folder's disk."
    )
    quiet_hours_file: Path | None = _setting(
        None, _path, "Rules of the legal clock to use instead of those that Opengage brings."
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A setting as documentation and `--help` show it."""

    name: str
    variable: str
    default: str
    help: str


def table() -> tuple[Row, ...]:
    """Every setting, in the order of the table."""
    return tuple(
        Row(row.name, PREFIX + row.name.upper(), _shown(row.default), row.metadata["help"]) for row in fields(Settings)
    )


def load(environment: Mapping[str, str], config: Path | None = None, **flags: object) -> Settings:
    """The settings of this process, checked whole.

    `config` is a TOML file (default: the one that `OPENGAGE_CONFIG` names, else none). A flag of None
    counts for nothing.
    Raises SettingsError with every problem of every source.
    """
    file = config or (Path(environment[CONFIG]) if environment.get(CONFIG) else None)
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for where, name, raw in _given(environment, file, flags, problems):
        _take(where, name, raw, values, problems)
    if not problems:
        settings = _derived(Settings(**values))
        problems.extend(_conflicts(settings))
    if problems:
        raise SettingsError(problems)
    return settings


def to_environment(settings: Settings) -> dict[str, str]:
    """The same settings as environment variables, for a child process. Holds secrets: never show it."""
    values = {row.name: getattr(settings, row.name) for row in fields(Settings)}
    return {PREFIX + name.upper(): str(value) for name, value in values.items() if value not in (None, "")}


Given = tuple[str, str, object]
"""Where a value was found (for messages), the setting's name, and the value as found."""


def _given(
    environment: Mapping[str, str], file: Path | None, flags: Mapping[str, object], problems: list[Problem]
) -> Iterator[Given]:
    """Every given value, weakest source first, so that the last one taken wins."""
    for name, raw in _read(file, problems).items():
        yield f"{file}: {name}", name.replace("-", "_"), raw
    for variable, raw in environment.items():
        if variable.upper().startswith(PREFIX) and variable != CONFIG and raw:
            yield variable, _name_of(variable), raw
    for name, value in flags.items():
        if value is not None:
            yield "--" + name.replace("_", "-"), name, value


def _name_of(variable: str) -> str:
    """The setting of an environment variable; one that is not in capitals stays unknown."""
    return variable.removeprefix(PREFIX).lower() if variable.isupper() else variable


def _read(file: Path | None, problems: list[Problem]) -> dict[str, object]:
    """What a TOML file holds, or nothing and a problem."""
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problems.append(Problem(str(file), f"cannot be read: {error.strerror}; correct {CONFIG} or remove it"))
    except ValueError as error:
        problems.append(Problem(str(file), f"is no valid TOML: {error}"))
    return {}


def _take(where: str, name: str, raw: object, values: dict[str, Any], problems: list[Problem]) -> None:
    """Parse one value into `values`, or say what is wrong with it. A secret's value is never repeated."""
    row = _ROWS.get(name)
    if row is None:
        problems.append(Problem(where, f"there is no such setting; {_nearest(name)}"))
        return
    try:
        values[name] = row.metadata["parse"](raw)
    except ValueError as error:
        got = "" if row.metadata["secret"] else f", got {str(raw)[:80]!r}"
        problems.append(Problem(where, f"{error}{got}. {row.metadata['help']}"))


def _nearest(name: str) -> str:
    """A suggestion for a name that does not exist."""
    near = difflib.get_close_matches(name.lower().removeprefix(PREFIX.lower()), _ROWS, n=1, cutoff=0.5)
    return f"did you mean {PREFIX}{near[0].upper()}?" if near else "docs/reference/settings.md lists them all"


def _derived(settings: Settings) -> Settings:
    """Fill in what follows from other settings."""
    settings = replace(settings, files=settings.files or settings.data / "files")
    if settings.public_url:
        return settings
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    shown = f"[{host}]" if ":" in host else host
    return replace(settings, public_url=f"http://{shown}:{settings.port}")


def _conflicts(settings: Settings) -> Iterator[Problem]:
    """Values that are fine alone and wrong together."""
    if settings.page_limit_default > settings.page_limit_max:
        yield Problem(
            f"{PREFIX}PAGE_LIMIT_DEFAULT",
            f"is above {PREFIX}PAGE_LIMIT_MAX ({settings.page_limit_max}); lower it",
        )
    if settings.lease_seconds <= settings.response_timeout_seconds:
        yield Problem(
            f"{PREFIX}LEASE_SECONDS",
            f"must be above {PREFIX}RESPONSE_TIMEOUT_SECONDS ({settings.response_timeout_seconds:g}): "
            "a lease that ends before an answer is due hands the lane over in mid-air; raise it",
        )


def _shown(default: object) -> str:
    """A default as people write it."""
    if default is None or default == "":
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) and default < 1_000_000 else str(default)


_ROWS: dict[str, Field[Any]] = {row.name: row for row in fields(Settings) if row.default is not MISSING}
