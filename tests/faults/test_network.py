"""The link is cut at the worst moment: exactly the unanswered texts are in doubt, and late receipts resolve them."""

import functools

from blasts import Tenants, number
from processes import Server, Smsc, until

ANSWERED, CUT = 100, 50


def test_a_link_cut_before_the_answers(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """The network takes texts, answers none of them and hangs up: those are held in doubt, none is sent again."""
    tenant = tenants.new(smsc.address)
    before = smsc.counts()
    smsc.chaos(drop_skip=ANSWERED, drop_after=CUT, receipt_delay=3.0)
    engagement_id = tenant.blast(ANSWERED + CUT)
    until(lambda: tenant.ledger(engagement_id)["hold"] == CUT, what="texts in doubt")
    reasons = tenant.reasons(engagement_id)
    doubtful = {each for each, reason in reasons.items() if reason == "in-doubt"}
    assert doubtful == {number(each) for each in range(ANSWERED, ANSWERED + CUT)}
    texts = {each["id"]: each["attributes"] for each in tenant.every("texts", engagement_id=engagement_id)}
    named = {line["text_id"] for line in server.process.logged(action="in-doubt")}
    assert {texts[id_]["to"] for id_ in named if id_ in texts} == doubtful
    assert {texts[id_]["code"] for id_ in named if id_ in texts} == {"connection-lost"}

    assert tenant.completed(engagement_id)["reasons"] == {"delivered": ANSWERED + CUT}
    after = smsc.counts()
    assert after["links-cut"] - before["links-cut"] == 1
    assert after["submits"] - before["submits"] == after["unique"] - before["unique"] == ANSWERED + CUT


def test_ids_in_two_bases(server: Server, smsc: Smsc, tenants: Tenants) -> None:
    """A network that writes its ids in one base and its receipts in another: said with the address, they match."""
    try:
        for ids, receipt_ids, form in (("hex", "decimal", "hex-answers"), ("decimal", "hex", "hex-receipts")):
            smsc.ask("chaos", set={"ids": ids, "receipt-ids": receipt_ids})
            address = functools.partial(lambda form, system_id: f"{smsc.address(system_id)}?ids={form}", form)
            tenant = tenants.new(address)
            assert tenant.completed(tenant.blast(100))["reasons"] == {"delivered": 100}
    finally:
        smsc.ask("chaos", set={"ids": "hex", "receipt-ids": "same"})
