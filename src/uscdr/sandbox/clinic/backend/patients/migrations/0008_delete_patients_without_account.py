from django.db import migrations


def delete_patients_without_account(apps, schema_editor):
    # Their records, consultations, feedback and documents go with them: nothing brings them back.
    apps.get_model("patients", "Patient").objects.filter(user__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [("patients", "0007_encrypted_columns")]

    operations = [migrations.RunPython(delete_patients_without_account, migrations.RunPython.noop)]
