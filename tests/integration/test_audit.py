"""The audit: nothing changes it, it outlives the user, it names no customer, and can be read."""

from __future__ import annotations

import json
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import Error, connection, transaction
from django.test import Client
from django.urls import reverse

from notifications import audit, jobs, letter_discards, pauses, suppressions, unknowns
from notifications.models import (
    AuditEntry,
    DeadLetter,
    Delivery,
    Job,
    JobItem,
    Pause,
    Suppression,
)
from notifications.preferences import Source, set_preference
from notifications.redrive import Redrive
from notifications.resend import Resend
from notifications.timeline import timeline
from notifications.work import Verdict
from tests.api import a_caller
from tests.integration.operator_rows import (
    EMAIL,
    PHONE,
    list_url,
    make_delivery,
    make_event,
    operator,
    page_url,
)
from tests.integration.test_announcement_doors import an_announcement
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

RAW = ("UPDATE notifications_auditentry SET reason = 'x'", "DELETE FROM notifications_auditentry")
PASSWORD = "a long one, 4711"


def an_entry(**given: Any) -> AuditEntry:
    about = {"by": "ada", "target": "queue email", "reason": "away", **given}
    audit.record("queue.pause", **about)
    return AuditEntry.objects.latest("id")


def last(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).latest("id")


def a_letter(subject: str = "order/7") -> DeadLetter:
    return DeadLetter.objects.create(
        queue="email", message_id=subject, body=b"{}", reason="poison", subject=subject
    )


def admin_client() -> Client:
    User.objects.create_superuser("root", password=PASSWORD)
    client = Client()
    assert client.login(username="root", password=PASSWORD)
    return client


# It is never changed


@pytest.mark.parametrize("sql", [*RAW, "TRUNCATE notifications_auditentry"])
def test_the_database_refuses_to_change_or_delete_an_entry(sql: str) -> None:
    an_entry()
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        connection.cursor().execute(sql)
    assert AuditEntry.objects.get(action="queue.pause").reason == "away"


def test_the_orm_is_refused_too() -> None:
    entry = an_entry()
    entry.actor = "nobody"
    for change in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(reason=AuditEntry.FORGOTTEN, actor="nobody"),
    ):
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            change()


def test_an_entry_outlives_the_user() -> None:
    user = User.objects.create_user("ada")
    letter_discards.discard([a_letter().pk], by=user.get_username(), reason="a test order")
    user.delete()
    assert last("dead_letter.discard").actor == "ada"


def test_what_is_rolled_back_is_not_on_record() -> None:
    with transaction.atomic():
        pauses.pause(Pause.Kind.QUEUE, "email", by="ada", reason="away")
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


# What is in it


def test_one_thing_is_the_target_and_of_many_there_is_one_entry() -> None:
    first, second, third = (a_letter(f"order/{number}") for number in (1, 2, 3))
    letter_discards.discard([first.pk], by="ada", reason="x")
    entry = last("dead_letter.discard")
    assert (entry.target_kind, entry.target) == ("deadletter", str(first.pk))
    assert (entry.subject, entry.count, entry.door) == ("order/1", 1, "process")
    assert (entry.before, entry.after) == ({"state": "open"}, {"state": "discarded"})

    letter_discards.discard([first.pk, second.pk, third.pk], by="ada", reason="x")
    entry = last("dead_letter.discard")
    assert (entry.target, entry.count) == ("dead letters", 2)
    assert entry.after["ids"] == [str(second.pk), str(third.pk)]


def test_nothing_done_is_nothing_recorded() -> None:
    letter = a_letter()
    letter_discards.discard([letter.pk], by="ada", reason="x", dry_run=True)
    letter_discards.restore([letter.pk], by="ada", reason="x")
    unknowns.settle([make_delivery(make_event()).pk], Delivery.State.SENT, by="ada", reason="x")
    suppressions.suppress(channel="email", address=EMAIL, reason="hard_bounce")
    set_preference(
        person="customer/42", category="news", channel="email", wanted=False, source=Source.PAGE
    )
    assert not AuditEntry.objects.exists()


def test_a_job_is_audited_when_it_begins_and_when_somebody_lets_it_go_on() -> None:
    wanted = {"delivery": [str(make_delivery(make_event()).pk)]}
    job = jobs.begin(Resend(), wanted, by="ada", reason="mended", rate=5)
    jobs.halt(job.pk, by="bea", why="lunch")
    jobs.go_on(Resend(), job.pk, by="cid", reason="back", rate=9)

    begun, stopped, gone_on = AuditEntry.objects.order_by("id")
    assert (begun.action, begun.actor, begun.count) == ("job.resend", "ada", 1)
    assert begun.after["filter"] == wanted
    assert (stopped.action, stopped.reason) == ("job.pause", "lunch")
    assert (gone_on.action, gone_on.before["state"]) == ("job.resume", "stopped")
    assert (gone_on.before["rate"], gone_on.after["rate"]) == (5, 9)
    assert {each.target for each in (begun, stopped, gone_on)} == {str(job.pk)}


class Discarding(Redrive):
    """A job whose items are done by a verb that audits itself."""

    def weigh(self, letter: DeadLetter, job: Job) -> Verdict:
        return Verdict(JobItem.Outcome.DISPATCHED)

    def order(self, letter: DeadLetter, job: Job, *, at: datetime) -> Verdict:
        letter_discards.discard([letter.pk], by=job.actor, reason=job.reason)
        return Verdict(JobItem.Outcome.DONE)


def test_a_job_s_entry_tells_of_its_items() -> None:
    letters = [a_letter(f"order/{number}").pk for number in (1, 2, 3)]
    job = jobs.begin(Discarding(), {"id": letters}, by="ada", reason="tests", rate=1000)
    jobs.run(Discarding(), job.pk)
    assert DeadLetter.objects.filter(state="discarded").count() == 3
    assert AuditEntry.objects.get().count == 3


def test_an_api_client_comes_through_the_door_of_the_api() -> None:
    call = a_caller(may_announce=True)
    a_customer()
    wish = {"event_type": "shop.news", "audience": "customers", "reason": "sale"}
    offer = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}
    number = call.post("/api/announcements", {**wish, "data": offer}).json()["id"]
    call.post(f"/api/announcements/{number}/pause", {"reason": "a mistake"})

    begun, paused = AuditEntry.objects.filter(action__startswith="announcement.").order_by("id")
    assert (begun.door, paused.door) == ("api", "api")
    assert begun.actor.startswith("api:")
    assert (paused.before["state"], paused.after["state"]) == ("expanding", "paused")


def test_the_shop_s_own_verbs_are_audited_with_the_order() -> None:
    order, client = an_order(), admin_client()
    asked = {"_selected_action": order.pk, "confirmed": "1"}
    form = {"action": "cancel", "reason": "out_of_stock"}
    client.post(reverse("admin:orders_order_changelist"), {**asked, **form})

    entry = last("order.cancel")
    assert (entry.actor, entry.door, entry.reason) == ("root", "page", "out_of_stock")
    assert (entry.subject, entry.target) == (f"order/{order.pk}", str(order.pk))
    assert (entry.before["state"], entry.after["state"]) == ("placed", "cancelled")


# Django's own


def test_signing_in_and_out_and_being_refused_is_on_record() -> None:
    client = admin_client()
    client.logout()
    for typed in ("root", "gustav@example.org"):
        assert not client.login(username=typed, password="wrong")

    assert last("user.sign_in").actor == "root"
    assert last("user.sign_out").door == "page"
    stranger, known = AuditEntry.objects.filter(action="user.sign_in_refused").order_by("-id")
    assert (known.actor, known.target_kind) == ("", "user")
    assert (stranger.target, stranger.after) == ("a name that nobody has", {})


def test_users_and_groups_that_forms_change_are_on_record_also_when_all_are_gone() -> None:
    client = admin_client()
    client.post(reverse("admin:auth_group_add"), {"name": "night shift"})
    group = Group.objects.get(name="night shift")
    right = Permission.objects.get(codename="view_delivery")
    form = {"name": "night shift", "permissions": [right.pk]}
    client.post(page_url(group), form)
    others = [Group.objects.create(name=name).pk for name in ("a", "b")]
    chosen = {"action": "delete_selected", "_selected_action": others, "post": "yes"}
    client.post(reverse("admin:auth_group_changelist"), chosen)
    client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})

    added, changed, both, one = AuditEntry.objects.filter(action__startswith="admin.").order_by(
        "id"
    )
    assert [each.action for each in (added, changed, both, one)] == [
        *("admin.add", "admin.change", "admin.delete", "admin.delete")
    ]
    assert (changed.target_kind, changed.target, changed.actor) == ("group", str(group.pk), "root")
    assert changed.after == {"names": ["night shift"], "changed": ["Permissions"]}
    assert (both.count, sorted(both.before["names"])) == (2, ["a", "b"])


def test_what_our_own_verbs_do_on_a_page_is_one_entry() -> None:
    client = admin_client()
    form = {"channel": "email", "address": EMAIL, "reason": "operator", "note": "asked for it"}
    client.post(reverse("admin:notifications_suppression_add"), form)

    entry = AuditEntry.objects.exclude(action__startswith="user.").get()
    assert (entry.action, entry.actor, entry.door) == ("suppression.add", "root", "page")
    assert entry.target == str(Suppression.objects.get().pk)


# Whom it names


def test_a_customer_is_found_by_who_can_name_them_and_named_to_nobody() -> None:
    set_preference(
        person="customer/42",
        category="news",
        channel="email",
        wanted=False,
        source=Source.OPERATOR,
        by="ada",
        reason=f"{EMAIL} wrote",
    )
    entry = last("preference.set")
    assert "customer/42" not in str(vars(entry))
    assert EMAIL not in str(vars(entry))
    found = operator(AuditEntry).get(list_url(AuditEntry, "?q=customer/42"))
    assert [row.pk for row in found.context["cl"].result_list] == [entry.pk]


def test_a_phone_number_is_found_as_anybody_spells_it() -> None:
    entry = an_entry(target=audit.Person("+49 170 123-4567"))
    assert AuditEntry.objects.filter(audit.about(PHONE)).get() == entry


def test_who_is_forgotten_is_in_no_reason_and_what_was_done_stays() -> None:
    delivery = make_delivery(make_event(), state="unknown")
    unknowns.settle([delivery.pk], Delivery.State.SENT, by="ada", reason="Gustav Klein called")
    suppressions.suppress(
        channel="email", address=EMAIL, reason="operator", by="ada", note="Gustav asked"
    )
    call_command("told", EMAIL, "--by", "ada", "--reason", "Gustav calls", stdout=StringIO())
    an_entry(reason="not about him")

    call_command("forget", "customer/42", "--reason", "asked for it", stdout=StringIO())

    assert "Gustav" not in str(list(AuditEntry.objects.values()))
    assert last("delivery.settle").reason == last("person.told").reason == "forgotten"
    assert last("delivery.settle").actor == "ada"
    assert last("queue.pause").reason == "not about him"
    assert last("person.forget").after["audit entries"] == 3


# Looking at it


def test_an_entry_s_page_tells_before_and_after_and_leads_to_what_it_was_done_to() -> None:
    letter = a_letter()
    letter_discards.discard([letter.pk], by="ada", reason="a test order")
    entry = last("dead_letter.discard")
    client = operator(AuditEntry, DeadLetter)

    page = client.get(page_url(entry)).content.decode()
    assert "<td>state</td><td>open</td><td>discarded</td>" in page
    assert f'href="{page_url(letter)}"' in page
    assert page_url(entry) in client.get(page_url(letter)).content.decode()

    letter.delete()
    assert f'href="{page_url(letter)}"' not in client.get(page_url(entry)).content.decode()


def test_the_list_is_narrowed_by_action_door_and_search() -> None:
    client = operator(AuditEntry)
    an_entry(subject="order/7")
    with audit.through(audit.Door.COMMAND):
        audit.record("webhook.add", by="bea", target="a partner")

    def shown(query: str) -> list[str]:
        rows = client.get(list_url(AuditEntry, query)).context["cl"].result_list
        return [row.action for row in rows if not row.action.startswith("user.")]

    assert shown("") == ["webhook.add", "queue.pause"]
    assert shown("?action=queue.pause") == shown("?q=7") == shown("?q=ada") == ["queue.pause"]
    assert shown("?q=queue email") == ["queue.pause"]
    assert shown("?door=command") == shown("?q=bea") == ["webhook.add"]
    assert AuditEntry.objects.actions() == ["queue.pause", "user.sign_in", "webhook.add"]


def test_who_may_not_see_it_does_not() -> None:
    entry = an_entry()
    client = operator(DeadLetter)
    assert client.get(list_url(AuditEntry)).status_code == 403
    assert client.get(page_url(entry)).status_code == 403
    letter = a_letter()
    letter_discards.discard([letter.pk], by="ada", reason="x")
    assert "dead_letter.discard" not in client.get(page_url(letter)).content.decode()


def test_the_order_s_timeline_tells_what_operators_did_once() -> None:
    event = make_event(7)
    letter, delivery = a_letter("order/7"), make_delivery(event, state="unknown")
    for move in (letter_discards.discard, letter_discards.restore, letter_discards.discard):
        move([letter.pk], by="ada", reason="x")
    unknowns.settle([delivery.pk], Delivery.State.SENT, by="bea", reason="it says so")
    audit.record("personal_data.reveal", by="cid", target=delivery, reason="a complaint")
    wanted = {"delivery": [str(delivery.pk)]}
    job = jobs.begin(Resend(), wanted, by="dan", reason="again", rate=1)

    said = [each.what for each in timeline("order/7").entries if each.kind == "operator"]
    assert sorted(said) == [
        "dead letter discard",
        "dead letter restore",
        "email: dead letter discarded",
        "email: settled as sent",
        "personal data reveal",
        f"resend {job.pk}: begun, 1 item: again",
        f"resend {job.pk}: waiting",
    ]


def test_the_command_lists_filters_and_goes_on() -> None:
    def command(*arguments: str) -> dict[str, Any]:
        out = StringIO()
        call_command("audit", *arguments, "--json", stdout=out)
        answer: dict[str, Any] = json.loads(out.getvalue())
        return answer

    an_announcement()
    first, second = an_entry(), an_entry(by="bea", target=audit.Person("customer/42"))
    page = command("--action", "queue.", "--limit", "1")
    assert [each["id"] for each in page["entries"]] == [second.pk]
    rest = command("--action", "queue.", "--after", str(page["next"]))
    assert [each["id"] for each in rest["entries"]] == [first.pk]
    assert rest["next"] is None
    assert command("--target", "customer/42")["entries"][0]["actor"] == "bea"
    assert command("--by", "ada", "--since", "1h")["entries"][0]["id"] == first.pk

    out = StringIO()
    call_command("audit", "--action", "announcement.start", stdout=out)
    assert "ada  (process)  announcement.start" in out.getvalue()
    assert "state - → expanding" in out.getvalue()
