"""kill -9 of the web process at any moment of a keyed bulk request: the retry leaves one batch (bar R5)."""

import os
import signal
import threading
import time

import httpx

from blasts import Tenants, number, recount
from faults.test_kills import replaced
from processes import Server, until

COUNT = 2000
MOMENTS = (0.3, 0.6, 0.8, 0.9, 0.97, 1.0)
"""When the process is killed, as parts of the time that an undisturbed request takes."""


def test_a_killed_web_process_and_the_retry(server: Server, tenants: Tenants) -> None:
    """Whatever was there when it died, after the retry there is the batch, once, and the answer names it."""
    tenant = tenants.new()
    engagement_id = tenant.prepare()
    numbers = [number(each) for each in range(COUNT)]

    def send(key: str) -> httpx.Response | None:
        try:
            return tenant.address(engagement_id, numbers, Idempotency_Key=key)
        except httpx.TransportError:
            return None

    started = time.monotonic()
    first = send("undisturbed")
    lasted = time.monotonic() - started
    assert first is not None
    answers = [first]
    for moment in MOMENTS:
        web = server.process.child("web")
        assert web
        killing = threading.Timer(lasted * moment, os.kill, (web, signal.SIGKILL))
        killing.start()
        before = send(f"at {moment}")
        killing.join()
        replaced(server, web)
        again = until(lambda key=f"at {moment}": send(key), what="an answer")  # type: ignore[misc]
        if before is not None:
            assert before.content == again.content
        answers.append(again)
        assert recount(server.data, tenant.key) == {"pending": COUNT * len(answers)}
    assert {answer.status_code for answer in answers} == {201}
    told = [each["id"] for answer in answers for each in answer.json()["data"]]
    assert sorted(told) == sorted(each["id"] for each in tenant.every("envelopes", engagement_id=engagement_id))
    assert tenant.ledger(engagement_id)["pending"] == COUNT * len(answers)
