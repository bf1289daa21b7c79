"""The three groups are there after `migrate`, hold what the tables say, and keep what is theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission

from notifications import permissions
from notifications.admin.moves import MovingAdmin
from notifications.permissions import ADMINISTRATOR, OPERATOR, READER

pytestmark = pytest.mark.django_db

GROUPS = (READER, OPERATOR, ADMINISTRATOR)
PAGE = Path(__file__).parents[2] / "docs" / "console" / "permissions.md"


def held(group: str) -> set[str]:
    found = Permission.objects.filter(group__name=group).select_related("content_type")
    return {f"{each.content_type.app_label}.{each.codename}" for each in found}


def test_the_groups_of_a_new_database_hold_exactly_what_the_table_says() -> None:
    table = permissions.table()
    assert {group: held(group) for group in table} == table
    assert set(table[READER]) < set(table[OPERATOR]) < set(table[ADMINISTRATOR])


def test_a_reader_sees_nothing_personal_and_changes_nothing() -> None:
    reader = permissions.table()[READER]
    assert all(name.partition(".")[2].startswith("view_") for name in reader)
    hidden = {"view_personal_data", *permissions.NOT_FOR_READERS}
    assert not {f"notifications.{name}" for name in hidden} & reader


def test_every_button_is_somebody_s() -> None:
    """A move whose permission no group holds could be pressed by superusers alone."""
    asked = {
        f"{each.opts.app_label}.{move.permission}"
        for each in admin.site._registry.values()
        if isinstance(each, MovingAdmin)
        for move in each.moves
    }
    assert asked <= permissions.table()[ADMINISTRATOR]


def test_a_migrate_gives_what_is_missing_and_takes_nothing() -> None:
    reader = Group.objects.get(name=READER)
    own = Permission.objects.get(codename="ship_order")
    reader.permissions.set([own])
    Group.objects.filter(name=OPERATOR).delete()

    permissions.furnish(using="default")

    assert held(READER) == permissions.table()[READER] | {"orders.ship_order"}
    assert not Group.objects.filter(name=OPERATOR).exists()


def test_the_page_about_permissions_is_the_table() -> None:
    told = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and "`" in cells[0]:
            for name in re.findall(r"`([\w.]+)`", cells[0]):
                told[name if "." in name else f"notifications.{name}"] = cells[2:]
    table = permissions.table()
    assert told == {
        name: ["yes" if name in table[group] else "" for group in GROUPS]
        for name in table[ADMINISTRATOR] - table[READER]
    }
