"""Making, re-keying and revoking API clients. A token is told once, to whoever asked for it."""

from __future__ import annotations

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from orders_site.api import authentication
from orders_site.api.exceptions import ClientRefused
from orders_site.api.models import DEFAULT_RATE, ApiClient
from orders_site.api.tokens import hash_of, new_token

OVERLAP = timedelta(days=1)
"""For which the token before is good too, so that a client has the time to take the new one."""


def make_client(
    *,
    name: str,
    rate_per_minute: int = DEFAULT_RATE,
    may_announce: bool = False,
    by: str = "",
) -> tuple[ApiClient, str]:
    """The client and its token, which nobody can read again. Raises ClientRefused."""
    token = new_token()
    client = ApiClient(
        name=name,
        rate_per_minute=rate_per_minute,
        may_announce=may_announce,
        announcing_by=by if may_announce else "",
        token_hash=hash_of(token),
        created_by=by,
    )
    check(client)
    try:
        with transaction.atomic():
            client.save(force_insert=True)
    except IntegrityError:  # somebody was faster than our look
        raise ClientRefused(f"name: {name} is taken.") from None
    return client, token


def rotate_token(*, name: str, overlap: timedelta = OVERLAP) -> str:
    """A new token. The one before is good for the overlap, and one before that no more."""
    token = new_token()
    if not ApiClient.objects.replace_token(name, hash_of(token), overlap=overlap):
        raise _unknown(name)
    authentication.known.forget()
    return token


def end_old_token(*, name: str) -> None:
    """It ends within `authentication.TRUSTED_FOR` seconds, although its time is not over."""
    if not ApiClient.objects.end_old_token(name):
        active(name)
        raise _no_old_token(name)
    authentication.known.forget()


def revoke_client(*, name: str, by: str, reason: str) -> None:
    """Its token ends within `authentication.TRUSTED_FOR` seconds, for good. Its orders stay."""
    if not ApiClient.objects.revoke(name, by=by, reason=reason):
        raise _unknown(name)
    authentication.known.forget()


def allow_announcing(*, name: str, allowed: bool, by: str, reason: str) -> None:
    """Whether it may announce from now on; holds within `authentication.TRUSTED_FOR` seconds."""
    if not ApiClient.objects.allow_announcing(name, allowed, by=by, reason=reason):
        active(name)
        raise _already(name, allowed)
    authentication.known.forget()


def check(client: ApiClient) -> None:
    """Raises ClientRefused naming the field."""
    try:
        client.full_clean(exclude=["token_hash"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise ClientRefused(f"{field}: {messages[0]}") from None


def active(name: str) -> ApiClient:
    """Raises ClientRefused when there is none of that name, or no more."""
    client = ApiClient.objects.filter(name=name, revoked_at=None).first()
    if client is None:
        raise _unknown(name)
    return client


def with_old_token(name: str) -> ApiClient:
    """Raises ClientRefused when there is nothing for `end_old_token` to end."""
    client = active(name)
    if client.both_until is None:
        raise _no_old_token(name)
    return client


def not_yet(name: str, *, allowed: bool) -> ApiClient:
    """Raises ClientRefused when there is nothing for `allow_announcing` to change."""
    client = active(name)
    if client.may_announce == allowed:
        raise _already(name, allowed)
    return client


def _no_old_token(name: str) -> ClientRefused:
    return ClientRefused(f"name: {name} has no old token that is good.")


def _already(name: str, allowed: bool) -> ClientRefused:
    return ClientRefused(f"name: {name} may {'' if allowed else 'not '}announce already.")


def _unknown(name: str) -> ClientRefused:
    revoked = ApiClient.objects.filter(name=name).exists()
    return ClientRefused(f"name: {name} is revoked." if revoked else f"name: there is no {name}.")
