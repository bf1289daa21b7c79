"""Each system check finds its fault, names it and says how to mend it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import shared_task
from django.apps import apps
from django.contrib.admin import AdminSite
from django.core.checks import CheckMessage
from psycopg import IsolationLevel

from notifications import checks, consumers, events
from notifications.channels.base import ChannelAdapter
from notifications.channels.consumers import register_configured
from notifications.conf import (
    Category,
    ChannelConf,
    Conf,
    Digest,
    Editable,
    Fallback,
    Objective,
    ProviderConf,
    QuietHours,
    ReceiptWebhooks,
    Reputation,
    Retention,
    Route,
)
from notifications.consumers import Consumer
from notifications.models import Event
from notifications.worker.task import EventTask

ROOT = Path(__file__).resolve().parents[2]


class Picky(ChannelAdapter):
    """Refuses a colour that it does not know."""

    provider = "picky"

    def __init__(self, colour: str = "red", **timeouts: float) -> None:
        if colour not in {"red", "blue"}:
            raise ValueError(f"{colour} is no colour")

    def send(self, message: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def found(settings: Any) -> Any:
    """`found(ROUTES={…})`: the messages about the shop's settings with these keys changed."""
    shop = {**settings.NOTIFICATIONS, "ADDRESS_HASH_KEYS": {1: "a long secret of its own"}}
    shop["OBJECTIVES"] = {}  # of routes that are changed here
    shop["ENCRYPTION_KEYS"] = {1: "another long secret"}
    shop["CHANNELS"] = {
        name: ChannelConf("notifications.channels.memory.MemoryChannel")
        for name in shop["CHANNELS"]
    }

    def found(**changed: Any) -> list[CheckMessage]:
        settings.NOTIFICATIONS = {**shop, **changed}
        return list(checks.check_all())

    return found


@pytest.fixture
def consumer() -> Iterator[Any]:
    """`consumer("audit", …)`: registered for this test."""
    added: list[str] = []

    def add(name: str, **words: Any) -> None:
        consumers.register(Consumer(name, **words))
        added.append(name)

    yield add
    for name in added:
        consumers.unregister(name)


def ids(messages: list[CheckMessage]) -> list[str]:
    return [message.id.removeprefix("notifications.") for message in messages if message.id]


def test_the_shop_as_it_stands_has_nothing_to_mend(found: Any) -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("webhooks", "id"),
    [
        (ReceiptWebhooks(meta_app_secrets=("",), meta_verify_token="ours"), "E040"),
        (ReceiptWebhooks(meta_app_secrets=("x" * 32,)), "E040"),
        (ReceiptWebhooks(twilio_auth_tokens=("short",)), "E040"),
        (ReceiptWebhooks(twilio_auth_tokens="x" * 32), "E040"),  # type: ignore[arg-type]
        (ReceiptWebhooks(twilio_auth_tokens=("x" * 32,)), "W041"),
    ],
)
def test_secrets_that_anybody_could_guess_are_found(
    found: Any, webhooks: ReceiptWebhooks, id: str
) -> None:
    url = "" if id == "W041" else "https://shop.example"
    messages = found(RECEIPT_WEBHOOKS=webhooks, PUBLIC_URL=url)
    assert id in ids(messages)
    assert "x" * 32 not in str(messages)


def test_secrets_without_a_url_to_call_are_found(found: Any, settings: Any) -> None:
    webhooks = ReceiptWebhooks(meta_app_secrets=("x" * 32,), meta_verify_token="ours")
    assert found(RECEIPT_WEBHOOKS=webhooks) == []
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    assert "E042" in ids(found(RECEIPT_WEBHOOKS=webhooks))


@pytest.mark.parametrize(
    "wrong",
    [
        {"bounce_rate": 5},
        {"bounce_rate": 0.0},
        {"complaint_rate": True},
        {"window_hours": 0},
        {"window_hours": 10_000},
        {"least_sends": 0},
        {"least_cases": 1.5},
    ],
)
def test_a_reputation_that_cannot_be_meant_is_found(found: Any, wrong: dict[str, Any]) -> None:
    [message] = found(REPUTATION=Reputation(**wrong))
    assert message.id == "notifications.E043"
    assert next(iter(wrong)) in message.msg


def test_every_message_says_how_to_mend_it(found: Any) -> None:
    messages = found(PREFIX="no spaces", ADDRESS_HASH_KEYS={}, RECIPIENTS="")

    assert ids(messages) == ["E002", "E003", "E004"]
    assert all(message.hint for message in messages)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"PREFIXES": "x"}, "unknown keys ['PREFIXES']"),
        ({"CHANNELS": ["email"]}, '"CHANNELS"] must be a dictionary of channel names'),
        ({"CHANNELS": {"email": "a.b"}}, '"CHANNELS"] must be'),
        ({"ROUTES": {"order.created": ["email"]}}, '"ROUTES"] must be'),
        ({"ROUTES": {"order.shipped": [Route("email", digest="08:00")]}}, "'order.shipped'"),  # type: ignore[arg-type]
        ({"ROUTES": {"order.shipped": [Fallback("push", within=timedelta(1))]}}, "'order.shipped'"),  # type: ignore[arg-type]
        ({"QUIET_HOURS": {"sms": ("21:00", "08:00")}}, "(look at 'sms')"),
        ({"ADDRESS_HASH_KEYS": {"1": "x"}}, '"ADDRESS_HASH_KEYS"] must be'),
        ({"EDITABLE": {"order.created": Editable(free="note")}}, '"EDITABLE"] must be'),
        ({"OBJECTIVES": {"order.created": 0.95}}, '"OBJECTIVES"] must be'),
        ({"PREFIX": None}, '"PREFIX"] must be a text'),
        ({"SOURCE": ""}, '"SOURCE"] must be a text of 1 to 255'),
        ({"SOURCE": "urn:" + "x" * 255}, '"SOURCE"] must be a text of 1 to 255'),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(found: Any, changed: Any, said: str) -> None:
    (message,) = found(**changed)

    assert message.id == "notifications.E001"
    assert said in message.msg


def test_a_setting_that_is_no_dictionary_is_named(settings: Any) -> None:
    settings.NOTIFICATIONS = "dev"

    assert ids(list(checks.check_setting())) == ["E001"]


@pytest.mark.parametrize("name", [each.name.upper() for each in fields(Conf)])
def test_what_cannot_be_read_is_said_once_and_nothing_is_made_of_its_default(
    found: Any, name: str
) -> None:
    assert ids(found(**{name: object()})) == ["E001"]


def test_what_cannot_be_read_hides_nothing_else(found: Any) -> None:
    messages = found(
        PREFIX=5, ADDRESS_HASH_KEYS={}, ROUTES={"order.created": [Route("pigeon")]}, TIMELINES=""
    )
    assert ids(messages) == ["E001", "E001", "E006", "E008", "E003"]


def test_a_slip_in_a_key_is_told_and_not_what_is_missing_by_it(settings: Any, found: Any) -> None:
    shop = settings.NOTIFICATIONS
    found()
    routes = settings.NOTIFICATIONS["ROUTES"]
    settings.NOTIFICATIONS = {
        **{key: held for key, held in settings.NOTIFICATIONS.items() if key != "ROUTES"},
        "OBJECTIVES": shop["OBJECTIVES"],
        "ROUTE": routes,
    }
    assert ids(list(checks.check_all())) == ["E001"]


def test_channels_are_served_although_something_else_cannot_be_read(settings: Any) -> None:
    consumers.unregister("email")
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "PREFIX": 5}
    register_configured()
    assert consumers.get("email").channel == "email"


def test_an_empty_hash_key_is_found(found: Any) -> None:
    assert ids(found(ADDRESS_HASH_KEYS={1: ""})) == ["E003"]
    assert ids(found(ENCRYPTION_KEYS={})) == ["E022"]
    assert ids(found(ENCRYPTION_KEYS={2: "secret", 1: ""})) == ["E022"]


def test_a_process_that_could_not_listen_is_found(found: Any) -> None:
    assert ids(found(PROCESS_BIND="9464")) == ["E080"]
    assert ids(found(PROCESS_BIND="127.0.0.1:9464")) == []


@pytest.mark.parametrize("path", ["orders_site.nowhere.resolve", "orders_site.events.TOPIC"])
def test_a_hook_that_is_no_function_is_found(found: Any, path: str) -> None:
    (message,) = found(RECIPIENTS=path)

    assert message.id == "notifications.E004"
    assert path in message.msg


@pytest.mark.parametrize(
    ("event_type", "editable", "said"),
    [
        ("order.lost", Editable(), "nobody has registered"),
        ("order.shipped", Editable(free=("colour",)), "no field 'colour'"),
        ("order.shipped", Editable(sensitive=("order_id",)), "says what it is about"),
        ("order.shipped", Editable(("carrier",), ("carrier",)), "free and sensitive at once"),
    ],
)
def test_what_operators_could_not_edit_is_found(
    found: Any, event_type: str, editable: Editable, said: str
) -> None:
    (message,) = found(EDITABLE={event_type: editable})
    assert message.id == "notifications.E062"
    assert said in message.msg
    assert found(EDITABLE={"order.shipped": Editable(free=("carrier",))}) == []


@pytest.mark.parametrize(
    ("event_type", "objective", "said"),
    [
        ("order.paid", {}, "E086: nobody has registered"),
        ("order.created", {"part": 0}, "E087: part is above 0 and below 1"),
        ("order.created", {"part": 1}, "E087: part is above 0 and below 1 (1 would leave no"),
        ("order.created", {"within": timedelta()}, "E087: within is a timedelta from a second"),
        ("order.created", {"within": 60}, "E087: within is a timedelta"),
        ("order.created", {"window": timedelta(hours=7)}, "E087: window is a timedelta of whole"),
        ("order.created", {"least": 0}, "E087: least is a whole number from 1"),
        ("shop.flash", {}, "E087: within is 0:01:00, and after 0:00:30 the event is worth"),
        ("order.created", {"route": "boss"}, "W088: nobody is told of it on the route 'boss'"),
        ("order.created", {"channels": ("email", "sms")}, "W088: nobody is told of it by sms"),
        ("stock.low", {}, "W088: nobody is told of it"),
    ],
)
def test_an_objective_that_cannot_be_meant_is_found(
    found: Any, event_type: str, objective: dict[str, Any], said: str
) -> None:
    given = Objective(**{"part": 0.95, "within": timedelta(seconds=60), **objective})
    routes = {"order.created": [Route("email"), Route("push")]}
    if event_type == "shop.flash":

        @events.event("shop.flash", subject="shop/1", worth_sending_for=timedelta(seconds=30))
        class Flash(events.EventData):
            pass

        routes["shop.flash"] = [Route("email")]
    try:
        messages = found(OBJECTIVES={event_type: given}, ROUTES=routes)
    finally:
        events.unregister("shop.flash")

    (message,) = [each for each in messages if each.id[-4:] in {"E086", "E087", "W088"}]
    number, words = said.split(": ", 1)
    assert message.id == f"notifications.{number}"
    assert words in message.msg


def test_an_event_that_may_be_told_in_no_way_is_found(found: Any) -> None:
    """WhatsApp outside of conversations, by templates only: shipping has one, cancelling not."""
    cloud = ChannelConf(
        "notifications.channels.whatsapp_cloud.CloudApiWhatsApp",
        {"phone_number_id": "1", "access_token": "a", "outside_window": "template"},
    )
    routes = {name: [Route("whatsapp")] for name in ("order.shipped", "order.cancelled")}

    messages = found(CHANNELS={"whatsapp": cloud}, ROUTES=routes)

    assert ids(messages) == ["E008", "W030"]
    assert "order.cancelled" in messages[1].msg


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("nowhere.Adapter", {}, "No module named 'nowhere'"),
        ("", {}, "it has no adapter: give its dotted path"),
        (f"{__name__}.Picky", {"colour": "green"}, "green is no colour"),
        ("notifications.channels.memory.MemoryChannel", {"colour": "red"}, "colour"),
        ("notifications.channels.email.SesEmail", {"from_address": ""}, "from_address"),
    ],
)
def test_an_adapter_that_cannot_be_made_is_found(
    found: Any, settings: Any, path: str, options: Any, said: str
) -> None:
    channels = {**settings.NOTIFICATIONS["CHANNELS"]}
    memory = ChannelConf("notifications.channels.memory.MemoryChannel")
    channels = {**dict.fromkeys(channels, memory), "email": ChannelConf(path, options)}

    (message,) = found(CHANNELS=channels)

    assert message.id == "notifications.E005"
    assert "'email'" in message.msg
    assert said in message.msg


def test_a_route_to_no_channel_and_of_no_event_is_found(found: Any) -> None:
    messages = found(ROUTES={"order.eaten": [Route("pigeon")]})

    assert ids(messages) == ["E006", "E007", "E008"]
    assert "notifications/order.eaten/pigeon.txt" in messages[2].msg


def test_a_routed_channel_that_no_consumer_serves_is_found(found: Any, settings: Any) -> None:
    memory = ChannelConf("notifications.channels.memory.MemoryChannel")
    names = [*settings.NOTIFICATIONS["CHANNELS"], "pigeon"]

    messages = found(
        CHANNELS=dict.fromkeys(names, memory), ROUTES={"order.created": [Route("pigeon")]}
    )

    assert ids(messages) == ["E016", "E008"]
    assert "'pigeon'" in messages[0].msg


def test_a_template_that_does_not_compile_is_found(
    found: Any, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "notifications/order.created").mkdir(parents=True)
    (tmp_path / "notifications/order.created/sms.txt").write_text("{% if %}")
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [tmp_path]}
    ]

    (message,) = found(ROUTES={"order.created": [Route("sms")]}, TEMPLATE_PARTIALS=[])

    assert message.id == "notifications.E008"
    assert "does not compile: notifications/order.created/sms.txt" in message.msg


def test_a_partial_that_edited_templates_could_not_include_is_found(
    found: Any, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "notifications/parts").mkdir(parents=True)
    (tmp_path / "notifications/parts/good.txt").write_text("{{ name }}")
    (tmp_path / "notifications/parts/clever.txt").write_text("\n{% load static %}")
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [tmp_path]}
    ]

    messages = found(
        ROUTES={}, TEMPLATE_PARTIALS=["notifications/parts/*", "notifications/gone.html"]
    )

    assert ids(messages) == ["E054", "E054"]
    assert "parts/clever.txt, line 2: the tag 'load' is not for edited templates" in messages[0].msg
    assert "there is no file notifications/gone.html" in messages[1].msg


def test_a_consumer_without_a_task_of_ours_is_found(found: Any, consumer: Any) -> None:
    consumer("audit", task="nowhere.audit", wants=None)
    consumer("backup", task="celery.backend_cleanup", wants=None)

    first, second = found()

    assert (first.id, second.id) == ("notifications.E009", "notifications.E009")
    assert "'nowhere.audit', which is not registered" in first.msg
    assert "'celery.backend_cleanup', which is no EventTask" in second.msg


def test_a_consumer_that_wants_what_nobody_registered_is_found(found: Any, consumer: Any) -> None:
    consumer("audit", task="notifications.email", wants=frozenset({"order.eaten"}))

    assert ids(found()) == ["E007"]


def test_a_task_that_loses_or_dead_letters_its_messages_is_found(found: Any, consumer: Any) -> None:
    @shared_task(bind=True, base=EventTask, name="audit.record", acks_late=False, max_retries=30)
    def record(self: EventTask, envelope: Any) -> None:
        """Nothing."""

    consumer("audit", task="audit.record", wants=None)

    assert ids(found()) == ["E010", "E011"]


def test_timeouts_that_reach_the_channels_time_are_found(found: Any, settings: Any) -> None:
    slow = ChannelConf(f"{__name__}.Picky", {"read_timeout": 60})
    memory = ChannelConf("notifications.channels.memory.MemoryChannel")
    names = settings.NOTIFICATIONS["CHANNELS"]

    (message,) = found(CHANNELS={**dict.fromkeys(names, memory), "email": slow})

    assert message.id == "notifications.E012"
    assert "63 s" in message.msg


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}, ["E013"]),
        ({"ENGINE": "django.db.backends.postgresql", "NAME": ""}, ["E014"]),
        ({"ENGINE": "django.db.backends.dummy"}, ["E014"]),
        ({"ENGINE": "django.db.backends.postgresql", "NAME": "x"}, ["W015"]),
        (
            {"ENGINE": "django.db.backends.postgresql", "NAME": "x", "OPTIONS": {"pool": True}},
            [],
        ),
        (
            {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "x",
                "OPTIONS": {"pool": True, "isolation_level": IsolationLevel.REPEATABLE_READ},
            },
            ["E096"],
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_database_that_will_not_do_is_found(
    settings: Any, database: dict[str, Any], expected: list[str]
) -> None:
    settings.DATABASES = {"default": database}

    assert ids(list(checks.check_database())) == expected


def test_a_project_that_could_not_keep_a_failed_task_is_found(found: Any) -> None:
    installed = {config.name for config in apps.get_app_configs()}
    apps.set_available_apps(installed - {"django_celery_results"})
    try:
        assert ids(found()) == ["E098"]
    finally:
        apps.unset_available_apps()


def test_a_machine_without_any_settings_is_told_so_without_a_stack_trace(tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [sys.executable, "manage.py", "check", "--database", "default"]

    done = subprocess.run(  # the shop's own .local/env must not fill the gaps
        command,
        cwd=ROOT,
        env={**bare, "DATABASE_URL": "", "ADDRESS_HASH_KEY": "", "DJANGO_SECRET_KEY": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "notifications.E003" in done.stderr
    assert "notifications.E014" in done.stderr


@pytest.fixture
def task() -> Any:
    """`task("shop.audit", rate_limit="5/s")`: declared for this test; its name."""

    def declare(name: str, **words: Any) -> str:
        @shared_task(bind=True, base=EventTask, name=name, acks_late=True, **words)
        def nothing(self: EventTask, envelope: Any) -> None:
            pass

        return name

    return declare


def test_a_rate_limit_that_cannot_be_read_is_found(found: Any, consumer: Any, task: Any) -> None:
    consumer("audit", task=task("tests.often", rate_limit="often"), wants=None)

    (message,) = found()

    assert message.id == "notifications.E017"
    assert "'tests.often'" in message.msg
    assert "5/s" in message.msg


def test_consumers_of_one_account_that_declare_different_limits_are_found(
    found: Any, consumer: Any, task: Any
) -> None:
    consumer("one", task=task("tests.one", rate_limit="1/s"), wants=None, account="shared")
    consumer("two", task=task("tests.two", rate_limit="30/m"), wants=None, account="shared")

    (message,) = found()

    assert message.id == "notifications.E019"
    assert "tests.one 1/s, tests.two 30/m" in message.msg


def test_consumers_of_one_account_may_declare_the_same_in_other_words(
    found: Any, consumer: Any, task: Any
) -> None:
    consumer("one", task=task("tests.one_a_second", rate_limit="1/s"), wants=None, account="shared")
    consumer("two", task=task("tests.sixty", rate_limit="60/m"), wants=None, account="shared")

    assert found() == []


@pytest.mark.parametrize("words", ["5/s", "5", 5])
def test_a_recipient_limit_that_cannot_be_read_is_found(
    found: Any, settings: Any, words: Any
) -> None:
    memory = ChannelConf("notifications.channels.memory.MemoryChannel")
    channels = dict.fromkeys(settings.NOTIFICATIONS["CHANNELS"], memory)

    (message,) = found(CHANNELS={**channels, "sms": replace(memory, recipient_limit=words)})

    assert message.id == "notifications.E018"
    assert "'sms'" in message.msg


@pytest.mark.parametrize(
    ("kept", "name", "needed"),
    [
        (Retention(events=90, dead_letters=30, outcomes=117), "events", 118),
        (Retention(events=1, dead_letters=400, outcomes=365), "dead_letters", 428),
    ],
)
def test_outcomes_that_are_forgotten_before_they_are_asked_for_are_found(
    found: Any, kept: Retention, name: str, needed: int
) -> None:
    (message,) = found(RETENTION=kept)

    assert message.id == "notifications.E020"
    assert message.msg.startswith(f"{name} are kept for ")
    assert f"outcomes={needed} or more" in (message.hint or "")
    enough = replace(kept, outcomes=needed)
    assert found(RETENTION=enough) == []


@pytest.mark.parametrize("days", [0, -1, 1.5, "7", True, 10**6])
def test_days_that_are_none_are_found(found: Any, days: Any) -> None:
    (message,) = found(RETENTION=Retention(events=days))
    assert message.id == "notifications.E001"
    assert 'NOTIFICATIONS["RETENTION"] must be a Retention(…) of whole days' in message.msg


def test_a_consumer_of_fifo_and_standard_topics_is_told_that_it_gets_no_order(
    found: Any, consumer: Any
) -> None:
    consumer("books", task="t", wants=None)
    messages = [
        each for each in found(FIFO_TOPICS=["order-events"]) if each.id == "notifications.I001"
    ]

    said = {each.msg.split("'")[1]: each for each in messages}

    assert "order-events come in any order" in said["books"].msg
    assert "FIFO_TOPICS" in (said["books"].hint or "")
    assert "email" not in said
    assert "I001" not in ids(found())


MEMORY = "notifications.channels.memory.MemoryChannel"


@pytest.mark.parametrize(
    ("providers", "said"),
    [
        ((ProviderConf("ses", MEMORY), ProviderConf("ses", MEMORY)), "2 of its providers"),
        ((ProviderConf("SES EU", MEMORY),), "'SES EU' is no provider's name"),
        ((ProviderConf("ses", MEMORY, weight=0),), "the weight 0: give a number above 0"),
        ((ProviderConf("ses", MEMORY, weight=-1),), "the weight -1"),
    ],
)
def test_providers_that_cannot_be_told_apart_or_weighed_are_found(
    found: Any, settings: Any, providers: tuple[ProviderConf, ...], said: str
) -> None:
    messages = found(CHANNELS=_with_email(settings, ChannelConf(providers=providers)))

    (message,) = [each for each in messages if each.id == "notifications.E036"]
    assert said in message.msg


def test_an_adapter_beside_several_providers_is_found(found: Any, settings: Any) -> None:
    both = ChannelConf(MEMORY, providers=(ProviderConf("ses", MEMORY),))

    (message,) = found(CHANNELS=_with_email(settings, both))

    assert message.id == "notifications.E036"


def test_several_providers_that_are_well_described_are_no_fault(found: Any, settings: Any) -> None:
    providers = (ProviderConf("ses", MEMORY, {}, 9, "50/s"), ProviderConf("relay", MEMORY, {}, 0.5))

    assert found(CHANNELS=_with_email(settings, ChannelConf(providers=providers))) == []


def test_a_providers_limit_that_cannot_be_read_is_found(found: Any, settings: Any) -> None:
    slow = ChannelConf(providers=(ProviderConf("ses", MEMORY, rate_limit="slowly"),))

    (message,) = found(CHANNELS=_with_email(settings, slow))

    assert message.id == "notifications.E037"
    assert "provider 'ses' of channel 'email': 'slowly' is no rate" in message.msg


def test_each_providers_adapter_and_timeouts_are_looked_at(found: Any, settings: Any) -> None:
    patient = f"{__name__}.Picky"
    providers = (
        ProviderConf("well", MEMORY),
        ProviderConf("ill", MEMORY, {"colour": "red"}),
        ProviderConf("slow", patient, {"read_timeout": 60.0}),
    )

    messages = found(CHANNELS=_with_email(settings, ChannelConf(providers=providers)))

    assert [message.id for message in messages] == ["notifications.E005", "notifications.E012"]
    assert "ill" in messages[0].msg


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Fallback(("email",), within=timedelta(minutes=30)), "nothing to fall back to"),
        (Fallback(("push", "push"), within=timedelta(minutes=30)), "a channel stands in it twice"),
        (Fallback(("push", "email"), within=timedelta()), "within must be a timedelta above 0"),
        (
            Fallback(("push", "email"), within=timedelta(minutes=30), confirmed=("sms",)),
            "confirmed names sms",
        ),
    ],
)
def test_a_fallback_that_cannot_be_meant_is_found(found: Any, rule: Fallback, said: str) -> None:
    messages = found(ROUTES={"order.created": [rule]})

    assert said in " ".join(each.msg for each in messages if each.id == "notifications.E038")


def test_each_channel_of_a_fallback_is_there_and_has_its_templates(found: Any) -> None:
    rule = Fallback(("push", "sms", "pigeon"), within=timedelta(minutes=30))

    messages = found(ROUTES={"order.created": [rule]})

    assert {each.id for each in messages} == {"notifications.E006", "notifications.E008"}
    assert any("sms.txt" in each.msg for each in messages)


def test_two_routes_that_would_be_one_delivery_are_found(found: Any) -> None:
    rule = Fallback(("push", "email"), within=timedelta(minutes=30))

    (message,) = found(ROUTES={"order.created": [Route("email"), rule]})

    assert message.id == "notifications.E039"


def _with_email(settings: Any, email: ChannelConf) -> dict[str, ChannelConf]:
    memory = ChannelConf(MEMORY)
    return {**dict.fromkeys(settings.NOTIFICATIONS["CHANNELS"], memory), "email": email}


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ({"sms": QuietHours("21:00", "8:00")}, "'8:00' is no time of the day"),
        ({"sms": QuietHours("21", "08:00")}, "'21' is no time of the day"),
        ({"pigeon": QuietHours("21:00", "08:00")}, "no such channel"),
        ({"sms": QuietHours("08:00", "08:00")}, "nothing is left of the day"),
        ({"sms": QuietHours("08:10", "08:00", spread=10)}, "nothing is left of the day"),
        ({"sms": QuietHours("21:00", "08:00", spread=-1)}, "no whole number"),
    ],
)
def test_quiet_hours_that_nobody_could_keep_are_found(
    found: Any, hours: dict[str, QuietHours], said: str
) -> None:
    (message,) = found(QUIET_HOURS=hours)

    assert message.id == "notifications.E047"
    assert said in message.msg


def test_quiet_hours_that_can_be_kept_are_no_fault(found: Any) -> None:
    assert found(QUIET_HOURS={"sms": QuietHours("21:00", "08:00")}) == []


DAILY = Digest("orders.daily", at="08:00")


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        (replace(DAILY, name="Orders daily"), "another form"),
        (replace(DAILY, name="order.created"), "one of your events"),
        (replace(DAILY, at="8"), "'8' is no time of the day"),
        (replace(DAILY, at=""), "either"),
        (replace(DAILY, window=timedelta(hours=1)), "either"),
        (replace(DAILY, at="", window=timedelta(hours=-1)), "either"),
        (replace(DAILY, most=0), "no whole number from 1 on"),
    ],
)
def test_a_digest_that_cannot_be_read_is_found(
    found: Any, templates_of_a_digest: None, digest: Digest, said: str
) -> None:
    messages = found(ROUTES={"order.shipped": [Route("email", digest=digest)]})

    (message,) = [each for each in messages if each.id != "notifications.E008"]
    assert message.id == "notifications.E049"
    assert said in message.msg


def test_a_digest_needs_templates_of_its_own_and_its_events_none(found: Any, settings: Any) -> None:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [], "APP_DIRS": False}]
    messages = found(ROUTES={"order.shipped": [Route("email", digest=DAILY)]})

    messages = [each for each in messages if "orders.daily" in each.msg]
    assert {each.id for each in messages} == {"notifications.E008"}
    assert all("notifications/orders.daily/email" in each.msg for each in messages)
    assert not [each for each in messages if "order.shipped" in each.msg]


def test_a_digest_is_of_the_category_of_what_it_tells(
    found: Any, templates_of_a_digest: None, settings: Any
) -> None:
    digest = replace(DAILY, category="offers")
    offers = {
        **settings.NOTIFICATIONS["CATEGORIES"],
        "offers": Category("Offers", transactional=True),
    }

    (message,) = found(CATEGORIES=offers, ROUTES={"order.shipped": [Route("email", digest=digest)]})

    assert message.id == "notifications.E049"
    assert "'offers', and tells of order.shipped, which is 'service'" in message.msg


def test_two_digests_of_one_name_are_found(found: Any, templates_of_a_digest: None) -> None:
    routes = {
        "order.shipped": [Route("email", digest=DAILY)],
        "order.created": [Route("email", digest=replace(DAILY, at="09:00"))],
    }

    (message,) = found(ROUTES=routes)

    assert message.id == "notifications.E049"
    assert "two ways" in message.msg


def test_an_urgent_event_in_a_digest_is_found(
    found: Any, templates_of_a_digest: None, alarm: Any
) -> None:
    alarm(urgent=True)

    (message,) = found(ROUTES={"tests.alarm": [Route("email", digest=DAILY)]})

    assert message.id == "notifications.E048"


def test_an_event_that_is_not_worth_it_when_its_digest_comes_is_found(
    found: Any, templates_of_a_digest: None, alarm: Any
) -> None:
    alarm(worth_sending_for=timedelta(hours=23))

    (message,) = found(ROUTES={"tests.alarm": [Route("email", digest=DAILY)]})

    assert message.id == "notifications.E050"


@pytest.fixture
def templates_of_a_digest(settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "notifications" / DAILY.name
    folder.mkdir(parents=True)
    for part in ("email.subject.txt", "email.txt"):
        (folder / part).write_text("{{ count }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]


@pytest.fixture
def alarm() -> Iterator[Any]:
    """`alarm(urgent=True)`: an event type of this test."""

    def declare(**given: Any) -> None:
        class Alarm(events.EventData):
            number: int

        events.event("tests.alarm", subject="alarm/{number}", **given)(Alarm)

    yield declare
    events.unregister("tests.alarm")


def test_an_allow_list_that_shuts_nobody_out_is_found(found: Any) -> None:
    (message,) = found(ALLOWED_RECIPIENTS=["*@shop.example", "*"])

    assert message.id == "notifications.E033"
    assert "'*'" in message.msg


@pytest.mark.parametrize(
    ("allowed", "expected"), [(None, []), ([], ["W034"]), (["*@shop.example"], ["W034"])]
)
def test_an_allow_list_is_warned_of_before_a_deployment(
    found: Any, allowed: Any, expected: list[str]
) -> None:
    assert found(ALLOWED_RECIPIENTS=allowed, FOREIGN_EVENTS=[]) == []
    assert ids(list(checks.check_deployment())) == expected


@pytest.mark.parametrize("name", ["ADDRESS_HASH_KEYS", "ENCRYPTION_KEYS"])
def test_a_key_that_could_be_guessed_is_found_before_a_deployment(found: Any, name: str) -> None:
    found(FOREIGN_EVENTS=[], **{name: {1: "x" * 16, 2: "hunter2"}})
    [guessable] = checks.check_deployment()
    assert guessable.id == "notifications.E099"
    assert f'NOTIFICATIONS["{name}"][2]' in guessable.msg
    assert "hunter2" not in str(guessable)
    assert "as version 3" in str(guessable.hint)
    found(FOREIGN_EVENTS=[], **{name: {1: "short", 2: "x" * 16}})
    assert list(checks.check_deployment()) == []


def test_that_anybody_is_believed_is_warned_of_before_a_deployment(found: Any) -> None:
    assert found(FOREIGN_EVENTS=None) == []
    assert ids(list(checks.check_deployment())) == ["W094"]
    (message,) = found(FOREIGN_EVENTS=["order.shiped"])
    assert message.id == "notifications.E007"
    assert "'order.shiped'" in message.msg
    (message,) = found(FOREIGN_EVENTS=[], RETENTION=Retention(dispatches=13))
    assert message.id == "notifications.E093"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"private_networks": ["10.0.0.0/33"]}, "10.0.0.0/33"),
        ({"private_networks": ["10.0.0.1/8"]}, "host bits"),
        ({"disable_after_days": 0}, "1 or more"),
        ({"secret": "whsec_short"}, "24 to 64 bytes"),
    ],
)
def test_a_webhook_channel_that_cannot_be_made_is_found(
    found: Any, settings: Any, options: dict[str, Any], said: str
) -> None:
    memory = ChannelConf("notifications.channels.memory.MemoryChannel")
    webhook = ChannelConf("notifications.channels.webhook.SignedWebhook", options)
    names = settings.NOTIFICATIONS["CHANNELS"]

    (message,) = found(CHANNELS={**dict.fromkeys(names, memory), "webhook": webhook})

    assert message.id == "notifications.E005"
    assert said in message.msg


def test_an_admin_without_the_console_is_named(found: Any) -> None:
    assert [each for each in found() if each.id == "notifications.E058"] == []
    plain = AdminSite("plain")
    assert [each for each in found() if each.id == "notifications.E058"] == []
    plain.register(Event)
    (error,) = [each for each in found() if each.id == "notifications.E058"]
    assert "the site 'plain' is a django.contrib.admin.sites.AdminSite" in error.msg
    assert "notifications.console.apps.ConsoleConfig" in str(error.hint)
    plain.unregister(Event)


def test_a_console_without_its_headers_is_named(found: Any, settings: Any) -> None:
    assert [each for each in found() if each.id == "notifications.W064"] == []
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "console" not in each]
    (warning,) = [each for each in found() if each.id == "notifications.W064"]
    assert "notifications.console.headers.HeadersMiddleware" in str(warning.hint)
