from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """While messages are being sent: these tables are busy and may be large.

    Broken off, it leaves an invalid index, in whose place the next try would put none: drop it
    (`DROP INDEX CONCURRENTLY attempt_by_start`) and migrate again.
    """

    atomic = False

    dependencies = [
        ("notifications", "0018_throughput"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="attempt",
            index=models.Index(fields=["started_at"], name="attempt_by_start"),
        ),
        AddIndexConcurrently(
            model_name="handled",
            index=models.Index(fields=["done_at"], name="handled_by_done_at"),
        ),
    ]
