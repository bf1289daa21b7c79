"""A hook of the shop's that gives what is none is named, with what it gave and what it should."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from notifications import recipients
from notifications.conf import Route
from notifications.recipients import Recipient

ADDRESS = "ann@example.org"
given: Any = None


def hook(*_: object) -> Any:
    return given


@pytest.fixture
def gives(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def gives(what: Any) -> None:
        monkeypatch.setattr(f"{__name__}.given", what)

    keys = ("RECIPIENTS", "CONTEXT", "STILL_TRUE", "ATTACHMENTS")
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        **dict.fromkeys(keys, f"{__name__}.hook"),
    }
    return gives


def ask(key: str) -> Any:
    event: Any = None
    person = Recipient("customer/42")
    return {
        "RECIPIENTS": lambda: recipients.resolve(event, Route("email")),
        "CONTEXT": lambda: recipients.context(event, person),
        "STILL_TRUE": lambda: recipients.no_longer_true(event),
        "ATTACHMENTS": lambda: recipients.attachments(event, person),
    }[key]()


@pytest.mark.parametrize(
    ("key", "what", "said"),
    [
        ("RECIPIENTS", None, "gave None: give an iterable of Recipient"),
        ("RECIPIENTS", Recipient("customer/42"), "gave a Recipient: give an iterable"),
        ("RECIPIENTS", ADDRESS, "gave a str: give an iterable"),
        ("RECIPIENTS", [ADDRESS], "gave an iterable with a str in it"),
        ("RECIPIENTS", [{"address": ADDRESS}], "gave an iterable with a dict in it"),
        ("RECIPIENTS", [Recipient("", ADDRESS)], "gave a Recipient whose reference is ''"),
        ("RECIPIENTS", [Recipient(42, ADDRESS)], "gave a Recipient whose reference is 42"),  # type: ignore[arg-type]
        ("CONTEXT", None, "gave None: give a dictionary"),
        ("CONTEXT", [ADDRESS], "gave a list: give a dictionary"),
        ("STILL_TRUE", True, "gave True: give the reason why it is not true any more"),
        ("STILL_TRUE", [ADDRESS], "gave a list: give the reason"),
        ("ATTACHMENTS", None, "gave None: give an iterable of Attachment"),
    ],
)
def test_what_a_hook_must_not_give_is_said_with_its_name_and_without_an_address(
    gives: Any, key: str, what: Any, said: str
) -> None:
    gives(what)

    with pytest.raises(TypeError) as refused:
        ask(key)

    assert str(refused.value).startswith(f'NOTIFICATIONS["{key}"], {__name__}.hook, {said}')
    assert ADDRESS not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "what", "heard"),
    [
        ("RECIPIENTS", iter([Recipient("customer/42")]), [Recipient("customer/42")]),
        ("RECIPIENTS", (), []),
        ("CONTEXT", {"name": "Ann"}, {"name": "Ann"}),
        ("STILL_TRUE", None, None),
        ("STILL_TRUE", False, None),  # of `order.cancelled and "it was cancelled"`
        ("STILL_TRUE", gettext_lazy("cancelled"), "cancelled"),
        ("ATTACHMENTS", [], ()),
    ],
)
def test_what_it_may_give_is_heard(gives: Any, key: str, what: Any, heard: Any) -> None:
    gives(what)
    assert ask(key) == heard
