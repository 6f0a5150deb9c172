from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("journal", "0003_range_verification")]

    operations = [
        migrations.RenameField("rangeverification", "done_lines", "done"),
        migrations.RenameField("rangeverification", "total_lines", "total"),
    ]
