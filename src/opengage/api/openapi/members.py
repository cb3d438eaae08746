"""What a client may write into a member, where its type alone does not say: words, limits, forms.

Names mean the same everywhere, so most are told once; what is particular to one operation is told under its own name.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from opengage.api.openapi.examples import ID
from opengage.api.resources import asking
from opengage.api.resources.callback_includes import SUBJECTS
from opengage.api.resources.registry import BY_TYPE
from opengage.domain import budgets, callback_urls, media, weekly
from opengage.domain.imports import Target
from opengage.domain.states import EngagementStatus, TextStatus
from opengage.domain.webhooks import EVERYTHING, Event
from opengage.ids import ALPHABET, LENGTH
from opengage.operations import (
    account_settings,
    contacts,
    copies,
    doubts,
    fields,
    passwords,
    service_profiles,
    suppressions,
    webhook_endpoints,
)
from opengage.operations import engagement_changes as changes
from opengage.operations.actors import ROLES

Schema = dict[str, Any]

ID_PATTERN: Final = f"[{ALPHABET}]{{{LENGTH - 1}}}[{ALPHABET[:45]}]"
"""The last digit of 128 bits is never above the 46th, and that one only just."""
ID_SCHEMA: Final[Schema] = {"type": "string", "pattern": f"^{ID_PATTERN}$", "examples": [ID]}
PHONE_PATTERN: Final = r"^\+[1-9][0-9]{6,14}$"
URL_PATTERN: Final = r"^https?://[^\s\\/?#@]+(/[^\s\\]*)?$"
LATER: Final = "2036-12-01T09:00:00.000000+00:00"

DEEPER: Final = r"(\.[a-z-]+){0,4}"
"""The rest of a path to include."""
MOST_PATHS: Final = "{0,19}"
"""Keys of an order and paths to include, beside the first."""

_NAME: Final[Schema] = {"minLength": 1, "maxLength": fields.LONGEST_NAME, "pattern": r"\S"}
_LABEL: Final[Schema] = {"maxLength": fields.LONGEST_NAME, "pattern": "^[ -~]*$"}
_WORDS: Final[Schema] = {"pattern": r"\S"}
_PHONE: Final[Schema] = {"pattern": PHONE_PATTERN, "examples": ["+12025550123"]}
_URL: Final[Schema] = {
    "pattern": URL_PATTERN,
    "maxLength": callback_urls.LONGEST,
    "examples": ["https://example.com/hooks"],
}
_EMAIL: Final[Schema] = {
    "pattern": r"^[!-?A-~]{1,64}@[!-?A-~]{1,255}$",
    "examples": ["ann@example.org"],
}
_SCHEDULE: Final[Schema] = {
    "type": "object",
    "required": ["time-zone", "windows"],
    "additionalProperties": False,
    "properties": {
        "time-zone": {"type": "string", "examples": ["America/New_York"]},
        "windows": {
            "type": "array",
            "minItems": 1,
            "maxItems": weekly.MOST_WINDOWS,
            "items": {
                "type": "object",
                "required": ["days", "from", "to"],
                "additionalProperties": False,
                "properties": {
                    "days": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(weekly.DAYS)}},
                    "from": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["09:00"]},
                    "to": {
                        "type": "string",
                        "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
                        "examples": ["17:30"],
                    },
                },
            },
        },
    },
}


def _budget() -> Schema:
    """A budget; the presets are read from a file."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "preset": {"type": "string", "enum": sorted(budgets.presets())},
            "name": {"type": "string", "minLength": 1, "maxLength": budgets.LONGEST_NAME, "pattern": r"\S"},
            "limit": {"type": "integer", "minimum": 1, "maximum": budgets.MOST},
            "unit": {"type": "string", "enum": [each.value for each in budgets.Unit]},
            "period": {"type": "string", "enum": [each.value for each in budgets.Period]},
            "time-zone": {"type": "string", "examples": ["America/New_York"]},
        },
    }


def _whole(field: str) -> Schema:
    least, most = changes.LIMITS[field]
    return {"minimum": least, "maximum": most}


def _included(*kinds: str) -> Schema:
    """What a callback's document may include: whatever one of these may."""
    some = {name for kind in kinds for name in asking.includable(BY_TYPE[kind])}
    return {**paths_of(some), "examples": ["engagement"]}


@cache
def written() -> Mapping[str, Schema]:
    """By name, or by operation and name: what is so beside the type."""
    return {
        "name": _NAME,
        "title": _NAME,
        "label": _LABEL,
        "body": _WORDS,
        "phone-number": _PHONE,
        "to": _PHONE,
        "phone-numbers": {"minItems": 1, "maxItems": contacts.MOST_NUMBERS, "items": {"type": "string", **_PHONE}},
        "emails": {"maxItems": contacts.MOST_NUMBERS, "items": {"type": "string", **_EMAIL}},
        "email": _EMAIL,
        "password": {
            "minLength": passwords.SHORTEST,
            "maxLength": passwords.LONGEST,
            "examples": ["correct horse battery"],
        },
        "callback": _URL,
        "url": _URL,
        "post.envelopes.callback-include": _included("envelopes"),
        "patch.envelopes.callback-include": _included("envelopes"),
        "patch.envelopes.id.callback-include": _included("envelopes"),
        "post.texts.callback-include": _included("texts"),
        "include": _included(*SUBJECTS),
        "events": {"minItems": 1, "items": {"type": "string", "enum": [EVERYTHING, *(each.value for each in Event)]}},
        "role": {"enum": list(ROLES)},
        "direction": {"enum": [fields.OUTBOUND]},
        "delivery-type": {"enum": [changes.IMMEDIATELY, changes.SCHEDULED, changes.LOCAL_TIME]},
        "delivery-time": {"examples": [None], "format": "date-time"},
        "expires-at": {"examples": [LATER]},
        "status": {"enum": [each.value for each in EngagementStatus]},
        "post.engagements.status": {"enum": [EngagementStatus.PENDING.value]},
        "patch.texts.id.status": {"enum": [TextStatus.CANCELED.value]},
        "post.import-contacts.status": {"enum": ["queued"]},
        "post.activities.kind": {"enum": ["text"]},
        "post.uploads.size": {"type": "integer", "minimum": 1},
        "post.uploads.type": {"enum": list(media.KINDS)},
        "post.service-profiles.kind": {"enum": list(service_profiles.KINDS)},
        "patch.service-profiles.id.kind": {"enum": list(service_profiles.KINDS)},
        "post.service-profiles.url": {"examples": [None]},
        "post.service-profiles.password": {"examples": [None]},
        "post.webhook-endpoints.kind": {"enum": ["events", webhook_endpoints.CALLBACKS]},
        "patch.webhook-endpoints.id.kind": {"enum": ["events", webhook_endpoints.CALLBACKS]},
        "in-doubt-policy": {"enum": ["hold", "resend"]},
        "budgets": {"maxItems": budgets.MOST_BUDGETS, "items": _budget()},
        "rate": {"exclusiveMinimum": 0, "examples": [10.0]},
        "reason": {"enum": list(suppressions.REASONS)},
        "reasons": {"items": {"type": "string", "enum": sorted(copies.REASONS)}},
        "envelopes": {"enum": [copies.EVERYBODY]},
        "verb": {"enum": list(doubts.VERBS)},
        "quiet-hours": {"enum": list(account_settings.QUIET_HOURS)},
        "frequency-cap": {"minimum": 1, "maximum": 1_000_000},
        "frequency-hours": {"minimum": 1, "maximum": account_settings.MOST_HOURS},
        "mapping": {"additionalProperties": {"type": "string", "enum": [each.value for each in Target]}},
        "default-region": {"pattern": "^[A-Z]{2}$", "examples": ["US"]},
        "queue-schedule": _SCHEDULE,
        "canary-delivery-ratio": {"minimum": 0, "maximum": 1},
        "pause-failure-ratio": {"minimum": 0, "maximum": 1},
        "pause-opt-out-ratio": {"minimum": 0, "maximum": 1},
        **{field.replace("_", "-"): _whole(field) for field in changes.LIMITS},
    }


NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "post.activities": ("engagement", "phone-number", "text-template"),
    "post.envelopes": ("engagement",),
    "post.texts": ("text-message",),
    "post.import-contacts": ("upload",),
}
"""By operation, the relationships that must be there."""

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "post.service-profiles": ("name", "kind"),
    "post.uploads": ("name", "type", "size"),
}
"""By operation, the attributes that must be there though their type lets them be left out."""

EITHER: Final[Mapping[str, tuple[str, ...]]] = {
    "post.contacts": ("phone-number", "phone-numbers"),
    "post.lists": ("title", "name"),
}
"""By operation, the attributes of which one must be there."""

_ELSEWHERE: Final = {
    "upload": "uploads",
    "uploads": "uploads",
    "files": "files",
    "list": "lists",
    "envelopes": "envelopes",
    "membership": "memberships",
    "fallback": "service-profiles",
}


def narrow(operation: str, attributes: Schema) -> None:
    """Say of each attribute what it may be."""
    for name, member in attributes.get("properties", {}).items():
        said = {**written().get(name, {}), **written().get(f"{operation}.{name}", {})}
        for option in member.get("anyOf", [member]):
            if said and option.get("type") != "null":
                option.update(said)
    for name in REQUIRED.get(operation, ()):
        member = attributes["properties"][name]
        options = [option for option in member.pop("anyOf", [member]) if option.get("type") != "null"]
        attributes["properties"][name] = {**options[0], **{key: member[key] for key in member if key != "default"}}
        attributes["required"] = sorted({*attributes.get("required", []), name})
    if operation in EITHER:
        attributes["anyOf"] = [{"required": [name]} for name in EITHER[operation]]


def pointed(operation: str, kind: str, relationships: Schema, components: Mapping[str, Schema]) -> None:
    """Say of each relationship what it may lead to."""
    for name, member in relationships.get("properties", {}).items():
        named = [option["$ref"] for option in member.get("anyOf", [member]) if "$ref" in option]
        is_many = "data" in (held := components[named[0].rpartition("/")[2]]["properties"]) and "items" in held["data"]
        one = identifier(_led(kind, name))
        data: Schema = {"type": "array", "items": one} if is_many else {"anyOf": [one, {"type": "null"}]}
        told: Schema = {"type": "object", "properties": {"data": data}}
        if name in NEEDED.get(operation, ()):  # elsewhere one without data says nothing, and is understood so
            told = {"type": "object", "required": ["data"], "properties": {"data": one}}
        relationships["properties"][name] = told
    relationships["required"] = list(NEEDED.get(operation, ()))


def _led(kind: str, name: str) -> str:
    known = BY_TYPE[kind].relationships.get(name) if kind in BY_TYPE else None
    return known.target if known is not None and name not in _ELSEWHERE else _ELSEWHERE[name]


def any_of(words: Iterable[str]) -> str:
    """A pattern of some words."""
    return "|".join(map(re.escape, sorted(words))).replace(r"\-", "-")


def list_of(pattern: str, most: str = "*") -> Schema:
    """Nothing, or one and so many more."""
    return {"type": "string", "pattern": f"^({pattern}(,{pattern}){most})?$"}


def paths_of(includable: Iterable[str]) -> Schema:
    """Paths of relationships that begin with one of these."""
    return list_of(f"({any_of(includable)}){DEEPER}", MOST_PATHS)


def identifier(target: str) -> Schema:
    """What linkage holds."""
    told = BY_TYPE[target].told_type if target in BY_TYPE else target
    return {"type": "object", "required": ["type", "id"], "properties": {"type": {"const": told}, "id": ID_SCHEMA}}
