"""Settings: sources in order, checked whole, every problem told with its fix."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from opengage.settings import Settings, SettingsError, load, table, to_environment


def problems(environment: dict[str, str], config: Path | None = None, **flags: object) -> list[str]:
    """What the settings are refused for."""
    with pytest.raises(SettingsError) as caught:
        load(environment, config, **flags)
    return [str(problem) for problem in caught.value.problems]


def toml(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    file = folder / "opengage.toml"
    file.write_text(text, "utf-8")
    return file


def test_defaults_work_alone() -> None:
    """An empty environment is enough to start."""
    settings = load({})
    assert settings.data == Path("data")
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.database_url is None
    assert settings.receipt_window_seconds == 72 * 3600


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    """Each source wins over the ones after it, setting by setting."""
    file = toml(tmp_path, 'port = 1001\nwindow = 11\nbulk-limit = 21\nhost = "10.0.0.1"\n')
    settings = load({"OPENGAGE_PORT": "1002", "OPENGAGE_WINDOW": "12"}, file, port=1003, host=None)
    assert (settings.port, settings.window, settings.bulk_limit) == (1003, 12, 21)
    assert settings.host == "10.0.0.1"
    assert settings.page_limit_max == 1000


def test_environment_names_the_file(tmp_path: Path) -> None:
    """OPENGAGE_CONFIG is where the file lies and no setting."""
    assert load({"OPENGAGE_CONFIG": str(toml(tmp_path, "port = 99"))}).port == 99


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """One start shows every bad key of every source, not the first."""
    told = problems(
        {"OPENGAGE_PORT": "eighty", "OPENGAGE_LOG_FORMAT": "xml", "PATH": "/bin"},
        toml(tmp_path, "windoow = 5"),
    )
    assert len(told) == 3
    assert "windoow: there is no such setting; did you mean OPENGAGE_WINDOW?" in told[0]
    assert told[1].startswith("OPENGAGE_PORT: expected a whole number from 1 to 65535, got 'eighty'.")
    assert told[2].startswith("OPENGAGE_LOG_FORMAT: expected one of json, console, got 'xml'.")


def test_unknown_name_without_a_neighbour_points_at_the_list() -> None:
    """A name like none of ours is sent to the reference."""
    told = problems({"OPENGAGE_ZZZZZZ": "1"})
    assert told == ["OPENGAGE_ZZZZZZ: there is no such setting; docs/reference/settings.md lists them all"]


def test_lower_case_variable_is_unknown() -> None:
    """opengage_port would be ignored silently; it is named instead, with the right spelling."""
    assert "did you mean OPENGAGE_PORT?" in problems({"opengage_port": "1"})[0]


def test_empty_variable_is_not_set() -> None:
    """Compose files pass empty variables for absent values."""
    assert load({"OPENGAGE_PORT": "", "OPENGAGE_ANY": ""}).port == 8080


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("WINDOW", "1.5"),
        ("BODY_LIMIT_BYTES", "1"),
        ("LEASE_SECONDS", "nan"),
        ("LEASE_SECONDS", "soon"),
        ("STOP_TIMEOUT_SECONDS", "-1"),
        ("PUBLIC_URL", "example.org"),
        ("PUBLIC_URL", "ftp://example.org"),
        ("PUBLIC_URL", "http://example.org:99999"),
        ("SANDBOX_SMSC", "http://127.0.0.1:2775"),
        ("MAX_SEGMENTS", "256"),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: str) -> None:
    """Each bad value is one problem that names its variable."""
    told = problems({f"OPENGAGE_{name}": value})
    assert len(told) == 1
    assert told[0].startswith(f"OPENGAGE_{name}: expected ")


@pytest.mark.parametrize("text", ["port = true", "port = 80.5", 'host = ["a"]', "lease_seconds = true", "data = 5"])
def test_file_values_of_the_wrong_type_are_refused(tmp_path: Path, text: str) -> None:
    """TOML types are held to the same table."""
    assert "expected" in problems({}, toml(tmp_path, text))[0]


def test_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    """A missing or broken file is told like any other bad key."""
    assert "cannot be read" in problems({"OPENGAGE_CONFIG": str(tmp_path / "none.toml")})[0]
    assert "no valid TOML" in problems({}, toml(tmp_path, "port = = 1"))[0]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@db:5432/opengage?sslmode=require",
        "postgres://db/opengage",
        "postgresql://user@/opengage?host=/run/postgresql",
    ],
)
def test_a_postgresql_database(url: str) -> None:
    """A server is named by its host or by the folder of its socket, and handed to child processes as it is."""
    settings = load({"OPENGAGE_DATABASE_URL": url, "OPENGAGE_DATABASE_IS_POOLED": "yes"})
    assert (settings.database_url, settings.database_is_pooled) == (url, True)
    assert load(to_environment(settings)) == settings


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:hunter2@db/opengage",
        "postgresql://user:hunter2@db",
        "postgresql:///x",
        "postgresql://u:hun#ter2@x/y",
    ],
)
def test_another_database_is_refused_clearly(url: str) -> None:
    """Nobody believes that texts are kept where they are not; no part of a password is repeated."""
    told = problems({"OPENGAGE_DATABASE_URL": url, "OPENGAGE_DATABASE_IS_POOLED": "maybe"})
    assert "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE" in told[0]
    assert "expected true or false" in told[1]
    assert "hun" not in told[0]


def test_secrets_are_not_shown() -> None:
    """Neither an error nor the repr of the settings repeats a password."""
    told = problems({"OPENGAGE_DATABASE_URL": "mysql://user:hunter2@db/opengage"})
    settings = load({"OPENGAGE_SANDBOX_SMSC": "smpp://demo:hunter2@127.0.0.1:2775"})
    assert settings.sandbox_smsc == "smpp://demo:hunter2@127.0.0.1:2775"
    assert "hunter2" not in told[0] + repr(settings)


def test_conflicting_values_are_refused() -> None:
    """Values that are fine alone are checked together."""
    told = problems({"OPENGAGE_PAGE_LIMIT_DEFAULT": "2000", "OPENGAGE_LEASE_SECONDS": "5"})
    assert [line.split(":")[0] for line in told] == ["OPENGAGE_PAGE_LIMIT_DEFAULT", "OPENGAGE_LEASE_SECONDS"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
        ("text.example", "http://text.example:8080"),
    ],
)
def test_public_url_follows_host_and_port(host: str, url: str) -> None:
    """Links work even when the server listens on every address."""
    assert load({"OPENGAGE_HOST": host}).public_url == url


def test_public_url_loses_its_final_slash() -> None:
    """Paths are appended to it."""
    assert load({"OPENGAGE_PUBLIC_URL": "https://text.example/"}).public_url == "https://text.example"


def test_children_get_the_same_settings() -> None:
    """A supervised child that loads its environment sees what its parent saw."""
    parent = load({"OPENGAGE_WINDOW": "7", "OPENGAGE_SANDBOX_SMSC": "smpp://a:b@127.0.0.1:1"}, port=9, lease_seconds=30)
    assert load(to_environment(parent)) == parent


def test_settings_are_frozen() -> None:
    """Nothing changes them after the start."""
    with pytest.raises(FrozenInstanceError):
        load({}).port = 1  # type: ignore[misc]


def test_table_lists_every_setting() -> None:
    """The table is what documentation and help are made from."""
    assert [row.name for row in table()] == list(Settings.__dataclass_fields__)
    assert all(row.help.endswith(".") for row in table())
