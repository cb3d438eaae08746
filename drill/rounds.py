"""What is done to a fleet in the middle of its blasts, one round after the other."""

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from drill.fleet import Fleet
from postgres import Aside
from processes import until

Round = Callable[[Fleet, Aside], str]
"""Does it, and heals it; a note for the table."""


def kill_worker(fleet: Fleet, aside: Aside) -> str:
    """kill -9 of the worker with the most lanes; its lanes move within a lease."""
    worker = fleet.busiest(aside)
    before = worker.owner()
    worker.kill()
    seconds = fleet.has_moved(aside, before, len(fleet.carriers))
    worker.start()
    assert seconds <= fleet.lease + 2, f"the lanes of a dead worker took {seconds:.1f} s to move"
    return f"lanes moved after {seconds:.1f} s"


def kill_web(fleet: Fleet, _: Aside) -> str:
    """kill -9 of a web node; the other one answers meanwhile."""
    lost, other = fleet.webs
    lost.kill()
    assert other.answers()
    lost.start()
    until(lost.answers, what="the web node")
    return "the other one answered"


def freeze_worker(fleet: Fleet, aside: Aside) -> str:
    """SIGSTOP past the lease, then SIGCONT: it is fenced."""
    worker = fleet.busiest(aside)
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        seconds = fleet.has_moved(aside, worker.owner(), len(fleet.carriers))
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)
    return f"lanes moved after {seconds:.1f} s"


def cut_database(fleet: Fleet, aside: Aside) -> str:
    """A worker loses the database, by a reset; another one hears nothing of it for a while."""
    worker = fleet.busiest(aside)
    worker.proxy.cut()
    try:
        seconds = fleet.has_moved(aside, worker.owner(), len(fleet.carriers))
    finally:
        worker.proxy.heal()
    return f"lanes moved after {seconds:.1f} s"


def stall_database(fleet: Fleet, aside: Aside) -> str:
    """The way to the database keeps its connections and passes nothing on, for half a lease."""
    worker = fleet.busiest(aside)
    worker.proxy.stall()
    time.sleep(fleet.lease / 2)
    worker.proxy.heal()
    return ""


def cut_carrier(fleet: Fleet, _: Aside) -> str:
    """A number's carrier resets its links for a while."""
    fleet.carriers[0].cut()
    time.sleep(1)
    fleet.carriers[0].heal()
    return ""


def restart_database(fleet: Fleet, _: Aside) -> str:
    """A fast shutdown of PostgreSQL, and a start at another address behind the relays."""
    fleet.restart_server(signal.SIGINT)
    for web in fleet.webs:
        until(web.answers, 30, "the web nodes")
    return ""


def crash_database(fleet: Fleet, _: Aside) -> str:
    """PostgreSQL ends as if it had crashed, recovers, and answers at another address: a failover."""
    fleet.restart_server(signal.SIGQUIT)
    for web in fleet.webs:
        until(web.answers, 30, "the web nodes")
    return ""


def rolling_restart(fleet: Fleet, aside: Aside) -> str:
    """The schema grows under running nodes, as in an upgrade; then SIGTERM to each in turn, and each ends with 0."""
    for table in ("engagements", "envelopes", "texts"):
        fleet.look(aside, f"ALTER TABLE {table} ADD COLUMN of_the_next_release bigint")
    codes = []
    for node in fleet.nodes:
        code, _told = node.process.stop()
        codes.append(code)
        node.start()
        if node.verb == "web":
            until(node.answers, what="the web node")
        else:
            node.owner()
    assert not any(codes), f"a SIGTERM ended with {codes}"
    return "on a larger schema, all ended with 0"


ROUNDS: Final[dict[str, Round]] = {
    "kill -9 of a worker": kill_worker,
    "kill -9 of a web node": kill_web,
    "worker frozen past its lease": freeze_worker,
    "worker cut from the database": cut_database,
    "database silent for a worker": stall_database,
    "carrier resets its links": cut_carrier,
    "PostgreSQL restarted": restart_database,
    "PostgreSQL crashed, failover": crash_database,
    "rolling restart": rolling_restart,
}
SHORT: Final = ("kill -9 of a worker", "PostgreSQL crashed, failover", "carrier resets its links")
