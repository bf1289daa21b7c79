from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                fields=["provider_id"],
                condition=models.Q(("provider_id", ""), _negated=True),
                name="payment_by_provider_id",
            ),
        ),
    ]
