from django.db import migrations, models


def cancelled_is_stopped(apps, schema_editor):
    runs = apps.get_model("replay", "ReplayRun").objects.using(schema_editor.connection.alias)
    runs.filter(state="CANCELLED").update(state="STOPPED")


class Migration(migrations.Migration):

    dependencies = [("replay", "0001_replay_run")]

    operations = [
        migrations.RenameField("replayrun", "progress_seq", "done"),
        migrations.RenameField("replayrun", "total_seq", "total"),
        migrations.RenameField("replayrun", "cancelled_by", "stopped_by"),
        migrations.RenameField("replayrun", "cancel_requested_at", "stop_requested_at"),
        migrations.AlterField("replayrun", "done", models.PositiveBigIntegerField(default=0)),
        migrations.AlterField("replayrun", "total", models.PositiveBigIntegerField(default=0)),
        migrations.AlterField(
            "replayrun",
            "state",
            models.TextField(
                choices=[
                    ("QUEUED", "waiting for a worker"),
                    ("RUNNING", "running"),
                    ("SUCCEEDED", "identical"),
                    ("DIVERGED", "diverged"),
                    ("FAILED", "failed"),
                    ("STOPPED", "stopped"),
                    ("TIMED_OUT", "timed out"),
                ],
                default="QUEUED",
            ),
        ),
        migrations.RunPython(cancelled_is_stopped, migrations.RunPython.noop),
    ]
