from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0021_newest_deliveries"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="pause",
            options={
                "permissions": [
                    (
                        "pause_sending",
                        (
                            "Can pause and resume queues, channels, providers, event types "
                            "and templates"
                        ),
                    )
                ]
            },
        ),
        migrations.AlterField(
            model_name="dispatch",
            name="reason",
            field=models.CharField(
                choices=[
                    ("recorded", "first publication"),
                    ("deferred", "deferred"),
                    ("paused", "held while its event type or template is paused"),
                    ("throttled", "recipient's limit reached"),
                    ("quiet_hours", "recipient's quiet hours"),
                    ("digest", "digest due"),
                    ("reopened", "lease expired"),
                    ("resent", "resend"),
                    ("redriven", "redrive"),
                    ("replayed", "replay"),
                    ("fell_back", "cross-channel fallback"),
                    ("received", "a provider's call"),
                    ("announced", "announcement"),
                ],
                default="recorded",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="pause",
            name="kind",
            field=models.CharField(
                choices=[
                    ("queue", "queue"),
                    ("channel", "channel"),
                    ("event_type", "event type"),
                    ("template", "template"),
                    ("provider", "provider"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="pause",
            name="name",
            field=models.CharField(
                help_text="Queue without the prefix, channel, event type, template "
                '("order.created/email") or provider\'s account ("email.ses").',
                max_length=150,
            ),
        ),
    ]
