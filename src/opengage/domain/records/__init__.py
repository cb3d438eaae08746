"""What is remembered, as records: one class per noun, one field per column, in the order of the table.

Frozen: a change makes a new record. Ids are 16 bytes, instants whole microseconds, JSON values their text.
`store.tables` declares the tables that hold them, in modules of the same names.
"""

from opengage.domain.records.base import Authored, Record
from opengage.domain.records.blasts import Activity, Engagement, Envelope, TextTemplate, TextTemplateRevision
from opengage.domain.records.network import PhoneNumber, ServiceProfile
from opengage.domain.records.people import Account, ApiToken, AuditEvent, Membership, Session, SigningKey
from opengage.domain.records.texts import Suppression, Text, TextMessage, TextResult

__all__ = [
    "Account",
    "Activity",
    "ApiToken",
    "AuditEvent",
    "Authored",
    "Engagement",
    "Envelope",
    "Membership",
    "PhoneNumber",
    "Record",
    "ServiceProfile",
    "Session",
    "SigningKey",
    "Suppression",
    "Text",
    "TextMessage",
    "TextResult",
    "TextTemplate",
    "TextTemplateRevision",
]
