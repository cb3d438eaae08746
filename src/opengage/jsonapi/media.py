"""Media types: liberal in what is read, exact in what is answered (wire contract 2.1 and 3).

Part of step 2 of a text's path. Real clients send no Content-Type, or two media types merged in one header, and
seldom an Accept; none of that may stop them.
"""

import re
from functools import lru_cache
from typing import Final

JSON: Final = "application/json"
JSON_API: Final = "application/vnd.api+json"
_BULK: Final = "bulk"
_KEPT: Final = 32
"""Accept headers whose meaning is kept: clients have few, and an attacker's many must not fill the memory."""

_READABLE: Final = re.compile(r"(application|text)/(json|[\w.!#$&^-]+\+json)\Z")
_CURL_DEFAULT: Final = "application/x-www-form-urlencoded"
"""What `curl --data` says of any body; the guide's own calls, typed into curl without headers, carry it."""


def refusal(content_type: str | None, content_encoding: str | None) -> str | None:
    """Why a body so labelled is not read, with the mending; None when it is."""
    encoding = (content_encoding or "identity").strip().lower()
    if encoding not in ("identity", ""):
        return f"Bodies in Content-Encoding “{encoding[:40]}” are not read. Send the JSON uncompressed."
    if not content_type or not content_type.strip():
        return None
    types = [_parse(part) for part in _split(content_type, ",")]
    if not any(name == _CURL_DEFAULT or _READABLE.match(name) for name, _ in types):
        return f"Content-Type “{content_type[:80]}” is not read. Send {JSON} or {JSON_API}."
    unknown = [ext for name, parameters in types if name == JSON_API for ext in _extensions(parameters) if ext != _BULK]
    if unknown:
        return f"JSON:API extension “{unknown[0][:40]}” is not spoken here. Use ext={_BULK} or none."
    return None


@lru_cache(maxsize=_KEPT)
def accept_refusal(accept: str | None) -> str | None:
    """Why there is no such answer, with the mending; None when there is one.

    A client that names JSON:API's type with parameters that it does not have, and never without, gets nothing else
    (JSON:API 1.1, server responsibilities).
    """
    if not accept or JSON_API not in accept.lower():
        return None
    named = [parameters for name, parameters in map(_parse, _split(accept, ",")) if name == JSON_API]
    if not named or any(_is_spoken(parameters) for parameters in named):
        return None
    return f"Accept “{accept[:80]}” asks for JSON:API with parameters that are not spoken. Name {JSON_API} alone."


def _is_spoken(parameters: dict[str, str]) -> bool:
    """Whether an instance of the media type is one that we can answer with."""
    return set(parameters) <= {"q", "ext", "profile"} and set(_extensions(parameters)) <= {_BULK}


@lru_cache(maxsize=_KEPT)
def answer_type(accept: str | None) -> str:
    """`application/json` as recorded, unless the client's Accept names JSON:API's own type; then that, with its ext."""
    if not accept or JSON_API not in accept.lower():
        return JSON
    for name, parameters in map(_parse, _split(accept, ",")):
        if name == JSON_API and _is_spoken(parameters) and not _is_zero(parameters.get("q", "1")):
            return f"{JSON_API}; ext={_BULK}" if _BULK in _extensions(parameters) else JSON_API
    return JSON


def _parse(media_type: str) -> tuple[str, dict[str, str]]:
    """Lower-case type and its parameters, quotes and optional spaces removed."""
    name, *rest = _split(media_type, ";")
    pairs = (parameter.partition("=") for parameter in rest)
    return name.strip().lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}


def _split(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside quotes."""
    return re.split(rf'{separator}(?=(?:[^"]*"[^"]*")*[^"]*\Z)', text) if '"' in text else text.split(separator)


def _extensions(parameters: dict[str, str]) -> list[str]:
    return parameters.get("ext", "").replace(",", " ").lower().split()


def _is_zero(quality: str) -> bool:
    return quality.rstrip("0").rstrip(".") in ("", "0")
