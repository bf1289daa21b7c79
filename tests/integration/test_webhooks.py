"""Partners' endpoints: who is told, who is left alone, who is disabled, and that each is alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from notifications import breakers, envelope, webhooks
from notifications.channels.adapters import adapter
from notifications.channels.base import Message
from notifications.conf import ChannelConf, Route
from notifications.deliveries import deliver
from notifications.exceptions import (
    Busy,
    EndpointRefused,
    OutcomeUnknown,
    PermanentError,
    TransientError,
)
from notifications.local.providers.client import SandboxClient
from notifications.models import Attempt, Breaker, Delivery, Handled, WebhookEndpoint
from notifications.models.breaker import FAILURES as BREAKER_FAILURES
from notifications.models.webhook_endpoint import FAILURES, ITSELF, LONGEST_REST
from notifications.recipients import Recipient
from tests.channels import message_to
from tests.integration import letters
from tests.integration.letters import come_due, letter, tell

pytestmark = pytest.mark.django_db

State = Delivery.State


class Ledger:
    """An account that keeps what it is told, as a worker's does, on the breaker of "webhook"."""

    def check(self) -> None:
        pass

    def wait_turn(self, weight: int) -> None:
        pass

    def report(self, error: Any) -> None:
        breakers.report("webhook", error)


@pytest.fixture(autouse=True)
def _routed(settings: Any) -> None:
    """`order.created` goes to partners too, whom the shop names by `webhooks.recipients`."""
    town = letters.settings_of_the_town()
    line = ChannelConf(
        "notifications.channels.webhook.SignedWebhook",
        {"private_networks": ["127.0.0.1/32"], "disable_after_days": 3},
    )
    settings.NOTIFICATIONS = town | {
        "CHANNELS": {**town["CHANNELS"], "webhook": line},
        "ROUTES": {"order.created": [Route("webhook")]},
        "RECIPIENTS": f"{__name__}.resolve",
    }


def resolve(event: envelope.Envelope, route: Route) -> list[Recipient]:
    return webhooks.recipients(event)


@pytest.fixture
def add(sandbox: SandboxClient) -> Callable[..., WebhookEndpoint]:
    """`add("warehouse")`: an endpoint at the sandbox, which knows its secret."""

    def add(name: str, *event_types: str) -> WebhookEndpoint:
        added = webhooks.add(
            name=name, url=f"{sandbox.url}/webhooks/{name}", event_types=event_types, by="ops"
        )
        sandbox.webhook_secret(name, added.secret)
        return added.endpoint

    return add


Add = Callable[..., WebhookEndpoint]


def state_of(endpoint: WebhookEndpoint) -> tuple[str, str]:
    return Delivery.objects.values_list("state", "reason").get(recipient=endpoint.reference)


def fail(sandbox: SandboxClient, endpoint: WebhookEndpoint, **script: Any) -> None:
    sandbox.script("webhook", **script, address=endpoint.url)


def been_failing_for(
    endpoint: WebhookEndpoint, since: timedelta, *, failures: int = FAILURES
) -> None:
    """In so many failures; and it is asked again now."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failures=failures, failing_since=Now() - since, left_alone_until=None
    )


# Who is told what


def test_an_event_is_posted_as_it_is_to_everybody_who_wants_it(
    sandbox: SandboxClient, add: Add
) -> None:
    warehouse, books, other = add("warehouse"), add("books", "order.created"), add("other")
    WebhookEndpoint.objects.filter(pk=other.pk).update(event_types=["order.shipped"])
    event = letter()

    tell(event, "webhook")
    tell(event, "webhook")

    taken = sandbox.accepted("webhook")
    assert sorted(each.title for each in taken) == ["books", "warehouse"]
    assert {each.text for each in taken} == {envelope.write(event)}
    assert json.loads(taken[0].text)["data"] == {"order_id": 7}
    assert {each.recipient for each in Delivery.objects.all()} == {
        warehouse.reference,
        books.reference,
    }
    delivery = Delivery.objects.get(recipient=books.reference)
    assert (delivery.state, delivery.address) == (State.SENT, books.url)
    assert delivery.masked_address == f"{sandbox.url}/…"
    assert delivery.provider_message_id == f"{delivery.pk}.0"
    warehouse.refresh_from_db()
    assert warehouse.last_success_at


def test_without_an_endpoint_the_event_is_done(sandbox: SandboxClient) -> None:
    tell(letter(), "webhook")

    assert Handled.objects.get(consumer="webhook").outcome == Handled.Outcome.DONE
    assert not Delivery.objects.exists()


def test_while_its_secret_is_rotated_a_partner_reads_by_either(
    sandbox: SandboxClient, add: Add
) -> None:
    endpoint = add("warehouse")
    old = endpoint.secret
    new = webhooks.rotate(endpoint, by="ops", reason="a year old")
    endpoint.refresh_from_db()
    assert (endpoint.secret, endpoint.old_secret) == (new, old)

    for secret in (old, new):
        sandbox.webhook_secret("warehouse", secret)
        tell(letter(), "webhook")
    WebhookEndpoint.objects.update(old_secret_until=Now())
    tell(letter(), "webhook")
    sandbox.webhook_secret("warehouse", old)
    with pytest.raises(PermanentError, match="http_401"):
        tell(letter(), "webhook")

    assert len(sandbox.accepted("webhook")) == 3


def test_a_secret_and_an_address_are_sealed_in_their_table(add: Add) -> None:
    endpoint = add("warehouse")

    rows = WebhookEndpoint.objects.extra(
        select={"raw_url": "url::text", "raw_secret": "secret::text"}
    )
    raw = rows.values_list("raw_url", "raw_secret").get()

    assert all(text.startswith("sealed:") for text in raw)
    assert endpoint.secret not in repr(endpoint)


# Each for itself


def test_one_that_fails_neither_holds_the_others_up_nor_stops_the_channel(
    sandbox: SandboxClient, add: Add
) -> None:
    broken, well = add("broken"), add("well")
    fail(sandbox, broken, behaviour="server_error", status=503)
    events = [letter() for _ in range(BREAKER_FAILURES + 1)]

    for event in events[:FAILURES]:
        with pytest.raises(TransientError, match="http_503"):
            _tell(event)
    for event in events[FAILURES:]:
        with pytest.raises(Busy, match="left alone") as told:
            _tell(event)
        assert 0 < told.value.seconds <= LONGEST_REST

    sent = Delivery.objects.filter(recipient=well.reference, state=State.SENT)
    assert sent.count() == len(events)
    assert not Breaker.objects.exists()
    broken.refresh_from_db()
    assert broken.failures == FAILURES
    left_alone = Delivery.objects.filter(recipient=broken.reference).latest("created_at")
    assert (left_alone.attempts, left_alone.state) == (0, State.RETRYING)


def _tell(event: envelope.Envelope) -> None:
    deliver(event, channel="webhook", policy=letters.POLICY, account=Ledger(), worker="w@host")


def test_after_its_rest_it_is_asked_again_and_one_success_makes_it_well(
    sandbox: SandboxClient, add: Add
) -> None:
    endpoint = add("warehouse")
    fail(sandbox, endpoint, behaviour="server_error", times=FAILURES)
    events = [letter() for _ in range(FAILURES)]
    for event in events:
        with pytest.raises(TransientError):
            tell(event, "webhook")

    WebhookEndpoint.objects.update(left_alone_until=Now())
    come_due()
    tell(events[0], "webhook")

    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since, endpoint.left_alone_until) == (0, None, None)
    assert endpoint.last_failure_at
    assert endpoint.last_success_at


@pytest.mark.parametrize("behaviour", ["hang_up", "accept_then_drop"])
def test_a_lost_answer_is_asked_for_again_under_the_same_id(
    sandbox: SandboxClient, add: Add, behaviour: str
) -> None:
    endpoint = add("warehouse")
    fail(sandbox, endpoint, behaviour=behaviour, times=1)
    event = letter()

    with pytest.raises(TransientError):
        tell(event, "webhook")
    assert state_of(endpoint) == (State.UNKNOWN, "")
    come_due()
    tell(event, "webhook")

    assert state_of(endpoint) == (State.SENT, "")
    outcomes = Attempt.objects.order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [Attempt.Outcome.UNKNOWN, Attempt.Outcome.SENT]


def test_an_error_of_a_recipient_s_own_says_nothing_of_the_account() -> None:
    for error in (TransientError("x"), OutcomeUnknown("x")):
        error.of_recipient = True
        breakers.report("webhook", error)
    assert not Breaker.objects.exists()
    breakers.report("webhook", TransientError("x"))
    assert Breaker.objects.get().failures == 1


# Disabled


def test_one_that_is_gone_is_disabled_and_what_comes_for_it_is_skipped(
    sandbox: SandboxClient, add: Add
) -> None:
    endpoint = add("warehouse")
    fail(sandbox, endpoint, behaviour="refuse", code="410", times=1)

    with pytest.raises(PermanentError, match="http_410"):
        tell(letter(), "webhook")
    tell(letter(), "webhook")

    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.reason, endpoint.changed_by) == (
        "disabled",
        "gone: it answered 410",
        ITSELF,
    )
    states = Delivery.objects.order_by("created_at").values_list("state", "reason")
    assert list(states) == [(State.FAILED, "http_410"), (State.SKIPPED, webhooks.DISABLED)]
    assert sandbox.requests("webhook") == 1


def test_one_that_fails_for_longer_than_the_days_it_is_given_is_disabled(
    sandbox: SandboxClient, add: Add
) -> None:
    endpoint = add("warehouse")
    fail(sandbox, endpoint, behaviour="server_error", status=500)
    for since in (timedelta(), timedelta(days=2, hours=23), timedelta(days=3, seconds=1)):
        assert WebhookEndpoint.objects.get().is_enabled
        been_failing_for(endpoint, since)
        event = letter()
        with pytest.raises(TransientError):
            tell(event, "webhook")
    come_due()
    tell(event, "webhook")

    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.reason) == (
        "disabled",
        "failed for 3 days: http_500: " + json.dumps({"error": "failed by the sandbox's script"}),
    )
    last = Delivery.objects.latest("created_at")
    assert (last.state, last.reason) == (State.SKIPPED, webhooks.DISABLED)


def test_one_that_failed_days_ago_and_was_asked_nothing_since_is_not_disabled(
    sandbox: SandboxClient, add: Add
) -> None:
    """A partner who wants few events: two failures are no days of failing."""
    endpoint = add("warehouse")
    been_failing_for(endpoint, timedelta(days=30), failures=1)
    fail(sandbox, endpoint, behaviour="server_error", times=1)
    event = letter()

    with pytest.raises(TransientError):
        tell(event, "webhook")
    come_due()
    tell(event, "webhook")

    assert state_of(endpoint) == (State.SENT, "")


def test_an_operator_enables_it_again_with_its_failures_forgotten(
    sandbox: SandboxClient, add: Add
) -> None:
    endpoint = add("warehouse")
    assert webhooks.disable(endpoint, by="mira", reason="they asked for it")
    assert not webhooks.disable(endpoint, by="mira", reason="again")
    WebhookEndpoint.objects.update(failures=9, failing_since=Now(), left_alone_until=Now())
    tell(letter(), "webhook")

    assert webhooks.enable(endpoint, by="mira", reason="they are back")
    assert not webhooks.enable(endpoint, by="mira", reason="again")
    tell(letter(), "webhook")

    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since, endpoint.left_alone_until) == (0, None, None)
    assert (endpoint.changed_by, endpoint.reason) == ("mira", "they are back")
    assert len(sandbox.accepted("webhook")) == 1


def test_what_it_fails_with_while_it_is_disabled_changes_nothing(add: Add) -> None:
    """Sends that began before come to their end."""
    endpoint = add("warehouse")
    webhooks.disable(endpoint, by="mira", reason="they asked for it")

    gone = WebhookEndpoint.objects.failed(endpoint.pk, "x", gone=True, after=timedelta(days=1))

    endpoint.refresh_from_db()
    assert not gone
    assert (endpoint.failures, endpoint.reason) == (0, "they asked for it")


def test_a_rest_grows_with_the_time_that_it_has_failed(add: Add) -> None:
    endpoint = add("warehouse")
    rests = []
    for since in (timedelta(), timedelta(minutes=10), timedelta(days=1)):
        WebhookEndpoint.objects.update(
            failures=FAILURES, failing_since=Now() - since, left_alone_until=Now()
        )
        WebhookEndpoint.objects.failed(endpoint.pk, "x", gone=False, after=timedelta(days=5))
        rest = WebhookEndpoint.objects.annotate(rest=F("left_alone_until") - Now()).get().rest
        rests.append(rest.total_seconds())

    assert 0 < rests[0] <= 10
    assert 100 < rests[1] <= 301
    assert 400 < rests[2] <= LONGEST_REST


# What operators do


@pytest.mark.parametrize(
    ("asked", "why_not"),
    [
        ({"name": " "}, "a name of 1 to 100"),
        ({"name": "x" * 101}, "a name of 1 to 100"),
        ({"name": "warehouse"}, "already"),
        ({"url": "https://169.254.169.254/latest"}, "link-local"),
        ({"url": "http://10.0.0.1/"}, "private"),
        ({"url": "warehouse"}, "https://"),
        ({"event_types": ["order.eaten"]}, "no event type 'order.eaten'"),
        ({"event_types": ["order.shipped"]}, "not routed to webhooks; routed are: order.created"),
    ],
)
def test_an_endpoint_that_cannot_be_had_so_is_refused_in_words(
    add: Add, asked: dict[str, Any], why_not: str
) -> None:
    add("warehouse")

    with pytest.raises(EndpointRefused, match=why_not):
        webhooks.add(**{"name": "new", "url": "https://partner.example/", "by": "ops"} | asked)

    assert WebhookEndpoint.objects.count() == 1


def test_a_test_is_posted_at_once_and_leaves_no_trace(sandbox: SandboxClient, add: Add) -> None:
    endpoint = add("warehouse")
    webhooks.disable(endpoint, by="mira", reason="they asked for it")

    webhooks.test(endpoint, by="ada")

    [taken] = sandbox.accepted("webhook")
    assert json.loads(taken.text)["type"] == webhooks.TEST_TYPE
    assert not Delivery.objects.exists()
    fail(sandbox, endpoint, behaviour="refuse", code="404")
    with pytest.raises(PermanentError, match="http_404"):
        webhooks.test(endpoint, by="ada")
    endpoint.refresh_from_db()
    assert endpoint.failures == 0


def test_on_staging_an_endpoint_is_reached_only_by_the_name_of_its_host(
    sandbox: SandboxClient, add: Add, settings: Any
) -> None:
    endpoint = add("warehouse")
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ALLOWED_RECIPIENTS": ["*@shop.example"]}

    tell(letter(), "webhook")
    with pytest.raises(EndpointRefused, match="ALLOWED_RECIPIENTS"):
        webhooks.test(endpoint, by="ada")
    assert state_of(endpoint) == (State.SKIPPED, "not_allowed_here")
    assert sandbox.requests("webhook") == 0

    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"ALLOWED_RECIPIENTS": ["127.0.0.1"]}
    webhooks.test(endpoint, by="ada")
    assert len(sandbox.accepted("webhook")) == 1


def test_an_endpoint_that_was_taken_away_is_sent_nothing(sandbox: SandboxClient, add: Add) -> None:
    endpoint = add("warehouse")
    message = message_to(endpoint.url)
    endpoint_message = Message(**{**vars(message), "reference": endpoint.reference})
    WebhookEndpoint.objects.all().delete()

    with pytest.raises(PermanentError, match="no_endpoint"):
        adapter("webhook").send(endpoint_message)

    assert sandbox.requests("webhook") == 0
