"""The body of a request: read within its limit, and only in a form that we speak.

Step 1 of a text's path.
"""

from opengage.api.state import WebRequest
from opengage.domain.errors import Unsupported
from opengage.jsonapi import media


async def read_body(request: WebRequest) -> bytes:
    """The whole body. Raises Unsupported; Litestar refuses one that is over the limit while it still arrives."""
    labels = ", ".join(request.headers.getall("content-type", []))
    refusal = media.refusal(labels, request.headers.get("content-encoding"))
    if refusal is not None:
        raise Unsupported(refusal)
    return await request.body()
