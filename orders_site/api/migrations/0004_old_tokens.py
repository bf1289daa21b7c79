from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("api", "0003_names"),
    ]

    operations = [
        migrations.AddField(
            model_name="apiclient",
            name="old_token_hash",
            field=models.CharField(editable=False, max_length=64, null=True),
        ),
        migrations.AddField(
            model_name="apiclient",
            name="old_token_until",
            field=models.DateTimeField(
                editable=False,
                help_text="Until when its token before that is good, too.",
                null=True,
            ),
        ),
    ]
