"""Ingest: bulk POSTs over HTTP, each answered only once it is on the disk.

Bodies are encoded before the clock starts and answers are not parsed, so that the client takes little of the machine.
"""

import queue
import threading
import time
from collections.abc import Sequence

from bench.client import Access, Broken, Client
from bench.recipients import bulk_bodies


def run(access: Access, posts: int, size: int, connections: int, ports: Sequence[int] = ()) -> float:
    """Envelopes per second over so many connections at once, after one POST to warm up. Raises Broken.

    `ports` are those of several web processes, which the connections use in turn.

    The clock runs from the first request to the last answer. Posts are added until each connection has as many.
    """
    posts += -posts % connections
    client = Client(access)
    try:
        engagement_id = client.make_engagement(f"ingest over {connections}")
        first, *bodies = bulk_bodies(engagement_id, size * (posts + 1), size)
        client.send("POST", "/envelopes", first, is_bulk=True)
        took = _post_all(access, bodies, connections, ports)
        total = client.ledger(engagement_id)["total"]
    finally:
        client.close()
    if total != size * (posts + 1):
        raise Broken(f"{size * (posts + 1)} envelopes were accepted and {total} are there")
    return size * posts / took


def _post_all(access: Access, bodies: list[bytes], connections: int, ports: Sequence[int]) -> float:
    """How many seconds all these POSTs took."""
    ahead: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for body in bodies:
        ahead.put(body)
    answered: list[int] = []
    doors = [access.at(port) for port in ports] or [access]
    clients = [Client(doors[place % len(doors)]) for place in range(connections)]
    threads = [threading.Thread(target=_post, args=(client, ahead, answered), daemon=True) for client in clients]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - start
    for client in clients:
        client.close()
    if len(answered) != len(bodies):
        raise Broken("a POST of envelopes failed")
    return took


def _post(client: Client, ahead: queue.SimpleQueue[bytes], answered: list[int]) -> None:
    while True:
        try:
            body = ahead.get_nowait()
        except queue.Empty:
            return
        answered.append(len(client.send("POST", "/envelopes", body, is_bulk=True)))
