"""The trace of a web request.

    MIDDLEWARE = ["notifications.health.HealthMiddleware",
                  "notifications.middleware.TraceMiddleware", …]

Where the caller has sent a `traceparent` its trace goes on; otherwise one begins. All that the
request records, asks for and logs belongs to it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from notifications import spans, tracing
from notifications.span import Kind, Span

UNTRACED = frozenset({"/metrics"})
"""Asked every few seconds, by nobody who would look for it, as what HealthMiddleware answers."""

METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
OTHER = "_OTHER"
"""What a method is called that is none of these: a caller may say anything."""

ROUTE, TRACE = "notifications.route", "notifications.trace"
"""What the server's access log may tell of a request, in its WSGI environment. Never the path: it
may hold the token of a link, or, behind the question mark, whom somebody looked for."""


class TraceMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in UNTRACED:
            return self._get_response(request)
        given = tracing.read(request.headers.get(tracing.HEADER))
        with tracing.continued(given or ("" if spans.is_on() else tracing.new())):
            method = request.method if request.method in METHODS else OTHER
            with spans.span(method, Kind.SERVER, method=method) as span:
                request.META[TRACE] = tracing.current()
                response = self._get_response(request)
                _tell(span, method, request, response)
                return response


def _tell(span: Span, method: str, request: HttpRequest, response: HttpResponse) -> None:
    """What is known only when the request has been answered."""
    if request.resolver_match is not None:
        request.META[ROUTE] = route = f"/{request.resolver_match.route}"
        span.name(f"{method} {route}")
        span.set(route=route)
    span.set(status=response.status_code)
    if response.status_code >= 500:
        span.fail(str(response.status_code))
