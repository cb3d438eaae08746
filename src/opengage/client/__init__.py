"""The Python client of the API, for programs and for the command line: no part of a text's path, it knocks at the door.

with Client("http://127.0.0.1:8080/api/v1", "firstbank", token_key, token_secret) as api:
    template = api.create_text_template("Greeting", "Hello {{first-name}}")
    engagement = api.create_engagement("First blast")
    api.create_activity("Text", engagement.id, template.id, phone_number_id)
    api.create_envelopes(engagement.id, [Recipient("+12025550143", {"first-name": "Ada"})])
    api.schedule(engagement.id)
    print(api.ledger(engagement.id))
"""

from opengage.client.client import Call, Client
from opengage.client.documents import ApiError, ErrorObject, Identifier, Ledger, Recipient, Resource

__all__ = ["ApiError", "Call", "Client", "ErrorObject", "Identifier", "Ledger", "Recipient", "Resource"]
