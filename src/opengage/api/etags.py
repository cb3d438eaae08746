"""ETags: what a client saw, so that it neither reads that twice nor overwrites what it has not seen (RFC 9110, 13).

Step 1 of a text's path. A tag is `"VERSION.CONTENT"`: the version moves with every change of the resource
(`updated-at`), the content with every byte of the answer, counts of a running blast among them. If-None-Match compares
the whole, so that 304 is exact; If-Match compares versions alone, so that texts being sent do not spoil an edit.
"""

import hashlib
import re
from typing import Any, Final

_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_CONTENT_OCTETS: Final = 12


def version_of(updated_at: str) -> str:
    """The version of a resource that was changed at this time: its digits."""
    return "".join(filter(str.isdigit, updated_at.partition("+")[0]))


def tag(attributes: Any, body: bytes) -> str:
    """The tag of an answer with this body; what has no `updated-at` has no version."""
    content = hashlib.blake2b(body, digest_size=_CONTENT_OCTETS).hexdigest()
    told = attributes.get("updated-at") if isinstance(attributes, dict) else getattr(attributes, "updated_at", None)
    return f'"{version_of(told or "")}.{content}"'


def is_known(etag: str, if_none_match: str) -> bool:
    """Whether a client that sent this header has exactly this answer; `*` is anything that exists."""
    return if_none_match.strip() == "*" or etag.strip('"') in _TAG.findall(if_none_match)


def allows(version: str, if_match: str) -> bool:
    """Whether a client that sent this header has seen this version of the resource."""
    return if_match.strip() == "*" or version in (each.partition(".")[0] for each in _TAG.findall(if_match))
