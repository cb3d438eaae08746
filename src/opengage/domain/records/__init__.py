"""What is remembered, as records: one class per noun, one field per column, in the order of the table.

Frozen: a change makes a new record. Ids are 16 bytes, instants whole microseconds, JSON values their text.
`store.tables` declares the tables that hold them, in modules of the same names.
"""

from opengage.domain.records.base import Authored, Record
from opengage.domain.records.blasts import Activity, Engagement, Envelope, Tag, TextTemplate, TextTemplateRevision
from opengage.domain.records.contacts import Contact, ContactImport, ContactImportError, ContactList
from opengage.domain.records.files import File, Upload
from opengage.domain.records.network import PhoneNumber, ServiceProfile
from opengage.domain.records.people import Account, ApiToken, AuditEvent, Erasure, Membership, Session, SigningKey
from opengage.domain.records.texts import Suppression, Text, TextMessage, TextResult
from opengage.domain.records.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Account",
    "Activity",
    "ApiToken",
    "AuditEvent",
    "Authored",
    "Contact",
    "ContactImport",
    "ContactImportError",
    "ContactList",
    "Engagement",
    "Envelope",
    "Erasure",
    "File",
    "Membership",
    "PhoneNumber",
    "Record",
    "ServiceProfile",
    "Session",
    "SigningKey",
    "Suppression",
    "Tag",
    "Text",
    "TextMessage",
    "TextResult",
    "TextTemplate",
    "TextTemplateRevision",
    "Upload",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
