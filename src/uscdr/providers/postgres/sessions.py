"""Other clients' sessions: seen, and ended where we have the right."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from uscdr.models.postgres import Session

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

_LIMIT = 10.0
_INTERVAL = 0.1
"""Seconds between two looks while sessions end."""

# Of another role's session the server hides what it does from us, its application too; such a row stays.
_OTHERS = """
FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.datname = current_database() AND a.pid <> pg_catalog.pg_backend_pid()
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
  AND NOT (coalesce(a.application_name, '') = current_setting('application_name')
           AND a.usename = current_user)
"""
_LIST = (
    "SELECT a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),"
    " coalesce(a.state, 'unknown'), a.backend_start" + _OTHERS + " ORDER BY a.pid"
)
# The server's own rule of who may end whom; asking it for a right we lack would abort the statement.
_MINE_TO_END = """
  AND ((SELECT me.rolsuper FROM pg_catalog.pg_roles me WHERE me.rolname = current_user)
       OR (NOT r.rolsuper AND (pg_catalog.pg_has_role(r.oid, 'USAGE')
                               OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))))
"""
_END = (
    "WITH others AS MATERIALIZED (SELECT a.pid, extract(epoch FROM a.backend_start)::text AS born"  # noqa: S608 - constants only
    + _OTHERS
    + _MINE_TO_END
    + ") SELECT pid, born, pg_catalog.pg_terminate_backend(pid) FROM others"
)


def others(connection: Connection) -> tuple[Session, ...]:
    """Client sessions on this database except those of our role and application name."""
    rows = connection.execute(_LIST).fetchall()
    return tuple(
        Session(pid=pid, user=user, application=application, state=state, started_at=started)
        for pid, user, application, state, started in rows
    )


def end(connection: Connection, moment: Callable[[], AbstractContextManager[None]]) -> int:
    """Ends those that we may, again and again until none is left, for ten seconds at most.

    Each look is a `moment` of the connection of its own, as one sees the same sessions to its end.

    Returns how many different sessions were ended; clients that reconnect at once count each time.
    """
    deadline = time.monotonic() + _LIMIT
    told: set[tuple[int, str]] = set()
    while True:
        with moment():
            here = connection.execute(_END).fetchall()
        told |= {(pid, born) for pid, born, accepted in here if accepted}
        still = {(pid, born) for pid, born, _ in here}
        if not still or time.monotonic() > deadline:
            return len(told - still)
        time.sleep(_INTERVAL)  # an interval between two looks
