from django.apps import apps as installed
from django.db import migrations, router

GROUPS = ("Notifications: reader", "Notifications: operator", "Notifications: administrator")

WITH_USERS = installed.is_installed("django.contrib.auth")


def make(apps, schema_editor):
    """The groups alone: what they may, `notifications.permissions` gives them after each migrate,
    when there are permissions to give."""
    Group = apps.get_model("auth", "Group")
    alias = schema_editor.connection.alias
    if router.allow_migrate_model(alias, Group):
        for name in GROUPS:
            Group.objects.using(alias).get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0015_audit_is_append_only"),
        *([("auth", "0012_alter_user_first_name_max_length")] if WITH_USERS else []),
    ]

    # Backwards they stay, or whoever is in one would have lost it when it comes back.
    operations = [migrations.RunPython(make, migrations.RunPython.noop)] if WITH_USERS else []
