"""kill -9 in the middle of a blast: the ledger balances, nothing is sent twice, and what is in doubt has a name."""

import contextlib
import os
import signal
import threading
import time
from typing import Any

import httpx

from blasts import STATUSES, Tenant, Tenants, number, recount
from faults.conftest import WINDOW
from processes import Process, Server, Smsc, connects, until

COUNT = 2000


def slow_blast(tenant: Tenant, smsc: Smsc, **chaos: float) -> str:
    """A blast that takes a few seconds, once a quarter of it has left."""
    smsc.chaos(answer_delay=0.2, **chaos)
    before = smsc.counts()["submits"]
    engagement_id = tenant.blast(COUNT)
    until(lambda: smsc.counts()["submits"] - before >= COUNT // 4, what="the first quarter")
    return engagement_id


def settled(tenant: Tenant, engagement_id: str) -> dict[str, Any]:
    """The ledger once nothing is left to send or to be answered; receipts may still be awaited."""

    def rest() -> dict[str, Any] | None:
        try:
            ledger = tenant.ledger(engagement_id)
        except (httpx.TransportError, AssertionError):
            return None
        return ledger if ledger["pending"] == 0 and ledger["processing"] == ledger["reasons"].get("sent", 0) else None

    found: dict[str, Any] = until(rest, 40, "the end of the blast")
    return found


def named_in(process: Process) -> set[str]:
    """Ids of the texts that the log calls in doubt."""
    return {line["text_id"] for line in process.logged(action="in-doubt")}


def in_doubt(tenant: Tenant, engagement_id: str) -> dict[str, str]:
    """Texts that stand in doubt by the API, with their envelopes' numbers."""
    texts = tenant.every("texts", engagement_id=engagement_id)
    return {each["id"]: each["attributes"]["to"] for each in texts if each["attributes"]["status"] == "in-doubt"}


def balanced(server: Server, tenant: Tenant, engagement_id: str, total: int = COUNT) -> dict[str, Any]:
    """The ledger of the account's only engagement, shown to agree with a recount of its envelopes."""
    ledger = tenant.ledger(engagement_id)
    assert ledger["total"] == total == sum(ledger[status] for status in STATUSES)
    assert {status: ledger[status] for status in STATUSES if ledger[status]} == recount(server.data, tenant.key)
    return ledger


def at_rest(server: Server, tenant: Tenant, engagement_id: str, reasons: tuple[str, ...]) -> dict[str, Any] | None:
    """The balanced ledger, when these reasons are all that there are."""
    ledger = balanced(server, tenant, engagement_id)
    return ledger if sum(ledger["reasons"].get(reason, 0) for reason in reasons) == COUNT else None


def test_a_killed_worker(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """Its successor names at most a window in doubt, sends the rest, and the late receipts resolve what arrived."""
    tenant = tenants.new(smsc.address)
    before = smsc.counts()
    engagement_id = slow_blast(tenant, smsc, receipt_delay=2.0)
    named = named_in(server.process)
    server.process.kill("worker")
    held = until(lambda: tenant.ledger(engagement_id)["reasons"].get("in-doubt"), what="texts in doubt")
    assert held <= WINDOW
    doubtful = in_doubt(tenant, engagement_id)
    assert 0 < len(doubtful) <= held
    assert set(doubtful) <= named_in(server.process) - named
    reasons = tenant.reasons(engagement_id)
    assert {reasons[number] for number in doubtful.values()} <= {"in-doubt", "delivered"}
    smsc.chaos()
    settled(tenant, engagement_id)
    taken = smsc.counts()["unique"] - before["unique"]
    until(lambda: tenant.ledger(engagement_id)["complete"] == taken, what="the receipts of all that arrived")
    ledger = balanced(server, tenant, engagement_id)
    assert ledger["reasons"].get("in-doubt", 0) == COUNT - taken
    assert smsc.counts()["duplicates"] == before["duplicates"]


def test_a_killed_web_process(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """The blast does not notice, and requests are answered again soon."""
    tenant = tenants.new(smsc.address)
    before = smsc.counts()
    engagement_id = slow_blast(tenant, smsc)
    (killed,) = server.process.kill("web")
    until(lambda: server.process.child("web") not in (None, killed), what="another web process")
    server.ready()
    tenant.completed(engagement_id)
    assert balanced(server, tenant, engagement_id)["reasons"] == {"delivered": COUNT}
    after = smsc.counts()
    assert after["unique"] - before["unique"] == after["submits"] - before["submits"] == COUNT


def test_everything_killed(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """All processes at once, as when the power fails: after the start nothing is lost and nothing sent twice."""
    tenant = tenants.new(smsc.address)
    before = smsc.counts()
    engagement_id = slow_blast(tenant, smsc)
    server.process.kill_all()
    server.start()
    server.ready()
    settled(tenant, engagement_id)
    taken = smsc.counts()["unique"] - before["unique"]
    until(lambda: tenant.ledger(engagement_id)["complete"] == taken, what="the receipts of all that arrived")
    ledger = balanced(server, tenant, engagement_id)
    held = ledger["reasons"].get("in-doubt", 0)
    assert (held, COUNT - held) == (COUNT - taken, ledger["complete"])
    assert held <= WINDOW
    assert set(in_doubt(tenant, engagement_id)) <= named_in(server.process)
    assert smsc.counts()["duplicates"] == before["duplicates"]


def test_a_killed_simulator(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """The network dies with texts unanswered: they are in doubt, by name, and the rest is sent when it is back."""
    tenant = tenants.new(smsc.address)
    named = named_in(server.process)
    engagement_id = slow_blast(tenant, smsc)
    smsc.process.kill_all()
    until(lambda: not connects(smsc.port), what="the simulator's end")
    smsc.start()
    settled(tenant, engagement_id)
    # receipts that died with the network are awaited until the end of the receipt window
    sent_and_held = ("delivered", "in-doubt", "sent")
    ledger = until(lambda: at_rest(server, tenant, engagement_id, sent_and_held), what="the last receipts")
    doubtful = in_doubt(tenant, engagement_id)
    assert 0 < len(doubtful) <= WINDOW
    assert set(doubtful) <= named_in(server.process) - named
    assert ledger["reasons"].get("in-doubt") == len(doubtful)
    assert smsc.counts()["duplicates"] == 0


def test_a_stop_at_full_rate(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """SIGTERM: what is in flight is finished, exit 0 in time, nothing in doubt; after a start the rest goes out."""
    tenant = tenants.new(smsc.address)
    before = smsc.counts()
    engagement_id = slow_blast(tenant, smsc)
    named = named_in(server.process)
    code, _ = server.process.stop()
    assert code == 0
    assert named_in(server.process) == named
    server.start()
    server.ready()
    tenant.completed(engagement_id)
    assert balanced(server, tenant, engagement_id)["reasons"] == {"delivered": COUNT}
    after = smsc.counts()
    assert after["unique"] - before["unique"] == after["submits"] - before["submits"] == COUNT


def test_a_web_process_killed_in_a_bulk_request(server: Server, tenants: Tenants) -> None:
    """Of ten thousand envelopes either every one is there or none, and the ledger says the same."""
    numbers = [number(each) for each in range(10_000)]
    whole = tenants.new()
    started = time.monotonic()
    assert whole.address(whole.prepare(), numbers).status_code == 201
    lasted = time.monotonic() - started
    assert recount(server.data, whole.key) == {"pending": 10_000}
    for moment in (0.5, 0.85):
        tenant = tenants.new()
        engagement_id = tenant.prepare()
        web = server.process.child("web")
        assert web
        killing = threading.Timer(lasted * moment, os.kill, (web, signal.SIGKILL))
        killing.start()
        with contextlib.suppress(httpx.TransportError):
            tenant.address(engagement_id, numbers)
        killing.join()
        until(lambda web=web: server.process.child("web") not in (None, web), what="another web process")
        server.ready()
        counted = recount(server.data, tenant.key)
        assert counted in ({}, {"pending": 10_000})
        assert tenant.ledger(engagement_id)["pending"] == counted.get("pending", 0)
