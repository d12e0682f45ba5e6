from django.db import migrations


def create_extension(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pgcrypto")


class Migration(migrations.Migration):
    dependencies = [("patients", "0005_patient_name_index")]

    operations = [migrations.RunPython(create_extension, migrations.RunPython.noop)]
