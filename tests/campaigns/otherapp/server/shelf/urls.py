# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201
# Written in Django's manner, without annotations.
"""One page: how many books there are."""

from django.http import HttpResponse
from django.urls import path
from library.models import Book


def front(_request):
    """Count them."""
    return HttpResponse(f"{Book.objects.count()} books")


urlpatterns = [path("", front)]
