"""The order API as ninja puts it together: operations, errors, and the OpenAPI page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger

from orders_site.api import announcements, errors
from orders_site.api.authentication import Bearer
from orders_site.api.exceptions import Problem
from orders_site.api.orders import router

_DESCRIPTION = """\
Place an order for a customer, read it, ship it, cancel it, refund it. Announce something to a whole
audience, for clients that may.

An answer means that the order is kept, and that everything else will follow: the payment, the stock
and what the customer is told are worked off behind it, so no request waits for a provider.

* Send your token: `Authorization: Bearer …`.
* Send an `Idempotency-Key` with every POST, and repeat what was not answered with the same key.
* Money is whole minor units of a currency.
* Every error has one shape, `{"error": {"code", "message", "fields"}}`; `429` and `503`
  say in `Retry-After` when to come back.
"""


def for_staff_or_clients(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The page and the schema: for operators who are logged in, and for clients with a token. Where
    no console is served nobody can log in."""
    bearer = Bearer()

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        login = _login()
        if "Authorization" in request.headers or not login:
            try:
                bearer(request)
            except Problem as problem:
                return errors.respond(problem)
        elif not (request.user.is_active and request.user.is_staff):
            return redirect_to_login(request.get_full_path(), login)
        return view(request, *args, **kwargs)

    return guarded


def _login() -> str:
    try:
        return reverse("admin:login")
    except NoReverseMatch:
        return ""


api = NinjaAPI(
    title="Order API",
    version="1",
    description=_DESCRIPTION,
    urls_namespace="api",
    auth=Bearer(),
    # Swagger would show a badge of its maker's validator, loaded from there.
    docs=Swagger({"validatorUrl": None, "persistAuthorization": False}),
    docs_decorator=for_staff_or_clients,
)
errors.install(api)
api.add_router("", router)
api.add_router("", announcements.router)
