"""The bytes of files, at addresses that nobody can guess (wire contract 5.14). Beside a text's path.

Whoever has the address may read, without credentials: it stands in texts and in what carriers fetch. What comes is
labelled as what it is and never as more: no browser may take it for a page of this server.
"""

from typing import Final
from urllib.parse import quote

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from opengage.api.state import Api
from opengage.operations import files

_CACHE: Final = "private, max-age=86400, immutable"
_POLICY: Final = "default-src 'none'; sandbox"


@get("/files/{bucket:str}/{token:str}/{name:str}")
async def content(api: Api, bucket: FromPath[str], token: FromPath[str], name: FromPath[str]) -> Stream:  # noqa: ARG001
    """GET the bytes of a file; the name at the end is for people, and means nothing here."""
    file = await files.at(api.store, bucket, token)
    pieces = await files.content(api.blobs, file)
    place = "inline" if files.is_inline(file) else "attachment"
    headers = {
        "content-disposition": f"{place}; filename*=UTF-8''{quote(file.name, safe='')}",
        "content-length": str(file.size_in_bytes),
        "content-security-policy": _POLICY,
        "cross-origin-resource-policy": "cross-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": _CACHE,
    }
    return Stream(pieces, media_type=file.content_type, headers=headers)


PUBLIC: Final = [content]
