# mypy: ignore-errors
"""Settings of a small library: nothing in them is the clinic's."""

import os
from urllib.parse import unquote, urlsplit

SECRET_KEY = os.environ["SHELF_SECRET"]
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["library", "loans"]
ROOT_URLCONF = "shelf.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_parts = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _parts.path.lstrip("/"),
        "USER": unquote(_parts.username or ""),
        "PASSWORD": unquote(_parts.password or ""),
        "HOST": _parts.hostname,
        "PORT": _parts.port,
        "OPTIONS": {"sslmode": "require"},
    }
}
