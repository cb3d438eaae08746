"""The body of a request: read within its limit, and only in a form that we speak.

Step 1 of a text's path.
"""

from litestar.exceptions import InternalServerException

from opengage.api.state import WebRequest
from opengage.domain.errors import Invalid, Unsupported
from opengage.jsonapi import media


async def read_body(request: WebRequest) -> bytes:
    """The whole body. Litestar refuses one that is over the limit while it still arrives.

    Raises Unsupported, and Invalid when the client leaves before the end of what it announced.
    """
    labels = ", ".join(request.headers.getall("content-type", []))
    refusal = media.refusal(labels, request.headers.get("content-encoding"))
    if refusal is not None:
        raise Unsupported(refusal)
    try:
        return await request.body()
    except InternalServerException as error:
        raise Invalid("The connection ended before the body did. Send the request again.") from error
