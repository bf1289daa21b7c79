"""What is true of all that lies below /api/, found or not: bounded bodies, one shape of error."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from orders_site.api import errors

ROOT = "/api/"
MAX_BODY = 64 * 1024
"""Bytes. An order of 100 lines with the longest SKUs has 8 KB."""
KEPT = ("Allow", "Retry-After")
"""Headers of Django's own answer that the caller needs."""
_JSON = "application/json"


class ApiMiddleware:
    """The outermost one but for security's, so that it sees what Django itself answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(ROOT):
            return self._get_response(request)
        if _length(request) > MAX_BODY:
            message = f"A body has at most {MAX_BODY} bytes."
            return errors.respond(errors.of_status(413, message))
        response = self._get_response(request)
        if response.status_code < 400 or response["Content-Type"].startswith(_JSON):
            return response
        problem = errors.of_status(response.status_code)
        problem.headers = {name: response[name] for name in KEPT if name in response}
        answer = errors.respond(problem)
        # What Django has logged with its trace-back it would else log again without one.
        logged = getattr(response, "_has_been_logged", False)
        answer._has_been_logged = logged  # type: ignore[attr-defined]
        return answer


def _length(request: HttpRequest) -> int:
    """A body without a length is none to Django, and is refused as empty."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0
