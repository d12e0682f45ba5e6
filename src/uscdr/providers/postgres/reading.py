"""One transaction that sees one moment of the database and cannot write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"


@contextlib.contextmanager
def moment(connection: Connection) -> Iterator[None]:
    """The block's queries, whoever wrote them, read one snapshot; rolled back at the end."""
    import psycopg

    connection.execute(_BEGIN)
    try:
        # Once a snapshot is taken the transaction cannot be made to write any more.
        connection.execute("SELECT 1")
        yield
    finally:
        # A connection that broke rolls back by itself, and its own error is the one to raise.
        with contextlib.suppress(psycopg.OperationalError):
            connection.execute("ROLLBACK")
