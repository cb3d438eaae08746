"""Every resource that there is: a noun is added by its description and a line here."""

from collections.abc import Mapping
from typing import Any, Final

from opengage.api.resources import (
    activities,
    contact_import_errors,
    contact_imports,
    contact_lists,
    contacts,
    engagements,
    envelopes,
    files,
    phone_numbers,
    text_messages,
    text_results,
    text_templates,
    texts,
)
from opengage.api.resources.resource import Resource

RESOURCES: Final[tuple[Resource[Any, Any], ...]] = (
    text_templates.RESOURCE,
    engagements.RESOURCE,
    activities.RESOURCE,
    envelopes.RESOURCE,
    texts.RESOURCE,
    text_messages.RESOURCE,
    text_results.RESOURCE,
    phone_numbers.RESOURCE,
    contacts.RESOURCE,
    contact_lists.RESOURCE,
    contact_imports.RESOURCE,
    contact_import_errors.RESOURCE,
    files.RESOURCE,
)

BY_TYPE: Final[Mapping[str, Resource[Any, Any]]] = {resource.type: resource for resource in RESOURCES}
