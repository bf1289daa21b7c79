"""Health: /healthz and /readyz of a web process, for its supervisor and its load balancer.

    MIDDLEWARE = ["notifications.health.HealthMiddleware", …]

The first one: probes come by address and by HTTP, so nobody may ask for the host's name or lead
them to HTTPS before this. /healthz says that the process answers, and asks nothing else; what
/readyz asks is in `notifications.readiness`.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from notifications import liveness, readiness
from notifications.process_server import Answer


def _ready(request: HttpRequest) -> Answer:
    return readiness.answer(strict="strict" in request.GET)


_ANSWERS: dict[str, Callable[[HttpRequest], Answer]] = {
    liveness.PATH: lambda request: liveness.answer(""),
    readiness.PATH: _ready,
}


class HealthMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        ask = _ANSWERS.get(request.path_info)
        if ask is None or request.method not in ("GET", "HEAD"):
            return self._get_response(request)
        status, content_type, body = ask(request)
        return HttpResponse(
            body,
            status=status,
            content_type=content_type,
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )
