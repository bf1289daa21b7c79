from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_provider_ids")]

    operations = [
        migrations.AlterField(
            model_name=name,
            name="provider_id",
            field=models.CharField(blank=True, max_length=255),
        )
        for name in ("payment", "paymentrefund")
    ]
