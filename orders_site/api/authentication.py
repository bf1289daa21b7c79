"""Who asks: `Authorization: Bearer <token>`.

A token that was found is trusted for some seconds without another look into the database, so that
most requests cost no statement for it. So a revocation holds everywhere within those seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest
from ninja.security import HttpBearer

from orders_site.api.exceptions import Problem
from orders_site.api.models import ApiClient
from orders_site.api.throttling import throttle
from orders_site.api.tokens import LONGEST, hash_of

TRUSTED_FOR = 5.0
"""Seconds."""


class KnownTokens:
    """The clients that this process has met, by their token's hash. At most one entry per client
    and rotation: a token that nobody has leaves nothing here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, ApiClient]] = {}

    def client_of(self, token: str) -> ApiClient | None:
        if len(token) > LONGEST:
            return None
        token_hash = hash_of(token)
        until, client = self._known.get(token_hash, (0.0, None))
        if client is not None and self._clock() < until:
            return client
        client = ApiClient.objects.known_by(token_hash)
        if client is None:
            self._known.pop(token_hash, None)
        else:
            self._known[token_hash] = self._clock() + TRUSTED_FOR, client
        return client

    def forget(self) -> None:
        """This process looks again; the others within `TRUSTED_FOR` seconds."""
        self._known.clear()


known = KnownTokens()


class Bearer(HttpBearer):
    """What ninja asks before each operation. Sets `request.auth` to the client."""

    def __call__(self, request: HttpRequest) -> ApiClient:
        client = super().__call__(request)
        if client is None:
            raise Problem(
                401,
                "unauthenticated",
                "Send a valid token: `Authorization: Bearer …`.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        throttle.admit(client)
        return client

    def authenticate(self, request: HttpRequest, token: str) -> ApiClient | None:
        return known.client_of(token)
