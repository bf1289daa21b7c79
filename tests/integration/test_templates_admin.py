"""The pages of templates: who may do what, by POST alone, on record, and nothing unescaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from notifications import suppressions
from notifications.local.providers.client import SandboxClient
from notifications.models import (
    AuditEntry,
    Delivery,
    Event,
    Suppression,
    Template,
    TemplateVersion,
)
from notifications.templating import editing, published
from notifications.templating.places import Place
from tests.integration.operator_rows import page_url
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

PUSH = Place("order.created", "push", "de")
LIST = "/admin/notifications/template/"
EDIT = f"{LIST}order.created/push/de/"
TEXTS = {"subject": "Danke", "text": "Hallo {{ first_name }}"}


@pytest.fixture(autouse=True)
def _nothing_published() -> Iterator[None]:
    published.look_again()
    yield
    published.look_again()


@pytest.fixture
def event() -> Event:
    an_order(customer=a_customer(devices=1))
    return Event.objects.get(type="order.created")


WHO_LOOKS = ("change_template", "view_personal_data")
"""A preview is made of what a real customer would read."""


def staff(*codenames: str) -> Client:
    """Somebody who may do this and nothing else."""
    user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    assert user.user_permissions.count() == len(codenames)
    client = Client()
    client.force_login(user)
    return client


def version_two() -> None:
    """Two versions, of which the second is published."""
    for text in ("eins", "zwei"):
        editing.save_draft(PUSH, {**TEXTS, "text": text}, by="ada", revision=None)
        editing.publish(PUSH, by="ada", comment="x")


@pytest.mark.parametrize("url", [LIST, EDIT, f"{EDIT}1/", f"{LIST}everywhere/?type=order.created"])
def test_who_may_not_look_is_refused(event: Event, url: str) -> None:
    version_two()

    assert Client().get(url).status_code == 302
    assert staff("view_delivery").get(url).status_code == 403
    assert staff("view_template", *WHO_LOOKS).get(url).status_code == 200


def test_who_may_only_look_sees_no_customer_and_no_button(event: Event) -> None:
    html = staff("view_template").get(EDIT).content.decode()

    assert "{{ order_number }}" in html
    assert "Bestellung 1" not in html
    assert "Preview" not in html
    content = html.split('id="content"')[1]
    assert content.count("<button") == content.count('type="button" disabled') == 3
    assert staff("view_template").get(f"{LIST}everywhere/?type=order.created").status_code == 403


@pytest.mark.parametrize(
    ("action", "granted"),
    [
        ("preview", "change_template"),
        ("save", "change_template"),
        ("drop", "change_template"),
        ("publish", "publish_template"),
        ("take_back", "publish_template"),
        ("test", "send_test_template"),
    ],
)
def test_each_action_needs_its_own_permission(event: Event, action: str, granted: str) -> None:
    others = {"change_template", "publish_template", "send_test_template"} - {granted}
    before = (LogEntry.objects.count(), TemplateVersion.objects.count())

    response = staff("view_template", *others).post(
        EDIT, {**TEXTS, "action": action, "comment": "x", "address": "t", "revision": "1"}
    )

    assert response.status_code == 403
    assert (LogEntry.objects.count(), TemplateVersion.objects.count()) == before


def test_publishing_what_is_not_saved_needs_the_right_to_change_it(event: Event) -> None:
    client = staff("view_template", "publish_template")
    editing.save_draft(PUSH, TEXTS, by="ada", revision=None)
    form = {**TEXTS, "action": "publish", "comment": "x", "revision": "1"}

    assert client.post(EDIT, {**form, "text": "another"}).status_code == 403
    assert client.post(EDIT, form).status_code == 302
    assert TemplateVersion.objects.get().state == "published"


@pytest.mark.parametrize(
    ("text", "comment", "said"),
    [
        ("Hallo {{ first_name }}", "", "and is not published: say why"),
        ("Hallo {{ firstname }}", "nicer", "and is not published: text, line 1: there is no"),
    ],
)
def test_a_draft_saved_on_the_way_is_not_called_nothing(
    event: Event, text: str, comment: str, said: str
) -> None:
    client = staff("change_template", "publish_template")
    form = {**TEXTS, "text": text, "action": "publish", "comment": comment}
    page = unescape(client.post(EDIT, form).content.decode())
    assert f"Version 1 is saved as a draft, {said}" in page
    assert "Nothing was done" not in page
    assert TemplateVersion.objects.get().state == "draft"


def test_every_change_stands_in_the_admins_log(event: Event) -> None:
    client = staff("view_template", "publish_template", *WHO_LOOKS)

    client.post(EDIT, {**TEXTS, "action": "save"})
    client.post(EDIT, {**TEXTS, "action": "publish", "comment": "shor\0ter", "revision": "1"})
    client.post(EDIT, {**TEXTS, "action": "save", "text": "x"})
    client.post(EDIT, {**TEXTS, "action": "drop", "revision": "1"})
    client.post(EDIT, {**TEXTS, "action": "take_back", "comment": "enough"})
    client.post(f"{EDIT}1/", {"comment": "or not"})

    said = list(LogEntry.objects.order_by("id").values_list("change_message", flat=True))
    assert said == [
        "Version 1 is saved as a draft. revision 1",
        "Version 1 is published. shorter",
        "Version 2 is saved as a draft. revision 1",
        "The draft is thrown away.",
        "Version 1 is taken back. enough",
        "Version 1 is back, as version 2. or not",
    ]
    template = Template.objects.get()
    assert {each.object_id for each in LogEntry.objects.all()} == {str(template.pk)}
    assert client.get(page_url(template))["Location"] == EDIT


def test_an_older_version_is_brought_back_by_post_alone_and_by_who_may(event: Event) -> None:
    version_two()

    assert (
        "Bring it back"
        in staff("view_template", "publish_template").get(f"{EDIT}1/").content.decode()
    )
    refused = staff("view_template", *WHO_LOOKS).post(f"{EDIT}1/", {"comment": "x"})
    assert refused.status_code == 403
    assert TemplateVersion.objects.published().get().number == 2


def test_without_a_token_nothing_is_posted(event: Event) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))

    assert client.post(EDIT, {**TEXTS, "action": "save"}).status_code == 403
    assert not TemplateVersion.objects.exists()


def test_what_somebody_has_written_is_escaped_everywhere(event: Event) -> None:
    client = staff("view_template", "publish_template", *WHO_LOOKS)
    evil = "</textarea><script>alert(1)</script>"
    mail = Place("order.created", "email", "de")
    html = f'{evil}"></iframe><script>alert(2)</script>'
    editing.save_draft(mail, {"subject": evil, "text": evil, "html": html}, by="ada", revision=None)
    editing.publish(mail, by="ada", comment=evil)
    page = f"{LIST}order.created/email/de/"

    for url in (page, f"{page}1/", f"{LIST}everywhere/?type=order.created"):
        shown = client.get(url).content.decode()
        assert "alert(1)" in shown
        assert "<script>alert" not in shown
        assert "&amp;lt;script&amp;gt;" not in shown
    frame = frame_of(client.get(page))
    assert html in frame.content.decode()
    policy = frame["Content-Security-Policy"]
    assert "sandbox; default-src 'none'; style-src 'unsafe-inline'" in policy
    assert frame["X-Frame-Options"] == "SAMEORIGIN"
    assert "no-store" in frame["Cache-Control"]


def frame_of(page: Any) -> Any:
    """What stands in the frame of the preview, to the same visitor."""
    tag = page.content.decode().split("<iframe")[1].split(">")[0]
    assert 'sandbox=""' in tag
    url = re.search(r'src="([^"]+)"', tag)
    assert url
    return page.client.get(unescape(url[1]))


def test_a_preview_shows_in_its_frame_what_nobody_has_saved(event: Event) -> None:
    page = f"{LIST}order.created/email/de/"
    texts = {"subject": "x", "text": "x"}
    client = staff("view_template", *WHO_LOOKS)
    shown = [
        client.post(page, {**texts, "html": f"<h1>{n}</h1>", "action": "preview"}) for n in range(6)
    ]
    assert frame_of(shown[5]).content == b"<h1>5</h1>"
    assert frame_of(shown[2]).content == b"<h1>2</h1>"
    assert b"<h1>0</h1>" not in frame_of(shown[0]).content, "a session keeps the latest few"
    assert not TemplateVersion.objects.exists()


def test_a_preview_is_for_who_may_see_what_people_are_told_and_is_in_the_audit(
    event: Event,
) -> None:
    page = f"{LIST}order.created/email/de/"
    url = f"{page}frame/?event={event.pk}"
    for client in (staff("view_template", "change_template"), staff(*WHO_LOOKS[1:])):
        assert client.get(url).status_code == 403
    html = staff("view_template", "change_template").get(page).content.decode()
    assert "<iframe" not in html
    assert "You lack the permission" in html
    revealed = AuditEntry.objects.filter(action="personal_data.reveal")
    assert not revealed.exists()

    client = staff("view_template", *WHO_LOOKS)
    shown = client.get(page)
    assert frame_of(shown).status_code == 200
    assert revealed.get().target == str(event.pk), "the page and its frame are one look"
    assert client.get(f"{page}frame/?event=7").status_code == 404
    assert client.get(f"{page}frame/?event={event.pk}&kept=gone").status_code == 200
    assert revealed.count() == 2, "nobody looks at a frame alone without a trace"


def test_a_text_that_somebody_else_has_changed_is_not_written_over(event: Event) -> None:
    client = staff("view_template", "publish_template", *WHO_LOOKS)
    editing.save_draft(PUSH, TEXTS, by="bea", revision=None)

    for action in ("save", "publish"):
        response = client.post(EDIT, {**TEXTS, "text": "mine", "action": action, "comment": "x"})
        html = response.content.decode()
        assert "somebody else has changed the draft meanwhile" in html
        assert "mine</textarea>" in html
    assert TemplateVersion.objects.get().parts["text"] == TEXTS["text"]


@pytest.mark.parametrize(
    "url",
    [
        f"{LIST}order.created/pigeon/de/",
        f"{LIST}order.created/push/not_a_language_at_all!/",
        f"{EDIT}99/",
        f"{LIST}everywhere/?type=nothing.happened",
        f"{LIST}everywhere/?type=order.created&event=7",
    ],
)
def test_what_is_not_there_is_not_found(event: Event, url: str) -> None:
    assert staff("view_template", *WHO_LOOKS).get(url).status_code == 404


def test_another_language_is_begun_from_the_list(event: Event) -> None:
    client = staff("view_template", *WHO_LOOKS)

    found = client.get(LIST, {"route": "order.created push", "language": "de_AT"})
    assert found["Location"] == f"{LIST}order.created/push/de-at/"
    assert "as de" in client.get(found["Location"]).content.decode()
    wrong = client.get(LIST, {"route": "order.created push", "language": "?"}, follow=True)
    assert "is no language" in wrong.content.decode()


def test_a_delivery_leads_to_the_version_that_it_was_rendered_with(event: Event) -> None:
    version_two()
    version = TemplateVersion.objects.published().get()
    delivery = Delivery.objects.create(
        event_id=event.pk,
        event_type="order.created",
        event_time=event.time,
        subject=event.subject,
        channel="push",
        route="customer",
        recipient="customer/1",
        template_version=f"{version.label}+0123456789abcdef",
    )

    html = staff("view_delivery").get(page_url(delivery)).content.decode()

    assert f'href="{reverse("admin:notifications_template_version", args=[*_args(), 2])}"' in html
    assert f"{version.label}+0123456789abcdef" in html


def _args() -> tuple[str, str, str]:
    return PUSH.event_type, PUSH.channel, PUSH.language


def test_a_test_that_the_provider_refuses_is_on_record_without_the_address(event: Event) -> None:
    client = staff("view_template", "send_test_template", *WHO_LOOKS)
    url = f"{LIST}order.created/email/de/"
    form = {"subject": "s", "text": "t", "html": "", "action": "test"}

    response = client.post(url, {**form, "address": "nobody at all"})

    assert "Nothing was done: the provider did not take it" in response.content.decode()
    assert "nobody at all" not in LogEntry.objects.get().change_message
    assert "give an address" in client.post(url, {**form, "address": " "}).content.decode()


def test_no_test_is_sent_to_an_address_that_is_suppressed(
    event: Event, sandbox: SandboxClient
) -> None:
    suppressions.suppress(
        channel="email", address="gone@example.org", reason=Suppression.Reason.OPERATOR, by="ada"
    )
    client = staff("view_template", "send_test_template", *WHO_LOOKS)
    form = {"subject": "s", "text": "t", "html": "", "action": "test"}

    response = client.post(
        f"{LIST}order.created/email/de/", {**form, "address": "gone@example.org"}
    )

    assert "nothing is sent there: it is suppressed" in response.content.decode()
    assert not sandbox.accepted("email")


def test_no_test_is_sent_to_an_address_that_is_not_allowed_here(
    event: Event, sandbox: SandboxClient, settings: Any
) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ALLOWED_RECIPIENTS": ["*@shop.example"]}
    client = staff("view_template", "send_test_template", *WHO_LOOKS)
    form = {"subject": "s", "text": "t", "html": "", "action": "test"}

    response = client.post(
        f"{LIST}order.created/email/de/", {**form, "address": "real@example.org"}
    )

    assert "nobody but its ALLOWED_RECIPIENTS" in response.content.decode()
    assert not sandbox.accepted("email")
