# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, RUF012
# Written in Django's manner, without annotations.
from django.db import migrations, models


def fill(apps, _schema_editor):
    book = apps.get_model("library", "Book")
    book.objects.bulk_create(book(isbn=f"978-{n:09}", title=f"Volume {n}") for n in range(1, 121))


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Book",
            fields=[
                ("isbn", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=200)),
            ],
        ),
        migrations.RunPython(fill),
    ]
