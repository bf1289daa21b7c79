"""The pages of failure groups: read why, note it down, go on to the job that mends it."""

from __future__ import annotations

import html
import re
import shlex
from datetime import timedelta
from io import StringIO
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifications import envelope, letter_discards
from notifications.identifiers import task_id
from notifications.models import DeadLetter, Delivery, FailureNote, Job
from notifications.undertakings import undertaking
from tests.integration.operator_rows import (
    EMAIL,
    list_url,
    make_event,
    make_failed_task,
    operator,
    page_url,
)
from tests.integration.test_failures import CAUSE, OTHER, a_failure, a_letter
from tests.plans import analyze, emptied, many_deliveries, plan_of

pytestmark = pytest.mark.django_db

LIST = reverse("admin:console_failures")
GROUP = reverse("admin:console_failure_group", args=[CAUSE])


def allowed(client: Client, *codenames: str) -> Client:
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return client


@pytest.fixture
def mender() -> Client:
    return allowed(
        operator(DeadLetter, Delivery),
        *("redrive_deadletter", "discard_deadletter", "resend_delivery", "discard_delivery"),
        *("run_bulk_job", "change_failurenote"),
    )


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def links(html: str, kind: str) -> list[dict[str, list[str]]]:
    """The filters of the links to the confirmation of this kind of job."""
    found = [part.partition('"')[0].replace("&amp;", "&") for part in html.split('href="')[1:]]
    asked = [parse_qs(urlsplit(url).query) for url in found if "/console/bulk/" in url]
    return [query for query in asked if query.pop("kind") == [kind]]


def test_the_list_says_what_fails_how_often_and_where_and_what_can_be_done(mender: Client) -> None:
    event = a_failure(1)
    a_letter(queue="email", event_id=event.pk, error=f"refused {EMAIL}", reason="MessageRejected")
    a_failure(2, fingerprint=OTHER, reason="attempts_exhausted")

    html = text(mender, LIST)

    assert "2 failures that nobody has seen to." in html
    assert EMAIL not in html
    assert html.index("MessageRejected") < html.index("attempts_exhausted")
    assert "▲ 1 in the last hour" in html
    assert GROUP in html
    assert links(html, "redrive") == [
        {"fingerprint": [CAUSE], "limit": ["5"]},
        {"fingerprint": [CAUSE]},
    ]
    assert links(html, "discard_letters") == [{"fingerprint": [CAUSE]}]
    assert links(html, "resend")[1] == {"fingerprint": [OTHER], "state": ["failed"]}


def test_other_groups_lead_to_the_causes_within_them(mender: Client) -> None:
    a_failure(1)
    a_letter()
    html = text(mender, f"{LIST}?by=channel")
    assert f'href="{LIST}?channel=analytics"' in html
    assert links(html, "redrive")[1] == {"queue": ["analytics"]}
    assert links(html, "resend")[1] == {"channel": ["email"], "state": ["failed"]}

    within = text(mender, f"{LIST}?channel=analytics")
    assert links(within, "redrive")[1] == {"fingerprint": [CAUSE], "queue": ["analytics"]}
    assert "One failure" in within
    assert "Nothing of these fails now." in text(mender, f"{LIST}?provider=nobody")
    assert "One failure" in text(mender, f"{LIST}?by=nonsense&event_type=order.created%00")


def test_a_group_says_why_and_has_the_rows_and_the_commands(mender: Client) -> None:
    a_failure(1)
    a_failure(2, state="unknown")
    a_letter(reason="poison", error=f"<script>alert(1)</script> {EMAIL}")
    html = text(mender, GROUP)
    assert "it kills or hangs its process" in html
    assert "<script>alert" not in html
    assert EMAIL not in html
    assert f"manage.py redrive --fingerprint {CAUSE}" in html
    assert "They may have arrived" in html
    assert (
        reverse("admin:notifications_deadletter_change", args=[DeadLetter.objects.get().pk]) in html
    )
    states = [query["state"] for query in links(html, "resend")]
    assert states == [["failed"], ["failed"], ["unknown"], ["unknown"]]


def test_a_group_of_unknown_ones_is_not_told_by_the_tag_of_one(mender: Client) -> None:
    for number in range(2):
        a_failure(number, state="unknown")
    page = text(mender, GROUP)
    assert "Look each up there by the tag that its own page names" in page
    assert "here or with manage.py" not in page


def test_the_page_of_a_delivery_that_failed_leads_to_its_group(mender: Client) -> None:
    a_failure(1)
    assert GROUP in text(mender, page_url(Delivery.objects.get()))
    Delivery.objects.update(state="sent", fingerprint="")
    assert GROUP not in text(mender, page_url(Delivery.objects.get()))


@pytest.mark.parametrize("cause", [CAUSE, ""])
def test_the_list_of_a_group_s_deliveries_holds_those_of_its_cause_alone(
    mender: Client, cause: str
) -> None:
    for number, state in enumerate(["failed", "unknown"] * 2):
        a_failure(number, state=state, fingerprint=cause if number < 2 else OTHER)
    page = text(mender, reverse("admin:console_failure_group", args=[cause or "-"]))
    lists = [
        html.unescape(found)
        for found in re.findall(r'href="([^"]+)"', page)
        if found.startswith(f"{list_url(Delivery)}?state=")
    ]
    assert len(lists) == 2
    for found, state in zip(lists, ["failed", "unknown"], strict=True):
        [row] = mender.get(found).context["cl"].result_list
        assert (row.fingerprint, row.state) == (cause, state)


def test_the_rows_of_a_group_are_found_by_its_cause_however_many_others_there_are(
    mender: Client,
) -> None:
    emptied(Delivery)
    many_deliveries(states=("sent", "delivered", "failed"))
    Delivery.objects.filter(state="failed").update(fingerprint=CAUSE)
    analyze(Delivery)
    with CaptureQueriesContext(connection) as asked:
        assert text(mender, GROUP)
    reads = [sql for each in asked if 'FROM "notifications_delivery"' in (sql := each["sql"])]
    assert reads
    for sql in reads:
        plan = plan_of(sql)
        assert "delivery_failures" in plan or "Index Cond: (id = " in plan, plan


def test_what_is_discarded_with_its_letter_alone_counts_and_the_page_says_so(
    mender: Client,
) -> None:
    failed = a_failure(1)
    letter = a_letter(event_id=failed.pk, queue="email")
    before = text(mender, GROUP)
    assert "Discarded they are set aside alone: a delivery that failed counts" in before

    letter_discards.discard([letter.pk], by="ada", reason="nobody wants it")

    assert "One failure" in text(mender, LIST)
    assert links(text(mender, GROUP), "discard_deliveries")


def test_a_cause_without_a_fingerprint_has_commands_that_can_be_typed(mender: Client) -> None:
    a_letter(fingerprint="")
    a_failure(1, fingerprint="")
    page = html.unescape(text(mender, reverse("admin:console_failure_group", args=["-"])))
    told = re.findall(r"<code>manage\.py ([^<]+)</code>", page)
    assert [words.partition(" ")[0] for words in told] == ["redrive", "resend"]
    for words in told:
        call_command(*shlex.split(words), "--dry-run", stdout=StringIO())
    out = StringIO()
    call_command("failures", stdout=out)
    assert out.getvalue().count("--fingerprint ''") == 2


def test_what_is_no_event_is_discarded_and_not_retried(mender: Client) -> None:
    a_letter(reason="not_an_event")
    html = text(mender, GROUP)
    assert "It is no event: discard it." in html
    assert not links(html, "redrive")
    assert links(html, "discard_letters")
    assert f"manage.py dead_letters discard --fingerprint {CAUSE}" in html
    out = StringIO()
    call_command("failures", stdout=out)
    assert f"manage.py dead_letters discard --fingerprint {CAUSE}" in out.getvalue()
    assert "redrive" not in out.getvalue()


def test_a_note_is_written_and_cleared_on_the_page(mender: Client) -> None:
    a_letter()
    html = mender.post(GROUP, {"note": "<b>known</b>"}, follow=True).content.decode()
    assert "&lt;b&gt;known&lt;/b&gt;" in html
    assert "Note of" in text(mender, LIST)
    mender.post(GROUP, {"note": "x" * 1001})
    assert FailureNote.objects.get().text == "<b>known</b>"
    mender.post(GROUP, {"note": ""})
    assert not FailureNote.objects.exists()


def test_who_may_only_look_is_told_why_and_refused() -> None:
    a_failure(1)
    a_letter()
    reader = operator(DeadLetter)
    html = text(reader, GROUP)
    assert "Can send dead letters back to their consumer" in html
    assert "Can write notes on groups of failures" in html
    assert "/console/bulk/" not in html
    assert "customer/42" not in html, "no row that they may not view"
    assert reader.post(GROUP, {"note": "mine"}).status_code == 403
    assert operator(Delivery).get(LIST).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = allowed(reader, "change_failurenote").cookies
    assert strict.post(GROUP, {"note": "mine"}).status_code == 403


@pytest.mark.parametrize("fingerprint", ["-", "nobody-has-it"])
def test_a_group_without_failures_says_so(mender: Client, fingerprint: str) -> None:
    html = text(mender, reverse("admin:console_failure_group", args=[fingerprint]))
    assert "Nothing fails of this cause now." in html


def test_what_is_no_fingerprint_is_not_found(mender: Client) -> None:
    assert mender.get(f"{LIST}a%20b/").status_code == 404


def test_nothing_fails(mender: Client) -> None:
    assert "Nothing fails:" in text(mender, LIST)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"open", "bulk", "other"}),
        ("?queue=email", {"open", "bulk"}),
        ("?queue=email-bulk", {"bulk"}),
        ("?event_type=order.shipped", {"other"}),
        ("?within=1h", {"open", "bulk", "other"}),
        (f"?q={CAUSE}&state=open", {"open", "bulk"}),
        ("?q=order/9&state=open", {"other"}),
        ("?state=discarded", {"discarded"}),
        ("?state=all", None),
        (f"?q={CAUSE}", None),
    ],
)
def test_all_that_a_list_of_dead_letters_shows_is_what_the_job_means(
    mender: Client, query: str, found: set[str] | None
) -> None:
    a_letter(message_id="open", queue="email")
    a_letter(message_id="bulk", queue="email-bulk")
    a_letter(OTHER, message_id="other", event_type="order.shipped", subject="order/9")
    a_letter(message_id="discarded", state="discarded")

    html = text(mender, list_url(DeadLetter, query))

    kind = "restore_letters" if "discarded" in query else "redrive"
    asked = links(html, kind)
    if found is None:
        assert asked == []
        assert "Choose the state in which they are" in html
        return
    (values,) = asked
    wanted = undertaking(kind).read(QueryDict(urlencode(values, doseq=True)))
    meant = undertaking(kind).work().found(wanted)
    assert set(meant.values_list("message_id", flat=True)) == found
    shown = {each.message_id for each in DeadLetter.objects.all() if f"/{each.pk}/change/" in html}
    assert shown == found


def test_selected_letters_are_handed_on_to_the_confirmation(mender: Client) -> None:
    letters = [a_letter(), a_letter()]
    keys = [letter.pk for letter in letters]
    chosen = {"action": "redrive", "_selected_action": keys}
    response = mender.post(list_url(DeadLetter), chosen)
    assert parse_qs(urlsplit(response["Location"]).query) == {
        "kind": ["redrive"],
        "id": [str(key) for key in keys],
    }


def test_a_letter_is_redriven_from_its_page_and_its_traceback_stands_there(mender: Client) -> None:
    event = make_event(3)
    letter = a_letter(
        queue="payments", message_id="m", event_id=event.pk, event_type=event.type,
        subject=event.subject, body=envelope.write(event.envelope()).encode(),
        first_seen_at=timezone.now() - timedelta(days=362),
    )  # fmt: skip
    task = make_failed_task(event, task_id(event.pk, "payments", "m"))
    allowed(mender, "view_taskresult", "view_event", "view_job")

    html = text(mender, page_url(letter))
    assert page_url(task) in html
    assert "Traceback (most recent call last)" in html
    assert GROUP in html
    assert "soon" in html, "it is nearly too old"
    failed = text(mender, page_url(task))
    assert page_url(letter) in failed
    assert GROUP in failed

    redrive = reverse("admin:notifications_deadletter_redrive", args=[letter.pk])
    done = mender.post(redrive, {"reason": "mended"}, follow=True).content.decode()
    assert "Done: Redrive." in done
    letter.refresh_from_db()
    assert letter.state == "redriven"
    job = Job.objects.get()
    assert (job.runner, job.state, job.counts["dispatched"]) == ("relay", "running", 1)
    again = mender.post(redrive, {"reason": "again"}, follow=True).content.decode()
    assert "Nothing was done:" in again
    reader = operator(DeadLetter)
    assert reader.post(redrive, {"reason": "mine"}).status_code == 403


def test_what_a_letter_holds_is_masked_until_it_is_revealed(mender: Client) -> None:
    letter = a_letter(body=b'{"to": "%s"}' % EMAIL.encode())
    assert EMAIL not in text(mender, page_url(letter))
    reveal = reverse("admin:notifications_deadletter_reveal", args=[letter.pk])
    assert mender.post(reveal).status_code == 403
    allowed(mender, "view_personal_data")
    assert EMAIL in mender.post(reveal).content.decode()
    assert "Reveal personal data" not in text(mender, page_url(a_letter()))
