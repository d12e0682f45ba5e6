"""The provider's status page, in the shape that Statuspage gives to all its customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uscdr.sandbox.media.assets import now

INDICATORS = {
    "none": ("All Systems Operational", "operational"),
    "minor": ("Minor Service Outage", "degraded_performance"),
    "major": ("Partial System Outage", "partial_outage"),
    "critical": ("Major Service Outage", "major_outage"),
    "maintenance": ("Service Under Maintenance", "under_maintenance"),
}
COMPONENTS = ("Admin API", "Upload API", "Delivery")
_PAGE = {"id": "3yqlq5w5jmvq", "name": "Cloudinary", "url": "https://status.cloudinary.com", "time_zone": "Etc/UTC"}


@dataclass
class StatusPage:
    """What the page says now."""

    indicator: str = "none"

    def status(self) -> dict[str, Any]:
        """The short form."""
        description, _ = INDICATORS[self.indicator]
        return {
            "page": {**_PAGE, "updated_at": now()},
            "status": {"indicator": self.indicator, "description": description},
        }

    def components(self) -> dict[str, Any]:
        """Every component with its state."""
        _, state = INDICATORS[self.indicator]
        rows = [
            {"id": f"c{number}", "name": name, "status": state, "group": False, "group_id": None, "position": number}
            for number, name in enumerate(COMPONENTS, 1)
        ]
        return {"page": {**_PAGE, "updated_at": now()}, "components": rows}

    def incidents(self) -> dict[str, Any]:
        """The incidents not resolved."""
        return {"page": {**_PAGE, "updated_at": now()}, "incidents": self._incidents()}

    def _incidents(self) -> list[dict[str, Any]]:
        if self.indicator in ("none", "maintenance"):
            return []
        at = now()
        update = {"status": "investigating", "body": "We are looking into elevated errors.", "created_at": at}
        return [
            {
                "id": "i1",
                "name": "Elevated errors",
                "status": "investigating",
                "impact": self.indicator,
                "shortlink": "https://stspg.example/i1",
                "started_at": at,
                "incident_updates": [update],
            }
        ]

    def summary(self) -> dict[str, Any]:
        """Everything in one document."""
        return {
            **self.status(),
            "components": self.components()["components"],
            "incidents": self._incidents(),
            "scheduled_maintenances": [],
        }
