"""The mail addresses of the application's users, by the operator's query. Only the caller sees the values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.errors import BadInput

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

MOST = 500_000
_FIX = "Write `users_query` as SELECT email FROM … WHERE …"


def addresses(connection: Connection, query: str) -> tuple[str, ...]:
    """The rows of `query`, which returns one column; NULL is left out.

    Raises BadInput when it returns something else, or more than MOST rows. No message contains a value.
    """
    with connection.cursor(binary=True) as cursor:
        # A binary result uses the extended protocol, which refuses a second statement.
        cursor.execute(query.encode())
        width = len(cursor.description or ())
        if width != 1:
            raise BadInput(f"The query for users returns {width} columns, not one.", next_action=_FIX)
        rows = cursor.fetchmany(MOST + 1)
    if len(rows) > MOST:
        raise BadInput(f"The query for users returns more than {MOST:,} rows.", next_action=_FIX)
    if not all(isinstance(row[0], str | None) for row in rows):
        raise BadInput("The query for users returns a column that is not text.", next_action=_FIX)
    return tuple(row[0] for row in rows if row[0])
