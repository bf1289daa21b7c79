"""The migrations say what the models say, and lock no table that is busy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor

from tests.migration_rules import faults, faults_of

PAGE = Path(__file__).parents[2] / "docs" / "upgrading.md"


@pytest.mark.django_db
def test_no_model_has_changed_without_a_migration():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_every_migration_is_gentle_but_for_those_of_old_that_the_page_names():
    """A new one that fails here is to be made gentle (docs/upgrading.md says how), not added."""
    named = set(re.findall(r"^\| `(\w+\.\d{4}_\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert set(faults()) == named


INDEX = models.Index(fields=["subject", "id"], name="a_new_index")


def to_event(**how: bool) -> migrations.AddField:
    field = models.ForeignKey("Event", models.DO_NOTHING, null=True, db_index=False, **how)
    return migrations.AddField("delivery", "cause", field)


SAMPLES = [
    (to_event(), "several tables in one transaction (notifications_delivery, notifications_event)"),
    (to_event(db_constraint=False), None),
    (migrations.AddIndex("delivery", INDEX), "builds an index"),
    (migrations.AddField("delivery", "loud", models.BooleanField(default=False)), "no such column"),
    (migrations.RemoveField("delivery", "reason"), "still read it"),
    (migrations.AlterField("delivery", "attempts", models.BigIntegerField()), "table anew"),
    (
        migrations.AddConstraint(
            "delivery", models.CheckConstraint(condition=models.Q(attempts__gte=0), name="sane")
        ),
        "reads the table through",
    ),
    (migrations.RunSQL('ALTER TABLE "notifications_event" RENAME TO x'), "still read it"),
    (AddIndexConcurrently("delivery", INDEX), None),
    (migrations.AddField("delivery", "loud", models.BooleanField(db_default=False)), None),
    (migrations.AlterField("delivery", "reason", models.CharField(max_length=200)), None),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("operation", "fault"), SAMPLES)
def test_the_rules_know_what_locks(operation, fault):
    migration = Migration("0999_sample", "notifications")
    migration.operations = [operation]
    migration.atomic = not isinstance(operation, AddIndexConcurrently)
    state = MigrationExecutor(connection).loader.project_state()
    found = list(faults_of(migration, state))
    assert fault in found[0] if fault else not found
