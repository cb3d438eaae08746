"""Fixtures of the simulation: one disk for all schedules of a module."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from dispatch.world import migrated_url
from opengage.store import migrations
from simulation.disk import Disk

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def disk() -> Iterator[Disk]:
    """A migrated file in memory where there is a place for that: it is no fsync that is tested here."""
    folder = Path(tempfile.mkdtemp(prefix="opengage-simulation-", dir=_MEMORY if _MEMORY.is_dir() else None))
    path = folder / "opengage.sqlite"
    migrations.upgrade(migrated_url(path))
    disk = Disk(path)
    yield disk
    disk.close()
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What a million log lines would say is in the event log of the one schedule that fails."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()
