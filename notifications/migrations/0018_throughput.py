from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0017_login_failures"),
    ]

    operations = [
        migrations.CreateModel(
            name="Throughput",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("minute", models.DateTimeField(help_text="Its beginning.")),
                ("consumer", models.CharField(max_length=80)),
                ("done", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                ("transient", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("unknown", models.PositiveIntegerField(default=0)),
                ("retries", models.PositiveIntegerField(default=0)),
                ("returned", models.PositiveIntegerField(default=0)),
                ("buried", models.PositiveIntegerField(default=0)),
                ("events", models.PositiveIntegerField(default=0)),
                ("computed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "throughput",
                "constraints": [
                    models.UniqueConstraint(fields=("minute", "consumer"), name="throughput_once"),
                ],
            },
        ),
    ]
