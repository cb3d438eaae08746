"""Every resource that there is: a noun is added by its description and a line here."""

from collections.abc import Mapping
from typing import Any, Final

from opengage.api.resources import (
    accounts,
    activities,
    api_tokens,
    audit_events,
    contact_import_errors,
    contact_imports,
    contact_lists,
    contacts,
    engagements,
    envelopes,
    erasures,
    files,
    memberships,
    phone_numbers,
    service_profiles,
    suppressions,
    tags,
    text_messages,
    text_results,
    text_template_revisions,
    text_templates,
    texts,
    webhook_deliveries,
    webhook_endpoints,
)
from opengage.api.resources.resource import Resource

RESOURCES: Final[tuple[Resource[Any, Any], ...]] = (
    text_templates.RESOURCE,
    text_template_revisions.RESOURCE,
    engagements.RESOURCE,
    activities.RESOURCE,
    envelopes.RESOURCE,
    texts.RESOURCE,
    text_messages.RESOURCE,
    text_results.RESOURCE,
    phone_numbers.RESOURCE,
    webhook_endpoints.RESOURCE,
    webhook_deliveries.RESOURCE,
    service_profiles.RESOURCE,
    suppressions.RESOURCE,
    tags.RESOURCE,
    accounts.RESOURCE,
    memberships.RESOURCE,
    api_tokens.RESOURCE,
    audit_events.RESOURCE,
    contacts.RESOURCE,
    contact_lists.RESOURCE,
    contact_imports.RESOURCE,
    contact_import_errors.RESOURCE,
    files.RESOURCE,
    erasures.RESOURCE,
)

BY_TYPE: Final[Mapping[str, Resource[Any, Any]]] = {resource.type: resource for resource in RESOURCES}
