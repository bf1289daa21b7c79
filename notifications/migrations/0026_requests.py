from django.db import migrations, models


class Migration(migrations.Migration):
    """In a transaction of its own: a worker, too, locks deliveries and attempts in one, and a
    migration that holds one of these tables must not wait for the other."""

    dependencies = [
        ("notifications", "0025_names"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="request",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="What was asked of the provider, in numbers: no address, no word.",
                max_length=255,
            ),
        ),
    ]
