"""Media types: what real clients send is read, and answers follow Accept."""

import pytest

from opengage.jsonapi.media import accept_refusal, answer_type, refusal


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "application/json; charset=utf-8",
        "application/json; charset=utf-8, application/vnd.api+json;ext=bulk",
        "application/json; charset=utf-8,application/vnd.api+json;ext=bulk",
        "application/json, application/json",
        "application/vnd.api+json",
        "application/vnd.api+json;ext=bulk",
        "application/vnd.api+json; ext=bulk",
        'application/vnd.api+json; ext="bulk"',
        "Application/JSON",
        "text/json",
        "application/x-www-form-urlencoded",
    ],
)
def test_read(content_type: str | None) -> None:
    """Everything that the record or a guide shows, merged headers included (wire contract 2.1)."""
    assert refusal(content_type, None) is None


@pytest.mark.parametrize(
    ("content_type", "encoding", "named"),
    [
        ("text/xml", None, "text/xml"),
        ("multipart/form-data; boundary=x", None, "multipart"),
        ("application/jsonx", None, "jsonx"),
        ("application/vnd.api+json; ext=atomic", None, "atomic"),
        ("application/json", "gzip", "gzip"),
        (None, "br", "br"),
    ],
)
def test_refused(content_type: str | None, encoding: str | None, named: str) -> None:
    """What is not spoken is named in the refusal."""
    assert named in str(refusal(content_type, encoding))


def test_identity_encoding_is_no_encoding() -> None:
    """`Content-Encoding: identity` says nothing."""
    assert refusal("application/json", "identity") is None


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("text/html, application/vnd.api+json;q=0.9", "application/vnd.api+json"),
        ("application/vnd.api+json;q=0", "application/json"),
        ("application/vnd.api+json;ext=bulk", "application/vnd.api+json; ext=bulk"),
        ("application/vnd.api+json; ext=bulk", "application/vnd.api+json; ext=bulk"),
        ('application/vnd.api+json; ext="bulk"', "application/vnd.api+json; ext=bulk"),
        ("application/vnd.api+json;profile=x", "application/vnd.api+json"),
        ("application/vnd.api+json;version=1, application/vnd.api+json;ext=bulk", "application/vnd.api+json; ext=bulk"),
        ("application/vnd.api+json;charset=utf-8", "application/json"),
    ],
)
def test_answer_type(accept: str | None, expected: str) -> None:
    """JSON:API's own type is answered only to those who name it (design, section 5.3)."""
    assert answer_type(accept) == expected


@pytest.mark.parametrize(
    ("accept", "is_refused"),
    [
        (None, False),
        ("application/json", False),
        ("application/vnd.api+json", False),
        ("application/vnd.api+json; profile=x; q=0.5", False),
        ("application/vnd.api+json;version=1", True),
        ("application/vnd.api+json;version=1, */*", True),
        ("application/vnd.api+json;version=1, application/vnd.api+json", False),
        ("application/vnd.api+json;ext=atomic", True),
        ("application/vnd.api+json-patch;version=1", False),
    ],
)
def test_accept_refusal(accept: str | None, is_refused: bool) -> None:
    """Parameters that JSON:API's type does not have are refused, unless it is named without them too."""
    assert (accept_refusal(accept) is not None) is is_refused
