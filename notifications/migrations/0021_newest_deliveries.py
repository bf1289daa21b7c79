"""One index for the list of deliveries under any filter, and a narrower one for it without any."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("notifications", "0020_bulk_work"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(fields=["created_at", "id"], name="delivery_newest"),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["channel", "event_type", "state", "created_at", "id"],
                name="delivery_newest_of_kind",
            ),
        ),
        RemoveIndexConcurrently(model_name="delivery", name="delivery_recent"),
    ]
