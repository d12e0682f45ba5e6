# mypy: ignore-errors
"""Books."""

from django.db import models


class Book(models.Model):
    """A book, known by its number."""

    isbn = models.CharField(max_length=20, primary_key=True)
    title = models.CharField(max_length=200)
