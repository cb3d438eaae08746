"""An answer held back until the change that it tells of is durable.

Step 1 of a text's path, on the way back.
"""

from collections.abc import Sequence
from typing import Any

from litestar.types import ASGIApp, Message, Send

from opengage.api.state import WebRequest
from opengage.store.contract import Transaction


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


async def nothing(_: Transaction) -> None:
    """Nothing more to do in a transaction."""
