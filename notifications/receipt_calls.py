"""Receipts over HTTP: Meta's webhook, and Twilio's or of those who sign as it does.

A call is measured, verified, read and handed on to the receipts queue by the outbox, in the one
transaction in which its signature is remembered: so it is taken once, and never lost. What is
refused changes nothing. Decision record 0031 says why.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid5

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from notifications import tracing
from notifications.channels.correlation import Correlation, to_query
from notifications.channels.receipts import handed_on, twilio, whatsapp
from notifications.channels.receipts.base import Said
from notifications.channels.receipts.consumer import NAME as QUEUE
from notifications.conf import conf
from notifications.envelope import json_object
from notifications.exceptions import NotAnEvent
from notifications.identifiers import NAMESPACE
from notifications.models import Dispatch, Seen
from notifications.nudges import nudge
from notifications.outages import DATABASE_AWAY, leave_replica
from notifications.replies import Heard
from notifications.signatures import is_one_of, signed_by_meta, signed_by_twilio
from notifications.worker.counts import Counts

WINDOW = timedelta(days=7)
"""For how long Meta goes on with a call that was not answered (WhatsApp Business Platform,
"Webhooks"). What happened before is a replay, whoever kept the signature."""

REMEMBERED = WINDOW + timedelta(days=1)
"""How long a signature is known again: longer than its call could pass for a new one. Twilio's
calls are undated; the ids of receipts and replies themselves, kept for a year, go on from here."""

AWAY = "60"
"""Seconds after which a caller may try again while the database is away."""

LONGEST_CHALLENGE = 200
MOST_FIELDS = 200
MOST_DIGITS = 12
"""Of a length that is said: thousands of them are no number that Python would read."""

logger = logging.getLogger(__name__)

refusals = Counts()
"""By "caller reason", since this process started."""

Found = list[Said | Heard]


class Refused(Exception):
    """Answered with this status; nothing is changed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Caller:
    """Who calls, and how that is told.

    content_type: the only one taken. most: bytes of a body. verify: what was signed; None where
    nobody has signed who may. answer: what it is told that was taken; of Twilio's kind the body
    would be sent on to the customer, were it not empty markup.
    """

    name: str
    content_type: str
    most: int
    verify: Callable[[HttpRequest, bytes], bytes | None]
    read: Callable[[HttpRequest, bytes], Found]
    answer: str = ""
    answer_type: str = "text/plain"


# No browser sends these calls and no session stands behind them: the signature says whose they
# are, and a form on another site cannot make one. So there is nothing for a CSRF token to guard.
@csrf_exempt
@require_http_methods(["GET", "POST"])
def meta(request: HttpRequest) -> HttpResponse:
    """Meta's webhook: its question whether we are who we say, and then its calls."""
    if not conf().receipt_webhooks.meta_app_secrets:
        raise Http404
    return _challenged(request) if request.method == "GET" else _receive(request, META)


@csrf_exempt
@require_http_methods(["POST"])
def signed_form(request: HttpRequest) -> HttpResponse:
    """Calls of Twilio's kind: what became of a message, or one that somebody has written."""
    if not conf().receipt_webhooks.twilio_auth_tokens:
        raise Http404
    return _receive(request, TWILIO)


def callback_url(correlation: Correlation) -> str:
    """Where a provider of Twilio's kind is to call about a message, for an adapter to give it.

    Raises ImproperlyConfigured without NOTIFICATIONS["PUBLIC_URL"].
    """
    public = conf().public_url
    if not public:
        raise ImproperlyConfigured(
            'NOTIFICATIONS["PUBLIC_URL"] is not set: the provider could not call us.'
        )
    path = reverse("notifications:receipts-twilio")
    return f"{public.rstrip('/')}{path}?{to_query(correlation)}"


def _challenged(request: HttpRequest) -> HttpResponse:
    """Whoever knows our word is told its own back. (Meta, Webhooks, "Verification requests".)"""
    expected = conf().receipt_webhooks.meta_verify_token
    said, challenge = (request.GET.get(f"hub.{name}", "") for name in ("verify_token", "challenge"))
    knows = bool(expected) and is_one_of(said, [expected])
    if request.GET.get("hub.mode") != "subscribe" or not knows:
        return _refused(META, Refused(403, "unverified"))
    if not challenge.isalnum() or len(challenge) > LONGEST_CHALLENGE:
        return _refused(META, Refused(400, "challenge"))
    return HttpResponse(challenge, content_type="text/plain")


def _receive(request: HttpRequest, caller: Caller) -> HttpResponse:
    try:
        body = _measured(request, caller)
        signed = caller.verify(request, body)
        if signed is None:
            raise Refused(403, "forged")
        _take(caller, signed, _read(request, caller, body))
    except Refused as refused:
        return _refused(caller, refused)
    except DATABASE_AWAY as error:
        leave_replica(error)
        logger.warning("a call of %s is put off: the database is away", caller.name)
        return HttpResponse(status=503, headers={"Retry-After": AWAY})
    return HttpResponse(caller.answer, content_type=caller.answer_type)


def _measured(request: HttpRequest, caller: Caller) -> bytes:
    """The body, if it is of the right kind and size. A longer one is not read to its end."""
    if request.content_type != caller.content_type:
        raise Refused(415, "content_type")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and (len(length) > MOST_DIGITS or int(length) > caller.most):
        raise Refused(413, "too_large")
    body = request.read(caller.most + 1)
    if len(body) > caller.most:
        raise Refused(413, "too_large")
    return bytes(body)


def _read(request: HttpRequest, caller: Caller, body: bytes) -> Found:
    """It is signed, so if we cannot read it the fault may be ours: the caller keeps it and tries
    again for days, in which we may learn to."""
    try:
        return caller.read(request, body)
    except NotAnEvent as error:
        logger.warning("a call of %s cannot be read: %s", caller.name, error)
        raise Refused(400, "unreadable") from None


def _take(caller: Caller, signed: bytes, found: Found) -> None:
    if not found:
        return  # of somebody else's message: there is nothing to be done, and so nothing to repeat
    if max(map(_occurred_at, found)) < timezone.now() - WINDOW:
        raise Refused(409, "too_old")
    digest = hashlib.sha256(signed).hexdigest()
    using = router.db_for_write(Dispatch)
    with transaction.atomic(using=using):
        call = uuid5(NAMESPACE, f"call:{caller.name}:{digest}")
        if not Seen.objects.using(using).first_time(call, keep=REMEMBERED):
            raise Refused(409, "replayed")
        Dispatch.objects.using(using).bulk_create(
            Dispatch(
                subject=subject[:255],
                kind=Dispatch.Kind.QUEUE,
                destination=QUEUE,
                reason=Dispatch.Reason.RECEIVED,
                body=text,
                attributes=tracing.carried(),
            )
            for subject, text in handed_on.write(found)
        )
        transaction.on_commit(lambda: nudge(using), using=using, robust=True)


def _occurred_at(each: Said | Heard) -> datetime:
    return each.told.occurred_at if isinstance(each, Said) else each.occurred_at


def _refused(caller: Caller, refused: Refused) -> HttpResponse:
    """Nothing of what was said stands in the log, for nobody knows who said it."""
    name = f"{caller.name} {refused.reason}"
    refusals.add(name)
    count = refusals.snapshot()[name]
    logger.warning("a call of %s is refused: %s (%d so far)", caller.name, refused.reason, count)
    return HttpResponse(refused.reason, status=refused.status, content_type="text/plain")


def _signed_by_meta(request: HttpRequest, body: bytes) -> bytes | None:
    header = request.headers.get("X-Hub-Signature-256", "")
    return signed_by_meta(body, header, conf().receipt_webhooks.meta_app_secrets)


def _read_meta(request: HttpRequest, body: bytes) -> Found:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotAnEvent("not UTF-8") from None
    return whatsapp.read_call(json_object(text))


def _signed_by_twilio(request: HttpRequest, body: bytes) -> bytes | None:
    header = request.headers.get("X-Twilio-Signature", "")
    tokens = conf().receipt_webhooks.twilio_auth_tokens
    return signed_by_twilio(_public_url(request), _fields(body), header, tokens)


def _read_twilio(request: HttpRequest, body: bytes) -> Found:
    form = {name: values[0] for name, values in _fields(body).items()}
    return twilio.read(form, request.GET.dict())


def _fields(body: bytes) -> dict[str, list[str]]:
    try:
        text = body.decode()
        return parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:  # UnicodeDecodeError is one
        raise Refused(400, "unreadable") from None


def _public_url(request: HttpRequest) -> str:
    """The URL that was called, as its caller knows it: behind a proxy, ours is another."""
    public = urlsplit(conf().public_url)
    if not public.netloc:
        return request.build_absolute_uri()
    return f"{public.scheme}://{public.netloc}{request.get_full_path()}"


META = Caller(
    name="meta",
    content_type="application/json",
    most=3 * 1024 * 1024,  # "up to 3 MB": WhatsApp Business Platform, Webhooks
    verify=_signed_by_meta,
    read=_read_meta,
)
TWILIO = Caller(
    name="twilio",
    content_type="application/x-www-form-urlencoded",
    most=64 * 1024,
    verify=_signed_by_twilio,
    read=_read_twilio,
    answer="<Response/>",
    answer_type="text/xml",
)
