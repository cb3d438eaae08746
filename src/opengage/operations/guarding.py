"""What an engagement's ledger says to the guard (`domain.guard`).

Asked by the dispatcher about once a second, and by whoever resumes an engagement: what was seen by then is forgiven.
"""

from opengage.domain.guard import Counts
from opengage.domain.ledger import Dimension
from opengage.domain.states import LEFT_OR_NOT
from opengage.ids import Id
from opengage.store import ledgers
from opengage.store.contract import Transaction


async def counts(tx: Transaction, account_id: int, engagement_id: Id) -> Counts:
    """The texts of an engagement by what became of them, without those envelopes that never had one."""
    reasons = dict((await ledgers.read(tx, account_id, engagement_id)).reasons)
    ended = await ledgers.details(tx, account_id, engagement_id, Dimension.ENDED)
    opt_outs = await ledgers.details(tx, account_id, engagement_id, Dimension.OPT_OUT)
    for reason in LEFT_OR_NOT & reasons.keys():
        reasons[reason] = ended.get(reason, 0)
    return Counts(reasons, sum(opt_outs.values()))
