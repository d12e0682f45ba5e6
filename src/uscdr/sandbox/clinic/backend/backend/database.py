"""DATABASE_URL to Django's settings."""

from urllib.parse import parse_qsl, unquote, urlsplit


def parse(url, *, fallback, ssl_required):
    """Return the database settings of `url`, or of the SQLite file `fallback` when it is empty.

    Raises:
        ValueError: the scheme is not PostgreSQL's.
    """
    if not url:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": fallback}
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ValueError("DATABASE_URL must start with postgres://")
    options = dict(parse_qsl(parts.query))
    if ssl_required:
        options.setdefault("sslmode", "require")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }
