"""Templates that staff edit: drafts, what is refused, what is sent then, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from notifications import recipients, rendering
from notifications.models import Event, Template, TemplateVersion
from notifications.recipients import Recipient
from notifications.templating import editing, places, previews, published
from notifications.templating.editing import Refused
from notifications.templating.places import Place
from orders_site.orders.services import cancel_order
from tests.integration.together import at_once
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

SMS = Place("order.cancelled", "sms", "de")
PUSH = Place("order.created", "push")
MAIL = Place("order.created", "email", "de")


@pytest.fixture(autouse=True)
def _nothing_published() -> Iterator[None]:
    """What another test has published is rolled back, but this process may still see it."""
    published.look_again()
    yield
    published.look_again()


@pytest.fixture
def event() -> Event:
    """An order of Meryem's, who reads German."""
    an_order(customer=a_customer(devices=1))
    return Event.objects.get(type="order.created")


def draft(place: Place, *, revision: int | None = None, **texts: str) -> TemplateVersion:
    return editing.save_draft(place, texts, by="ada", revision=revision)


def publish(place: Place, **texts: str) -> TemplateVersion:
    current = places.standing(place).draft
    draft(place, revision=current.revision if current else None, **texts)
    return editing.publish(place, by="ada", comment="it reads better")


def told(event: Event, channel: str = "push", locale: str = "") -> Any:
    recipient = Recipient("customer/1", locale=locale)
    envelope = event.envelope()
    return rendering.render(
        envelope,
        channel=channel,
        recipient=recipient,
        context=recipients.context(envelope, recipient),
        edited=published.look(),
    )


def test_a_draft_changes_nothing_until_it_is_published(event: Event) -> None:
    before = told(event)

    saved = draft(PUSH, subject="Thanks", text="{{ first_name }}: {{ total }}")

    assert (saved.number, saved.state, saved.revision) == (1, "draft", 1)
    assert told(event) == before

    editing.publish(PUSH, by="bea", comment="shorter", revision=1)

    content = told(event)
    assert (content.subject, content.text) == ("Thanks", "Meryem: €49.90")
    assert content.template_version == f"v1#{saved.pk}"
    found = TemplateVersion.objects.labelled(content.template_version)
    assert found is not None
    assert (found.state, found.published_by, found.comment) == ("published", "bea", "shorter")
    assert TemplateVersion.objects.labelled(before.template_version) is None


def test_the_closest_language_comes_first_and_its_version_before_its_file(event: Event) -> None:
    publish(PUSH, subject="s", text="everybody")
    assert told(event, locale="fr").text == "everybody"
    assert "Bestellung" in told(event, locale="de-at").text  # a file, in a closer language

    publish(Place("order.created", "push", "de"), subject="s", text="deutsch")
    assert told(event, locale="de-at").text == "deutsch"

    publish(Place("order.created", "push", "de-at"), subject="s", text="österreichisch")
    assert told(event, locale="de-at").text == "österreichisch"
    assert told(event, locale="de-ch").text == "deutsch"
    assert told(event, locale="fr").text == "everybody"


def test_an_email_without_html_is_sent_without_that_of_the_file(event: Event) -> None:
    version = publish(MAIL, subject="Danke", text="Hallo {{ first_name }}", html="")

    content = told(event, "email", "de")

    assert (content.subject, content.text, content.html) == ("Danke", "Hallo Meryem", "")
    assert content.template_version == version.label


def test_a_version_may_use_the_declared_partials_and_says_so_by_their_hash(event: Event) -> None:
    html = (
        '{% extends "notifications/layout.de.html" %}'
        "{% block content %}{% include \"notifications/lines.html\" with total_label='Summe' %}"
        "{% endblock %}"
    )
    version = publish(MAIL, subject="Danke", text="Hallo", html=html)

    content = told(event, "email", "de")

    assert "Mug “Salt &amp; Pine”" in content.html
    assert "Harbour &amp; Pine" in content.html
    label, plus, hashed = content.template_version.partition("+")
    assert (label, plus, len(hashed)) == (version.label, "+", 16)
    assert TemplateVersion.objects.labelled(content.template_version) == version


def test_what_staff_write_begins_with_the_text_of_the_file(event: Event) -> None:
    """So each of the shop's files passes the sandbox as it is."""
    for event_type, channel in places.routed():
        if event_type != event.type:
            continue
        for locale in ("", "de"):
            place = Place(event_type, channel, locale)
            version = publish(place, **places.texts_in_use(place))
            assert version.state == "published"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ firstname }}", "text, line 1: there is no firstname; is first_name meant?"),
        ("\n{% if carrier %}{{ carier }}{% endif %}", "text, line 2: there is no carier"),
        ("{{ order_number.__class__ }}", "may not begin with underscores"),
        ("{{ first_name }}\n{{ total }", "text, line 2: {{ would be sent as it stands"),
        ("{{ first_name\n}}", "text, line 1: {{ would be sent as it stands"),
        ("{% if carrier %}{ item }}{% endif %}", "text, line 1: }} would be sent as it stands"),
        ("{% load static %}", "the tag 'load' is not for edited templates"),
        ("{{ recipient.address }}", "there is no recipient.address"),
        ("", "text: it is empty"),
        ("{% if carrier %}x{% endif %}", "nothing is left of it (with order/"),
        ("{{ item_count|money:'EURO' }}", "'EURO' is no ISO 4217 currency (with order/"),
        ('{% plural item_count other="# x" %}', "plural needs a text for one in default"),
        ("{{ first_name|rjust:99999999 }}", "the filter 'rjust' is not for edited templates"),
    ],
)
def test_what_is_wrong_is_named_when_it_is_published(event: Event, text: str, said: str) -> None:
    draft(PUSH, subject="Thanks", text=text)

    with pytest.raises(Refused) as refused:
        editing.publish(PUSH, by="ada", comment="x")

    assert any(said in str(fault) for fault in refused.value.faults), refused.value.faults
    assert places.standing(PUSH).published is None


def test_the_braces_of_a_style_sheet_are_no_half_of_anything(event: Event) -> None:
    html = "<style>@media print { p{color:black}}</style><p>{{ first_name }}</p>"
    assert publish(MAIL, subject="Danke", text="Hallo", html=html).state == "published"
    draft(MAIL, subject="Danke", text="Hallo", html=f"{html}<p>{{{{ first_name }}</p>")
    with pytest.raises(Refused) as refused:
        editing.publish(MAIL, by="ada", comment="x")
    (fault,) = refused.value.faults
    assert str(fault).startswith("html, line 1: {{ would be sent as it stands")


def test_without_an_event_nobody_knows_which_variables_there_are() -> None:
    draft(SMS, text="Hallo")

    with pytest.raises(Refused) as refused:
        editing.publish(SMS, by="ada", comment="x")

    assert "publish after the first" in str(refused.value.faults[0])


def test_the_next_version_retires_the_one_before_and_a_rollback_brings_it_back(
    event: Event,
) -> None:
    publish(PUSH, subject="s", text="one")
    publish(PUSH, subject="s", text="two")
    assert told(event).text == "two"

    back = editing.roll_back(PUSH, 1, by="bea", comment="two was wrong")

    assert told(event).text == "one"
    assert (back.number, back.source and back.source.number) == (3, 1)
    states = TemplateVersion.objects.order_by("number").values_list("number", "state")
    assert list(states) == [(1, "retired"), (2, "retired"), (3, "published")]
    with pytest.raises(Refused, match="version 3 is published"):
        editing.roll_back(PUSH, 3, by="bea", comment="x")
    with pytest.raises(Refused, match="no version 9"):
        editing.roll_back(PUSH, 9, by="bea", comment="x")


def test_a_rollback_leaves_a_draft_alone_and_refuses_what_would_not_do_today(event: Event) -> None:
    first = publish(PUSH, subject="s", text="one")
    publish(PUSH, subject="s", text="two")
    draft(PUSH, subject="s", text="three")

    editing.roll_back(PUSH, 1, by="bea", comment="back")
    assert places.standing(PUSH).draft

    publish(PUSH, subject="s", text="four")
    TemplateVersion.objects.filter(pk=first.pk).update(parts={"subject": "s", "text": "{{ gone }}"})
    with pytest.raises(Refused) as refused:
        editing.roll_back(PUSH, 1, by="bea", comment="back")
    assert "there is no gone" in str(refused.value.faults[0])


def test_the_files_are_used_again_when_what_is_published_is_taken_back(event: Event) -> None:
    before = told(event)
    publish(PUSH, subject="s", text="edited")

    editing.take_back(PUSH, by="bea", why="enough")

    assert told(event) == before
    version = TemplateVersion.objects.get()
    assert (version.state, version.retired_by, version.retired_why) == ("retired", "bea", "enough")
    with pytest.raises(Refused, match="nothing is published"):
        editing.take_back(PUSH, by="bea", why="enough")


def test_what_somebody_else_has_saved_is_not_lost() -> None:
    draft(PUSH, subject="s", text="mine")

    with pytest.raises(Refused, match="somebody else"):
        draft(PUSH, subject="s", text="theirs")
    with pytest.raises(Refused, match="look at it first"):
        editing.publish(PUSH, by="ada", comment="x", revision=7)
    with pytest.raises(Refused):
        editing.drop_draft(PUSH, by="bea", revision=2)

    assert draft(PUSH, revision=1, subject="s", text="mine again").revision == 2
    editing.drop_draft(PUSH, by="bea", revision=2)
    assert places.standing(PUSH).draft is None


@pytest.mark.parametrize("comment", ["", " ", "x" * 256])
def test_a_comment_is_needed(event: Event, comment: str) -> None:
    draft(PUSH, subject="s", text="x")

    with pytest.raises(Refused, match="say why"):
        editing.publish(PUSH, by="ada", comment=comment)


def test_the_list_says_what_is_in_use_everywhere(event: Event) -> None:
    publish(PUSH, subject="s", text="x")
    draft(Place("order.created", "push", "de-at"), subject="s", text="x")

    found = {each.place: each for each in places.standings()}

    assert found[PUSH].in_use == "version 1"
    assert found[Place("order.created", "push", "de")].in_use == "file"
    austrian = found[Place("order.created", "push", "de-at")]
    assert (austrian.in_use, bool(austrian.draft)) == ("as de", True)
    assert Place("payment.failed", "sms", "de") in found
    assert {place.locale for place in found} == {"", "de", "de-at"}


def test_a_place_has_a_route_and_a_language() -> None:
    assert places.find("order.created", "push", "de_AT").locale == "de-at"
    assert places.find("order.created", "push", "default").locale == ""
    for wrong in (
        ("order.created", "pigeon", ""),
        ("x", "push", ""),
        ("order.created", "push", ".."),
    ):
        with pytest.raises(places.NoSuchPlace):
            places.find(*wrong)


def test_a_preview_shows_a_real_event_as_somebody_would_get_it(event: Event) -> None:
    html = "<p>{{ first_name }} & {{ shop.name }}</p>"
    seen = previews.preview(
        MAIL, event, {"subject": "An {{ first_name }}", "text": "Hallo", "html": html}
    )

    assert seen.content is not None
    assert (seen.content.subject, seen.content.html) == (
        "An Meryem",
        "<p>Meryem & Harbour &amp; Pine</p>",
    )
    assert "no foo" in previews.preview(PUSH, event, {"subject": "s", "text": "{{ foo }}"}).problem
    assert "line 1" in previews.preview(PUSH, event, {"subject": "s", "text": "{% if %}"}).problem


def test_the_preview_of_an_sms_says_what_it_costs() -> None:
    cancel_order(order=an_order(), reason="customer_request")
    event = Event.objects.get(type="order.cancelled")

    plain = previews.preview(SMS, event, {"text": "Storniert."}).segments
    smiling = previews.preview(SMS, event, {"text": "Storniert 🙂" * 10}).segments

    assert plain is not None
    assert smiling is not None
    assert (plain.encoding, plain.characters, plain.parts) == ("GSM-7", 10, 1)
    assert (smiling.encoding, smiling.parts) == ("UCS-2", 2)


def test_one_event_is_seen_in_every_channel_and_language(event: Event) -> None:
    draft(PUSH, subject="s", text="a draft for {{ first_name }}")

    seen = {standing.place: shown for standing, shown in previews.everywhere(event)}

    assert {(place.channel, place.language) for place in seen} == {
        (channel, language) for channel in ("email", "push") for language in ("default", "de")
    }
    assert all(each.content for each in seen.values())
    assert seen[PUSH].content
    assert seen[PUSH].content.text == "a draft for Meryem"


def test_a_difference_is_told_line_by_line() -> None:
    before, after = {"text": "a\nb\nc", "html": "x"}, {"text": "a\nB\nc", "html": "x"}

    assert editing.difference(before, after) == {
        "text": ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]
    }


def test_a_difference_tells_of_the_dashes_above_a_signature_too() -> None:
    before, after = {"text": "Thank you\n-- \nThe shop"}, {"text": "Thank you\n++\nThe shop"}

    assert editing.difference(before, after) == {
        "text": ["@@ -1,3 +1,3 @@", " Thank you", "--- ", "+++", " The shop"]
    }


def test_a_second_template_of_one_place_cannot_be(event: Event) -> None:
    publish(PUSH, subject="s", text="x")
    draft(PUSH, subject="s", text="y")

    assert Template.objects.count() == 1
    assert TemplateVersion.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_who_publish_at_once_one_does_and_the_other_is_told(event: Event) -> None:
    draft(PUSH, subject="s", text="x")

    def go() -> str:
        try:
            return f"version {editing.publish(PUSH, by='ada', comment='x', revision=1).number}"
        except Refused as refused:
            return refused.message

    first, second = sorted(at_once(go, 2))

    assert ("look at it first" in first, second) == (True, "version 1")
    assert TemplateVersion.objects.published().count() == 1
