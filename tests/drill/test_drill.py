"""The drill's judgement bites, and a short run of one scene plays with real processes."""

import os
import signal
import subprocess
import sys

import pytest
from drill.figures import judge, table
from drill.limits import Late, limited
from drill.scenes import SCENES, limit

from drill import limits
from source import ROOT

BEFORE = {"submits": 10, "unique": 10, "duplicates": 1}


@pytest.mark.parametrize(
    ("seen", "places", "lost", "duplicated"),
    [
        ((100, 100, 1), {"delivered": 90}, 0, 0),
        ((100, 99, 2), {"delivered": 89, "in-doubt": 1}, 0, 1),
        ((100, 100, 1), {"delivered": 89}, 1, 0),
        ((100, 100, 1), {"delivered": 89, "rejected": 1}, 1, 0),
        ((99, 99, 1), {"delivered": 89, "sending": 1}, 1, 0),
        ((99, 99, 1), {"delivered": 89, "": 1}, 1, 0),
    ],
    ids=["all well", "doubled", "missing", "denied", "stuck", "never sent"],
)
def test_what_is_lost_or_doubled_is_seen(
    seen: tuple[int, int, int], places: dict[str, int], lost: int, duplicated: int
) -> None:
    """The network's counts, the ledger and the recount of the envelopes are held against each other."""
    after = dict(zip(("submits", "unique", "duplicates"), seen, strict=True))
    ledger = {"reasons": {reason: count for reason, count in places.items() if reason}}
    pending = {reason: count for reason, count in places.items() if not reason}
    row = judge(
        "a scene",
        before=BEFORE,
        after=after,
        ledger={"reasons": ledger["reasons"] | pending},
        places=places,
        total=90,
        seconds=1.0,
    )
    assert (row.lost > 0, row.duplicated) == (lost > 0, duplicated)
    assert row.is_well is (not lost and not duplicated)
    assert "a scene" in table([row])


def test_a_ledger_that_disagrees_with_its_envelopes_is_a_loss() -> None:
    """However well the sums look."""
    after = {"submits": 12, "unique": 12, "duplicates": 1}
    ledger = {"reasons": {"delivered": 2}}
    row = judge(
        "s", before=BEFORE, after=after, ledger=ledger, places={"delivered": 1, "in-doubt": 1}, total=2, seconds=1.0
    )
    assert not row.is_well


@pytest.mark.parametrize("name", SCENES)
def test_a_healthy_scene_is_never_cut(name: str) -> None:
    """The limit of the whole leaves each scene all that it may wait for, from its start to its ledger."""
    waits = limits.READY + limits.UNDER_WAY + limits.SETTLED + limits.TOLD + limits.ENDED
    assert limit([name]) >= waits + SCENES[name].own
    assert limit(SCENES) >= sum(waits + each.own for each in SCENES.values())


def test_a_drill_that_hangs_ends_by_itself() -> None:
    """And so does one that is asked to."""
    with pytest.raises(Late, match="too long"), limited(60):
        signal.raise_signal(signal.SIGALRM)
    with pytest.raises(Late, match="stopped"), limited(60):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.timeout(limit(["frozen"]) + 60)
def test_a_worker_frozen_past_its_lease() -> None:
    """Bars R4 with real processes: another takes over, the first wakes up, nothing is lost or doubled."""
    done = subprocess.run(
        [sys.executable, "-m", "drill", "--only", "frozen", "--texts", "400", "--database", "sqlite"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=limit(["frozen"]) + 30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "worker frozen past its lease" in done.stdout
