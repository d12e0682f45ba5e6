"""Every transaction is told that it reads only, and looked at: nothing rests on the session or its start-up options."""

from __future__ import annotations

import re
from typing import Any

import pytest

from uscdr.errors import ProviderError


class Deaf:
    """A connection through something that passes queries on, but for what it does not care about."""

    def __init__(self, connection: Any, ignored: bytes) -> None:
        self._connection = connection
        self._ignored = ignored
        self.asked: list[object] = []

    def execute(self, query: Any, *parameters: Any) -> Any:
        self.asked.append(query)
        if isinstance(query, bytes):
            query = re.sub(self._ignored, b"", query)
        return self._connection.execute(query, *parameters)


@pytest.mark.parametrize(
    "ignored", [b", READ ONLY", b"SET LOCAL statement_timeout = '[0-9]+'", b"SET LOCAL lock_timeout = '[0-9]+'"]
)
def test_nothing_is_read_where_the_settings_do_not_take(clinic: Any, ignored: bytes) -> None:
    link = clinic.adapter()._link
    with link.session() as real:
        # As where a pooler ignored what the session was opened with.
        real.execute("SET default_transaction_read_only = off")
        deaf = Deaf(real, ignored)
        if ignored == b", READ ONLY":
            deaf = Deaf(real, b", READ ONLY|SET LOCAL default_transaction_read_only = 'on';")
        with pytest.raises(ProviderError) as caught, link.moment(deaf):
            raise AssertionError("it went on")
        real.execute("ROLLBACK")
    assert "uscdr reads nothing from the database at" in caught.value.message
    assert "pooler" in caught.value.why
    assert "PgBouncer" in caught.value.why
    assert "instead of the pooler's" in caught.value.next_action
    assert len(deaf.asked) == 2  # it began, and it looked; nothing of the application's was asked


def test_no_start_up_option_is_needed(clinic: Any) -> None:
    """A pooler that knows no `options` refuses the connection, or leaves them out without a word."""
    with clinic.adapter()._link.session() as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
        with clinic.adapter()._link.moment(connection):
            shown = [connection.execute(f"SHOW {name}").fetchone()[0] for name in ("transaction_read_only", "timezone")]
            assert shown == ["on", "UTC"]
            assert connection.execute("SHOW statement_timeout").fetchone() == ("20s",)
        # The next client of the pooled session meets nothing of it.
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("off",)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
