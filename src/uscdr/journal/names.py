"""What kind of step an event tells of, also in journals of version 0.1, whose events have the step's id only."""

from __future__ import annotations

from collections.abc import Mapping

BY_ID: Mapping[str, str] = {
    "choose": "backup.choose",
    "prove": "backup.prove",
    "ledger": "data.ledger",
    "safety": "backup.capture_safety",
    "drain": "heroku.drain",
    "stop_old": "infra.stop_old",
    "verify_data": "data.verify",
    "maintenance_on": "heroku.maintenance",
    "maintenance_off": "heroku.maintenance",
    "check_new": "app.check",
    "check_app": "app.check",
    "switch": "dns.switch",
    "media_restore": "media.restore_backups",
    "media_upload": "media.upload",
}
"""The packaged ids of that version, as far as a reader asks for them."""


def name_of(name: str, step_id: str) -> str:
    """`name` as the event has it, else what the packaged id stood for; empty when that is not known."""
    return name or BY_ID.get(step_id, "")
