"""Each provider's own error codes, raised by the real SDKs, in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from notifications.aws import clients
from notifications.channels.base import ChannelAdapter, Content, Message
from notifications.channels.email import SesEmail
from notifications.channels.push import FcmPush
from notifications.channels.sms import EndUserMessagingSms
from notifications.channels.whatsapp import EndUserMessagingWhatsApp
from notifications.exceptions import (
    NotificationError,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.local.providers.client import SandboxClient

ADDRESSES = {
    "email": "ada@example.org",
    "sms": "+4915112345678",
    "whatsapp": "+4915112345678",
    "push": "device-token-1",
}
TABLE: dict[str, dict[type[NotificationError], str]] = {
    "email": {
        TransientError: "TooManyRequestsException Throttling ThrottlingException InternalFailure "
        "ServiceUnavailable RequestTimeout",
        PermanentError: "MessageRejected BadRequestException SomethingNew",
        ProviderPaused: "AccountSuspendedException SendingPausedException LimitExceededException "
        "MailFromDomainNotVerifiedException NotFoundException AccessDeniedException "
        "ExpiredTokenException UnrecognizedClientException SignatureDoesNotMatch",
    },
    "sms": {
        TransientError: "ThrottlingException InternalServerException",
        PermanentError: "ValidationException ConflictException ResourceNotFoundException",
        ProviderPaused: "ServiceQuotaExceededException AccessDeniedException",
    },
    "whatsapp": {
        TransientError: "ThrottledRequestException InternalServiceException DependencyException "
        "2 4 80007 130429 131000 131056",
        PermanentError: "InvalidParametersException ValidationException ResourceNotFoundException "
        "131026 131047 131051 131009",
        ProviderPaused: "AccessDeniedException 0 10 190 200 299 368 131031 131048",
    },
    "push": {
        TransientError: "QUOTA_EXCEEDED UNAVAILABLE INTERNAL",
        PermanentError: "UNREGISTERED SENDER_ID_MISMATCH INVALID_ARGUMENT NOT_FOUND",
        ProviderPaused: "THIRD_PARTY_AUTH_ERROR UNAUTHENTICATED PERMISSION_DENIED",
    },
}
CASES = [
    pytest.param(channel, code, kind, id=f"{channel}-{code}")
    for channel, kinds in TABLE.items()
    for kind, codes in kinds.items()
    for code in codes.split()
]


@pytest.fixture(scope="module")
def adapters() -> dict[str, ChannelAdapter]:
    return {
        "email": SesEmail("Orders <orders@shop.example>"),
        "sms": EndUserMessagingSms(),
        "whatsapp": EndUserMessagingWhatsApp("phone-number-id-01234567890123456789012345678901"),
        "push": FcmPush(endpoint=os.environ["FCM_ENDPOINT"]),
    }


def message(channel: str) -> Message:
    content = Content(text="Your order is on its way.", subject="On its way")
    return Message(ADDRESSES[channel], content, "d.0.1", "d.0", "order.shipped", "order/7")


@pytest.mark.parametrize(("channel", "code", "kind"), CASES)
def test_a_provider_s_code_means_what_the_table_says(
    adapters: dict[str, ChannelAdapter],
    sandbox: SandboxClient,
    channel: str,
    code: str,
    kind: type[NotificationError],
) -> None:
    sandbox.script(channel, "refuse", code=code)

    with pytest.raises(NotificationError) as caught:
        adapters[channel].send(message(channel))

    assert type(caught.value) is kind
    assert caught.value.code == code


def test_the_reason_an_sms_was_refused_for_is_told(
    adapters: dict[str, ChannelAdapter], sandbox: SandboxClient
) -> None:
    sandbox.script("sms", "refuse", code="ConflictException")

    with pytest.raises(PermanentError, match="DESTINATION_PHONE_NUMBER_OPTED_OUT"):
        adapters["sms"].send(message("sms"))


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", "nobody"),
        ("email", "two@@example.org"),
        ("email", "grüße@example.org"),
        ("email", "a@example.org\nBcc: b@example.org"),
        ("sms", "0151 12345678"),
        ("sms", "+49"),
        ("whatsapp", "twelve"),
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
    assert sandbox.requests(channel) == 0


@pytest.mark.parametrize(
    ("channel", "written", "sent"),
    [
        ("email", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("sms", "+49 (151) 1234-5678", "+4915112345678"),
        ("whatsapp", "+49 151 12345678", "+4915112345678"),
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

    assert [each.address for each in sandbox.accepted(channel)] == [sent]


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
