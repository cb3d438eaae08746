"""Requests, counted and timed by their route: what a path holds in place of `{id}` never becomes a label.

Step 1 of a text's path, around everything else of it.
"""

import time
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from opengage.metrics import Metrics


def measured(app: ASGIApp, metrics: Metrics) -> ASGIApp:
    """An application whose answers are counted."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, noting)
        finally:
            route = str(cast("dict[str, Any]", scope).get("path_template") or "none")
            method = str(cast("dict[str, Any]", scope)["method"])
            metrics.count("opengage_http_requests_total", method, route, str(status))
            metrics.observe("opengage_http_request_seconds", time.perf_counter() - began, method, route)

    return counted
