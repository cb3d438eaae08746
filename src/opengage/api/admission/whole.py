"""An answer held back until the change that it tells of is durable.

Step 1 of a text's path, on the way back.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

from litestar.types import ASGIApp, Message, Send

from opengage.api.state import WebRequest
from opengage.domain.errors import OpengageError, Unavailable
from opengage.store.contract import Transaction
from opengage.store.one_transaction import OneTransaction, Part, Stepwise

_log: Final = logging.getLogger("opengage.api")


async def answer_of(app: ASGIApp, request: WebRequest) -> list[Message]:
    """What an application answers, whole."""
    answer: list[Message] = []

    async def hold_back(message: Message) -> None:
        answer.append(message)

    await app(request.scope, request.receive, hold_back)
    return answer


def succeeded(answer: Sequence[Any]) -> bool:
    """Whether it is one of success: any other has changed nothing."""
    return bool(answer) and 200 <= answer[0]["status"] < 300


def body_of(answer: Sequence[Any]) -> bytes:
    """The body of an answer."""
    return b"".join(message.get("body", b"") for message in answer[1:])


async def forward(answer: Sequence[Message], send: Send) -> None:
    """Give the answer."""
    for message in answer:
        await send(message)


async def commit(change: OneTransaction | Stepwise, last: Part) -> None:
    """Make the change durable. Raises OpengageError: whatever else goes wrong has changed nothing either."""
    try:
        await change.commit(last)
    except OpengageError:
        raise
    except Exception as error:
        _log.exception("a change could not be committed")
        raise Unavailable("The change could not be written, so nothing was done. Send the request again.") from error


async def nothing(_: Transaction) -> None:
    """Nothing more to do in a transaction."""
