"""Templates become content: escaped in HTML only, complete, in the recipient's language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from django.template import TemplateSyntaxError

from notifications import rendering
from notifications.channels.base import Content
from notifications.channels.sms_parts import Encoding, segments
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.recipients import Recipient
from notifications.templating import files

EVENT = Envelope(
    id=uuid4(),
    type="letter.written",
    version=1,
    source="urn:test",
    subject="letter/7",
    time=datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
    data={"letter_id": 7},
)
SMS, PIGEON = "letter.written/sms.txt", "letter.written/pigeon.txt"

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, settings: pytest.FixtureRequest) -> Write:
    """`write({"letter.written/sms.txt": "…"})` below `notifications/` of a templates directory."""
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [tmp_path],
        }
    ]

    def write(templates: dict[str, str]) -> None:
        for name, text in templates.items():
            file = tmp_path / "notifications" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return write


def render(
    channel: str = "sms", locale: str = "", time_zone: str = "", **context: object
) -> Content:
    recipient = Recipient("customer/1", locale=locale, time_zone=time_zone)
    return rendering.render(EVENT, channel=channel, recipient=recipient, context=context)


def test_an_email_has_subject_text_and_html(write: Write) -> None:
    write(
        {
            "letter.written/email.subject.txt": "Letter {{ data.letter_id }} for {{ name }}\n",
            "letter.written/email.txt": "Dear {{ name }},\nit is here.\n",
            "letter.written/email.html": "<p>Dear {{ name }}</p>",
        }
    )

    content = render("email", name="O'Neil & <Sons>")

    assert content.subject == "Letter 7 for O'Neil & <Sons>"
    assert content.text == "Dear O'Neil & <Sons>,\nit is here."
    assert content.html == "<p>Dear O&#x27;Neil &amp; &lt;Sons&gt;</p>"


def test_an_email_may_do_without_html(write: Write) -> None:
    write({"letter.written/email.subject.txt": "A", "letter.written/email.txt": "B"})

    assert render("email").html == ""


def test_a_push_has_a_title_and_a_text(write: Write) -> None:
    write({"letter.written/push.title.txt": "Ding", "letter.written/push.txt": "Dong"})

    assert (render("push").subject, render("push").text) == ("Ding", "Dong")


def test_a_channel_of_the_shops_own_has_one_text(write: Write) -> None:
    write({"letter.written/pigeon.txt": "Coo"})

    assert render("pigeon").text == "Coo"


@pytest.mark.parametrize("smuggled", ["\r\nBcc: x@y.z", "\nBcc: x@y.z", "\u2028Bcc: x@y.z", "\0"])
def test_a_subject_is_one_line_whatever_is_put_into_it(write: Write, smuggled: str) -> None:
    write(
        {
            "letter.written/email.subject.txt": "Order of {{ name }}",
            "letter.written/email.txt": "B",
        }
    )

    subject = render("email", name=f"Eve{smuggled}").subject

    assert len(subject.splitlines()) == 1
    assert subject.isprintable()


def test_a_variable_that_does_not_exist_is_an_error_that_names_it(write: Write) -> None:
    write({SMS: "Dear {{ customer.name }}"})

    with pytest.raises(
        PermanentError, match=r"letter.written/sms.txt uses 'customer.name'"
    ) as told:
        render()
    assert told.value.code == "template_variable"


def test_a_variable_that_a_default_would_hide_is_an_error_too(write: Write) -> None:
    write({SMS: "Dear {{ name|default:'friend' }}"})

    with pytest.raises(PermanentError, match="'name'"):
        render()
    assert render(name="").text == "Dear friend"


def test_a_condition_may_ask_whether_a_variable_exists(write: Write) -> None:
    write({SMS: "{% if name %}Dear {{ name }}{% else %}Hello{% endif %}"})

    assert render().text == "Hello"


def test_a_call_that_templates_may_not_make_is_an_error(write: Write) -> None:
    def burn() -> str:
        raise AssertionError

    burn.alters_data = True
    write({SMS: "{{ burn }}"})

    with pytest.raises(PermanentError, match="may not make"):
        render(burn=burn)


def test_a_missing_template_is_a_permanent_error_that_names_its_path(write: Write) -> None:
    with pytest.raises(
        PermanentError, match=r"no template notifications/letter.written/sms.txt"
    ) as told:
        render(locale="de")
    assert told.value.code == "template_missing"
    assert rendering.missing_templates("letter.written", "sms") == [f"notifications/{SMS}"]


def test_a_template_that_does_not_compile_is_found_before_anybody_is_told(write: Write) -> None:
    write({SMS: "{% if %}"})

    assert not rendering.missing_templates("letter.written", "sms")
    assert "sms.txt: " in rendering.broken_templates("letter.written", "sms")[0]
    with pytest.raises(TemplateSyntaxError):
        render()


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("de-AT", "Servus"),
        ("de_AT", "Servus"),
        ("de-CH", "Hallo"),
        ("fr", "Hello"),
        ("", "Hello"),
        ("../../secret", "Hello"),
    ],
)
def test_the_closest_language_is_taken(write: Write, locale: str, text: str) -> None:
    write(
        {
            "letter.written/de-at/sms.txt": "Servus",
            "letter.written/de/sms.txt": "Hallo",
            SMS: "Hello",
        }
    )

    assert render(locale=locale).text == text


def test_dates_are_in_the_recipients_language_and_time_zone(write: Write) -> None:
    write({SMS: "{{ event.time|date:'l j. F H:i' }}"})

    assert render(locale="de", time_zone="Europe/Berlin").text == "Samstag 21. November 00:30"
    assert render(locale="en").text == "Friday 20. November 23:30"
    assert render(locale="xx", time_zone="Mars/Base").text == "Friday 20. November 23:30"


def test_an_amount_and_a_time_do_not_cost_a_text_message_its_alphabet(write: Write) -> None:
    """Both are written with no-break spaces, which GSM has none of: 70 characters fit then."""
    write(
        {SMS: "{{ paid|money:'EUR' }}, {{ event.time|time_in }}", PIGEON: "{{ paid|money:'EUR' }}"}
    )

    told = [render(locale=locale, paid=123450).text for locale in ("de", "en", "fr")]

    assert {segments(text).encoding for text in told} == {Encoding.GSM_7}
    assert told[0] == "1.234,50 €, 23:30"
    assert render("pigeon", locale="de", paid=1999).text == "19,99\N{NO-BREAK SPACE}€"


def test_the_version_changes_with_the_template_and_what_it_includes(write: Write) -> None:
    write({SMS: "Hi {{ name }} {% include 'notifications/sign.txt' %}", "sign.txt": "Ann"})
    first = render(name="Bob").template_version
    assert render(name="Eve").template_version == first

    write({"sign.txt": "Ben"})
    files.engine.cache_clear()

    assert render(name="Bob").template_version not in {first, ""}


TEMPLATE = """{
  "name": "letter_written", "language": "en",
  "components": [{"type": "body", "parameters": [{"type": "text", "text": "%s"}]}]
}"""


def filled(content: Content) -> str:
    """What stands in the place of the provider's template."""
    return content.template["components"][0]["parameters"][0]["text"]


@pytest.mark.parametrize(
    "name",
    ['Ann "the pen" O\'Neil', "C:\\new\\table", '"}], "name": "other', "{{ data.letter_id }}", "ⓐ"],
)
def test_what_a_variable_holds_stays_in_its_place_of_the_provider_s_template(
    write: Write, name: str
) -> None:
    write(
        {
            "letter.written/whatsapp.txt": "A",
            "letter.written/whatsapp.template.json": TEMPLATE % "{{ name }}",
        }
    )

    content = render("whatsapp", name=name)

    assert filled(content) == name
    assert (content.template["name"], content.template["language"]) == (
        "letter_written",
        {"code": "en"},
    )


def test_a_place_of_the_provider_s_template_is_filled_on_one_line(write: Write) -> None:
    write(
        {
            "letter.written/whatsapp.txt": "A",
            "letter.written/whatsapp.template.json": TEMPLATE % "{{ name }}",
        }
    )

    assert filled(render("whatsapp", name="Ann\n\tand     Bob ")) == "Ann and Bob"


def test_the_provider_s_template_follows_the_recipient_s_language(write: Write) -> None:
    write(
        {
            "letter.written/whatsapp.txt": "A",
            "letter.written/whatsapp.template.json": TEMPLATE % "a letter",
            "letter.written/de/whatsapp.template.json": TEMPLATE % "ein Brief",
        }
    )

    assert filled(render("whatsapp", locale="de-AT")) == "ein Brief"
    assert filled(render("whatsapp", locale="fr")) == "a letter"


def test_a_channel_may_do_without_the_provider_s_template(write: Write) -> None:
    write({"letter.written/whatsapp.txt": "A"})

    assert render("whatsapp").template == {}


def test_a_variable_that_the_provider_s_template_lacks_is_named(write: Write) -> None:
    write(
        {
            "letter.written/whatsapp.txt": "A",
            "letter.written/whatsapp.template.json": TEMPLATE % "{{ nam }}",
        }
    )

    with pytest.raises(PermanentError, match="'nam'") as caught:
        render("whatsapp", name="Ann")

    assert caught.value.code == "template_variable"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{", "no JSON"),
        ("[]", '"name"'),
        ('{"name": "a"}', '"language"'),
        ('{"name": "a", "language": "en", "components": {}}', '"components"'),
    ],
)
def test_a_broken_template_of_the_provider_is_named_before_and_when_it_is_used(
    write: Write, source: str, why: str
) -> None:
    write({"letter.written/whatsapp.txt": "A", "letter.written/whatsapp.template.json": source})

    (problem,) = rendering.broken_templates("letter.written", "whatsapp")
    with pytest.raises(PermanentError, match=why) as caught:
        render("whatsapp")

    assert problem.startswith("notifications/letter.written/whatsapp.template.json: ")
    assert why in problem
    assert caught.value.code == "template_broken"


def test_a_text_of_the_provider_s_template_that_does_not_compile_is_named(write: Write) -> None:
    """Over the whole file the two would be one; each is a template of its own."""
    halves = '{"name": "{% if a %}x", "language": "{% endif %}en"}'
    write({"letter.written/whatsapp.txt": "A", "letter.written/whatsapp.template.json": halves})

    (problem,) = rendering.broken_templates("letter.written", "whatsapp")

    assert "if" in problem
