"""Five failed logins lock an address and an e-mail out; kept in this process only."""

from django.core.cache import cache

ATTEMPTS = 5
SECONDS = 900


def keys(request, email):
    """Name the two counters of an attempt."""
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")[-1].strip()
    address = forwarded or request.META.get("REMOTE_ADDR", "")
    return [f"login:address:{address}", f"login:email:{email.lower()}"]


def locked(request, email):
    """Tell whether either counter is full."""
    return any(cache.get(key, 0) >= ATTEMPTS for key in keys(request, email))


def failed(request, email):
    """Count one failure."""
    for key in keys(request, email):
        cache.set(key, cache.get(key, 0) + 1, SECONDS)


def succeeded(request, email):
    """Forget the failures."""
    cache.delete_many(keys(request, email))
