"""Addresses are sealed in the table; `manage.py reseal` brings them to the newest key."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from notifications.models import Delivery
from tests.integration.operator_rows import EMAIL, make_delivery, make_event

pytestmark = pytest.mark.django_db


def reseal(*arguments: str) -> str:
    out = StringIO()
    call_command("reseal", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def row(keys) -> Delivery:
    return make_delivery(make_event())


def written(row: Delivery) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT address FROM notifications_delivery WHERE id = %s", [row.pk])
        (address,) = cursor.fetchone()
    return address


def put(row: Delivery, address: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_delivery SET address = %s WHERE id = %s", [address, row.pk]
        )


@pytest.fixture
def keys(settings):
    def keys(**versions: str) -> None:
        by_version = {int(name[1:]): secret for name, secret in versions.items()}
        settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "ENCRYPTION_KEYS": by_version}

    keys(v1="the first secret")
    return keys


def test_an_address_is_sealed_in_the_table_and_plain_in_python(keys, row):
    assert written(row).startswith("sealed:1:")
    assert EMAIL not in written(row)
    assert Delivery.objects.get(pk=row.pk).address == EMAIL


def test_one_that_cannot_be_read_is_empty_and_the_key_is_named_in_the_log(keys, row, caplog):
    keys(v2="the second secret")

    assert Delivery.objects.get(pk=row.pk).address == ""
    assert "sealed by key 1" in caplog.text


def test_what_an_older_key_sealed_and_what_never_was_is_sealed_by_the_newest(keys, row):
    never = make_delivery(make_event(2))
    put(never, EMAIL)
    keys(v1="the first secret", v2="the second secret")

    assert "notifications.Delivery.address: 2 to seal by key 2" in reseal("--dry-run")
    assert written(never) == EMAIL
    assert "notifications.Delivery.address: 2 sealed by key 2" in reseal()

    keys(v2="the second secret")
    assert written(row).startswith("sealed:2:")
    assert {each.address for each in Delivery.objects.all()} == {EMAIL}
    assert "notifications.Delivery.address: 0 sealed" in reseal()


def test_what_cannot_be_read_is_left_for_the_day_its_key_is_found(keys, row):
    before = written(row)
    keys(v2="the second secret")
    readable = make_delivery(make_event(2))
    put(readable, EMAIL)

    with pytest.raises(CommandError, match="1 cannot be read"):
        reseal()

    assert written(row) == before
    assert written(readable).startswith("sealed:2:")
