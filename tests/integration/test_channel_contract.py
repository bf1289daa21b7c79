"""One contract, held by every adapter: through the real SDK against the sandbox, and in memory."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.channels.base import ChannelAdapter, Message
from notifications.channels.memory import MemoryChannel
from notifications.exceptions import (
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from tests.channels import (
    ADAPTERS,
    PATIENCE,
    SHORT_PATIENCE,
    TAG,
    Channel,
    MemoryProvider,
    Provider,
    SandboxProvider,
    message_to,
)


@pytest.fixture(params=ADAPTERS, ids=lambda channel: channel.name)
def channel(request: pytest.FixtureRequest) -> Channel:
    return request.param


@pytest.fixture
def provider(channel: Channel, request: pytest.FixtureRequest) -> Provider:
    if channel.name == "memory":
        MemoryChannel.reset()
        return MemoryProvider()
    request.getfixturevalue("trusted")
    return SandboxProvider(request.getfixturevalue("sandbox"), channel.at_sandbox)


@pytest.fixture
def adapter(channel: Channel, provider: Provider) -> ChannelAdapter:
    return channel.make(PATIENCE)


@pytest.fixture
def message(channel: Channel) -> Message:
    return message_to(channel.address)


def test_an_accepted_message_is_found_at_the_provider_by_its_tag(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    answer = adapter.send(message)

    assert answer.provider_message_id
    assert provider.accepted() == [(message.address, TAG, "order.shipped", "order/7")]


def test_a_slow_provider_is_waited_for(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("delay", seconds=0.1)

    assert adapter.send(message).provider_message_id


def test_throttling_is_transient_and_names_the_wait(
    adapter: ChannelAdapter, provider: Provider, message: Message, channel: Channel
) -> None:
    provider.script("throttle", retry_after=7)

    with pytest.raises(TransientError) as caught:
        adapter.send(message)

    assert caught.value.retry_after == (7 if channel.names_wait else None)
    assert not isinstance(caught.value, ProviderPaused)
    assert provider.accepted() == []


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_is_transient(
    adapter: ChannelAdapter, provider: Provider, message: Message, status: int
) -> None:
    provider.script("server_error", status=status)

    with pytest.raises(TransientError) as caught:
        adapter.send(message)

    assert not isinstance(caught.value, ProviderPaused)


def test_a_refusal_is_permanent_and_carries_the_provider_s_code(
    adapter: ChannelAdapter, provider: Provider, message: Message, channel: Channel
) -> None:
    provider.script("refuse", code=channel.refused)

    with pytest.raises(PermanentError) as caught:
        adapter.send(message)

    assert caught.value.code == channel.refused


@pytest.mark.parametrize(
    "channel", [one for one in ADAPTERS if one.paused], ids=lambda one: one.name, indirect=True
)
def test_a_refused_account_pauses_the_channel(
    adapter: ChannelAdapter, provider: Provider, message: Message, channel: Channel
) -> None:
    provider.script("refuse", code=channel.paused)

    with pytest.raises(ProviderPaused) as caught:
        adapter.send(message)

    assert caught.value.code == channel.paused


def test_a_provider_that_never_answers_leaves_the_outcome_unknown(
    channel: Channel, provider: Provider, message: Message
) -> None:
    provider.script("hang")

    with pytest.raises(OutcomeUnknown) as caught:
        channel.make(SHORT_PATIENCE).send(message)

    assert caught.value.code == "read_timeout"


def test_a_provider_that_hangs_up_leaves_the_outcome_unknown(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("hang_up")

    with pytest.raises(OutcomeUnknown) as caught:
        adapter.send(message)

    assert caught.value.code == "connection_lost"
    assert provider.accepted() == []


def test_an_answer_that_was_lost_leaves_the_outcome_unknown_though_it_was_accepted(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("accept_then_drop")

    with pytest.raises(OutcomeUnknown):
        adapter.send(message)

    assert [tag for _, tag, _, _ in provider.accepted()] == [TAG]


def test_a_send_is_made_once_whatever_comes_of_it(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("server_error", times=1)

    with pytest.raises(TransientError):
        adapter.send(message)

    assert provider.accepted() == []


def test_after_a_lost_connection_the_next_send_goes_through(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    provider.script("hang_up", times=1)
    with pytest.raises(OutcomeUnknown):
        adapter.send(message)

    assert adapter.send(message).provider_message_id


def test_an_empty_address_is_refused_before_the_provider_is_asked(
    adapter: ChannelAdapter, provider: Provider, message: Message
) -> None:
    nobody = Message(**{**vars(message), "address": " "})

    with pytest.raises(PermanentError) as caught:
        adapter.send(nobody)

    assert caught.value.code == "invalid_address"
    assert provider.accepted() == []


@pytest.mark.parametrize(
    ("behaviour", "arguments"),
    [
        ("throttle", {}),
        ("server_error", {}),
        ("refuse", {"code": "SomeCode"}),
        ("hang_up", {}),
    ],
)
def test_no_error_shows_the_address(
    adapter: ChannelAdapter,
    provider: Provider,
    message: Message,
    behaviour: str,
    arguments: dict[str, Any],
) -> None:
    provider.script(behaviour, **arguments)

    with pytest.raises(Exception, match=r".") as caught:
        adapter.send(message)

    assert message.address not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
