"""Rules that hold for every test of the tree."""

import os
import signal
from collections.abc import Generator, Iterator

import pytest

import postgres

IN_CI = bool(os.environ.get("CI"))
"""Continuous integration has every tool that the tests want, so a skip there hides a hole."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what runs in its background deaf to Ctrl-C, and every process of the tests would be so too
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that repeats its reason. An expected failure is no skip."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where every tool must be there: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test fails."""
    report = yield
    if IN_CI:
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a module that skips itself fails."""
    report = yield
    if IN_CI:
        _fail(report)
    return report


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server, started when the first test asks for it."""
    with postgres.server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> str:
    """The address of a database with the newest schema and no rows."""
    return postgres_server.clean()
