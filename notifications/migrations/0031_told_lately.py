"""The indexes by which it is counted what somebody has been told lately."""

from datetime import timedelta

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.lookups import GreaterThan


class Migration(migrations.Migration):
    """While messages are being sent, for there may be millions of deliveries.

    Broken off, it goes on where it was, but for an index: drop what there is of it first
    (`DROP INDEX CONCURRENTLY IF EXISTS delivery_in_hand, delivery_told_late`, one by one).
    """

    atomic = False

    dependencies = [
        ("notifications", "0030_restorations"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=Q(
                    ("state__in", ["sending", "unknown"]),
                    ("next_try_at__isnull", False),
                    _connector="OR",
                ),
                fields=["recipient", "channel"],
                name="delivery_in_hand",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=Q(GreaterThan(F("sent_at") - F("created_at"), timedelta(hours=1))),
                fields=["recipient", "channel", "sent_at"],
                name="delivery_told_late",
            ),
        ),
    ]
