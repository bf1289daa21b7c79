"""Every error in one shape: `{"error": {"code", "message", "fields": [{"field", "message"}]}}`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from orders_site.api.exceptions import Fault, Problem
from orders_site.orders.exceptions import IllegalTransition, OrderRefused

CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}
"""By status, where nothing more exact is known."""
SENTENCES = {
    503: "The shop is out of order for a moment. Repeat it, a POST with the same Idempotency-Key.",
}
"""By status, where the standard phrase does not say what to do."""


def respond(problem: Problem) -> HttpResponse:
    """The answer; what a problem has `more` stands beside its fields."""
    error = {
        "code": problem.code,
        "message": problem.message,
        "fields": [{"field": fault.field, "message": fault.message} for fault in problem.fields],
        **problem.more,
    }
    return HttpResponse(
        json.dumps({"error": error}),
        status=problem.status,
        content_type="application/json",
        headers=problem.headers,
    )


def of_status(status: int, message: str = "") -> Problem:
    """What is known when only the status is: from Django itself, or from ninja."""
    code = CODES.get(status, "internal_error" if status >= 500 else "bad_request")
    words = message or SENTENCES.get(status) or f"{HTTPStatus(status).phrase}."
    return Problem(status, code, words)


def of_refusal(refusal: OrderRefused) -> Problem:
    """The shop's refusals begin with the field that is wrong: "quantity: 0 of MUG; must be …"."""
    field, _, message = str(refusal).partition(": ")
    return Problem(422, "invalid", str(refusal), [Fault(field, message)])


def of_transition(refusal: IllegalTransition) -> Problem:
    return Problem(
        409,
        "illegal_transition",
        str(refusal),
        state=refusal.state,
        allowed=list(refusal.allowed),
    )


def of_validation(errors: Iterable[dict[str, Any]]) -> Problem:
    """Each of pydantic's errors by the path of its field, as the request has it."""
    faults = [Fault(_path(error["loc"]), error["msg"]) for error in errors]
    first = faults[0]
    return Problem(422, "invalid", f"{first.field}: {first.message}.", faults)


def _path(location: Iterable[Any]) -> str:
    """`("body", "wish", "lines", 0, "sku")` is lines.0.sku: where it lies, and our name for the
    whole body, say nothing to the caller."""
    source, *path = location
    if source == "body":
        path = path[1:]
    return ".".join(map(str, path)) or source


def install(api: NinjaAPI) -> None:
    """Anything else goes on to Django, which logs it and answers 500, or 503 for an outage."""

    def handler(kind: type[Exception], read: Any) -> None:
        def handle(_request: HttpRequest, error: Any) -> HttpResponse:
            return respond(read(error))

        api.add_exception_handler(kind, handle)

    handler(Problem, lambda problem: problem)
    handler(OrderRefused, of_refusal)
    handler(IllegalTransition, of_transition)
    handler(ValidationError, lambda error: of_validation(error.errors))
    handler(HttpError, lambda error: of_status(error.status_code, f"{error}."))
    handler(Http404, lambda _error: of_status(404))
    api.add_exception_handler(Exception, _reraise)


def _reraise(_request: HttpRequest, error: Exception) -> HttpResponse:
    raise error
