"""kill -9 between the commit of what happened and the webhook that tells it: it is told all the same."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import standardwebhooks

from blasts import Tenants
from processes import Server, Smsc, until

COUNT = 30


class Hooks(http.server.ThreadingHTTPServer):
    """A receiver that hangs until it is told to answer; what it answered, by webhook-id."""

    daemon_threads = True
    request_queue_size = 128  # all calls knock at once: one that is not let in at once would come again after minutes

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secret = ""
        self.may_answer = threading.Event()
        self.asked: set[str] = set()
        self.answered: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, *_: object) -> None:
        """A caller that was killed is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hooks

    def do_POST(self) -> None:
        """Take one delivery."""
        body = self.rfile.read(int(self.headers["content-length"]))
        id_ = self.headers["webhook-id"]
        self.server.asked.add(id_)
        if self.server.may_answer.is_set():
            standardwebhooks.Webhook(self.server.secret).verify(body, dict(self.headers))
            self.server.answered[id_] = json.loads(body)["data"]["data"]["id"]
            self.send_response(204)
            self.end_headers()
        else:
            self.server.may_answer.wait(30)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Hooks]:
    """A receiver that runs."""
    with Hooks() as hooks:
        thread = threading.Thread(target=hooks.serve_forever)
        thread.start()
        try:
            yield hooks
        finally:
            hooks.may_answer.set()
            hooks.shutdown()
            thread.join()


@pytest.mark.timeout(120)
def test_a_kill_between_commit_and_delivery(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """Every event of the blast arrives, those under way at the kill too, under the id that they had before it."""
    tenant = tenants.new(smsc.address)
    with receiving() as hooks:
        document = {"type": "webhook-endpoints", "attributes": {"url": hooks.url, "events": ["text.delivered"]}}
        told = tenant.send("POST", "/webhook-endpoints", {"data": document}).json()["data"]
        hooks.secret = told["attributes"]["secret"]
        engagement_id = tenant.blast(COUNT)
        tenant.completed(engagement_id)
        until(lambda: hooks.asked, what="deliveries under way")
        server.process.kill("worker")
        before = set(hooks.asked)
        hooks.may_answer.set()
        texts = {each["id"] for each in tenant.every("texts", engagement_id=engagement_id)}
        # those under way come again when the lease of their delivery has run out
        until(lambda: set(hooks.answered.values()) == texts, 60, "every event")
        assert len(texts) == len(hooks.answered) == COUNT
        assert before <= set(hooks.answered)
