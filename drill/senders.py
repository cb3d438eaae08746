"""The phone numbers of a fleet: each with a carrier connection of its own, through a relay of its own."""

from collections import Counter
from typing import Any

import httpx

from blasts import Tenant
from drill.fleet import Fleet
from drill.proxy import Proxy
from processes import until

ACCOUNTS, NUMBERS = 2, 3
"""How many accounts there are, and how many numbers each has."""
BULK = 10_000


def recipients(first: int, count: int) -> list[str]:
    """Fictional numbers of North America: 80,000 there are."""
    return [f"+1{200 + each // 100}55501{each % 100:02d}" for each in range(first, first + count)]


class Sender:
    """One phone number and its blast."""

    def __init__(self, tenant: Tenant, phone_number: str, phone_number_id: str | None, relay: Proxy) -> None:
        self.tenant = tenant
        self.phone_number = phone_number
        self.relay = relay
        self._phone_number_id = phone_number_id
        self.engagement_id = ""

    def prepare(self) -> str:
        """An engagement that sends from this number; its id."""
        self.engagement_id = self.tenant.prepare(phone_number_id=self._phone_number_id)
        return self.engagement_id

    def blast(self, first: int, count: int) -> None:
        """Text so many recipients."""
        self.prepare()
        numbers = recipients(first, count)
        for start in range(0, count, BULK):
            answer = self.tenant.address(self.engagement_id, numbers[start : start + BULK])
            assert answer.status_code == 201, answer.text
        self.tenant.schedule(self.engagement_id)

    def ledger(self) -> dict[str, Any] | None:
        """The blast's ledger; None while nobody answers."""
        try:
            return self.tenant.ledger(self.engagement_id)
        except (httpx.TransportError, AssertionError):
            return None

    def end(self, within: float) -> Counter[str]:
        """How many envelopes stand where, once all are closed or in doubt."""

        def settled() -> dict[str, Any] | None:
            ledger = self.ledger()
            return ledger if ledger and _is_settled(ledger) else None

        return Counter(until(settled, within, f"the end of a blast: {self.ledger()}")["reasons"])


def _is_settled(ledger: dict[str, Any]) -> bool:
    left = ledger["reasons"].get("in-doubt", 0)
    return not ledger["pending"] and not ledger["processing"] and ledger["hold"] == left


def senders(fleet: Fleet) -> list[Sender]:
    """All numbers of all accounts, new."""
    return [sender for at in range(ACCOUNTS) for sender in _of_account(fleet, at)]


def _of_account(fleet: Fleet, at: int) -> list[Sender]:
    numbers = [f"+120255501{10 * (at + 1) + place}" for place in range(NUMBERS)]
    relays = [fleet.relay() for _ in numbers]
    addresses = [f"smpp://fleet-{at}-{place}:secret@{relay.host}:{relay.port}" for place, relay in enumerate(relays)]
    tenant = fleet.tenant(at, numbers[0], addresses[0])
    ids = [_add(tenant, number, address) for number, address in list(zip(numbers, addresses, strict=True))[1:]]
    return [Sender(tenant, *each) for each in zip(numbers, [None, *ids], relays, strict=True)]


def _add(tenant: Tenant, number: str, address: str) -> str:
    """One more number of an account, with its connection; its id."""
    profile = tenant.make("service-profiles", {"name": number, "kind": "smpp", "url": address})
    return tenant.make("phone-numbers", {"phone-number": number}, service_profile=("service-profiles", profile))
