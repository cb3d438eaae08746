"""A disk that takes no more: refused in words, nothing acknowledged, and all goes on once there is room."""

import contextlib
import resource
from collections.abc import Iterator
from typing import Any

from blasts import Tenants, number, recount
from processes import Server, Smsc, until


@contextlib.contextmanager
def full_disk(*pids: int) -> Iterator[None]:
    """These processes can write no file beyond its first page, as if nothing were left of the disk."""
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


def complaints(server: Server) -> list[dict[str, Any]]:
    """What the recorder has said of commits that failed."""
    return server.process.logged(action="record", level="error")


def test_a_full_disk_refuses_and_recovers(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """Requests get 503 and change nothing, /readyz is red and /healthz green; with room again, no restart is needed."""
    tenant = tenants.new(smsc.address)
    before = smsc.counts()
    idle = tenant.prepare()
    smsc.chaos(answer_delay=0.2)
    engagement_id = tenant.blast(1000)
    until(lambda: smsc.counts()["submits"] - before["submits"] >= 300, what="a part of the blast")
    earlier = len(complaints(server))
    web, worker = server.process.child("web"), server.process.child("worker")
    assert web
    assert worker
    with full_disk(web, worker):
        answer = tenant.address(idle, [number(9500)])
        assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1")
        assert answer.json()["errors"][0]["code"] == 130
        assert server.answers("/readyz") == 503
        assert server.answers("/healthz") == 200
        until(lambda: len(complaints(server)) > earlier, what="the recorder's complaint")
        # what the network sends is not acknowledged until it can be stored
        acknowledged = smsc.counts()["receipts"]
        until(lambda: len(complaints(server)) > earlier + 2, what="the recorder's next tries")
        assert smsc.counts()["pending"] > 0
        assert smsc.counts()["receipts"] == acknowledged
    assert server.answers("/readyz") == 200
    assert tenant.address(idle, [number(9500)]).status_code == 201
    assert tenant.completed(engagement_id)["reasons"] == {"delivered": 1000}
    assert recount(server.data, tenant.key) == {"complete": 1000, "pending": 1}
    assert (server.process.child("web"), server.process.child("worker")) == (web, worker)
    after = smsc.counts()
    assert after["unique"] - before["unique"] == 1000
    assert after["duplicates"] == before["duplicates"]
