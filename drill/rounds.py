"""What is done to a fleet in the middle of its blasts, one round after the other."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

import postgres
from drill.fleet import FLAGS, Fleet, Node
from drill.release import Release
from drill.senders import Sender
from postgres import Aside
from processes import until


class Scene:
    """A fleet, its phone numbers, and a way to look at its database."""

    def __init__(self, fleet: Fleet, senders: Sequence[Sender], aside: Aside) -> None:
        self.fleet = fleet
        self.senders = senders
        self._aside = aside

    def look(self, statement: str) -> list[tuple[object, ...]]:
        """What is committed."""
        return self.fleet.look(self._aside, statement)

    def busiest(self) -> Node:
        """The worker with the most lanes."""
        return self.fleet.busiest(self._aside)

    def numbers_of(self, worker: Node) -> set[str]:
        """The phone numbers whose lanes it holds."""
        return self.fleet.numbers_of(self._aside, worker.owner())

    def moved(self, before: str) -> str:
        """Wait until this owner's lanes are others'; when that was."""
        return f"lanes moved after {self.fleet.has_moved(self._aside, before, len(self.senders)):.1f} s"

    def web_answers(self) -> None:
        """Wait until every web node is ready."""
        for web in self.fleet.webs:
            until(web.answers, 30, "the web nodes")


Round = Callable[[Scene], str]
"""Does it, and heals it; a note for the table."""


def kill_worker(scene: Scene) -> str:
    """kill -9 of the worker with the most lanes; its lanes move within a lease."""
    worker = scene.busiest()
    before = worker.owner()
    worker.kill()
    try:
        return scene.moved(before)
    finally:
        worker.start()


def kill_web(scene: Scene) -> str:
    """kill -9 of a web node; the other one answers meanwhile."""
    lost, other = scene.fleet.webs
    lost.kill()
    assert other.answers()
    lost.start()
    until(lost.answers, what="the web node")
    return "the other one answered"


def freeze_worker(scene: Scene) -> str:
    """SIGSTOP past the lease, then SIGCONT: it is fenced."""
    worker = scene.busiest()
    before = worker.owner()
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        return scene.moved(before)
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)


def cut_database(scene: Scene) -> str:
    """A worker is cut from the database until its lanes have moved."""
    worker = scene.busiest()
    before = worker.owner()
    how = worker.lose_database()
    try:
        return f"{how}; {scene.moved(before)}"
    finally:
        worker.regain()


def stall_database(scene: Scene) -> str:
    """The way to the database keeps its connections and passes nothing on, for half a lease."""
    worker = scene.busiest()
    worker.proxy.stall()
    time.sleep(scene.fleet.lease / 2)
    worker.proxy.heal()
    return ""


def cut_carrier(scene: Scene) -> str:
    """A worker is cut from all its carriers for a while; it keeps its lanes, and the others send on."""
    worker = scene.busiest()
    if worker.lose_carrier():
        time.sleep(scene.fleet.lease / 2)
        worker.regain()
        return "its packets vanished"
    cut = [sender.relay for sender in scene.senders if sender.phone_number in scene.numbers_of(worker)]
    for relay in cut:
        relay.cut()
    time.sleep(scene.fleet.lease / 2)
    for relay in cut:
        relay.heal()
    return f"its {len(cut)} links were reset"


def reset_carrier(scene: Scene) -> str:
    """A number's carrier resets its links for a second."""
    scene.senders[0].relay.cut()
    time.sleep(1)
    scene.senders[0].relay.heal()
    return ""


def restart_database(scene: Scene) -> str:
    """A fast shutdown of PostgreSQL, and a start at another address behind the relays."""
    scene.fleet.restart_server()
    scene.web_answers()
    return ""


def fail_over(scene: Scene) -> str:
    """The primary ends as if it had crashed, its synchronous standby is promoted, and the relays lead there."""
    primary = scene.fleet.server
    standby = scene.fleet.left_over.enter_context(postgres.instance(primary, **FLAGS))
    scene.look("ALTER SYSTEM SET synchronous_standby_names = '*'")
    scene.look("SELECT pg_reload_conf()")
    until(lambda: scene.look("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"), 60, "the standby")
    primary.stop(signal.SIGQUIT)
    standby.promote()
    scene.fleet.lead_to(standby)
    scene.web_answers()
    return "its synchronous standby was promoted"


def upgrade(scene: Scene) -> str:
    """The next version migrates the database under the running nodes, which are restarted with it one by one."""
    fleet = scene.fleet
    release = Release(fleet.folder / "next")
    told = fleet.opengage("migrate", source=release.source)
    assert f"revision {release.revision} (was: {release.before})" in told, told
    codes = []
    for node in fleet.nodes:
        code, _told = node.process.stop()
        codes.append(code)
        node.source = release.source
        node.start()
        if node.verb == "web":
            until(node.answers, what="the web node")
        else:
            node.owner()
    assert not any(codes), f"a SIGTERM ended with {codes}"
    return f"on schema {release.revision} now, all ended with 0"


ROUNDS: Final[dict[str, Round]] = {
    "kill -9 of a worker": kill_worker,
    "kill -9 of a web node": kill_web,
    "worker frozen past its lease": freeze_worker,
    "worker cut from the database": cut_database,
    "database silent for a worker": stall_database,
    "worker cut from its carriers": cut_carrier,
    "carrier resets its links": reset_carrier,
    "PostgreSQL restarted": restart_database,
    "PostgreSQL fails over": fail_over,
    "rolling upgrade with a migration": upgrade,
}
SHORT: Final = ("kill -9 of a worker", "PostgreSQL fails over", "carrier resets its links")
