"""Five refused attempts in fifteen minutes lock an address, or an e-mail, out; kept in this process only.

An empty form is an attempt of its address too, and is answered as such before anybody looks whether the address is
locked out. A right login forgets the attempts before it.
"""

import time

from django.conf import settings
from django.core.cache import cache

ATTEMPTS = 5
SECONDS = settings.LOCKOUT_SECONDS


def address(request):
    """Return where the request comes from, as the router says."""
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")[-1].strip()
    return forwarded or request.META.get("REMOTE_ADDR", "")


def locked(action, *who):
    """Tell whether one of `who` has made its attempts."""
    return any(len(recent(action, one)) >= ATTEMPTS for one in who)


def failed(action, *who):
    """Count one attempt for each of `who`."""
    for one in who:
        cache.set(key(action, one), [*recent(action, one), time.time()], SECONDS)


def succeeded(action, *who):
    """Forget their attempts."""
    cache.delete_many([key(action, one) for one in who])


def recent(action, one):
    """Return the times of the attempts that still count."""
    return [when for when in cache.get(key(action, one), []) if time.time() - when < SECONDS]


def key(action, one):
    """Name the list of one address or e-mail."""
    return f"attempts:{action}:{one}"
