"""`manage.py announce`, `manage.py announcements` and the admin's page."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from notifications.announcements import begin, wish
from notifications.expansion import advance
from notifications.models import Announcement, Lot
from notifications.testing import deliver_in_process
from orders_site.api.models import ApiClient
from tests.api import a_caller
from tests.integration.operator_rows import operator, page_url
from tests.shop import a_customer

pytestmark = pytest.mark.django_db

OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}
DATA = ("--data", json.dumps(OFFER))
NEWS = ("shop.news", "--audience", "customers", *DATA)


def command(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def an_announcement(**given: Any) -> Announcement:
    wanted = wish("shop.news", audience="customers", data=OFFER, **given)
    return begin(wanted, by="ada", reason="the spring sale")


def go_on() -> None:
    Lot.objects.update(look_at=Now() - timedelta(seconds=1))
    advance(using="default", go_on=lambda: True)


# The command


def test_it_is_announced_shown_paused_and_cancelled_by_command(sandbox: Any) -> None:
    with deliver_in_process() as told:
        a_customer(devices=1)
        a_customer(sms_consent=False)
        said = command("announce", *NEWS, "--channels", "email,sms", "--reason", "spring sale")
        told.run()
        go_on()
    number = str(Announcement.objects.get().pk)
    assert said == f"announcement {number}: shop.news to about 2 people by email, sms\n"

    shown = command("announcements", "show", number)
    assert f"{number}  done       2 of 2 people" in shown
    assert "email  2 sent" in shown
    assert "sms    1 sent, 1 skipped (opted_out)" in shown
    assert "begun, about 2 people: spring sale" in shown
    assert "shop.news to customers: spring sale" in command("announcements")
    told_so = json.loads(command("announcements", "show", number, "--json"))
    assert told_so["lanes"][1]["counts"] == {"sent": 1, "skipped:opted_out": 1}
    assert json.loads(command("announcements", "list", "--json"))["announcements"][0]["id"] == int(
        number
    )
    assert "done" in command("announcements", "watch", number)

    another = str(an_announcement().pk)
    tried = command("announcements", "pause", another, "--reason", "a typo", "--dry-run")
    assert tried == f"announcement {another} is expanding, and would be paused; nothing was done\n"
    paused = command("announcements", "pause", another, "--reason", "a typo", "--by", "grace")
    assert paused == f"announcement {another} is paused\n"
    command("announcements", "resume", another, "--reason", "mended")
    command("announcements", "cancel", another, "--reason", "the wrong code")
    with pytest.raises(CommandError, match=f"Announcement {another} is cancelled."):
        command("announcements", "resume", another, "--reason", "after all")
    with pytest.raises(CommandError, match=f"Announcement {another} is cancelled."):
        command("announcements", "rate", another, "5/s", "--reason", "slower", "--dry-run")


def test_a_dry_run_says_how_many_by_channel_who_is_excluded_and_how_long_it_takes() -> None:
    a_customer(devices=2)
    a_customer(sms_consent=False, push_consent=False)
    said = command("announce", *NEWS, "--rate", "120/m", "--dry-run")
    assert "shop.news to 2 people (customers)" in said
    assert "  email     2 messages; 1.0 s for all" in said
    assert "  sms       1 messages, 1 not (opted_out); 1.0 s for all" in said
    assert "  push      2 messages, 1 not (opted_out)" in said
    assert said.endswith("Nothing was done.\n")
    told = json.loads(command("announce", *NEWS, "--dry-run", "--json"))
    assert told["channels"]["sms"]["excluded"] == {"opted_out": 1}
    assert not Announcement.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*NEWS,), 'Say why: --reason "…"; it is kept with the announcement.'),
        (("shop.news", "--audience", "martians", *DATA), "No audience is named 'martians'"),
        (("shop.gossip", "--audience", "customers"), "shop.gossip is not registered here"),
        ((*NEWS, "--channels", "pigeon"), "shop.news is not told over pigeon"),
        (("shop.news", "--audience", "customers", "--data", "20"), "'20' is no JSON object"),
        ((*NEWS, "--rate", "fast"), "'fast' is no rate"),
        ((*NEWS, "--rate", "0/s"), "give more than 0, or no --rate"),
        ((*NEWS, "--rate", "1e-320"), "'1e-320' is no limit that anybody keeps"),
    ],
)
def test_a_wrong_argument_gets_one_clear_line(arguments: tuple[str, ...], said: str) -> None:
    a_customer()
    with pytest.raises(CommandError) as refused:
        command("announce", *arguments)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not Announcement.objects.exists()


def test_of_an_announcement_that_is_not_there_it_is_said() -> None:
    with pytest.raises(CommandError, match="There is no announcement 7"):
        command("announcements", "show", "7")


def test_a_client_is_let_announce_and_forbidden_by_command() -> None:
    name = a_caller().name
    command("api_clients", "allow", name, "--reason", "the newsletter", "--by", "grace")
    client = ApiClient.objects.get(name=name)
    assert (client.may_announce, client.announcing_by) == (True, "grace")
    assert "may announce" in command("api_clients")
    with pytest.raises(CommandError, match="may announce already"):
        command("api_clients", "allow", name, "--reason", "again")
    command("api_clients", "forbid", name, "--reason", "no more")
    client.refresh_from_db()
    assert (client.may_announce, client.announcing_reason) == (False, "no more")


# The admin's page


def url(announcement: Announcement, verb: str) -> str:
    return reverse(f"admin:notifications_announcement_{verb}", args=[announcement.pk])


def somebody_with(*permissions: str) -> Client:
    client = operator(Announcement)
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return client


def test_its_page_shows_each_channel_and_pauses_resumes_and_cancels_with_who_and_why() -> None:
    a_customer()
    announcement = an_announcement(channels=["email"])
    Announcement.objects.update(rate=20 / 60)
    advance(using="default", go_on=lambda: True)
    client = somebody_with("pause_announcement", "cancel_announcement")

    listed = client.get(reverse("admin:notifications_announcement_changelist")).content.decode()
    assert "1 of 1" in listed
    html = client.get(page_url(announcement)).content.decode()
    assert "0 of 1 people" in html
    assert "1 under way" in html
    assert ">20/m</div>" in html
    assert f'action="{url(announcement, "pause")}"' in html
    assert f'action="{url(announcement, "resume")}"' not in html

    client.post(url(announcement, "pause"), {"reason": "a typo"})
    announcement.refresh_from_db()
    assert announcement.state == Announcement.State.PAUSED
    assert "account paused" not in client.get(page_url(announcement)).content.decode()
    client.post(url(announcement, "resume"), {"reason": "mended"})
    client.post(url(announcement, "cancel"), {"reason": "the wrong code"})
    announcement.refresh_from_db()
    assert announcement.state == Announcement.State.CANCELLED
    entries = announcement.log.order_by("id")
    assert [entry.text for entry in entries][1:] == [
        "paused: a typo",
        "resumed: mended",
        "cancelled: the wrong code",
    ]
    assert all(entry.by.startswith("operator-") for entry in entries[1:])


def test_without_the_permission_by_get_or_without_a_reason_nothing_is_done() -> None:
    a_customer()
    announcement = an_announcement(channels=["email"])
    pauser = somebody_with("pause_announcement")
    assert pauser.post(url(announcement, "cancel"), {"reason": "no"}).status_code == 403
    assert pauser.get(url(announcement, "pause")).status_code == 405
    pauser.post(url(announcement, "pause"), {"reason": " "})
    announcement.refresh_from_db()
    assert announcement.state == Announcement.State.EXPANDING
