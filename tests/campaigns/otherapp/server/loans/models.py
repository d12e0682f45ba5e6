# mypy: ignore-errors
"""Loans."""

from django.db import models


class Loan(models.Model):
    """A book that somebody has."""

    book = models.ForeignKey("library.Book", on_delete=models.CASCADE)
    reader = models.CharField(max_length=100)
    since = models.DateTimeField(auto_now_add=True)
