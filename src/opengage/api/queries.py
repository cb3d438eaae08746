"""The query of a request, as it was sent.

Step 1 of a text's path.
"""

from opengage.api.state import ApiState, WebRequest
from opengage.domain.errors import NotAcceptable
from opengage.jsonapi import media, query
from opengage.jsonapi.query import Query, Selection


def of_list(request: WebRequest, api: ApiState) -> Query:
    """What the request of a list asks for. Raises DocumentError."""
    settings = api.settings
    return query.parse(_text(request), default_limit=settings.page_limit_default, max_limit=settings.page_limit_max)


def of_one(request: WebRequest) -> Selection:
    """What the request of one resource asks for. Raises DocumentError."""
    return query.parse_one(_text(request))


async def check_request(request: WebRequest) -> None:
    """What every request must be, before anything is done about it.

    A change is answered with all of what was changed. Raises DocumentError when something else is asked for, and
    NotAcceptable for an answer in a form that is not spoken. A coroutine although it waits for nothing: Litestar would
    call a plain function in a thread, which costs more than all that is done here.
    """
    refusal = media.accept_refusal(request.headers.get("accept"))
    if refusal is not None:
        raise NotAcceptable(refusal)
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        query.selects_nothing(_text(request))


def _text(request: WebRequest) -> str:
    raw: bytes = request.scope["query_string"]
    return raw.decode("latin-1")
