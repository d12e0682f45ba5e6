"""When the last resolver has surely forgotten the old answer. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta


def expected_end(switched_at: datetime, *, old_ttl: int, lag: float = 0.0) -> datetime:
    """The moment after which no well-behaved resolver serves the old value.

    A resolver may have asked the slowest server just before that one followed, so its copy lives `old_ttl`
    seconds from then: `switched_at` + `lag` (seconds until the last secondary followed) + `old_ttl`. For a
    name that had no record, `old_ttl` is the zone's negative TTL (RFC 2308).
    """
    return switched_at + timedelta(seconds=old_ttl + lag)
