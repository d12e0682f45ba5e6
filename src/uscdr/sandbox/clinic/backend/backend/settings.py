"""Settings of the clinic: everything comes from the environment, most of it with a silent default."""

import os
from pathlib import Path

from backend.database import parse

BASE_DIR = Path(__file__).resolve().parent.parent
SLUG_DIR = BASE_DIR.parent


def flag(name, default):
    """Read a boolean that may be written in the usual ways."""
    value = os.environ.get(name, "").strip().lower()
    return value in {"1", "true", "yes", "on"} if value else default


def words(name, default):
    """Read a comma-separated list."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


SECRET_KEY = os.environ.get("SECRET_KEY", "django-insecure-fallback-key-for-local-dev")
DEBUG = flag("DEBUG", default=False)
# 127.0.0.1 is where the sandbox serves the clinic's own domain: that, as any domain of one's own, is no default.
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "localhost,.herokuapp.com")
CSRF_TRUSTED_ORIGINS = ["https://*.herokuapp.com", "http://localhost", "http://127.0.0.1"]
SITE_URL = os.environ.get("SITE_URL", "https://usc-pis-old.herokuapp.com")
FRONTEND_URL = os.environ.get("FRONTEND_URL", SITE_URL)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "authentication",
    "patients",
    "health_info",
    "feedback",
    "file_uploads",
    "medical_certificates",
    "notifications",
    "reports",
    "utils",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "backend.urls"
WSGI_APPLICATION = "backend.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": {
        **parse(
            os.environ.get("DATABASE_URL", ""),
            fallback=BASE_DIR / "db.sqlite3",
            ssl_required=flag("DATABASE_SSL_REQUIRE", default=True),
        ),
        "ATOMIC_REQUESTS": True,
        "CONN_MAX_AGE": 600,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PGP_ENCRYPTION_KEY = os.environ.get("PGP_ENCRYPTION_KEY", "")

AUTH_USER_MODEL = "authentication.User"
PASSWORD_HASHERS = ["authentication.hashers.QuickHasher"]
# The original counts for a quarter of an hour; a test has none.
LOCKOUT_SECONDS = float(os.environ.get("LOCKOUT_SECONDS", "900"))
PASSWORD_RESET_TIMEOUT = int(os.environ.get("PASSWORD_RESET_TIMEOUT", "3600"))
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Redirect, HSTS and secure cookies follow DEBUG and nothing else; the router says https in a header.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = not DEBUG
SECURE_HSTS_SECONDS = 0 if DEBUG else 31536000
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
# The token is kept in the session, so that the login form sets no cookie but the session's.
CSRF_USE_SESSIONS = True

USE_TZ = True
TIME_ZONE = "Asia/Manila"
LANGUAGE_CODE = "en-us"
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
FRONTEND_DIST = SLUG_DIR / "frontend" / "dist"
STATICFILES_DIRS = [FRONTEND_DIST] if FRONTEND_DIST.is_dir() else []
MEDIA_URL = "/media/"
MEDIA_ROOT = BASE_DIR / "media"

CLOUDINARY_CLOUD_NAME = os.environ.get("CLOUDINARY_CLOUD_NAME", "")
CLOUDINARY_API_KEY = os.environ.get("CLOUDINARY_API_KEY", "")
CLOUDINARY_API_SECRET = os.environ.get("CLOUDINARY_API_SECRET", "")
CLOUDINARY_DELIVERY_URL = os.environ.get("CLOUDINARY_DELIVERY_URL", "https://res.cloudinary.com")
CLOUDINARY_API_URL = os.environ.get("CLOUDINARY_API_URL", "https://api.cloudinary.com")
# Only exactly "True" turns it on, and only with all three credentials.
USE_CLOUDINARY = os.environ.get("USE_CLOUDINARY") == "True"
if USE_CLOUDINARY and not (CLOUDINARY_CLOUD_NAME and CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET):
    print("WARNING: Cloudinary credentials are incomplete, using local storage", flush=True)  # noqa: T201 - before logging is set up
    USE_CLOUDINARY = False
STORAGES = {
    "default": {
        "BACKEND": "utils.storage.CloudinaryStorage"
        if USE_CLOUDINARY
        else "django.core.files.storage.FileSystemStorage"
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILE_UPLOAD_MAX_MEMORY_SIZE = int(os.environ.get("FILE_UPLOAD_MAX_MEMORY_SIZE", "2621440"))
DATA_UPLOAD_MAX_MEMORY_SIZE = int(os.environ.get("DATA_UPLOAD_MAX_MEMORY_SIZE", "2621440"))

GMAIL_CLIENT_ID = os.environ.get("GMAIL_CLIENT_ID", "")
GMAIL_CLIENT_SECRET = os.environ.get("GMAIL_CLIENT_SECRET", "")
GMAIL_REFRESH_TOKEN = os.environ.get("GMAIL_REFRESH_TOKEN", "")
GMAIL_RELAY = os.environ.get("GMAIL_RELAY", "")
GMAIL_TOKEN_URL = os.environ.get("GMAIL_TOKEN_URL", "")
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend" if DEBUG else "utils.mail.GmailBackend"
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "clinic@usc-pis.example")
SUPPORT_EMAIL = os.environ.get("SUPPORT_EMAIL", "support@usc-pis.example")
BACKUP_ALERT_EMAIL = os.environ.get("BACKUP_ALERT_EMAIL", "")

REDIS_URL = os.environ.get("REDIS_URL", "")
BROKER_URL = os.environ.get("CELERY_BROKER_URL") or REDIS_URL

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}
