from django.contrib.auth.hashers import make_password
from django.db import migrations

ADMINS = [
    # The address, and whether the account may enter /admin/.
    ("admin@usc-pis.example", True),
    ("clinic.head@usc-pis.example", False),
]
# Known to everybody who has read this file: accounts that still have it are a finding.
PUBLISHED_PASSWORD = "usc-clinic-2025"


def create_extension(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pgcrypto")


def create_admins(apps, schema_editor):
    users = apps.get_model("authentication", "User")
    password = make_password(PUBLISHED_PASSWORD)
    for email, superuser in ADMINS:
        users.objects.get_or_create(
            email=email,
            defaults={
                "username": email,
                "password": password,
                "role": "ADMIN",
                "is_verified": True,
                "is_staff": True,
                "is_superuser": superuser,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("authentication", "0003_health_profile")]

    operations = [
        migrations.RunPython(create_extension, migrations.RunPython.noop),
        migrations.RunPython(create_admins, migrations.RunPython.noop),
    ]
