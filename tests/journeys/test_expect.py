"""A client that asks before it sends a body, over a real connection."""

import json
import socket

from blasts import Tenants
from processes import Server

PATIENCE = 30
MERGED = "application/json; charset=utf-8,application/vnd.api+json;ext=bulk"


def said(connection: socket.socket, end: bytes) -> bytes:
    """What the server says up to `end`."""
    heard = b""
    while end not in heard:
        more = connection.recv(65536)
        assert more, heard
        heard += more
    return heard


def test_the_body_follows_once_it_is_wanted(server: Server, tenants: Tenants) -> None:
    """`Expect: 100-continue` is answered before the body is sent (wire contract 2.1)."""
    tenant = tenants.new()
    body = json.dumps({"data": {"type": "text-templates", "attributes": {"name": "N", "body": "Hi"}}}).encode()
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = (
        f"POST /api/v1/text-templates HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: {tenant.headers['Authorization']}\r\n"
        f"Content-Type: {MERGED}\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(head.encode())
        assert said(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        answer = said(connection, b"}\n")
    assert answer.startswith(b"HTTP/1.1 201")
    assert b'"type":"text-templates"' in answer
