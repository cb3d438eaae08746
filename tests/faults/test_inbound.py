"""Replies while the worker is killed again and again: each is stored once, and none is lost."""

import sqlite3
import threading
from pathlib import Path

from blasts import Tenants, number
from processes import Server, Smsc, until

TEXTS, KILLS = 3000, 3


def stored(data: Path, key: str) -> list[tuple[str, str]]:
    """(sender, words) of an account's inbound texts."""
    connection = sqlite3.connect(data / "opengage.db")
    try:
        found = connection.execute(
            "SELECT t.sender, t.body FROM texts AS t JOIN accounts AS a ON a.account_id = t.account_id"
            " WHERE a.key = ? AND t.direction = 'inbound' ORDER BY t.id",
            (key,),
        )
        return found.fetchall()
    finally:
        connection.close()


def send_all(smsc: Smsc, to: str) -> None:
    """Every handset texts our number, one after the other."""
    for each in range(TEXTS):
        smsc.ask("send", **{"from": number(each), "to": to, "text": f"Reply {each}"})


def works(server: Server, smsc: Smsc) -> None:
    """Wait until there is a worker, and it takes texts."""
    until(lambda: server.process.child("worker"), what="a worker")
    known = smsc.counts()["inbound"]
    until(lambda: _has_taken(smsc.counts(), known), 30, "a worker that takes texts")


def _has_taken(counts: dict[str, int], known: int) -> bool:
    """Whether more was acknowledged than that, or everything."""
    return counts["inbound"] > known or not counts["pending"]


def test_replies_while_the_worker_is_killed(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """kill -9 in the middle of a stream of texts, several times: what was not acknowledged comes again and is known."""
    # a number that no other test's account has: the network brings a text to any who have its number
    tenant = tenants.new(smsc.address, phone_number="+12025550177")
    tenant.completed(tenant.blast(1))
    before = smsc.counts()["inbound"]
    sending = threading.Thread(target=send_all, args=(smsc, tenant.phone_number))
    sending.start()
    for _ in range(KILLS):
        works(server, smsc)
        server.process.kill("worker")
    sending.join()
    until(lambda: smsc.counts()["inbound"] - before == TEXTS, 60, "the last acknowledgement")
    found = stored(server.data, tenant.key)
    assert sorted(found) == sorted((number(each), f"Reply {each}") for each in range(TEXTS))
