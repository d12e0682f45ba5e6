"""A database transfer: a backup, a restore or a copy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from uscdr.sandbox.world.entities import new_id, now


def data_stamp(moment: datetime | None) -> str | None:
    """A time as the data API writes it: `2026-01-01 00:00:00 +0000`."""
    return moment.strftime("%Y-%m-%d %H:%M:%S +0000") if moment else None


@dataclass(slots=True)
class Transfer:
    """Its state is told by `started_at`, `finished_at`, `succeeded` and `canceled_at` together."""

    num: int
    app_id: str
    addon_id: str
    from_type: str
    from_name: str
    from_url: str = field(repr=False)
    to_type: str
    to_name: str
    to_url: str = field(repr=False)
    num_keep: int = 5
    uuid: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    canceled_at: datetime | None = None
    updated_at: datetime = field(default_factory=now)
    source_bytes: int = 0
    processed_bytes: int = 0
    succeeded: bool | None = None
    warnings: int = 0
    logs: list[dict[str, str]] = field(default_factory=list)
    file: Path | None = None
    fault: str = ""
    extensions: list[str] = field(default_factory=list)
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def is_backup(self) -> bool:
        """Whether this is a stored dump rather than a restore or copy."""
        return self.from_type == "pg_dump" and self.to_type == "gof3r"

    @property
    def name(self) -> str:
        """The name people use: b001, r002."""
        return f"{'b' if self.is_backup else 'r'}{self.num:03d}"

    @property
    def seconds(self) -> float | None:
        """How long it took, with milliseconds; None before its end. The data API's times have whole seconds."""
        if self.started_at is None or self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at).total_seconds(), 3)

    def log(self, message: str, *, level: str = "info") -> None:
        """Append to the log that `?verbose=true` shows."""
        self.logs.append({"created_at": data_stamp(now()) or "", "level": level, "message": message})
        self.updated_at = now()

    def finish(self, *, succeeded: bool) -> None:
        """End the transfer, once; a second ending is ignored."""
        if self.finished_at is None:
            self.finished_at = self.updated_at = now()
            self.succeeded = succeeded

    def document(self, *, verbose: bool = False) -> dict[str, Any]:
        """The transfer as the data API shows it."""
        times = ("created_at", "started_at", "finished_at", "updated_at", "canceled_at")
        plain = ("uuid", "num", "from_name", "from_type", "from_url", "to_name", "to_type", "to_url")
        numbers = ("source_bytes", "processed_bytes", "succeeded", "warnings", "num_keep")
        document: dict[str, Any] = {key: getattr(self, key) for key in (*plain, *numbers)}
        document |= {key: data_stamp(getattr(self, key)) for key in times}
        document |= {"options": {}, "schedule": None, "deleted_at": None, "purged_at": None}
        if verbose:
            document["logs"] = list(self.logs)
        return document
