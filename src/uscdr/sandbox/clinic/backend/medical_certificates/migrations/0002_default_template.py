from django.db import migrations

CONTENT = (
    "<h1>Medical certificate</h1>"
    "<p>This certifies that {{ patient_name }} was examined on {{ valid_from }}.</p>"
    "<p>Diagnosis: {{ diagnosis }}</p><p>Recommendations: {{ recommendations }}</p>"
    "<p>Fitness: {{ fitness_status }}. Valid until {{ valid_until }}.</p>"
)


def create_template(apps, schema_editor):
    apps.get_model("medical_certificates", "CertificateTemplate").objects.get_or_create(
        name="Standard certificate", defaults={"description": "The default form", "content": CONTENT}
    )


class Migration(migrations.Migration):
    dependencies = [("medical_certificates", "0001_initial")]

    operations = [migrations.RunPython(create_template, migrations.RunPython.noop)]
