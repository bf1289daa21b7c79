"""The console's control: queues, event types, templates, providers and announcements are held,
paced and let go, each with its permission and a reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from notifications import depths, pauses, switches
from notifications.conf import ChannelConf, ProviderConf
from notifications.models import (
    Announcement,
    AuditEntry,
    Breaker,
    Delivery,
    Dispatch,
    Lane,
    Pause,
    RateLimit,
)
from tests.integration.operator_rows import make_event

pytestmark = pytest.mark.django_db

Kind = Pause.Kind
TEMPLATE = (Kind.TEMPLATE, "order.created/email")


@pytest.fixture(autouse=True)
def _fresh_switches() -> Iterator[None]:
    switches.look_again()
    depths.forget()
    yield
    switches.look_again()


def visitor(*codenames: str) -> Client:
    """A member of staff who has these permissions of ours."""
    user = User.objects.create_user(f"operator-{uuid4()}", is_staff=True)
    wanted = Permission.objects.filter(
        content_type__app_label="notifications", codename__in=codenames
    )
    assert len(wanted) == len(codenames)
    user.user_permissions.add(*wanted)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ada() -> Client:
    """Somebody who may do all of it."""
    user = User.objects.create_superuser("ada")
    client = Client()
    client.force_login(user)
    return client


def url(page: str, query: str = "") -> str:
    return reverse(f"admin:console_{page}") + query


def text(client: Client, page: str, query: str = "") -> str:
    response = client.get(url(page, query))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def switch(client: Client, kind: str, name: str, verb: str, reason: str = "the account moves"):
    return client.post(
        url("switch"), {"kind": kind, "name": name, "verb": verb, "reason": reason}, follow=True
    )


def last_audited() -> tuple[str, str, str, str]:
    entry = AuditEntry.objects.latest("id")
    return entry.action, entry.actor, entry.reason, entry.door


def put_off(*queues: str) -> None:
    envelope = make_event().envelope()
    pauses.pause(*TEMPLATE, by="ada", reason="wrong link")
    for queue in queues:
        assert pauses.put_off(envelope, queue)


@pytest.mark.parametrize(
    ("kind", "name", "page", "state"),
    [
        (Kind.QUEUE, "email-bulk", "queues", "queue email-bulk, by ada: the account moves"),
        (Kind.CHANNEL, "email", "queues", "channel email, by ada: the account moves"),
        (Kind.PROVIDER, "sms", "providers", "by ada: the account moves"),
        (Kind.EVENT_TYPE, "order.created", "event_types", "by ada: the account moves"),
        (*TEMPLATE, "event_types", "by ada: the account moves"),
    ],
)
def test_what_is_paused_and_resumed_shows_it_at_once_and_is_audited(
    ada: Client, kind: Pause.Kind, name: str, page: str, state: str
) -> None:
    query = f"?kind={kind}&amp;name={name}".replace("/", "%2F")
    assert query in text(ada, page)
    assert f"{kind.label} {name}" in text(ada, "switch", f"?kind={kind}&name={name}")

    paused = switch(ada, kind, name, "pause")

    assert paused.redirect_chain[0][0].startswith(url(page))
    assert "Workers obey within seconds." in paused.content.decode()
    assert state in text(ada, page)
    assert last_audited() == (f"{kind}.pause", "ada", "the account moves", "page")

    resumed = switch(ada, kind, name, "resume", "it has moved")
    assert f"Resumed: {kind.label} {name}." in resumed.content.decode()
    assert state not in text(ada, page)
    assert last_audited()[:3] == (f"{kind}.resume", "ada", "it has moved")


def test_a_resume_says_what_was_put_off_and_is_due_now(ada: Client) -> None:
    put_off("email", "email-bulk")
    assert "2 held while its event type or template is paused" in text(ada, "event_types")
    asked = text(ada, "switch", "?kind=template&name=order.created/email")
    assert "<dt>Messages put off</dt><dd>2</dd>" in asked

    resumed = switch(ada, *TEMPLATE, "resume").content.decode()

    assert "2 messages that were put off are due now." in resumed


def test_nothing_is_done_without_a_reason_and_what_was_typed_stays(ada: Client) -> None:
    response = switch(ada, Kind.QUEUE, "email", "pause", "  ")
    assert response.status_code == 400
    assert "Give a reason of 1 to 255 characters." in response.content.decode()
    response = ada.post(
        url("rate"), {"account": "email", "verb": "set", "rate": "99/m", "reason": ""}
    )
    assert 'value="99/m"' in response.content.decode()
    assert not Pause.objects.exists()
    assert not RateLimit.objects.exists()


def test_who_was_slower_is_told_so(ada: Client) -> None:
    pauses.pause(Kind.QUEUE, "email", by="bob", reason="x")
    assert "It was paused already" in switch(ada, Kind.QUEUE, "email", "pause").content.decode()
    pauses.resume(Kind.QUEUE, "email", by="bob")
    assert "not paused any more" in switch(ada, Kind.QUEUE, "email", "resume").content.decode()


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("switch", ""),
        ("switch", "?kind=queue&name=nobodys"),
        ("switch", "?kind=weather&name=email"),
        ("switch", "?kind=queue&name=%00"),
        ("rate", "?account=nobodys"),
        ("rate", "?account=%00"),
        ("probe", "?account=%00"),
        ("announcement", "?number=1&verb=pause"),
        ("announcement", f"?number={'9' * 30}&verb=pause"),
        ("announcement", "?number=1&verb=explode"),
    ],
)
def test_what_is_not_there_is_not_found(ada: Client, page: str, query: str) -> None:
    assert ada.get(url(page, query)).status_code == 404
    given = dict(each.split("=") for each in query.removeprefix("?").split("&") if each)
    assert ada.post(url(page), {**given, "reason": "x"}).status_code == 404


def test_a_pause_whose_name_is_gone_can_be_ended_but_not_begun(ada: Client) -> None:
    Pause.objects.pause(Kind.EVENT_TYPE, "order.eaten", by="bob")
    assert "order.eaten" in text(ada, "event_types")
    assert (
        "No event type is named"
        in switch(ada, Kind.EVENT_TYPE, "order.eaten", "pause").content.decode()
    )
    switch(ada, Kind.EVENT_TYPE, "order.eaten", "resume")
    assert not Pause.objects.in_force().exists()


def test_a_rate_is_set_and_taken_back(ada: Client) -> None:
    set_to = {"account": "email", "verb": "set", "rate": "14/s", "burst": "3", "reason": "asked"}
    said = ada.post(url("rate"), set_to, follow=True).content.decode()
    assert "The limit of email is 14/s now." in said
    assert "14/s, 3 at once" in said
    row = RateLimit.objects.get(account="email")
    assert (row.override, row.burst, row.changed_by, row.reason) == (14.0, 3, "ada", "asked")
    assert last_audited() == ("rate_limit.set", "ada", "asked", "page")

    back = {"account": "email", "verb": "reset", "reason": "they took it back"}
    ada.post(url("rate"), back)
    row.refresh_from_db()
    assert row.override is None
    assert last_audited()[0] == "rate_limit.reset"

    ada.post(url("rate"), {**set_to, "rate": "none", "burst": ""})
    row.refresh_from_db()
    assert (row.override, row.burst) == (math.inf, None)


@pytest.mark.parametrize(
    ("rate", "burst"),
    [
        ("", ""),
        ("fast", ""),
        ("0/s", ""),
        ("-1/s", ""),
        ("1e300/s", ""),
        ("1e-300/s", ""),
        ("nan", ""),
        ("5/s", "0"),
        ("5/s", "many"),
        ("5/s", "99999999999"),
    ],
)
def test_what_is_no_rate_is_refused_with_the_mend(ada: Client, rate: str, burst: str) -> None:
    wish = {"account": "email", "verb": "set", "rate": rate, "burst": burst, "reason": "x"}
    response = ada.post(url("rate"), wish)
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()
    assert not RateLimit.objects.exists()


def test_an_account_that_is_left_alone_is_tried_at_once(ada: Client) -> None:
    Breaker.objects.failed("email", "503 from the provider", at_once=True, retry_after=600)
    shown = text(ada, "providers")
    assert "left alone</span> 503 from the provider" in shown
    assert "?account=email" in shown

    said = ada.post(url("probe"), {"account": "email", "reason": "they are back"}, follow=True)

    assert "tried with its next message" in said.content.decode()
    assert Breaker.objects.may_probe("email")
    assert last_audited() == ("breaker.probe", "ada", "they are back", "page")


def test_of_several_providers_each_has_its_share_and_says_who_takes_over(ada: Client, settings):
    memory = "notifications.channels.memory.MemoryChannel"
    email = ChannelConf(
        providers=(
            ProviderConf("ses", memory, {"channel": "email"}, weight=9, rate_limit="50/s"),
            ProviderConf("relay", memory, {"channel": "email"}, weight=1, rate_limit="5/s"),
        )
    )
    channels = {**settings.NOTIFICATIONS["CHANNELS"], "email": email}
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "CHANNELS": channels}

    shown = text(ada, "providers")
    assert "90%" in shown
    assert "10%" in shown
    assert "MemoryChannel" in shown
    asked = text(ada, "switch", "?kind=provider&name=email.ses")
    assert "Its messages go by email.relay." in asked


def announcement(**given) -> Announcement:
    made = Announcement.objects.create(
        **{"event_type": "shop.news", "version": 1, "audience": "customers", "rate": 1 / 3600}
        | {"channels": ["email"], "actor": "bob", "reason": "spring", "estimate": 10}
        | given
    )
    Lane.objects.create(announcement=made, channel="email")
    return made


def test_an_announcement_is_held_paced_and_ended(ada: Client) -> None:
    it = announcement()

    def move(verb: str, **more: str) -> str:
        wish = {"number": it.pk, "verb": verb, "reason": "a typo", **more}
        response = ada.post(url("announcement"), wish, follow=True)
        it.refresh_from_db()
        return response.content.decode()

    assert "verb=pause" in text(ada, "announcements")
    assert "Done: Pause" in move("pause")
    assert it.state == "paused"
    assert "is paused." in move("pause")
    move("rate", rate="50/s")
    assert it.rate == 50
    assert last_audited() == ("announcement.rate", "ada", "a typo", "page")
    assert "is no rate" in move("rate", rate="quickly")
    move("rate", rate="none")
    assert it.rate is None
    move("resume")
    move("cancel")
    assert it.state == "cancelled"
    assert f"Announcement {it.pk} is cancelled." in move("rate", rate="5/s")
    assert "verb=" not in text(ada, "announcements")


def test_what_waits_of_one_kind_leads_to_where_it_is_dropped(ada: Client) -> None:
    put_off("email")
    shown = text(ada, "event_types")
    query = "?kind=drop&amp;event_type=order.created&amp;channel=email"
    assert query in shown
    asked = ada.get(url("bulk", query.replace("&amp;", "&"))).content.decode()
    assert "1 thing is meant." in asked


@pytest.mark.usefixtures("empty_aws")
def test_while_sqs_does_not_tell_the_page_is_there_and_says_so(ada: Client) -> None:
    shown = text(ada, "queues")
    assert "SQS does not tell what lies in the queues" in shown
    assert '<td class="notifications-number">?<span class="notifications-second">?</span>' in shown
    assert "kind=queue&amp;name=email-bulk" in shown


def test_who_may_only_look_sees_why_they_may_not_press(ada: Client) -> None:
    put_off("email")
    Breaker.objects.failed("email", "503", at_once=True, retry_after=600)
    it = announcement()
    looker = visitor("view_pause", "view_ratelimit", "view_announcement")
    for page, name in (
        ("queues", "Can pause and resume queues"),
        ("event_types", "Can pause and resume queues"),
        ("event_types", "Can discard deliveries"),
        ("providers", "Can change rate limit"),
        ("announcements", "Can cancel announcements"),
    ):
        shown = text(looker, page)
        assert f"You lack the permission “{name}" in shown
        assert 'class="button" href' not in shown
    for page, query, wish in (
        ("switch", "?kind=queue&name=email", {"kind": "queue", "name": "email", "verb": "pause"}),
        ("rate", "?account=email", {"account": "email", "verb": "set", "rate": "5/s"}),
        ("probe", "?account=email", {"account": "email"}),
        ("announcement", f"?number={it.pk}&verb=cancel", {"number": it.pk, "verb": "cancel"}),
    ):
        assert looker.get(url(page, query)).status_code == 403
        assert looker.post(url(page), {**wish, "reason": "x"}).status_code == 403
    assert Pause.objects.count() == 1
    assert not RateLimit.objects.exists()


def test_each_page_asks_for_its_own_permission_and_who_pauses_changes_no_rate() -> None:
    nobody, pauser = visitor(), visitor("view_pause", "pause_sending")
    for page in ("queues", "event_types", "providers", "announcements"):
        assert nobody.get(url(page)).status_code == 403
    assert pauser.get(url("providers")).status_code == 403
    assert pauser.get(url("rate", "?account=email")).status_code == 403
    assert switch(pauser, Kind.QUEUE, "email", "pause").status_code == 200
    assert Pause.objects.in_force().exists()


def test_nothing_is_changed_by_a_get_or_without_the_token(ada: Client) -> None:
    ada.get(url("switch", "?kind=queue&name=email&verb=pause&reason=x"))
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = ada.cookies
    wish = {"kind": "queue", "name": "email", "verb": "pause", "reason": "x"}
    assert strict.post(url("switch"), wish).status_code == 403
    assert ada.post(url("queues"), wish).status_code == 405
    assert not Pause.objects.exists()


def test_the_figures_lead_to_the_lists_behind_them(ada: Client) -> None:
    put_off("email")
    for page, where in (
        ("queues", f"{reverse('admin:notifications_dispatch_changelist')}?destination=email"),
        ("queues", f"{reverse('admin:notifications_deadletter_changelist')}?queue=email"),
        ("event_types", f"{reverse('admin:notifications_dispatch_changelist')}?state=waiting"),
        ("providers", f"{reverse('admin:notifications_delivery_changelist')}?channel=email"),
    ):
        assert where in text(ada, page), where
    assert not Delivery.objects.exists()
    assert Dispatch.objects.count() == 2
