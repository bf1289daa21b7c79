"""Bulk work: what its confirmation says, who may begin it, and that it is begun once."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client

from notifications import jobs, undertakings
from notifications.conf import Bulk
from notifications.console import pages
from notifications.console.bulk import confirm_url
from notifications.models import DeadLetter, Delivery, Event, Job, JobItem
from notifications.resend import Resend
from orders_site import settings as site
from tests.integration.letters import BEN, Town
from tests.integration.operator_rows import list_url, operator, page_url
from tests.integration.test_redrive import buried
from tests.integration.test_resend import recorded, sent
from tests.integration.together import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]

RESENDS = ("resend_delivery", "run_bulk_job")
ALL_OF_7 = {"subject": ["order/7"]}


@pytest.fixture(autouse=True)
def _pages(town: Town, settings: Any, tmp_path: Path) -> None:
    """The town's templates, and those of the site."""
    (tmp_path / "notifications" / "order.created" / "email.html").write_text("Thank you.")
    (of_the_site,) = site.TEMPLATES
    settings.TEMPLATES = [{**of_the_site, "DIRS": [tmp_path]}]


def a_client(*codenames: str) -> Client:
    """Of somebody who may view what bulk work is about, and has these permissions."""
    client = operator(Job, Delivery, DeadLetter, Event)
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return client


def asked(client: Client, kind: str = "resend", wanted: Any = ALL_OF_7) -> str:
    response = client.get(confirm_url(kind, wanted))
    assert response.status_code == 200, response.content.decode()
    return response.content.decode()


def begun(client: Client, kind: str = "resend", wanted: Any = ALL_OF_7, **form: Any) -> Any:
    """The answer to the form that begins it."""
    told = {"kind": kind, "step": "begin", "counted": 2, "rate": 100, "why": "why"}
    return client.post(pages.url("bulk"), {**told, **wanted, **form}, follow=True)


def text(response: HttpResponse) -> str:
    return " ".join(response.content.decode().split())


def two() -> None:
    for _ in range(2):
        sent()


def test_it_says_how_many_what_is_left_out_and_why_and_how_long_it_lasts(town: Town) -> None:
    two()
    sms = Delivery.objects.latest("created_at")
    Delivery.objects.filter(pk=sms.pk).update(channel="sms", state="retrying")
    html = " ".join(asked(a_client(*RESENDS)).split())
    assert "2 things are meant." in html
    assert "1 would be done, 1 left out." in html
    assert '<td>email</td><td class="notifications-number">1</td>' in html
    assert "left alone: it is under way: it is tried again by itself" in html
    assert page_url(sms) in html
    assert "it lasts" in html
    assert not Job.objects.exists()

    town.untrue = "the order was cancelled"
    assert "no_longer_true" in asked(a_client(*RESENDS))


def test_what_is_begun_is_left_to_the_relays_with_who_and_why() -> None:
    two()
    client = a_client(*RESENDS)
    response = begun(client)
    job = Job.objects.get()
    assert response.redirect_chain == [(page_url(job), 302)]
    assert f"Job {job.pk} is begun; the relays run it." in text(response)
    assert (job.runner, job.total, job.reason, job.state) == ("relay", 2, "why", "running")
    assert job.actor.startswith("operator-")
    assert job.filter == ALL_OF_7
    assert "begun, 2 items: why" in text(response)


def test_more_by_now_than_were_counted_are_asked_for_anew() -> None:
    two()
    client = a_client(*RESENDS)
    sent()
    response = begun(client)
    assert "More are meant by now" in text(response)
    assert 'name="counted" value="3"' in text(response)
    assert not Job.objects.exists()
    begun(client, counted=3)
    assert Job.objects.get().total == 3


def test_the_number_is_typed_above_the_threshold(settings: Any) -> None:
    two()
    settings.NOTIFICATIONS |= {"BULK": Bulk(typed_above=1)}
    client = a_client(*RESENDS)
    assert "Type 2 to confirm" in asked(client)
    assert "Type the number 2 to confirm it." in text(begun(client))
    assert "Type the number 2 to confirm it." in text(begun(client, typed="3"))
    assert not Job.objects.exists()
    begun(client, typed=" 2 ")
    assert Job.objects.exists()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"why": " "}, "Give a reason of 1 to 255 characters."),
        ({"rate": "nan"}, "Give a rate of 0.001 to 1000 a second."),
        ({"rate": "1001"}, "Give a rate of 0.001 to 1000 a second."),
        ({"counted": ""}, "Look at the number first"),
        ({"counted": "200000"}, "More than 100000 are not begun on a page"),
    ],
)
def test_what_is_missing_or_wrong_begins_nothing(form: dict[str, str], said: str) -> None:
    two()
    assert said in text(begun(a_client(*RESENDS), **form))
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "kind=nothing",
        "kind=resend",
        "kind=resend&subject=",
        "kind=resend&state=failed&channel=",
        "kind=resend&nonsense=1",
        "kind=resend&channel=email",
        "kind=resend&delivery=everything",
        "kind=discard_letters",
        "kind=discard_letters&id=0",
        "kind=discard_letters&since=yesterday",
        "kind=discard_letters&since=999999d",
        "kind=discard_letters&id=1&limit=-1",
        "kind=discard_letters&reason=",
        "kind=replay&since=2h",
        "kind=replay&since=2h&consumer=nobody",
        "kind=replay&consumer=email&event_type=nothing.happened&since=2h",
    ],
)
def test_a_filter_that_says_nothing_never_means_everything(query: str) -> None:
    client = a_client(*RESENDS, "discard_deadletter")
    response = client.get(f"{pages.url('bulk')}?{query}")
    assert response.status_code == 400
    assert 'role="alert"' in text(response)


@pytest.mark.parametrize("typed", ["0", "-5", "1.5", "1,000", "ten", "9" * 30])
def test_a_number_mistyped_leaves_what_is_meant_on_the_page_and_begins_nothing(typed: str) -> None:
    two()
    client = a_client(*RESENDS)
    for step in ("ask", "begin"):
        response = begun(client, step=step, limit=typed)
        assert response.status_code == 400
        page = text(response)
        assert "Give a whole number from 1" in page
        assert "order/7" in page
        assert 'name="limit"' in page
        assert 'value="begin"' not in page
    assert not Job.objects.exists()


def test_who_lacks_a_permission_is_told_which_and_refused(town: Town) -> None:
    two()
    for held, lacked in (
        (["run_bulk_job"], "Can send deliveries once more"),
        (["resend_delivery"], "Can begin, pause, resume and cancel bulk work"),
    ):
        client = a_client(*held)
        assert lacked in asked(client)
        assert begun(client).status_code == 403
        town.untrue = "the shop is asked for nobody who may not"
    assert "left out" not in asked(a_client("run_bulk_job"))
    override = {**ALL_OF_7, "override": "1"}
    assert begun(a_client(*RESENDS), wanted=override).status_code == 403
    assert operator(Job).get(confirm_url("resend", ALL_OF_7)).status_code == 403
    assert not Job.objects.exists()


def test_a_single_thing_needs_the_permission_of_its_verb_alone() -> None:
    two()
    wanted = {"delivery": [str(Delivery.objects.earliest("created_at").pk)]}
    client = a_client("resend_delivery")
    assert "1 thing is meant." in asked(client, wanted=wanted)
    begun(client, wanted=wanted, counted=1)
    assert Job.objects.get().total == 1
    assert "More are meant by now" in text(begun(client, counted=1))


def test_an_override_is_asked_for_again_and_kept_with_the_job(town: Town) -> None:
    two()
    town.untrue = "the order was cancelled"
    client = a_client(*RESENDS, "override_refusals")
    form = {"kind": "resend", "step": "ask", "override": "1", **ALL_OF_7}
    assert "2 would be done, 0 left out." in text(client.post(pages.url("bulk"), form))
    begun(client, override="1")
    assert Job.objects.get().override


def test_the_first_few_are_the_oldest() -> None:
    letters = [buried(recorded()) for _ in range(3)]
    client = a_client("redrive_deadletter", "run_bulk_job")
    wanted = {"fingerprint": ["cause"], "limit": 2}
    assert "2 things are meant." in asked(client, "redrive", wanted)
    begun(client, "redrive", wanted, rate=10)
    job = Job.objects.get()
    assert [item.dead_letter_id for item in job.items.order_by("id")] == letters[:2]
    assert (job.stage, job.stage_left) == (1, 1)
    jobs.halt(job.pk, by="ada", cancel=True)
    begun(client, "redrive", wanted, rate=10, pace="at_once")
    assert Job.objects.latest("id").stage is None


def test_why_a_letter_is_there_is_a_filter_beside_the_reason_of_the_work() -> None:
    buried(recorded(), reason="poison")
    buried(recorded())
    client = a_client("discard_deadletter")
    wanted = {"reason": ["poison"]}
    assert "1 thing is meant." in asked(client, "discard_letters", wanted)
    begun(client, "discard_letters", wanted, counted=1, why="it kills")
    job = Job.objects.get()
    assert (job.total, job.reason, job.filter) == (1, "it kills", wanted)


@pytest.mark.parametrize("kind", ["discard_letters", "restore_letters", "discard_deliveries"])
def test_what_needs_no_message_is_done_at_once(kind: str) -> None:
    if kind == "discard_deliveries":
        two()
        Delivery.objects.update(state="failed")
        wanted: Any = ALL_OF_7 | {"state": ["failed"]}
    else:
        for _ in range(2):
            buried(recorded(), state="open" if kind == "discard_letters" else "discarded")
        wanted = {"fingerprint": ["cause"]}
    job = jobs.begin(undertakings.work_of(kind), wanted, by="mira", reason="a test", rate=1000.0)
    job = jobs.run(undertakings.work_of(kind), job.pk)
    assert (job.state, job.counts) == ("done", {"waiting": 0, "done": 2})
    model = Delivery if kind == "discard_deliveries" else DeadLetter
    states = set(model.objects.values_list("state", flat=True))
    assert states == {"open" if kind == "restore_letters" else "discarded"}


def test_the_same_is_not_begun_twice_and_the_second_is_led_to_the_first() -> None:
    two()
    client = a_client(*RESENDS)
    begun(client)
    job = Job.objects.get()
    for html in (asked(a_client(*RESENDS)), text(begun(client))):
        assert "it is open, and cannot be begun a second time" in html
        assert page_url(job) in html
        assert job.actor in html
    assert Job.objects.count() == 1
    jobs.halt(job.pk, by="ada", cancel=True)
    begun(client)
    assert Job.objects.count() == 2


def test_what_another_job_has_is_left_to_that_one(town: Town) -> None:
    two()
    older = jobs.begin(Resend(), ALL_OF_7, by="mira", reason="first", rate=1000.0)
    wanted = {"subject": ["order/7"], "state": ["sent"]}
    assert f"left alone: job {older.pk}, begun by mira, has it" in asked(
        a_client(*RESENDS), wanted=wanted
    )
    younger = jobs.begin(Resend(), wanted, by="ada", reason="second", rate=1000.0)
    assert jobs.run(Resend(), younger.pk).counts == {"waiting": 0, "left_alone": 2}
    assert jobs.run(Resend(), older.pk).counts == {"waiting": 0, "dispatched": 2}


def test_what_was_done_since_a_job_was_left_lying_is_not_done_again() -> None:
    sent()
    lying = jobs.begin(Resend(), ALL_OF_7, by="mira", reason="first", rate=1000.0)
    JobItem.objects.update(outcome="refused")  # so that the other one has it
    other = jobs.begin(Resend(), {"state": ["sent"]}, by="ada", reason="second", rate=1000.0)
    jobs.run(Resend(), other.pk)
    Delivery.objects.update(state="sent")
    JobItem.objects.filter(job=lying).update(outcome="waiting")
    jobs.run(Resend(), lying.pk)
    assert lying.items.get().why == f"job {other.pk}, begun by ada, has done it meanwhile"


def test_a_command_leaves_it_to_the_relays_and_is_refused_the_same(town: Town) -> None:
    two()
    words = ("resend", "--order", "7", "--reason", "why", "--by", "mira")

    def said(*arguments: str) -> str:
        out = StringIO()
        call_command(*arguments, stdout=out)
        return out.getvalue()

    assert "2 items, left to the relays" in said(*words, "--relay")
    job = Job.objects.get()
    assert (job.runner, job.state) == ("relay", "running")
    for again in ([], ["--new"], ["--relay"]):
        with pytest.raises(CommandError, match=f"begun by mira: go on with --job {job.pk}"):
            said(*words, *again)
    why = ("--reason", "lunch", "--by", "ada")
    said("jobs", "pause", str(job.pk), *why)
    assert "2 dispatched" in said(*words, "--new")
    job.refresh_from_db()
    assert job.state == "cancelled"

    town.untrue = "the order was cancelled"
    Delivery.objects.update(state="sent")
    weighed = said("jobs", "begin", "resend", "subject=order/7", *why, "--dry-run")
    assert "email: 2" in weighed
    assert "refused: no_longer_true: the order was cancelled: 2" in weighed
    said("jobs", "begin", "resend", "subject=order/7", "--override", *why)
    with pytest.raises(CommandError, match="Say which: delivery"):
        said("jobs", "begin", "resend", "channel=email", *why)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_begin_the_same_at_one_moment_one_is_refused() -> None:
    two()

    def begin() -> str:
        try:
            return str(jobs.begin(Resend(), ALL_OF_7, by="ada", reason="why", rate=1.0).state)
        except jobs.AlreadyOpen as error:
            return f"job {error.job.pk} is open"

    answers = at_once(begin, 3)
    job = Job.objects.get()
    assert sorted(answers) == [f"job {job.pk} is open"] * 2 + ["running"]
    assert job.items.count() == 2


def test_an_open_job_is_paused_resumed_slowed_and_cancelled_by_its_buttons(town: Town) -> None:
    two()
    job = jobs.begin(Resend(), ALL_OF_7, by="mira", reason="why", rate=100.0)
    client = a_client(*RESENDS)

    def press(button: str, **form: Any) -> str:
        url = f"{page_url(job).removesuffix('change/')}{button}/"
        answer = text(client.post(url, {"reason": "lunch", **form}, follow=True))
        job.refresh_from_db()
        return answer

    assert "Hand it to the relays" in text(client.get(page_url(job)))
    press("hand_over")
    assert (job.state, job.runner) == ("running", "relay")
    press("pause")
    assert job.state == "stopped"
    assert "Done: Resume." in press("resume")
    assert job.state == "running"
    assert "Give a rate of" in press("rate", rate="inf")
    assert "Nothing was done: give a reason" in press("rate", rate="2", reason="")
    press("rate", rate="2.5")
    assert job.rate == 2.5
    press("cancel")
    assert job.state == "cancelled"
    assert "Nothing was done: Job" in press("cancel")
    log = " ".join(str(entry) for entry in job.log.order_by("id"))
    assert "stopped: lunch" in log
    assert "2.5 a second at most, it was 100: lunch" in log


@pytest.mark.parametrize("held", ["run_bulk_job", "resend_delivery"])
def test_a_job_is_moved_by_whoever_may_do_what_it_does(held: str) -> None:
    two()
    job = jobs.begin(Resend(), ALL_OF_7, by="mira", reason="why", rate=100.0)
    client = a_client(held)
    assert "You lack the permission" in text(client.get(page_url(job)))
    for button in ("pause", "cancel", "hand_over", "rate"):
        url = f"{page_url(job).removesuffix('change/')}{button}/"
        assert client.post(url, {"reason": "x", "rate": "1"}).status_code == 403
    job.refresh_from_db()
    assert (job.state, job.runner, job.rate) == ("running", "process", 100.0)


def test_the_page_of_a_job_shows_how_far_it_is_and_its_items_are_paged() -> None:
    for _ in range(3):
        sent()
    job = jobs.begin(Resend(), ALL_OF_7, by="mira", reason="why", rate=0.5)
    jobs.halt(job.pk, by="ada")
    JobItem.objects.filter(pk=job.items.earliest("id").pk).update(
        outcome="refused", why="no_longer_true: cancelled"
    )
    Job.objects.update(counts={"waiting": 2, "refused": 1})
    client = operator(Job)
    html = text(client.get(page_url(job)))
    assert '<progress max="3" value="1"' in html
    assert "Its log says why it stopped." in html
    assert "2 wait; at 0.5 a second at most, for 4.0" in html
    about = page_url(Delivery.objects.get(pk=job.items.earliest("id").delivery_id))
    assert f'<a href="{about}">order/7</a>' in html
    items = text(client.get(pages.url("job_items", job.pk)))
    assert f'<a href="{about}">order/7</a>' in items
    assert items.count("order/7") == 3
    assert "no_longer_true: cancelled" in items
    refused = text(client.get(pages.url("job_items", job.pk) + "?outcome=refused"))
    assert refused.count("order/7") == 1
    assert client.get(pages.url("job_items", job.pk) + "?outcome=x").status_code == 404
    assert client.get(pages.url("job_items", job.pk) + "?p=x").status_code == 404
    assert client.get(pages.url("job_items", 999999)).status_code == 404
    assert "discard dead letters" in text(client.get(list_url(Job)))


def test_why_a_job_stopped_is_read_to_its_end() -> None:
    two()
    job = jobs.begin(Resend(), ALL_OF_7, by="mira", reason="why", rate=1.0)
    why = "order/7: PermanentError: currency_not_supported: The payment provider refuses JPY."
    jobs.halt(job.pk, by="ada", why=f"stage 1 failed again: {why}")
    JobItem.objects.update(why=f"{why} It takes EUR, GBP and SEK.")
    page = text(operator(Job).get(page_url(job)))
    assert f"stage 1 failed again: {why}" in page
    assert "It takes EUR, GBP and SEK." in page


def test_a_selection_too_long_for_an_address_is_posted(town: Town) -> None:
    town.people.append(BEN)
    two()
    ids = [str(pk) for pk in Delivery.objects.values_list("pk", flat=True)]
    form = {"kind": "resend", "step": "ask", "delivery": ids}
    html = text(a_client(*RESENDS).post(pages.url("bulk"), form))
    assert "4 things are meant." in html
    assert all(f'name="delivery" value="{each}"' in html for each in ids)
