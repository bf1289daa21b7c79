"""How one value is shown: badges, moments, spans of time, links and blocks of text."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.bodies import printable
from notifications.models import Delivery, TemplateVersion
from notifications.redaction import redact
from notifications.templating.places import DEFAULT

EMPTY = "—"
SHORT = 80
"""Characters of an error in a list."""
SENTENCE = 300
"""Characters of a text where it is what one came to read."""

NEAR = timedelta(days=7)
"""Before a deadline, from when on it is warned of."""

MAX_BODY = 100_000
"""Characters of a body or a traceback on its page; what is kept may be longer."""

WAITING, GOOD, TROUBLE, BAD, QUIET = "waiting", "good", "trouble", "bad", "quiet"

STATES: dict[str, tuple[str, Promise]] = {
    # deliveries
    "pending": (WAITING, _("pending")),
    "sending": (WAITING, _("sending")),
    "retrying": (TROUBLE, _("retrying")),
    "sent": (GOOD, _("sent")),
    "delivered": (GOOD, _("delivered")),
    "bounced": (BAD, _("bounced")),
    "complained": (BAD, _("complained")),
    "failed": (BAD, _("failed")),
    "unknown": (TROUBLE, _("unknown")),
    "skipped": (QUIET, _("skipped")),
    "discarded": (QUIET, _("discarded")),
    # attempts
    "started": (WAITING, _("started")),
    "transient": (TROUBLE, _("failed for now")),
    "permanent": (BAD, _("failed for good")),
    "paused": (TROUBLE, _("paused")),  # the account, as its code says; an announcement too
    # receipts, beside the states of a delivery that are their names too
    "accepted": (GOOD, _("accepted")),
    "delayed": (TROUBLE, _("delayed")),
    "rejected": (BAD, _("rejected")),
    "soft_bounced": (BAD, _("bounced (soft)")),
    "opened": (GOOD, _("opened")),
    "clicked": (GOOD, _("clicked")),
    "read": (GOOD, _("read")),
    # partners' endpoints
    "enabled": (GOOD, _("enabled")),
    "disabled": (BAD, _("disabled")),
    # dispatches
    "waiting": (WAITING, _("waiting")),
    "claimed": (WAITING, _("claimed")),
    "published": (GOOD, _("published")),
    # scheduled events, beside "waiting" and "refused"
    "recorded": (GOOD, _("recorded")),
    "called_off": (QUIET, _("called off")),
    # dead letters and the inbox
    "open": (TROUBLE, _("open")),
    "redriven": (QUIET, _("redriven")),
    "done": (GOOD, _("done")),
    # templates, beside "published"
    "draft": (WAITING, _("draft")),
    "retired": (QUIET, _("retired")),
    # breakers and pauses
    "closed": (GOOD, _("closed")),
    "in_force": (TROUBLE, _("in force")),
    "over": (QUIET, _("over")),
    # preferences
    "wanted": (GOOD, _("wanted")),
    "unwanted": (QUIET, _("not wanted")),
    # jobs and their items
    "cancelled": (QUIET, _("cancelled")),
    "dispatched": (WAITING, _("dispatched")),
    "refused": (TROUBLE, _("refused")),
    "left_alone": (QUIET, _("left alone")),
    # announcements
    "expanding": (WAITING, _("expanding")),
    # workers
    "running": (GOOD, _("running")),
    "stopping": (WAITING, _("stopping")),
    "stopped": (QUIET, _("stopped")),
    "lost": (BAD, _("lost")),
    # Celery's
    "PENDING": (WAITING, _("pending")),
    "STARTED": (WAITING, _("started")),
    "RETRY": (TROUBLE, _("retrying")),
    "FAILURE": (BAD, _("failed")),
    "SUCCESS": (GOOD, _("succeeded")),
    "REVOKED": (QUIET, _("revoked")),
}


def state_label(state: str) -> str:
    return str(STATES[state][1]) if state in STATES else state


def badge(state: str, *, tone: str = "") -> SafeString:
    """The state in words, on the colour of its tone; the words alone say everything.

    tone: of a state of the shop's own, which then is the words.
    """
    tone = tone or (STATES[state][0] if state in STATES else QUIET)
    return format_html(
        '<span class="notifications-badge notifications-{}">{}</span>', tone, state_label(state)
    )


def age(moment: datetime | None) -> SafeString | str:
    """How long ago, short, with the exact time in the title."""
    if moment is None:
        return EMPTY
    return _time(moment, _since(moment))


def ago(moment: datetime | None) -> SafeString | str:
    """The same where no heading says that it is an age: "3 minutes ago"."""
    if moment is None:
        return EMPTY
    return _time(moment, gettext("%(span)s ago") % {"span": _since(moment)})


def due(moment: datetime | None) -> SafeString | str:
    """When something is to happen: "in 3 minutes", or "now" once its time has come."""
    if moment is None:
        return EMPTY
    now = timezone.now()
    if moment <= now:
        return _time(moment, gettext("now"))
    if moment - now < timedelta(minutes=1):
        return _time(moment, gettext("in seconds"))
    return _time(moment, gettext("in %(span)s") % {"span": timesince(now, moment, depth=1)})


def deadline(moment: datetime) -> SafeString | str:
    """The same for what is lost then: with a warning when it is NEAR, or over."""
    left = moment - timezone.now()
    if left > NEAR:
        return due(moment)
    tone, words = (TROUBLE, gettext("soon")) if left > timedelta() else (BAD, gettext("over"))
    return format_html("{} {}", due(moment), badge(words, tone=tone))


def exact(moment: datetime | None) -> SafeString | str:
    """The time to the millisecond, in the site's time zone."""
    if moment is None:
        return EMPTY
    local = timezone.localtime(moment)
    milliseconds = f"{local.microsecond // 1000:03d}"
    text = f"{local:%Y-%m-%d %H:%M:%S}.{milliseconds}\N{NO-BREAK SPACE}{local:%Z}"
    return _time(moment, text)


def span(length: timedelta | None) -> str:
    """A length of time in the units that matter: "84 ms", "3.2 s", "4 min 10 s", "2 h 5 min"."""
    if length is None:
        return EMPTY
    seconds = length.total_seconds()
    if seconds < 0:  # clocks of two machines
        return f"-{span(-length)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f}\N{NO-BREAK SPACE}ms"
    if seconds < 60:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def number(value: float) -> str:
    """With the thousands set apart as the reader does it: "1,204"."""
    return number_format(value, use_l10n=True, force_grouping=True)


def percent(part: float) -> str:
    """Never 100 % while something failed."""
    return f"{int(part * 1000) / 10:g} %"


def short(text: str, *, address: str = "", most: int = SHORT) -> str:
    """One line of an error for a list, without the addresses it may hold. most: characters."""
    return Truncator(redact(" ".join(text.split()), address=address)).chars(most) or EMPTY


def version_url(version: TemplateVersion) -> str:
    """The page of one version of a template."""
    of = version.template
    place = (of.event_type, of.channel, of.locale or DEFAULT)
    return reverse("admin:notifications_template_version", args=[*place, version.number])


def block(text: str, *, address: str = "", revealed: bool = False) -> SafeString | str:
    """Text as it stands, in a box of its own: escaped, cut at MAX_BODY, and without addresses
    unless it is revealed."""
    if not text:
        return EMPTY
    shown = printable(text[:MAX_BODY])
    if not revealed:
        shown = redact(shown, address=address, limit=2 * MAX_BODY)
    rest = len(text) - MAX_BODY
    if rest > 0:
        shown += "\n" + gettext("… and %(count)d characters more") % {"count": rest}
    return format_html('<pre class="notifications-block" tabindex="0">{}</pre>', shown)


def as_json(value: Any, *, revealed: bool = False) -> SafeString | str:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return block(text, revealed=revealed)


def body(raw: bytes, *, revealed: bool = False) -> SafeString | str:
    """A message as it came: indented if it is JSON, otherwise whatever can be printed of it."""
    text = raw.decode(errors="backslashreplace")
    try:
        return as_json(json.loads(text), revealed=revealed)
    except (ValueError, RecursionError):
        return block(text, revealed=revealed)


def page_url(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_url(model: type[Model], **parameters: str) -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(parameters)}" if parameters else url


def subject_link(model: type[Model], subject: str) -> SafeString | str:
    """The subject, leading to its timeline, and beside it to all about it in the list of `model`.

    Where the admin has no console the subject itself leads there.
    """
    if not subject:
        return EMPTY
    here = list_url(model, q=subject)
    try:
        timeline = reverse("admin:console_timeline_of", args=[subject])
    except NoReverseMatch:
        return link(here, subject)
    return format_html(
        '<a href="{}">{}</a> <small><a href="{}" title="{}">{}</a></small>',
        *(timeline, subject, here),
        gettext("%(subject)s in this list") % {"subject": subject},
        gettext("all here"),
    )


def group_link(fingerprint: str) -> SafeString | str:
    """The fingerprint of a failure, leading to all of its cause."""
    if not fingerprint:
        return EMPTY
    try:
        page = reverse("admin:console_failure_group", args=[fingerprint])
    except NoReverseMatch:
        return fingerprint
    return link(page, fingerprint)


def two_lines(first: object, second: object) -> SafeString:
    return format_html('{}<span class="notifications-second">{}</span>', first, second)


def recipient(delivery: Delivery) -> SafeString:
    """The shop's reference, leading to all that the person was told; below it the address."""
    told = list_url(Delivery, q=person(delivery.recipient))
    return two_lines(link(told, delivery.recipient), delivery.masked_address)


def person(reference: str) -> str:
    """Whose a recipient's reference is: "customer/42" of "customer/42/device/7"."""
    return "/".join(reference.split("/", 2)[:2])


def link(url: str, text: object) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)


def event_link(event_id: UUID | None) -> SafeString | str:
    if event_id is None:
        return EMPTY
    return link(reverse("admin:notifications_event_change", args=[event_id]), event_id)


def _since(moment: datetime) -> str:
    seconds = int((timezone.now() - moment).total_seconds())
    return f"{max(seconds, 0)}\N{NO-BREAK SPACE}s" if seconds < 60 else timesince(moment, depth=1)


def _time(moment: datetime, text: str) -> SafeString:
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        text,
    )
