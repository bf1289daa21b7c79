"""What is attached to a send comes back as it was, and fits what each provider allows."""

from __future__ import annotations

import re
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from notifications.channels import correlation
from notifications.channels.correlation import Correlation

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=255).map(str.strip)
correlations = st.builds(Correlation, tag=texts, event_type=texts, subject=texts)
USUAL = Correlation("0199c1d2-7b1e-7f3a-9c55-2f6f0e1b4a10.12.3", "order.created", "order/42")


@given(correlations)
def test_ses_tags_hold_only_what_ses_allows_and_are_read_back(given: Correlation) -> None:
    tags = correlation.to_ses_tags(given)
    kept = {tag["Name"] for tag in tags}

    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["Value"]) for tag in tags)
    expected = {name: value for name, value in given.fields().items() if name in kept}
    assert correlation.from_ses_tags(tags).fields() == expected


@given(correlations)
def test_headers_are_printable_ascii_and_are_read_back(given: Correlation) -> None:
    headers = correlation.to_headers(given)
    email = EmailMessage()
    for name, value in headers.items():
        email[name.upper()] = value

    assert all(re.fullmatch(r"[!-~]{1,995}", value) for value in headers.values())
    whole = len(headers) == len(given.fields())
    assert not whole or correlation.from_headers(email.get) == given


@given(correlations)
def test_an_sms_context_is_read_back(given: Correlation) -> None:
    context = correlation.to_sms_context(given)

    assert all(len(value) <= 800 and value.strip() == value for value in context.values())
    assert correlation.from_sms_context(context) == given


@given(correlations)
def test_whatsapp_callback_data_stays_within_its_limit_and_keeps_the_tag(
    given: Correlation,
) -> None:
    given = Correlation(given.tag[:60], given.event_type, given.subject)
    text = correlation.to_whatsapp_callback(given)

    assert len(text) <= 512
    assert correlation.from_whatsapp_callback(text).tag == given.tag


def test_what_we_usually_attach_fits_everywhere_and_comes_back_whole() -> None:
    assert correlation.from_ses_tags(correlation.to_ses_tags(USUAL)) == USUAL
    assert correlation.from_headers(correlation.to_headers(USUAL).get) == USUAL
    assert correlation.from_sms_context(correlation.to_sms_context(USUAL)) == USUAL
    assert correlation.from_whatsapp_callback(correlation.to_whatsapp_callback(USUAL)) == USUAL
    assert correlation.from_fcm_data(correlation.to_fcm_data(USUAL)) == USUAL


def test_an_analytics_label_is_the_event_type_or_nothing() -> None:
    assert correlation.to_fcm_label(USUAL) == "order.created"
    assert correlation.to_fcm_label(Correlation(event_type="x" * 51)) == ""
    assert correlation.to_fcm_label(Correlation(event_type="größe")) == ""


def test_callback_data_of_somebody_else_is_no_error() -> None:
    assert correlation.from_whatsapp_callback("campaign-7") == Correlation()
    assert correlation.from_whatsapp_callback("[1]") == Correlation()
