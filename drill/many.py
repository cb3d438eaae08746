"""`python -m drill.many`: what `make drill-fleet` runs. Nothing lost, nothing doubled, on many machines."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from blasts import Tenant
from drill.figures import Row, judge, table
from drill.fleet import BULK, Fleet, fleet, recipients
from drill.limits import Late, limited
from drill.rounds import ROUNDS, SHORT
from postgres import Aside
from processes import Smsc, ended, until

NUMBERS = 4


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m drill.many", description="Many machines over one PostgreSQL.")
    parser.add_argument("--texts", type=int, default=100_000, help="envelopes in all [100000]")
    parser.add_argument("--lease", type=int, default=12, help="seconds of a lease [12]")
    parser.add_argument("--window", type=int, default=200, help="texts in flight of each number [200]")
    parser.add_argument("--delay", type=float, default=0.8, help="seconds that the network takes to answer [0.8]")
    parser.add_argument("--short", action="store_true", help="three rounds only")
    parser.add_argument("--limit", type=int, default=300, help="seconds until the drill is given up [300]")
    return parser.parse_args()


def _blast(tenant: Tenant, texts: int) -> str:
    engagement_id = tenant.prepare()
    numbers = recipients(texts)
    for start in range(0, texts, BULK):
        answer = tenant.address(engagement_id, numbers[start : start + BULK])
        assert answer.status_code == 201, answer.text
    tenant.schedule(engagement_id)
    return engagement_id


def _is_settled(ledger: dict[str, Any]) -> bool:
    left = ledger["reasons"].get("in-doubt", 0)
    return not ledger["pending"] and not ledger["processing"] and ledger["hold"] == left


def _ledger(tenant: Tenant, engagement_id: str) -> dict[str, Any] | None:
    try:
        return tenant.ledger(engagement_id)
    except (httpx.TransportError, AssertionError):
        return None


def _end_of(tenant: Tenant, engagement_id: str) -> dict[str, Any]:
    def settled() -> dict[str, Any] | None:
        ledger = _ledger(tenant, engagement_id)
        return ledger if ledger and _is_settled(ledger) else None

    found: dict[str, Any] = until(settled, 120, "the end of a blast")
    return found


def _goes_on(smsc: Smsc, before: int, texts: int) -> int:
    """Wait until texts go out (again); how many have."""
    began = smsc.counts()["submits"]

    def goes() -> int:
        now: int = smsc.counts()["submits"]
        return now if now > began or now - before >= texts else 0

    submits: int = until(goes, 30, "texts to go out")
    return submits - before


def _places(made: Fleet, aside: Aside) -> Counter[str]:
    """A recount of every envelope by its reason, row by row."""
    return Counter(dict(made.look(aside, "SELECT reason, count(*) FROM envelopes GROUP BY reason")))


def _play(asked: argparse.Namespace, folder: Path, aside: Aside) -> tuple[Row, list[str]]:
    smsc = Smsc(folder)
    notes = []
    with ended(smsc), fleet(folder, smsc, lease=asked.lease, window=asked.window) as made:
        smsc.chaos(answer_delay=asked.delay)
        before, began = smsc.counts(), time.monotonic()
        tenants = [made.tenant(at) for at in range(NUMBERS)]
        blasts = [_blast(tenant, asked.texts // NUMBERS) for tenant in tenants]
        until(lambda: len(made.lanes(aside)) and sum(made.lanes(aside).values()) == NUMBERS, what="every lane's owner")
        for name in SHORT if asked.short else ROUNDS:
            at = _goes_on(smsc, before["submits"], asked.texts)
            print(f"drill: {name} (after {at:,} submits)", file=sys.stderr)
            notes.append(f"{name}: {ROUNDS[name](made, aside)}".rstrip(": "))
        smsc.chaos()
        ledgers = [_end_of(*each) for each in zip(tenants, blasts, strict=True)]
        reasons: Counter[str] = Counter()
        for ledger in ledgers:
            reasons.update(ledger["reasons"])
        row = judge(
            "fleet",
            before=before,
            after=smsc.counts(),
            ledger={"reasons": reasons},
            places=_places(made, aside),
            total=asked.texts // NUMBERS * NUMBERS,
            seconds=time.monotonic() - began,
        )
        for tenant in tenants:
            tenant.http.close()
    return row, notes


def main() -> int:
    """Play the rounds; 0 if nothing was lost or doubled, and every round went as it must."""
    asked = _arguments()
    aside = Aside()
    try:
        with (
            limited(asked.limit),
            tempfile.TemporaryDirectory(prefix="opengage-fleet-", ignore_cleanup_errors=True) as made,
        ):
            row, notes = _play(asked, Path(made), aside)
    except (Late, AssertionError) as error:
        print(f"drill: {error}", file=sys.stderr)
        return 1
    finally:
        aside.close()
    print("\n".join([*notes, "", table([row])]))
    return 0 if row.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
