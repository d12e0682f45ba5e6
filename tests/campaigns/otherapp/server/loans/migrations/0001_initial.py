# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, RUF012
# Written in Django's manner, without annotations.
from django.db import migrations, models
from django.db.models.deletion import CASCADE


def fill(apps, _schema_editor):
    loan = apps.get_model("loans", "Loan")
    loan.objects.bulk_create(loan(book_id=f"978-{n:09}", reader=f"Reader {n}") for n in range(1, 81))


class Migration(migrations.Migration):
    initial = True
    dependencies = [("library", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Loan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("reader", models.CharField(max_length=100)),
                ("since", models.DateTimeField(auto_now_add=True)),
                ("book", models.ForeignKey(on_delete=CASCADE, to="library.book")),
            ],
        ),
        migrations.RunPython(fill),
    ]
