"""/text-template-revisions, which /text-templates/{id}/revisions leads to (wire contract 5.1).

What is answered is a text template as it was after one edit, under the revision's id and of the templates' own type:
templates point at their newest revision as at one of them.
"""

from typing import Final

from opengage.api.resources import text_templates
from opengage.api.resources.resource import Resource, ToOne
from opengage.domain.records import TextTemplateRevision
from opengage.operations.text_templates import Shown, show_revisions

RESOURCE: Final = Resource[TextTemplateRevision, Shown](
    type="text-template-revisions",
    noun="revision",
    shown_as=text_templates.TYPE,
    record=TextTemplateRevision,
    attributes=text_templates.Attributes,
    relationships={
        **text_templates.RESOURCE.relationships,
        "primary": ToOne("text-templates", "text_template_id", indexed=True),
        "revision": ToOne("text-templates", "id"),
        "deleted-by": ToOne("memberships"),
    },
    answer=text_templates.answer,
    show=show_revisions,
)
