from django.db import migrations

KINDS = ("feedback_reminder", "visit_confirmation", "certificate_ready")


def create_settings(apps, schema_editor):
    apps.get_model("notifications", "GlobalEmailSettings").objects.create(pk=1)
    for kind in KINDS:
        apps.get_model("notifications", "SystemEmailConfiguration").objects.get_or_create(kind=kind)


class Migration(migrations.Migration):
    dependencies = [("notifications", "0003_email_switches")]

    operations = [migrations.RunPython(create_settings, migrations.RunPython.noop)]
