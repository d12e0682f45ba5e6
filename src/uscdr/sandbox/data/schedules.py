"""A database's backup schedule as the data API shows it."""

from __future__ import annotations

from typing import Any

from uscdr.sandbox.world.entities import new_id

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def daily(name: str = "DATABASE_URL", *, hour: int = 2, timezone: str = "Asia/Manila") -> dict[str, Any]:
    """Every day at a full hour."""
    return {
        "uuid": new_id(),
        "name": name,
        "hour": hour,
        "timezone": timezone,
        "days": list(DAYS),
        "retain_weeks": 1,
        "retain_months": 0,
        "callback_url": "",
    }
