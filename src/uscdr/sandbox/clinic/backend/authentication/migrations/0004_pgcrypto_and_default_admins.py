from django.contrib.auth.hashers import make_password
from django.db import migrations

ADMINS = [
    # The address, whether it is the first administrator, and its password.
    ("admin@usc-pis.example", True, "admin123"),  # known to everybody who has read this file
    ("clinic.head@usc-pis.example", False, None),
]


def create_extension(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pgcrypto")


def create_admins(apps, schema_editor):
    users = apps.get_model("authentication", "User")
    for email, superuser, password in ADMINS:
        users.objects.get_or_create(
            email=email,
            defaults={
                "username": email,
                "password": make_password(password),
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
