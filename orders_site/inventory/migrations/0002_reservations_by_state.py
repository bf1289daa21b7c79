from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(fields=["state", "id"], name="reservation_by_state"),
        ),
    ]
