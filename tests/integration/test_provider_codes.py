"""Each provider's own error codes, raised by the real SDKs, in our words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from notifications.aws import clients
from notifications.channels.base import ChannelAdapter, Content, Message
from notifications.exceptions import (
    NotificationError,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.local.providers.client import SandboxClient
from tests.channels import BY_NAME, PATIENCE
from tests.codes.base import Row
from tests.codes.tables import TABLES

CASES = [
    pytest.param(table.adapter, row, id=f"{table.adapter}-{row.arguments.get('code', row.code)}")
    for table in TABLES
    for row in table.every_row()
]


@pytest.fixture(scope="module")
def adapters() -> dict[str, ChannelAdapter]:
    """Each adapter, made once: that is how a worker has them."""
    return {name: channel.make(PATIENCE) for name, channel in BY_NAME.items()}


def message(adapter: str) -> Message:
    content = Content(text="Your order is on its way.", subject="On its way")
    address = BY_NAME[adapter].address
    return Message(address, content, "d.0.1", "d.0", "order.shipped", "order/7")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("adapter", "row"), CASES)
def test_a_provider_s_code_means_what_the_table_says(
    adapters: dict[str, ChannelAdapter], sandbox: SandboxClient, adapter: str, row: Row
) -> None:
    sandbox.script(BY_NAME[adapter].at_sandbox, **row.script)

    with pytest.raises(NotificationError) as caught:
        adapters[adapter].send(message(adapter))

    assert type(caught.value) is row.meaning.error
    assert caught.value.code == row.code
    assert caught.value.elsewhere is row.elsewhere


def test_every_adapter_under_contract_has_its_table() -> None:
    assert {table.adapter for table in TABLES} == BY_NAME.keys() - {"memory"}


def test_the_reason_an_sms_was_refused_for_is_told(
    adapters: dict[str, ChannelAdapter], sandbox: SandboxClient
) -> None:
    sandbox.script("sms", "refuse", code="ConflictException")

    with pytest.raises(PermanentError, match="DESTINATION_PHONE_NUMBER_OPTED_OUT"):
        adapters["sms"].send(message("sms"))


@pytest.mark.parametrize("channel", ["whatsapp", "whatsapp-cloud"])
@pytest.mark.parametrize(("code", "of_one"), [("131056", True), ("130429", False)])
def test_what_one_person_is_told_too_much_says_nothing_of_the_account(
    adapters: dict[str, ChannelAdapter],
    sandbox: SandboxClient,
    channel: str,
    code: str,
    of_one: bool,
) -> None:
    sandbox.script("whatsapp", "refuse", code=code)

    with pytest.raises(TransientError) as caught:
        adapters[channel].send(message(channel))

    assert caught.value.of_recipient is of_one


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", "nobody"),
        ("email", "two@@example.org"),
        ("email", "grüße@example.org"),
        ("email", "a@example.org\nBcc: b@example.org"),
        ("email-smtp", "a@example.org\nBcc: b@example.org"),
        ("email-anymail", "nobody"),
        ("sms", "0151 12345678"),
        ("sms", "+49"),
        ("whatsapp", "twelve"),
        ("whatsapp-cloud", "twelve"),
        ("push", "two words"),
    ],
)
def test_an_invalid_address_costs_no_request(
    adapters: dict[str, ChannelAdapter], sandbox: SandboxClient, channel: str, address: str
) -> None:
    wrong = Message(**{**vars(message(channel)), "address": address})

    with pytest.raises(PermanentError) as caught:
        adapters[channel].send(wrong)

    assert caught.value.code == "invalid_address"
    assert sandbox.requests(BY_NAME[channel].at_sandbox) == 0


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("channel", "written", "sent"),
    [
        ("email", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("email-smtp", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("email-anymail", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("sms", "+49 (151) 1234-5678", "+4915112345678"),
        ("whatsapp", "+49 151 12345678", "+4915112345678"),
        ("whatsapp-cloud", "+49 151 12345678", "+4915112345678"),
    ],
)
def test_an_address_is_sent_in_the_form_the_provider_wants(
    adapters: dict[str, ChannelAdapter],
    sandbox: SandboxClient,
    channel: str,
    written: str,
    sent: str,
) -> None:
    adapters[channel].send(Message(**{**vars(message(channel)), "address": written}))

    accepted = sandbox.accepted(BY_NAME[channel].at_sandbox)
    assert [each.address for each in accepted] == [sent]


def test_an_empty_text_is_refused_for_good(
    adapters: dict[str, ChannelAdapter], sandbox: SandboxClient
) -> None:
    empty = Message(**{**vars(message("sms")), "content": Content(text="")})

    with pytest.raises(PermanentError) as caught:
        adapters["sms"].send(empty)

    assert caught.value.code == "invalid_request"
    assert sandbox.requests("sms") == 0


@pytest.fixture
def no_region(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    clients.forget()
    yield "NoRegionError"
    clients.forget()


@pytest.fixture
def no_profile(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    clients.forget()
    yield "ProfileNotFound"
    clients.forget()


@pytest.mark.parametrize("missing", ["no_region", "no_profile"])
@pytest.mark.parametrize("channel", ["email", "sms", "whatsapp"])
def test_what_is_wrong_with_us_for_every_message_pauses_the_channel(
    adapters: dict[str, ChannelAdapter],
    request: pytest.FixtureRequest,
    channel: str,
    missing: str,
) -> None:
    code = request.getfixturevalue(missing)

    with pytest.raises(ProviderPaused) as caught:
        adapters[channel].send(message(channel))

    assert caught.value.code == code
