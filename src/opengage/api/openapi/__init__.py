"""The API's own description, as an OpenAPI 3.1 document made of what serves it: descriptions, routes, readers."""
