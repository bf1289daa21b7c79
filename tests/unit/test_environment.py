"""Every variable of the environment has its line in one table, and what it holds is read by it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orders_site import fleet
from orders_site.environment import read
from orders_site.environment.document import markdown
from orders_site.environment.problems import problems
from orders_site.environment.slips import slips
from orders_site.environment.table import BY_NAME, VARIABLES
from orders_site.environment.variable import ALL

ROOT = Path(__file__).resolve().parents[2]
READERS = [
    ROOT / "celeryconfig.py",
    ROOT / "gunicorn.conf.py",
    *(ROOT / "orders_site").glob("*.py"),
]
PUT_TOGETHER = {f"{channel}_RATE_LIMIT" for channel in ("EMAIL", "SMS", "WHATSAPP", "PUSH")} | {
    *fleet.COUNTS
}
"""Names that the code does not spell out in a call."""


def test_the_document_is_the_table() -> None:
    document = (ROOT / "docs/settings.md").read_text()
    assert markdown() in document, "put what `manage.py environment --markdown` prints there"


def test_each_line_of_the_table_is_read_and_nothing_else_is() -> None:
    code = "\n".join(path.read_text() for path in READERS)
    ours = {each.name for each in VARIABLES if each.used_by != ("make",) and not each.read_by}
    assert set(re.findall(r'\bread\("([A-Z_]+)"', code)) | PUT_TOGETHER == ours

    past_the_table = re.findall(r"os\.environ(?:\.get\(|\[)\"(\w+)", code)
    assert set(past_the_table) <= BY_NAME.keys()


def test_each_line_says_what_it_is_for_and_whom_it_matters_to() -> None:
    for variable in VARIABLES:
        assert variable.about, variable.name
        assert set(variable.used_by) <= {*ALL, "make"}, variable.name
    assert len(BY_NAME) == len(VARIABLES)


@pytest.mark.parametrize(
    ("name", "held", "value"),
    [
        ("DATABASE_POOL_SIZE", "30", 30),
        ("DATABASE_POOL_SIZE", "", 20),
        ("DJANGO_HTTPS", "off", False),
        ("DJANGO_SESSION_HOURS", "0.5", 0.5),
        ("EMAIL_RATE_LIMIT", "14/s", "14/s"),
        ("FCM_PROJECT_ID", "471147114711", "471147114711"),
        ("EMAIL_RATE_LIMIT", "none", "none"),
        ("SHOP_URL", "https://quay.example/", "https://quay.example"),
        ("SHOP_NAME", "", ""),
        ("ALLOWED_RECIPIENTS", "", ()),
        ("ENCRYPTION_KEY", "abc-def_1", {1: "abc-def_1"}),
        ("ENCRYPTION_KEY", "2:new 1:old", {2: "new", 1: "old"}),
        ("ENCRYPTION_KEY", "2:new", {2: "new"}),
        ("SMS_SENDERS", "US=+12065550100 DE=Quay", {"US": "+12065550100", "DE": "Quay"}),
        ("WEB_BIND", "[::]:8000", "[::]:8000"),
        ("DATABASE_URL", "postgresql://u:%2F@a:5432,b/shop", "postgresql://u:%2F@a:5432,b/shop"),
        ("DJANGO_ALLOWED_HOSTS", ".shop.example [::1] *", (".shop.example", "[::1]", "*")),
        ("DATABASE_URL", "host=/run/postgresql dbname=shop", "host=/run/postgresql dbname=shop"),
    ],
)
def test_what_it_holds_is_read_in_its_kind(name: str, held: str, value: Any) -> None:
    assert BY_NAME[name].problem({name: held}) == ""
    assert read(name, {name: held}) == value


WRONG: dict[str, tuple[str, ...]] = {
    "DATABASE_URL": (
        "mysql://user:opensesame@host/shop",
        "postgresql://user:open/sesame@host/shop",
        "postgresql://user:open@sesame@host/shop",
    ),
    "ADDRESS_HASH_KEY": ("2:opensesame opensesame",),
    "ENCRYPTION_KEY": ("open sesame",),
    "PAYMENT_ENDPOINT": (
        *("pay.example", "http://pay.example", "https://pay .example"),
        *("https://pay.example\n", " https://pay.example"),
    ),
    "PAYMENT_API_KEY": ("opensesame\n", "opensésame"),
    "WHATSAPP_PHONE_NUMBER_ID": ("+4915112345678", "0151 123"),
    "AWS_DEFAULT_REGION": ("eu-west", "Frankfurt", "eu-west-1a"),
    "NOTIFICATIONS_PREFIX": ("shop/live", ""),
    "DJANGO_ALLOWED_HOSTS": ("https://shop.example", "shop.example, ops.shop.example"),
    "DJANGO_CSRF_TRUSTED_ORIGINS": ("shop.example", "https://shop.example/"),
    "DJANGO_DEBUG": ("maybe",),
    "DJANGO_HTTPS": ("yes?",),
    "DJANGO_PROXY_SSL_HEADER": ("X-Forwarded-Proto: https",),
    "DJANGO_TRUSTED_PROXIES": ("all",),
    "DJANGO_HSTS_SECONDS": ("-1",),
    "DJANGO_HSTS_SUBDOMAINS": ("some",),
    "DJANGO_SESSION_HOURS": ("nan", "0"),
    "EDIT_AND_RESEND": ("ja",),
    "WEB_BIND": ("8000", "127.0.0.1:80000"),
    "WEB_CONCURRENCY": ("auto",),
    "WEB_THREADS": ("0",),
    "WEB_CONSOLE": ("maybe",),
    "PROCESS_BIND": ("9464",),
    "METRICS_EMF": ("2",),
    "WORKER_CONCURRENCY": ("many", "0"),
    "WORKER_POOL": ("gevent", "solo"),
    "SQS_WAIT_SECONDS": ("21", "0.5"),
    "DATABASE_POOL_SIZE": ("-1",),
    **dict.fromkeys(("FLEET_WEB", "FLEET_RELAYS", "FLEET_WORKERS"), ("a few",)),
    "FLEET_OTHER_CONNECTIONS": ("none",),
    "LOG_FORMAT": ("JSON",),
    "LOG_LEVEL": ("verbose",),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("collector:4318",),
    "NOTIFICATIONS_QUEUE_RETENTION_DAYS": ("0", "15"),
    "NOTIFICATIONS_KMS_KEY": ("alias/shop",),
    "AWS_ENDPOINT_URL": ("localhost:4566",),
    "SHOP_URL": ("https://shop.example:port", "shop.example"),
    "SHOP_SUPPORT_EMAIL": ("help",),
    "PUBLIC_URL": ("shop.example", "https://shop.example\t"),
    "EMAIL_FROM": ("Harbour & Pine", "orders@shop.example\n"),
    "EMAIL_URL": (
        "smtps://user:open/sesame@mail.example.com",
        "smtps://user:open[sesame@[mail.example",
        "pigeon://user:opensesame@north",
    ),
    **dict.fromkeys(sorted(PUT_TOGETHER - {*fleet.COUNTS}), ("fast", "0/s", "3/day")),
    "SES_CONFIGURATION_SET": ("my set",),
    "SMS_ORIGINATION_IDENTITY": ("My Shop",),
    "SMS_SENDERS": ("US:+12065550100", "USA=+12065550100"),
    "SMS_CONFIGURATION_SET": ("my set",),
    "WHATSAPP_ACCESS_TOKEN": ("Bearer opensesame",),
    "WHATSAPP_ENDPOINT": ("http://graph.example", "graph.example"),
    "WHATSAPP_OUTSIDE_WINDOW": ("templates",),
    "GOOGLE_APPLICATION_CREDENTIALS": ("/nowhere/key.json", str(ROOT), str(ROOT / "README.md")),
    "FCM_PROJECT_ID": ("My Shop",),
    "FCM_ENDPOINT": ("fcm.googleapis.com",),
    "WEBHOOK_PRIVATE_NETWORKS": ("10.1.0.0/16 10.1.0.0/33", "10.1.0.1/16"),
    "META_APP_SECRETS": ("opensesame",),
    "TWILIO_AUTH_TOKENS": ("opensesame",),
    "LOCAL_AWS": ("moto",),
    **dict.fromkeys((each.name for each in VARIABLES if each.name.endswith("_PORT")), ("70000",)),
    "PROVIDER_SANDBOX_URL": ("127.0.0.1:8000",),
}
"""Of every variable, what it cannot be."""

ANY_TEXT = {
    *("DJANGO_SECRET_KEY", "DJANGO_SECRET_KEY_FALLBACKS", "META_VERIFY_TOKEN", "SHOP_NAME"),
    *("PROVIDER_SANDBOX_SMTP", "PROVIDER_SANDBOX_CERTIFICATE"),
}
"""Those of which nothing is wrong."""

FOUND_BY_A_CHECK = {
    "ALLOWED_RECIPIENTS": "notifications.E033",
    "DJANGO_STATIC_ROOT": "shop.W007",
    "FOREIGN_EVENTS": "notifications.E007",
    "METRICS_TOKEN": "notifications.E083",
    "NOTIFICATIONS_FIFO_TOPICS": "notifications.E002",
    "WEBHOOK_EVENTS": "notifications.E007",
}
"""Those of which only what is registered, or elsewhere, says whether they are wrong."""


def test_of_every_variable_somebody_says_what_it_cannot_be() -> None:
    assert {*WRONG, *ANY_TEXT, *FOUND_BY_A_CHECK} == BY_NAME.keys()


@pytest.mark.parametrize(
    ("name", "held"), [(name, each) for name, wrong in WRONG.items() for each in wrong]
)
def test_what_cannot_be_read_is_named_with_what_it_should_be(name: str, held: str) -> None:
    (said,) = problems({name: held})
    shown = "holds what" if BY_NAME[name].kind.secret else f"is {held!r}, which"
    assert said.startswith(f"{name} {shown} cannot be read: give ")
    assert "sesame" not in said
    if not BY_NAME[name].read_by:
        assert read(name, {name: held}) == BY_NAME[name].default


def test_what_google_gives_out_is_taken_and_a_key_of_somebody_else_is_not(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    for held, fits in (
        ({"type": "service_account", "client_email": "a@b", "private_key": "…"}, True),
        ({"type": "service_account"}, False),
        ({"type": "external_account", "audience": "//iam.googleapis.com/…"}, True),
        ({"type": "authorized_user", "client_id": "…"}, True),
        ({"aws_access_key_id": "AKIA"}, False),
        (["service_account"], False),
    ):
        file.write_text(json.dumps(held))
        said = BY_NAME["GOOGLE_APPLICATION_CREDENTIALS"].problem(
            {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}
        )
        assert (said == "") is fits


def test_the_endpoint_of_each_service_of_aws_is_looked_at() -> None:
    (said,) = problems({"AWS_ENDPOINT_URL_SQS": "localhost:4566", "AWS_ENDPOINT_URL_SNS": ""})
    assert said.startswith("AWS_ENDPOINT_URL_SQS is 'localhost:4566', which cannot be read: give")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("EMAIL_RATE_LIMT", "EMAIL_RATE_LIMIT"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("WORKERS_CONCURRENCY", "WORKER_CONCURRENCY"),
        ("NOTIFICATIONS_TOPICS", "NOTIFICATIONS_FIFO_TOPICS"),
        ("shop_name", "SHOP_NAME"),
        ("AWS_REGION", "AWS_DEFAULT_REGION"),
    ],
)
def test_a_name_that_looks_like_a_slip_is_told_with_the_nearest(name: str, nearest: str) -> None:
    assert list(slips({name: "x", "SHOP_NAME": "Quay"})) == [(name, nearest)]


def test_the_names_of_others_are_no_slips() -> None:
    others = (
        *(
            "AWS_ENDPOINT_URL_SESV3",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "GOOGLE_APPLICATION_CREDENTIAL",
            "PATH",
            "HOME",
        ),
        *("WEB_PORT", "WEB_SERVICE_HOST", "DATABASE_PORT", "DJANGO_SETTINGS_MODULE", "PGHOST"),
        *("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "NOTIFICATIONS_WORKER_RESTARTS"),
    )
    assert list(slips(dict.fromkeys(others, "x"))) == []
