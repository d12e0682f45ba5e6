"""A running server of a directory, whoever started it."""

from __future__ import annotations

from pathlib import Path

from uscdr.pgserver.process import birth
from uscdr.pgserver.server import LocalPostgres, _read_record


def attach(directory: Path) -> LocalPostgres | None:
    """By the record in `directory`; None if none runs."""
    record = _read_record(directory)
    if not record or "pid" not in record or birth(int(record["pid"])) != record["born"]:
        return None
    return LocalPostgres(
        directory=directory.resolve(),
        home=Path(record["home"]),
        binaries=Path(record["binaries"]),
        host=record.get("sockets") or "127.0.0.1",
        port=int(record["port"]),
        pid=int(record["pid"]),
        password=record["password"],
    )
